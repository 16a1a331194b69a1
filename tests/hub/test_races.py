"""Things that happen at once, and things that look the same."""

import asyncio
from collections.abc import Callable
import json
from types import MappingProxyType

from homeassistant.config_entries import SOURCE_USER, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.engine_process import EnginePaths
from tests.hub.stage import (
    Simulator,
    add_camera,
    camera_data,
    camera_id,
    engines,
    entity_id,
    hub_of,
    state,
    until,
    until_online,
)

type Make = Callable[..., MockConfigEntry]


async def test_a_camera_that_comes_while_its_facility_is_set_up(
    home: HomeAssistant, make_facility: Make, simulator: Simulator
) -> None:
    assert await async_setup_component(home, DOMAIN, {})
    entry = make_facility("A", {"Gate": simulator.cameras["Gate"]})
    first_entity = asyncio.Event()
    home.bus.async_listen_once(er.EVENT_ENTITY_REGISTRY_UPDATED, callback(lambda _: first_entity.set()))
    setting_up = asyncio.create_task(home.config_entries.async_setup(entry.entry_id))
    async with asyncio.timeout(20):
        await first_entity.wait()
    yard = add_camera(home, entry, "Yard", simulator.cameras["Yard"])
    assert not setting_up.done()
    assert await setting_up
    await home.async_block_till_done()
    await until_online(home, entry, "Gate", "Yard")
    for domain, key in (("switch", "recording"), ("sensor", "status"), ("button", "retry")):
        shown = home.states.get(entity_id(home, domain, yard, key))
        assert shown is not None
        assert shown.state != "unavailable"


async def test_cameras_with_one_mac_are_devices_of_their_own(
    home: HomeAssistant, make_facility: Make, simulator: Simulator
) -> None:
    """O14: one MAC for a whole model; and two lenses of one camera."""
    entry = make_facility("A", {"Gate": simulator.cameras["Gate"]}, device={"mac": "02:00:00:00:00:01", "model": "X"})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    data = camera_data(simulator.cameras["Yard"], device={"mac": "02:00:00:00:00:01", "model": "Y"})
    subentry = ConfigSubentry(data=MappingProxyType(data), subentry_type="camera", title="Yard", unique_id="yard")
    home.config_entries.async_add_subentry(entry, subentry)
    await home.async_block_till_done()
    await until_online(home, entry, "Gate", "Yard")
    await home.config_entries.async_reload(entry.entry_id)
    registry = dr.async_get(home)
    found = {
        title: registry.async_get_device_by_identifier((DOMAIN, camera_id(entry, title)), entry.entry_id)
        for title in ("Gate", "Yard")
    }
    assert {title: device and (device.name, device.model) for title, device in found.items()} == {
        "Gate": ("Gate", "X"),
        "Yard": ("Yard", "Y"),
    }


async def test_facilities_removed_together_leave_no_password_behind(
    home: HomeAssistant, make_facility: Make, simulator: Simulator, hass_config_dir: str
) -> None:
    entries = [make_facility(name, {name: simulator.cameras[name]}) for name in ("Gate", "Yard")]
    assert await home.config_entries.async_setup(entries[0].entry_id)
    await home.async_block_till_done()
    await until_online(home, entries[0], "Gate")
    await until_online(home, entries[1], "Yard")
    kept = EnginePaths.of(hass_config_dir).state / "engine.json"
    assert simulator.cameras["Gate"].login["password"] in kept.read_text()
    await asyncio.gather(*(home.config_entries.async_remove(entry.entry_id) for entry in entries))
    await until(lambda: not engines(hass_config_dir), what="the engine left")
    assert json.loads(kept.read_text())["facilities"] == []
    assert simulator.cameras["Gate"].login["password"] not in kept.read_text()


async def test_a_facility_added_while_the_last_one_goes(
    home: HomeAssistant, make_facility: Make, simulator: Simulator, hass_config_dir: str
) -> None:
    first = make_facility("A", {"Gate": simulator.cameras["Gate"]})
    assert await home.config_entries.async_setup(first.entry_id)
    await until_online(home, first, "Gate")
    removing = asyncio.create_task(home.config_entries.async_remove(first.entry_id))
    await until(lambda: not hub_of(home).connected, what="it goes")
    second = make_facility("B", {"Yard": simulator.cameras["Yard"]})
    assert await home.config_entries.async_setup(second.entry_id)
    await removing
    await until_online(home, second, "Yard")
    assert hub_of(home).restream_url("any") is not None
    assert len(engines(hass_config_dir)) == 1


async def test_an_engine_that_dies_in_the_middle_of_a_flow(
    home: HomeAssistant,
    make_facility: Make,
    simulator: Simulator,
    hass_config_dir: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = make_facility("A", {})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    gate = simulator.cameras["Gate"]
    manager = home.config_entries.subentries
    flow = await manager.async_init((entry.entry_id, "camera"), context={"source": SOURCE_USER})
    with monkeypatch.context() as broken:
        broken.setattr("custom_components.facility_cameras.engine_process._LAUNCHER", "/nowhere/launch.py")
        engines(hass_config_dir)[0].kill()
        await until(lambda: not hub_of(home).connected, what="it is missed")
        flow = await manager.async_configure(flow["flow_id"], {"address": gate.url, **gate.login})
        assert flow["errors"] == {"base": "engine_away"}
    await until(lambda: hub_of(home).connected, what="another engine", timeout=40)
    flow = await manager.async_configure(flow["flow_id"], {"address": gate.url, **gate.login})
    assert flow["step_id"] == "confirm"
    # It dies once more, before the camera is saved.
    engines(hass_config_dir)[0].kill()
    await manager.async_configure(flow["flow_id"], {"name": "Gate", "zone": "gate", "audio": False})
    await home.async_block_till_done()
    await until_online(home, entry, "Gate")


async def test_an_outage_is_forgotten_with_its_facility(
    home: HomeAssistant, make_facility: Make, simulator: Simulator
) -> None:
    entry = make_facility("A", {"Gate": simulator.cameras["Gate"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await until_online(home, entry, "Gate")
    key = camera_id(entry, "Gate")
    simulator.fault("Gate", "gone")
    await until(lambda: state(home, "binary_sensor", key, "connectivity") == "off", what="offline")
    outages = hub_of(home).outages
    assert outages.began(key) is not None
    await home.config_entries.async_remove(entry.entry_id)
    assert outages.began(key) is None
