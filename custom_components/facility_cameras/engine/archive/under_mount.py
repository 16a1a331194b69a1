"""Footage that lies under the volume: in the folder over which it is mounted, where nobody sees it any more.

It was written by an older set-up, or while the volume was not mounted, and takes room on the system's disk. The kernel
shows it through a copy of the mount around it, without what is mounted below (open_tree); that takes the rights of an
administrator, which a container may not have. Where it cannot be looked under, nothing is known and nothing claimed.

Promise I3 (nothing vanishes): a file is deleted there only after its copy is whole and on the disk here.
"""

from collections.abc import Callable, Iterator
import contextlib
import ctypes
import errno
import logging
import os
from pathlib import Path
import threading
import time

from ..fmp4 import IDENTITY
from .files import FILES, Files, Folders, sync_folder

#: System calls have one number on all machines since Linux 5.
_OPEN_TREE, _AT_FDCWD, _CLONE = 428, -100, 1
_HEAD_BYTES = 64 << 10
_PIECE = 1 << 20
#: More files than this are not counted.
MOST = 1_000_000
#: So many bytes a second are moved.
RATE = 20 << 20
_BLANKS = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))

_LOGGER = logging.getLogger(__name__)


def mount_point(folder: Path, mountinfo: Path = Path("/proc/self/mountinfo")) -> Path | None:
    """Where the volume of a folder is mounted; None if it is the root. Raises OSError."""
    best: Path | None = None
    for line in mountinfo.read_text(errors="surrogateescape").splitlines():
        fields = line.split()
        if len(fields) < 5:
            continue
        text = fields[4]
        for code, sign in _BLANKS:
            text = text.replace(code, sign)
        point = Path(text)
        if (
            folder.is_relative_to(point)
            and point != Path("/")
            and (best is None or len(point.parts) >= len(best.parts))
        ):
            best = point
    return best


@contextlib.contextmanager
def under(root: Path) -> Iterator[Path | None]:
    """The folder that `root` would be without the volume that is mounted over it, as a path that can be used meanwhile;
    None if there is none, or it cannot be seen. Raises OSError.
    """
    root = root.resolve()
    point = mount_point(root)
    fd = _clone(point.parent) if point is not None else -1
    if point is None or fd < 0:
        yield None
        return
    try:
        folder = Path(f"/proc/self/fd/{fd}") / root.relative_to(point.parent)
        # What lies there may be a link to anywhere.
        plain = folder.resolve() == Path(f"/proc/self/fd/{fd}").resolve() / root.relative_to(point.parent)
        there = plain and folder.is_dir()
        # A folder that is mounted over itself hides nothing: what is seen there is what is seen here.
        yield folder if there and not folder.samefile(root) else None
    finally:
        os.close(fd)


def _clone(folder: Path) -> int:
    """The mount around a folder, from there on, without what is mounted below; -1 where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(folder), _CLONE | os.O_CLOEXEC))


def footage(folder: Path) -> Iterator[tuple[Path, int]]:
    """Files of ours below a folder, and their sizes; links are not followed. Raises OSError."""
    for number, path in enumerate(sorted(folder.rglob("*.mp4", recurse_symlinks=False))):
        if number >= MOST:
            return
        if path.is_file(follow_symlinks=False) and _is_ours(path):
            yield path, path.stat().st_size


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return head[4:8] == b"ftyp" and IDENTITY in head


def hidden(root: Path) -> tuple[int, int]:
    """How many files of ours lie under the volume of `root`, and their bytes. Blocks. Raises OSError."""
    with under(root) as folder:
        sizes = [size for _, size in footage(folder)] if folder is not None else []
    return len(sizes), sum(sizes)


def bring_back(root: Path, wait: Callable[[int], None], files: Files = FILES) -> int:
    """Move what lies under the volume of `root` into it; returns how many files. `wait` is called with each piece's
    bytes; it bounds the rate, and may raise to end this: what was moved is. Blocks. Raises OSError.
    """
    moved = 0
    device = files.device(root)
    with under(root) as folder:
        if folder is None:
            return 0
        folders = Folders(root, files)
        for path, _ in footage(folder):
            day = path.parent.relative_to(folder)
            place = folders.make(day.as_posix()) if day.parts else root
            _copy(path, _free(place, path.stem, files), wait, files)
            if files.device(root) != device:
                raise OSError(errno.ENODEV, "the volume went away")
            path.unlink()
            moved += 1
            with contextlib.suppress(OSError):
                # The day's folder, once it is empty.
                path.parent.rmdir()
    return moved


def _free(place: Path, name: str, files: Files) -> Path:
    number = 0
    while files.exists(path := place / f"{name}{f'-{number}' if number else ''}.mp4"):
        number += 1
    return path


def _copy(path: Path, to: Path, wait: Callable[[int], None], files: Files) -> None:
    """Copy a file, on the disk when this returns; until it is whole it has another name."""
    part = to.with_name(f"{to.name}.part")
    fd = files.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                wait(len(piece))
                rest = memoryview(piece)
                while rest:
                    rest = rest[files.write(fd, rest) :]
        files.sync(fd)
    finally:
        files.close(fd)
    files.rename(part, to)
    sync_folder(to.parent, files)


class Hidden:
    """What lies under one archive's volume; looked at, and moved, in a thread of its own."""

    def __init__(self, root: Path, name: str, files: Files = FILES) -> None:
        """`name` is the thread's."""
        self._root = root
        self._name = name
        self._files = files
        self._thread: threading.Thread | None = None
        #: How many files, and their bytes, as last seen.
        self.found = 0, 0

    def look(self) -> None:
        """Look again, behind."""
        self._begin(lambda: None)

    def bring_back(self, then: Callable[[], None]) -> None:
        """Move it all into the volume, behind; `then` is called in that thread if something was moved."""

        def move() -> None:
            moved = bring_back(self._root, lambda size: time.sleep(size / RATE), self._files)
            _LOGGER.info("archive %s: %d files were moved from under the volume", self._root, moved)
            if moved:
                then()

        self._begin(move)

    def _begin(self, work: Callable[[], None]) -> None:
        if self._thread is not None and self._thread.is_alive():
            return

        def run() -> None:
            try:
                work()
                self.found = hidden(self._root)
            except OSError as error:
                _LOGGER.warning("archive %s: what lies under the volume: %s", self._root, error)

        self._thread = threading.Thread(target=run, name=self._name, daemon=True)
        self._thread.start()
