"""Retention: by days and by space, oldest first, never the newest hour, each deletion with its reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.archive import deletions, retention, volume
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.index import Index
from tests.engine.archives import DAY_US, MINUTE_US, NOW_US, HandClock, archive_in, ask, footage
from tests.engine.living import wait_for


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "index.sqlite3")
    yield index
    index.close()


def by_days(index: Index, root: Path, now_us: int = NOW_US) -> int:
    deleted = 0
    while step := retention.delete_by_days(index, root, now_us):
        deleted += step
    return deleted


def test_days_are_each_cameras_own(tmp_path: Path, index: Index) -> None:
    ages = [0, 1, 6, 8, 29, 31]
    paths = {(c, age): footage(tmp_path, index, c, NOW_US - age * DAY_US) for c in ("week", "month") for age in ages}
    index.keep_days({"week": 7, "month": 30, "unknown": 1})
    assert by_days(index, tmp_path) == 4
    gone = {key for key, path in paths.items() if not path.exists()}
    assert gone == {("week", 8), ("week", 29), ("week", 31), ("month", 31)}
    gone_by_index = deletions.known(index)
    assert {(one.camera, one.reason) for one in gone_by_index} == {("week", "days"), ("month", "days")}
    assert sum(one.files for one in gone_by_index) == 4
    assert index.footage("f1") == (8000, NOW_US - 29 * DAY_US)
    assert by_days(index, tmp_path) == 0


def test_days_outlive_their_camera(tmp_path: Path, index: Index) -> None:
    path = footage(tmp_path, index, "removed", NOW_US - 6 * DAY_US)
    index.keep_days({"removed": 7})
    index.keep_days({"another": 30})
    assert by_days(index, tmp_path) == 0
    assert by_days(index, tmp_path, NOW_US + 2 * DAY_US) == 1
    assert not path.exists()


def test_camera_whose_days_nobody_knows_is_kept_as_long_as_any(tmp_path: Path, index: Index) -> None:
    path = footage(tmp_path, index, "removed at once", NOW_US - 20 * DAY_US)
    assert by_days(index, tmp_path) == 0
    footage(tmp_path, index, "week", NOW_US)
    footage(tmp_path, index, "month", NOW_US)
    index.keep_days({"week": 7, "month": 30})
    assert by_days(index, tmp_path) == 0
    assert by_days(index, tmp_path, NOW_US + 11 * DAY_US) >= 1
    assert not path.exists()


def test_nothing_younger_than_an_hour(tmp_path: Path, index: Index) -> None:
    young = [footage(tmp_path, index, "c", NOW_US - minutes * MINUTE_US) for minutes in (5, 30, 60)]
    old = footage(tmp_path, index, "c", NOW_US - 62 * MINUTE_US)
    index.keep_days({"c": 0})
    assert retention.delete_for_space(index, tmp_path, 1 << 40, NOW_US) == 1000
    assert by_days(index, tmp_path) == 0
    assert all(path.exists() for path in young)
    assert not old.exists()


def test_space_takes_the_oldest_of_all_cameras_and_no_more_than_wanted(tmp_path: Path, index: Index) -> None:
    paths = [footage(tmp_path, index, f"c{age % 3}", NOW_US - age * DAY_US) for age in range(1, 41)]
    assert retention.delete_for_space(index, tmp_path, 2500, NOW_US) == 3000
    assert [path.exists() for path in paths] == [True] * 37 + [False] * 3
    # Small steps.
    assert retention.delete_for_space(index, tmp_path, 1 << 40, NOW_US) == 1000 * retention.STEP
    assert {one.reason for one in deletions.known(index)} == {"space"}
    assert index.footage("f1")[0] == 1000 * (37 - retention.STEP)


def test_what_is_being_written_is_never_deleted(tmp_path: Path, index: Index) -> None:
    index.camera_folder("c", "f1", "f/c")
    index.open_segment("c", "run", "h264", b"init", NOW_US - 40 * DAY_US, "day/x.mp4")
    index.keep_days({"c": 1})
    assert by_days(index, tmp_path) == 0
    assert retention.delete_for_space(index, tmp_path, 1000, NOW_US) == 0


def test_file_that_cannot_be_deleted_holds_up_no_other(tmp_path: Path, index: Index) -> None:
    stubborn = footage(tmp_path, index, "c", NOW_US - 40 * DAY_US)
    stubborn.unlink()
    stubborn.mkdir()
    other = footage(tmp_path, index, "c", NOW_US - 39 * DAY_US)
    index.keep_days({"c": 7})
    assert by_days(index, tmp_path) == 1
    assert not other.exists()
    assert sum(one.files for one in deletions.known(index)) == 1


def test_file_that_is_gone_already_is_logged_too(tmp_path: Path, index: Index) -> None:
    footage(tmp_path, index, "c", NOW_US - 40 * DAY_US).unlink()
    index.keep_days({"c": 7})
    assert by_days(index, tmp_path) == 1
    assert sum(one.files for one in deletions.known(index)) == 1


def test_archive_deletes_by_itself_as_time_goes_on(tmp_path: Path) -> None:
    root, clock = tmp_path / "archive", HandClock()
    root.mkdir()
    index = Index(root / "index.sqlite3")
    paths = [footage(root, index, "c", NOW_US - hours * 3_600_000_000) for hours in range(24 * 7 - 2, 0, -1)]
    index.close()
    with archive_in(root, clock) as archive:
        archive.days = {"c": 7}
        wait_for(lambda: archive.volume.writable)
        clock.now += 61
        wait_for(lambda: archive.index is not None and archive.index.days() == [("c", 7)])
        assert all(path.exists() for path in paths)
        # The camera is removed; two days go by.
        archive.days = {}
        clock.now += 2 * 86_400
        wait_for(lambda: not any(path.exists() for path in paths[:47]))
        clock.now += 61
        wait_for(lambda: archive.index is not None and archive.index.footage("f1")[0] <= 119_000)
    assert sum(path.exists() for path in paths) == len(ask(root, "SELECT 1 FROM segment"))
    ((deleted,),) = ask(root, "SELECT sum(files) FROM deletion")
    assert int(str(deleted)) + len(ask(root, "SELECT 1 FROM segment")) == len(paths)


def retained(archive: Archive, clock: HandClock) -> None:
    """A minute goes by, and retention runs once more."""
    due = archive._retain_at
    clock.now += 61
    wait_for(lambda: archive._retain_at > due, 5)


def test_clock_that_steps_by_a_year_and_back_deletes_nothing(tmp_path: Path) -> None:
    root, clock = tmp_path / "archive", HandClock()
    root.mkdir()
    index = Index(root / "index.sqlite3")
    path = footage(root, index, "c", NOW_US - DAY_US)
    old = footage(root, index, "c", NOW_US - 8 * DAY_US)
    index.close()
    with archive_in(root, clock) as archive:
        archive.days = {"c": 7}
        wait_for(lambda: archive.volume.writable)
        for year in (365, 0, -365):
            clock.offset += year * 86_400
            retained(archive, clock)
        assert old.exists()
        clock.now += 700
        wait_for(lambda: not old.exists(), 5)
        assert path.exists()


@pytest.mark.parametrize("total", [64 << 20, 10 << 30, 100 << 30, 4 << 40])
def test_space_kept_free_is_above_where_recording_pauses(total: int) -> None:
    assert volume.keep_free(total) > min(volume.FULL_BYTES, total // 20)
    assert volume.keep_free(total) <= max(total // 10, 5 << 30)
