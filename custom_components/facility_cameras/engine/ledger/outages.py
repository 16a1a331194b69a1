"""Outages from raw intervals: from the first time a camera is not connected to the next time it is. Blocks.

One outage has as many causes as were told in it. Time that is unknown, or in which nothing was required (planned
maintenance, connect switch off, outside its hours), neither begins nor ends one, and does not count in it; a camera that
is seen connected in such time has ended its outage. An unstable camera is in an outage, of which only the time counts in
which it was not connected.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from ..api import Standing, Status
from ..api_ledger import Outage
from .pieces import Holes, Piece, pieces
from .rates import CONNECTED
from .reading import NEVER, Reading

#: So far the look goes at once for where an outage began or ended, microseconds; then twice as far, and so on.
_STEP_US = 86_400_000_000
#: An outage that has lasted for longer than this is told from there on.
LONGEST_US = 800 * _STEP_US
#: How many causes, and so on, of one are told.
_TOLD = 20


@dataclass(slots=True)
class _Open:
    start_us: int
    end_us: int = 0
    away_us: int = 0
    unknown_us: int = 0
    pending_us: int = 0
    statuses: list[str] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)

    def add(self, piece: Piece) -> None:
        """It was not connected in this piece."""
        self.end_us = piece.end_us
        self.away_us += piece.end_us - piece.start_us - piece.connected_us
        self.unknown_us, self.pending_us = self.unknown_us + self.pending_us, 0
        row = piece.row
        if row is not None:
            told = (
                (self.statuses, row.status),
                (self.causes, row.cause),
                (self.details, row.detail),
                (self.evidence, row.evidence),
            )
            for known, new in told:
                if new and new not in known and len(known) < _TOLD:
                    known.append(new)

    def told(self, *, lasts: bool) -> Outage:
        """As the API tells it."""
        return {
            "start": self.start_us,
            "end": self.end_us,
            "lasts": lasts,
            "away_s": self.away_us / 1e6,
            "unknown_s": self.unknown_us / 1e6,
            "statuses": self.statuses,
            "causes": self.causes,
            "details": self.details,
            "evidence": self.evidence,
        }


def outages_of(found: Iterable[Piece], *, gone: bool) -> Iterator[Outage]:
    """In a camera's pieces, oldest first. The last one lasts unless the camera was seen connected again, or is `gone`."""
    current: _Open | None = None
    for piece in found:
        if piece.status in CONNECTED:
            if current is not None:
                yield current.told(lasts=False)
            current = None
        elif piece.standing == Standing.REQUIRED:
            if piece.status != Status.UNKNOWN:
                current = current or _Open(piece.start_us)
                current.add(piece)
            elif current is not None:
                current.pending_us += piece.end_us - piece.start_us
    if current is not None:
        yield current.told(lasts=not gone)


def outages(reading: Reading, camera: str, start_us: int, end_us: int) -> list[Outage]:
    """A camera's that touch [start_us, end_us), whole, oldest first. Raises sqlite3.Error."""
    until_us, holes = reading.until_us, Holes(reading.away())
    end_us = min(end_us, until_us)

    def found(from_us: int, to_us: int) -> Iterator[Piece]:
        rows = reading.standings(camera, from_us, to_us), reading.states(camera, from_us, to_us)
        return pieces(*rows, holes, from_us, to_us)

    def connected(from_us: int, to_us: int) -> bool:
        return any(piece.status in CONNECTED for piece in found(from_us, to_us))

    # Where a camera was seen connected, no outage goes on.
    begin_us, close_us, step_us = start_us, end_us, _STEP_US
    while begin_us > max(start_us - LONGEST_US, 0) and not connected(begin_us, start_us):
        begin_us, step_us = begin_us - step_us, step_us * 2
    step_us = _STEP_US
    while close_us < until_us and not connected(end_us, close_us):
        close_us, step_us = min(close_us + step_us, until_us), step_us * 2
    all_of_it = outages_of(found(begin_us, close_us), gone=not reading.asked(camera))
    return [one for one in all_of_it if one["start"] < end_us and one["end"] > start_us]


def last_outage(reading: Reading, camera: str) -> Outage | None:
    """The newest of a camera, as far back as the look goes. Raises sqlite3.Error."""
    back_us = _STEP_US
    while back_us <= LONGEST_US:
        found = outages(reading, camera, reading.until_us - back_us, NEVER)
        if found:
            return found[-1]
        back_us *= 8
    return None
