"""The ledger's time: durations are monotonic, labels are our clock's, and what nobody watched is told (promise I5).

Three things can happen between two looks at the clocks, and are told apart: the machine slept (CLOCK_BOOTTIME ran ahead
of CLOCK_MONOTONIC), the engine itself stood still (nobody looked for long), our clock was set (the wall clock moved by
something else than both).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import time

from ..api_ledger import Away
from ..clock import Clock, microseconds

#: Our clock was set by more than this; less is drift.
STEP_S = 1.0
#: The machine slept for more than this.
SLEPT_S = 0.5
#: Nobody looked at the clocks for longer than this: the engine stood still. It looks every second.
STALLED_S = 30.0
#: That a camera went is noticed so much later at most: what is told of a time before is final.
LATE_US = 120_000_000


def asleep_s() -> float:
    """Seconds this machine was suspended since it booted."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


def boot_id() -> str:
    """What this boot of the machine is called; empty where it cannot be told."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found since the look before, UTC microseconds. `missed`: from when to when nobody watched, and why, in
    the time before a step; `step`: what our clock would have said, and what it says.
    """

    missed: tuple[int, int, Away] | None = None
    step: tuple[int, int] | None = None


class WatchTime:
    """Looks at the clocks. For one thread; `newest_us` may be read by any."""

    def __init__(self, clock: Clock, asleep: Callable[[], float]) -> None:
        """Begin now. `asleep` tells the seconds that the machine was suspended."""
        self._clock = clock
        self._asleep = asleep
        self._looked = clock.monotonic()
        self._slept = asleep()
        self._offset = clock.utc() - self._looked
        #: The newest time that was told, UTC microseconds: goes back only when our clock is set back.
        self.newest_us = microseconds(clock.utc())

    def look(self) -> Look:
        """What time it is now (`newest_us`), and what happened since the last look."""
        now, slept = self._clock.monotonic(), self._asleep()
        offset = self._clock.utc() - now
        passed_s, slept_s = now - self._looked, slept - self._slept
        if slept_s < SLEPT_S:
            # Two clocks are never read at once.
            slept_s = 0.0
        expected_us = max(microseconds(now + self._offset + slept_s), self.newest_us)
        missed = step = None
        if passed_s > STALLED_S:
            missed = self.newest_us, expected_us, Away.SUSPENDED if slept_s else Away.STALLED
        elif slept_s:
            missed = max(expected_us - microseconds(slept_s), self.newest_us), expected_us, Away.SUSPENDED
        if abs(offset - self._offset - slept_s) > STEP_S:
            self.newest_us = microseconds(now + offset)
            step = expected_us, self.newest_us
        else:
            self.newest_us = max(self.newest_us, microseconds(now + offset))
        self._looked, self._slept, self._offset = now, slept, offset
        return Look(missed, step)
