"""Reads our own footage back: what an init segment says of its tracks, and which samples a fragment holds, and where.

Nothing is decoded and no picture is read: only boxes, as fmp4.py writes them. Footage may be damaged, so everything
that is read is checked before it is believed. Blocks: not for the event loop.
"""

from collections.abc import Iterator
from dataclasses import dataclass
import os
import struct

#: The codecs' names in the engine, by their sample entries.
CODECS = {b"avc1": "h264", b"hvc1": "h265"}
VIDEO, AUDIO = b"vide", b"soun"

#: A fragment's boxes before its pictures lie within this as a rule: one read.
_HEAD_BYTES = 4096
#: No moof of ours is larger: thousands of samples.
_MOOF_BYTES = 8 << 20


class BadFootageError(ValueError):
    """These bytes are not what the engine writes."""


@dataclass(frozen=True, slots=True)
class TrackInit:
    """One track as its init segment describes it. `entry` is its sample entry, whole; `width` and `height` are pixels
    as shown, in 1/65536.
    """

    number: int
    handler: bytes
    clock: int
    entry: bytes
    width: int
    height: int

    @property
    def codec(self) -> str | None:
        """`h264` or `h265`, None for anything else."""
        return CODECS.get(self.entry[4:8])

    @property
    def coded_size(self) -> tuple[int, int]:
        """Width and height of the pictures, in pixels, before they are shown with their aspect."""
        width, height = struct.unpack_from(">HH", self.entry, 32)
        return width, height


@dataclass(frozen=True, slots=True)
class TrackSamples:
    """Samples of one track in one fragment, in decode order: `decode` is the first one's time in the track's clock,
    `offset` where its bytes begin in the file; the others follow. `shifts` are presentation minus decode time.
    """

    decode: int
    offset: int
    durations: tuple[int, ...]
    sizes: tuple[int, ...]
    keys: tuple[bool, ...] = ()
    shifts: tuple[int, ...] = ()


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Name, and first and last position of the content, of each whole box in `data`."""
    stop = len(data) if end is None else end
    while start + 8 <= stop:
        size, name = struct.unpack_from(">I4s", data, start)
        if size < 8 or start + size > stop:
            return
        yield name, start + 8, start + size
        start += size


def _inside(data: bytes, span: tuple[int, int], *path: bytes) -> tuple[int, int]:
    """The content of the first box that lies at this path. Raises BadFootageError."""
    for name in path:
        found = next(((first, last) for box, first, last in boxes(data, *span) if box == name), None)
        if found is None:
            raise BadFootageError(f"no {name.decode()}")
        span = found
    return span


def read_init(init: bytes) -> list[TrackInit]:
    """The tracks of an init segment. Raises BadFootageError."""
    tracks = []
    movie = _inside(init, (0, len(init)), b"moov")
    try:
        for name, first, last in boxes(init, *movie):
            if name != b"trak":
                continue
            span = first, last
            header, _ = _inside(init, span, b"tkhd")
            media, _ = _inside(init, span, b"mdia", b"mdhd")
            handler, _ = _inside(init, span, b"mdia", b"hdlr")
            described, until = _inside(init, span, b"mdia", b"minf", b"stbl", b"stsd")
            (number,) = struct.unpack_from(">I", init, header + 12)
            (clock,) = struct.unpack_from(">I", init, media + 12)
            width, height = struct.unpack_from(">II", init, header + 76)
            entry = init[described + 8 : until]
            if not clock or len(entry) < 36:
                raise BadFootageError("a track without clock or sample entry")
            tracks.append(TrackInit(number, init[handler + 8 : handler + 12], clock, entry, width, height))
    except struct.error as error:
        raise BadFootageError("broken off") from error
    return tracks


def parameter_sets(track: TrackInit) -> list[bytes]:
    """The NAL units that a decoder needs before the first picture, in order. Raises BadFootageError."""
    # The configuration follows the 78 bytes that every video sample entry begins with (ISO/IEC 14496-12, 12.1.3).
    name = b"avcC" if track.codec == "h264" else b"hvcC"
    first, last = _inside(track.entry, (8 + 78, len(track.entry)), name)
    body = memoryview(track.entry)[first:last]
    units: list[bytes] = []
    try:
        if track.codec == "h264":
            at = _units(body, 6, body[5] & 0x1F, units)
            _units(body, at + 1, body[at], units)
        else:
            at = 23
            for _ in range(body[22]):
                (count,) = struct.unpack_from(">H", body, at + 1)
                at = _units(body, at + 3, count, units)
    except (struct.error, IndexError) as error:
        raise BadFootageError("broken off") from error
    return units


def _units(body: memoryview, at: int, count: int, units: list[bytes]) -> int:
    """Take `count` NAL units with lengths of two bytes before them; returns where the next thing begins."""
    for _ in range(count):
        (length,) = struct.unpack_from(">H", body, at)
        if at + 2 + length > len(body):
            raise BadFootageError("a parameter set is broken off")
        units.append(bytes(body[at + 2 : at + 2 + length]))
        at += 2 + length
    return at


def read_fragment(fd: int, offset: int, size: int) -> dict[int, TrackSamples]:
    """The samples of the fragment at `offset`, `size` bytes long, by track number. Raises OSError, BadFootageError."""
    data = os.pread(fd, min(size, _HEAD_BYTES), offset)
    at = 0
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if length < 8 or at + length > size:
            break
        if name == b"moof":
            if length > _MOOF_BYTES:
                break
            if at + length + 8 > len(data):
                data = os.pread(fd, min(size, at + length + 8), offset)
            try:
                return _read_moof(data, at, length, offset, size)
            except struct.error as error:
                raise BadFootageError("broken off") from error
        at += length
    raise BadFootageError("no moof where the index says")


def _read_moof(data: bytes, at: int, length: int, offset: int, size: int) -> dict[int, TrackSamples]:
    found: dict[int, TrackSamples] = {}
    if len(data) < at + length + 8:
        raise BadFootageError("broken off")
    payload, name = struct.unpack_from(">I4s", data, at + length)
    first_byte, last_byte = offset + at + length + 8, offset + at + length + payload
    if name != b"mdat" or payload < 8 or at + length + payload > size:
        raise BadFootageError("no mdat behind the moof")
    for box, first, last in boxes(data, at + 8, at + length):
        if box != b"traf":
            continue
        header, _ = _inside(data, (first, last), b"tfhd")
        decode, _ = _inside(data, (first, last), b"tfdt")
        run, end = _inside(data, (first, last), b"trun")
        (number,) = struct.unpack_from(">I", data, header + 4)
        (decode_time,) = struct.unpack_from(">Q", data, decode + 4)
        flags, count, place = struct.unpack_from(">IIi", data, run)
        video = flags & 0xFFFFFF == 0xF01
        fields = 4 if video else 2
        if (not video and flags & 0xFFFFFF != 0x301) or run + 12 + 4 * fields * count != end or not count:
            raise BadFootageError("a trun that is not ours")
        entries = struct.unpack_from(f">{'IIIi' * count if video else 'II' * count}", data, run + 12)
        sizes, start = entries[1::fields], offset + at + place
        if start < first_byte or start + sum(sizes) > last_byte:
            raise BadFootageError("samples outside of their fragment")
        found[number] = TrackSamples(
            decode_time,
            start,
            entries[0::fields],
            sizes,
            tuple(not flag & 0x10000 for flag in entries[2::4]) if video else (),
            entries[3::4] if video else (),
        )
    return found


def begins_sequence(codec: str | None, fd: int, offset: int, size: int) -> bool:
    """Whether the key picture at `offset` begins everything anew (IDR, BLA): one that does not (a recovery point, CRA)
    may be put behind the pictures it followed, but not behind others. Raises OSError.
    """
    data = os.pread(fd, min(size, _HEAD_BYTES), offset)
    at = 0
    while at + 5 <= len(data):
        if codec == "h264":
            if 1 <= (kind := data[at + 4] & 0x1F) <= 5:
                return kind == 5
        elif (kind := data[at + 4] >> 1 & 0x3F) < 32:
            return 16 <= kind <= 20
        at += 4 + int.from_bytes(data[at : at + 4])
    return False
