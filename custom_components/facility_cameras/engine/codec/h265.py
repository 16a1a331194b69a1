"""H.265: what NAL units and parameter sets say (ITU-T H.265), and RTP payloads (RFC 7798)."""

from dataclasses import dataclass

from ..media import VideoFormat
from .bits import BitError, BitReader, unescape
from .h264 import sample_aspect
from .pictures import NalKind, PictureBuilder

VPS, SPS, PPS, AUD, SUFFIX_SEI = 32, 33, 34, 35, 40
_RASL = (8, 9)


@dataclass(frozen=True, slots=True)
class SequenceParameters:
    """What we read of an SPS. `profile` are the 12 bytes of general profile, tier and level as in hvcC."""

    width: int
    height: int
    sample_aspect: tuple[int, int]
    profile: bytes
    chroma: int
    luma_depth: int
    chroma_depth: int
    sub_layers: int
    temporal_nesting: bool


def _skip_scaling_lists(reader: BitReader) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if not reader.flag():
                reader.ue()
                continue
            if size > 1:
                reader.se()
            for _ in range(min(64, 1 << (4 + (size << 1)))):
                reader.se()


def _skip_reference_sets(reader: BitReader) -> None:
    """Short-term and long-term reference picture sets (7.3.7): passed over to reach the VUI."""
    sets = reader.ue()
    if sets > 64:
        raise BitError("too many reference picture sets")
    previous = 0
    for index in range(sets):
        if index and reader.flag():
            reader.skip(1)
            reader.ue()
            kept = 0
            for _ in range(previous + 1):
                if reader.flag() or reader.flag():
                    kept += 1
            previous = kept
        else:
            negative, positive = reader.ue(), reader.ue()
            if negative + positive > 32:
                raise BitError("too many reference pictures")
            for _ in range(negative + positive):
                reader.ue()
                reader.skip(1)
            previous = negative + positive


def _skip_sub_layers(reader: BitReader, extra: int) -> None:
    """Profiles and levels of the sub-layers beyond the first (7.3.3)."""
    present = [(reader.flag(), reader.flag()) for _ in range(extra)]
    if present:
        reader.skip(2 * (8 - len(present)))
    for has_profile, has_level in present:
        reader.skip(88 * has_profile + 8 * has_level)


def _aspect(reader: BitReader, sub_layers: int) -> tuple[int, int]:
    """The sample aspect ratio in the VUI; `reader` stands behind the bit depths."""
    order_bits = reader.ue() + 4
    for _ in range(sub_layers if reader.flag() else 1):
        reader.ue()
        reader.ue()
        reader.ue()
    for _ in range(6):
        reader.ue()
    if reader.flag() and reader.flag():
        _skip_scaling_lists(reader)
    reader.skip(2)
    if reader.flag():
        reader.skip(8)
        reader.ue()
        reader.ue()
        reader.skip(1)
    _skip_reference_sets(reader)
    if reader.flag():
        for _ in range(min(reader.ue(), 33)):
            reader.skip(order_bits + 1)
    reader.skip(2)
    return sample_aspect(reader) if reader.flag() else (1, 1)


def parse_sps(nal: bytes) -> SequenceParameters:
    """Read an SPS, NAL header included (7.3.2.2.1). Raises BitError (a ValueError) if it cannot be read."""
    reader = BitReader(unescape(nal[2:1000]))
    reader.skip(4)
    sub_layers = reader.bits(3) + 1
    nesting = reader.flag()
    profile = reader.bits(96).to_bytes(12)
    _skip_sub_layers(reader, sub_layers - 1)
    reader.ue()
    chroma = reader.ue()
    if chroma == 3:
        reader.skip(1)
    width, height = reader.ue(), reader.ue()
    if reader.flag():
        unit_x, unit_y = 2 if chroma in (1, 2) else 1, 2 if chroma == 1 else 1
        width -= (reader.ue() + reader.ue()) * unit_x
        height -= (reader.ue() + reader.ue()) * unit_y
    if not (0 < width <= 16384 and 0 < height <= 16384):
        raise BitError("absurd picture size")
    luma_depth, chroma_depth = reader.ue() + 8, reader.ue() + 8
    if chroma > 3 or luma_depth > 15 or chroma_depth > 15:
        raise BitError("absurd picture format")
    try:
        aspect = _aspect(reader, sub_layers)
    except BitError:
        # Only the shape of a pixel is lost by it (C9).
        aspect = (1, 1)
    return SequenceParameters(width, height, aspect, profile, chroma, luma_depth, chroma_depth, sub_layers, nesting)


def codec_string(profile: bytes) -> str:
    """RFC 6381 name as in ISO/IEC 14496-15 annex E.3, such as hvc1.1.6.L120.90."""
    space = ("", "A", "B", "C")[profile[0] >> 6]
    tier = "H" if profile[0] & 0x20 else "L"
    compatibility = int(f"{int.from_bytes(profile[1:5]):032b}"[::-1], 2)
    constraints = profile[5:11].rstrip(b"\x00")
    parts = ["hvc1", f"{space}{profile[0] & 0x1F}", f"{compatibility:X}", f"{tier}{profile[11]}"]
    return ".".join(parts + [f"{value:X}" for value in constraints])


def video_format(vps: tuple[bytes, ...], sps: tuple[bytes, ...], pps: tuple[bytes, ...]) -> VideoFormat:
    """The format that these parameter sets describe; sizes are those of the first SPS. Raises ValueError."""
    parameters = parse_sps(sps[0])
    return VideoFormat(
        codec="h265",
        width=parameters.width,
        height=parameters.height,
        codec_string=codec_string(parameters.profile),
        sps=sps,
        pps=pps,
        vps=vps,
        sample_aspect=parameters.sample_aspect,
    )


class H265Pictures(PictureBuilder):
    """From RTP payloads to pictures."""

    PARAMETER_KINDS = (VPS, SPS, PPS)

    def kind(self, first: int) -> int:
        """The NAL unit type."""
        return first >> 1 & 0x3F

    def classify(self, kind: int, second: int, third: int) -> NalKind:
        """What a NAL unit of this type is; its third byte begins the slice header."""
        if second >> 3 & 0x1F and kind < VPS:
            return NalKind(dropped=True)  # another layer
        if kind < 10 or 16 <= kind <= 21:
            return NalKind(slice=True, first_slice=third & 0x80 != 0, key=16 <= kind <= 21, disposable=kind in _RASL)
        if kind in (VPS, SPS, PPS):
            return NalKind(parameter=True)
        if kind == SUFFIX_SEI:
            return NalKind(suffix=True)
        return NalKind(dropped=kind != SUFFIX_SEI - 1)

    def parameter_id(self, kind: int, nal: bytes) -> int:
        """The id of a VPS, SPS or PPS."""
        if kind == VPS:
            return BitReader(nal[2:3]).bits(4)
        if kind == PPS:
            return BitReader(unescape(nal[2:16])).ue()
        reader = BitReader(unescape(nal[2:200]))
        reader.skip(4)
        extra = reader.bits(3)
        reader.skip(1 + 96)
        _skip_sub_layers(reader, extra)
        return reader.ue()

    def make_format(self, sets: dict[int, tuple[bytes, ...]]) -> VideoFormat:
        """The format of these parameter sets."""
        return video_format(sets[VPS], sets[SPS], sets[PPS])

    def payload(self, data: bytes, view: memoryview, start: int, end: int) -> None:
        """One RTP payload (RFC 7798 section 4.4: single NAL unit, AP, FU)."""
        if end - start < 4:
            return
        kind = data[start] >> 1 & 0x3F
        if kind == 49:  # FU
            header = data[start + 2]
            if header & 0x80:
                first, second, inner = data[start], data[start + 1], header & 0x3F
                rebuilt = bytes((first & 0x81 | inner << 1, second))
                self.begin_fragment(rebuilt, view[start + 3 : end], bytes((first, second, inner)))
            elif self.fragment is not None:
                self.fragment.append(view[start + 3 : end])
            if header & 0x40:
                self.end_fragment()
        elif kind == 48:  # AP
            position = start + 2
            while position + 2 < end:
                size = data[position] << 8 | data[position + 1]
                position += 2
                if size == 0 or position + size > end:
                    break
                self.whole(data, position, position + size)
                position += size
        elif kind < 48:
            self.whole(data, start, end)
        else:
            self.unknown_payloads += 1
