"""One file of footage while it is written. Everything here runs in the archive's writer thread.

Promise I1: closing fsyncs the file and its folder before the index says that it is closed. Promise I2: each fragment is
one write, and data is synced at least every 10 s. Promise I6: SHA-256 is taken of the bytes as they are written.
"""

import hashlib
import os
from pathlib import Path
import time

from ..playback import Fragment
from .index import CLOSED, Closing, Index, pack_fragments

SYNC_S = 8.0


class SegmentFile:
    """An open file and its row in the index. Raises OSError and sqlite3.Error."""

    def __init__(self, index: Index, path: Path, number: int, start_us: int, init: bytes, identity: bytes) -> None:
        """Create the file, which must not exist; its head is written together with the first fragment."""
        self._index = index
        self._path = path
        self.number = number
        self.start_us = start_us
        self._hash = hashlib.sha256()
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._synced = time.monotonic()
        self._pending = init + identity
        #: Bytes on disk up to the last whole fragment; read by other threads.
        self.bytes = 0
        self.pictures = 0
        self.fragments: list[Fragment] = []
        # The identity box counts as part of the first fragment, the init segment does not (playback.py).
        self._told = len(init)
        #: Media duration so far, microseconds.
        self.duration_us = 0

    def write(self, data: bytes, duration_us: int, pictures: int, *, key: bool) -> None:
        """Write one fragment. After an error the file holds the fragments before it."""
        data = self._pending + data
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError:
            os.ftruncate(self._fd, self.bytes)
            raise
        self._hash.update(data)
        self._pending = b""
        self.bytes += len(data)
        self.pictures += pictures
        self.duration_us += duration_us
        self.fragments.append(Fragment(self.bytes - self._told, duration_us, key))
        self._told = self.bytes
        if time.monotonic() - self._synced > SYNC_S:
            self.sync()

    def sync(self) -> None:
        """Put what was written on the disk."""
        os.fdatasync(self._fd)
        self._synced = time.monotonic()

    def close(self, start_us: int, end_us: int) -> None:
        """Close it for good: file, folder, then the index."""
        try:
            os.fsync(self._fd)
        finally:
            os.close(self._fd)
        sync_folder(self._path.parent)
        closing = Closing(
            start_us, end_us, self.bytes, self.pictures, self._hash.digest(), pack_fragments(self.fragments)
        )
        self._index.close_segment(self.number, closing, CLOSED)


def sync_folder(folder: Path) -> None:
    """Put a folder's entries on the disk."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
