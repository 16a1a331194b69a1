"""What was known of a camera, put together from what is written: pieces that neither overlap nor leave out any time in
which something was asked of it (promise I5).

A piece is unknown where nothing was told (no engine ran), and where the hub itself was the reason. Time that never was,
because our clock was set forward, is in no piece.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from ..api import Status
from ..api_ledger import Away
from .reading import AwayRow, StandingRow, StateRow

_END = itemgetter(1)


class Piece(NamedTuple):
    """[start_us, end_us): what was asked, and what was known; `row` is what was told, None where it is unknown, with
    `why` an Away or what else was the reason. `connected_us`: how much of it the camera was connected, if it is a status
    of which that depends.
    """

    start_us: int
    end_us: int
    standing: str
    status: str
    row: StateRow | None
    why: str
    connected_us: int


class Holes:
    """Time of all cameras in which the hub was the reason, without overlaps, oldest first: `away`. Time that never was is
    that whatever else was told of it; else what began first holds. `unlived`: time in which our own monotonic clock
    stood.
    """

    def __init__(self, rows: Sequence[AwayRow]) -> None:
        """Of what was told."""
        never = _joined((row.start_us, row.end_us) for row in rows if row.why == Away.CLOCK)
        self.unlived = _joined((row.start_us, row.end_us) for row in rows if row.why in (Away.CLOCK, Away.SUSPENDED))
        self.away = [(start_us, end_us, Away.CLOCK.value) for start_us, end_us in never]
        newest_us = 0
        for row in sorted((row for row in rows if row.why != Away.CLOCK), key=lambda row: row.start_us):
            for start_us, end_us in _without((max(row.start_us, newest_us), row.end_us), never):
                self.away.append((start_us, end_us, row.why))
            newest_us = max(newest_us, row.end_us)
        self.away.sort()

    def lived_us(self, start_us: int, end_us: int) -> int:
        """How long it was from the one to the other, as our monotonic clock counts."""
        stood = (min(to_us, end_us) - max(from_us, start_us) for from_us, to_us in self.unlived)
        return end_us - start_us - sum(us for us in stood if us > 0)


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start_us, end_us in sorted(spans):
        if found and start_us <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end_us)
        else:
            found.append((start_us, end_us))
    return found


def _without(span: tuple[int, int], holes: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    start_us, end_us = span
    for hole_start_us, hole_end_us in holes:
        if start_us < min(hole_start_us, end_us):
            yield start_us, min(hole_start_us, end_us)
        if hole_end_us > start_us:
            start_us = hole_end_us
    if start_us < end_us:
        yield start_us, end_us


def pieces(
    standings: Sequence[StandingRow],
    states: Sequence[StateRow],
    holes: Holes,
    start_us: int,
    end_us: int,
) -> Iterator[Piece]:
    """Of [start_us, end_us), oldest first. Rows are whole and oldest first."""
    away = holes.away
    state, hole = 0, bisect_right(away, start_us, key=_END)
    for asked in standings:
        now_us, stop_us = max(asked.start_us, start_us), min(asked.end_us, end_us)
        while now_us < stop_us:
            while hole < len(away) and away[hole][1] <= now_us:
                hole += 1
            while state < len(states) and states[state].end_us <= now_us:
                state += 1
            row = states[state] if state < len(states) else None
            until_us = stop_us
            if hole < len(away):
                hole_start_us, hole_end_us, why = away[hole]
                if hole_start_us <= now_us:
                    until_us = min(until_us, hole_end_us)
                    if why != Away.CLOCK:
                        yield Piece(now_us, until_us, asked.standing, Status.UNKNOWN, None, why, 0)
                    now_us = until_us
                    continue
                until_us = min(until_us, hole_start_us)
            if row is None or row.start_us > now_us:
                if row is not None:
                    until_us = min(until_us, row.start_us)
                yield Piece(now_us, until_us, asked.standing, Status.UNKNOWN, None, Away.NOT_WATCHED, 0)
            else:
                until_us = min(until_us, row.end_us)
                connected_us = _connected(row, holes, now_us, until_us) if row.status == Status.UNSTABLE else 0
                yield Piece(now_us, until_us, asked.standing, row.status, row, row.cause, connected_us)
            now_us = until_us


def _connected(row: StateRow, holes: Holes, start_us: int, end_us: int) -> int:
    """How much of [start_us, end_us) an unstable camera was connected: pro rata of what our clock ran in its row."""
    lived_us = holes.lived_us(row.start_us, row.end_us)
    return min((end_us - start_us) * row.connected_us // max(lived_us, 1), end_us - start_us)
