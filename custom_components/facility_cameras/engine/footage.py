"""Questions about footage, answered from the index and from the files being written. Blocks: called in a thread."""

from collections.abc import Mapping
import sqlite3

from .api_footage import Nearest, Segment, Size, Span
from .archive.archive import Archive
from .archive.fragments import read_fragments
from .archive.index import LONGEST_US, OPEN, TAKEN_IN, Index, Row
from .archive.segment_file import SegmentFile
from .playback import Fragment, PlaySegment, playlist
from .unread import Unread

#: Footage with a hole no larger than one picture is one span.
JOIN_US = 40_000
LISTED = 2_000
#: For a playlist, files that were not read yet are read for so long at most, seconds.
UNREAD_S = 3.0
#: Answered from the index of segments by time alone: the segments themselves lie all over the file.
_SPANS = (
    "SELECT segment.id, start_us, end_us, state, codec FROM segment JOIN format ON format.id = segment.format "
    "WHERE camera = (SELECT id FROM camera WHERE uid = ?) AND start_us < ? AND start_us > ? "
    "AND (end_us > ? OR state = 0) ORDER BY start_us LIMIT 100000"
)
_PLAYED = (
    "SELECT segment.id, run, format, start_us, end_us, state, length(init), fragments FROM segment "
    "JOIN format ON format.id = segment.format WHERE camera = (SELECT id FROM camera WHERE uid = ?) "
    "AND start_us < ? AND start_us > ? AND (end_us > ? OR state = 0) ORDER BY start_us LIMIT 100000"
)
_SIZES = (
    "SELECT id, start_us, bytes FROM segment WHERE camera = (SELECT id FROM camera WHERE uid = ?) "
    "AND start_us < ? AND start_us > ? AND (end_us > ? OR state = 0) ORDER BY start_us LIMIT 1440"
)
#: Some segments beside a time are looked at: the newest may be an empty one, or one that ends before another.
_BEFORE = (
    "SELECT id, start_us, end_us, state FROM segment WHERE camera = (SELECT id FROM camera WHERE uid = ?) "
    "AND start_us <= ? ORDER BY start_us DESC LIMIT 8"
)
_AFTER = (
    "SELECT id, start_us, end_us, state FROM segment WHERE camera = (SELECT id FROM camera WHERE uid = ?) "
    "AND start_us > ? ORDER BY start_us LIMIT 8"
)


type _Found = list[tuple[Row, SegmentFile | None]]


def stored(archive: Archive, facility: str) -> tuple[int, int | None]:
    """Bytes and oldest start (UTC microseconds) of a facility's closed footage."""
    index = archive.index
    try:
        return index.footage(facility) if index is not None else (0, None)
    except sqlite3.Error:
        return 0, None


def spans(archive: Archive, camera: str, start_us: int, end_us: int) -> list[Span]:
    """Footage of a camera within [start_us, end_us), joined where it has no hole and one codec. A file that is being
    written counts up to its newest fragment.
    """
    end_us = max(end_us, start_us + 1)
    found: list[Span] = []
    for begin, end, codec in _pieces(archive, _SPANS, camera, end_us, start_us - LONGEST_US, start_us):
        if end <= start_us:
            continue
        begin, end = max(begin, start_us), min(end, end_us)
        newest = found[-1] if found else None
        if newest is not None and begin - newest["end"] <= JOIN_US and newest["codec"] == codec:
            newest["end"] = max(newest["end"], end)
        elif newest is None or end > newest["end"]:
            found.append({"start": begin if newest is None else max(begin, newest["end"]), "end": end, "codec": codec})
    return found


def nearest(archive: Archive, camera: str, at_us: int) -> Nearest:
    """Where footage is nearest to a time: the time itself on both sides if there is footage of it."""
    before = max((end for _begin, end, _ in _pieces(archive, _BEFORE, camera, at_us)), default=None)
    if before is not None and before > at_us:
        return {"before": at_us, "after": at_us}
    after = min((begin for begin, _end, _ in _pieces(archive, _AFTER, camera, at_us)), default=None)
    return {"before": before, "after": after}


def size(archive: Archive, camera: str, start_us: int, end_us: int) -> Size:
    """Bytes and number of the files of a camera that overlap [start_us, end_us), each as a whole."""
    index = archive.index
    found: Size = {"bytes": 0, "files": 0}
    if index is None:
        return found
    writing = dict(archive.open_files)
    after_us = start_us - LONGEST_US
    try:
        # Step by step: these rows lie all over the index, and who records must not wait for all of them.
        while rows := index.query(_SIZES, camera, end_us, after_us, start_us):
            for number, _start_us, closed in rows:
                file = writing.get(number)
                found["bytes"] += closed if file is None else file.bytes
                found["files"] += 1
            after_us = rows[-1][1]
    except sqlite3.Error:
        return {"bytes": 0, "files": 0}
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
    """The HLS playlist of [start_us, end_us), None if there is no footage. A time without length is its microsecond."""
    end_us = max(end_us, start_us + 1)
    index = archive.index
    if index is None:
        return None
    # Taken before the index is asked: a file that is closed meanwhile still answers for its row.
    before = dict(archive.open_files)
    try:
        rows = index.query(_PLAYED, camera, end_us, start_us - LONGEST_US, start_us)
    except sqlite3.Error:
        return None
    found = []
    unread = Unread(archive.root, UNREAD_S)
    for number, run, format_id, begin, end, state, init_bytes, packed in rows:
        file = (before.get(number) or archive.open_files.get(number)) if state == OPEN else None
        if file is None:
            if end > start_us and packed:
                found.append(PlaySegment(number, run, format_id, begin, end, False, init_bytes, read_fragments(packed)))
            elif end > start_us and state == TAKEN_IN and (read := _read_now(index, number, unread)):
                end = begin + sum(fragment.duration_us for fragment in read)
                found.append(PlaySegment(number, run, format_id, begin, end, False, init_bytes, read))
        else:
            # Also one that was only just begun: it tells that the playlist still grows.
            fragments = tuple(file.fragments)
            end = begin + sum(fragment.duration_us for fragment in fragments)
            found.append(PlaySegment(number, run, format_id, begin, end, True, init_bytes, fragments))
    return playlist(found, start_us, end_us)


def _read_now(index: Index, number: int, unread: Unread) -> list[Fragment]:
    try:
        row = index.segment(number)
    except sqlite3.Error:
        return []
    return unread.fragments(row) if row is not None else []


def _pieces(archive: Archive, statement: str, camera: str, *values: int) -> list[tuple[int, int, str]]:
    """Start, end and codec ("" where it was not asked for) of what a statement finds, as far as it holds footage."""
    index = archive.index
    if index is None:
        return []
    # Taken before the index is asked: a file that is closed meanwhile still answers for its row.
    before = dict(archive.open_files)
    try:
        rows = index.query(statement, camera, *values)
    except sqlite3.Error:
        return []
    found: list[tuple[int, int, str]] = []
    for number, start_us, end_us, state, *codec in rows:
        if state == OPEN and (file := before.get(number) or archive.open_files.get(number)) is not None:
            end_us = start_us + file.duration_us
        if end_us > start_us:
            found.append((start_us, end_us, codec[0] if codec else ""))
    return found


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
