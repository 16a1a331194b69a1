"""An index that is lost, old, newer, broken or taken away: recording goes on, and nothing is deleted unseen."""

import contextlib
from pathlib import Path
import shutil
import sqlite3
import threading

import pytest

from custom_components.facility_cameras.engine.archive import deletions, journal, opening
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.index import Index, deletions_of
from custom_components.facility_cameras.engine.archive.opening import INDEX, close_index, open_index
from tests.engine.archives import (
    DAY_US,
    MINUTE_US,
    NOW_US,
    HandClock,
    archive_in,
    ask,
    ask_open,
    begin,
    footage,
    landed,
    put,
    written,
)
from tests.engine.living import wait_for
from tests.engine.test_schema import SCHEMA_2


def trusted(archive: Archive) -> bool:
    return archive.index is not None and archive.index.surveyed


def record(archive: Archive, count: int, after_us: int = 0) -> None:
    for number in range(count):
        start_us = NOW_US + after_us + number * 3_000_000
        written(archive, start_us).close(start_us, start_us + 2_000_000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An archive with five files and a good index, not held by anybody."""
    root = tmp_path / "archive"
    with archive_in(root) as archive:
        wait_for(lambda: trusted(archive))
        record(archive, 5)
    return root


def test_index_of_an_engine_that_left_is_trusted(root: Path) -> None:
    index = open_index(root, NOW_US)
    assert index.surveyed
    # As a kill leaves it: opened, and not closed in order.
    index.close()
    index = open_index(root, NOW_US)
    assert not index.surveyed
    # One that was not looked at again is not trusted by closing it.
    close_index(index, root)
    index = open_index(root, NOW_US)
    assert not index.surveyed
    index.surveyed = True
    close_index(index, root)
    index = open_index(root, NOW_US)
    assert index.surveyed
    index.close()


@pytest.mark.parametrize("entry", [{"what": "hold", "hold": "h"}, {"what": "delete", "camera": "c1"}])
def test_old_copy_of_the_index_is_not_trusted(root: Path, tmp_path: Path, entry: dict[str, object]) -> None:
    """Promise I3: somebody puts a copy back that knows nothing of what was held or deleted since."""
    shutil.copy(root / INDEX, tmp_path / "copy")
    index = open_index(root, NOW_US)
    journal.append(root, NOW_US, [entry])
    close_index(index, root)
    shutil.copy(tmp_path / "copy", root / INDEX)
    index = open_index(root, NOW_US)
    assert not index.surveyed
    index.close()


def test_lost_index_comes_back(root: Path) -> None:
    """Promise I1."""
    before = ask(root, "SELECT bytes, hex(sha256), pictures, fragments FROM segment ORDER BY path")
    for path in root.glob(f"{INDEX}*"):
        path.unlink()
    with archive_in(root) as archive:
        wait_for(lambda: ask_open(archive, "SELECT count(*) FROM segment WHERE sha256 NOT NULL") == [(5,)], 5)
        assert ask_open(archive, "SELECT bytes, hex(sha256), pictures, fragments FROM segment ORDER BY path") == before
        # The camera is known, by the journal, without a hub that names it.
        assert ask_open(archive, "SELECT uid, facility, folder FROM camera") == [("c1", "f1", "facility/c1")]


def test_what_is_held_is_held_at_once(root: Path) -> None:
    """Promise I3: not only when the journal is read behind."""
    journal.append(root, NOW_US, [{"what": "hold", "hold": "h1", "camera": "c1", "start": NOW_US, "end": NOW_US + 5}])
    (root / INDEX).unlink()
    index = open_index(root, NOW_US)
    assert index.query("SELECT uid FROM hold") == [("h1",)]
    assert index.camera_folder("c1", "f1", "facility/renamed") == "facility/c1"
    index.close()


def test_nothing_is_deleted_before_the_files_were_looked_at(root: Path) -> None:
    """Promise I3: the look is held up, and cleaning is due again and again meanwhile."""
    clock = HandClock()
    index = Index(root / INDEX)
    old = footage(root, index, "c9", NOW_US - 40 * DAY_US)
    index.close()
    with archive_in(root, clock) as archive:
        wait_for(lambda: trusted(archive))
        opened = archive.index
        assert opened is not None
        opened.surveyed = False
        archive.cleaner.days = {"c9": 7}
        for _ in range(20):
            clock.now += 61
            turn = threading.Event()
            archive.submit(None, 0, turn.set)
            assert turn.wait(5)
        assert old.exists()
        opened.surveyed = True
        clock.now += 61
        wait_for(lambda: not old.exists(), 5)


def test_holds_deletions_and_duty_come_back_from_the_journal(root: Path) -> None:
    """Promise I1: what the files cannot tell."""
    at = NOW_US - DAY_US
    journal.append(
        root,
        NOW_US,
        [
            {"what": "hold", "hold": "h1", "camera": "c1", "start": at, "end": at + 5, "reason": "theft", "who": "An"},
            {"what": "hold", "hold": "h2", "camera": "c1", "start": at, "end": at + 9, "reason": "fire", "who": "An"},
            {"what": "release", "hold": "h1", "who": "Bình"},
            {"what": "delete", "camera": "c1", "start": at, "end": at + MINUTE_US, "files": 1, "bytes": 7, "reason": "days"},
            {"what": "delete", "camera": "c1", "start": at + MINUTE_US, "end": at + 2 * MINUTE_US, "files": 2, "bytes": 8, "reason": "days"},
            {"what": "duty", "camera": "c1", "start": at, "kind": "off", "reason": ""},
            {"what": "duty", "camera": "c1", "start": at + 4, "kind": "record", "reason": ""},
            {"what": "camera", "camera": "c2", "facility": "f2", "folder": "facility/c1"},
            {"what": "hold", "hold": 5},
            {"what": "duty"},
            {"what": "delete"},
            {"what": "new kind"},
        ],
    )  # fmt: skip

    def told() -> tuple[object, ...]:
        return (
            ask(
                root,
                "SELECT uid, camera, start_us, end_us, reason, who, at_us, released_us, released_by FROM hold ORDER BY uid",
            ),
            ask(root, "SELECT camera, start_us, end_us, files, bytes, reason, at_us FROM deletion"),
            ask(root, "SELECT camera, start_us, end_us, kind, reason FROM duty ORDER BY start_us"),
            ask(root, "SELECT uid, facility, folder FROM camera"),
        )

    # As an old copy, which is not trusted; then without any.
    for lost in (False, True):
        if lost:
            (root / INDEX).unlink()
        with archive_in(root) as archive:
            wait_for(lambda: trusted(archive))
        assert told() == (
            [
                ("h1", "c1", at, at + 5, "theft", "An", NOW_US, NOW_US, "Bình"),
                ("h2", "c1", at, at + 9, "fire", "An", NOW_US, None, None),
            ],
            [("c1", at, at + 2 * MINUTE_US, 3, 15, "days", NOW_US)],
            # An index that is there takes these when its cameras are told of (test_duty.py).
            [("c1", at, at + 4, "off", ""), ("c1", at + 4, 0, "record", "")] if lost else [],
            [("c1", "f1", "facility/c1")],
        )


def test_archive_of_before_the_journal_gets_one(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    root.mkdir()
    with contextlib.closing(sqlite3.connect(root / INDEX)) as connection:
        connection.executescript(SCHEMA_2)
        connection.execute("INSERT INTO camera VALUES (1, 'c1', 'f1', 'f/c1', 30, 0)")
        connection.execute("INSERT INTO deletion VALUES (1, 'c1', 'x', 5, 9, 7, 'to keep space free', 11)")
        connection.commit()
    with archive_in(root) as archive:
        wait_for(lambda: trusted(archive))
    (root / INDEX).unlink()
    with archive_in(root) as archive:
        wait_for(lambda: trusted(archive))
    assert ask(root, "SELECT uid, facility, folder FROM camera") == [("c1", "f1", "f/c1")]
    assert ask(root, "SELECT camera, start_us, end_us, bytes, reason FROM deletion") == [("c1", 5, 9, 7, "space")]


def test_newer_index_is_set_aside_and_taken_back(root: Path) -> None:
    """The engine is exchanged for an older one, records, and is exchanged back."""
    before = ask(root, "SELECT id, hex(sha256) FROM segment WHERE state = 1 ORDER BY id")
    # What an older engine does, whose schema is 2: it sets ours aside by its schema, and makes its own.
    (root / INDEX).rename(root / "index.schema-3.sqlite3")
    with contextlib.closing(sqlite3.connect(root / INDEX)) as connection:
        connection.executescript(SCHEMA_2)
    recorded = next(root.rglob("*.mp4")).read_bytes()
    (root / "facility" / "c1" / "2026-11-25" / "by the older one.mp4").write_bytes(recorded)
    with archive_in(root) as archive:
        wait_for(lambda: ask_open(archive, "SELECT count(*) FROM segment WHERE sha256 NOT NULL") == [(6,)], 5)
        record(archive, 1, MINUTE_US)
    assert ask(root, "SELECT id, hex(sha256) FROM segment WHERE state = 1 ORDER BY id")[:5] == before
    assert ask(root, "SELECT count(*) FROM segment") == [(7,)]
    assert (root / "index.schema-2.sqlite3").exists()
    assert not (root / "index.schema-3.sqlite3").exists()


def test_set_aside_twice_does_not_mix_two_logs(root: Path) -> None:
    for content in ("first", "second"):
        index = Index(root / INDEX)
        index.keep_value("is", content)
        # Killed: its log of writes stays.
        shutil.copytree(root, root.parent / content)
        index.close()
    for name in ("first", "second"):
        shutil.copy(root.parent / name / INDEX, root / INDEX)
        shutil.copy(root.parent / name / f"{INDEX}-wal", root / f"{INDEX}-wal")
        opening.rename_index(root, INDEX, "aside.sqlite3")
    index = Index(root / "aside.sqlite3")
    assert index.value("is") == "second"
    index.close()


def test_few_broken_ones_are_kept(root: Path) -> None:
    for number in range(6):
        (root / INDEX).write_bytes(b"broken" * 1000 + bytes((number,)))
        (root / f"{INDEX}-wal").unlink(missing_ok=True)
        open_index(root, NOW_US + number * 1_000_000).close()
    kept = sorted(root.glob("index.broken-*.sqlite3"))
    assert [path.read_bytes()[-1] for path in kept] == [3, 4, 5]


def test_index_taken_away_while_the_engine_runs(root: Path) -> None:
    clock = HandClock()
    with archive_in(root, clock) as archive:
        wait_for(lambda: trusted(archive))
        recording = begin(archive, start_us=NOW_US + MINUTE_US)
        put(recording)
        landed(recording)
        (root / INDEX).unlink()
        clock.now += 6
        wait_for((root / INDEX).exists, 5)
        recording.close(NOW_US + MINUTE_US, NOW_US + MINUTE_US + 2_000_000)
        wait_for(lambda: trusted(archive), 5)
        record(archive, 1, 2 * MINUTE_US)
        wait_for(lambda: ask_open(archive, "SELECT count(*) FROM segment WHERE sha256 NOT NULL") == [(7,)], 5)
    assert len(list(root.rglob("*.mp4"))) == 7
    assert ask(root, "SELECT count(*) FROM segment WHERE state > 0") == [(7,)]


def test_kill_between_file_and_row_of_retention_keeps_the_reason(root: Path) -> None:
    """Promise I3: journal, then file, then row."""
    index = Index(root / INDEX)
    path = footage(root, index, "c1", NOW_US - 40 * DAY_US)
    journal.append(root, NOW_US, deletions.entries(deletions_of(index.oldest("c1", NOW_US, 1), "space", NOW_US)))
    path.unlink()
    index.close()
    with archive_in(root) as archive:
        wait_for(lambda: trusted(archive))
        wait_for(lambda: ask_open(archive, "SELECT count(*) FROM deletion") == [(1,)], 5)
    assert ask(root, "SELECT reason, files FROM deletion") == [("space", 1)]


@pytest.mark.parametrize("step", [3600, -3600, 365 * 86_400, -365 * 86_400])
def test_clock_that_steps_between_writes(root: Path, step: int) -> None:
    clock = HandClock()
    with archive_in(root, clock) as archive:
        wait_for(lambda: trusted(archive))
        record(archive, 1, MINUTE_US)
        clock.offset += step
        record(archive, 2, step * 1_000_000 + 2 * MINUTE_US)
        clock.now += 700
    with archive_in(root, clock) as archive:
        wait_for(lambda: trusted(archive))
        findings = archive.findings
    assert findings is not None
    assert findings.counts == {}
    assert len(list(root.rglob("*.mp4"))) == 8
    assert ask(root, "SELECT count(*) FROM segment WHERE state = 1") == [(8,)]
    assert ask(root, "SELECT count(*) FROM deletion") == [(0,)]
