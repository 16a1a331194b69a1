"""Makes an archive's index again from the files and the journal beside them, while no engine holds the archive.

Promise I1 (durable). The new index is made beside the old one and takes its place when it is complete: whoever ends this
in the middle loses nothing.
"""

from collections.abc import Callable, Iterator
import contextlib
import fcntl
import os
from pathlib import Path

from . import duty, recall
from .files import sync_folder
from .index import Index
from .opening import INDEX, close_index, rename_index
from .rereading import Rereading
from .survey import Findings, Survey

LOCK = ".lock"
_MADE, _BEFORE = "index.rebuilt.sqlite3", "index.before-rebuild.sqlite3"


class HeldError(Exception):
    """An engine holds the archive."""


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """No engine records into the archive, nor begins to. Raises HeldError and OSError."""
    lock = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HeldError(f"an engine holds {root}") from error
        yield
    finally:
        os.close(lock)


def is_held(root: Path) -> bool:
    """Whether an engine records into the archive. Raises OSError."""
    try:
        lock = os.open(root / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Given back at once. An engine that starts in this very moment tries again soon after (archive.py, LOCKED_S).
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def rebuild(root: Path, wait: Callable[[int], None], progress: Callable[[int, int], None]) -> Findings:
    """Do it. `wait` is called with the bytes of each piece that was read, `progress` with what is done of how much.
    Raises HeldError, OSError and sqlite3.Error.
    """
    with locked(root), contextlib.ExitStack() as undone:
        undone.callback(_remove, root)
        _remove(root)
        index = Index(root / _MADE)
        undone.callback(index.close)
        # Who has the power cut begins again: only what takes the old one's place in the end must be on the disk.
        index.query("PRAGMA synchronous=NORMAL")
        for _ in recall.take_journal(index, root):
            pass
        duty.recall(index, root)
        survey = Survey(index, root)
        for _ in survey.steps():
            progress(0, survey.files)
        rereading = Rereading(index, root, survey.findings, wait, sync=False)
        for _ in rereading.steps():
            progress(rereading.files, survey.files)
        close_index(index, root)
        # The files too (promise I1), all at once: nobody records meanwhile.
        os.sync()
        for name, to in ((INDEX, _BEFORE), (_MADE, INDEX)):
            rename_index(root, name, to)
        sync_folder(root)
    return survey.findings


def _remove(root: Path) -> None:
    for end in ("-wal", ""):
        (root / f"{_MADE}{end}").unlink(missing_ok=True)
