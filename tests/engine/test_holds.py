"""Holds: what is protected stays, whatever crashes or is lost in between, until it is released."""

from collections.abc import Iterator
from pathlib import Path
import threading
from typing import Any

import pytest

from custom_components.facility_cameras.engine.archive import holds, journal
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.holds import Hold, HoldError
from custom_components.facility_cameras.engine.archive.index import Index
from custom_components.facility_cameras.engine.archive.opening import INDEX
from tests.engine.archives import DAY_US, MINUTE_US, NOW_US, HandClock, archive_in, ask, footage
from tests.engine.cleaning import retained, swept
from tests.engine.living import wait_for

OLD_US = NOW_US - 40 * DAY_US


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / INDEX)
    yield index
    index.close()


def made(camera: str, start_us: int, end_us: int, at_us: int = NOW_US) -> list[Hold]:
    return holds.make("f1", [camera], start_us, end_us, "Mất trộm", "Lan", at_us)


def deleted(index: Index, root: Path) -> None:
    """Whatever retention would delete for any reason is deleted."""
    swept(index, root, NOW_US, {"c": 7, "d": 7}, full=True)


def test_whatever_a_hold_touches_is_kept_whole(tmp_path: Path, index: Index) -> None:
    paths = [footage(tmp_path, index, "c", OLD_US + number * MINUTE_US) for number in range(6)]
    other = footage(tmp_path, index, "d", OLD_US + 2 * MINUTE_US)
    # From within the second minute to within the fourth; the fifth begins where another hold ends, and is not touched.
    found = made("c", OLD_US + MINUTE_US + 1, OLD_US + 3 * MINUTE_US + 1)
    holds.protect(index, tmp_path, found)
    holds.protect(index, tmp_path, made("c", OLD_US + 3 * MINUTE_US, OLD_US + 4 * MINUTE_US))
    deleted(index, tmp_path)
    assert [path.exists() for path in paths] == [False, True, True, True, False, False]
    assert not other.exists()
    (ended,) = holds.release(index, tmp_path, "f1", [found[0].uid], "Minh", NOW_US + 5)
    assert (ended.released_us, ended.released_by) == (NOW_US + 5, "Minh")
    deleted(index, tmp_path)
    assert [path.exists() for path in paths] == [False, False, False, True, False, False]
    # It stays in the log.
    assert [(hold.who, hold.reason) for hold in holds.released(index, "f1")] == [("Lan", "Mất trộm")]


def test_protected_is_half_open(tmp_path: Path, index: Index) -> None:
    holds.protect(index, tmp_path, made("c", 1000, 2000))
    found = [holds.protected(index, "c", *span) for span in ((0, 1000), (0, 1001), (1999, 2001), (2000, 3000))]
    assert found == [False, True, True, False]
    assert not holds.protected(index, "d", 0, 3000)


def test_what_is_recorded_later_within_a_hold_is_protected(tmp_path: Path, index: Index) -> None:
    holds.protect(index, tmp_path, made("c", OLD_US, OLD_US + DAY_US, OLD_US))
    path = footage(tmp_path, index, "c", OLD_US + 3 * MINUTE_US)
    deleted(index, tmp_path)
    assert path.exists()


def test_crash_between_journal_and_index(tmp_path: Path, index: Index) -> None:
    kept, ended = made("c", 1000, 2000), made("d", 1000, 2000)
    other = Index(tmp_path / "lost.sqlite3")
    for found in (kept, ended):
        holds.protect(other, tmp_path, found)
    holds.release(other, tmp_path, "f1", [ended[0].incident], "Minh", NOW_US)
    other.close()
    # The journal has it, this index has not.
    for _ in range(2):
        holds.take_from_journal(index, tmp_path)
        assert holds.active(index, "f1") == kept
        assert [(hold.uid, hold.released_by) for hold in holds.released(index, "f1")] == [(ended[0].uid, "Minh")]
    # Only what is new is read: a line before is looked at no more.
    (path,) = (tmp_path / "journal").iterdir()
    path.write_bytes(b"#" * path.stat().st_size)
    newest = made("e", 1000, 2000)
    holds.protect(index, tmp_path, newest)
    holds.take_from_journal(index, tmp_path)
    assert {hold.camera for hold in holds.active(index, "f1")} == {"c", "e"}


def test_released_in_the_index_only_once(tmp_path: Path, index: Index) -> None:
    (hold,) = made("c", 1000, 2000)
    holds.protect(index, tmp_path, [hold])
    assert holds.release(index, tmp_path, "f1", [hold.uid], "Minh", NOW_US)
    assert holds.release(index, tmp_path, "f1", [hold.uid], "An", NOW_US + 1) == []
    assert holds.release(index, tmp_path, "f1", ["another"], "An", NOW_US + 1) == []
    assert [one.released_by for one in holds.released(index, "f1")] == ["Minh"]
    assert [entry["what"] for entry in journal.read(tmp_path)] == ["hold", "release"]


def test_first_release_is_the_one_that_counts(tmp_path: Path, index: Index) -> None:
    (hold,) = made("c", 1000, 2000)
    holds.protect(index, tmp_path, [hold])
    # The engine was killed after the first line, and somebody released it again.
    for who in ("Minh", "An"):
        journal.append(tmp_path, NOW_US, [{"what": "release", "hold": hold.uid, "who": who}])
    holds.take_from_journal(index, tmp_path)
    assert [one.released_by for one in holds.released(index, "f1")] == ["Minh"]


def test_foreign_lines_protect_nothing(tmp_path: Path, index: Index) -> None:
    (good,) = made("c", 1000, 2000)
    entry: dict[str, object] = {"what": "hold", "hold": good.uid, "facility": "f1", "camera": "c", "start": 1, "end": 2}
    bad: list[dict[str, object]] = [
        {"hold": "../x"},
        {"hold": 7},
        {"camera": ""},
        {"camera": None},
        {"start": "1"},
        {"end": 1},
        {"end": 1 << 63},
    ]
    journal.append(tmp_path, NOW_US, [entry | change for change in bad])
    journal.append(tmp_path, NOW_US, [{"what": "release", "hold": ["x"], "who": None}, entry])
    holds.take_from_journal(index, tmp_path)
    assert [hold.uid for hold in holds.active(index, "f1")] == [good.uid]


def protect(archive: Archive, found: list[Hold]) -> None:
    archive.ask(lambda index: holds.protect(index, archive.root, found)).result(10)


def test_holds_outlive_their_index(tmp_path: Path) -> None:
    root, clock = tmp_path / "archive", HandClock()
    with archive_in(root, clock) as archive:
        protect(archive, made("c", OLD_US, OLD_US + MINUTE_US))
    (root / INDEX).unlink()
    index = Index(root / INDEX)
    held = footage(root, index, "c", OLD_US)
    other = footage(root, index, "c", OLD_US + MINUTE_US)
    index.close()
    with archive_in(root, clock) as archive:
        archive.cleaner.days = {"c": 7}
        wait_for(lambda: archive.volume.writable)
        clock.now += 700
        wait_for(lambda: not other.exists(), 5)
    assert held.exists()
    assert len(ask(root, "SELECT 1 FROM hold WHERE released_us IS NULL")) == 1


def test_nothing_is_deleted_while_the_journal_cannot_be_read(tmp_path: Path) -> None:
    root, clock = tmp_path / "archive", HandClock()
    root.mkdir()
    index = Index(root / INDEX)
    path = footage(root, index, "c", OLD_US)
    index.close()
    with archive_in(root, clock) as archive:
        wait_for(lambda: archive.index and archive.index.surveyed)
        broken = root / "journal" / "2026-10.jsonl"
        broken.mkdir(parents=True)
        archive.cleaner.days = {"c": 7}
        for _ in range(3):
            clock.now += 700
            retained(archive, clock)
        assert path.exists()
        broken.rmdir()
        clock.now += 4000
        wait_for(lambda: not path.exists(), 5)


def test_what_the_journal_knows_is_there_at_once(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    with archive_in(root) as archive:
        wait_for(lambda: archive.index)
    # The engine was killed between journal and index.
    elsewhere = Index(tmp_path / INDEX)
    holds.protect(elsewhere, root, made("c", 1000, 2000))
    elsewhere.close()
    with archive_in(root) as archive:
        wait_for(lambda: archive.index)
        assert archive.index is not None
        assert len(holds.active(archive.index, "f1")) == 1


def test_what_the_journal_does_not_take_is_not_in_the_index(tmp_path: Path, index: Index) -> None:
    found = made("c", 1000, 2000)
    (tmp_path / "journal").write_text("no folder")
    with pytest.raises(OSError, match="journal"):
        holds.protect(index, tmp_path, found)
    assert holds.active(index, "f1") == []
    (tmp_path / "journal").unlink()
    holds.protect(index, tmp_path, found)
    (tmp_path / "journal").rename(tmp_path / "before")
    (tmp_path / "journal").write_text("no folder")
    with pytest.raises(OSError, match="journal"):
        holds.release(index, tmp_path, "f1", [found[0].uid], "An", NOW_US)
    assert holds.active(index, "f1") == found


def test_lost_mount_is_not_written_into(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    with archive_in(root) as archive:
        wait_for(lambda: archive.volume.writable)
        (root / ".facility_cameras.json").unlink()
        with pytest.raises(OSError, match="away"):
            protect(archive, made("c", 1000, 2000))
    assert not (root / "journal").exists()


def test_call_that_nobody_waits_for_any_more_is_not_done(tmp_path: Path) -> None:
    root, stuck = tmp_path / "archive", threading.Event()
    with archive_in(root) as archive:
        wait_for(lambda: archive.volume.writable)
        # The disk does not answer for a while.
        waiting = archive.ask(lambda _index: stuck.wait(10))
        found = made("c", 1000, 2000)
        answer = archive.ask(lambda index: holds.protect(index, root, found))
        assert answer.cancel()
        stuck.set()
        assert waiting.result(10)
        assert archive.ask(lambda index: holds.active(index, "f1")).result(10) == []


def test_bytes_under_several_holds_count_once(tmp_path: Path, index: Index) -> None:
    for number in range(10):
        footage(tmp_path, index, "c", OLD_US + number * MINUTE_US, size=1000 + number)
    footage(tmp_path, index, "c", OLD_US + 25 * DAY_US, size=5000)
    footage(tmp_path, index, "d", OLD_US, size=7000)
    minutes = [(0, 2), (1, 3), (2.5, 4), (5.5, 6), (5.6, 5.7), (7.1, 7.2), (7.4, 7.5)]
    for first, last in minutes:
        holds.protect(index, tmp_path, made("c", OLD_US + int(first * MINUTE_US), OLD_US + int(last * MINUTE_US)))
    # Minutes 0 to 3, 5, and 7.
    assert holds.held_bytes(index, "f1") == 1000 + 1001 + 1002 + 1003 + 1005 + 1007
    holds.protect(index, tmp_path, made("c", OLD_US + 5 * MINUTE_US, OLD_US + 300 * DAY_US))
    assert holds.held_bytes(index, "f1") == sum(1000 + number for number in range(10)) - 1004 + 5000
    assert holds.held_bytes(index, "f2") == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cameras": []}, "cameras"),
        ({"cameras": [str(number) for number in range(1001)]}, "1000 cameras"),
        ({"end_us": 1000}, "after the start"),
        ({"start_us": -1}, "after the start"),
        ({"end_us": 1 << 63}, "after the start"),
        ({"end_us": 1000 + 400 * DAY_US + 1}, "400 days"),
        ({"reason": "x" * 501}, "500"),
        ({"who": "x" * 101}, "100"),
    ],
)
def test_bounds(change: dict[str, Any], sentence: str) -> None:
    good: dict[str, Any] = {
        "facility": "f1", "cameras": ["c", "d"], "start_us": 1000, "end_us": 1000 + 400 * DAY_US, "reason": "x" * 500,
        "who": "x" * 100, "at_us": NOW_US,
    }  # fmt: skip
    pair = holds.make(**good)
    assert [hold.camera for hold in pair] == ["c", "d"]
    assert len({hold.incident for hold in pair}) == 1
    assert len({hold.uid for hold in pair}) == 2
    with pytest.raises(HoldError, match=sentence):
        holds.make(**good | change)


def test_no_more_than_can_be_looked_after(tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holds, "MOST_ACTIVE", 2)
    first = made("c", 1000, 2000)
    holds.protect(index, tmp_path, first)
    holds.protect(index, tmp_path, made("d", 1000, 2000))
    with pytest.raises(HoldError, match="release some"):
        holds.protect(index, tmp_path, made("e", 1000, 2000))
    holds.release(index, tmp_path, "f1", [first[0].uid], "An", NOW_US)
    holds.protect(index, tmp_path, made("e", 1000, 2000))
    assert len(list(journal.read(tmp_path))) == 4
