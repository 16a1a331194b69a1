"""The one place through which the archive touches files while it records, closes, repairs and deletes.

Nothing here decides anything: each method is one system call, so that a test can let any of them fail, or end the
process at it, and see that the promises hold. Everything blocks, and raises OSError.
"""

from collections.abc import Sequence
import fcntl
import hashlib
import os
from pathlib import Path


class Files:
    """The real ones."""

    def open(self, path: Path, flags: int) -> int:
        """Open a file or folder; one that is made is for the owner and his group alone."""
        return os.open(path, flags | os.O_CLOEXEC, 0o640)

    def writev(self, fd: int, parts: Sequence[bytes]) -> int:
        """Write parts in one go; returns how many bytes the kernel took."""
        return os.writev(fd, parts)

    def write(self, fd: int, content: bytes | memoryview) -> int:
        """Write; returns how many bytes the kernel took."""
        return os.write(fd, content)

    def read(self, fd: int, size: int, position: int) -> bytes:
        """So many bytes from `position`, fewer at the file's end."""
        return os.pread(fd, size, position)

    def size(self, fd: int) -> int:
        """The size of an open file."""
        return os.fstat(fd).st_size

    def truncate(self, fd: int, size: int) -> None:
        """Cut a file, and write on from there."""
        os.ftruncate(fd, size)
        os.lseek(fd, size, os.SEEK_SET)

    def sync(self, fd: int) -> None:
        """Put a file or folder on the disk."""
        os.fsync(fd)

    def sync_data(self, fd: int) -> None:
        """Put what is needed to read a file back on the disk."""
        os.fdatasync(fd)

    def forget(self, fd: int, size: int) -> None:
        """Footage is seldom read again soon: its pages are given back, and the machine's cache stays for others."""
        os.posix_fadvise(fd, 0, size, os.POSIX_FADV_DONTNEED)

    def close(self, fd: int) -> None:
        """Close; the number is free also where this raises."""
        os.close(fd)

    def lock(self, fd: int) -> None:
        """Lock a file for this process alone, without waiting: BlockingIOError where another holds it."""
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def exists(self, path: Path) -> bool:
        """Whether something is there."""
        try:
            os.lstat(path)
        except FileNotFoundError:
            return False
        return True

    def device(self, path: Path) -> int:
        """The number of the file system that a path lies on."""
        return path.stat().st_dev

    def space(self, path: Path) -> os.statvfs_result:
        """Room on the volume of a path."""
        return os.statvfs(path)

    def mkdir(self, path: Path) -> None:
        """Make a folder; its parent must be there."""
        path.mkdir()

    def rmdir(self, path: Path) -> None:
        """Take an empty folder away."""
        path.rmdir()

    def unlink(self, path: Path) -> None:
        """Delete a file."""
        path.unlink()

    def rename(self, path: Path, target: Path) -> None:
        """Give a file another name; what had that name is gone."""
        path.rename(target)


#: What everything uses that is not given another.
FILES = Files()


def sync_folder(folder: Path, files: Files = FILES) -> None:
    """Put a folder's entries on the disk. Raises OSError."""
    fd = files.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        files.sync(fd)
    finally:
        files.close(fd)


def read_whole(path: Path, most: int, files: Files = FILES) -> bytes:
    """The first `most` bytes of a small file. Raises OSError."""
    fd = files.open(path, os.O_RDONLY)
    try:
        return files.read(fd, most, 0)
    finally:
        files.close(fd)


def replace_file(path: Path, content: bytes, files: Files = FILES) -> None:
    """Write a small file anew: after a crash or a power cut there is the old one or the new one. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    fd = files.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        while content:
            content = content[files.write(fd, content) :]
        files.sync(fd)
    finally:
        files.close(fd)
    files.rename(new, path)
    sync_folder(path.parent, files)


def file_about(folder: Path, kind: str, name: str) -> Path:
    """Where something about an archive is noted: `name` (its id, its path) comes from outside, and is no file name."""
    return folder / f"{kind}-{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"


class Folders:
    """The folders below an archive's root, which are on the disk before a file in them counts as being there.

    Promise I1: a folder that was found may have been made just before a power cut, so each is synced once by us.
    """

    def __init__(self, root: Path, files: Files = FILES) -> None:
        """`root` must be there: it is never made."""
        self._root = root
        self._files = files
        self._synced: set[Path] = set()

    def make(self, below: str) -> Path:
        """Make what is missing of the folders `below` the root, and put it on the disk. Raises OSError."""
        folder = self._root
        for part in below.split("/"):
            above, folder = folder, folder / part
            there = self._files.exists(folder)
            if there and folder in self._synced:
                continue
            if not there:
                self._files.mkdir(folder)
            sync_folder(above, self._files)
            self._synced.add(folder)
        return folder
