"""What really happened to the cameras, and when: whoever measures a watcher compares with this.

Times are those at which a fault took effect on what a camera sends, not those at which it was asked for.
"""

from dataclasses import dataclass, field
import itertools
import time


@dataclass(slots=True)
class Entry:
    """One fault of one camera. Times are in seconds: UTC since 1970, and the monotonic clock of this machine; the
    ended ones are None while the fault lasts. A momentary fault begins and ends at once.
    """

    number: int
    camera: str
    fault: str
    settings: dict[str, float | str]
    began_utc: float
    began_monotonic: float
    ended_utc: float | None = None
    ended_monotonic: float | None = None


@dataclass(slots=True)
class TruthLog:
    """Every fault since the start, oldest first."""

    entries: list[Entry] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def begin(self, camera: str, fault: str, settings: dict[str, float | str]) -> Entry:
        """A fault takes effect now."""
        entry = Entry(next(self._numbers), camera, fault, settings, time.time(), time.monotonic())
        self.entries.append(entry)
        return entry

    def end(self, entry: Entry) -> None:
        """A fault ends now; an ended one stays as it is."""
        if entry.ended_monotonic is None:
            entry.ended_utc, entry.ended_monotonic = time.time(), time.monotonic()
