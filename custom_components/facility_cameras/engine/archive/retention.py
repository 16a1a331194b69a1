"""Retention: the only thing that deletes footage. Oldest first, by days and by free space, each deletion with its reason.

Promise I3 (nothing vanishes). A pure policy over the index, with the time given, so that it is tested without waiting.
"""

from collections.abc import Mapping
import contextlib
from pathlib import Path

from .index import Index, Row

DAY_US = 86_400_000_000
#: Footage younger than this is never deleted, whatever the disk says.
YOUNGEST_US = 3_600_000_000
#: So many files at a time: a deletion never holds the index for long.
STEP = 50


def delete_by_days(index: Index, root: Path, days: Mapping[str, int], now_us: int) -> int:
    """Delete what is older than each camera's days to keep. Returns the number of files."""
    deleted = 0
    by_days: dict[int, list[str]] = {}
    for camera, kept in days.items():
        by_days.setdefault(kept, []).append(camera)
    for kept, cameras in by_days.items():
        while rows := index.oldest(cameras, now_us - kept * DAY_US, STEP):
            deleted += _delete(index, root, rows, "older than the days to keep", now_us)
    return deleted


def delete_for_space(index: Index, root: Path, wanted: int, now_us: int) -> int:
    """Delete the oldest footage of all cameras until `wanted` bytes are freed. Returns the bytes."""
    freed = 0
    while freed < wanted and (rows := index.oldest(None, now_us - YOUNGEST_US, STEP)):
        chosen = []
        for row in rows:
            if freed >= wanted:
                break
            freed += row.size
            chosen.append(row)
        _delete(index, root, chosen, "to keep space free", now_us)
    return freed


def _delete(index: Index, root: Path, rows: list[Row], reason: str, now_us: int) -> int:
    for row in rows:
        path = root / row.path
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            # The day's folder, once it is empty.
            path.parent.rmdir()
    index.remove(rows, reason, now_us)
    return len(rows)
