"""The time of one run: where each picture lies in the run, and where the run lies in the world. DESIGN: Time.

Durations come from the camera's RTP times. The run's start in UTC is the smallest, over its first minute, of (time of
receipt - media time): the least delayed picture wins, so buffering and reading in batches do not shift it. Later a
drifting camera clock is pulled back to ours by at most 500 ppm a segment. RTP times that leap (CAMERAS.md P8-P10) are
replaced by arrival times, and that is counted.

Promise I5: nothing here reads a clock; monotonic times are given, and the offset to UTC is taken once, at the start.
"""

from .clock import microseconds
from .media import VIDEO_CLOCK

#: Over this time the least delayed picture decides where the run begins.
SETTLE_S = 60.0
#: Most that a segment's wall duration may differ from its media duration.
PULL = 500e-6
#: A picture cannot come from the future: further ahead of its arrival than this, its time has leapt.
AHEAD_S = 2.0
#: Pictures are reordered over less than this.
REORDER_S = 2.0
#: Media time may fall behind arrival this far (a stall that is caught up) before it is anchored anew.
BEHIND_S = 30.0
#: So many pictures with one and the same time: the camera does not set times at all (P9).
SAME_TIMES = 8
#: A run that seems to begin this much before the footage of the run before it ended, begins at that end. Where it is
#: more, our clock was set back, and what it says now is believed.
OVERLAP_US = 30_000_000


class Timeline:
    """Media time and wall clock of one run. Media time is in 90 kHz ticks from the run's first picture."""

    def __init__(self, utc_offset: float) -> None:
        """`utc_offset` is UTC minus monotonic time, in seconds, at the run's start."""
        self.utc_offset = utc_offset
        #: How often times had to be replaced by arrival times.
        self.leaps = 0
        self._base: int | None = None
        self._newest = 0
        self._newest_received = 0.0
        self._first_received = 0.0
        self._start = 0.0
        self._raw = 0
        self._same = 0
        self._by_arrival = False
        self._interval = VIDEO_CLOCK / 25
        self._least_lag: float | None = None
        #: Where the newest segment ended: UTC microseconds, and media time.
        self._ended: tuple[int, int] | None = None
        self._not_before_us = 0

    def place(self, rtp_time: int, received: float) -> int:
        """The media time of the picture with this extended RTP time, received at this monotonic time."""
        if self._base is None:
            self._base = rtp_time
            self._first_received = self._newest_received = self._start = received
            return 0
        media = rtp_time - self._base
        media = self._smoothed(received) if self._by_arrival else self._checked(media, received)
        if media > self._newest:
            self._newest = media
            self._newest_received = received
        origin = received - media / VIDEO_CLOCK
        if received - self._first_received < SETTLE_S:
            self._start = min(self._start, origin)
        lag = origin - self._start
        if self._least_lag is None or lag < self._least_lag:
            self._least_lag = lag
        return media

    def _checked(self, media: int, received: float) -> int:
        if media == self._raw:
            self._same += 1
            if self._same >= SAME_TIMES:
                self._by_arrival = True
                self.leaps += 1
            return self._newest + 1
        self._raw = media
        self._same = 0
        step = media - self._newest
        ahead = media / VIDEO_CLOCK - (received - self._start)
        if ahead > AHEAD_S or step < -REORDER_S * VIDEO_CLOCK or ahead < -BEHIND_S:
            self.leaps += 1
            elapsed = round((received - self._newest_received) * VIDEO_CLOCK)
            placed = self._newest + max(elapsed, round(self._interval))
            self._base = (self._base or 0) + media - placed
            self._raw = placed
            return placed
        if 0 < step < VIDEO_CLOCK:
            self._interval += (step - self._interval) / 16
        return media

    def _smoothed(self, received: float) -> int:
        """Arrival time, smoothed: pictures read in one go lie one interval apart."""
        arrival = (received - self._start) * VIDEO_CLOCK
        elapsed = (received - self._newest_received) * VIDEO_CLOCK
        if elapsed > 0:
            self._interval += (min(elapsed, VIDEO_CLOCK) - self._interval) / 64
        expected = self._newest + self._interval
        if arrival - expected > VIDEO_CLOCK:
            return round(arrival)
        return round(max(expected + (arrival - expected) / 16, self._newest + 1))

    @property
    def start_us(self) -> int:
        """The run's first picture in UTC microseconds, as far as known by now."""
        return microseconds(self._start + self.utc_offset)

    def audio_start(self, received: float) -> float:
        """Seconds from the run's first picture to an audio frame received now, by arrival."""
        return max(0.0, received - self._start)

    def not_before(self, utc_us: int) -> None:
        """Footage reaches up to here already: a camera that sends old pictures first does not make it overlap."""
        if 0 < utc_us - self.start_us < OVERLAP_US:
            self._not_before_us = utc_us

    def open_segment(self, media: int) -> int:
        """The start, UTC microseconds, of a segment whose first picture has this media time."""
        if self._ended is None:
            return max(self.start_us + media * 1_000_000 // VIDEO_CLOCK, self._not_before_us)
        end_us, end = self._ended
        gap = media - end
        if gap <= VIDEO_CLOCK:
            return end_us + max(gap, 0) * 1_000_000 // VIDEO_CLOCK
        # Nothing was recorded for a while: no reason to keep what is still to be pulled.
        return max(end_us, self.start_us + microseconds(self._least_lag or 0.0) + media * 1_000_000 // VIDEO_CLOCK)

    def close_segment(self, first: int, end: int) -> tuple[int, int]:
        """Start and end, UTC microseconds, of a segment from media time `first` to `end`. The next begins at its end."""
        start_us = self.open_segment(first)
        duration = (end - first) / VIDEO_CLOCK
        most = PULL * duration
        if self._least_lag is not None and self._ended is not None:
            # What is pulled is no longer lag: later pictures are measured from the shifted start.
            self._start += max(-most, min(most, self._least_lag))
        self._least_lag = None
        labelled = start_us / 1e6 - self.utc_offset - first / VIDEO_CLOCK
        pull = max(-most, min(most, self._start - labelled))
        end_us = start_us + microseconds(duration + pull)
        self._ended = end_us, end
        return start_us, end_us
