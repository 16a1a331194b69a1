"""Retention: the only thing that deletes footage. Oldest first, by days and by free space, each deletion with its reason.

Promise I3 (nothing vanishes). A pure policy over the index, with the time given, so that it is tested without waiting.
Each call is one small step, so that a write never waits long for it; call again while it deletes something. The file
goes before its row: a crash between them leaves a row whose file is gone, which the next step removes with its reason.
"""

import contextlib
import logging
from pathlib import Path

from . import deletions, journal
from .index import Index, Row

_LOGGER = logging.getLogger(__name__)

DAY_US = 86_400_000_000
#: Footage younger than this is never deleted, whatever the disk or the days say.
YOUNGEST_US = 3_600_000_000
#: So many files in a step.
STEP = 25


def delete_by_days(index: Index, root: Path, now_us: int) -> int:
    """One step: delete what is older than the camera's days to keep (those it had last, if it is there no more).
    Returns the number of files. Raises sqlite3.Error.
    """
    for camera, kept in index.days():
        before_us = now_us - max(kept * DAY_US, YOUNGEST_US)
        if rows := index.oldest(camera, before_us, STEP):
            return _delete(index, root, rows, "days", now_us)
    return 0


def delete_for_space(index: Index, root: Path, wanted: int, now_us: int) -> int:
    """One step: delete the oldest footage of all cameras until `wanted` bytes are freed. Returns the bytes.
    Raises sqlite3.Error.
    """
    freed = 0
    chosen: list[Row] = []
    for row in index.oldest(None, now_us - YOUNGEST_US, STEP):
        if freed >= wanted:
            break
        freed += row.size
        chosen.append(row)
    return freed if _delete(index, root, chosen, "space", now_us) else 0


def _delete(index: Index, root: Path, rows: list[Row], reason: str, now_us: int) -> int:
    gone = []
    # The journal first (promise I3).
    journal.append(root, now_us, deletions.entries(deletions.of_rows(rows, reason, now_us)))
    for row in rows:
        path = root / row.path
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            # One file that cannot be deleted holds up none of the others; it stays in the index.
            _LOGGER.warning("%s cannot be deleted: %s", path, error)
            continue
        gone.append(row)
        with contextlib.suppress(OSError):
            # The day's folder, once it is empty.
            path.parent.rmdir()
    index.remove(gone, reason, now_us)
    return len(gone)
