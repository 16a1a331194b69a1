"""Files that were taken in are read wholly: fragments for playing, SHA-256, exact end. Bounded, and behind everything.

Promise I2: what stands behind the last whole fragment is cut off. Promise I6: a hash that is taken now says what was
found; that the bytes are those that were recorded, only one that was taken while they were written can say (the state
TAKEN_IN tells the two apart).
"""

from collections.abc import Callable, Iterator
import hashlib
import logging
import os
from pathlib import Path
import sqlite3

from .adoption import fit
from .fragments import pack_fragments
from .index import Closing, Index, Row
from .repair import read_fragments
from .survey import Findings

_LOGGER = logging.getLogger(__name__)

_PIECE = 1 << 20
_STEP = 20


class Rereading:
    """Reads what is to be read, the newest first: people look at that."""

    def __init__(
        self, index: Index, root: Path, findings: Findings, wait: Callable[[int], None], *, sync: bool = True
    ) -> None:
        """`wait` is called with each piece's bytes after it was read; it bounds the rate, and may raise to end this.
        Without `sync` the caller syncs all files in the end.
        """
        self._sync = sync
        self._index = index
        self._root = root
        self._findings = findings
        self._wait = wait
        #: Files read.
        self.files = 0

    def steps(self) -> Iterator[None]:
        """One file a step; what was read is entered some files at a time. Raises OSError for a disk that fails, and
        sqlite3.Error.
        """
        passed: set[int] = set()
        while rows := [row for row in self._index.unread(_STEP + len(passed)) if row.id not in passed]:
            read: list[tuple[Row, Closing]] = []
            for row in rows:
                try:
                    read.append((row, self._read(row)))
                except FileNotFoundError:
                    # The next survey says so.
                    passed.add(row.id)
                except PermissionError:
                    passed.add(row.id)
                    self._findings.add("unreadable", row.path)
                yield
            with self._index.transaction() as connection:
                for row, closing in read:
                    _enter(connection, row, closing)
            self.files += len(read)

    def _read(self, row: Row) -> Closing:
        path = self._root / row.path
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            # From beginning to end first, as disks like it; then the fragments' heads are in the machine's cache.
            digest, size = self._hash(fd)
            found = read_fragments(path, row.init_bytes)
            if found.fragments and found.bytes < size:
                self._findings.add("cut", row.path)
                _LOGGER.warning("%s is cut after its last whole fragment, %d of %d bytes", path, found.bytes, size)
                os.ftruncate(fd, found.bytes)
                digest, size = self._hash(fd)
            elif not found.fragments:
                # Nothing of it can be played; it is kept as long as other footage (promise I3).
                self._findings.add("damaged", row.path)
            if self._sync:
                # Promise I1, whoever wrote it.
                os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)
        start_us = found.start_us or row.start_us
        packed = pack_fragments(found.fragments)
        return Closing(start_us, start_us + found.duration_us, size, found.pictures, digest, packed)

    def _hash(self, fd: int) -> tuple[bytes, int]:
        """SHA-256 of all of a file, and how much that was."""
        digest, size = hashlib.sha256(), 0
        while piece := os.pread(fd, _PIECE, size):
            digest.update(piece)
            size += len(piece)
            self._wait(len(piece))
        return digest.digest(), size


def _enter(connection: sqlite3.Connection, row: Row, closing: Closing) -> None:
    changed = connection.execute(
        "UPDATE segment SET start_us = ?, end_us = ?, bytes = ?, pictures = ?, sha256 = ?, fragments = ? "
        "WHERE id = ? AND sha256 IS NULL",
        (
            closing.start_us, closing.end_us, closing.size, closing.pictures, closing.sha256, closing.fragments, row.id,
        ),
    )  # fmt: skip
    if changed.rowcount:
        connection.execute("UPDATE camera SET bytes = bytes + ? WHERE uid = ?", (closing.size - row.size, row.camera))
        fit(connection, row.id)
