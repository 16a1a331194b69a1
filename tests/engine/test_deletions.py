"""What was deleted is kept as ranges that grow, in the index and in the journal."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.archive import deletions, journal, repair
from custom_components.facility_cameras.engine.archive.deletions import Deletion
from custom_components.facility_cameras.engine.archive.index import Index
from tests.engine.archives import MINUTE_US, NOW_US, footage


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "index.sqlite3")
    yield index
    index.close()


def test_files_that_follow_each_other_are_one_row(tmp_path: Path, index: Index) -> None:
    for number in range(40):
        for camera in ("a", "b"):
            footage(tmp_path, index, camera, NOW_US + number * MINUTE_US + (number >= 30) * 1_000_001)
    while rows := [row for camera in "ab" for row in index.oldest(camera, NOW_US + 100 * MINUTE_US, 7)]:
        index.remove(rows, "days", NOW_US)
    later_us = NOW_US + 30 * MINUTE_US + 1_000_001
    assert [(one.camera, one.start_us, one.end_us, one.files, one.size) for one in index.deletions()] == [
        ("a", NOW_US, NOW_US + 30 * MINUTE_US, 30, 30_000),
        ("b", NOW_US, NOW_US + 30 * MINUTE_US, 30, 30_000),
        ("a", later_us, later_us + 10 * MINUTE_US, 10, 10_000),
        ("b", later_us, later_us + 10 * MINUTE_US, 10, 10_000),
    ]
    assert index.query("SELECT count(*) FROM segment") == [(0,)]
    assert index.query("SELECT count(*) FROM run") == [(0,)]
    assert index.footage("f1") == (0, None)


def test_another_reason_is_another_row(tmp_path: Path, index: Index) -> None:
    for number, reason in enumerate(("days", "space", "days", "lost")):
        footage(tmp_path, index, "a", NOW_US + number * MINUTE_US)
        index.remove(index.oldest("a", NOW_US + 100 * MINUTE_US, 1), reason, NOW_US + number)
    assert [(one.reason, one.files) for one in index.deletions()] == [
        ("days", 1),
        ("space", 1),
        ("days", 1),
        ("lost", 1),
    ]


def test_no_row_goes_without_its_deletion(tmp_path: Path, index: Index) -> None:
    """Promise I3: both or neither."""
    footage(tmp_path, index, "a", NOW_US)
    rows = index.oldest("a", NOW_US + MINUTE_US * 2, 10)
    index._connection.execute("CREATE TRIGGER t BEFORE DELETE ON segment BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(Exception, match="no"):
        index.remove(rows, "days", NOW_US)
    assert index.deletions() == []
    index._connection.execute("DROP TRIGGER t")
    index._connection.execute("CREATE TRIGGER t BEFORE INSERT ON deletion BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(Exception, match="no"):
        index.remove(rows, "days", NOW_US)
    assert index.query("SELECT count(*) FROM segment") == [(1,)]


def test_what_is_told_twice_counts_once(tmp_path: Path, index: Index) -> None:
    """A kill in the middle of deleting has the rest told again; so does taking in the journal."""
    small, other = Deletion("a", 10, 20, 1, 5, "days", 7), Deletion("a", 30, 40, 1, 5, "days", 8)
    both = Deletion("a", 10, 40, 2, 10, "days", 8)
    assert deletions.merged([small, other, small, both]) == [both]
    assert deletions.merged([both, small]) == [both]
    for told in ([small], [both], [small], [both], [other]):
        with index.transaction() as connection:
            deletions.enter(connection, told)
    assert index.deletions() == [both]


def test_row_that_is_gone_already_is_not_deleted_again(tmp_path: Path, index: Index) -> None:
    footage(tmp_path, index, "a", NOW_US)
    rows = index.oldest("a", NOW_US + MINUTE_US * 2, 10)
    for reason in ("days", "lost"):
        index.remove(rows, reason, NOW_US)
    assert [one.reason for one in index.deletions()] == ["days"]


def test_journal_tells_the_same(tmp_path: Path, index: Index) -> None:
    for number in range(3):
        footage(tmp_path, index, "a", NOW_US + number * MINUTE_US)
    repair.lose(index, tmp_path, index.oldest("a", NOW_US + 100 * MINUTE_US, 10), NOW_US + 5)
    told = [deletions.from_entry(entry) for entry in journal.read(tmp_path)]
    assert told == [Deletion("a", NOW_US, NOW_US + 3 * MINUTE_US, 3, 3000, "lost", NOW_US + 5)]
    assert told == index.deletions()
    assert deletions.from_entry({"what": "duty", "camera": "a", "at": 1}) is None
    assert deletions.from_entry({"what": "delete", "camera": 7, "at": 1}) is None
