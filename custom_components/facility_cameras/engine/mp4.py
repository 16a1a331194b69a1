"""Plain MP4 (ISO/IEC 14496-12): one header with every sample's time, size and place, then all samples.

That is what plays everywhere: in a phone's gallery, in a messenger, in a browser that fetches it in ranges. Sample entries
are taken over as they were recorded and no sample is touched (promise I6). Decode times begin at 0 and composition
offsets are never negative, for old players read them as unsigned; an edit list puts the first picture back at 0 and ends
the film after the last picture that is wanted.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
import struct
import sys

from .fmp4 import box, full_box
from .fmp4_read import VIDEO, TrackInit
from .media import VIDEO_CLOCK

#: The movie's own clock: video times are exact in it.
CLOCK = VIDEO_CLOCK
#: Seconds between 1904, where MP4 begins to count, and 1970.
_EPOCH_S = 2_082_844_800
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_U32 = 0xFFFFFFFF


@dataclass(slots=True)
class Track:
    """Samples of one track, in decode order. `decode` are times since the film's beginning in the track's own clock (may
    begin below 0), `shifts` presentation minus decode time (empty: all 0), `keys` numbers of key samples, from 1 (not
    used for sound). `chunks` are samples that lie together: where in the payload, and how many.
    """

    init: TrackInit
    decode: array[int] = field(default_factory=lambda: array("q"))
    shifts: array[int] = field(default_factory=lambda: array("i"))
    sizes: array[int] = field(default_factory=lambda: array("I"))
    keys: array[int] = field(default_factory=lambda: array("I"))
    chunks: list[tuple[int, int]] = field(default_factory=list)
    #: How long the last sample lasts, in the track's clock.
    last_duration: int = 1
    #: When nothing of the track is shown any more, in the track's clock since the film's beginning; 0: after its last.
    shown_until: int = 0

    @property
    def end(self) -> int:
        """When its last sample ends, in the track's clock since the film's beginning."""
        return (self.decode[-1] + self.last_duration) if self.decode else 0


def header(tracks: Sequence[Track], payload_bytes: int, begun_us: int) -> bytes:
    """Everything before the payload: ftyp, moov, and the head of an mdat with `payload_bytes`.

    `begun_us` (UTC microseconds) is told as the time of creation, which galleries show.
    """
    # Places are counted from the file's beginning, so the header's own size must be known: it depends on nothing but
    # whether places need four bytes or eight.
    wide = payload_bytes + sum(64 + 32 * len(track.sizes) for track in tracks) + 4096 > _U32
    size = len(_header(tracks, payload_bytes, begun_us, 0, wide=wide))
    return _header(tracks, payload_bytes, begun_us, size, wide=wide)


def _header(tracks: Sequence[Track], payload_bytes: int, begun_us: int, payload: int, *, wide: bool) -> bytes:
    created = begun_us // 1_000_000 + _EPOCH_S
    made = [_track(number, track, created, payload, wide=wide) for number, track in enumerate(tracks, 1)]
    longest = max(shown for _, shown in made)
    movie = _timed(b"mvhd", 0, created, struct.pack(">I", CLOCK), longest, struct.pack(">IH10x", 0x10000, 0x100), _MATRIX,
                   bytes(24), struct.pack(">I", len(tracks) + 1))  # fmt: skip
    data = (
        struct.pack(">I4sQ", 1, b"mdat", 16 + payload_bytes)
        if wide
        else struct.pack(">I4s", 8 + payload_bytes, b"mdat")
    )
    parts = [box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41"), box(b"moov", movie, *(body for body, _ in made)), data]
    return b"".join(parts)


def _timed(name: bytes, flags: int, created: int, middle: bytes, duration: int, *rest: bytes) -> bytes:
    """A header box that holds times: with four bytes for each as long as they do."""
    if max(created, duration) <= _U32:
        return full_box(
            name, 0, flags, struct.pack(">II", created, created), middle, struct.pack(">I", duration), *rest
        )
    return full_box(name, 1, flags, struct.pack(">QQ", created, created), middle, struct.pack(">Q", duration), *rest)


def _track(number: int, track: Track, created: int, payload: int, *, wide: bool) -> tuple[bytes, int]:
    """A trak box, and until when it is shown, in the movie's clock."""
    init, video, first = track.init, track.init.handler == VIDEO, track.decode[0]
    lift = max(0, -min(track.shifts, default=0))
    until = track.shown_until or track.end
    shown = until * CLOCK // init.clock
    edited = first != 0 or (video and (lift > 0 or until != track.end))
    edits = box(b"edts", _edits(track, lift, shown)) if edited else b""
    head = _timed(
        b"tkhd", 3, created, struct.pack(">II", number, 0), shown,
        struct.pack(">8xhhhH", 0, 0, 0 if video else 0x100, 0), _MATRIX, struct.pack(">II", init.width, init.height),
    )  # fmt: skip
    handler = (b"vide", b"VideoHandler\0", full_box(b"vmhd", 0, 1, bytes(8)))
    if not video:
        handler = (b"soun", b"SoundHandler\0", full_box(b"smhd", 0, 0, bytes(4)))
    media = box(
        b"mdia",
        _timed(b"mdhd", 0, created, struct.pack(">I", init.clock), track.end - first, struct.pack(">HH", 0x55C4, 0)),
        full_box(b"hdlr", 0, 0, struct.pack(">4x4s12x", handler[0]), handler[1]),
        box(
            b"minf", handler[2],
            box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1))),
            _table(track, lift, payload, wide=wide),
        ),
    )  # fmt: skip
    return box(b"trak", head, edits, media), shown


def _edits(track: Track, lift: int, shown: int) -> bytes:
    """What of the track is shown when: sound that begins later waits; a picture that was lifted comes down to 0."""
    first = track.decode[0]
    delay = max(0, first * CLOCK // track.init.clock) if track.init.handler != VIDEO else 0
    entries = [(delay, -1)] if delay else []
    entries.append((shown - delay, lift - first if not delay else 0))
    if max(max(one) for one in entries) <= 0x7FFFFFFF:
        rows = [struct.pack(">IiI", duration, begin, 0x10000) for duration, begin in entries]
        return full_box(b"elst", 0, 0, struct.pack(">I", len(rows)), *rows)
    rows = [struct.pack(">QqI", duration, begin, 0x10000) for duration, begin in entries]
    return full_box(b"elst", 1, 0, struct.pack(">I", len(rows)), *rows)


def _table(track: Track, lift: int, payload: int, *, wide: bool) -> bytes:
    decode, count = track.decode, len(track.sizes)
    durations = array("I", (after - before for before, after in pairwise(decode)))
    durations.append(track.last_duration)
    boxes = [full_box(b"stsd", 0, 0, struct.pack(">I", 1), track.init.entry), _runs(b"stts", durations)]
    if track.shifts and any(track.shifts):
        boxes.append(_runs(b"ctts", (shift + lift for shift in track.shifts)))
    if track.init.handler == VIDEO and len(track.keys) < count:
        boxes.append(full_box(b"stss", 0, 0, struct.pack(">I", len(track.keys)), _big_endian(track.keys)))
    boxes.append(_chunk_sizes(track.chunks))
    boxes.append(full_box(b"stsz", 0, 0, struct.pack(">II", 0, count), _big_endian(track.sizes)))
    places = array("Q" if wide else "I", (payload + offset for offset, _ in track.chunks))
    boxes.append(full_box(b"co64" if wide else b"stco", 0, 0, struct.pack(">I", len(places)), _big_endian(places)))
    return box(b"stbl", *boxes)


def _runs(name: bytes, values: Iterable[int]) -> bytes:
    """How often each value comes, in order."""
    rows = array("I")
    for value, same in groupby(values):
        rows.append(sum(1 for _ in same))
        rows.append(value)
    return full_box(name, 0, 0, struct.pack(">I", len(rows) // 2), _big_endian(rows))


def _chunk_sizes(chunks: Sequence[tuple[int, int]]) -> bytes:
    rows = array("I")
    before = 0
    for number, (_, count) in enumerate(chunks, 1):
        if count != before:
            rows.extend((number, count, 1))
            before = count
    return full_box(b"stsc", 0, 0, struct.pack(">I", len(rows) // 3), _big_endian(rows))


def _big_endian(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        return numbers.tobytes()
    turned = numbers[:]
    turned.byteswap()
    return turned.tobytes()
