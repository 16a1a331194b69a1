"""Questions about footage, answered from the index and from the files being written. Blocks: called in a thread."""

from collections.abc import Mapping
import sqlite3

from .api import Segment, Span
from .archive.archive import Archive
from .archive.fragments import unpack_fragments
from .archive.index import OPEN, Row
from .archive.segment_file import SegmentFile
from .playback import PlaySegment, playlist

#: Footage with a hole no larger than this is one span.
JOIN_US = 1_000_000
LISTED = 2_000


type _Found = list[tuple[Row, SegmentFile | None]]


def spans(archive: Archive, camera: str, start_us: int, end_us: int) -> list[Span]:
    """Footage of a camera in [start_us, end_us), joined where it has no hole."""
    found: list[Span] = []
    for row, file in _rows(archive, camera, start_us, end_us):
        end = _end(row, file)
        if end <= row.start_us:
            continue
        if found and row.start_us - found[-1]["end"] <= JOIN_US:
            found[-1]["end"] = max(found[-1]["end"], end)
        else:
            found.append({"start": row.start_us, "end": end})
    return found


def segments(archive: Archive, camera: str, start_us: int, end_us: int) -> list[Segment]:
    """Segments of a camera that overlap [start_us, end_us), oldest first."""
    rows = _rows(archive, camera, start_us, end_us)
    return [_segment(archive, row, file) for row, file in rows if _end(row, file) > row.start_us][:LISTED]


def segment(archive: Archive, number: int) -> Segment | None:
    """One segment by its id."""
    index = archive.index
    try:
        row = index.segment(number) if index is not None else None
    except sqlite3.Error:
        return None
    return _segment(archive, row, _file(archive.open_files, row)) if row is not None else None


def init(archive: Archive, number: int) -> bytes | None:
    """The init segment of a format."""
    index = archive.index
    try:
        return index.init(number) if index is not None else None
    except sqlite3.Error:
        return None


def media_playlist(archive: Archive, camera: str, start_us: int, end_us: int) -> str | None:
    """The HLS playlist of [start_us, end_us), None if there is no footage."""
    found = []
    for row, file in _rows(archive, camera, start_us, end_us):
        fragments = tuple(file.fragments) if file is not None else unpack_fragments(row.fragments)
        # A file that was only just begun tells that the playlist still grows.
        if fragments or file is not None:
            end = _end(row, file)
            found.append(
                PlaySegment(row.id, row.format, row.start_us, end, file is not None, row.init_bytes, fragments)
            )
    return playlist(found, start_us, end_us)


def _rows(archive: Archive, camera: str, start_us: int, end_us: int) -> _Found:
    """Rows that overlap, each with its file if it is being written."""
    index = archive.index
    if index is None:
        return []
    # Taken before the index is asked: a file that is closed meanwhile still answers for its row.
    before = dict(archive.open_files)
    try:
        rows = index.overlapping(camera, start_us, end_us)
    except sqlite3.Error:
        return []
    found = [(row, _file(before, row) or _file(archive.open_files, row)) for row in rows]
    return [(row, file) for row, file in found if file is not None or _end(row, file) > start_us]


def _file(files: Mapping[int, SegmentFile], row: Row) -> SegmentFile | None:
    return files.get(row.id) if row.state == OPEN else None


def _end(row: Row, file: SegmentFile | None) -> int:
    """End, UTC microseconds, by now."""
    return row.end_us if file is None else row.start_us + file.duration_us


def _segment(archive: Archive, row: Row, file: SegmentFile | None) -> Segment:
    return {
        "id": row.id,
        "camera": row.camera,
        "start": row.start_us,
        "end": _end(row, file),
        "bytes": row.size if file is None else file.bytes,
        "codec": row.codec,
        "path": str(archive.root / row.path),
        "open": file is not None,
    }
