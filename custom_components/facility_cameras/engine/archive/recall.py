"""What an index that was lost, or is an old copy, gets back from the journal: cameras, holds, deletions.

What was to be recorded when is duty.py's: there a later entry takes back an earlier one, so it is taken in one go.

Promise I1 (durable): the index can be thrown away. Whatever is known already stays as it is, so all of the journal may
be taken in again at any time.
"""

from collections.abc import Iterator
import itertools
from pathlib import Path
import sqlite3

from . import deletions, holds, journal
from .index import Index

#: So many entries in one transaction: everybody else waits for it.
_STEP = 500

type _Entry = dict[str, object]


def take_journal(index: Index, root: Path) -> Iterator[None]:
    """Take in what the journal tells, a step at a time. Raises OSError and sqlite3.Error."""
    for step in itertools.batched(journal.read(root), _STEP, strict=False):
        with index.transaction() as connection:
            for entry in step:
                _take(connection, entry)
        yield


def _take(connection: sqlite3.Connection, entry: _Entry) -> None:
    match entry:
        case {"what": "camera", "camera": str(camera), "facility": str(facility), "folder": str(folder)}:
            connection.execute(
                "INSERT OR IGNORE INTO camera (uid, facility, folder) VALUES (?, ?, ?)", (camera, facility, folder)
            )
        case {"what": "hold" | "release"}:
            holds.take(connection, entry)
        case {"what": "delete"}:
            one = deletions.from_entry(entry)
            if one is not None:
                deletions.enter(connection, [one])
        case _:
            pass


def tell_journal(index: Index, root: Path, now_us: int) -> None:
    """An archive of before there was a journal: what its index alone knows of cameras and deletions is told to one.
    Raises OSError and sqlite3.Error.
    """
    if not journal.position(root):
        cameras = index.query("SELECT uid, facility, folder FROM camera ORDER BY id")
        gone = index.deletions()
        told = [journal.camera_entry(*camera) for camera in cameras]
        journal.append(root, now_us, [*told, *deletions.entries(gone)])
