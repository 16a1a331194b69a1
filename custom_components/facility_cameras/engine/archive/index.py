"""The index of one archive: which footage there is, where it lies, and what was deleted and why. SQLite in the archive.

Promise I1 (durable): a row is closed only after its file and the file's folder were fsynced. Promise I3 (nothing
vanishes): a row of footage goes only together with a row in `deletion` that gives the reason.
Used from several threads, one at a time; every call blocks for some milliseconds at most, so not from the event loop.
Whoever waits for another's call longer than WAIT_S (a disk that does not answer) gets sqlite3.OperationalError.
"""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
from dataclasses import dataclass
from pathlib import Path
import sqlite3
import threading
from typing import Any

from ..playback import Fragment
from .schema import prepare

#: State of a row.
OPEN, CLOSED, CLOSED_AFTER_CRASH = 0, 1, 2
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


def pack_fragments(fragments: Sequence[Fragment]) -> bytes:
    """Sizes, durations (in 1/90000 s) and key flags as variable-length numbers: about seven bytes a fragment."""
    packed = bytearray()
    for fragment in fragments:
        for number in (fragment.bytes << 1 | fragment.key, round(fragment.duration_us * 9 / 100)):
            while number > 127:
                packed.append(number & 127 | 128)
                number >>= 7
            packed.append(number)
    return bytes(packed)


def unpack_fragments(packed: bytes) -> list[Fragment]:
    """The reverse of `pack_fragments`."""
    numbers: list[int] = []
    number = shift = 0
    for byte in packed:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            numbers.append(number)
            number = shift = 0
    return [
        Fragment(size >> 1, round(ticks * 100 / 9), bool(size & 1))
        for size, ticks in zip(numbers[::2], numbers[1::2], strict=False)
    ]


_COLUMNS = (
    "segment.id, camera.uid, run, format, format.codec, length(format.init), start_us, end_us, segment.bytes, state, "
    "camera.folder || '/' || path, fragments"
)
_FROM = "FROM segment JOIN camera ON camera.id = segment.camera JOIN format ON format.id = segment.format"


class Index:
    """One open index."""

    def __init__(self, path: Path) -> None:
        """Open or create it. Raises sqlite3.Error."""
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

    def close(self) -> None:
        """Close it; later calls raise sqlite3.ProgrammingError."""
        with self._alone() as connection:
            connection.close()

    # Writing ------------------------------------------------------------------------------------------------------

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
            connection.execute("INSERT OR IGNORE INTO format (codec, init) VALUES (?, ?)", (codec, init))
            cursor = connection.execute(
                "INSERT INTO segment (camera, run, format, start_us, end_us, bytes, pictures, state, path, fragments) "
                "SELECT camera.id, ?, format.id, ?, ?, 0, 0, 0, ?, x'' FROM camera, format "
                "WHERE camera.uid = ? AND format.init = ?",
                (run, start_us, start_us, path, camera, init),
            )
            # Without it, `lastrowid` would be that of another insert.
            if cursor.rowcount != 1 or cursor.lastrowid is None:
                raise sqlite3.IntegrityError(f"camera {camera} is not in the index")
        return cursor.lastrowid

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
            connection.execute("DELETE FROM segment WHERE id = ? AND bytes = 0", (number,))

    def remove(self, rows: Sequence[Row], reason: str, at_us: int) -> None:
        """Footage is gone: each row becomes a deletion with its reason (promise I3)."""
        with self.transaction() as connection:
            for row in rows:
                connection.execute(
                    "INSERT INTO deletion (camera, path, start_us, end_us, bytes, reason, at_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (row.camera, row.path, row.start_us, row.end_us, row.size, reason, at_us),
                )
                connection.execute("DELETE FROM segment WHERE id = ?", (row.id,))
                connection.execute("UPDATE camera SET bytes = bytes - ? WHERE uid = ?", (row.size, row.camera))

    # Reading ------------------------------------------------------------------------------------------------------

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

    def oldest(self, camera: str | None, before_us: int, limit: int) -> list[Row]:
        """Closed segments that ended before a time and no hold keeps, oldest first; of one camera only, if given."""
        of_camera = "" if camera is None else "AND camera.uid = ?"
        rows = self.query(
            f"SELECT {_COLUMNS} {_FROM} WHERE start_us < ? AND end_us < ? AND state > 0 {of_camera} "
            "AND NOT EXISTS (SELECT 1 FROM hold WHERE released_us IS NULL AND hold.camera = camera.uid "
            "AND hold.start_us < segment.end_us AND hold.end_us > segment.start_us) "
            "ORDER BY start_us LIMIT ?",
            before_us, before_us, *(() if camera is None else (camera,)), limit,
        )  # fmt: skip
        return [Row(*row) for row in rows]

    def days(self) -> list[tuple[str, int]]:
        """Cameras with the days their footage is kept: where not known (a camera that was removed at once), the most
        that are known of another.
        """
        rows = self.query("SELECT uid, coalesce(days, (SELECT max(days) FROM camera)) FROM camera")
        return [(uid, kept) for uid, kept in rows if kept is not None]

    def init(self, number: int) -> bytes | None:
        """The init segment of a format."""
        rows = self.query("SELECT init FROM format WHERE id = ?", number)
        return bytes(rows[0][0]) if rows else None

    def footage(self, facility: str) -> tuple[int, int | None]:
        """Bytes and oldest start of a facility's footage."""
        rows = self.query(
            "SELECT coalesce(sum(bytes), 0), min((SELECT min(start_us) FROM segment WHERE segment.camera = camera.id)) "
            "FROM camera WHERE facility = ?",
            facility,
        )
        size, oldest = rows[0]
        return int(size), oldest

    def deletions(self) -> list[tuple[str, str, str]]:
        """Camera, path and reason of everything that was deleted, oldest first."""
        return [tuple(row) for row in self.query("SELECT camera, path, reason FROM deletion ORDER BY id")]
