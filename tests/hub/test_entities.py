"""Entities tell what is true now, of each camera apart."""

from collections.abc import Callable

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.hub.stage import Simulator, camera_id, state, until, until_online


async def test_a_facility_comes_up(
    home: HomeAssistant, simulator: Simulator, make_facility: Callable[..., MockConfigEntry]
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"], "Lobby": simulator.cameras["Lobby"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Gate", "Lobby")
    gate = camera_id(entry, "Gate")
    assert state(home, "sensor", gate, "status") == "online"
    assert state(home, "switch", gate, "recording") == "on"
    await until(lambda: state(home, "sensor", entry.entry_id, "cameras_online") == "2", what="both counted")
    assert state(home, "sensor", entry.entry_id, "cameras_total") == "2"
    assert state(home, "sensor", entry.entry_id, "cameras_not_recording") == "0"
