"""Hints about cameras that work, but not as they should: each told once, after ten minutes, and taken back likewise."""

from collections.abc import Callable
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.facility_cameras.const import DOMAIN
from tests.hub.stage import SimulatedCamera, Simulator, add_camera, camera_id
from tests.hub.told import Told

type Make = Callable[..., MockConfigEntry]
type Stage = tuple[Told, str, Callable[..., None]]


def issue(home: HomeAssistant, hint: str, camera: str) -> ir.IssueEntry | None:
    found = ir.async_get(home).async_get_issue(DOMAIN, f"{hint}_{camera}")
    return found if found is not None and found.active else None


@pytest.fixture
async def stage(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> Stage:
    """A camera, and how to let seconds pass in which the engine tells the same of it every 10 s."""
    entry = make_facility("Trạm 1", {"Cổng": simulator.cameras["Gate"]})
    told = await Told.by_hand(home, entry)
    gate = camera_id(entry, "Cổng")
    told.tell(gate, clock_offset_s=0.0, keyframe_s=2.0, lost_packets=0, bitrate_kbps=960.0)

    def watch(seconds: int, **changes: Any) -> None:
        for _ in range(seconds // 10):
            lost = changes.get("lost_each", 0) + told._states[gate]["lost_packets"]
            figures = {key: value for key, value in changes.items() if key != "lost_each"}
            told.tell(gate, **figures, lost_packets=lost, last_frame=round(told.now * 1e6))
            told.now += 10

    return told, gate, watch


@pytest.mark.parametrize(
    ("hint", "bad", "between", "good"),
    [
        ("camera_clock", {"clock_offset_s": -75.0}, {"clock_offset_s": -45.0}, {"clock_offset_s": -5.0}),
        ("key_pictures_far", {"keyframe_s": 20.0}, {"keyframe_s": 9.0}, {"keyframe_s": 4.0}),
    ],
)
async def test_told_after_ten_minutes_and_taken_back_after_ten(
    home: HomeAssistant,
    stage: Stage,
    hint: str,
    bad: dict[str, float],
    between: dict[str, float],
    good: dict[str, float],
) -> None:
    told, gate, watch = stage
    watch(590, **bad)
    watch(20, **good)
    watch(600, **bad)
    assert issue(home, hint, gate) is None, "it was right in between"
    told.lose_engine()
    told.now += 3600
    told.find_engine()
    watch(600, **bad)
    assert issue(home, hint, gate) is None, "nobody observed the hour"
    watch(10, **bad)
    assert issue(home, hint, gate) is not None
    watch(1200, **between)
    watch(600, **good)
    watch(10, **bad)
    watch(600, **good)
    assert issue(home, hint, gate) is not None, "never coming and going"
    told.lose_engine()
    assert issue(home, hint, gate) is not None, "nobody knows better"
    told.find_engine()
    watch(620, **good)
    assert issue(home, hint, gate) is None


async def test_time_in_which_the_camera_is_away_does_not_count(home: HomeAssistant, stage: Stage) -> None:
    told, gate, watch = stage
    watch(500, keyframe_s=20.0)
    told.offline(gate)
    watch(600, keyframe_s=20.0)
    told.online(gate)
    watch(600, keyframe_s=20.0)
    assert issue(home, "key_pictures_far", gate) is None
    watch(10, keyframe_s=20.0)
    assert issue(home, "key_pictures_far", gate) is not None


async def test_the_clock_says_how_much(home: HomeAssistant, stage: Stage) -> None:
    _, gate, watch = stage
    watch(610, clock_offset_s=3600.0 * 24)
    found = issue(home, "camera_clock", gate)
    assert found is not None
    assert found.translation_key == "camera_clock"
    assert found.severity is ir.IssueSeverity.WARNING
    words = found.translation_placeholders
    assert words is not None
    assert words["shown"][:8] == words["now"][:8]
    assert words["shown"] != words["now"]
    watch(300, clock_offset_s=3600.0 * 48)
    assert issue(home, "camera_clock", gate) is found, "told once"


@pytest.mark.parametrize(
    ("offset", "key"),
    [
        (7 * 3600.0 + 3, "camera_clock_zone"),
        (-5.5 * 3600, "camera_clock_zone"),
        (70.0, "camera_clock"),
        (900.0, "camera_clock"),
        (15 * 3600.0, "camera_clock"),
    ],
)
async def test_whole_hours_are_a_zone(home: HomeAssistant, stage: Stage, offset: float, key: str) -> None:
    _, gate, watch = stage
    watch(610, clock_offset_s=offset)
    found = issue(home, "camera_clock", gate)
    assert found is not None
    assert found.translation_key == key


async def test_packets_that_are_lost(home: HomeAssistant, stage: Stage) -> None:
    """960 kbit/s are 100 packets a second, 1,000 in the 10 seconds between two states."""
    told, gate, watch = stage
    watch(10)
    watch(10, lost_each=500)
    told.tell(gate, lost_packets=0)
    watch(600)
    assert issue(home, "packets_lost", gate) is None, "once is nothing, and the engine was started again"
    watch(1200, lost_each=20)
    found = issue(home, "packets_lost", gate)
    assert found is not None
    assert found.translation_placeholders is not None
    assert 1 < float(found.translation_placeholders["percent"]) <= 2
    watch(1200, lost_each=5)
    assert issue(home, "packets_lost", gate) is not None, "still much"
    told.tell(gate, lost_packets=0)
    watch(1200)
    assert issue(home, "packets_lost", gate) is None


async def test_one_address_twice(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    gate, yard = simulator.cameras["Gate"], simulator.cameras["Yard"]
    entry = make_facility("Trạm 1", {"Cổng": gate})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    again = add_camera(home, entry, "Cổng 2", gate)
    other = add_camera(home, entry, "Sân", yard)
    await home.async_block_till_done()
    first = camera_id(entry, "Cổng")
    (late,) = [key for key in (first, again) if issue(home, "same_address", key)]
    words = ir.async_get(home).issues[DOMAIN, f"same_address_{late}"].translation_placeholders
    assert words is not None
    assert {words["camera"], words["other"]} == {"Cổng", "Cổng 2"}
    assert issue(home, "same_address", other) is None
    home.config_entries.async_remove_subentry(entry, late)
    await home.async_block_till_done()
    assert not any(issue(home, "same_address", key) for key in (first, again))


def elsewhere(camera: SimulatedCamera, host: str) -> SimulatedCamera:
    return SimulatedCamera({**camera.about, "host": host})


async def test_one_device_at_two_hosts(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    gate = simulator.cameras["Gate"]
    cameras = {"Cổng": gate, "Cổng cũ": elsewhere(gate, "127.0.0.2")}
    entry = make_facility("Trạm 1", cameras, device={"mac": "AA:BB:CC:00:11:22"})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    ids = [camera_id(entry, title) for title in cameras]
    (late,) = [key for key in ids if issue(home, "same_mac", key)]
    words = ir.async_get(home).issues[DOMAIN, f"same_mac_{late}"].translation_placeholders
    assert words is not None
    assert {words["host"], words["other_host"]} == {"127.0.0.1", "127.0.0.2"}
    # A third one: the whole model has one address.
    more = make_facility("Trạm 2", {"Sân": elsewhere(gate, "127.0.0.3")}, device={"mac": "aa:bb:cc:00:11:22"})
    assert await home.config_entries.async_setup(more.entry_id)
    await home.async_block_till_done()
    entry.runtime_data.async_tell(None)
    assert not any(issue(home, "same_mac", key) for key in (*ids, camera_id(more, "Sân")))
