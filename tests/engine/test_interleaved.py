"""Interleaved frames: however reads cut the stream, the same comes out; garbage ends in a result or one error."""

import contextlib
import itertools
import struct

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.facility_cameras.engine.rtsp.interleaved import GARBAGE_BYTES, Demultiplexer, OnFrame
from custom_components.facility_cameras.engine.rtsp.message import BODY_BYTES, MessageError

KNOWN, REPORTS = 0, 1


def rtp(channel: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0x24, channel, len(body) + 1) + b"\x80" + body


def message(length: int) -> bytes:
    return b"RTSP/1.0 200 OK\r\nCSeq: 9\r\nContent-Length: %d\r\n\r\n" % length + b"b" * length


ITEMS = st.one_of(
    st.builds(rtp, st.sampled_from([KNOWN, REPORTS, 2, 9]), st.binary(min_size=7, max_size=60)),
    st.builds(message, st.integers(0, 40)),
    st.sampled_from(
        [b"\r\n", b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", b"$\x00\x00\x00", b"$", b"RTS", b"RTSP/1", b"$\x00\x01"]
    ),
    st.binary(max_size=30),
)


class Heard:
    def __init__(self) -> None:
        self.events: list[tuple[object, ...]] = []
        self.demultiplexer = Demultiplexer(lambda one: self.events.append((one.status, one.method, one.body)))
        for channel in (KNOWN, REPORTS):
            self.demultiplexer.channel(channel, self._frame(channel))

    def _frame(self, channel: int) -> OnFrame:
        def take(data: bytes, view: memoryview, start: int, end: int) -> None:
            assert bytes(view[start:end]) == data[start:end]
            self.events.append((channel, data[start:end]))

        return take

    def feed(self, *parts: bytes) -> Heard:
        with contextlib.suppress(MessageError):
            for part in parts:
                self.demultiplexer.feed(part)
        return self


@given(st.lists(ITEMS, max_size=12), st.lists(st.integers(0, 600), max_size=8))
def test_any_split_gives_the_same(items: list[bytes], cuts: list[int]) -> None:
    data = b"".join(items)
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    parts = [data[a:b] for a, b in itertools.pairwise(places)]
    whole, cut, single = Heard().feed(data), Heard().feed(*parts), Heard().feed(*(bytes((byte,)) for byte in data))
    assert cut.events == whole.events
    assert single.events == whole.events
    assert cut.demultiplexer.garbage == whole.demultiplexer.garbage == single.demultiplexer.garbage


@given(st.lists(st.builds(rtp, st.just(KNOWN), st.binary(min_size=7, max_size=60)), min_size=1, max_size=9))
def test_nothing_is_lost_without_garbage(frames: list[bytes]) -> None:
    assert Heard().feed(b"".join(frames)).events == [(KNOWN, frame[4:]) for frame in frames]


@given(
    st.binary(min_size=1, max_size=400).filter(
        lambda each: each.isascii() and each.lower() == each and b"$" not in each
    )
)
def test_frames_behind_garbage_are_found(garbage: bytes) -> None:
    frame = rtp(KNOWN, bytes(40))
    heard = Heard().feed(frame, garbage, frame, frame)
    assert heard.events == [(KNOWN, frame[4:])] * 3


@settings(max_examples=30)
@given(st.binary(min_size=200, max_size=2000))
def test_garbage_without_end_ends_the_session(seed: bytes) -> None:
    heard = Heard()
    with pytest.raises(MessageError):
        for _ in range(3 * (GARBAGE_BYTES // len(seed) + 1)):
            heard.demultiplexer.feed(b"\x7f" + seed.replace(b"$", b"%").replace(b"R", b"r"))
    assert heard.demultiplexer.garbage <= GARBAGE_BYTES + len(seed) + 64


def test_what_waits_for_more_is_bounded() -> None:
    heard = Heard()
    most = 0
    with contextlib.suppress(MessageError):
        for _ in range(3000):
            heard.demultiplexer.feed(b"RTSP/1.0 200 OK\r\nX: " + b"y" * 1000 + b"\r\n")
            most = max(most, len(heard.demultiplexer._rest))
    assert most <= (64 << 10) + 4 + BODY_BYTES
