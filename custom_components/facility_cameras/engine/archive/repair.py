"""Files that were being written when the engine died: cut after their last whole fragment and closed. Blocks.

Promise I2: every frame up to the last finished fragment stays playable, in the file and in the index.
"""

from collections.abc import Sequence
from dataclasses import dataclass
import hashlib
import os
from pathlib import Path
import struct

from ..media import VIDEO_CLOCK
from ..playback import Fragment
from . import deletions, journal
from .fragments import pack_fragments
from .identity import utc_us
from .index import CLOSED_AFTER_CRASH, Closing, Index, Row
from .segment_file import sync_folder


@dataclass(slots=True)
class Found:
    """What a file holds up to its last whole fragment."""

    bytes: int
    start_us: int
    duration_us: int
    pictures: int
    fragments: list[Fragment]


def read_fragments(path: Path, init_bytes: int) -> Found:
    """Walk the top-level boxes of one of our files. Raises OSError."""
    found = Found(0, 0, 0, 0, [])
    fragment_start = init_bytes
    fragment: tuple[int, int, bool] | None = None
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        position = 0
        while position + 8 <= size:
            file.seek(position)
            length, name = struct.unpack(">I4s", file.read(8))
            if position == 0 and name != b"ftyp":
                # Not what we wrote: a bad disk.
                break
            if length < 8 or position + length > size:
                break
            if name == b"prft" and length >= 24:
                found.start_us = found.start_us or utc_us(file.read(24))
            elif name == b"moof":
                fragment = _read_moof(file.read(min(length - 8, 8 << 20)))
            elif name == b"mdat" and fragment is not None:
                ticks, pictures, key = fragment
                duration_us = ticks * 1_000_000 // VIDEO_CLOCK
                found.bytes = position + length
                found.duration_us += duration_us
                found.pictures += pictures
                found.fragments.append(Fragment(found.bytes - fragment_start, duration_us, key))
                fragment_start, fragment = found.bytes, None
            position += length
    return found


def _read_moof(body: bytes) -> tuple[int, int, bool] | None:
    """Ticks, pictures and key of the video in a moof of ours."""
    position = body.find(b"trun")
    if position < 0 or position + 16 > len(body):
        return None
    flags, count = struct.unpack_from(">II", body, position + 4)
    if flags & 0xFFFFFF != 0xF01 or position + 16 + count * 16 > len(body):
        return None
    entries = struct.unpack_from(f">{count * 4}I", body, position + 16)
    return sum(entries[::4]), count, bool(count and entries[2] == 0x02000000)


def _is_empty(path: Path) -> bool:
    """Whether a file without a whole fragment has its head and the beginning of a fragment at most."""
    with path.open("rb") as file:
        head = file.read(8)
    return not head or head[4:] == b"ftyp"


def close_after_crash(index: Index, root: Path, row: Row, now_us: int) -> None:
    """Cut, hash and close the file of a row that was left open. Raises OSError and sqlite3.Error."""
    path = root / row.path
    try:
        found = read_fragments(path, row.init_bytes)
    except FileNotFoundError:
        lose(index, root, [row], now_us)
        return
    if not found.fragments and _is_empty(path):
        path.unlink()
        lose(index, root, [row], now_us, deletions.EMPTY)
        return
    with path.open("r+b") as file:
        if found.fragments:
            file.truncate(found.bytes)
        else:
            # Damaged from its beginning. Nothing of it can be played; it is kept as long as other footage (promise I3).
            found.bytes = os.fstat(file.fileno()).st_size
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").digest()
    sync_folder(path.parent)
    start_us = found.start_us or row.start_us
    index.close_segment(
        row.id,
        Closing(
            start_us,
            start_us + found.duration_us,
            found.bytes,
            found.pictures,
            digest,
            pack_fragments(found.fragments),
        ),
        CLOSED_AFTER_CRASH,
    )


def lose(index: Index, root: Path, rows: Sequence[Row], now_us: int, reason: str = deletions.LOST) -> None:
    """The files of these rows are gone, and not by our hand: a gap with a reason, in the journal and in the index.
    Raises OSError and sqlite3.Error.
    """
    # The journal first (promise I3): if the engine ends here, the next one finds the rows without files again.
    journal.append(root, now_us, deletions.entries(deletions.of_rows(rows, reason, now_us)))
    index.remove(rows, reason, now_us)
