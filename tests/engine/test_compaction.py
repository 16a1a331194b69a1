"""The journal stays small: neighbouring deletions are put together, whatever happens meanwhile, and nothing else is."""

from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.archive import compaction, deletions, journal
from custom_components.facility_cameras.engine.archive.deletions import Deletion
from tests.engine.archives import MINUTE_US, NOW_US

HOUR_US = 60 * MINUTE_US


def fill(root: Path, steps: int = 600) -> None:
    """What retention writes: every minute some files of two cameras."""
    for step in range(steps):
        start_us = NOW_US + step * MINUTE_US
        gone = [Deletion(f"camera {c}", start_us, start_us + MINUTE_US, 1, 1000, "days", 0) for c in range(8)]
        journal.append(root, NOW_US + step * MINUTE_US, deletions.entries(gone))
        if step % 100 == 0:
            journal.append(root, NOW_US + step * MINUTE_US, [{"what": "hold", "hold": f"h{step}"}])


def told(root: Path) -> tuple[list[Deletion], list[object]]:
    entries = list(journal.read(root))
    gone = [one for one in map(deletions.from_entry, entries) if one is not None]
    return deletions.merged(gone), [entry["hold"] for entry in entries if entry["what"] == "hold"]


def compacted(root: Path, sizes: dict[str, int] | None = None) -> list[compaction.Compacted]:
    return list(compaction.compact(root, {} if sizes is None else sizes, lambda _seconds: None))


def test_deletions_become_ranges_and_say_the_same(tmp_path: Path) -> None:
    fill(tmp_path)
    before, length = told(tmp_path), journal.position(tmp_path)
    sizes: dict[str, int] = {}
    (made,) = compacted(tmp_path, sizes)
    made.replace()
    assert told(tmp_path) == before
    assert len(before[0]) == 8
    # All but the newest hour of 600 minutes.
    assert journal.position(tmp_path) < length / 8
    # Not again before it has grown.
    assert compacted(tmp_path, sizes) == []


def test_what_is_appended_meanwhile_is_kept(tmp_path: Path) -> None:
    fill(tmp_path)
    (made,) = compacted(tmp_path)
    journal.append(tmp_path, NOW_US + 601 * MINUTE_US, [{"what": "hold", "hold": "meanwhile"}])
    before = told(tmp_path)
    made.replace()
    assert told(tmp_path) == before
    assert "meanwhile" in before[1]


def test_crash_before_it_is_in_place_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    before = told(tmp_path)
    (made,) = compacted(tmp_path)

    def killed(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "rename", killed)
        made.replace()
    assert told(tmp_path) == before
    # What was left half done is written anew.
    (made,) = compacted(tmp_path)
    made.replace()
    assert told(tmp_path) == before


def test_newest_hour_stays_as_it_is(tmp_path: Path) -> None:
    """Who was killed while it deleted finds what it had entered last."""
    fill(tmp_path)
    recent = [entry for entry in journal.read(tmp_path) if entry["what"] == "delete"][-8 * 59 :]
    (made,) = compacted(tmp_path)
    made.replace()
    assert [entry for entry in journal.read(tmp_path) if entry["what"] == "delete"][-8 * 59 :] == recent


def test_short_one_is_left_as_it_is(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    assert compacted(tmp_path) == []
