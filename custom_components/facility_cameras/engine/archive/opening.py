"""Opens an archive's index, whatever lies there: ours, an older engine's, a newer engine's, a broken one, none.

Recording never waits for a good index: one that cannot be used is set aside and another begun. Nothing is thrown away
that may be of use: the index of a newer engine comes back when that engine does, and takes in what was recorded
meanwhile (survey.py).

Promise I3 (nothing vanishes): unless it is certain that the index knows all that happened to the footage, `surveyed` is
False until the files have been looked at again, and nothing is deleted before. It is certain if the index was closed by
an engine that had looked, and the journal, which every deletion and hold is entered in first, has not moved since: an
old copy of the index, one that was made while the engine ran, and one whose engine was killed fail that test.
"""

import contextlib
from datetime import UTC, datetime
import logging
from pathlib import Path
import sqlite3

from . import duty, journal, recall
from .index import Index
from .schema import SCHEMA, UnusableIndexError, version_of

_LOGGER = logging.getLogger(__name__)

INDEX = "index.sqlite3"
#: So many broken ones are kept.
BROKEN = 3
#: Primary codes of sqlite3 errors that say that the file itself is bad.
BROKEN_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
#: What the journal was like when the index was closed; not there while it is open.
_CLOSED = "closed"


def open_index(root: Path, now_us: int) -> Index:
    """The index of the archive, with what the journal tells if it had to be made. Raises OSError and sqlite3.Error."""
    _take_back(root)
    # Asked before, because opening makes one.
    there = (root / INDEX).exists()
    try:
        index = Index(root / INDEX)
    except sqlite3.DatabaseError as error:
        if not isinstance(error, UnusableIndexError) and not is_broken(error):
            raise
        _LOGGER.error("archive %s: %s", root, error)
        set_aside(root, now_us, error.version if isinstance(error, UnusableIndexError) else 0)
        there = _take_back(root)
        index = Index(root / INDEX)
    try:
        index.surveyed = there and index.value(_CLOSED) == str(journal.position(root))
        index.forget_value(_CLOSED)
        if there:
            recall.tell_journal(index, root, now_us)
        else:
            # At once: a camera goes on in its folder, and what is held is held.
            for _ in recall.take_journal(index, root):
                pass
            duty.recall(index, root)
    except BaseException:
        index.close()
        raise
    return index


def close_index(index: Index, root: Path) -> None:
    """Close it for good; what it knows is certain only if the files had been looked at. Raises OSError, sqlite3.Error."""
    try:
        if index.surveyed:
            index.keep_value(_CLOSED, str(journal.position(root)))
    finally:
        index.close()


def is_broken(error: sqlite3.Error) -> bool:
    """Whether the error says that the file of the index is bad."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in BROKEN_CODES


def is_full(error: sqlite3.Error) -> bool:
    """Whether the index could not be written for want of room."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def set_aside(root: Path, now_us: int, version: int = 0) -> None:
    """Rename the index that is there; of a newer engine's by its schema, so that it is found again. Raises OSError."""
    moment = datetime.fromtimestamp(now_us / 1e6, UTC)
    aside = _of_schema(version) if version > SCHEMA else f"index.broken-{moment:%Y%m%dT%H%M%SZ}.sqlite3"
    _LOGGER.error("archive %s: the index cannot be used and is set aside as %s", root, aside)
    rename_index(root, INDEX, aside)
    for old in sorted(root.glob("index.broken-*.sqlite3"))[:-BROKEN]:
        for end in ("-wal", ""):
            with contextlib.suppress(FileNotFoundError):
                (root / f"{old.name}{end}").unlink()


def _take_back(root: Path) -> bool:
    """If an older engine set an index of our schema aside, it takes the place of the older engine's own. Whether it did."""
    ours, path = root / _of_schema(SCHEMA), root / INDEX
    if not ours.exists():
        return False
    if path.exists():
        older = version_of(path)
        if older >= SCHEMA:
            return False
        rename_index(root, INDEX, _of_schema(older))
    _LOGGER.warning("archive %s: the index that an older engine set aside is taken back", root)
    rename_index(root, ours.name, INDEX)
    return True


def _of_schema(version: int) -> str:
    return f"index.schema-{version}.sqlite3"


def rename_index(root: Path, name: str, to: str) -> None:
    """With its log of writes, which goes first: without it the file is that of some time before, and no log ever meets
    another's file.
    """
    for end in ("-wal", ""):
        (root / f"{to}{end}").unlink(missing_ok=True)
    for end in ("-wal", ""):
        with contextlib.suppress(FileNotFoundError):
            (root / f"{name}{end}").rename(root / f"{to}{end}")
