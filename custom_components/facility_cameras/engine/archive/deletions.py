"""Footage that is gone: when, whose, how much, why. Ranges, not files: 64 cameras delete 92,000 files a day for ever.

Promise I3 (nothing vanishes): a row of footage goes from the index only together with what is entered here. The journal
holds the same (`entries`), and is written first.
"""

from collections.abc import Iterable
from dataclasses import dataclass
import sqlite3

#: The file was not there any more, nobody of us deleted it; nothing was written to it before a crash.
LOST, EMPTY = "lost", "empty"
#: Deletions with no more than this between them are one.
TOUCH_US = 1_000_000
#: A range grows only if it is among so many newest before it of its camera: bounds the look.
_LOOK = 8


@dataclass(frozen=True, slots=True)
class Deletion:
    """`files` of a camera in [start_us, end_us), `size` bytes in all, gone at `at_us` (the last of them) for `reason`."""

    camera: str
    start_us: int
    end_us: int
    files: int
    size: int
    reason: str
    at_us: int


def merged(deletions: Iterable[Deletion]) -> list[Deletion]:
    """Those that touch put together, by camera and time."""
    found: list[Deletion] = []
    newest: dict[tuple[str, str], int] = {}
    for one in sorted(deletions, key=lambda one: (one.camera, one.start_us, one.end_us)):
        key = one.camera, one.reason
        place = newest.get(key)
        if place is not None and one.start_us <= found[place].end_us + TOUCH_US:
            found[place] = _together(found[place], one)
        else:
            newest[key] = len(found)
            found.append(one)
    return found


def _holds(one: Deletion, other: Deletion) -> bool:
    """Whether `other` is told again by `one`: a kill in the middle of deleting has the same told twice."""
    return one.start_us <= other.start_us < other.end_us <= one.end_us


def _together(one: Deletion, other: Deletion) -> Deletion:
    if _holds(one, other):
        return one
    if _holds(other, one):
        return other
    return Deletion(
        one.camera,
        min(one.start_us, other.start_us),
        max(one.end_us, other.end_us),
        one.files + other.files,
        one.size + other.size,
        one.reason,
        max(one.at_us, other.at_us),
    )


def entries(deletions: Iterable[Deletion]) -> list[dict[str, object]]:
    """What the journal holds of them, a line each."""
    return [
        {
            "what": "delete",
            "camera": one.camera,
            "start": one.start_us,
            "end": one.end_us,
            "files": one.files,
            "bytes": one.size,
            "reason": one.reason,
        }
        for one in deletions
    ]


def from_entry(entry: dict[str, object]) -> Deletion | None:
    """What a line of the journal says was deleted; None if it is about something else."""
    if entry.get("what") != "delete":
        return None
    camera, reason = entry.get("camera"), entry.get("reason")
    numbers = [entry.get(key) for key in ("start", "end", "files", "bytes", "at")]
    if not isinstance(camera, str) or not isinstance(reason, str):
        return None
    start_us, end_us, files, size, at_us = (number if isinstance(number, int) else 0 for number in numbers)
    return Deletion(camera, start_us, end_us, files, size, reason, at_us)


def enter(connection: sqlite3.Connection, deletions: Iterable[Deletion]) -> None:
    """In a transaction: let the range that each touches grow, or begin one. Raises sqlite3.Error."""
    for one in deletions:
        near = connection.execute(
            "SELECT id, start_us, end_us, files, bytes, at_us, reason FROM deletion "
            "WHERE camera = ? AND start_us <= ? ORDER BY start_us DESC LIMIT ?",
            (one.camera, one.end_us + TOUCH_US, _LOOK),
        ).fetchall()
        for number, start_us, end_us, files, size, at_us, reason in near:
            if reason == one.reason and end_us >= one.start_us - TOUCH_US:
                grown = _together(one, Deletion(one.camera, start_us, end_us, files, size, reason, at_us))
                connection.execute(
                    "UPDATE deletion SET start_us = ?, end_us = ?, files = ?, bytes = ?, at_us = ? WHERE id = ?",
                    (grown.start_us, grown.end_us, grown.files, grown.size, grown.at_us, number),
                )
                break
        else:
            connection.execute(
                "INSERT INTO deletion (camera, start_us, end_us, files, bytes, reason, at_us) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (one.camera, one.start_us, one.end_us, one.files, one.size, one.reason, one.at_us),
            )
