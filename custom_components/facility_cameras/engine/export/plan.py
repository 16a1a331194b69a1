"""What an export consists of: which files of the archive, and what else is known of the time that was asked for. Blocks.

Promise I6 (untouched): whole files as they were recorded, with the SHA-256 that was taken then; of a file that is still
being written, what is finished. Promise I3 (nothing vanishes): retention leaves alone what an export needs, by holds in
the index alone (not in the journal: they end with the export), so that they are neither listed nor copied as holds are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
import sqlite3
from typing import Protocol
from zoneinfo import ZoneInfo

from ..api_footage import Gap
from ..archive.duty import Duties, WrittenDuties
from ..archive.fragments import unpack_fragments
from ..archive.index import OPEN, Index, Row
from ..archive.repair import read_fragments
from ..archive.schema import EXPORT_HOLD
from ..archive.segment_file import SegmentFile
from ..folder_name import folder_name
from ..gaps import TRAIL_US, Piece, deleted, explained, merged, without
from ..lane_volumes import ExpectedError
from .names import stamp, unused

#: Files of one export. A camera has 1,440 a day.
MOST_FILES = 100_000
_DAY_US = 86_400_000_000


class Recorded(Protocol):
    """What is exported from: an archive, or (from a shell) its folder with a copy of its index."""

    @property
    def root(self) -> Path:
        """Where it lies."""

    @property
    def archive_id(self) -> str:
        """The id in its marker."""

    @property
    def index(self) -> Index | None:
        """None while it is away."""

    @property
    def open_files(self) -> Mapping[int, SegmentFile]:
        """Files that are being written by this process."""

    @property
    def duties(self) -> Duties | WrittenDuties:
        """What was to be recorded."""


class ExportError(ExpectedError):
    """It cannot go on now; `cause` and what its sentence needs. `lasting`: nor later."""

    def __init__(self, cause: str, *, lasting: bool = False, **placeholders: str) -> None:
        super().__init__(cause, placeholders)
        self.cause = cause
        self.placeholders = placeholders
        self.lasting = lasting


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: footage of [start_us, end_us), UTC microseconds; `source` relative to the archive, `name` to the export;
    `sha256` (hex) as taken when it was recorded, "" if it was not closed; `state` as in the index; `media_us` is how long
    it plays.
    """

    camera: str
    source: str
    name: str
    start_us: int
    end_us: int
    size: int
    sha256: str
    codec: str
    pictures: int
    state: int
    media_us: int


def index_of(archive: Recorded) -> Index:
    """Its index. Raises ExportError while the archive is away."""
    index = archive.index
    if index is None:
        raise ExportError("archive_away")
    return index


def entries(
    archive: Recorded, facility: str, cameras: Sequence[tuple[str, str]], start_us: int, end_us: int, zone: ZoneInfo
) -> list[Entry]:
    """Every file that overlaps [start_us, end_us) of these cameras (id and name), oldest first. Raises ExportError."""
    index = index_of(archive)
    found: list[Entry] = []
    folders: set[str] = set()
    try:
        owners = dict(index.query("SELECT uid, facility FROM camera"))
        for camera, name in cameras:
            if owners.get(camera, facility) != facility:
                raise ExportError("camera_elsewhere", lasting=True, camera=name)
            folder = unused(folder_name(name, camera), folders)
            folders.add(folder)
            used: set[str] = set()
            for row, size, ends_us, media_us, more in _rows(archive, index, camera, start_us, end_us):
                file = unused(f"{folder}_{stamp(row.start_us, zone)}", used, ".mp4")
                used.add(file)
                pictures, sha256 = more
                found.append(
                    Entry(
                        camera, row.path, f"{folder}/{file}", row.start_us, ends_us, size, sha256, row.codec, pictures,
                        row.state, media_us,
                    )
                )  # fmt: skip
                if len(found) > MOST_FILES:
                    raise ExportError("too_much", lasting=True, files=str(MOST_FILES))
    except sqlite3.Error as error:
        raise ExportError("archive_away") from error
    found.sort(key=lambda entry: (entry.start_us, entry.name))
    return found


def _rows(
    archive: Recorded, index: Index, camera: str, start_us: int, end_us: int
) -> Iterator[tuple[Row, int, int, int, tuple[int, str]]]:
    """Row, bytes, end, how long it plays, pictures and SHA-256. A day at a time: nobody waits long for the index."""
    seen: set[int] = set()
    for day_us in range(start_us, end_us, _DAY_US):
        # Taken before the index is asked: a file that is closed meanwhile still answers for its row.
        files = dict(archive.open_files)
        rows = index.overlapping(camera, day_us, min(day_us + _DAY_US, end_us))
        if not rows:
            continue
        more = {
            number: (pictures, sha256.hex() if sha256 else "")
            for number, pictures, sha256 in index.query(
                "SELECT id, pictures, sha256 FROM segment WHERE camera = (SELECT id FROM camera WHERE uid = ?) "
                "AND start_us >= ? AND start_us <= ?",
                camera, rows[0].start_us, rows[-1].start_us,
            )
        }  # fmt: skip
        for row in rows:
            if row.id in seen:
                continue
            seen.add(row.id)
            if row.state != OPEN:
                # One that was taken in and not read yet is as long as its times say.
                media_us = sum(fragment.duration_us for fragment in unpack_fragments(row.fragments))
                media_us = media_us or row.end_us - row.start_us
                yield row, row.size, row.end_us, media_us, more.get(row.id, (0, ""))
                continue
            file = files.get(row.id) or archive.open_files.get(row.id)
            if file is not None:
                fragments, pictures = tuple(file.fragments), file.pictures
                size = row.init_bytes + sum(fragment.bytes for fragment in fragments)
            else:
                # A crash left it open, and it was not repaired yet: what a repair will leave of it.
                try:
                    left = read_fragments(archive.root / row.path, row.init_bytes)
                except OSError:
                    continue  # told as a gap
                fragments, size, pictures = tuple(left.fragments), left.bytes, left.pictures
            media_us = sum(fragment.duration_us for fragment in fragments)
            if fragments and row.start_us + media_us > start_us:
                yield row, size, row.start_us + media_us, media_us, (pictures, "")


def gaps(
    archive: Recorded,
    camera: str,
    exported: Sequence[tuple[int, int]],
    missed: Sequence[Piece],
    start_us: int,
    end_us: int,
    planned_us: int,
) -> list[Gap]:
    """What of [start_us, end_us) is not `exported` (in order), each piece with its reason, as a camera's gaps are told;
    of what is `missed` we know why. What came after it was planned is not of this export. Raises ExportError.
    """
    index = index_of(archive)
    holes = without([(start_us, end_us)], merged(exported))
    try:
        gone = deleted(index, camera, start_us, end_us)
        duties = archive.duties.intervals(index, camera, start_us, min(end_us, planned_us - TRAIL_US))
        return explained(holes, [gone, missed], duties)
    except sqlite3.Error as error:
        raise ExportError("archive_away") from error


def deletions(archive: Recorded, camera: str, start_us: int, end_us: int) -> list[tuple[int, int, int, str, int]]:
    """Start, end, bytes, reason and time of what was deleted in a time, oldest first. Raises ExportError."""
    return _asked(
        archive,
        "SELECT start_us, end_us, bytes, reason, at_us FROM deletion WHERE camera = ? AND start_us < ? AND end_us > ? "
        "ORDER BY start_us",
        camera, end_us, start_us,
    )  # fmt: skip


def holds(archive: Recorded, camera: str, start_us: int, end_us: int) -> list[tuple[int, int, str, str, int]]:
    """Start, end, reason, who and time of the holds that keep footage of a time. Raises ExportError."""
    return _asked(
        archive,
        "SELECT start_us, end_us, reason, who, at_us FROM hold WHERE camera = ? AND start_us < ? AND end_us > ? "
        "AND released_us IS NULL AND uid NOT LIKE ? ORDER BY start_us",
        camera, end_us, start_us, f"{EXPORT_HOLD}%",
    )  # fmt: skip


def _asked[T](archive: Recorded, statement: str, *values: object) -> list[T]:
    try:
        return index_of(archive).query(statement, *values)
    except sqlite3.Error as error:
        raise ExportError("archive_away") from error


def protect(archive: Recorded, export: str, cameras: Sequence[str], start_us: int, end_us: int, now_us: int) -> None:
    """Have retention leave this footage alone until `release`; of one export, what was told last. Raises ExportError."""
    try:
        with index_of(archive).transaction() as connection:
            connection.executemany(
                "INSERT INTO hold (uid, camera, start_us, end_us, reason, who, at_us) "
                "VALUES (?, ?, ?, ?, 'export', '', ?) ON CONFLICT (uid) DO UPDATE SET start_us = excluded.start_us",
                [
                    (f"{EXPORT_HOLD}{export}-{place}", camera, start_us, end_us, now_us)
                    for place, camera in enumerate(cameras)
                ],
            )
    except sqlite3.Error as error:
        raise ExportError("archive_away") from error


def release(archive: Recorded, under_way: Sequence[str]) -> bool:
    """Retention may have what no export that is under way needs any more. False if the archive does not answer."""
    index = archive.index
    if index is None:
        return False
    try:
        kept = tuple(f"{EXPORT_HOLD}{export}-" for export in under_way)
        rows = index.query("SELECT uid FROM hold WHERE uid LIKE ?", f"{EXPORT_HOLD}%")
        over = [(uid,) for (uid,) in rows if not uid.startswith(kept)]
        if over:
            with index.transaction() as connection:
                connection.executemany("DELETE FROM hold WHERE uid = ?", over)
    except sqlite3.Error:
        return False
    return True


def source_of(archive: Recorded, entry: Entry) -> Path:
    """Where a file lies."""
    return archive.root / entry.source
