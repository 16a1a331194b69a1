"""The connect switch, planned maintenance, required hours, retired cameras: what people see, and what nobody is told."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from homeassistant.components.automation.const import DOMAIN as AUTOMATION
from homeassistant.config_entries import SOURCE_RECONFIGURE
from homeassistant.core import Context, HomeAssistant, ServiceCall
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError, Unauthorized
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockUser,
    async_fire_time_changed,
    async_mock_service,
)
import voluptuous as vol

from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.flow_standing import in_use_elsewhere
from tests.hub.stage import (
    Simulator,
    add_camera,
    camera_id,
    entity_id,
    hub_of,
    state,
    until,
    until_awaited,
    until_online,
)

type Make = Callable[..., MockConfigEntry]


async def set_up(home: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()


def attributes(home: HomeAssistant, domain: str, owner: str, key: str) -> dict[str, Any]:
    found = home.states.get(entity_id(home, domain, owner, key))
    assert found is not None
    return dict(found.attributes)


async def turn(home: HomeAssistant, owner: str, key: str, *, on: bool, context: Context | None = None) -> None:
    await home.services.async_call(
        "switch",
        "turn_on" if on else "turn_off",
        {"entity_id": entity_id(home, "switch", owner, key)},
        blocking=True,
        context=context,
    )


async def test_switched_off_is_neither_online_nor_offline(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {title: simulator.cameras[title] for title in ("Gate", "Yard")})
    await set_up(home, entry)
    await until_online(home, entry, "Gate", "Yard")
    gate = camera_id(entry, "Gate")
    assert state(home, "switch", gate, "connect") == "on"
    assert attributes(home, "switch", gate, "connect")["changed_by"] is None
    user = MockUser(name="An", is_owner=True).add_to_hass(home)
    sent = simulator.about("Yard")["packets_sent"]
    await turn(home, gate, "connect", on=False, context=Context(user_id=user.id))
    await until(lambda: state(home, "sensor", gate, "status") == "disconnected", what="switched off")
    await until(lambda: simulator.about("Gate")["connections"] == 0, what="no session")
    assert state(home, "binary_sensor", gate, "connectivity") == "unknown"
    assert attributes(home, "sensor", gate, "status")["cause"] == "switched_off"
    assert state(home, "sensor", gate, "recording_state") == "off"
    assert state(home, "switch", gate, "recording") == "on", "what will be"
    assert state(home, "sensor", entry.entry_id, "cameras_not_recording") == "0"
    shown = attributes(home, "switch", gate, "connect")
    assert (shown["changed_by"], shown["changed_how"]) == ("An", "person")
    await until(lambda: simulator.about("Yard")["packets_sent"] > sent, what="the session of the other goes on")
    # Kept over a restart of the facility.
    assert await home.config_entries.async_reload(entry.entry_id)
    await home.async_block_till_done()
    assert state(home, "switch", gate, "connect") == "off"
    await until(lambda: state(home, "sensor", gate, "status") == "disconnected", what="still off")
    await turn(home, gate, "connect", on=True, context=Context(parent_id=Context().id))
    await until_online(home, entry, "Gate")
    assert attributes(home, "switch", gate, "connect")["changed_how"] == "automation"
    await turn(home, gate, "recording", on=False)
    shown = attributes(home, "switch", gate, "recording")
    assert (shown["changed_by"], shown["changed_how"]) == ("Home Assistant", "restore")
    assert (dt_util.parse_datetime(shown["changed_at"]) or dt_util.utc_from_timestamp(0)) <= dt_util.utcnow()
    # What is so already is no change.
    await turn(home, gate, "recording", on=False, context=Context(user_id=user.id))
    assert attributes(home, "switch", gate, "recording") == shown
    await turn(home, gate, "connect", on=False, context=Context(user_id=user.id))
    hub = hub_of(home)

    async def written() -> bool:
        async with hub.client._open().get("/v1/notes") as answer:
            notes = (await answer.json())["notes"]
        return [one["content"] for one in notes if one["kind"] == "switched"] == [
            {"switch": "connect", "on": False, "who": "An"},
            {"switch": "record", "on": False, "who": "Home Assistant"},
            {"switch": "connect", "on": True, "who": "Home Assistant"},
            {"switch": "connect", "on": False, "who": "An"},
        ]

    await until_awaited(written, what="who it was stands in the ledger")


class Alerts:
    """What the outage trigger tells."""

    def __init__(self, home: HomeAssistant, told: list[ServiceCall]) -> None:
        self.home, self.told = home, told

    @property
    def changes(self) -> list[str]:
        return [call.data["change"] for call in self.told]


@pytest.fixture
async def alerts(home: HomeAssistant) -> Alerts:
    """An automation that is told of every camera at once."""
    told = async_mock_service(home, "test", "told")
    automation = {
        "alias": "Alert",
        "triggers": [{"trigger": "facility_cameras.outage", "options": {"for": 0}}],
        "actions": [{"action": "test.told", "data": {"change": "{{ trigger.change }}"}}],
        "mode": "queued",
    }
    assert await async_setup_component(home, DOMAIN, {})
    assert await async_setup_component(home, AUTOMATION, {AUTOMATION: [automation]})
    await home.async_block_till_done()
    return Alerts(home, told)


async def call(home: HomeAssistant, action: str, **data: Any) -> None:
    await home.services.async_call(DOMAIN, action, data, blocking=True)


async def test_maintenance_is_told_to_nobody_and_ends(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, alerts: Alerts
) -> None:
    entry = make_facility("Trạm 1", {title: simulator.cameras[title] for title in ("Gate", "Yard")})
    await set_up(home, entry)
    await until_online(home, entry, "Gate", "Yard")
    gate, yard = camera_id(entry, "Gate"), camera_id(entry, "Yard")
    sensor = entity_id(home, "binary_sensor", gate, "maintenance")
    assert state(home, "binary_sensor", gate, "maintenance") == "off"
    await call(home, "start_maintenance", entity_id=sensor, duration={"hours": 1}, reason="Lau ống kính")
    await until(lambda: state(home, "binary_sensor", gate, "maintenance") == "on", what="under maintenance")
    shown = attributes(home, "binary_sensor", gate, "maintenance")
    assert (shown["reason"], shown["who"]) == ("Lau ống kính", "Home Assistant")
    begins, ends = (dt_util.parse_datetime(shown[key]) for key in ("since", "until"))
    assert begins is not None
    assert ends is not None
    assert ends - begins == timedelta(hours=1)
    assert state(home, "binary_sensor", yard, "maintenance") == "off"
    simulator.fault("Gate", "gone")
    await until(lambda: state(home, "binary_sensor", gate, "connectivity") == "off", what="away")
    simulator.fault("Yard", "gone")
    await until(lambda: state(home, "binary_sensor", yard, "connectivity") == "off", what="away")
    await until(lambda: alerts.changes == ["offline"], what="the other one is told")
    assert hub_of(home).outages.began(gate) is None
    # It is over, and the camera is still away: that begins now.
    before = dt_util.utcnow().timestamp()
    await call(home, "end_maintenance", entity_id=sensor)
    await until(lambda: alerts.changes == ["offline", "offline"], what="the outage that goes on is told")
    began = hub_of(home).outages.began(gate)
    assert began is not None
    assert began >= before
    assert state(home, "binary_sensor", gate, "maintenance") == "off"
    # Planned again: what was told of it is over, and its return is told to nobody.
    await call(home, "start_maintenance", entity_id=sensor, duration={"hours": 1}, reason="Lần hai")
    await until(lambda: state(home, "binary_sensor", gate, "maintenance") == "on", what="under maintenance")
    simulator.mend()
    await until_online(home, entry, "Gate", "Yard")
    await until(lambda: alerts.changes.count("back") == 1, what="the other one is back")
    await call(home, "end_maintenance", entity_id=sensor)
    await until(lambda: state(home, "binary_sensor", gate, "maintenance") == "off", what="it is over")
    await home.async_block_till_done()
    assert alerts.changes == ["offline", "offline", "back"]


async def test_maintenance_of_a_facility_and_what_is_refused(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {title: simulator.cameras[title] for title in ("Gate", "Yard")})
    await set_up(home, entry)
    gate, yard = camera_id(entry, "Gate"), camera_id(entry, "Yard")
    device = dr.async_get(home).async_get_device_by_identifier((DOMAIN, entry.entry_id), entry.entry_id)
    assert device is not None
    until_time = dt_util.now() + timedelta(hours=2)
    target = {"device_id": device.id, "reason": "Bảo trì"}
    await call(home, "start_maintenance", **target, until=until_time.isoformat())
    await until(
        lambda: {state(home, "binary_sensor", one, "maintenance") for one in (gate, yard)} == {"on"}, what="both"
    )
    for wrong in ({"duration": {"days": 31}}, {"duration": {"seconds": 0}}, {"until": "2020-01-01 00:00:00"}):
        with pytest.raises(ServiceValidationError) as error:
            await call(home, "start_maintenance", **target, **wrong)
        assert error.value.translation_key == "maintenance_end"
    with pytest.raises(ServiceValidationError):
        await call(home, "start_maintenance", reason="Bảo trì", duration={"hours": 1})
    wrongs: tuple[dict[str, Any], ...] = (
        {},
        {"duration": {"hours": 1}, "until": until_time.isoformat()},
        {"duration": {"hours": 1}, "reason": " "},
    )
    for wrong in wrongs:
        with pytest.raises(vol.Invalid):
            await call(home, "start_maintenance", **{**target, **wrong})
    # Who may not control the camera may not keep its alerts away either.
    user = MockUser(name="Khách").add_to_hass(home)
    user.mock_policy({"entities": {"entity_ids": {"switch.other": True}}})
    with pytest.raises(Unauthorized):
        await home.services.async_call(
            DOMAIN, "end_maintenance", {"device_id": device.id}, blocking=True, context=Context(user_id=user.id)
        )
    await call(home, "end_maintenance", device_id=device.id)
    await until(
        lambda: {state(home, "binary_sensor", one, "maintenance") for one in (gate, yard)} == {"off"}, what="both"
    )


async def test_required_hours_and_retirement(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, alerts: Alerts
) -> None:
    home.states.async_set("schedule.open", "on")
    entry = make_facility("Trạm 1", {title: simulator.cameras[title] for title in ("Gate", "Yard")})
    await set_up(home, entry)
    await until_online(home, entry, "Gate", "Yard")
    gate = camera_id(entry, "Gate")
    coordinator = hub_of(home).coordinators[entry.entry_id]
    await configure(home, entry, gate, {"required_entity": "schedule.open", "retired": False})
    home.states.async_set("schedule.open", "off")
    await until(lambda: not coordinator.asked_for(gate), what="outside its hours")
    assert state(home, "sensor", gate, "status") == "online", "the session stays as it is"
    simulator.fault("Gate", "gone")
    await until(lambda: state(home, "binary_sensor", gate, "connectivity") == "off", what="away")
    await home.async_block_till_done()
    assert alerts.changes == []
    home.states.async_set("schedule.open", "on")
    await until(lambda: alerts.changes == ["offline"], what="told when it is required")
    # While it cannot be asked it is required, and a repair says so.
    home.states.async_set("schedule.open", "unavailable")
    await home.async_block_till_done()
    async_fire_time_changed(home, dt_util.utcnow() + timedelta(seconds=61))
    await home.async_block_till_done()
    assert ir.async_get(home).async_get_issue(DOMAIN, f"required_entity_away_{gate}") is not None
    assert coordinator.asked_for(gate)

    await configure(home, entry, gate, {"retired": True})
    await until(lambda: attributes(home, "sensor", gate, "status")["cause"] == "retired", what="retired")
    assert state(home, "sensor", gate, "status") == "disconnected"
    assert state(home, "sensor", entry.entry_id, "cameras_total") == "1"
    assert state(home, "sensor", entry.entry_id, "cameras_online") == "1"
    assert hub_of(home).outages.began(gate) is None
    assert ir.async_get(home).async_get_issue(DOMAIN, f"required_entity_away_{gate}") is None
    simulator.mend()
    # Its footage is still found.
    assert (await hub_of(home).client.size(gate, 0, 1 << 61))["files"] > 0
    # Another one takes its place; as long as it does, the old one cannot come back.
    identity = entry.subentries[gate].data["unique_id"]
    assert identity
    assert entry.subentries[gate].unique_id is None
    assert in_use_elsewhere(home, simulator.cameras["Gate"].url, identity, None) is None
    successor = add_camera(home, entry, "Gate 2", simulator.cameras["Gate"])
    await home.async_block_till_done()
    assert ir.async_get(home).async_get_issue(DOMAIN, f"same_address_{successor}") is None
    flows = home.config_entries.subentries
    flow: Any = await flows.async_init(
        (entry.entry_id, "camera"), context={"source": SOURCE_RECONFIGURE, "subentry_id": gate}
    )
    flow = await flows.async_configure(flow["flow_id"], {"next_step_id": "standing"})
    flow = await flows.async_configure(flow["flow_id"], {"retired": False})
    assert flow["errors"] == {"retired": "camera_known"}
    assert flow["description_placeholders"]["camera"] == "Gate 2"
    flows.async_abort(flow["flow_id"])
    home.config_entries.async_remove_subentry(entry, successor)
    await configure(home, entry, gate, {"retired": False})
    assert entry.subentries[gate].unique_id == identity
    await until_online(home, entry, "Gate")
    assert state(home, "sensor", entry.entry_id, "cameras_total") == "2"


async def configure(home: HomeAssistant, entry: MockConfigEntry, camera: str, answers: dict[str, Any]) -> None:
    flows = home.config_entries.subentries
    flow: Any = await flows.async_init(
        (entry.entry_id, "camera"), context={"source": SOURCE_RECONFIGURE, "subentry_id": camera}
    )
    flow = await flows.async_configure(flow["flow_id"], {"next_step_id": "standing"})
    assert flow["step_id"] == "standing"
    flow = await flows.async_configure(flow["flow_id"], answers)
    assert flow["type"] is FlowResultType.ABORT
    assert flow["reason"] == "reconfigure_successful"
    await home.async_block_till_done()
