"""Holds: footage that nothing deletes until somebody releases it. Kept in the journal first, then in the index.

Promise I3 (nothing vanishes): retention passes over what a hold touches, so a segment partly inside one is kept whole. A
hold whose end lies in the future keeps what is recorded later too. After a crash between journal and index, or with an index
that was lost or is an old copy, `take_from_journal` brings the index up to date, as often as it is called.
Everything here blocks: what writes is for the archive's writer thread.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
import secrets
import sqlite3

from ..api import LONGEST_HOLD_DAYS, REASON_SIGNS, WHO_SIGNS
from . import journal
from .index import LONGEST_US, Index

#: Holds of one facility that are not released.
MOST_ACTIVE = 5_000
#: Cameras protected in one call.
MOST_CAMERAS = 1_000
#: Released holds that are listed.
MOST_LISTED = 1_000
#: Sizes are added up for so long a time in one statement, so that nobody waits long for the index.
_STEP_US = 10 * 86_400_000_000
#: How far each file of the journal was read for holds, in the index's table `meta`.
_META_KEY = "journal_read_for_holds"
_COLUMNS = (
    "uid, incident, facility, camera, start_us, end_us, reason, who, at_us, released_us, coalesce(released_by, ''), "
    "copied_to"
)


class HoldError(ValueError):
    """A hold that is not accepted; the text says why."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One camera's footage in [start_us, end_us) (UTC microseconds). Ids are the hub's but for `uid` and `incident`."""

    uid: str
    incident: str
    facility: str
    camera: str
    start_us: int
    end_us: int
    reason: str
    who: str
    at_us: int
    released_us: int | None = None
    released_by: str = ""
    copied_to: str = ""


def make(facility: str, cameras: Sequence[str], start_us: int, end_us: int, reason: str, who: str,
         at_us: int) -> list[Hold]:  # fmt: skip
    """One hold a camera, all of one incident. Nothing is kept yet. Raises HoldError."""
    if not cameras or len(set(cameras)) > MOST_CAMERAS:
        raise HoldError(f"1 to {MOST_CAMERAS} cameras are protected at once")
    if not 0 <= start_us < end_us < 1 << 62:
        raise HoldError("the end must lie after the start")
    if end_us - start_us > LONGEST_HOLD_DAYS * 86_400_000_000:
        raise HoldError(f"at most {LONGEST_HOLD_DAYS} days are protected at once")
    if len(reason) > REASON_SIGNS or len(who) > WHO_SIGNS:
        raise HoldError(f"reason and name have at most {REASON_SIGNS} and {WHO_SIGNS} characters")
    incident = secrets.token_hex(8)
    return [
        Hold(secrets.token_hex(8), incident, facility, camera, start_us, end_us, reason, who, at_us)
        for camera in dict.fromkeys(cameras)
    ]


def protect(index: Index, root: Path, holds: Sequence[Hold]) -> None:
    """Keep these from now on. Raises HoldError, OSError (nothing is kept), sqlite3.Error (kept by the journal)."""
    ((count,),) = index.query("SELECT count(*) FROM hold WHERE released_us IS NULL AND facility = ?", holds[0].facility)
    if count + len(holds) > MOST_ACTIVE:
        raise HoldError(f"there are {count} holds already, {MOST_ACTIVE} at most: release some first")
    entries: list[dict[str, object]] = [
        {
            "what": "hold",
            "hold": hold.uid,
            "incident": hold.incident,
            "facility": hold.facility,
            "camera": hold.camera,
            "start": hold.start_us,
            "end": hold.end_us,
            "reason": hold.reason,
            "who": hold.who,
        }
        for hold in holds
    ]
    journal.append(root, holds[0].at_us, entries)
    with index.transaction() as connection:
        _insert(connection, holds)


def release(index: Index, root: Path, facility: str, wanted: Sequence[str], who: str, at_us: int) -> list[Hold]:
    """Keep these no longer, by their own ids or their incidents'; returns those that were kept until now. They stay in
    the log, with who released them. Raises HoldError, OSError, sqlite3.Error.
    """
    if len(wanted) > MOST_ACTIVE or len(who) > WHO_SIGNS:
        raise HoldError("too many holds at once, or too long a name")
    ids = set(wanted)
    found = [hold for hold in active(index, facility) if hold.uid in ids or hold.incident in ids]
    if found:
        journal.append(root, at_us, [{"what": "release", "hold": hold.uid, "who": who} for hold in found])
        with index.transaction() as connection:
            _release(connection, [(at_us, who, hold.uid) for hold in found])
    return listed(index, facility, [hold.uid for hold in found])


def take_from_journal(index: Index, root: Path) -> None:
    """Take over what the journal says and the index does not know yet. Raises OSError, sqlite3.Error.

    To be called before anything is deleted: an index that was lost or is an old copy knows too few holds.
    """
    known = index.query("SELECT value FROM meta WHERE key = ?", _META_KEY)
    marks: dict[str, int] = json.loads(known[0][0]) if known else {}
    before = dict(marks)
    entries: list[dict[str, object]] = []
    for path in journal.files(root):
        size, start = path.stat().st_size, marks.get(path.name, 0)
        # A file that became shorter is another one.
        found = journal.read_file(path, size, start if start <= size else 0)
        entries += [entry for entry in found if entry.get("what") in ("hold", "release")]
        marks[path.name] = size
    if marks == before:
        return
    with index.transaction() as connection:
        for entry in entries:
            take(connection, entry)
        connection.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (_META_KEY, json.dumps(marks)),
        )


def take(connection: sqlite3.Connection, entry: dict[str, object]) -> None:
    """Take over a line of the journal about a hold; what is known already stays as it is. Raises sqlite3.Error."""
    if entry.get("what") == "hold":
        if (hold := _from_entry(entry)) is not None:
            _insert(connection, [hold])
    elif entry.get("what") == "release" and isinstance(entry.get("hold"), str):
        who = entry.get("who")
        _release(connection, [(entry["at"], who if isinstance(who, str) else "", entry["hold"])])


def _from_entry(entry: dict[str, object]) -> Hold | None:
    """A line of the journal as a hold; None if it is none of ours: the file lies where anybody may write."""
    texts = [entry.get(key, "") for key in ("hold", "incident", "facility", "camera", "reason", "who")]
    uid, incident, facility, camera, reason, who = (text if isinstance(text, str) else "" for text in texts)
    start, end, at = entry.get("start"), entry.get("end"), entry["at"]
    if not (uid.isalnum() and uid.isascii() and len(uid) <= 32 and camera and isinstance(at, int)):
        return None
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end < 1 << 62):
        return None
    return Hold(uid, incident, facility, camera, start, end, reason, who, at)


def _insert(connection: sqlite3.Connection, holds: Iterable[Hold]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO hold (uid, incident, facility, camera, start_us, end_us, reason, who, at_us) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (one.uid, one.incident, one.facility, one.camera, one.start_us, one.end_us, one.reason, one.who, one.at_us)
            for one in holds
        ],
    )


def _release(connection: sqlite3.Connection, releases: Sequence[tuple[object, str, object]]) -> None:
    connection.executemany(
        "UPDATE hold SET released_us = ?, released_by = ? WHERE uid = ? AND released_us IS NULL", releases
    )


def set_copied(index: Index, uid: str, folder_id: str) -> None:
    """All footage of a hold lies verified in the second folder with this id ("": not any more). Raises sqlite3.Error."""
    with index.transaction() as connection:
        connection.execute("UPDATE hold SET copied_to = ? WHERE uid = ?", (folder_id, uid))


# Reading ----------------------------------------------------------------------------------------------------------


def active(index: Index, facility: str) -> list[Hold]:
    """The holds of a facility that are not released, newest first. Raises sqlite3.Error."""
    rows = index.query(
        f"SELECT {_COLUMNS} FROM hold WHERE released_us IS NULL AND facility = ? ORDER BY at_us DESC, id", facility
    )
    return [Hold(*row) for row in rows]


def released(index: Index, facility: str) -> list[Hold]:
    """The holds of a facility that were released last, newest first. Raises sqlite3.Error."""
    rows = index.query(
        f"SELECT {_COLUMNS} FROM hold WHERE released_us IS NOT NULL AND facility = ? ORDER BY released_us DESC LIMIT ?",
        facility, MOST_LISTED,
    )  # fmt: skip
    return [Hold(*row) for row in rows]


def listed(index: Index, facility: str, uids: Iterable[str]) -> list[Hold]:
    """These holds of a facility, released or not, in their order. Raises sqlite3.Error."""
    found = (
        index.query(f"SELECT {_COLUMNS} FROM hold WHERE facility = ? AND uid = ?", facility, uid)
        for uid in dict.fromkeys(uids)
    )
    return [Hold(*rows[0]) for rows in found if rows]


def protected(index: Index, camera: str, start_us: int, end_us: int) -> bool:
    """Whether any of a camera's footage in [start_us, end_us) is under a hold. Raises sqlite3.Error."""
    return bool(
        index.query(
            "SELECT 1 FROM hold WHERE released_us IS NULL AND camera = ? AND start_us < ? AND end_us > ? LIMIT 1",
            camera, end_us, start_us,
        )
    )  # fmt: skip


def held_bytes(index: Index, facility: str) -> int:
    """Bytes of a facility's footage under holds; footage under several counts once. Raises sqlite3.Error."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for hold in sorted(active(index, facility), key=lambda hold: hold.start_us):
        spans.setdefault(hold.camera, []).append((hold.start_us, hold.end_us))
    total = 0
    for camera, held in spans.items():
        counted_us = 0
        for start_us, end_us in held:
            # Every segment counts with the first of these times that it touches.
            start_us = max(start_us, counted_us)
            while start_us < end_us:
                step_us = min(end_us, start_us + _STEP_US)
                total += _bytes(index, camera, start_us, step_us, counted_us)
                start_us = counted_us = step_us
    return total


def _bytes(index: Index, camera: str, start_us: int, end_us: int, not_before_us: int) -> int:
    ((size,),) = index.query(
        "SELECT coalesce(sum(segment.bytes), 0) FROM segment WHERE camera = (SELECT id FROM camera WHERE uid = ?) "
        "AND start_us < ? AND start_us > ? AND start_us >= ? AND end_us > ?",
        camera, end_us, start_us - LONGEST_US, not_before_us, start_us,
    )  # fmt: skip
    return int(size)
