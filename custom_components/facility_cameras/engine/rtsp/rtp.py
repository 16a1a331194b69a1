"""RTP over an interleaved channel (RFC 3550): order, loss, time; and what RTCP tells (CAMERAS.md P1-P4, P11, P14-P19).

Promise I7: everything a packet says is checked against its own length.
"""

from collections.abc import Callable
from struct import Struct
from typing import Protocol

from ..clock import NTP_EPOCH

_HEADER = Struct(">BBHII")
_SENDER_REPORT = Struct(">BBHIIII")
_RECEIVER_REPORT = Struct(">BBHIIIIIII")
#: Strangers are believed when our own source was not heard for so long.
STRANGER_S = 2.0
#: The source that was announced is waited for so long.
ANNOUNCED_S = 1.0


class Payloads(Protocol):
    """Who takes the payloads of a track, in order."""

    def packet(self, data: bytes, view: memoryview, start: int, end: int, time: int, marker: bool, now: float) -> None:
        """Take one payload, data[start:end]."""

    def lost(self) -> None:
        """Packets before the next one are missing."""


class RtpTrack:
    """One medium of a session. `now` (monotonic seconds) is set before each read."""

    def __init__(self, payloads: Payloads, payload_type: int, clock: int) -> None:
        """Hand the payloads of this payload type, whose times count in 1/`clock` seconds, to `payloads`."""
        self._payloads = payloads
        self._clock = clock
        self._type = payload_type
        self._source: int | None = None
        self._expected = 0
        self._last_time = 0
        self._time = 0
        self._old_numbers = 0
        self._next_old = 0
        self._last_ours = 0.0
        self._waiting_since: float | None = None
        self.now = 0.0
        #: The source that the answer to SETUP named: believed once it is heard, whoever was heard before (P1, R23).
        self.announced: int | None = None
        #: Packets taken, packets missing, packets of other sources or types.
        self.received = 0
        self.lost = 0
        self.foreign = 0
        #: Payload bytes taken.
        self.bytes = 0

    def frame(self, data: bytes, view: memoryview, start: int, end: int) -> None:
        """Take one RTP packet, data[start:end]."""
        if end - start < 12:
            return
        flags, kind, number, time, source = _HEADER.unpack_from(data, start)
        marker = kind > 127
        kind &= 127
        if source != self._source and not self._take_source(source, number, time, kind):
            return
        if kind != self._type and not self._take_type(kind):
            return
        body = start + 12
        if flags != 0x80:
            body, end = self._unpack(data, flags, body, end)
        if number != self._expected and not self._reordered(number):
            return
        self._expected = number + 1 & 0xFFFF
        if time != self._last_time:
            self._time += (time - self._last_time + 0x80000000 & 0xFFFFFFFF) - 0x80000000
            self._last_time = time
        self.received += 1
        self._last_ours = self.now
        if body < end:
            self.bytes += end - body
            self._payloads.packet(data, view, body, end, self._time, marker, self.now)

    @staticmethod
    def _unpack(data: bytes, flags: int, body: int, end: int) -> tuple[int, int]:
        """Honour padding, contributing sources and header extension (P14)."""
        body += (flags & 15) * 4
        if flags & 0x10 and body + 4 <= end:
            body += 4 + (data[body + 2] << 8 | data[body + 3]) * 4
        if flags & 0x20 and end > body:
            end -= data[end - 1]
        return body, end

    def _take_source(self, source: int, number: int, time: int, kind: int) -> bool:
        """The first source is ours (P1); another one only when ours has fallen silent (R23)."""
        if 72 <= kind <= 76:
            return False  # RTCP on the RTP channel
        if self._source is not None:
            self.foreign += 1
            if source != self.announced and self.now - self._last_ours < STRANGER_S:
                return False
            self._payloads.lost()
            # The new source's times have nothing to do with the old ones: it goes on by arrival.
            self._time += round((self.now - self._last_ours) * self._clock)
        else:
            if self.announced not in (None, source):
                # Packets of an old session may come first (R23); a camera that announces another number than it uses
                # (P1) is believed a little later.
                self.foreign += 1
                if self._waiting_since is None:
                    self._waiting_since = self.now
                if self.now - self._waiting_since < ANNOUNCED_S:
                    return False
            self._time = time
        self._source = source
        self._expected = number
        self._last_time = time
        return True

    def _take_type(self, kind: int) -> bool:
        """Payload numbers are those of the session description (P15); a camera that never uses them is believed."""
        self.foreign += 1
        if self.received == 0 and self.foreign > 50:
            self._type = kind
            return True
        return False

    def _reordered(self, number: int) -> bool:
        """A number that was not expected: a loss (P3), a restart (P4) or an old packet. True if it is to be taken."""
        missing = number - self._expected & 0xFFFF
        if missing < 0x8000:
            self.lost += missing if missing < 3000 else 1
            self._payloads.lost()
            return True
        # Old ones in a row are numbers that begin anew; single ones are repetitions.
        self._old_numbers = self._old_numbers + 1 if number == self._next_old else 1
        self._next_old = number + 1 & 0xFFFF
        if self._old_numbers < 4:
            return False
        self._old_numbers = 0
        self.lost += 1
        self._payloads.lost()
        return True

    def receiver_report(self, own_source: int) -> bytes:
        """A receiver report about what was taken so far (6.4.2): some cameras want signs of life (P18)."""
        return _RECEIVER_REPORT.pack(
            0x81, 201, 7, own_source, self._source or 0, min(self.lost, 0x7FFFFF), self._expected - 1 & 0xFFFF, 0, 0, 0
        )


class Rtcp:
    """RTCP of one medium: never fatal and never required (P2). Tells the camera's clock and its goodbye."""

    def __init__(self, on_clock: Callable[[float], None]) -> None:
        """`on_clock` takes the camera's own wall clock (seconds since 1970) of each sender report."""
        self._on_clock = on_clock
        #: Set by a BYE; media that go on cancel it (P17).
        self.goodbye = False

    def frame(self, data: bytes, view: memoryview, start: int, end: int) -> None:
        """Take one compound packet, data[start:end]."""
        del view
        while start + 8 <= end:
            kind = data[start + 1]
            following = start + 4 + (data[start + 2] << 8 | data[start + 3]) * 4
            if kind == 200 and start + 20 <= end:
                *_, seconds, fraction, _ = _SENDER_REPORT.unpack_from(data, start)
                if seconds:
                    self._on_clock(seconds - NTP_EPOCH + fraction / 2**32)
            elif kind == 203:
                self.goodbye = True
            start = following
