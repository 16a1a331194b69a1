"""Compares the index with the journal: deletions and holds stand in both, and nothing that was held was deleted.

Promise I3 (nothing vanishes). Reads both, changes nothing.
"""

import bisect
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from . import deletions, journal
from .deletions import EMPTY, LOST, Deletion
from .finding import Finding
from .index import Index
from .schema import EXPORT_HOLD


def check(index: Index, root: Path) -> Iterator[Finding]:
    """Everything that is found. Raises OSError and sqlite3.Error."""
    told: list[Deletion] = []
    holds: dict[str, dict[str, object]] = {}
    released: dict[str, int] = {}
    for entry in journal.read(root):
        if (one := deletions.from_entry(entry)) is not None:
            told.append(one)
        match entry:
            case {"what": "hold", "hold": str(hold), "camera": str(), "start": int(), "end": int(), "at": int()}:
                holds[hold] = entry
            case {"what": "release", "hold": str(hold), "at": int(at)}:
                released.setdefault(hold, at)
            case _:
                pass
    yield from _deletions(index.deletions(), deletions.merged(told))
    known = dict(index.query("SELECT uid, released_us IS NOT NULL FROM hold"))
    for hold in sorted(holds.keys() | known.keys()):
        if hold not in known:
            yield Finding("hold_not_in_index", "I3", "", f"The hold {hold} is in the journal, but not in the index.")
        elif hold not in holds:
            if not hold.startswith(EXPORT_HOLD):
                yield Finding(
                    "hold_not_in_journal", "I3", "", f"The hold {hold} is in the index, but not in the journal."
                )
        elif bool(known[hold]) != (hold in released):
            yield Finding(
                "release_differs", "I3", "", f"Index and journal do not agree whether the hold {hold} was released."
            )
    for hold, entry in holds.items():
        yield from _held(hold, entry, released.get(hold), told)


def _deletions(known: Sequence[Deletion], told: Sequence[Deletion]) -> Iterator[Finding]:
    covers = _Ranges(told)
    for one in known:
        if not covers.hold(one):
            sentence = f"Index, not journal: {_said(one)}. If the index is lost, this is forgotten."
            yield Finding("deletion_not_in_journal", "I3", "", sentence)
    covers = _Ranges(deletions.merged(known))
    for one in told:
        if not covers.hold(one):
            yield Finding("deletion_not_in_index", "I3", "", f"Journal, not index: {_said(one)}.")


class _Ranges:
    """Deletions that do not touch each other, to be asked for the one that holds another."""

    def __init__(self, merged: Sequence[Deletion]) -> None:
        self._by_kind: dict[tuple[str, str], list[Deletion]] = {}
        for one in merged:
            self._by_kind.setdefault((one.camera, one.reason), []).append(one)

    def hold(self, one: Deletion) -> bool:
        ranges = self._by_kind.get((one.camera, one.reason), [])
        place = bisect.bisect_right(ranges, one.start_us, key=lambda other: other.start_us)
        return place > 0 and one.end_us <= ranges[place - 1].end_us


def _held(hold: str, entry: dict[str, object], released_us: int | None, told: Sequence[Deletion]) -> Iterator[Finding]:
    """What was deleted although it was held then."""
    match entry:
        case {"camera": str(camera), "start": int(start), "end": int(end), "at": int(at)}:
            for one in told:
                held_then = one.at_us >= at and (released_us is None or one.at_us < released_us)
                by_us = one.camera == camera and held_then and one.reason not in (LOST, EMPTY)
                if by_us and one.start_us < end and one.end_us > start:
                    yield Finding("held_deleted", "I3", "", f"The hold {hold} did not keep {_said(one)}.")


def _said(one: Deletion) -> str:
    start, end = (
        datetime.fromtimestamp(us / 1e6, UTC).isoformat(timespec="seconds") for us in (one.start_us, one.end_us)
    )
    return f"{one.files} files of camera {one.camera}, {start} to {end}, reason {one.reason}"
