"""Which files hold a stretch of a camera's footage, for whoever reads them: clips, films, thumbnails. Blocks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
import sqlite3

from .archive.archive import Archive
from .archive.index import OPEN
from .playback import Fragment
from .unread import Unread

#: Files that were not read yet are read for so long at most, seconds.
UNREAD_S = 20.0


class NoIndexError(Exception):
    """The archive is away, or does not answer."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its fragments begin at `first_byte` and at `start_us`. Times are UTC microseconds. `open`: it is still
    being written, and this is what is there now.
    """

    path: Path
    format: int
    run: str
    start_us: int
    end_us: int
    first_byte: int
    fragments: Sequence[Fragment]
    open: bool


def sources(archive: Archive, camera: str, start_us: int, end_us: int) -> list[Source]:
    """The files that overlap [start_us, end_us), oldest first. Raises NoIndexError."""
    index = archive.index
    if index is None:
        raise NoIndexError
    # Taken before the index is asked: a file that is closed meanwhile still answers for its row.
    files = dict(archive.open_files)
    try:
        rows = index.overlapping(camera, start_us, end_us)
    except sqlite3.Error as error:
        raise NoIndexError from error
    found = []
    unread = Unread(archive.root, UNREAD_S)
    for row in rows:
        file = files.get(row.id) or archive.open_files.get(row.id) if row.state == OPEN else None
        fragments = tuple(file.fragments) if file is not None else tuple(unread.fragments(row))
        end = row.end_us if file is None else row.start_us + sum(fragment.duration_us for fragment in fragments)
        if fragments and end > start_us:
            found.append(
                Source(
                    archive.root / row.path, row.format, row.run, row.start_us, end, row.init_bytes, fragments,
                    file is not None,
                )
            )  # fmt: skip
    return found


def init_of(archive: Archive, number: int) -> bytes:
    """The init segment of a format. Raises NoIndexError."""
    index = archive.index
    try:
        init = index.init(number) if index is not None else None
    except sqlite3.Error as error:
        raise NoIndexError from error
    if init is None:
        raise NoIndexError
    return init


def nearest(archive: Archive, camera: str, at_us: int) -> tuple[int, int] | None:
    """Start and end, UTC microseconds, of the file of footage that lies nearest to a time, None if there is none. Raises
    NoIndexError.
    """
    index = archive.index
    if index is None:
        raise NoIndexError
    asked = "SELECT start_us, end_us FROM segment JOIN camera ON camera.id = segment.camera WHERE uid = ? AND state > 0"
    try:
        found = [
            *index.query(f"{asked} AND start_us <= ? ORDER BY start_us DESC LIMIT 1", camera, at_us),
            *index.query(f"{asked} AND start_us > ? ORDER BY start_us LIMIT 1", camera, at_us),
        ]
    except sqlite3.Error as error:
        raise NoIndexError from error
    if not found:
        return None
    start, end = min(found, key=lambda span: max(span[0] - at_us, at_us - span[1], 0))
    return int(start), int(end)
