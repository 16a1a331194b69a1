"""Where an export is written: a folder of files, or one uncompressed tar. Blocks.

What `add` returned from is on the disk. A file that fails half-way leaves nothing behind that counts. Everything here lies
in a folder that was made for this export, which is never made again: a disk that was pulled out must not have its mount
point filled. Whatever the disk says becomes an ExportError; what `pieces` raises is passed on.
"""

from collections.abc import Iterable, Iterator
import contextlib
import errno
import os
from pathlib import Path
import shutil
import tarfile
import time
from typing import Protocol

from ..archive.files import sync_folder
from .plan import ExportError

#: The tar while it is written.
_TAR = "footage.tar"
#: Put on the disk after so many bytes: a flood would hold up what is recorded.
_SYNCED = 32 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT}
_AWAY = {
    errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.EHOSTDOWN, errno.ENODEV, errno.ETIMEDOUT, errno.ENOTCONN, errno.EIO,
    errno.ENXIO,
}  # fmt: skip


class Target(Protocol):
    """What is written to."""

    def add(self, name: str, size: int, pieces: Iterable[bytes]) -> int:
        """Write a file of `size` bytes; returns where the next one begins."""

    def has(self, name: str, size: int, end: int, /) -> bool:
        """Whether a file that was added before, and ended at `end`, is still there, as far as its size tells."""

    def go_on(self, end: int) -> None:
        """Only what lies before `end` counts."""

    def finish(self, path: Path) -> None:
        """All is written: give it its name, which is free, beside the folder it was written in."""


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say in our words what a disk says. Raises ExportError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ExportError("no_room", folder=str(folder)) from error
        if error.errno in _AWAY:
            raise ExportError("destination_away", folder=str(folder)) from error
        raise ExportError("not_written", folder=str(folder), reason=error.strerror or type(error).__name__) from error


def _pour(fd: int, pieces: Iterable[bytes], folder: Path) -> int:
    """Write all pieces where `fd` stands; returns their bytes."""
    size = synced = 0
    for piece in pieces:
        with writing(folder):
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(fd, rest) :]
            size += len(piece)
            if size - synced >= _SYNCED:
                os.fdatasync(fd)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                synced = size
    return size


class FolderTarget:
    """Every file by itself."""

    def __init__(self, folder: Path) -> None:
        """`folder` is there already."""
        self._folder = folder

    def add(self, name: str, size: int, pieces: Iterable[bytes]) -> int:
        """See Target."""
        path = self._folder / name
        with writing(self._folder):
            if path.parent != self._folder:
                path.parent.mkdir(mode=0o750, exist_ok=True)
            path.unlink(missing_ok=True)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            if _pour(fd, pieces, self._folder) != size:
                raise ValueError(f"{name} is not {size} bytes long")
            with writing(self._folder):
                os.fsync(fd)
                sync_folder(path.parent)
        except BaseException:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)
        return 0

    def has(self, name: str, size: int, _end: int, /) -> bool:
        """See Target."""
        with writing(self._folder):
            try:
                return (self._folder / name).stat().st_size == size
            except FileNotFoundError:
                return False

    def go_on(self, end: int) -> None:
        """See Target."""

    def finish(self, path: Path) -> None:
        """See Target."""
        with writing(path.parent):
            self._folder.rename(path)
            sync_folder(path.parent)


class TarTarget:
    """One file of all files, each behind the other, so that it is gone on with where it was left."""

    def __init__(self, folder: Path, top: str) -> None:
        """`folder` is there already; names in the tar begin with `top`."""
        self._folder = folder
        self._top = top
        self._path = folder / _TAR
        self._end = 0

    def add(self, name: str, size: int, pieces: Iterable[bytes]) -> int:
        """See Target."""
        member = tarfile.TarInfo(f"{self._top}/{name}")
        member.size, member.mode, member.mtime = size, 0o640, int(time.time())
        head = member.tobuf(tarfile.PAX_FORMAT)
        with writing(self._folder):
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            with writing(self._folder):
                # What lies behind it was left half written: it is written over, and `finish` cuts off the rest.
                os.lseek(fd, self._end, os.SEEK_SET)
            written = _pour(fd, [head], self._folder) + _pour(fd, pieces, self._folder)
            if written != len(head) + size:
                raise ValueError(f"{name} is not {size} bytes long")
            written += _pour(fd, [bytes(-size % tarfile.BLOCKSIZE)], self._folder)
            with writing(self._folder):
                os.fsync(fd)
                if not self._end:
                    sync_folder(self._folder)
        finally:
            os.close(fd)
        self._end += written
        return self._end

    def has(self, _name: str, _size: int, end: int, /) -> bool:
        """See Target."""
        with writing(self._folder):
            try:
                return self._path.stat().st_size >= end
            except FileNotFoundError:
                return False

    def go_on(self, end: int) -> None:
        """See Target."""
        self._end = end

    def finish(self, path: Path) -> None:
        """See Target."""
        with writing(path.parent):
            with self._path.open("r+b") as file:
                file.truncate(self._end)
                file.seek(self._end)
                file.write(bytes(2 * tarfile.BLOCKSIZE))
                file.flush()
                os.fsync(file.fileno())
            self._path.rename(path)
            sync_folder(path.parent)


def remove(folder: Path) -> None:
    """Take an unfinished export away: nothing in it is the only copy of anything. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
