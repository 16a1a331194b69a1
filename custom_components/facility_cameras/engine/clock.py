"""The engine's two clocks behind one small interface, so that tests can bring their own."""

import time
from typing import Protocol

#: Seconds between 1900, where NTP begins to count, and 1970.
NTP_EPOCH = 2_208_988_800


class Clock(Protocol):
    """Monotonic time for durations, wall clock for labels (promise I5). Both in seconds."""

    def monotonic(self) -> float:
        """Seconds that only rise."""

    def utc(self) -> float:
        """Seconds since 1970, UTC; may step."""


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """CLOCK_MONOTONIC."""
        return time.monotonic()

    def utc(self) -> float:
        """CLOCK_REALTIME."""
        return time.time()


def microseconds(seconds: float) -> int:
    """Seconds since 1970 → UTC microseconds, as the API and the index count."""
    return round(seconds * 1_000_000)
