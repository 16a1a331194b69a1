"""Questions about footage, answered from the index and from the files being written. Blocks: called in a thread."""

import sqlite3

from .api import Segment, Span
from .archive.archive import Archive
from .archive.index import OPEN, Row, unpack_fragments
from .playback import PlaySegment, playlist

#: Footage with a hole no larger than this is one span.
JOIN_US = 1_000_000
LISTED = 2_000


def _now(archive: Archive, row: Row) -> tuple[int, int]:
    """End (UTC microseconds) and bytes of a row by now."""
    file = archive.open_files.get(row.id) if row.state == OPEN else None
    if file is None:
        return row.end_us, row.size
    return row.start_us + file.duration_us, file.bytes


def spans(archive: Archive, camera: str, start_us: int, end_us: int) -> list[Span]:
    """Footage of a camera in [start_us, end_us), joined where it has no hole."""
    found: list[Span] = []
    for row in _rows(archive, camera, start_us, end_us):
        end, _ = _now(archive, row)
        if end <= row.start_us:
            continue
        if found and row.start_us - found[-1]["end"] <= JOIN_US:
            found[-1]["end"] = max(found[-1]["end"], end)
        else:
            found.append({"start": row.start_us, "end": end})
    return found


def segments(archive: Archive, camera: str, start_us: int, end_us: int) -> list[Segment]:
    """Segments of a camera that overlap [start_us, end_us), oldest first."""
    return [_segment(archive, row) for row in _rows(archive, camera, start_us, end_us)[:LISTED]]


def segment(archive: Archive, number: int) -> Segment | None:
    """One segment by its id."""
    index = archive.index
    try:
        row = index.segment(number) if index is not None else None
    except sqlite3.Error:
        return None
    return _segment(archive, row) if row is not None else None


def media_playlist(archive: Archive, camera: str, start_us: int, end_us: int) -> str | None:
    """The HLS playlist of [start_us, end_us), None if there is no footage."""
    found = []
    for row in _rows(archive, camera, start_us, end_us):
        end, _ = _now(archive, row)
        file = archive.open_files.get(row.id) if row.state == OPEN else None
        fragments = tuple(file.fragments) if file is not None else unpack_fragments(row.fragments)
        if fragments:
            found.append(
                PlaySegment(row.id, row.format, row.start_us, end, file is not None, row.init_bytes, fragments)
            )
    return playlist(found, start_us, end_us)


def _rows(archive: Archive, camera: str, start_us: int, end_us: int) -> list[Row]:
    index = archive.index
    if index is None:
        return []
    try:
        return [row for row in index.overlapping(camera, start_us, end_us) if _now(archive, row)[0] > start_us]
    except sqlite3.Error:
        return []


def _segment(archive: Archive, row: Row) -> Segment:
    end, size = _now(archive, row)
    return {
        "id": row.id,
        "camera": row.camera,
        "start": row.start_us,
        "end": end,
        "bytes": size,
        "codec": row.codec,
        "path": str(archive.root / row.path),
        "open": row.state == OPEN,
    }
