"""One file of footage while it is written. Everything here runs in the archive's writer thread.

Promise I1: closing fsyncs the file and its folder before the index says that it is closed. Promise I2: each fragment is
one write, and data is synced at least every 10 s. Promise I6: SHA-256 is taken of the bytes as they are written.
"""

import hashlib
import os
from pathlib import Path
import time

from ..playback import Fragment
from .fragments import pack_fragments
from .index import CLOSED, Closing, Index

SYNC_S = 8.0
#: The kernel takes so many parts in one call (IOV_MAX).
_PARTS = 1024


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
        self._entered = False
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
        """Write one fragment. After an error the file holds the fragments before it."""
        if self._pending:
            parts = [self._pending, *parts]
        try:
            size = self._write(parts)
        except OSError:
            os.ftruncate(self._fd, self.bytes)
            os.lseek(self._fd, self.bytes, os.SEEK_SET)
            raise
        for part in parts:
            self._hash.update(part)
        self._pending = b""
        self.bytes += size
        self.pictures += pictures
        self.duration_us += duration_us
        self.fragments.append(Fragment(self.bytes - self._told, duration_us, key))
        self._told = self.bytes
        if time.monotonic() - self._synced > SYNC_S:
            self.sync()

    def _write(self, parts: list[bytes]) -> int:
        """Write all parts, as a rule with one call; returns their size."""
        size = 0
        for start in range(0, len(parts), _PARTS):
            some = parts[start : start + _PARTS]
            wanted = sum(map(len, some))
            written = os.writev(self._fd, some)
            if written < wanted:
                rest = memoryview(b"".join(some))
                while written < wanted:
                    written += os.write(self._fd, rest[written:])
            size += wanted
        return size

    def sync(self) -> None:
        """Put what was written on the disk, the first time with the file's entry in its folder."""
        os.fdatasync(self._fd)
        # Footage is seldom read again soon: its pages are given back, and the machine's cache stays for others.
        os.posix_fadvise(self._fd, 0, self.bytes, os.POSIX_FADV_DONTNEED)
        if not self._entered:
            sync_folder(self._path.parent)
            self._entered = True
        self._synced = time.monotonic()

    def close(self, start_us: int, end_us: int) -> None:
        """Close it for good: file, folder, then the index. A file to which nothing was written is taken away again.
        Does nothing if it is closed.
        """
        if self._fd < 0:
            return
        try:
            if self.bytes:
                os.fsync(self._fd)
        finally:
            # Never again: the number may soon be another file's.
            fd, self._fd = self._fd, -1
            os.close(fd)
        if not self.bytes:
            self._path.unlink(missing_ok=True)
            self._index.forget_empty(self.number)
            return
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


def make_folder(root: Path, below: str) -> Path:
    """Make what is missing of the folders below `root`, which must be there, and put them on the disk. Raises OSError."""
    folder = root
    for part in below.split("/"):
        above, folder = folder, folder / part
        if not folder.is_dir():
            folder.mkdir()
            sync_folder(above)
    return folder
