"""Packets: whatever NAL units a sample holds and however its parts are cut, they come out again whole."""

from hypothesis import given, settings, strategies as st

from custom_components.facility_cameras.engine.media import Buffer, Sample
from custom_components.facility_cameras.engine.restream.request import BadRequestError, parse
from custom_components.facility_cameras.engine.restream.rtp_send import PAYLOAD_BYTES, Track, add_audio, add_video
from tests.engine.rtsp_viewer import Packet, pictures


def packets(out: list[Buffer]) -> list[Packet]:
    data, at, found = b"".join(out), 0, []
    while at < len(data):
        assert data[at] == 0x24
        size = int.from_bytes(data[at + 2 : at + 4])
        rtp = data[at + 4 : at + 4 + size]
        assert size <= PAYLOAD_BYTES + 16
        found.append(
            Packet(
                data[at + 1],
                bool(rtp[1] & 0x80),
                rtp[1] & 0x7F,
                int.from_bytes(rtp[2:4]),
                int.from_bytes(rtp[4:8]),
                int.from_bytes(rtp[8:12]),
                rtp[12:],
            )
        )
        at += 4 + size
    return found


def nal(codec: str, kind: int, size: int) -> bytes:
    head = bytes((0x60 | kind % 23 + 1,)) if codec == "h264" else bytes((kind % 40 << 1, 1))
    return head + bytes(number % 251 for number in range(size))


@settings(max_examples=150, deadline=None)
@given(
    codec=st.sampled_from(["h264", "h265"]),
    sizes=st.lists(
        st.integers(1, 40) | st.integers(PAYLOAD_BYTES - 3, PAYLOAD_BYTES + 3) | st.integers(1, 100_000),
        min_size=1,
        max_size=6,
    ),
    cut=st.integers(1, 50_000),
    sequence=st.integers(0, 0xFFFF),
    sets=st.lists(st.integers(1, 60), max_size=3),
)
def test_what_goes_in_comes_out(codec: str, sizes: list[int], cut: int, sequence: int, sets: list[int]) -> None:
    nals = [nal(codec, kind, size) for kind, size in enumerate(sizes)]
    extra = tuple(nal(codec, 30, size) for size in sets)
    data = b"".join(len(one).to_bytes(4) + one for one in nals)
    parts = [data[at : at + cut] for at in range(0, len(data), cut)]
    out: list[Buffer] = []
    track = Track(0, 1, 96, 7, sequence, 0)
    add_video(out, track, Sample(time=0, received=0, size=len(data), parts=parts, key=True), codec, extra, 1234)
    sent = packets(out)
    (picture,) = pictures(sent, codec)
    assert picture.nals == [*extra, *nals]
    assert picture.timestamp == 1234
    assert [packet.sequence for packet in sent] == [(sequence + number) & 0xFFFF for number in range(len(sent))]
    assert [packet.marker for packet in sent] == [False] * (len(sent) - 1) + [True]
    assert track.packets == len(sent)
    assert track.octets == sum(len(packet.payload) for packet in sent)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["h264", "h265"]))
def test_a_broken_sample_ends(data: bytes, codec: str) -> None:
    """Lengths that are wrong lead to packets that are wrong, and to nothing worse."""
    out: list[Buffer] = []
    add_video(out, Track(0, 1, 96, 7, 0, 0), Sample(time=0, received=0, size=len(data), parts=[data]), codec, (), 0)
    assert sum(map(len, out)) <= 20 * len(data)


def test_a_sound_too_long_is_left_out() -> None:
    out: list[Buffer] = []
    add_audio(out, Track(2, 3, 97, 7, 0, 0), Sample(time=0, received=0, size=8192, parts=[bytes(8192)], audio=True), 0)
    assert not out


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_any_head_is_a_request_or_one_error(head: bytes) -> None:
    try:
        request = parse(head)
        request.target()
        request.base()
    except BadRequestError as error:
        assert str(error)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters=" \r\n"), min_size=1, max_size=100))
def test_any_url_has_a_target_or_one_error(url: str) -> None:
    try:
        request = parse(f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 3\r\n\r\n".encode())
        request.target()
        assert "@" not in request.base().removeprefix("rtsp://").partition("/")[0]
    except BadRequestError as error:
        assert str(error)
