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
from .files import FILES, Files, sync_folder
from .fragments import pack_fragments
from .identity import utc_us
from .index import CLOSED_AFTER_CRASH, Closing, Index, Row, deletions_of
from .volume import is_lost


@dataclass(slots=True)
class Found:
    """What a file holds up to its last whole fragment."""

    bytes: int
    start_us: int
    duration_us: int
    pictures: int
    fragments: list[Fragment]


#: More of a fragment's head than this is not read.
_MOOF_BYTES = 8 << 20
_PIECE = 1 << 20


def read_fragments(path: Path, init_bytes: int, files: Files = FILES) -> Found:
    """Walk the top-level boxes of one of our files. Raises OSError."""
    fd = files.open(path, os.O_RDONLY)
    try:
        return _walk(fd, init_bytes, files)
    finally:
        files.close(fd)


def _walk(fd: int, init_bytes: int, files: Files) -> Found:
    found = Found(0, 0, 0, 0, [])
    fragment_start = init_bytes
    fragment: tuple[int, int, bool] | None = None
    size = files.size(fd)
    position = 0
    while position + 8 <= size:
        head = files.read(fd, 8, position)
        if len(head) < 8:
            break
        length, name = struct.unpack(">I4s", head)
        if position == 0 and name != b"ftyp":
            # Not what we wrote: a bad disk.
            break
        if length < 8 or position + length > size:
            break
        if name == b"prft" and length >= 24:
            found.start_us = found.start_us or utc_us(files.read(fd, 24, position + 8))
        elif name == b"moof":
            fragment = _read_moof(files.read(fd, min(length - 8, _MOOF_BYTES), position + 8))
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


def _is_empty(fd: int, files: Files) -> bool:
    """Whether a file without a whole fragment has its head and the beginning of a fragment at most."""
    head = files.read(fd, 8, 0)
    return not head or head[4:] == b"ftyp"


def close_after_crash(index: Index, root: Path, row: Row, now_us: int, files: Files = FILES) -> None:
    """Cut, hash and close the file of a row that was left open. Raises OSError and sqlite3.Error."""
    path = root / row.path
    try:
        fd = files.open(path, os.O_RDWR)
    except FileNotFoundError:
        if not is_lost(root, path, files):
            raise
        lose(index, root, [row], now_us, files=files)
        return
    try:
        found = _walk(fd, row.init_bytes, files)
        empty = not found.fragments and _is_empty(fd, files)
        if not empty:
            digest = _cut_and_hash(fd, found, files)
    finally:
        files.close(fd)
    if empty:
        files.unlink(path)
        lose(index, root, [row], now_us, deletions.EMPTY, files)
        return
    # Promise I1: not before file and folder are on the disk.
    sync_folder(path.parent, files)
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


def _cut_and_hash(fd: int, found: Found, files: Files) -> bytes:
    """Cut the file behind its last whole fragment, put it on the disk, and take its SHA-256."""
    if not found.fragments:
        # Damaged from its beginning. Nothing of it can be played; it is kept as long as other footage (promise I3).
        found.bytes = files.size(fd)
    elif files.size(fd) > found.bytes:
        files.truncate(fd, found.bytes)
    files.sync(fd)
    digest, position = hashlib.sha256(), 0
    while piece := files.read(fd, _PIECE, position):
        digest.update(piece)
        position += len(piece)
    return digest.digest()


def lose(
    index: Index,
    root: Path,
    rows: Sequence[Row],
    now_us: int,
    reason: str = deletions.LOST,
    files: Files = FILES,
) -> None:
    """The files of these rows are gone, and not by our hand: a gap with a reason, in the journal and in the index.
    Raises OSError and sqlite3.Error.
    """
    # The journal first (promise I3): if the engine ends here, the next one finds the rows without files again.
    journal.append(root, now_us, deletions.entries(deletions_of(rows, reason, now_us)), files)
    index.remove(rows, reason, now_us)
