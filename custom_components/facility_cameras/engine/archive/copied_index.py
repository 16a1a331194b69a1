"""A copy of an archive's index, to be read while an engine holds the original.

The engine opens it so that nobody else can (locking_mode=EXCLUSIVE: network shares have no shared memory), so the file
is copied with its log of writes, and copied again if it was written to in the meantime. The archive's lock is not
touched: who only reads must never keep an engine from recording.
"""

from collections.abc import Iterator
import contextlib
import os
from pathlib import Path
import shutil
import tempfile
import time

from .index import Index
from .opening import INDEX

_TRIES = 20
#: What a log of writes begins with; another one, once it was begun anew.
_LOG_HEAD = 32


@contextlib.contextmanager
def copied_index(root: Path) -> Iterator[Index]:
    """The index as it was a moment ago; an empty one if there is none. What is done to it is done to nothing else.
    Raises OSError and sqlite3.Error, also for an index of a newer engine.
    """
    with tempfile.TemporaryDirectory(prefix="facility-cameras-") as folder:
        path = Path(folder) / INDEX
        if (root / INDEX).exists():
            _copy(root, path)
        index = Index(path)
        try:
            yield index
        finally:
            index.close()


def _copy(root: Path, to: Path) -> None:
    for _ in range(_TRIES):
        before = _state(root)
        shutil.copyfile(root / INDEX, to)
        log = Path(f"{to}-wal")
        log.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            # What is appended meanwhile is no harm: each entry has a checksum, and the last whole one counts.
            shutil.copyfile(root / f"{INDEX}-wal", log)
        if _state(root) == before:
            return
        time.sleep(0.05)
    raise OSError(f"{root / INDEX} is written to all the time, it cannot be copied")


def _state(root: Path) -> tuple[int, int, bytes]:
    told = (root / INDEX).stat()
    head = b""
    with contextlib.suppress(FileNotFoundError), (root / f"{INDEX}-wal").open("rb") as file:
        head = os.pread(file.fileno(), _LOG_HEAD, 0)
    return told.st_mtime_ns, told.st_size, head
