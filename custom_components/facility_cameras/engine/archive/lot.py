"""A lot of footage on its way to being deleted, as the journal tells it; and what of it a crash left undone.

Promise I3: the lot stands in the journal before the first of its files goes.
"""

from dataclasses import dataclass, field
import logging
from pathlib import Path
from typing import Any

from . import journal
from .index import LONGEST_US, Index, Row
from .retention import Intervals, Reason

_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class Lot:
    """Footage that was chosen: `rows`, oldest last, is still to be deleted; the files of `gone` are, and those of `lost`
    were before.
    """

    reason: Reason
    rows: list[Row]
    gone: list[Row] = field(default_factory=list)
    lost: list[Row] = field(default_factory=list)


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
