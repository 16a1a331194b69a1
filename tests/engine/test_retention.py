"""Retention: by days, space and quota, oldest first, never what is held or young, each deletion with its reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.archive import volume
from tests.engine.archives import MINUTE_US
from tests.engine.cleaning import DAY_US, GB, Site, rules, site_in

HOUR_US = 60 * MINUTE_US


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        yield site


# Days -----------------------------------------------------------------------------------------------------------------


def test_days_are_each_cameras_own(site: Site) -> None:
    site.wants({"week": 7, "month": 30, "unknown": 1})
    ages = [0, 1, 6, 8, 29, 31]
    paths = {(camera, age): site.add(camera, age * DAY_US) for camera in ("week", "month") for age in ages}
    site.clean()
    gone = {key for key, path in paths.items() if not path.exists()}
    assert gone == {("week", 8), ("week", 29), ("week", 31), ("month", 31)}
    assert [reason for _, reason in site.deletions()] == ["days"] * 4
    assert site.index.footage("f1")[0] == 8 * GB
    site.clean()
    assert len(site.deletions()) == 4


def test_days_outlive_their_camera(site: Site) -> None:
    site.wants({"removed": 7})
    path = site.add("removed", 6 * DAY_US)
    site.clean()
    site.wants({"another": 30})
    site.clean()
    assert path.exists()
    site.clean(86_400)
    assert not path.exists()


def test_camera_whose_days_nobody_knows_is_kept_as_its_facility_or_as_long_as_any(site: Site) -> None:
    site.wants({"week": 7, "month": 30}, f1=rules(20))
    known = [site.add("week"), site.add("month")]
    ours, elsewhere = site.add("ours", 19 * DAY_US), site.add("elsewhere", 29 * DAY_US, facility="gone")
    site.clean()
    assert ours.exists()
    assert elsewhere.exists()
    site.clean(86_400)
    assert not ours.exists()
    assert not elsewhere.exists()
    assert all(path.exists() for path in known)


def test_nothing_younger_than_an_hour(site: Site) -> None:
    site.wants({"c": 0})
    young, old = [site.add("c", minutes * MINUTE_US) for minutes in (5, 30, 45)], site.add("c", 62 * MINUTE_US)
    site.disk.others = site.disk.total
    site.clean(0)
    site.clean(61)
    assert not old.exists()
    assert all(path.exists() for path in young)


# Space ----------------------------------------------------------------------------------------------------------------


def test_space_takes_the_oldest_of_all_cameras_and_no_more_than_wanted(site: Site) -> None:
    site.wants({f"c{number}": 60 for number in range(3)})
    paths = [site.add(f"c{age % 3}", age * DAY_US) for age in range(1, 41)]
    keep = volume.keep_free(site.disk.total)
    site.disk.others = site.disk.total - keep - 40 * GB + 5 * GB // 2
    site.clean()
    assert [path.exists() for path in paths] == [True] * 37 + [False] * 3
    assert site.deletions() == [(path.name, "space") for path in paths[:-4:-1]]
    assert site.disk.free >= keep


def test_space_is_made_before_it_is_needed(site: Site) -> None:
    site.wants({"c": 60})
    keep = volume.keep_free(site.disk.total)
    for hours in range(2, 400):
        site.add("c", hours * HOUR_US)
    site.clean(4000)
    site.disk.others = site.disk.total - keep - site.disk.total // 50 - 398 * GB
    least = site.disk.free
    for _ in range(200):
        # 1 GB in 10 s.
        site.add("c", 10_000_000, long_us=10_000_000)
        least = min(least, site.disk.free)
        site.clean(10)
    assert least >= keep
    assert site.deletions()
    assert {reason for _, reason in site.deletions()} == {"space"}


def test_least_days_are_never_deleted_for_space(site: Site) -> None:
    site.wants({"c": 60, "d": 60}, f1=rules(60, least_us=5 * DAY_US), f2=rules(60))
    mine = [site.add("c", age * DAY_US) for age in (2, 4, 6)]
    theirs = [site.add("d", age * DAY_US, facility="f2") for age in (2, 4, 6)]
    site.disk.others = site.disk.total
    site.clean()
    assert [path.exists() for path in mine + theirs] == [True, True, False, False, False, False]
    assert site.told().young_since_us == site.now_us
    assert site.told().due_bytes > 0
    site.disk.others = 0
    site.clean(61)
    assert site.told().young_since_us is None
    assert site.told().due_bytes == 0


@pytest.mark.parametrize("days", [365, -365])
def test_clock_that_is_wrong_for_some_minutes_makes_nothing_older(site: Site, days: int) -> None:
    site.wants({"c": 60}, f1=rules(60, 5 * GB, least_us=5 * DAY_US))
    site.clean()
    paths = [site.add("c", age * DAY_US) for age in range(1, 11)]
    # A disk that is full, and a quota that is exceeded.
    site.disk.others = site.disk.total
    site.clock.offset += days * 86_400
    site.clean(300)
    assert all(path.exists() for path in paths[:4])
    site.clock.offset -= days * 86_400
    site.clean(61)
    assert [path.exists() for path in paths] == [True] * 4 + [False] * 6


def test_deleting_that_frees_nothing_is_noticed_and_stays_within_the_estimate(site: Site) -> None:
    site.wants({"c": 60})
    for hours in range(2, 202):
        site.add("c", hours * HOUR_US)
    site.clean(4000)
    site.disk.keeps_back = True
    keep = volume.keep_free(site.disk.total)
    site.disk.others = site.disk.total - keep - 200 * GB + 10 * GB
    for _ in range(10):
        site.clean(61)
    # What lacked, and not a file more.
    assert len(site.deletions()) == 10
    assert site.told().frees_nothing_since_us is None
    for _ in range(10):
        site.add("c", long_us=60_000_000)
        site.clean(61)
    assert site.told().frees_nothing_since_us is not None
    written = 10
    # It works ahead of what is written: at most by what it keeps free besides.
    assert written <= len(site.deletions()) - 10 <= written + site.disk.total // 10 // GB
    # Somebody empties the recycle bin.
    site.disk.keeps_back, site.disk.kept_back = False, 0
    deleted = len(site.deletions())
    for _ in range(3):
        site.clean(61)
    assert site.told().frees_nothing_since_us is None
    assert len(site.deletions()) == deleted


def test_disk_that_another_program_filled_meanwhile_does_not_stay_full(site: Site) -> None:
    site.wants({"c": 60})
    for hours in range(2, 202):
        site.add("c", hours * HOUR_US)
    site.clean(4000)
    keep = volume.keep_free(site.disk.total)
    site.disk.others = site.disk.total - keep - 200 * GB + 10 * GB
    site.clean(61)
    assert len(site.deletions()) == 10
    # It takes all that was just made.
    site.disk.others += 10 * GB
    site.clean(61)
    assert len(site.deletions()) == 10
    site.clean(61)
    for _ in range(4):
        site.clean(300)
    assert site.disk.free >= keep
    assert site.told().young_since_us is None


def test_free_space_that_comes_late_is_not_deleted_twice(site: Site) -> None:
    site.wants({"c": 60})
    for hours in range(2, 102):
        site.add("c", hours * HOUR_US)
    site.clean(4000)
    site.disk.keeps_back = True
    site.disk.others = site.disk.total - volume.keep_free(site.disk.total) - 100 * GB + 10 * GB
    site.clean(20)
    site.clean(20)
    site.clean(40)
    site.disk.keeps_back, site.disk.kept_back = False, 0
    for _ in range(5):
        site.clean(61)
    assert len(site.deletions()) == 10
    assert site.told().frees_nothing_since_us is None


# Quota ----------------------------------------------------------------------------------------------------------------


def test_quota_is_its_facilitys_own(site: Site) -> None:
    site.wants({"a": 60, "b": 60, "c": 60}, f1=rules(60, quota=10 * GB), f2=rules(60))
    first = [site.add("ab"[age % 2], age * DAY_US) for age in range(1, 15)]
    others = [site.add("c", age * DAY_US, facility="f2") for age in range(1, 30)]
    site.clean(4000)
    assert [path.exists() for path in first] == [True] * 10 + [False] * 4
    assert site.deletions() == [(path.name, "quota") for path in first[:-5:-1]]
    assert all(path.exists() for path in others)
    assert site.index.footage("f1")[0] <= 10 * GB


def test_quota_counts_what_is_being_written(site: Site) -> None:
    site.wants({"a": 60}, f1=rules(60, quota=10 * GB))
    closed = [site.add("a", age * DAY_US) for age in range(1, 11)]
    site.clean(4000)
    assert not site.deletions()
    site.busy = {site.number(site.add("a", opened=True)): GB}
    site.clean()
    assert [path.exists() for path in closed] == [True] * 9 + [False]


def test_quota_that_only_young_footage_is_over_is_told(site: Site) -> None:
    site.wants({"a": 60}, f1=rules(60, quota=GB, least_us=5 * DAY_US), f2=rules(60))
    paths = [site.add("a", age * DAY_US) for age in (1, 2, 3)]
    site.clean()
    assert all(path.exists() for path in paths)
    assert site.told().over_quota == {"f1"}
    assert site.told().young_since_us is None


# Holds ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["days", "space", "quota"])
def test_what_a_hold_touches_is_never_deleted(site: Site, why: str) -> None:
    site.wants({"c": 1 if why == "days" else 60, "d": 60}, f1=rules(60, quota=1 if why == "quota" else 0))
    starts = [10 * DAY_US - minute * MINUTE_US for minute in range(10)]
    paths = [site.add("c", age) for age in starts]
    other = site.add("d", 9 * DAY_US)
    begin = site.now_us - starts[0]
    # From the middle of the fourth to the end of the sixth minute, and not a microsecond of the seventh.
    site.hold("c", begin + 3 * MINUTE_US + 30_000_000, begin + 6 * MINUTE_US)
    if why == "space":
        site.disk.others = site.disk.total
    site.clean()
    assert [path.exists() for path in paths] == [3 <= minute < 6 for minute in range(10)]
    assert {reason for _, reason in site.deletions()} == {why}
    assert other.exists() == (why == "days")
    # The journal claims nothing of what is still there.
    held = begin + 3 * MINUTE_US, begin + 6 * MINUTE_US
    assert all(
        entry["end"] <= held[0] or entry["start"] >= held[1] for entry in site.journal() if entry["camera"] == "c"
    )
    site.release()
    site.clean()
    assert not any(path.exists() for path in paths)


def test_hold_placed_between_choosing_and_deleting_counts(site: Site) -> None:
    site.wants({"c": 1})
    paths = [site.add("c", 3 * DAY_US - minute * MINUTE_US) for minute in range(5)]
    site.clock.now += 700
    while not site.journal():
        site.turn()
    assert all(path.exists() for path in paths)
    site.hold("c", 0, 1 << 60)
    site.clean()
    assert all(path.exists() for path in paths)
    assert not site.deletions()


# Rows that are odd ----------------------------------------------------------------------------------------------------


def test_what_is_being_written_or_repaired_is_never_deleted(site: Site) -> None:
    site.wants({"c": 1})
    path = site.add("c", 40 * DAY_US, opened=True)
    site.busy = {site.number(path): 1000}
    site.disk.others = site.disk.total
    site.clean()
    assert path.exists()
    # What nobody writes to is footage like any other.
    site.busy = {}
    site.clean()
    assert not path.exists()
    assert site.deletions() == [(path.name, "days")]


def test_what_was_left_open_is_as_old_as_it_can_be_long(site: Site) -> None:
    site.wants({"c": 1})
    old, young = (
        site.add("c", DAY_US + 80 * MINUTE_US, opened=True),
        site.add("c", DAY_US + 30 * MINUTE_US, opened=True),
    )
    held = site.add("c", DAY_US + 90 * MINUTE_US, opened=True)
    site.hold("c", site.now_us - DAY_US - 81 * MINUTE_US - 1, site.now_us - DAY_US - 81 * MINUTE_US)
    site.clean()
    assert (old.exists(), young.exists(), held.exists()) == (False, True, True)


def test_footage_of_no_length_goes_too(site: Site) -> None:
    site.wants({"c": 1})
    path = site.add("c", 2 * DAY_US, long_us=0)
    held = site.add("c", 3 * DAY_US, long_us=0)
    site.hold("c", site.now_us - 3 * DAY_US, site.now_us - 3 * DAY_US + 1)
    site.clean()
    assert not path.exists()
    assert held.exists()


def test_footage_from_the_future_is_as_old_as_its_discovery(site: Site) -> None:
    site.wants({"c": 7})
    year = site.add("c", -365 * DAY_US)
    held = site.add("c", -366 * DAY_US)
    site.hold("c", site.now_us + 366 * DAY_US, site.now_us + 366 * DAY_US + 1)
    site.clean()
    assert year.exists()
    site.clean(6 * 86_400)
    # Written later, while the clock was wrong once more.
    second = site.add("c", -370 * DAY_US)
    site.clean()
    assert year.exists()
    site.clean(86_400)
    assert not year.exists()
    assert second.exists()
    assert site.deletions() == [(year.name, "days")]
    site.clean(7 * 86_400)
    assert not second.exists()
    assert held.exists()
    site.release()
    site.clean()
    assert not held.exists()
    site.clean()
    assert site.index.query("SELECT value FROM meta WHERE key = 'future'") == [("[]",)]


def test_footage_from_the_future_gives_room_last(site: Site) -> None:
    site.wants({"c": 60})
    future, past = site.add("c", -365 * DAY_US), site.add("c", 90 * MINUTE_US)
    site.disk.others = site.disk.total
    site.clean()
    assert (future.exists(), past.exists()) == (True, False)
    site.clean(4000)
    assert not future.exists()


@pytest.mark.parametrize("total", [64 << 20, 10 << 30, 100 << 30, 4 << 40])
def test_space_kept_free_is_above_where_recording_pauses(total: int) -> None:
    assert volume.keep_free(total) > min(volume.FULL_BYTES, total // 20)
    assert volume.keep_free(total) <= max(total // 10, 5 << 30)
