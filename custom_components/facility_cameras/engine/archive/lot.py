"""A lot of footage on its way to being deleted, as the journal tells it; and what of it a crash left undone.

Promise I3: the lot stands in the journal before the first of its files goes.
"""

from collections.abc import Callable
import contextlib
from dataclasses import dataclass, field
import errno
import logging
from pathlib import Path
from typing import Any

from . import journal
from .files import Files
from .index import LONGEST_US, Index, Row
from .retention import Intervals, Reason
from .stuck import ERRORS

_LOGGER = logging.getLogger(__name__)

#: A segment, and why its file could not be deleted; None where it was.
type Deleted = tuple[Row, OSError | None]


@dataclass(slots=True)
class Lot:
    """Footage that was chosen: `rows`, oldest last, is still to be deleted; the files of `gone` are, and those of `lost`
    were before.
    """

    reason: Reason
    rows: list[Row]
    gone: list[Row] = field(default_factory=list)
    lost: list[Row] = field(default_factory=list)
    #: Whether it stands in the journal: before, no file of it goes.
    entered: bool = False

    def enter(self, root: Path, now_us: int, entries: list[dict[str, object]], files: Files) -> list[Deleted]:
        """Enter it in the journal. Raises OSError."""
        try:
            journal.append(root, now_us, entries, files)
            self.entered = True
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            # There is no room even for the entry. One file goes before it: nothing else could make any.
            self.entered = True
            deleted = [_unlink(files, root, self.rows[-1])]
            with contextlib.suppress(OSError):
                journal.append(root, now_us, entries, files)
                return deleted
            # The others stay; the next lot is tried once there is more.
            del self.rows[:-1]
            return deleted
        return []

    def delete(self, root: Path, late: Callable[[], bool], files: Files) -> list[Deleted]:
        """Delete its files, oldest first, until it is `late` or one fails for a reason that is not its own."""
        deleted: list[Deleted] = []
        for row in reversed(self.rows):
            deleted.append(_unlink(files, root, row))
            error = deleted[-1][1]
            if late() or (error is not None and error.errno not in (*ERRORS, errno.ENOENT)):
                break
        return deleted


def _unlink(files: Files, root: Path, row: Row) -> Deleted:
    try:
        files.unlink(root / row.path)
    except OSError as error:
        return row, error
    return row, None


def entries(root: Path, lot: Lot, kept_out: Intervals) -> list[dict[str, object]]:
    """A lot as the journal tells it: by camera, as ranges that hold nothing but what is deleted."""
    found: list[dict[str, Any]] = []
    for row in sorted(lot.rows, key=lambda row: (row.camera, row.start_us, row.id)):
        size = row.size or _size(root / row.path)
        last = found[-1] if found else None
        if (
            last is not None
            and last["camera"] == row.camera
            and row.start_us - last["end"] < LONGEST_US
            and not any(last["start"] < start_us <= row.start_us for start_us, _ in kept_out.get(row.camera, []))
        ):
            last |= {"end": max(last["end"], row.end_us), "files": last["files"] + 1, "bytes": last["bytes"] + size}
            continue
        found.append(
            {
                "what": "delete",
                "camera": row.camera,
                "start": row.start_us,
                "end": row.end_us,
                "files": 1,
                "bytes": size,
                "reason": lot.reason.value,
            }
        )
    return list(found)


def _size(path: Path) -> int:
    """Bytes of a file whose row does not tell: it was left open."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def finish(index: Index, root: Path, now_us: int) -> None:
    """Remove the rows of the newest lot in the journal whose files are gone: the engine ended before it could. Where the
    file is still there it is chosen again, if it is still due. Raises sqlite3.Error and OSError.
    """
    newest: list[dict[str, Any]] = []
    for entry in journal.newest(root):
        if entry.get("what") == "delete":
            newest = [*newest, entry] if newest and newest[0]["at"] == entry["at"] else [entry]
    for entry in newest:
        camera, start_us, end_us, why = (entry.get(key) for key in ("camera", "start", "end", "reason"))
        if not isinstance(start_us, int) or not isinstance(end_us, int) or why not in list(Reason):
            continue
        rows = index.overlapping(str(camera), start_us, max(end_us, start_us + 1))
        gone = [row for row in rows if row.start_us >= start_us and not (root / row.path).exists()]
        if gone:
            index.remove(gone, Reason(str(why)), now_us)
            _LOGGER.info("archive %s: %d files had been deleted: %s", root, len(gone), why)
