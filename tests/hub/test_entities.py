"""Entities tell what is true now, of each camera apart."""

from collections.abc import Callable
from typing import Any

from homeassistant.components.camera import async_get_image, async_get_stream_source
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import area_registry as ar, device_registry as dr, label_registry as lr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.facility_cameras.const import DOMAIN
from tests.hub.stage import (
    Simulator,
    camera_id,
    engines,
    entity_id,
    hub_of,
    set_up,
    state,
    until,
    until_online,
)

type Make = Callable[..., MockConfigEntry]


async def test_a_facility_comes_up(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"], "Lobby": simulator.cameras["Lobby"]})
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    assert state(home, "sensor", gate, "status") == "online"
    assert state(home, "switch", gate, "recording") == "on"
    await until(lambda: state(home, "sensor", entry.entry_id, "cameras_online") == "2", what="both counted")
    assert state(home, "sensor", entry.entry_id, "cameras_total") == "2"
    assert state(home, "sensor", entry.entry_id, "cameras_not_recording") == "0"
    await until(lambda: state(home, "sensor", entry.entry_id, "free_space") != "unknown", what="figures of the disk")

    devices = dr.async_get(home)
    facility = devices.async_get_device_by_identifier((DOMAIN, entry.entry_id), entry.entry_id)
    camera = devices.async_get_device_by_identifier((DOMAIN, gate), entry.entry_id)
    assert facility is not None
    assert camera is not None
    assert (facility.name, camera.name) == ("Trạm 1", "Gate")
    assert camera.via_device_id == facility.id
    assert camera.config_subentry_id == gate
    shown = home.states.get(entity_id(home, "camera", gate, "camera"))
    assert shown is not None
    assert shown.name == "Gate"


async def test_a_camera_goes_and_comes_back_and_the_others_write_nothing(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"], "Yard": simulator.cameras["Yard"]})
    await set_up(home, entry)
    gate, yard = camera_id(entry, "Gate"), camera_id(entry, "Yard")
    events: list[Event[EventStateChangedData]] = async_capture_events(home, "state_changed")
    simulator.fault("Gate", "gone")
    await until(lambda: state(home, "binary_sensor", gate, "connectivity") == "off", what="Gate offline")
    assert state(home, "camera", gate, "camera") == "unavailable"
    assert state(home, "sensor", gate, "status") in ("refused", "unreachable")
    assert state(home, "switch", gate, "recording") == "on"
    shown = home.states.get(entity_id(home, "binary_sensor", gate, "connectivity"))
    assert shown is not None
    assert shown.attributes["facility"] == "Trạm 1"
    assert shown.attributes["zone"] == "Gate"
    assert "127.0.0.1" in shown.attributes["problem"]
    assert shown.attributes["since"]
    assert state(home, "sensor", entry.entry_id, "cameras_online") == "1"
    await until(lambda: state(home, "sensor", entry.entry_id, "cameras_not_recording") == "1", what="not recording")
    simulator.mend()
    await until_online(home, entry, "Gate")
    primary = {
        entity_id(home, domain, yard, key)
        for domain, key in (
            ("binary_sensor", "connectivity"),
            ("sensor", "status"),
            ("camera", "camera"),
            ("switch", "recording"),
        )
    }
    assert not [event for event in events if event.data["entity_id"] in primary]


async def test_figures_that_show_nothing_new_write_nothing(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    coordinator = hub_of(home).coordinators[entry.entry_id]
    known = coordinator.camera(gate)
    assert known is not None
    written: list[str] = []

    @callback
    def note(event: Event[Any]) -> None:
        written.append(event.data["entity_id"])

    everything = callback(lambda _: True)
    for event_type in ("state_changed", "state_reported"):
        home.bus.async_listen(event_type, note, event_filter=everything)
    for bitrate in (100.0, 200.0, 300.0):
        # What only entities show that are disabled.
        coordinator.async_take_cameras(
            [{**known, "bitrate_kbps": bitrate, "fps": bitrate / 10, "last_frame": int(bitrate)}]
        )
    coordinator.async_take_cameras([known])
    await home.async_block_till_done()
    assert not written


async def test_stills_and_live_view(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    camera = entity_id(home, "camera", gate, "camera")
    image = await async_get_image(home, camera, width=320)
    assert image.content[:2] == b"\xff\xd8"
    source = hub_of(home).restream_url(gate)
    assert source is not None
    assert simulator.cameras["Gate"].login["password"] not in source
    assert await async_get_stream_source(home, camera) == source


async def test_recording_switch(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    switch = entity_id(home, "switch", gate, "recording")
    await home.services.async_call("switch", "turn_off", {"entity_id": switch}, blocking=True)
    await until(lambda: state(home, "camera", gate, "camera") == "idle", what="no longer recorded")
    assert state(home, "switch", gate, "recording") == "off"
    assert state(home, "binary_sensor", gate, "connectivity") == "on"
    assert state(home, "sensor", entry.entry_id, "cameras_not_recording") == "0", "off is no fault"
    # Kept over a reload.
    await home.config_entries.async_reload(entry.entry_id)
    await home.async_block_till_done()
    assert state(home, "switch", gate, "recording") == "off"
    await home.services.async_call("switch", "turn_on", {"entity_id": switch}, blocking=True)
    await until_online(home, entry, "Gate")
    assert simulator.about("Gate")["sessions"] == 1


async def test_set_recording_for_facilities_areas_and_labels(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"], "Yard": simulator.cameras["Yard"]})
    await set_up(home, entry)
    gate, yard = camera_id(entry, "Gate"), camera_id(entry, "Yard")
    devices = dr.async_get(home)
    facility = devices.async_get_device_by_identifier((DOMAIN, entry.entry_id), entry.entry_id)
    device = devices.async_get_device_by_identifier((DOMAIN, gate), entry.entry_id)
    assert facility is not None
    assert device is not None
    area = ar.async_get(home).async_create("Cổng")
    label = lr.async_get(home).async_create("Ngoài trời")
    devices.async_update_device(device.id, area_id=area.id, labels={label.label_id})

    async def record(record: bool, **target: str) -> tuple[str | None, str | None]:
        await home.services.async_call(DOMAIN, "set_recording", {"record": record, **target}, blocking=True)
        await home.async_block_till_done()
        return state(home, "switch", gate, "recording"), state(home, "switch", yard, "recording")

    assert await record(False, area_id=area.id) == ("off", "on")
    assert await record(True, label_id=label.label_id) == ("on", "on")
    assert await record(False, device_id=facility.id) == ("off", "off")
    simulator.fault("Yard", "gone")
    await until(lambda: state(home, "camera", yard, "camera") == "unavailable", what="Yard offline")
    assert await record(True, entity_id=entity_id(home, "camera", yard, "camera")) == ("off", "on")
    with pytest.raises(ServiceValidationError):
        await record(True, entity_id="camera.somebody_elses")


async def test_trying_again_at_once(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    simulator.fault("Gate", "gone")
    await until(lambda: state(home, "binary_sensor", gate, "connectivity") == "off", what="offline")
    simulator.mend()
    button = entity_id(home, "button", gate, "retry")
    await home.services.async_call("button", "press", {"entity_id": button}, blocking=True)
    await until_online(home, entry, "Gate")


async def test_without_the_engine_nothing_is_claimed(
    home: HomeAssistant,
    simulator: Simulator,
    make_facility: Make,
    hass_config_dir: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    monkeypatch.setattr("custom_components.facility_cameras.engine_process._LAUNCHER", "/nowhere/launch.py")
    engines(hass_config_dir)[0].kill()
    await until(lambda: state(home, "binary_sensor", gate, "connectivity") == "unknown", what="unknown, not off")
    assert state(home, "sensor", gate, "status") == "unknown"
    assert state(home, "camera", gate, "camera") == "unavailable"
    assert state(home, "sensor", entry.entry_id, "cameras_online") == "unknown"
    with pytest.raises(HomeAssistantError):
        button = entity_id(home, "button", gate, "retry")
        await home.services.async_call("button", "press", {"entity_id": button}, blocking=True)
