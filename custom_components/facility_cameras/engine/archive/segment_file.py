"""One file of footage while it is written. Everything here runs in the archive's writer thread.

Promise I1: closing fsyncs the file and its folder before the index says that it is closed. Promise I2: each fragment is
one write, and data is synced at least every 10 s. Promise I6: SHA-256 is taken of the bytes as they are written.
"""

import hashlib
import os
from pathlib import Path

from ..clock import Clock
from ..playback import Fragment
from .files import FILES, Files, sync_folder
from .fragments import pack_fragments
from .index import CLOSED, Closing, Index

SYNC_S = 8.0
#: The kernel takes so many parts in one call (IOV_MAX).
_PARTS = 1024


class SegmentFile:
    """An open file and its row in the index. Raises OSError and sqlite3.Error. After an error it is only to be closed."""

    def __init__(
        self,
        index: Index,
        path: Path,
        number: int,
        start_us: int,
        init: bytes,
        identity: bytes,
        clock: Clock,
        files: Files = FILES,
    ) -> None:
        """Create the file, which must not exist; its head is written together with the first fragment."""
        self._index = index
        self._path = path
        self._files = files
        self._clock = clock
        self.number = number
        self.start_us = start_us
        self._hash = hashlib.sha256()
        self._fd = files.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        self._synced = self._clock.monotonic()
        self._entered = False
        #: Behind the last whole fragment stands a part of one.
        self._torn = False
        self._pending = init + identity
        #: Bytes on disk up to the last whole fragment; read by other threads.
        self.bytes = 0
        self.pictures = 0
        self.fragments: list[Fragment] = []
        # The identity box counts as part of the first fragment, the init segment does not (playback.py).
        self._told = len(init)
        #: Media duration so far, microseconds.
        self.duration_us = 0

    def write(self, parts: list[bytes], duration_us: int, pictures: int, *, key: bool) -> None:
        """Write one fragment. After an error the file holds the fragments before it, and nothing of this one."""
        if self._pending:
            parts = [self._pending, *parts]
        try:
            size = self._write(parts)
        except OSError:
            self._torn = True
            raise
        for part in parts:
            self._hash.update(part)
        if self._pending:
            # The first fragment's beginning is older than the file (promise I2).
            self._synced -= duration_us / 1e6
            self._pending = b""
        self.bytes += size
        self.pictures += pictures
        self.duration_us += duration_us
        self.fragments.append(Fragment(self.bytes - self._told, duration_us, key))
        self._told = self.bytes

    def _write(self, parts: list[bytes]) -> int:
        """Write all parts, as a rule with one call; returns their size."""
        size = 0
        for start in range(0, len(parts), _PARTS):
            some = parts[start : start + _PARTS]
            wanted = sum(map(len, some))
            written = self._files.writev(self._fd, some)
            if written < wanted:
                rest = memoryview(b"".join(some))
                while written < wanted:
                    written += self._files.write(self._fd, rest[written:])
            size += wanted
        return size

    @property
    def sync_due(self) -> bool:
        """Whether what was written is to be synced now (promise I2)."""
        return self._clock.monotonic() - self._synced > SYNC_S

    def sync(self) -> None:
        """Put what was written on the disk, the first time with the file's entry in its folder."""
        self._files.sync_data(self._fd)
        self._files.forget(self._fd, self.bytes)
        if not self._entered:
            sync_folder(self._path.parent, self._files)
            self._entered = True
        self._synced = self._clock.monotonic()

    def close(self, start_us: int, end_us: int) -> None:
        """Close it for good: file, folder, then the index. A file to which nothing was written is taken away again.
        Where this raises, the row stays open and is for the repair. Does nothing if it is closed.
        """
        if self._fd < 0:
            return
        try:
            if self._torn and self.bytes:
                self._files.truncate(self._fd, self.bytes)
            if self.bytes:
                self._files.sync(self._fd)
        finally:
            # Never again: the number may soon be another file's.
            fd, self._fd = self._fd, -1
            self._files.close(fd)
        if not self.bytes:
            if self._files.exists(self._path):
                self._files.unlink(self._path)
            self._index.forget_empty(self.number)
            return
        # Promise I1: not before file and folder are on the disk.
        sync_folder(self._path.parent, self._files)
        closing = Closing(
            start_us, end_us, self.bytes, self.pictures, self._hash.digest(), pack_fragments(self.fragments)
        )
        self._index.close_segment(self.number, closing, CLOSED)
