"""Samples into RTP packets (RFC 6184, 7798, 3640), framed for RTSP's interleaved channels (RFC 2326 §10.12).

Packets are large: nothing here crosses a network with a small MTU, every packet costs the viewer's libav three reads,
and who sends on by UDP (go2rtc) packs anew.
"""

from dataclasses import dataclass
import struct

from ..media import Buffer, Sample

#: Bytes of payload a packet; libav takes 64 KiB less headers.
PAYLOAD_BYTES = 16_000
VIDEO_TYPE = 96
AUDIO_TYPE = 97

_FRAME = struct.Struct(">BBHBBHII")
_RTP_HEADER = 12
_DOLLAR = 0x24
_VERSION_2 = 0x80
_MARKER = 0x80
_SEQUENCE_MASK = 0xFFFF
_FU_A = 28
_FU_H265 = 49
#: Smaller than a packet, so that what does not fit into one makes two at least: none may be first and last at once.
_FU_BYTES = PAYLOAD_BYTES - 8
_FU_START = 0x80
_FU_END = 0x40
#: A size in an AU header of AAC-hbr has 13 bits.
_AU_BYTES_MAX = (1 << 13) - 1

_SENDER_REPORT = struct.Struct(">BBHBBHIQIII")
_SDES = struct.pack(">BBH", 0x81, 202, 3)
_CNAME = b"\x01\x04live\x00\x00"
_REPORT_BYTES = 28 + 8 + len(_CNAME)


@dataclass(slots=True)
class Track:
    """One RTP stream of one viewer. `channel` carries RTP, `channel + 1` of the viewer's choice RTCP."""

    channel: int
    control_channel: int
    payload_type: int
    ssrc: int
    sequence: int
    first_timestamp: int
    packets: int = 0
    octets: int = 0

    def packet(self, timestamp: int, size: int, *, marker: bool) -> bytes:
        """The interleaved frame's header and the RTP header before `size` bytes of payload."""
        head = _FRAME.pack(
            _DOLLAR,
            self.channel,
            size + _RTP_HEADER,
            _VERSION_2,
            self.payload_type | (_MARKER if marker else 0),
            self.sequence,
            timestamp,
            self.ssrc,
        )
        self.sequence = (self.sequence + 1) & _SEQUENCE_MASK
        self.packets += 1
        self.octets += size
        return head

    def report(self, ntp: int, timestamp: int) -> bytes:
        """A sender report that says when, in NTP's 64 bits, `timestamp` was; with the CNAME that must follow it."""
        head = _SENDER_REPORT.pack(
            _DOLLAR,
            self.control_channel,
            _REPORT_BYTES,
            _VERSION_2,
            200,
            6,
            self.ssrc,
            ntp,
            timestamp,
            self.packets & 0xFFFFFFFF,
            self.octets & 0xFFFFFFFF,
        )
        return b"".join((head, _SDES, self.ssrc.to_bytes(4), _CNAME))


def add_video(
    out: list[Buffer], track: Track, sample: Sample, codec: str, sets: tuple[bytes, ...], timestamp: int
) -> None:
    """Append the packets of one picture to `out`, with the parameter sets `sets` before it."""
    for nal in sets:
        out += (track.packet(timestamp, len(nal), marker=False), nal)
    view = memoryview(sample.parts[0] if len(sample.parts) == 1 else sample.bytes())
    at, end = 0, len(view)
    while at + 4 < end:
        begin = at + 4
        at = begin + int.from_bytes(view[at:begin])
        nal_view = view[begin:at]
        size = len(nal_view)
        if not size:
            continue
        if size <= PAYLOAD_BYTES:
            out += (track.packet(timestamp, size, marker=at >= end), nal_view)
        else:
            _add_fragments(out, track, nal_view, codec, timestamp, last=at >= end)


def _add_fragments(out: list[Buffer], track: Track, nal: memoryview, codec: str, timestamp: int, *, last: bool) -> None:
    """A NAL unit too large for one packet: FU-A of H.264, FU of H.265."""
    if codec == "h264":
        head, kind = bytes((nal[0] & 0xE0 | _FU_A,)), nal[0] & 0x1F
    else:
        head, kind = bytes((nal[0] & 0x81 | _FU_H265 << 1, nal[1])), nal[0] >> 1 & 0x3F
    at, end, flag = len(head), len(nal), _FU_START
    while at < end:
        piece = nal[at : at + _FU_BYTES]
        at += _FU_BYTES
        if at >= end:
            flag = _FU_END
        unit = head + bytes((flag | kind,))
        out += (track.packet(timestamp, len(unit) + len(piece), marker=last and at >= end) + unit, piece)
        flag = 0


def add_audio(out: list[Buffer], track: Track, sample: Sample, timestamp: int) -> None:
    """Append the packet of one AAC frame to `out`; a frame longer than the format allows is left out."""
    if sample.size > _AU_BYTES_MAX:
        return
    head = track.packet(timestamp, sample.size + 4, marker=True)
    out += (head + struct.pack(">HH", 16, sample.size << 3), *sample.parts)
