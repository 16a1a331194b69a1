"""RTP and RTCP: order, loss, time, strangers; any packet is survived."""

import struct

from hypothesis import given, strategies as st
import pytest

from custom_components.facility_cameras.engine.clock import NTP_EPOCH
from custom_components.facility_cameras.engine.rtsp.rtp import Rtcp, RtpTrack

CLOCK = 90_000


class Heard:
    """Takes payloads: what came, with its extended time, and None for a loss."""

    def __init__(self) -> None:
        self.events: list[tuple[bytes, int] | None] = []
        self.track = RtpTrack(self, 96, CLOCK)

    def packet(self, data: bytes, view: memoryview, start: int, end: int, time: int, marker: bool, now: float) -> None:
        self.events.append((data[start:end], time))

    def lost(self) -> None:
        self.events.append(None)

    def hear(self, number: int, time: int = 0, payload: bytes = b"x", *, kind: int = 96, source: int = 7) -> None:
        self.raw(struct.pack(">BBHII", 0x80, kind, number & 0xFFFF, time & 0xFFFFFFFF, source) + payload)

    def raw(self, packet: bytes) -> None:
        self.track.frame(b"$$$$" + packet, memoryview(b"$$$$" + packet), 4, 4 + len(packet))

    @property
    def payloads(self) -> list[bytes]:
        return [event[0] for event in self.events if event is not None]


def test_p11_numbers_and_times_wrap() -> None:
    heard = Heard()
    for index in range(10):
        heard.hear(65_530 + index, (1 << 32) - 4 * 3600 + index * 3600)
    times = [event[1] for event in heard.events if event is not None]
    assert len(times) == 10
    assert [time - times[0] for time in times] == [index * 3600 for index in range(10)]
    assert heard.track.lost == 0


def test_reordered_times_of_b_frames_are_kept() -> None:
    heard = Heard()
    for index, shown in enumerate((0, 3, 1, 2, 6, 4, 5)):
        heard.hear(index, (1 << 32) - 7000 + shown * 3600)
    times = [event[1] for event in heard.events if event is not None]
    assert [(time - times[0]) // 3600 for time in times] == [0, 3, 1, 2, 6, 4, 5]


@given(st.integers(0, 65_535), st.sets(st.integers(1, 38), max_size=20))
def test_p3_each_missing_packet_is_counted(first: int, gone: set[int]) -> None:
    heard = Heard()
    for index in range(40):
        if index not in gone:
            heard.hear(first + index, payload=bytes((index,)))
    assert heard.track.lost == len(gone)
    assert heard.payloads == [bytes((index,)) for index in range(40) if index not in gone]
    assert heard.events.count(None) == len({index for index in gone if index + 1 not in gone})


def test_p4_numbers_that_begin_anew() -> None:
    heard = Heard()
    for index in range(20):
        heard.hear(30_000 + index)
    for index in range(20):
        heard.hear(100 + index, payload=b"new")
    assert heard.payloads.count(b"new") >= 16
    assert None in heard.events


def test_repeated_packets_are_dropped_however_often() -> None:
    heard = Heard()
    for index in range(200):
        heard.hear(index)
        if index % 3 == 2:
            heard.hear(index - 1, payload=b"again")
    assert len(heard.payloads) == 200
    assert None not in heard.events


def test_r23_strangers_are_not_mixed_in_until_our_source_is_silent() -> None:
    heard = Heard()
    for index in range(10):
        heard.track.now = index / 10
        heard.hear(index, payload=b"ours")
        heard.hear(500 + index, payload=b"stranger", source=8)
    assert set(heard.payloads) == {b"ours"}
    assert heard.track.foreign == 10
    heard.track.now = 5
    heard.hear(600, payload=b"stranger", source=8)
    assert heard.events[-2] is None
    assert heard.payloads[-1] == b"stranger"


def test_r23_the_announced_source_is_taken_whoever_was_heard_before() -> None:
    heard = Heard()
    heard.track.announced = 7
    heard.hear(500, payload=b"ghost", source=8)
    heard.hear(0, payload=b"ours")
    heard.hear(501, payload=b"ghost", source=8)
    heard.hear(1, payload=b"ours")
    assert heard.payloads == [b"ours", b"ours"]


def test_p1_an_announced_source_that_never_speaks_is_waited_for_a_second() -> None:
    heard = Heard()
    heard.track.announced = 7
    for index in range(20):
        heard.track.now = index / 10
        heard.hear(index, payload=bytes((index,)), source=8)
    assert heard.payloads == [bytes((index,)) for index in range(10, 20)]


def test_p15_other_payload_numbers() -> None:
    heard = Heard()
    heard.hear(0, kind=97)
    assert not heard.payloads
    for index in range(60):
        heard.hear(index, kind=35)
    assert len(heard.payloads) > 5


def test_p14_padding_sources_and_extension() -> None:
    heard = Heard()
    head = struct.pack(">BBHII", 0x80 | 0x20 | 0x10 | 2, 96, 1, 0, 7)
    heard.raw(head + bytes(8) + b"\xbe\xde\0\1" + bytes(4) + b"payload" + b"\0\0\3")
    assert heard.payloads == [b"payload"]


@given(st.lists(st.binary(max_size=60), max_size=20))
def test_any_packet_is_survived(packets: list[bytes]) -> None:
    heard = Heard()
    reports = Rtcp(lambda _: None)
    for packet in packets:
        heard.raw(packet)
        heard.raw(b"\xff\x60" + packet)
        reports.frame(packet, memoryview(packet), 0, len(packet))
        assert len(heard.track.receiver_report(1)) == 32
    assert all(len(payload) <= 62 for payload in heard.payloads)


def test_reports_tell_the_cameras_clock_and_goodbye() -> None:
    clocks: list[float] = []
    rtcp = Rtcp(clocks.append)
    report = struct.pack(">BBHIIIIII", 0x80, 200, 6, 7, NTP_EPOCH + 1000, 1 << 31, 0, 0, 0)
    data = report + struct.pack(">BBHI", 0x81, 203, 1, 7)
    rtcp.frame(data, memoryview(data), 0, len(data))
    assert clocks == pytest.approx([1000.5])
    assert rtcp.goodbye
