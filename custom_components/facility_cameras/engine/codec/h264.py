"""H.264: what NAL units and parameter sets say (ISO/IEC 14496-10), and RTP payloads (RFC 6184)."""

from dataclasses import dataclass

from ..media import VideoFormat
from .bits import BitReader, unescape
from .pictures import NalKind, PictureBuilder

SLICE, IDR, SEI, SPS, PPS, AUD = 1, 5, 6, 7, 8, 9
_HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_ASPECTS = {
    1: (1, 1), 2: (12, 11), 3: (10, 11), 4: (16, 11), 5: (40, 33), 6: (24, 11), 7: (20, 11), 8: (32, 11),
    9: (80, 33), 10: (18, 11), 11: (15, 11), 12: (64, 33), 13: (160, 99), 14: (4, 3), 15: (3, 2), 16: (2, 1),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SequenceParameters:
    """What we read of an SPS: size after cropping in pixels, sample aspect ratio, whether fields may occur."""

    width: int
    height: int
    sample_aspect: tuple[int, int]
    interlaced: bool


def sample_aspect(reader: BitReader) -> tuple[int, int]:
    """The sample aspect ratio of a VUI, whose first bit is next; (1, 1) where it says nothing (table E-1)."""
    if not reader.flag():
        return 1, 1
    number = reader.bits(8)
    if number != 255:
        return _ASPECTS.get(number, (1, 1))
    aspect = reader.bits(16), reader.bits(16)
    return aspect if all(aspect) else (1, 1)


def _skip_scaling_lists(reader: BitReader, count: int) -> None:
    for index in range(count):
        if not reader.flag():
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + reader.se() + 256) % 256
            last = following or last


def parse_sps(nal: bytes) -> SequenceParameters:
    """Read an SPS, NAL header included (7.3.2.1.1). Raises BitError (a ValueError) if it cannot be read."""
    reader = BitReader(unescape(nal[1:400]))
    profile = reader.bits(8)
    reader.skip(16)
    reader.ue()
    chroma = 1
    separate_planes = False
    if profile in _HIGH_PROFILES:
        chroma = reader.ue()
        if chroma == 3:
            separate_planes = reader.flag()
        reader.ue()
        reader.ue()
        reader.skip(1)
        if reader.flag():
            _skip_scaling_lists(reader, 12 if chroma == 3 else 8)
    reader.ue()
    order_type = reader.ue()
    if order_type == 0:
        reader.ue()
    elif order_type == 1:
        reader.skip(1)
        reader.se()
        reader.se()
        for _ in range(min(reader.ue(), 255)):
            reader.se()
    reader.ue()
    reader.skip(1)
    width_blocks, height_units = reader.ue() + 1, reader.ue() + 1
    frames_only = reader.flag()
    if not frames_only:
        reader.skip(1)
    reader.skip(1)
    left = right = top = bottom = 0
    if reader.flag():
        left, right, top, bottom = reader.ue(), reader.ue(), reader.ue(), reader.ue()
    unit_x = 1 if chroma in (0, 3) or separate_planes else 2
    unit_y = (2 if chroma == 1 and not separate_planes else 1) * (1 if frames_only else 2)
    width = width_blocks * 16 - (left + right) * unit_x
    height = height_units * 16 * (1 if frames_only else 2) - (top + bottom) * unit_y
    if not (0 < width <= 16384 and 0 < height <= 16384):
        raise ValueError("absurd picture size")
    aspect = (1, 1)
    if reader.flag():
        aspect = sample_aspect(reader)
    return SequenceParameters(width, height, aspect, not frames_only)


def video_format(sps: tuple[bytes, ...], pps: tuple[bytes, ...]) -> VideoFormat:
    """The format that these parameter sets describe; sizes are those of the first SPS. Raises ValueError."""
    parameters = parse_sps(sps[0])
    return VideoFormat(
        codec="h264",
        width=parameters.width,
        height=parameters.height,
        codec_string=f"avc1.{sps[0][1:4].hex()}",
        sps=sps,
        pps=pps,
        sample_aspect=parameters.sample_aspect,
    )


class H264Pictures(PictureBuilder):
    """From RTP payloads to pictures."""

    PARAMETER_KINDS = (SPS, PPS)

    def kind(self, first: int) -> int:
        """The NAL unit type."""
        return first & 0x1F

    def classify(self, kind: int, second: int, third: int) -> NalKind:  # noqa: ARG002  (H.265 needs the third byte)
        """What a NAL unit of this type is; its second byte begins the slice header (first_mb_in_slice)."""
        if kind in (SLICE, IDR, 2):
            return NalKind(slice=True, first_slice=second & 0x80 != 0, key=kind == IDR)
        if kind in (SPS, PPS):
            return NalKind(parameter=True)
        return NalKind(dropped=kind in (AUD, 10, 11, 12) or kind == 0 or kind > 21)

    def parameter_id(self, kind: int, nal: bytes) -> int:
        """The id of an SPS or PPS: several may be current at once."""
        return BitReader(unescape(nal[4 if kind == SPS else 1 : 16])).ue()

    def make_format(self, sets: dict[int, tuple[bytes, ...]]) -> VideoFormat:
        """The format of these parameter sets."""
        return video_format(sets[SPS], sets[PPS])

    def is_interlaced(self, sps: bytes) -> bool:
        """Whether two fields of one time may have to become one sample (C11)."""
        return parse_sps(sps).interlaced

    def is_recovery_point(self, sei: bytes) -> bool:
        """A SEI unit with a recovery point: where there are no IDR pictures, decoding may begin here (C5)."""
        position, end = 1, len(sei)
        while position + 2 <= end:
            payload = size = 0
            while position < end and sei[position] == 255:
                payload += 255
                position += 1
            if position >= end:
                return False
            payload += sei[position]
            position += 1
            while position < end and sei[position] == 255:
                size += 255
                position += 1
            if position >= end:
                return False
            size += sei[position]
            position += 1
            if payload == 6:
                return True
            position += size
        return False

    def payload(self, data: bytes, view: memoryview, start: int, end: int) -> None:
        """One RTP payload (RFC 6184 section 5.2: single NAL unit, STAP-A, FU-A)."""
        if end - start < 2:
            return
        first = data[start]
        kind = first & 0x1F
        if kind == 28:  # FU-A
            header = data[start + 1]
            if header & 0x80:
                inner = header & 0x1F
                self.begin_fragment(bytes((first & 0xE0 | inner,)), view[start + 2 : end], bytes((first, inner)))
            elif self.fragment is not None:
                self.fragment.append(view[start + 2 : end])
            if header & 0x40:
                self.end_fragment()
        elif 1 <= kind <= 23:
            self.whole(data, start, end)
        elif kind == 24:  # STAP-A
            position = start + 1
            while position + 2 < end:
                size = data[position] << 8 | data[position + 1]
                position += 2
                if size == 0 or position + size > end:
                    break
                self.whole(data, position, position + size)
                position += size
        else:
            self.unknown_payloads += 1
