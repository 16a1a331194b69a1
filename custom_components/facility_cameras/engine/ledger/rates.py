"""Rates from raw intervals: of cameras, places, facilities or the whole hub, of any time, in any zone. Blocks.

Nothing here is stored or rounded: whole microseconds are added up, so the same rows give the same figures for ever. The
online rate is observed-online time / observed time required; unknown time stands beside it, never in it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from operator import attrgetter
from typing import NamedTuple

from ..api import Standing, Status
from ..api_ledger import Rate
from .pieces import Holes, Piece, pieces
from .reading import AwayRow, Reading
from .spans import midnight, spans

#: Frozen, black, covered and moved pictures come from a camera that is connected.
PICTURE_TROUBLE = frozenset({Status.FROZEN, Status.BLACK, Status.COVERED, Status.MOVED})
CONNECTED = PICTURE_TROUBLE | {Status.ONLINE}
#: Less of the required time was observed than this share: too little to judge by.
COLLECTING_SHARE = 0.5
#: So many figures at once.
MOST = 25_000
#: No month is longer.
_MONTH_DAYS = 31
BYS = ("camera", "place", "facility", "hub")
_START, _END = attrgetter("start_us"), attrgetter("end_us")


class Subject(NamedTuple):
    """Whose figures: None is all of them."""

    camera: str | None = None
    facility: str | None = None
    place: str | None = None


@dataclass(slots=True)
class Tally:
    """What is added up, microseconds."""

    cameras: int = 0
    #: Required time by status.
    statuses: dict[str, int] = field(default_factory=dict)
    #: All time by what was asked.
    standings: dict[str, int] = field(default_factory=dict)
    online_us: int = 0
    outages: int = 0
    outage_us: int = 0
    longest_us: int = 0

    def add(self, other: Tally) -> None:
        """Add another camera's."""
        self.cameras += other.cameras
        for mine, others in ((self.statuses, other.statuses), (self.standings, other.standings)):
            for key, us in others.items():
                mine[key] = mine.get(key, 0) + us
        self.online_us += other.online_us
        self.outages += other.outages
        self.outage_us += other.outage_us
        self.longest_us = max(self.longest_us, other.longest_us)

    @property
    def observed_us(self) -> int:
        """Required and not unknown."""
        return sum(self.statuses.values()) - self.statuses.get(Status.UNKNOWN, 0)

    @property
    def figures(self) -> dict[str, int]:
        """All of it that is not 0, by name: what is kept when it was shown."""
        totals = {
            "connected": self.online_us,
            "outages": self.outages,
            "outage time": self.outage_us,
            "longest outage": self.longest_us,
        }
        return {name: number for name, number in (self.statuses | self.standings | totals).items() if number}


def tally(found: Iterable[Piece]) -> Tally | None:
    """Of one camera; None if nothing was asked of it, or it was retired."""
    result = Tally(cameras=1)
    statuses, standings = result.statuses, result.standings
    outage_us = -1
    for start_us, end_us, standing, status, _, _, connected_us in found:
        length_us = end_us - start_us
        standings[standing] = standings.get(standing, 0) + length_us
        required = standing == Standing.REQUIRED
        if required:
            statuses[status] = statuses.get(status, 0) + length_us
        if status in CONNECTED:
            outage_us = -1
            if required:
                result.online_us += length_us
        elif required and status != Status.UNKNOWN:
            result.online_us += connected_us
            if outage_us < 0:
                result.outages += 1
                outage_us = 0
            outage_us += length_us - connected_us
            result.outage_us += length_us - connected_us
            result.longest_us = max(result.longest_us, outage_us)
    return result if standings.keys() - {Standing.RETIRED} else None


class Figures(NamedTuple):
    """A subject's figures in [start_us, end_us)."""

    start_us: int
    end_us: int
    subject: Subject
    tally: Tally
    name: str


def figures(
    reading: Reading,
    cuts: Sequence[tuple[int, int]],
    by: str = "camera",
    facility: str | None = None,
    *,
    away: Sequence[AwayRow] | None = None,
) -> list[Figures]:
    """By camera, place, facility or hub, for each of these spans (oldest first, side by side), those of which nothing was
    asked left out. Only of one facility, if it is named. `away` in the place of all that was told. Raises sqlite3.Error.
    """
    found: dict[tuple[int, Subject], Figures] = {}
    if not cuts:
        return []
    holes = Holes(reading.away() if away is None else away)
    for camera in reading.cameras:
        counted = set[tuple[int, Subject]]()
        for place, subject, name, one in _tallies(
            reading, camera, cuts, _belongings(reading, camera, by, facility), holes
        ):
            key = place, subject
            # A camera that moved away and came back is one camera all the same.
            one.cameras = int(key not in counted)
            counted.add(key)
            if key in found:
                found[key].tally.add(one)
            else:
                found[key] = Figures(*cuts[place], subject, one, name)
    return [found[key] for key in sorted(found, key=lambda key: key[0])]


def _belongings(reading: Reading, camera: str, by: str, facility: str | None) -> list[tuple[int, int, Subject, str]]:
    """From when to when a camera counts for whom, and what it is called there."""
    result: list[tuple[int, int, Subject, str]] = []
    for one in reading.belongings(camera):
        if facility not in (None, one.facility):
            continue
        match by:
            case "camera":
                subject, name = Subject(camera, facility), one.name
            case "place":
                subject, name = Subject(None, one.facility, one.place), ""
            case "facility":
                subject, name = Subject(None, one.facility), ""
            case _:
                subject, name = Subject(None, facility), ""
        if result and result[-1][1:3] == (one.start_us, subject):
            result[-1] = result[-1][0], one.end_us, subject, name
        else:
            result.append((one.start_us, one.end_us, subject, name))
    return result


def _tallies(
    reading: Reading,
    camera: str,
    cuts: Sequence[tuple[int, int]],
    belongings: Sequence[tuple[int, int, Subject, str]],
    holes: Holes,
) -> Iterator[tuple[int, Subject, str, Tally]]:
    """One camera's, for each span and what it belonged to in it."""
    begin_us, close_us = cuts[0][0], min(cuts[-1][1], reading.until_us)
    standings = reading.standings(camera, begin_us, close_us) if belongings else ()
    if not standings:
        return
    states = reading.states(camera, begin_us, close_us)
    for from_us, to_us, subject, name in belongings:
        for place, (start_us, end_us) in enumerate(cuts):
            low_us, high_us = max(start_us, from_us), min(end_us, to_us, close_us)
            if low_us < high_us:
                first = bisect_right(states, low_us, key=_END)
                last = bisect_left(states, high_us, key=_START)
                found = pieces(standings, states[first:last], holes, low_us, high_us)
                if (one := tally(found)) is not None:
                    yield place, subject, name, one


def rates(
    reading: Reading,
    start_us: int,
    end_us: int,
    *,
    by: str = "camera",
    per: str = "span",
    zone: tzinfo = UTC,
    facility: str | None = None,
) -> list[Figures]:
    """Figures of [start_us, end_us) `by` (one of BYS) and `per` (one of PERS). Raises ValueError if that are too many,
    and sqlite3.Error.
    """
    cuts = []
    if per != "span":
        # Of the time before anything was known there are no figures, and its hours would be many.
        start_us = max(start_us, midnight(reading.first_us, zone, _MONTH_DAYS))
    for cut in spans(start_us, min(end_us, max(reading.until_us, start_us)), per, zone):
        if per == "span" or cut[1] > reading.first_us:
            cuts.append(cut)
        if len(cuts) * (len(reading.cameras) if by == "camera" else 1) > MOST:
            raise ValueError(f"more than {MOST} figures")
    return figures(reading, cuts, by, facility)


def rate(one: Figures) -> Rate:
    """As the API tells it."""
    found = one.tally
    observed_us, required_us = found.observed_us, sum(found.statuses.values())
    return {
        "start": one.start_us,
        "end": one.end_us,
        "camera": one.subject.camera,
        "facility": one.subject.facility,
        "place": one.subject.place,
        "name": one.name,
        "cameras": found.cameras,
        "required_s": required_us / 1e6,
        "observed_s": observed_us / 1e6,
        "online_s": found.online_us / 1e6,
        "picture_trouble_s": sum(found.statuses.get(status, 0) for status in PICTURE_TROUBLE) / 1e6,
        "unknown_s": (required_us - observed_us) / 1e6,
        "maintenance_s": found.standings.get(Standing.MAINTENANCE, 0) / 1e6,
        "disconnected_s": found.standings.get(Standing.DISCONNECTED, 0) / 1e6,
        "not_required_s": found.standings.get(Standing.NOT_REQUIRED, 0) / 1e6,
        "seconds": {status: us / 1e6 for status, us in sorted(found.statuses.items())},
        "rate": found.online_us / observed_us if observed_us else None,
        "collecting": observed_us < COLLECTING_SHARE * required_us,
        "outages": found.outages,
        "outage_s": found.outage_us / 1e6,
        "longest_outage_s": found.longest_us / 1e6,
        "mtbf_s": found.online_us / found.outages / 1e6 if found.outages else None,
        "mttr_s": found.outage_us / found.outages / 1e6 if found.outages else None,
    }
