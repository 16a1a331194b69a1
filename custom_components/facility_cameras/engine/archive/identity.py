"""Whose footage a file is, by what it says itself: the identity box behind its head (fmp4.py) and its first time.

Files come from outside: every size in them is bounded, a link is never followed.
"""

from dataclasses import dataclass
import json
import os
from pathlib import Path
import struct

from ..clock import NTP_EPOCH
from ..fmp4 import IDENTITY

#: A head of ours (ftyp, moov, identity and the first fragment's time) ends long before.
_HEAD_BYTES = 64 << 10
#: Ids longer than this are none of ours.
_ID_CHARACTERS = 64
#: Sample entries of the formats that we write.
_CODECS = {b"avc1": "h264", b"hvc1": "h265"}


@dataclass(frozen=True, slots=True)
class Head:
    """The ids of the camera and of the run, the codec ("" if it is not known), ftyp + moov; when the first picture was
    shown (UTC microseconds), and of the whole file its size in bytes and when it was last written to.
    """

    camera: str
    run: str
    codec: str
    init: bytes
    start_us: int
    size: int
    written_us: int


def read_head(path: Path) -> Head | None:
    """What the head of a file says; None if it is no footage of ours. One small read. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        content = os.pread(fd, _HEAD_BYTES, 0)
        told = os.fstat(fd)
    finally:
        os.close(fd)
    boxes: dict[bytes, tuple[int, int]] = {}
    position = 0
    while position + 8 <= len(content):
        length, name = struct.unpack_from(">I4s", content, position)
        if length < 8 or position + length > len(content):
            break
        boxes.setdefault(name, (position, position + length))
        position += length
        if name == b"prft":
            break
    if list(boxes)[:4] != [b"ftyp", b"moov", b"uuid", b"prft"]:
        return None
    ids = _ids(content[slice(*boxes[b"uuid"])])
    stamp = content[slice(*boxes[b"prft"])]
    if ids is None or len(stamp) < 24:
        return None
    init = content[: boxes[b"moov"][1]]
    return Head(*ids, _codec(init), init, utc_us(stamp[8:]), told.st_size, told.st_mtime_ns // 1000)


def utc_us(stamp: bytes) -> int:
    """The time in what a prft box holds, at least 16 bytes, in UTC microseconds."""
    seconds, fraction = struct.unpack_from(">II", stamp, 8)
    # The exact reverse of how fmp4.py writes it, which rounds down.
    return int((seconds - NTP_EPOCH) * 1_000_000 + (fraction * 1_000_000 + 0xFFFFFFFF >> 32))


def _ids(box: bytes) -> tuple[str, str] | None:
    if box[8:24] != IDENTITY:
        return None
    try:
        told = json.loads(box[24:])
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    camera, run = told.get("camera"), told.get("run")
    if not isinstance(camera, str) or not isinstance(run, str):
        return None
    if not camera or max(len(camera), len(run)) > _ID_CHARACTERS or not (camera + run).isprintable():
        return None
    return camera, run


def _codec(init: bytes) -> str:
    return next((codec for entry, codec in _CODECS.items() if entry in init), "")
