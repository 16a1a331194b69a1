"""From payloads to pictures and frames, and what parameter sets say: any input ends in a result or a ValueError."""

from collections.abc import Callable
import contextlib
import struct

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.facility_cameras.engine.codec import h264, h265
from custom_components.facility_cameras.engine.codec.aac import FRAME, AacFrames, HeaderLengths, parse_config
from custom_components.facility_cameras.engine.codec.bits import BitReader, unescape
from custom_components.facility_cameras.engine.codec.h264 import H264Pictures
from custom_components.facility_cameras.engine.codec.h265 import H265Pictures
from custom_components.facility_cameras.engine.codec.pictures import (
    PICTURE_BYTES,
    UNIT_BYTES,
    UNIT_PARTS,
    PictureBuilder,
    split_annex_b,
)
from custom_components.facility_cameras.engine.fmp4 import init_segment
from custom_components.facility_cameras.engine.media import Sample, StreamFormat, VideoFormat
from tests.engine.clip_samples import make_clip


class Codec:
    """How one codec's units look on the wire."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.h264 = name == "h264"
        stream = make_clip(name).stream
        self.format = stream.video
        self.sets = [*stream.video.vps, *stream.video.sps, *stream.video.pps]

    def builder(self, on_picture: Callable[[Sample], None]) -> PictureBuilder:
        made = H264Pictures if self.h264 else H265Pictures
        return made(on_picture, lambda _: None)

    def slice(self, body: bytes, *, key: bool, first: bool) -> bytes:
        head = bytes((0x65 if key else 0x41,)) if self.h264 else bytes(((19 if key else 1) << 1, 1))
        return head + bytes((0x80 if first else 0x40,)) + body

    def sei(self, body: bytes) -> bytes:
        return (b"\x06" if self.h264 else bytes((39 << 1, 1))) + b"\x05" + body

    def single(self, nal: bytes) -> list[bytes]:
        return [nal]

    def aggregate(self, nals: list[bytes]) -> bytes:
        head = b"\x78" if self.h264 else bytes((48 << 1, 1))
        return head + b"".join(struct.pack(">H", len(nal)) + nal for nal in nals)

    def fragments(self, nal: bytes, size: int) -> list[bytes]:
        skip = 1 if self.h264 else 2
        kind = nal[0] & 0x1F if self.h264 else nal[0] >> 1 & 0x3F
        head = bytes((nal[0] & 0xE0 | 28,)) if self.h264 else bytes((nal[0] & 0x81 | 49 << 1, nal[1]))
        cuts = range(skip, len(nal), size)
        return [
            head + bytes(((at == cuts[0]) << 7 | (at == cuts[-1]) << 6 | kind,)) + nal[at : at + size] for at in cuts
        ]


#: Bodies of a picture's slices, whether it is a key picture, whether SEI comes before it.
type Drawn = tuple[list[bytes], bool, bool]

CODECS = {name: Codec(name) for name in ("h264", "h265")}
#: No start codes inside: those are looked for (P13).
BODY = st.binary(min_size=4, max_size=80).map(lambda body: body.replace(b"\0", b"\1"))
PICTURES = st.lists(
    st.tuples(st.lists(BODY, min_size=1, max_size=3), st.booleans(), st.booleans()), min_size=1, max_size=8
)


def packets(
    codec: Codec, pictures: list[Drawn], cut: list[int]
) -> tuple[list[tuple[bytes, int, bool]], list[tuple[int, list[bytes]]]]:
    """(payload, time, marker) of pictures, each unit in a packet, an aggregate or fragments as `cut` says; and what
    should come out: (time, NAL units) of each picture.
    """
    out: list[tuple[bytes, int, bool]] = []
    wanted: list[tuple[int, list[bytes]]] = []
    turn = 0
    for number, (bodies, key, sei) in enumerate(pictures):
        key = key or number == 0
        nals = [codec.slice(body, key=key, first=not index) for index, body in enumerate(bodies)]
        extra = [codec.sei(b"\x01\x02\x80")] if sei else []
        payloads: list[bytes] = []
        if key:
            payloads.append(codec.aggregate(codec.sets))
        for nal in extra + nals:
            way = cut[turn % len(cut)]
            turn += 1
            payloads += [nal] if way == 0 else [codec.aggregate([nal])] if way == 1 else codec.fragments(nal, way)
        time = 3600 * (number + 1)
        out += [(payload, time, index == len(payloads) - 1) for index, payload in enumerate(payloads)]
        wanted.append((time, extra + nals))
    return out, wanted


def units(sample: Sample) -> list[bytes]:
    """The NAL units of a sample."""
    data, found = sample.bytes(), []
    assert len(data) == sample.size
    while data:
        size = int.from_bytes(data[:4])
        assert size <= len(data) - 4
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def give(builder: PictureBuilder, payload: bytes, time: int, marker: bool) -> None:
    data = b"pad" + payload + b"pad"
    builder.packet(data, memoryview(data), 3, 3 + len(payload), time, marker, 1.0)


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
@given(
    pictures=PICTURES, cut=st.lists(st.sampled_from([0, 1, 2, 3, 7, 30]), min_size=1, max_size=6), marker=st.booleans()
)
def test_what_is_packed_comes_out(codec: Codec, pictures: list[Drawn], cut: list[int], marker: bool) -> None:
    found: list[Sample] = []
    builder = codec.builder(found.append)
    sent, wanted = packets(codec, pictures, cut)
    for payload, time, last in sent:
        give(builder, payload, time, last and marker)  # P7: without any marker the next time ends a picture
    give(builder, codec.slice(b"end", key=False, first=True), 1 << 40, marker=True)
    assert [(sample.time, units(sample)) for sample in found[: len(wanted)]] == wanted


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
@given(pictures=PICTURES, cut=st.lists(st.sampled_from([0, 1, 2, 5]), min_size=1, max_size=6), data=st.data())
def test_p3_nothing_is_glued_over_a_loss(
    codec: Codec, pictures: list[Drawn], cut: list[int], data: st.DataObject
) -> None:
    found: list[Sample] = []
    builder = codec.builder(found.append)
    sent, wanted = packets(codec, pictures, cut)
    gone = data.draw(st.sets(st.integers(0, len(sent) - 1), max_size=4))
    missing = False
    for number, (payload, time, last) in enumerate(sent):
        if number in gone:
            missing = True
            continue
        if missing:
            builder.lost()
            missing = False
        give(builder, payload, time, last)
    slices = {time: [nal for nal in nals if nal != codec.sei(b"\x01\x02\x80")] for time, nals in wanted}
    keys = {time for (_, key, _), (time, _) in zip(pictures, wanted, strict=True) if key or time == wanted[0][0]}
    shown = [sample.time for sample in found]
    assert shown == sorted(set(shown))
    for sample in found:
        assert [nal for nal in units(sample) if nal in slices[sample.time]] == slices[sample.time]
    torn = {sent[number][1] for number in gone}
    broken = True
    for time, _ in wanted:
        # From a loss to the next whole key picture nothing is handed on.
        if time in keys and time in shown:
            broken = False
        elif time in torn:
            broken = True
        assert not (broken and time in shown), (time, torn)


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
@settings(max_examples=200)
@given(st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 3), st.booleans(), st.booleans()), max_size=30))
def test_any_payload_is_survived(codec: Codec, sent: list[tuple[bytes, int, bool, bool]]) -> None:
    found: list[Sample] = []
    builder = codec.builder(found.append)
    builder.parameter_sets(codec.sets)
    for payload, time, marker, gap in sent:
        if gap:
            builder.lost()
        give(builder, payload, time, marker)
        builder.check_bounds()
    for sample in found:
        units(sample)


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
def test_i7_a_unit_that_never_ends_is_given_up(codec: Codec) -> None:
    found: list[Sample] = []
    builder = codec.builder(found.append)
    start, middle, _ = codec.fragments(codec.slice(bytes(3 << 20), key=True, first=True), 1 << 20)[:3]
    give(builder, codec.aggregate(codec.sets), 1, False)
    give(builder, start, 1, False)
    most = 0
    for _ in range(30):
        give(builder, middle, 1, False)
        builder.check_bounds()
        most = max(most, sum(map(len, builder.fragment or ())))
    assert builder.fragment is None
    assert most < UNIT_BYTES + (2 << 20)
    assert builder.damaged
    give(builder, start, 2, False)
    for number in range(UNIT_PARTS + 2):
        give(builder, middle[:4], 2, False)
        if number % 1000 == 0:
            builder.check_bounds()
    builder.check_bounds()
    assert builder.fragment is None


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
def test_i7_a_picture_that_never_ends_is_given_up(codec: Codec) -> None:
    builder = codec.builder(lambda _: None)
    for number in range(40):
        give(builder, codec.slice(bytes(60_000).replace(b"\0", b"\1"), key=True, first=number == 0), 1, False)
        assert builder._size <= PICTURE_BYTES
    for _ in range(5000):
        give(builder, codec.sei(b"\x01\x01\x80"), 1, False)
    assert builder._units <= 2048


def test_p12_start_and_end_in_one_fragment_and_empty_ones() -> None:
    codec = CODECS["h264"]
    found: list[Sample] = []
    builder = codec.builder(found.append)
    builder.parameter_sets(codec.sets)
    nal = codec.slice(b"abc", key=True, first=True)
    give(builder, bytes((0x7C, 0xC5 | 0x20)) + nal[1:], 9, True)  # reserved bit set too
    give(builder, bytes((0x7C, 0x05)), 9, False)
    give(builder, bytes((0x7C, 0xC5)), 9, False)
    assert [units(sample) for sample in found] == [[nal]]


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
def test_p13_a_byte_stream_in_one_payload(codec: Codec) -> None:
    found: list[Sample] = []
    builder = codec.builder(found.append)
    nal = codec.slice(b"abcdef", key=True, first=True)
    give(builder, b"\0\0\0\1".join([*codec.sets, nal]), 5, True)
    assert [units(sample) for sample in found] == [[nal]]


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
def test_p6_marker_on_parameter_sets_of_the_picture_before(codec: Codec) -> None:
    found: list[Sample] = []
    builder = codec.builder(found.append)
    key = codec.slice(b"key", key=True, first=True)
    other = codec.slice(b"other", key=False, first=True)
    for unit in codec.sets:
        give(builder, unit, 1, True)
    give(builder, key, 2, True)
    give(builder, other, 3, True)
    for unit in codec.sets:
        give(builder, unit, 3, True)
    give(builder, key, 4, True)
    assert [(sample.time, units(sample)) for sample in found] == [(2, [key]), (3, [other]), (4, [key])]


def test_c6_leading_pictures_behind_a_cut_are_dropped() -> None:
    codec = CODECS["h265"]
    found: list[Sample] = []
    builder = codec.builder(found.append)
    builder.parameter_sets(codec.sets)
    clean, leading, trailing = (bytes((kind << 1, 1, 0x80)) + b"body" for kind in (21, 9, 1))
    for number, nal in enumerate((clean, leading, trailing, clean, leading, trailing), 1):
        give(builder, nal, number, True)
    assert [units(sample)[0] for sample in found] == [clean, trailing, clean, leading, trailing]


# Parameter sets --------------------------------------------------------------------------------------------------

PARSERS: list[Callable[[bytes], object]] = [
    h264.parse_sps,
    h265.parse_sps,
    parse_config,
    lambda data: h264.video_format((data,), (b"\x68\xee",)),
    lambda data: init_segment(StreamFormat(h264.video_format((data,), (b"\x68\xee",)))),
    lambda data: init_segment(StreamFormat(h265.video_format((b"\x40\x01ab",), (data,), (b"\x44\x01ab",)))),
    lambda data: init_segment(StreamFormat(CODECS["h264"].format, parse_config(data))),
]


@pytest.mark.parametrize("parse", PARSERS)
@settings(max_examples=300)
@given(st.binary(min_size=4, max_size=300))
def test_any_parameter_set_is_read_or_a_value_error(parse: Callable[[bytes], object], data: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse(data)


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
@settings(max_examples=300)
@given(data=st.data())
def test_a_damaged_parameter_set_is_read_or_a_value_error(codec: Codec, data: st.DataObject) -> None:
    sps = bytearray(codec.format.sps[0])
    for _ in range(data.draw(st.integers(1, 4))):
        sps[data.draw(st.integers(2, len(sps) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ValueError):
        if codec.h264:
            made: VideoFormat = h264.video_format((bytes(sps),), codec.format.pps)
        else:
            made = h265.video_format(codec.format.vps, (bytes(sps),), codec.format.pps)
        init_segment(StreamFormat(made))


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
def test_sizes(codec: Codec) -> None:
    parse = h264.parse_sps if codec.h264 else h265.parse_sps
    parameters = parse(codec.format.sps[0])
    assert (parameters.width, parameters.height) == (codec.format.width, codec.format.height)
    # C9: bytes behind the stop bit do no harm.
    parameters = parse(codec.format.sps[0] + bytes(range(200)))
    assert (parameters.width, parameters.height) == (codec.format.width, codec.format.height)


@given(st.lists(st.integers(0, 1 << 20), max_size=20))
def test_exp_golomb(numbers: list[int]) -> None:
    bits = "".join(f"{number + 1:b}".rjust(2 * (number + 1).bit_length() - 1, "0") for number in numbers) + "1"
    data = int(bits.ljust((len(bits) + 7) // 8 * 8, "0"), 2).to_bytes((len(bits) + 7) // 8)
    reader = BitReader(data)
    assert [reader.ue() for _ in numbers] == numbers


@given(st.binary(max_size=60))
def test_emulation_prevention(data: bytes) -> None:
    escaped, zeros = bytearray(), 0
    for byte in data:
        if zeros >= 2 and byte <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    assert unescape(bytes(escaped)) == data


@given(st.lists(BODY, max_size=6), st.sampled_from([b"\0\0\1", b"\0\0\0\1"]))
def test_annex_b(nals: list[bytes], code: bytes) -> None:
    assert split_annex_b(code + code.join(nals)) == nals


# AAC -------------------------------------------------------------------------------------------------------------


def access_units(frames: list[bytes], lengths: HeaderLengths = HeaderLengths()) -> bytes:  # noqa: B008
    bits = ""
    for number, frame in enumerate(frames):
        bits += f"{len(frame):0{lengths.size}b}" + "0" * (lengths.delta if number else lengths.index)
    head = int(bits.ljust((len(bits) + 7) // 8 * 8, "0"), 2).to_bytes((len(bits) + 7) // 8)
    return struct.pack(">H", len(bits)) + head + b"".join(frames)


@given(
    st.lists(
        st.lists(st.binary(min_size=8, max_size=50).map(lambda one: b"\x01" + one), min_size=1, max_size=4), max_size=5
    )
)
def test_aac_frames_come_out(trains: list[list[bytes]]) -> None:
    found: list[Sample] = []
    frames = AacFrames(found.append, HeaderLengths())
    for number, train in enumerate(trains):
        data = b"x" + access_units(train)
        frames.packet(data, memoryview(data), 1, len(data), number * 4 * FRAME, True, 1.0)
    assert [sample.bytes() for sample in found] == [frame for train in trains for frame in train]
    assert [sample.time for sample in found] == [
        number * 4 * FRAME + index * FRAME for number, train in enumerate(trains) for index in range(len(train))
    ]


@given(st.lists(st.binary(max_size=60), max_size=12), st.integers(1, 16), st.integers(0, 16), st.integers(0, 16))
def test_any_aac_payload_is_survived(payloads: list[bytes], size: int, index: int, delta: int) -> None:
    found: list[Sample] = []
    frames = AacFrames(found.append, HeaderLengths(size, index, delta))
    for payload in payloads:
        frames.packet(payload, memoryview(payload), 0, len(payload), 0, True, 1.0)
    assert all(len(sample.bytes()) == sample.size for sample in found)


def test_s12_adts_in_the_place_of_rfc_3640() -> None:
    found: list[Sample] = []
    frames = AacFrames(found.append, HeaderLengths())
    data = b"\xff\xf1" + bytes(5) + b"frame"
    frames.packet(data, memoryview(data), 0, len(data), 0, True, 1.0)
    inside = access_units([data])
    frames.packet(inside, memoryview(inside), 0, len(inside), 1024, True, 1.0)
    assert [sample.bytes() for sample in found] == [b"frame", b"frame"]


def test_aac_configurations() -> None:
    assert (parse_config(b"\x12\x10").sample_rate, parse_config(b"\x12\x10").channels) == (44100, 2)
    with pytest.raises(ValueError, match=r"usable|short"):
        parse_config(b"\xff\xff\xff\xff\xff")
    with pytest.raises(ValueError, match=r"usable|short"):
        parse_config(b"\x12\x10" * 200)
