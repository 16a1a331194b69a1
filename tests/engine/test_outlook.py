"""How long the disk will last, in days; and how much room is made ahead of need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.archive import cleaner, outlook, volume
from custom_components.facility_cameras.engine.archive.space import AHEAD_S, LOT_S, Space
from tests.engine.archives import MINUTE_US
from tests.engine.cleaning import DAY_US, GB, Site, rules, site_in

HOUR_US = 60 * MINUTE_US


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        yield site


def recorded(site: Site, rates: dict[str, float], facility: str = "f1", hours: int = 24) -> None:
    """The last hours of these cameras, in GB a day."""
    for camera, rate in rates.items():
        for hour in range(hours):
            site.add(camera, (hour + 1) * HOUR_US, round(rate * GB / 24), long_us=50 * MINUTE_US, facility=facility)


def room(site: Site, gigabytes: float) -> None:
    """So much is left for footage, beyond what is there and what is kept free."""
    site.disk.others = 0
    site.disk.others = round(site.disk.free - volume.keep_free(site.disk.total) - gigabytes * GB)


def test_days_possible_at_todays_rate(site: Site) -> None:
    site.wants({"a": 30, "b": 30})
    recorded(site, {"a": 6, "b": 4})
    room(site, 240)
    site.clean()
    told = site.cleaner.outlook["f1"]
    # 10 GB are there, and a day takes 10 GB.
    assert told.possible == pytest.approx(25, rel=0.02)
    assert (told.promised, told.short) == (30, True)
    room(site, 320)
    site.clean(61)
    told = site.cleaner.outlook["f1"]
    assert told.possible == pytest.approx(33, rel=0.02)
    assert not told.short


def test_nothing_is_foretold_from_too_little(site: Site) -> None:
    site.wants({"a": 30})
    site.clean()
    assert site.cleaner.outlook["f1"].possible is None
    site.add("a", 40 * MINUTE_US)
    site.clean(61)
    assert site.cleaner.outlook["f1"].possible is None
    assert not site.cleaner.outlook["f1"].short
    site.clean(1300)
    assert site.cleaner.outlook["f1"].possible is not None


def test_rate_is_measured_since_the_first_footage(site: Site) -> None:
    site.wants({"a": 30})
    recorded(site, {"a": 24}, hours=6)
    room(site, 24 * 10 - 6)
    site.clean(1)
    site.clean(61)
    assert site.cleaner.outlook["f1"].possible == pytest.approx(10, rel=0.02)


def test_what_is_held_takes_its_room(site: Site) -> None:
    site.wants({"a": 30})
    recorded(site, {"a": 10})
    room(site, 90)
    for hour in range(50):
        site.add("a", 20 * DAY_US - hour * HOUR_US, GB, long_us=50 * MINUTE_US)
    site.clean()
    without = site.cleaner.outlook["f1"].possible
    site.hold("a", site.now_us - 20 * DAY_US - HOUR_US, site.now_us - 20 * DAY_US + 30 * HOUR_US)
    # One that overlaps it, and reaches into the future.
    site.hold("a", site.now_us - 20 * DAY_US, site.now_us - 20 * DAY_US + HOUR_US, "h2")
    site.clean(61)
    held = site.cleaner.outlook["f1"].possible
    assert without is not None
    assert held is not None
    # About 30 GB, which last 3 days.
    assert without - held == pytest.approx(3, rel=0.1)
    site.release()
    site.release("h2")
    site.clean(61)
    assert site.cleaner.outlook["f1"].possible == pytest.approx(without, rel=0.01)


def test_cameras_kept_for_less_leave_room_for_the_others(site: Site) -> None:
    site.wants({"a": 30, "week": 7})
    recorded(site, {"a": 10, "week": 10})
    room(site, 70 + 230 - 20)
    site.clean()
    told = site.cleaner.outlook["f1"]
    assert told.possible == pytest.approx(23, rel=0.02)
    assert told.short
    # Kept longer than the facility's: that promise counts too.
    site.wants({"a": 20, "week": 60}, f1=rules(20))
    site.clean(61)
    told = site.cleaner.outlook["f1"]
    assert (told.promised, told.short) == (60, True)


def test_facilities_share_the_volume_and_a_quota_is_ones_own(site: Site) -> None:
    wanted = {"a": 30, "b": 10}
    site.wants(wanted, f1=rules(30), f2=rules(10))
    recorded(site, {"a": 10})
    recorded(site, {"b": 10}, "f2")
    room(site, 300)
    site.clean()
    first, second = (site.cleaner.outlook[facility] for facility in ("f1", "f2"))
    # The other's 10 days take 100 of 320 GB.
    assert first.possible == pytest.approx(22, rel=0.02)
    assert first.short
    # But it could be kept for as long as all.
    assert second.possible == pytest.approx(16, rel=0.02)
    assert not second.short
    site.wants(wanted, f1=rules(30), f2=rules(10, quota=50 * GB))
    site.clean(61)
    first, second = (site.cleaner.outlook[facility] for facility in ("f1", "f2"))
    assert second.possible == pytest.approx(5, rel=0.02)
    assert second.short
    assert first.possible == pytest.approx(27, rel=0.02)


def test_camera_that_was_removed_writes_no_more(site: Site) -> None:
    site.wants({"a": 30, "b": 30})
    recorded(site, {"a": 10, "b": 10})
    room(site, 180)
    site.clean()
    assert site.cleaner.outlook["f1"].possible == pytest.approx(10, rel=0.02)
    site.wants({"a": 30})
    site.clean(61)
    assert site.cleaner.outlook["f1"].possible == pytest.approx(20, rel=0.02)


def test_oldest_footage_that_counts_is_not_the_held(site: Site) -> None:
    site.wants({"a": 7})
    old = site.now_us - 20 * DAY_US
    site.add("a", 20 * DAY_US)
    site.hold("a", old, old + 1)
    site.add("a", 5 * DAY_US)
    young_us = site.now_us - 5 * DAY_US
    site.clean()
    assert site.cleaner.oldest == {"f1": young_us}
    assert site.index.footage("f1")[1] == old


@pytest.mark.parametrize(
    ("room", "cameras", "days"),
    [
        (100.0, [(10.0, 30.0)], 10.0),
        (100.0, [(10.0, 5.0)], float("inf")),
        (100.0, [(5.0, 4.0), (5.0, 30.0)], 16.0),
        (100.0, [], float("inf")),
        (-5.0, [(10.0, 30.0)], 0.0),
        (100.0, [(0.0, 30.0), (10.0, 30.0)], 10.0),
    ],
)
def test_level(room: float, cameras: list[tuple[float, float]], days: float) -> None:
    assert outlook._level(room, cameras) == pytest.approx(days)


@pytest.mark.parametrize("slow", [False, True])
def test_what_is_due_is_counted_to_the_last(site: Site, monkeypatch: pytest.MonkeyPatch, slow: bool) -> None:
    monkeypatch.setattr(outlook, "COUNTED", 5)
    if slow:
        # Each look takes a turn.
        monkeypatch.setattr(cleaner, "TURN_S", 0.0)
    site.wants({"a": 7, "b": 7})
    site.clean()
    for number in range(23):
        site.add("a", 10 * DAY_US + number * HOUR_US)
        site.add("b", 9 * DAY_US + number * HOUR_US, GB // 2)
    # Two that begin together, where a piece ends; one that is held, and one that ends too late.
    site.index.query("UPDATE segment SET start_us = start_us - ? WHERE id = 2 * 17 + 1", HOUR_US)
    site.hold("b", site.now_us - 9 * DAY_US, site.now_us - 9 * DAY_US + 1)
    site.add("a", 7 * DAY_US + HOUR_US)
    # For some minutes nothing goes by days.
    site.clock.offset -= 90
    site.clean(61)
    assert site.deletions() == []
    assert (site.told().due_files, site.told().due_bytes) == (23 + 22, 23 * GB + 11 * GB)
    site.clean(61)
    assert site.told().due_files == 45
    site.clean()
    assert site.told().due_files == 0
    assert len(site.deletions()) == 46


# Space ----------------------------------------------------------------------------------------------------------------


def test_rate_is_that_of_the_last_minutes() -> None:
    space = Space()
    assert space.rate(0) == 0
    for second in range(600):
        space.written(1000, second)
    assert space.rate(599) == pytest.approx(1000, rel=0.05)
    for second in range(600, 900):
        space.written(5000, second)
    assert space.rate(899) == pytest.approx(5000, rel=0.05)
    assert space.rate(2000) == 0


def test_room_for_the_next_minutes_is_made_in_large_lots() -> None:
    space, rate = Space(), 30_000_000
    total = 1000 * GB
    keep = volume.keep_free(total)
    now = 0.0
    for _ in range(400):
        now += 1
        space.written(rate, now)
    space.looked(total, keep + rate * (round(AHEAD_S) + 10), now)
    assert space.lacking(now) == 0
    space.looked(total, keep + rate * (round(AHEAD_S) - 10), now)
    lot = space.lacking(now)
    assert lot == pytest.approx(rate * (LOT_S + 10), rel=0.02)
    # Begun, it is gone on with until the lot is there.
    space.deleting(now)
    space.deleted(lot // 2)
    assert space.lacking(now) == pytest.approx(lot // 2, rel=0.02)
    space.deleted(lot - lot // 2 + rate)
    assert space.lacking(now) == 0


def test_small_volume_is_not_emptied_by_a_great_rate() -> None:
    space, total = Space(), 64 << 20
    for second in range(100):
        space.written(10_000_000, second)
    space.looked(total, total // 2, 100)
    assert space.lacking(100) == 0
