"""RTP packets of a whole clip, built once (RFC 3550, 6184, 7798, 3640, 3551).

A loop is one byte string of interleaved frames (RFC 2326, 10.12) whose sequence numbers, times, sources and channels
are still zero. Whoever sends takes a slice of it and patches these fields, so sending costs little more than a copy.
"""

from dataclasses import dataclass
import struct

from .clip import AudioClip, Clip
from .spec import VideoCodec

#: RTP clock of every video codec.
VIDEO_CLOCK = 90_000

#: Bytes before the payload of a packet in a loop: "$", channel, length, then the RTP header.
HEADER = 16

_FRAME = struct.Struct(">BBHBBHII")
_FIELDS = struct.Struct(">HII")
#: One contributing source, a header extension of one word; four bytes of padding.
_EXTRAS_BEFORE = struct.pack(">IHHI", 0x51515151, 0xABAC, 1, 0)
_EXTRAS_AFTER = b"\0\0\0\4"
#: Access unit delimiter, and an SEI of unregistered user data.
_SEI = bytes([5, 20]) + b"simulated-camera-sei" + b"\x80"
_DELIMITERS: dict[VideoCodec, tuple[bytes, bytes]] = {
    "h264": (b"\x09\xf0", b"\x06" + _SEI),
    "h265": (b"\x46\x01\x50", b"\x4e\x01" + _SEI),
}
_START_CODE = b"\0\0\0\1"


@dataclass(frozen=True, slots=True)
class Style:
    """How a camera cuts its pictures into packets; what differs from the default is a quirk. Sizes in bytes."""

    #: Most bytes of payload in one packet.
    payload: int = 1400
    video_type: int = 96
    audio_type: int = 97
    #: Parameter sets in one aggregate packet (STAP-A, AP), else one packet each.
    aggregate: bool = True
    #: Parameter sets in band before each key picture.
    sets_in_band: bool = True
    #: Marker bit also on parameter sets.
    marker_on_sets: bool = False
    #: Parameter sets carry the time of the picture before.
    sets_with_previous_time: bool = False
    #: Marker bit at the end of a picture.
    marker: bool = True
    #: An access unit delimiter and an SEI before each picture.
    delimiters: bool = False
    #: NAL units that would fit are sent as one fragment that both starts and ends.
    lone_fragments: bool = False
    #: Packets have a contributing source, a header extension and padding.
    extras: bool = False
    #: Parameter sets and key picture as one Annex B byte stream in one payload.
    annexb: bool = False


@dataclass(frozen=True, slots=True)
class Loop:
    """All packets of a clip. Packet p lies in `data` from `starts[p]` to `starts[p + 1]` and shows the unit whose
    place in the order of presentation is `times[p]`; unit u has packets `firsts[u]` to `firsts[u + 1]` less 1.
    """

    data: bytes
    starts: list[int]
    times: list[int]
    firsts: list[int]
    keys: frozenset[int]

    @property
    def units(self) -> int:
        """Pictures (audio frames) in the loop."""
        return len(self.firsts) - 1

    def render(
        self, first: int, last: int, channel: int, sequence: int, source: int, ticks: list[int]
    ) -> tuple[bytearray, int]:
        """Units `first` to `last` less 1 as interleaved frames, and the number of packets.

        `sequence` is that of the first packet, `ticks` are the RTP times of the packets.
        """
        begin, end = self.firsts[first], self.firsts[last]
        base = self.starts[begin]
        out = bytearray(self.data[base : self.starts[end]])
        patch, starts = _FIELDS.pack_into, self.starts
        at = 6 - base
        for packet, tick in zip(range(begin, end), ticks, strict=True):
            patch(out, starts[packet] + at, sequence & 0xFFFF, tick & 0xFFFFFFFF, source)
            sequence += 1
        if channel:
            for packet in range(begin, end):
                out[starts[packet] - base + 1] = channel
        return out, end - begin


class _Builder:
    def __init__(self, payload_type: int, style: Style) -> None:
        self._type = payload_type
        self._first = 0xB1 if style.extras else 0x80
        self._before, self._after = (_EXTRAS_BEFORE, _EXTRAS_AFTER) if style.extras else (b"", b"")
        self._parts: list[bytes] = []
        self._starts = [0]
        self._times: list[int] = []
        self._firsts: list[int] = []
        self._keys: set[int] = set()

    def unit(self, *, key: bool) -> None:
        if key:
            self._keys.add(len(self._firsts))
        self._firsts.append(len(self._times))

    def packet(self, payload: bytes, time: int, *, marker: bool) -> None:
        payload = self._before + payload + self._after
        head = _FRAME.pack(0x24, 0, len(payload) + 12, self._first, marker << 7 | self._type, 0, 0, 0)
        self._parts += (head, payload)
        self._starts.append(self._starts[-1] + HEADER + len(payload))
        self._times.append(time)

    def build(self) -> Loop:
        firsts = [*self._firsts, len(self._times)]
        return Loop(b"".join(self._parts), self._starts, self._times, firsts, frozenset(self._keys))


def video_loop(clip: Clip, style: Style) -> Loop:
    """The packets of a video clip."""
    builder = _Builder(style.video_type, style)
    previous = clip.units[-1].time - len(clip.units)
    for unit in clip.units:
        builder.unit(key=unit.key)
        nals = unit.nals
        if style.delimiters:
            for payload in _DELIMITERS[clip.codec]:
                builder.packet(payload, unit.time, marker=False)
        if unit.key and style.annexb:
            nals = (_START_CODE.join((*clip.sets, *nals)),)
        elif unit.key and style.sets_in_band:
            time = previous if style.sets_with_previous_time else unit.time
            groups = [_aggregate(clip.codec, clip.sets)] if style.aggregate else list(clip.sets)
            for payload in groups:
                builder.packet(payload, time, marker=style.marker_on_sets)
        for nal in nals:
            # A whole picture in one payload is what the Annex B cameras send; nothing larger than 64 KiB fits.
            limit = 65_000 if style.annexb and unit.key else style.payload
            payloads = _fragments(clip.codec, nal, limit, lone=style.lone_fragments)
            for number, payload in enumerate(payloads, 1):
                end = nal is nals[-1] and number == len(payloads)
                builder.packet(payload, unit.time, marker=end and style.marker)
        previous = unit.time
    return builder.build()


def audio_loop(clip: AudioClip, style: Style) -> Loop:
    """The packets of an audio clip: one frame each."""
    static = {"aac": style.audio_type, "pcma": 8, "pcmu": 0}
    builder = _Builder(static[clip.codec], style)
    for unit in clip.units:
        builder.unit(key=True)
        (frame,) = unit.nals
        # AU-headers-length of 16 bits, then one header: 13 bits of size, 3 of index.
        head = struct.pack(">HH", 16, len(frame) << 3) if clip.codec == "aac" else b""
        builder.packet(head + frame, unit.time, marker=clip.codec == "aac")
    return builder.build()


def _aggregate(codec: VideoCodec, nals: tuple[bytes, ...]) -> bytes:
    """STAP-A or AP."""
    head = bytes([0x60 | 24]) if codec == "h264" else bytes([48 << 1, 1])
    return head + b"".join(len(nal).to_bytes(2) + nal for nal in nals)


def _fragments(codec: VideoCodec, nal: bytes, limit: int, *, lone: bool) -> list[bytes]:
    """The NAL unit itself if it fits, else FU-A or FU."""
    if len(nal) <= limit and not lone:
        return [nal]
    if codec == "h264":
        skip, kind, head = 1, nal[0] & 0x1F, bytes([nal[0] & 0xE0 | 28])
    else:
        skip, kind, head = 2, nal[0] >> 1 & 0x3F, bytes([nal[0] & 0x81 | 49 << 1, nal[1]])
    room = limit - len(head) - 1
    cuts = range(skip, len(nal), room)
    return [head + bytes([(at == cuts[0]) << 7 | (at == cuts[-1]) << 6 | kind]) + nal[at : at + room] for at in cuts]
