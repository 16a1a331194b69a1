"""A volume that has room but takes no more files: the oldest footage goes in time, with the same care as for bytes."""

from collections.abc import Iterator
import os
from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.api import VolumeCause, VolumeState
from custom_components.facility_cameras.engine.archive import volume
from custom_components.facility_cameras.engine.archive.files import Files
from custom_components.facility_cameras.engine.archive.retention import HOUR_US
from tests.engine.cleaning import DAY_US, GB, Site, rules, site_in
from tests.engine.living import mark

MANY = 1_000_000


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        site.wants({"c": 60})
        yield site


def left(site: Site, files: int) -> None:
    """So many more files than are kept free may be made."""
    site.disk.most_files, site.disk.other_files = MANY, 0
    site.disk.other_files = site.disk.free_files - volume.keep_files(MANY) - files


def test_the_oldest_go_and_no_more_than_lack(site: Site) -> None:
    paths = [site.add("c", hours * HOUR_US) for hours in range(2, 42)]
    left(site, -3)
    site.clean(4000)
    assert [path.exists() for path in paths] == [True] * 37 + [False] * 3
    assert site.deletions() == [(path.name, "space") for path in paths[:-4:-1]]
    assert sum(entry["files"] for entry in site.journal()) == 3
    for _ in range(5):
        site.clean(61)
    assert len(site.deletions()) == 3


def test_more_lack_than_are_deleted_in_one_lot(site: Site) -> None:
    for minutes in range(350):
        site.add("c", 2 * HOUR_US + minutes * 60_000_000)
    left(site, -250)
    site.clean(4000)
    assert len(site.deletions()) == 250


def test_places_are_made_before_they_are_needed(site: Site) -> None:
    for minutes in range(700):
        site.add("c", 2 * HOUR_US + minutes * 60_000_000)
    site.clean(4000)
    left(site, 20)
    least = site.disk.free_files
    for _ in range(300):
        # A file in 2 s.
        for _ in range(5):
            site.add("c", 10_000_000, long_us=2_000_000)
        least = min(least, site.disk.free_files)
        site.clean(10)
    assert least >= volume.keep_files(MANY)
    assert {reason for _, reason in site.deletions()} == {"space"}
    # No more than what was made, and what is made ahead.
    assert len(site.deletions()) <= 1500 - 20 + 0.5 * 800


def test_what_makes_room_for_bytes_makes_places_too(site: Site) -> None:
    for hours in range(2, 42):
        site.add("c", hours * HOUR_US)
    left(site, -3)
    site.disk.others = site.disk.free - volume.keep_free(site.disk.total) + 5 * GB
    site.clean(4000)
    assert len(site.deletions()) == 5


def test_what_is_held_or_young_stays_and_that_is_told(site: Site) -> None:
    site.wants({"c": 60, "d": 60}, f1=rules(60, least_us=5 * DAY_US))
    paths = [site.add("c", age * DAY_US) for age in (2, 4, 6, 8)]
    site.hold("c", site.now_us - 8 * DAY_US, site.now_us - 8 * DAY_US + 1)
    left(site, -100)
    site.clean(4000)
    assert [path.exists() for path in paths] == [True, True, False, True]
    assert site.told().young_since_us == site.now_us
    left(site, 100)
    site.clean(61)
    assert site.told().young_since_us is None


def test_deleting_that_makes_no_places_is_told_and_stays_within_the_estimate(site: Site) -> None:
    for minutes in range(900):
        site.add("c", 2 * HOUR_US + minutes * 60_000_000)
    site.clean(4000)
    site.disk.keeps_back = True
    left(site, -150)
    for _ in range(10):
        site.clean(61)
    assert len(site.deletions()) == 150
    for _ in range(10):
        for _ in range(10):
            site.add("c", long_us=6_000_000)
        site.clean(61)
    assert site.told().frees_nothing_since_us is not None
    assert len(site.deletions()) <= 150 + 100 + 200
    site.disk.keeps_back, site.disk.kept_back_files = False, 0
    for _ in range(3):
        site.clean(61)
    assert site.told().frees_nothing_since_us is None


def test_file_system_without_a_table_has_no_such_bound(site: Site) -> None:
    paths = [site.add("c", hours * HOUR_US) for hours in range(2, 42)]
    for _ in range(20):
        site.add("c", long_us=1)
    # Between two looks less than nothing is left.
    site.cleaner.places.written(1000, site.clock.now)
    site.clean(4000)
    assert all(path.exists() for path in paths)
    assert site.told().young_since_us is None


def test_days_possible_are_those_of_the_files_that_may_be_made(site: Site) -> None:
    site.wants({"a": 30, "b": 30})
    for camera in ("a", "b"):
        for hour in range(24):
            site.add(camera, (hour + 1) * HOUR_US, GB // 10, long_us=50 * 60_000_000)
    # 48 files a day.
    left(site, 48 * 20)
    site.clean()
    told = site.cleaner.outlook["f1"]
    assert told.possible == pytest.approx(21, rel=0.02)
    assert told.short
    left(site, 48 * 40)
    site.clean(61)
    assert not site.cleaner.outlook["f1"].short


# What is told of the volume -------------------------------------------------------------------------------------------


class _Table(Files):
    """A volume with much room and a table of files."""

    def __init__(self, files: int, free: int) -> None:
        self._files = files, free

    def space(self, path: Path) -> os.statvfs_result:
        found = list(super().space(path))
        found[2] = found[3] = found[4] = 1 << 30
        found[5], found[6], found[7] = self._files[0], self._files[1], self._files[1]
        return os.statvfs_result(found)


@pytest.mark.parametrize(
    ("files", "free", "state", "cause"),
    [
        (0, 0, VolumeState.OK, VolumeCause.NONE),
        (MANY, 0, VolumeState.FULL, VolumeCause.NO_INODES),
        (MANY, volume.KEEP_FILES - 1, VolumeState.LOW, VolumeCause.NO_INODES),
        (MANY, volume.KEEP_FILES, VolumeState.OK, VolumeCause.NONE),
        (1000, 99, VolumeState.LOW, VolumeCause.NO_INODES),
        (1000, 100, VolumeState.OK, VolumeCause.NONE),
    ],
)
def test_what_a_look_finds(tmp_path: Path, files: int, free: int, state: VolumeState, cause: VolumeCause) -> None:
    mark(tmp_path)
    found = volume.look(tmp_path, "A1", files=_Table(files, free))
    assert (found.state, found.cause, found.files, found.free_files) == (state, cause, files, free)
