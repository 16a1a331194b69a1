"""Which picture is sent when, and one receiver's share of it.

A timeline numbers the units (pictures, audio frames) of a stream from the camera's start, without end. A track is one
receiver's view of a timeline: its sequence numbers, its source, where its packets go. A session is the tracks that one
receiver set up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
import itertools
import math
import random
import struct
from typing import Protocol

from .packets import HEADER, Loop

#: Seconds from the NTP epoch (1900) to 1970.
_NTP = 2_208_988_800
_REPORT_SECONDS = 5.0
#: Units older than this when they could be sent are not sent any more: the camera's buffer holds no more.
_BUFFER_SECONDS = 20.0
#: Switches of clip remembered for receivers that lag behind.
_MOST_PARTS = 16


class Timeline:
    """Unit n is due n / `rate` seconds after the camera's start, by the camera's clock."""

    def __init__(self, loop: Loop, rate: Fraction, clock: int) -> None:
        """`rate` is in units per second, `clock` the RTP clock in Hz."""
        self.rate, self.clock = rate, clock
        self._plan: list[tuple[int, Loop, int]] = [(0, loop, 0)]
        ticks = Fraction(clock) / rate
        self._up, self._down = ticks.numerator, ticks.denominator

    def due(self, seconds: float) -> int:
        """The first unit that is not yet due."""
        return max(0, math.floor(seconds * self.rate) + 1)

    def seconds(self, number: int) -> float:
        """When unit `number` is due."""
        return float(number / self.rate)

    def switch(self, loop: Loop, at: int, *, restart: bool) -> None:
        """From unit `at` on play `loop`: from its own beginning, or as if it had been playing since the start."""
        self._plan = [part for part in self._plan if part[0] < at]
        self._plan.append((at, loop, at if restart else 0))
        del self._plan[:-_MOST_PARTS]

    def next_key(self, number: int) -> int:
        """The first key unit that is not before `number`."""
        while True:
            for loop, first, last, start in self.pieces(number, number + 1000):
                for unit in range(first, last):
                    if unit in loop.keys:
                        return start + unit
            number += 1000

    def pieces(self, first: int, last: int) -> Iterator[tuple[Loop, int, int, int]]:
        """Units `first` to `last` less 1 as (loop, first and last unit in it, number of the loop's unit 0)."""
        while first < last:
            index = max((i for i, part in enumerate(self._plan) if part[0] <= first), default=0)
            _, loop, base = self._plan[index]
            limit = self._plan[index + 1][0] if index + 1 < len(self._plan) else last
            at = (first - base) % loop.units
            count = min(last, limit) - first
            count = min(count, loop.units - at)
            yield loop, at, at + count, first - at
            first += count

    def ticks(self, number: int) -> int:
        """RTP time of unit `number` in the order of presentation, from 0 at the camera's start."""
        return number * self._up // self._down


@dataclass(slots=True)
class Faults:
    """What goes wrong on the way out of a camera, as commanded."""

    stalled: bool = False
    #: Nothing is sent now, everything is sent later.
    held: bool = False
    #: Share of packets lost.
    loss: float = 0
    garbage: bool = False
    #: Seconds that RTP time has leapt.
    leap: float = 0


class Route(Protocol):
    """Where packets of one track go."""

    def media(self, frames: bytearray, bounds: list[int] | None, /) -> bool:
        """Send interleaved frames; `bounds` are their starts and the end. False: the receiver is too slow."""

    def report(self, packet: bytes) -> None:
        """Send one RTCP packet."""

    def close(self) -> None:
        """No more is sent."""

    @property
    def channel(self) -> int:
        """Interleaved channel of the media; 0 for UDP."""

    @property
    def needs_bounds(self) -> bool:
        """True if `media` wants `bounds`."""


@dataclass(slots=True)
class Track:
    """One receiver's share of a timeline."""

    timeline: Timeline
    route: Route
    equal_times: bool = False
    foreign_reports: bool = False
    source: int = field(default_factory=lambda: random.getrandbits(32))
    sequence: int = field(default_factory=lambda: random.getrandbits(16))
    offset: int = field(default_factory=lambda: random.getrandbits(32))
    #: The next unit to send; None: the next key unit that comes.
    following: int | None = None
    packets: int = 0
    octets: int = 0
    overflows: int = 0
    reported: float = -math.inf

    def wrap_soon(self, seconds: float) -> None:
        """Let numbers and times wrap a few seconds after `seconds` from the camera's start."""
        self.sequence = 0xFFF0
        self.offset = -round((seconds + 4) * self.timeline.clock) & 0xFFFFFFFF

    def rtp_time(self, number: int) -> int:
        """RTP time of unit `number` without leaps."""
        return (self.offset + self.timeline.ticks(number)) & 0xFFFFFFFF

    def pump(self, seconds: float, faults: Faults) -> None:
        """Send what is due `seconds` after the camera's start."""
        timeline = self.timeline
        due = timeline.due(seconds)
        if self.following is None or due - self.following > timeline.rate * _BUFFER_SECONDS:
            self.following = timeline.next_key(due)
        if due <= self.following:
            return
        leap = self.offset + round(faults.leap * timeline.clock)
        for loop, first, last, start in timeline.pieces(self.following, due):
            shown = loop.times[loop.firsts[first] : loop.firsts[last]]
            if self.equal_times:
                shown = [time & ~1 for time in shown]
            ticks = [leap + timeline.ticks(start + time) for time in shown]
            frames, count = loop.render(first, last, self.route.channel, self.sequence, self.source, ticks)
            self.sequence = (self.sequence + count) & 0xFFFF
            self.packets += count
            self.octets += len(frames) - HEADER * count
            bounds: list[int] | None = None
            if self.route.needs_bounds or faults.loss or faults.garbage:
                begin, end = loop.firsts[first], loop.firsts[last]
                bounds = [at - loop.starts[begin] for at in loop.starts[begin : end + 1]]
                if faults.loss or faults.garbage:
                    frames, bounds = _damage(frames, bounds, faults, garbage=not self.route.needs_bounds)
            if not self.route.media(frames, bounds):
                # As real cameras do: what does not fit into the send buffer is gone, the numbers go on.
                self.overflows += 1
                self.following = None
                return
        self.following = due

    def report(self, seconds: float, now: float, faults: Faults) -> None:
        """Send a sender report if one is due; `now` is the camera's own idea of the time (since 1970)."""
        if seconds - self.reported < _REPORT_SECONDS or not self.packets:
            return
        self.reported = seconds
        self.route.report(self.sender_report(seconds, now, faults))

    def sender_report(self, seconds: float, now: float, faults: Faults) -> bytes:
        """RTCP: sender report and source description (RFC 3550, 6.4.1 and 6.5)."""
        source = self.source ^ self.foreign_reports
        whole = math.floor(now)
        time = self.offset + round((seconds + faults.leap) * self.timeline.clock)
        return struct.pack(
            ">BBHIIIIIIBBHIBB6sI",
            0x80,
            200,
            6,
            source,
            whole + _NTP & 0xFFFFFFFF,
            int((now - whole) * (1 << 32)),
            time & 0xFFFFFFFF,
            self.packets & 0xFFFFFFFF,
            self.octets & 0xFFFFFFFF,
            0x81,
            202,
            4,
            source,
            1,
            6,
            b"camera",
            0,
        )

    def bye(self) -> None:
        """Say that the source ends (RFC 3550, 6.6)."""
        self.route.report(struct.pack(">BBHI", 0x81, 203, 1, self.source))


def _damage(frames: bytearray, bounds: list[int], faults: Faults, *, garbage: bool) -> tuple[bytearray, list[int]]:
    """Leave packets out, and put rubbish between the others where that is possible."""
    out, kept = bytearray(), [0]
    for first, last in itertools.pairwise(bounds):
        if faults.loss and random.random() < faults.loss:
            continue
        out += frames[first:last]
        if garbage and faults.garbage and random.random() < 0.05:
            out += random.randbytes(random.randrange(1, 200))
        kept.append(len(out))
    return out, kept


class Session:
    """What one receiver set up. `alive` is when it last gave a sign of life, by the monotonic clock."""

    def __init__(self, path: str, tracks_wanted: int, timeout: float, now: float) -> None:
        """Nothing is set up yet."""
        self.id = f"{random.getrandbits(63):016d}"
        self.path = path
        self.tracks_wanted = tracks_wanted
        self.timeout = timeout
        self.alive = now
        self.reported = now
        self.tracks: dict[int, Track] = {}
        self.playing = False

    def pump(self, seconds: float, now: float, faults: Faults, *, reports: bool) -> None:
        """Send what is due."""
        if not self.playing or self.tracks_wanted > len(self.tracks):
            return
        if faults.stalled:
            for track in self.tracks.values():
                track.following = None
            return
        if faults.held:
            return
        for track in self.tracks.values():
            track.pump(seconds, faults)
            if reports:
                track.report(seconds, now, faults)

    def close(self) -> None:
        """Send no more."""
        self.playing = False
        for track in self.tracks.values():
            track.route.close()
