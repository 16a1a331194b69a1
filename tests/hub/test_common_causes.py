"""Cameras that go away together are one event of their facility, in words, and one when they are back."""

from collections.abc import Callable
from typing import Any, cast

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.facility_cameras.engine.api_health import CommonCause
from tests.hub.stage import Simulator, camera_id, entity_id, hub_of, set_up, state, until
from tests.hub.test_rates import told

type Make = Callable[..., MockConfigEntry]

MINUTE = 60_000_000


def cause(entry: MockConfigEntry, *cameras: str, **more: Any) -> CommonCause:
    """One as the engine tells it."""
    found = {
        "id": "1",
        "kind": "host",
        "likely": "recorder",
        "facility": entry.entry_id,
        "host": "192.0.2.17",
        "network": "192.0.2.0/24",
        "cameras": [camera_id(entry, camera) for camera in cameras],
        "total": 4,
        "began": MINUTE,
        "ended": None,
        "part_of": "",
    }
    return cast("CommonCause", {**found, **more})


async def test_cameras_of_one_device_go_and_come_back_together(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {name: simulator.cameras[name] for name in ("Gate", "Lobby", "Yard")})
    await set_up(home, entry)
    written = told(home, entity_id(home, "event", entry.entry_id, "common_cause"))
    for name in ("Gate", "Lobby", "Yard"):
        simulator.fault(name, "gone")
    await until(lambda: written, what="they went away together", timeout=40)
    simulator.mend()
    await until(lambda: len(written) > 1, what="they are back", timeout=60)
    began, ended = written
    assert (began["event_type"], ended["event_type"]) == ("began", "ended")
    assert sorted(began["cameras"]) == ["Gate", "Lobby", "Yard"]
    assert (began["kind"], began["cause"]) == ("host", "recorder")
    assert began["title"] == "Trạm 1: 3 of 3 cameras of 127.0.0.1 offline together"
    assert began["from"] == ended["from"]
    assert ended["to"]


@pytest.mark.parametrize(
    ("language", "title", "back"),
    [
        ("en", "Trạm 1: 2 of 4 cameras of 192.0.2.17 offline together", "Trạm 1: cameras back online"),
        ("vi", "Trạm 1: 2/4 camera của 192.0.2.17 cùng mất kết nối", "Trạm 1: camera đã trực tuyến trở lại"),
    ],
)
async def test_once_in_words_and_remembered(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, language: str, title: str, back: str
) -> None:
    await home.config.async_update(language=language)
    entry = make_facility("Trạm 1", {name: simulator.cameras[name] for name in ("Gate", "Yard")})
    other = make_facility("Trạm 2", {"Lobby": simulator.cameras["Lobby"]})
    await set_up(home, entry)
    await home.async_block_till_done()
    written = told(home, entity_id(home, "event", entry.entry_id, "common_cause"))
    others = told(home, entity_id(home, "event", other.entry_id, "common_cause"))
    known = hub_of(home).state
    known.async_take_cause(cause(entry, "Gate"))
    known.async_take_cause(cause(entry, "Gate", "Yard"))
    assert len(written) == 1, "who joins it makes no other of it"
    known.async_take_cause(cause(entry, "Gate", "Yard", id="2"))
    assert written[1]["title"] == title
    assert "192.0.2.17" in written[1]["message"]

    last = state(home, "event", entry.entry_id, "common_cause")
    await home.config_entries.async_reload(entry.entry_id)
    await home.async_block_till_done()
    assert state(home, "event", entry.entry_id, "common_cause") == last, "both were told before"
    written.clear()
    known.async_take_all([cause(entry, "Gate", "Yard", id="2"), cause(entry, "Gate")])
    assert not written
    known.async_take_cause(cause(entry, "Gate", "Yard", id="2", ended=3 * MINUTE))
    assert written[-1]["event_type"] == "ended"
    assert written[-1]["title"] == back
    assert not others, "another facility's"


async def test_a_part_of_a_wider_one_ends_without_a_word(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {name: simulator.cameras[name] for name in ("Gate", "Yard")})
    await set_up(home, entry)
    written = told(home, entity_id(home, "event", entry.entry_id, "common_cause"))
    known = hub_of(home).state
    known.async_take_cause(cause(entry, "Gate"))
    known.async_take_cause(cause(entry, "Gate", ended=2 * MINUTE, part_of="wider"))
    assert [one["event_type"] for one in written] == ["began"]
    known.async_take_cause(cause(entry, "Gate", "Yard", id="wider", kind="facility", likely="power", host=""))
    assert [one["cause"] for one in written] == ["recorder", "power"]
    # An engine that began anew knows nothing of it: that is no end, and no second beginning of what it tells.
    known.async_take_all([])
    assert len(written) == 2


async def test_a_fault_of_the_hub_is_told_to_every_facility_of_its_own_cameras(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    first = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    second = make_facility("Trạm 2", {"Yard": simulator.cameras["Yard"]})
    third = make_facility("Trạm 3", {"Lobby": simulator.cameras["Lobby"]})
    await set_up(home, first)
    written = [told(home, entity_id(home, "event", one.entry_id, "common_cause")) for one in (first, second, third)]
    hub = cause(first, "Gate", kind="hub", likely="hub_network", facility="", host="")
    hub["cameras"].append(camera_id(second, "Yard"))
    hub_of(home).state.async_take_cause(hub)
    assert [[one["cameras"] for one in those] for those in written] == [[["Gate"]], [["Yard"]], []]
    assert written[0][0]["title"] == "Fault of the hub itself: 2 of 4 cameras not observed"
    hub_of(home).state.async_take_cause({**hub, "ended": 5 * MINUTE})
    assert written[1][-1]["title"] == "The hub observes its cameras again"
    assert state(home, "event", third.entry_id, "common_cause") == "unknown"
