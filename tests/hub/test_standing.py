"""The connect switch, planned maintenance, required hours, retired cameras: what people see, and what nobody is told."""

from collections.abc import Callable
from typing import Any

from homeassistant.core import Context, HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from tests.hub.stage import Simulator, camera_id, entity_id, state, until, until_online

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
    sessions = simulator.about("Yard")["packets_sent"]
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
    assert simulator.about("Yard")["packets_sent"] > sessions, "its session goes on"
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
