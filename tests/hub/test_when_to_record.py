"""A camera is recorded when its entity says so; that it is not otherwise is no fault, and nobody calls it one."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from homeassistant.components.lovelace.const import LOVELACE_DATA
from homeassistant.config_entries import SOURCE_RECONFIGURE
from homeassistant.core import CoreState, HomeAssistant, State
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.facility_cameras import asking, when_to_record
from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.diagnostics import async_get_config_entry_diagnostics
from custom_components.facility_cameras.recording_sensors import COMPLETENESS, percent
from tests.hub.stage import Simulator, camera_id, entity_id, hub_of, state, until, until_online

type Make = Callable[..., MockConfigEntry]
ENTITY = "schedule.night"
BY_ENTITY = {"when": "entity", "when_entity": ENTITY, "before_s": 1, "after_s": 1}


async def set_up(home: HomeAssistant, entry: MockConfigEntry) -> None:
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()


def attributes(home: HomeAssistant, owner: str, key: str) -> dict[str, Any]:
    found = home.states.get(entity_id(home, "sensor", owner, key))
    assert found is not None
    return dict(found.attributes)


async def test_chosen_in_the_flow_and_followed(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    await until_online(home, entry, "Gate")
    gate = camera_id(entry, "Gate")
    home.states.async_set(ENTITY, "off")
    flows = home.config_entries.subentries
    flow: Any = await flows.async_init(
        (entry.entry_id, "camera"), context={"source": SOURCE_RECONFIGURE, "subentry_id": gate}
    )
    flow = await flows.async_configure(flow["flow_id"], {"next_step_id": "recording"})
    assert flow["step_id"] == "recording"
    flow = await flows.async_configure(flow["flow_id"], {"when": "entity", "before_s": 1, "after_s": 1})
    assert flow["errors"] == {"when_entity": "when_entity_missing"}
    flow = await flows.async_configure(flow["flow_id"], BY_ENTITY)
    assert flow["type"] is FlowResultType.ABORT
    assert flow["reason"] == "reconfigure_successful"
    await home.async_block_till_done()
    await until(lambda: state(home, "sensor", gate, "recording_state") == "idle", what="not its time")
    await until(lambda: state(home, "camera", gate, "camera") == "idle", what="no longer recorded")
    # Nothing of that is a fault.
    assert state(home, "sensor", entry.entry_id, "cameras_not_recording") == "0"
    assert state(home, "binary_sensor", gate, "connectivity") == "on"
    shown = await home.data[LOVELACE_DATA].dashboards["facility-cameras"].async_load(False)
    assert "not its time" in str(shown)

    home.states.async_set(ENTITY, "on")
    await until_online(home, entry, "Gate")
    assert state(home, "sensor", gate, "recording_state") == "record"
    shown = await home.data[LOVELACE_DATA].dashboards["facility-cameras"].async_load(False)
    assert "not its time" not in str(shown)
    assert simulator.about("Gate")["sessions"] == 1, "the session stays as it is"
    # The switch has the last word.
    switch = entity_id(home, "switch", gate, "recording")
    await home.services.async_call("switch", "turn_off", {"entity_id": switch}, blocking=True)
    await until(lambda: state(home, "sensor", gate, "recording_state") == "off", what="switched off")
    home.states.async_set(ENTITY, "off")
    await home.services.async_call("switch", "turn_on", {"entity_id": switch}, blocking=True)
    await until(lambda: state(home, "sensor", gate, "recording_state") == "idle", what="not its time again")
    # Changed back to always.
    flow = await flows.async_init(
        (entry.entry_id, "camera"), context={"source": SOURCE_RECONFIGURE, "subentry_id": gate}
    )
    flow = await flows.async_configure(flow["flow_id"], {"next_step_id": "recording"})
    await flows.async_configure(flow["flow_id"], {"when": "always", "before_s": 0, "after_s": 0})
    await until_online(home, entry, "Gate")


async def test_an_entity_that_cannot_be_asked_counts_as_yes_and_is_told(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    home.states.async_set(ENTITY, "off")
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]}, **BY_ENTITY)
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    await until(lambda: state(home, "sensor", gate, "recording_state") == "idle", what="not its time")
    home.states.async_set(ENTITY, "unavailable")
    await until_online(home, entry, "Gate")
    issues = ir.async_get(home)
    assert issues.async_get_issue(DOMAIN, f"when_entity_away_{gate}") is None, "a reload is over at once"
    async_fire_time_changed(home, dt_util.utcnow() + timedelta(seconds=61))
    await home.async_block_till_done()
    issue = issues.async_get_issue(DOMAIN, f"when_entity_away_{gate}")
    assert issue is not None
    assert issue.translation_placeholders == {"camera": "Gate", "facility": "Trạm 1", "entity": ENTITY}
    home.states.async_set(ENTITY, "off")
    await until(lambda: state(home, "sensor", gate, "recording_state") == "idle", what="not its time")
    assert issues.async_get_issue(DOMAIN, f"when_entity_away_{gate}") is None
    # It is gone for good: told again, and forgotten with the camera.
    home.states.async_remove(ENTITY)
    await until_online(home, entry, "Gate")
    async_fire_time_changed(home, dt_util.utcnow() + timedelta(seconds=122))
    await home.async_block_till_done()
    assert issues.async_get_issue(DOMAIN, f"when_entity_away_{gate}") is not None
    assert ENTITY not in str(await async_get_config_entry_diagnostics(home, entry))
    home.config_entries.async_remove_subentry(entry, gate)
    await home.async_block_till_done()
    assert issues.async_get_issue(DOMAIN, f"when_entity_away_{gate}") is None


async def test_an_entity_that_is_renamed_is_followed(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    registry = er.async_get(home)
    domain, _, name = ENTITY.partition(".")
    registry.async_get_or_create(domain, "test", "1", suggested_object_id=name)
    home.states.async_set(ENTITY, "off")
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]}, **BY_ENTITY)
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    await until(lambda: state(home, "sensor", gate, "recording_state") == "idle", what="not its time")
    registry.async_update_entity(ENTITY, new_entity_id=f"{ENTITY}_renamed")
    home.states.async_remove(ENTITY)
    home.states.async_set(f"{ENTITY}_renamed", "off")
    await home.async_block_till_done()
    assert entry.subentries[gate].data["when_entity"] == f"{ENTITY}_renamed"
    await until(lambda: state(home, "sensor", gate, "recording_state") == "idle", what="still not its time")
    home.states.async_set(f"{ENTITY}_renamed", "on")
    await until_online(home, entry, "Gate")


async def test_while_home_assistant_starts_what_was_told_last_holds(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    home.states.async_set(ENTITY, "off")
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]}, **BY_ENTITY)
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    await until(lambda: state(home, "sensor", gate, "recording_state") == "idle", what="not its time")
    # As after a restart: we are there before the schedule is.
    home.set_state(CoreState.starting)
    home.states.async_remove(ENTITY)
    assert await home.config_entries.async_reload(entry.entry_id)
    await home.async_block_till_done()
    await until(lambda: state(home, "sensor", gate, "recording_state") == "idle", what="as it was")
    home.set_state(CoreState.running)
    home.bus.async_fire("homeassistant_started")
    await home.async_block_till_done()
    # It did not come: that is no reason to lose footage.
    await until_online(home, entry, "Gate")


@pytest.mark.parametrize(
    ("entity", "value", "yes"),
    [
        ("schedule.a", "on", True),
        ("schedule.a", "off", False),
        ("cover.a", "open", True),
        ("cover.a", "closed", False),
        ("person.a", "home", True),
        ("person.a", "work", False),
        ("alarm_control_panel.a", "armed_away", True),
        ("alarm_control_panel.a", "disarmed", False),
        ("sensor.a", "0", False),
        ("sensor.a", "3", True),
        ("lock.a", "unlocked", True),
        ("schedule.a", "unavailable", None),
        ("schedule.a", "unknown", None),
    ],
)
def test_what_entities_say(entity: str, value: str, yes: bool | None) -> None:
    assert when_to_record.says(State(entity, value)) is yes
    assert when_to_record.says(None) is None


async def test_completeness_and_the_last_gap(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "EVERY", timedelta(seconds=1))
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"], "Yard": simulator.cameras["Yard"]})
    simulator.fault("Yard", "gone")
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    assert state(home, "sensor", gate, "completeness_today") == "unknown", "nothing was to be recorded yet"
    coordinator = hub_of(home).coordinators[entry.entry_id]

    def known() -> bool:
        found = coordinator.completeness(gate)
        return found is not None and found["today_footage_s"] > 3

    await until(known, what="counted", timeout=40)
    yard = camera_id(entry, "Yard")
    for key in ("completeness_today", "completeness_week"):
        well, ill, together = (float(str(state(home, "sensor", owner, key))) for owner in (gate, yard, entry.entry_id))
        assert 0 == ill < together < well <= 100
    assert state(home, "sensor", yard, "recording_state") == "offline"
    assert attributes(home, yard, "last_gap")["reason"] in ("offline", "starting")
    assert attributes(home, yard, "last_gap")["ended"] is None
    assert dt_util.parse_datetime(str(state(home, "sensor", yard, "last_gap"))) is not None


async def test_a_gap_is_told_soon_after_it_ended(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "EVERY", timedelta(hours=1))
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    coordinator = hub_of(home).coordinators[entry.entry_id]

    def counted() -> bool:
        found = coordinator.completeness(gate)
        return found is not None and found["today_footage_s"] > 0

    # Recording began since it was asked for at the start.
    await until(counted, what="counted", timeout=40)


def test_percent_is_cut_not_rounded() -> None:
    def of(wanted: float, footage: float) -> Any:
        return {"today_wanted_s": wanted, "today_footage_s": footage}

    today = COMPLETENESS[0]
    assert percent([of(86_400, 86_399)], today) == 99.9
    assert percent([of(86_400, 86_400)], today) == 100
    assert percent([of(100, 100), of(300, 0)], today) == 25
    assert percent([of(0, 0)], today) is None
    assert percent([], today) is None
