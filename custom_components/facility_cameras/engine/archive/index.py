"""The index of one archive: which footage there is, where it lies, and what was deleted and why. SQLite in the archive.

Promise I1 (durable): a row is closed only after its file and the file's folder were fsynced. Promise I3 (nothing
vanishes): a row of footage goes only together with a row in `deletion` that gives the reason.
Used from several threads, one at a time; every call blocks for some milliseconds at most, so not from the event loop.
Whoever waits for another's call longer than WAIT_S (a disk that does not answer) gets sqlite3.OperationalError.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import contextlib
from dataclasses import dataclass
from pathlib import Path
import sqlite3
import threading
from typing import Any

from . import deletions
from .deletions import Deletion
from .schema import prepare

#: State of a row.
#: What it says of a file that was taken in, or was changed by others, is what was found, not what we wrote.
OPEN, CLOSED, CLOSED_AFTER_CRASH, TAKEN_IN = 0, 1, 2, 3
#: No segment is longer than this: bounds the look back for those that overlap a time.
LONGEST_US = 3_600_000_000
#: How long one thread waits for another's call, seconds.
WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Row:
    """One segment: `size` in bytes, `path` relative to the archive; `run` and `camera` are ids; times in UTC microseconds."""

    id: int
    camera: str
    run: str
    format: int
    codec: str
    init_bytes: int
    start_us: int
    end_us: int
    size: int
    state: int
    path: str
    fragments: bytes


@dataclass(frozen=True, slots=True)
class Closing:
    """What is known of a segment once it is closed."""

    start_us: int
    end_us: int
    size: int
    pictures: int
    sha256: bytes
    fragments: bytes


#: Relative to the archive.
PATH = "CASE WHEN path LIKE '/%' THEN substr(path, 2) ELSE camera.folder || '/' || path END"
_COLUMNS = (
    "segment.id, camera.uid, run.uid, format, format.codec, length(format.init), start_us, end_us, segment.bytes, "
    f"state, {PATH}, fragments"
)
_FROM = (
    "FROM segment JOIN camera ON camera.id = segment.camera JOIN run ON run.id = segment.run "
    "JOIN format ON format.id = segment.format"
)


def deletions_of(rows: Iterable[Row], reason: str, at_us: int) -> list[Deletion]:
    """What deleting these rows is, in ranges."""
    return deletions.merged(Deletion(row.camera, row.start_us, row.end_us, 1, row.size, reason, at_us) for row in rows)


class Index:
    """One open index."""

    def __init__(self, path: Path) -> None:
        """Open or create it. Raises sqlite3.Error."""
        #: Whether it is certain that it knows all that happened to the footage: see opening.py, which decides. As long
        #: as it is not, nothing may be deleted (promise I3).
        self.surveyed = True
        self._path = path
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        # One process holds the archive (flock), so shared memory, which network shares do not have, is not needed.
        self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._connection.execute("PRAGMA journal_mode=WAL")
        # A power cut must not take back what was told to be closed.
        self._connection.execute("PRAGMA synchronous=FULL")
        prepare(self._connection)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[sqlite3.Connection]:
        if not self._lock.acquire(timeout=WAIT_S):
            raise sqlite3.OperationalError("the index is held by a call that does not come back")
        try:
            yield self._connection
        finally:
            self._lock.release()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing of what is executed in it; short, for everybody else waits. Raises sqlite3.Error."""
        with self._alone() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # Where the disk is full SQLite has taken it back by itself.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def query(self, statement: str, *values: object) -> list[Any]:
        """Every row that a statement finds. Raises sqlite3.Error."""
        with self._alone() as connection:
            return connection.execute(statement, values).fetchall()

    @property
    def in_place(self) -> bool:
        """Whether its file is still there. (Another one in its place would be told by its inode, but network shares may
        give one file several: the next start looks at all files anyhow.)
        """
        try:
            self._path.stat()
        except FileNotFoundError:
            return False
        except OSError:
            # A disk that fails says nothing of it.
            return True
        return True

    def close(self) -> None:
        """Close it; later calls raise sqlite3.ProgrammingError."""
        with self._alone() as connection:
            connection.close()

    def value(self, key: str) -> str | None:
        """What is remembered under a key."""
        rows = self.query("SELECT value FROM meta WHERE key = ?", key)
        return str(rows[0][0]) if rows else None

    # Writing ------------------------------------------------------------------------------------------------------

    def keep_value(self, key: str, value: str) -> None:
        """Remember it under this key."""
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def forget_value(self, key: str) -> None:
        """Remember nothing under this key."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM meta WHERE key = ?", (key,))

    def camera_folder(self, uid: str, facility: str, folder: str) -> str:
        """The folder of a camera's footage: `folder` the first time (or, if another's, with a number), ever after
        what it was then. Keeps which facility it belongs to now.
        """
        with self.transaction() as connection:
            known = connection.execute("SELECT folder, facility FROM camera WHERE uid = ?", (uid,)).fetchone()
            if known is None:
                free, number = folder, 1
                while connection.execute("SELECT 1 FROM camera WHERE folder = ?", (free,)).fetchone():
                    number += 1
                    free = f"{folder}-{number}"
                connection.execute("INSERT INTO camera (uid, facility, folder) VALUES (?, ?, ?)", (uid, facility, free))
                return free
            if known[1] != facility:
                connection.execute("UPDATE camera SET facility = ? WHERE uid = ?", (facility, uid))
        return str(known[0])

    def keep_days(self, days: Mapping[str, int]) -> None:
        """Remember the days to keep by camera, also for the time when a camera is there no more."""
        with self.transaction() as connection:
            connection.executemany(
                "UPDATE camera SET days = ? WHERE uid = ? AND days IS NOT ?",
                [(kept, camera, kept) for camera, kept in days.items()],
            )

    def open_segment(self, camera: str, run: str, codec: str, init: bytes, start_us: int, path: str) -> int:
        """A file is about to be written; `path` is relative to the camera's folder. Returns its id."""
        with self.transaction() as connection:
            return insert(connection, camera, run, codec, init, start_us, path)

    def close_segment(self, number: int, closing: Closing, state: int = CLOSED) -> None:
        """Its file is whole and fsynced (promise I1)."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE segment SET start_us=?, end_us=?, bytes=?, pictures=?, sha256=?, fragments=?, state=? WHERE id=?",
                (
                    closing.start_us, closing.end_us, closing.size, closing.pictures, closing.sha256,
                    closing.fragments, state, number,
                ),
            )  # fmt: skip
            connection.execute(
                "UPDATE camera SET bytes = bytes + ? WHERE id = (SELECT camera FROM segment WHERE id = ?)",
                (closing.size, number),
            )

    def forget_empty(self, number: int) -> None:
        """Its file was taken away again before anything was written to it: no footage, so no deletion either."""
        with self.transaction() as connection:
            _delete(connection, connection.execute("SELECT id FROM segment WHERE id = ? AND bytes = 0", (number,)))

    def remove(self, rows: Sequence[Row], reason: str, at_us: int) -> None:
        """Footage is gone: its rows become deletions with their reason (promise I3), those that touch one of them."""
        with self.transaction() as connection:
            gone = _delete(connection, [(row.id,) for row in rows])
            deletions.enter(connection, deletions_of([row for row in rows if row.id in gone], reason, at_us))

    # Reading ------------------------------------------------------------------------------------------------------

    def deletions(self) -> list[Deletion]:
        """Everything that was deleted, by the order of its beginning. Raises sqlite3.Error."""
        return [
            Deletion(*row)
            for row in self.query(
                "SELECT camera, start_us, end_us, files, bytes, reason, at_us FROM deletion ORDER BY start_us, id"
            )
        ]

    def overlapping(self, camera: str, start_us: int, end_us: int, limit: int = 100_000) -> list[Row]:
        """Segments of a camera that overlap [start_us, end_us), oldest first. An open one's end is not known here."""
        rows = self.query(
            f"SELECT {_COLUMNS} {_FROM} WHERE camera.uid = ? AND start_us < ? AND start_us > ? "
            "AND (end_us > ? OR state = 0) ORDER BY start_us LIMIT ?",
            camera, end_us, start_us - LONGEST_US, start_us, limit,
        )  # fmt: skip
        return [Row(*row) for row in rows]

    def segment(self, number: int) -> Row | None:
        """One segment by its id."""
        rows = self.query(f"SELECT {_COLUMNS} {_FROM} WHERE segment.id = ?", number)
        return Row(*rows[0]) if rows else None

    def unfinished(self) -> list[Row]:
        """Segments that were never closed."""
        return [Row(*row) for row in self.query(f"SELECT {_COLUMNS} {_FROM} WHERE state = 0")]

    def oldest(self, camera: str, until_us: int, limit: int, after: tuple[int, int] = (0, 0)) -> list[Row]:
        """Closed segments of a camera that lie before `until_us` and begin after `after` (a start, and the id among
        those of the same), oldest first.
        """
        rows = self.query(
            f"SELECT {_COLUMNS} {_FROM} WHERE camera.uid = ? AND start_us >= ? AND (start_us, segment.id) > (?, ?) "
            "AND start_us < ? AND end_us <= ? AND state > 0 ORDER BY start_us, segment.id LIMIT ?",
            camera, after[0], *after, until_us, until_us, limit,
        )  # fmt: skip
        return [Row(*row) for row in rows]

    def following(self, number: int, limit: int) -> list[Row]:
        """Segments with a higher id, in their order: all, a step at a time."""
        rows = self.query(f"SELECT {_COLUMNS} {_FROM} WHERE segment.id > ? ORDER BY segment.id LIMIT ?", number, limit)
        return [Row(*row) for row in rows]

    def unread(self, limit: int) -> list[Row]:
        """Segments whose files were taken in but not read yet, the last taken in first."""
        rows = self.query(
            f"SELECT {_COLUMNS} {_FROM} WHERE sha256 IS NULL AND state > 0 ORDER BY segment.id DESC LIMIT ?", limit
        )
        return [Row(*row) for row in rows]

    def files(self, camera: str) -> list[tuple[str, int, int, int, int, bool]]:
        """Path, start, end, bytes, state of a camera's segments, and whether their files are still to be read, oldest
        first.
        """
        return self.query(
            f"SELECT {PATH}, start_us, end_us, segment.bytes, state, sha256 IS NULL AND state > 0 FROM segment "
            "JOIN camera ON camera.id = segment.camera WHERE uid = ? ORDER BY start_us",
            camera,
        )

    def init(self, number: int) -> bytes | None:
        """The init segment of a format."""
        rows = self.query("SELECT init FROM format WHERE id = ?", number)
        return bytes(rows[0][0]) if rows else None

    def count(self) -> int:
        """How many segments there are."""
        return int(self.query("SELECT coalesce(sum(segments), 0) FROM run")[0][0])

    def footage(self, facility: str) -> tuple[int, int | None]:
        """Bytes and oldest start of a facility's footage."""
        rows = self.query(
            "SELECT coalesce(sum(bytes), 0), min((SELECT min(start_us) FROM segment WHERE segment.camera = camera.id)) "
            "FROM camera WHERE facility = ?",
            facility,
        )
        size, oldest = rows[0]
        return int(size), oldest


def insert(
    connection: sqlite3.Connection, camera: str, run: str, codec: str, init: bytes, start_us: int, path: str
) -> int:
    """In a transaction: an open segment of a camera that is known. Returns its id. Raises sqlite3.Error."""
    connection.execute("INSERT OR IGNORE INTO format (codec, init) VALUES (?, ?)", (codec, init))
    connection.execute(
        "INSERT INTO run (camera, uid, segments) SELECT id, ?, 1 FROM camera WHERE uid = ? "
        "ON CONFLICT (camera, uid) DO UPDATE SET segments = segments + 1",
        (run, camera),
    )
    cursor = connection.execute(
        "INSERT INTO segment (camera, run, format, start_us, end_us, bytes, pictures, state, path, fragments) "
        "SELECT camera.id, run.id, format.id, ?, ?, 0, 0, 0, ?, x'' FROM camera, run, format "
        "WHERE camera.uid = ? AND run.camera = camera.id AND run.uid = ? AND format.init = ?",
        (start_us, start_us, path, camera, run, init),
    )
    # Without it, `lastrowid` would be that of another insert.
    if cursor.rowcount != 1 or cursor.lastrowid is None:
        raise sqlite3.IntegrityError(f"camera {camera} is not in the index")
    return cursor.lastrowid


def _delete(connection: sqlite3.Connection, numbers: Iterable[tuple[int]]) -> set[int]:
    """In a transaction: these segments are no more, nor runs that have no other. Returns those that there were."""
    found = set()
    for number in list(numbers):
        gone = connection.execute("DELETE FROM segment WHERE id = ? RETURNING camera, run, bytes, state", number)
        for camera, run, size, state in gone.fetchall():
            found.add(number[0])
            connection.execute("UPDATE run SET segments = segments - 1 WHERE id = ?", (run,))
            connection.execute("DELETE FROM run WHERE id = ? AND segments <= 0", (run,))
            if state != OPEN:
                connection.execute("UPDATE camera SET bytes = bytes - ? WHERE id = ?", (size, camera))
    return found
