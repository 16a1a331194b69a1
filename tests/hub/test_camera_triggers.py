"""A camera that goes, comes back, has a picture problem or is not recorded starts an automation, once; and can be asked."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from homeassistant.components.automation.const import DOMAIN as AUTOMATION
from homeassistant.components.websocket_api.automation import (
    async_get_conditions_for_target,
    async_get_triggers_for_target,
)
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import area_registry as ar, condition, device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed, async_mock_service

from custom_components.facility_cameras.condition import async_get_conditions
from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.trigger import async_get_triggers
from tests.hub.stage import Simulator, camera_id, entity_id
from tests.hub.told import Told
from tests.repository.source import INTEGRATION, read_yaml

type Make = Callable[..., MockConfigEntry]
FROZEN = {"status": "frozen", "cause": "picture_frozen", "confidence": 0.93, "since": 1, "evidence": "e1"}


@pytest.fixture
def calls(home: HomeAssistant) -> list[ServiceCall]:
    """What automations did."""
    found: list[ServiceCall] = async_mock_service(home, "test", "told")
    return found


@pytest.fixture
def entry(simulator: Simulator, make_facility: Make) -> MockConfigEntry:
    """Two cameras, not set up yet."""
    return make_facility("Trạm 1", {"Cổng": simulator.cameras["Gate"], "Sân": simulator.cameras["Yard"]})


def device_of(home: HomeAssistant, entry: MockConfigEntry, owner: str) -> str:
    device = dr.async_get(home).async_get_device_by_identifier((DOMAIN, owner), entry.entry_id)
    assert device is not None
    return device.id


async def automate(home: HomeAssistant, trigger: str, target: dict[str, Any], seconds: int = 0) -> None:
    told = {"trigger": trigger, "target": target, "options": {"for": {"seconds": seconds}}}
    data = {key: f"{{{{ trigger.{key} }}}}" for key in ("camera", "entity_id", "problem", "facility", "status")}
    actions = [{"action": "test.told", "data": data}]
    config = {"alias": "Test", "id": "test", "triggers": [told], "actions": actions}
    assert await async_setup_component(home, AUTOMATION, {AUTOMATION: [config]})
    await home.async_block_till_done()
    assert home.states.get("automation.test").state == "on"  # type: ignore[union-attr]


async def pass_time(home: HomeAssistant, seconds: float) -> None:
    async_fire_time_changed(home, dt_util.utcnow() + timedelta(seconds=seconds))
    await home.async_block_till_done()


async def test_went_offline_once_for_each_outage(
    home: HomeAssistant, entry: MockConfigEntry, calls: list[ServiceCall]
) -> None:
    told = await Told.by_hand(home, entry)
    gate, yard = camera_id(entry, "Cổng"), camera_id(entry, "Sân")
    gate_entity = entity_id(home, "camera", gate, "camera")
    await automate(home, "facility_cameras.went_offline", {"entity_id": gate_entity})
    told.offline(yard)
    await home.async_block_till_done()
    assert not calls, "another camera"
    told.offline(gate)
    told.tell(gate, status="refused")
    await home.async_block_till_done()
    assert len(calls) == 1, "one outage, whatever it is called"
    assert calls[0].data["camera"] == "Cổng"
    assert calls[0].data["entity_id"] == gate_entity
    assert "192.0.2.17" in calls[0].data["problem"]
    told.online(gate)
    told.offline(gate)
    await home.async_block_till_done()
    assert len(calls) == 2


async def test_unobserved_and_switched_off_are_no_change(
    home: HomeAssistant, entry: MockConfigEntry, calls: list[ServiceCall]
) -> None:
    told = await Told.by_hand(home, entry)
    gate = camera_id(entry, "Cổng")
    await automate(home, "facility_cameras.went_offline", {"device_id": device_of(home, entry, gate)})
    told.lose_engine()
    told.find_engine()
    switched_off = {"cause": "switched_off", "placeholders": {}}
    told.tell(gate, status="disconnected", problem=switched_off)
    told.online(gate)
    await home.async_block_till_done()
    assert not calls
    told.offline(gate)
    told.lose_engine()
    told.find_engine()
    await home.async_block_till_done()
    assert len(calls) == 1, "it was offline before already"
    told.online(gate)
    told.lose_engine()
    told.offline(gate)
    told.find_engine()
    await home.async_block_till_done()
    assert len(calls) == 2, "it went while nobody looked: told as soon as somebody does"


async def test_for_counts_observed_time_only(
    home: HomeAssistant, entry: MockConfigEntry, calls: list[ServiceCall]
) -> None:
    told = await Told.by_hand(home, entry)
    gate = camera_id(entry, "Cổng")
    await automate(home, "facility_cameras.went_offline", {"device_id": device_of(home, entry, gate)}, 60)
    told.offline(gate)
    await pass_time(home, 40)
    told.tell(gate, status="refused")
    told.lose_engine()
    await pass_time(home, 100)
    assert not calls, "nobody observed it"
    told.find_engine()
    await pass_time(home, 40)
    assert not calls, "begins anew"
    await pass_time(home, 61)
    assert len(calls) == 1
    told.online(gate)
    told.offline(gate)
    told.online(gate)
    await pass_time(home, 61)
    assert len(calls) == 1, "too short"


async def test_came_back_picture_problem_and_not_recording(
    home: HomeAssistant, entry: MockConfigEntry, calls: list[ServiceCall]
) -> None:
    told = await Told.by_hand(home, entry)
    gate = camera_id(entry, "Cổng")
    facility = {"device_id": device_of(home, entry, entry.entry_id)}
    triggers = [
        {"trigger": f"facility_cameras.{name}", "target": facility, "id": name}
        for name in ("came_back", "picture_problem", "not_recording")
    ]
    data = {"name": "{{ trigger.id }}", "problem": "{{ trigger.problem }}"}
    config = {
        "alias": "Test",
        "triggers": triggers,
        "actions": [{"action": "test.told", "data": data}],
        "mode": "queued",
    }
    assert await async_setup_component(home, AUTOMATION, {AUTOMATION: [config]})
    await home.async_block_till_done()

    def names() -> list[str]:
        found = [call.data["name"] for call in calls]
        calls.clear()
        return found

    told.tell(gate, status="frozen", problem={"cause": "picture_frozen", "placeholders": {}}, picture=FROZEN)
    await home.async_block_till_done()
    assert "Restart the camera" in calls[0].data["problem"]
    assert names() == ["picture_problem"], "frozen is not offline: nothing comes back"
    told.online(gate)
    await home.async_block_till_done()
    assert names() == []
    told.tell(gate, recording=False, recording_wanted=False, duty="idle")
    await home.async_block_till_done()
    assert names() == [], "it is not its time"
    told.tell(gate, recording_wanted=True, duty="volume")
    await home.async_block_till_done()
    assert names() == ["not_recording"]
    told.offline(gate)
    told.online(gate)
    await home.async_block_till_done()
    assert names() == ["came_back"]


async def test_nothing_is_told_in_planned_maintenance(
    home: HomeAssistant, entry: MockConfigEntry, calls: list[ServiceCall]
) -> None:
    told = await Told.by_hand(home, entry)
    gate = camera_id(entry, "Cổng")
    await automate(home, "facility_cameras.went_offline", {"device_id": device_of(home, entry, gate)})
    told.tell(gate, standing="maintenance")
    told.offline(gate)
    await home.async_block_till_done()
    assert not calls
    assert await ask(home, "is_offline", {"device_id": device_of(home, entry, gate)}), "who asks is told the truth"
    told.tell(gate, standing="required")
    await home.async_block_till_done()
    assert len(calls) == 1, "it is over, and the camera is still away"


async def test_a_camera_that_gets_into_the_area_is_meant(
    home: HomeAssistant, entry: MockConfigEntry, calls: list[ServiceCall]
) -> None:
    told = await Told.by_hand(home, entry)
    gate = camera_id(entry, "Cổng")
    area = ar.async_get(home).async_create("Tầng 1")
    await automate(home, "facility_cameras.went_offline", {"area_id": area.id})
    told.offline(gate)
    await home.async_block_till_done()
    assert not calls
    told.online(gate)
    dr.async_get(home).async_update_device(device_of(home, entry, gate), area_id=area.id)
    await home.async_block_till_done()
    told.offline(gate)
    await home.async_block_till_done()
    assert len(calls) == 1
    dr.async_get(home).async_update_device(device_of(home, entry, gate), area_id=None)
    await home.async_block_till_done()
    told.online(gate)
    told.offline(gate)
    await home.async_block_till_done()
    assert len(calls) == 1


async def test_offered_for_a_camera_and_for_nothing_else(home: HomeAssistant, entry: MockConfigEntry) -> None:
    await Told.by_hand(home, entry)
    gate = {"device_id": [device_of(home, entry, camera_id(entry, "Cổng"))]}
    triggers = await async_get_triggers_for_target(home, gate, expand_group=True)
    assert triggers >= {
        f"facility_cameras.{name}" for name in ("went_offline", "came_back", "picture_problem", "not_recording")
    }
    conditions = await async_get_conditions_for_target(home, gate, expand_group=True)
    assert conditions >= {
        f"facility_cameras.{name}" for name in ("is_offline", "is_online", "has_picture_problem", "is_not_recording")
    }
    home.states.async_set("binary_sensor.door", "off")
    other = {"entity_id": ["binary_sensor.door"]}
    assert not await async_get_triggers_for_target(home, other, expand_group=True)


async def test_what_is_described_is_there(home: HomeAssistant) -> None:
    assert await async_setup_component(home, DOMAIN, {})
    for kind, there in (("triggers", await async_get_triggers(home)), ("conditions", await async_get_conditions(home))):
        assert there.keys() == read_yaml(INTEGRATION / f"{kind}.yaml").keys()


async def ask(
    home: HomeAssistant, name: str, target: dict[str, Any], *, seconds: int = 0, behavior: str = "any"
) -> bool | None:
    config = {
        "condition": f"facility_cameras.{name}",
        "target": target,
        "options": {"for": {"seconds": seconds}, "behavior": behavior},
    }
    checked = await condition.async_validate_condition_config(home, config)
    checker = await condition.async_from_config(home, checked)
    result = checker.async_check()
    checker.async_unload()
    return result


async def test_what_can_be_asked_of_a_camera(home: HomeAssistant, entry: MockConfigEntry) -> None:
    told = await Told.by_hand(home, entry)
    gate = camera_id(entry, "Cổng")
    one = {"entity_id": entity_id(home, "camera", gate, "camera")}
    both = {"device_id": device_of(home, entry, entry.entry_id)}
    assert await ask(home, "is_online", one)
    assert not await ask(home, "is_offline", one)
    told.offline(gate)
    assert await ask(home, "is_offline", one)
    assert not await ask(home, "is_online", one)
    assert await ask(home, "is_not_recording", one)
    assert not await ask(home, "has_picture_problem", one)
    assert await ask(home, "is_offline", both)
    assert not await ask(home, "is_offline", both, behavior="all")
    told.online(gate)
    told.tell(gate, status="frozen", picture=FROZEN)
    assert await ask(home, "has_picture_problem", one)
    assert await ask(home, "is_online", one)


async def test_conditions_count_observed_time_only(home: HomeAssistant, entry: MockConfigEntry) -> None:
    told = await Told.by_hand(home, entry)
    gate = camera_id(entry, "Cổng")
    one = {"entity_id": entity_id(home, "camera", gate, "camera")}
    told.offline(gate)
    told.now += 59
    assert not await ask(home, "is_offline", one, seconds=60)
    told.tell(gate, status="refused")
    told.now += 1
    assert await ask(home, "is_offline", one, seconds=60)
    told.lose_engine()
    for name in ("is_offline", "is_online", "has_picture_problem", "is_not_recording"):
        assert not await ask(home, name, one), "nobody knows"
        assert not await ask(home, name, one, behavior="all"), "of nobody it is not so"
    told.now += 3600
    told.find_engine()
    assert await ask(home, "is_offline", one)
    assert not await ask(home, "is_offline", one, seconds=60)
