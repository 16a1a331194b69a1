"""What was shown can be computed again (promise I5): figures that were given out of a span that was over are kept, and
compared with what the raw intervals give now. Blocks.

What was told afterwards of that time, because it could not be known before (the hub itself had been the reason), is left
out when comparing; where our clock was set back over a span, what was shown of it is forgotten, and a note says so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
import json

from ..api import Status
from .changes import ShownRow
from .rates import Figures, Subject, figures
from .reading import Reading
from .watch_time import LATE_US

#: So many figures of one answer are kept.
MOST = 4_000
#: Of the figures this alone is no time.
_COUNT = "outages"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something is not as it should be; `what` says it in words. Times in UTC microseconds."""

    what: str
    start_us: int
    end_us: int
    camera: str = ""
    facility: str = ""
    place: str = ""


def final(reading: Reading, found: Iterable[Figures]) -> list[ShownRow]:
    """Those of spans that are over and will change no more. Raises sqlite3.Error."""
    # Of an unstable camera's hour it is known at its end how much it was connected.
    (open_us,) = reading.rows("SELECT min(start_us) FROM state WHERE end_us = 0 AND status = ?", Status.UNSTABLE)[0]
    open_us = reading.until_us if open_us is None else open_us
    (away,) = reading.rows("SELECT coalesce(max(id), 0) FROM away")[0]
    return [
        ShownRow(
            one.start_us,
            one.end_us,
            one.subject.camera or "",
            one.subject.facility or "",
            one.subject.place,
            away,
            json.dumps(one.tally.figures),
        )
        for one in found
        if one.end_us <= open_us and one.end_us < reading.until_us - LATE_US
    ][:MOST]


def verify(reading: Reading) -> Iterator[Difference]:
    """All that is not as it should be. Raises sqlite3.Error."""
    yield from _overlaps(reading)
    yield from _unwatched(reading)
    yield from _differences(reading)


def count(reading: Reading) -> int:
    """How many figures there are to compare. Raises sqlite3.Error."""
    return int(reading.rows("SELECT count(*) FROM shown")[0][0])


def _overlaps(reading: Reading) -> Iterator[Difference]:
    for table in ("state", "standing"):
        rows = reading.rows(
            f"SELECT uid, start_us, end_us, next_us FROM (SELECT camera, start_us, end_us, lead(start_us) OVER "
            f"(PARTITION BY camera ORDER BY start_us) AS next_us FROM {table}) JOIN camera ON camera.id = camera "
            "WHERE (end_us <> 0 AND end_us < start_us) OR (next_us IS NOT NULL AND (end_us = 0 OR end_us > next_us))"
        )
        for camera, start_us, end_us, next_us in rows:
            yield Difference(f"an interval of {table} overlaps the next", start_us, next_us or end_us, camera)


def _unwatched(reading: Reading) -> Iterator[Difference]:
    rows = reading.rows(
        "SELECT uid, state.start_us, state.end_us FROM state JOIN camera ON camera.id = camera WHERE NOT EXISTS "
        "(SELECT 1 FROM run WHERE run.start_us <= state.start_us AND run.end_us >= max(state.end_us, state.start_us))"
    )
    for camera, start_us, end_us in rows:
        yield Difference("a state is told of a time in which no watch ran", start_us, end_us, camera)


def _differences(reading: Reading) -> Iterator[Difference]:
    away = reading.away()
    rows = reading.rows(
        "SELECT start_us, end_us, camera, facility, place, away, figures FROM shown ORDER BY start_us, end_us, away"
    )
    key: tuple[int, int, int] | None = None
    known: dict[tuple[str, str | None], dict[Subject, dict[str, int]]] = {}
    for start_us, end_us, camera, facility, place, newest, told in rows:
        if key != (start_us, end_us, newest):
            key = start_us, end_us, newest
            known = {}
        by = "camera" if camera else "hub" if place is None else "place"
        if (by, facility or None) not in known:
            holes = [one for one in away if one.id <= newest]
            found = figures(reading, [(start_us, end_us)], by, facility or None, away=holes)
            known[by, facility or None] = {one.subject: one.tally.figures for one in found}
        subject = Subject(camera or None, facility or None, place)
        yield from _compared(json.loads(told), known[by, facility or None].get(subject), start_us, end_us, subject)


def _compared(
    told: dict[str, int], found: dict[str, int] | None, start_us: int, end_us: int, subject: Subject
) -> Iterator[Difference]:
    where = start_us, end_us, subject.camera or "", subject.facility or "", subject.place or ""
    if found is None:
        yield Difference("it was shown, and nothing was asked in this time", *where)
        return
    for name in {**told, **found}:
        before, now = told.get(name, 0), found.get(name, 0)
        if before != now:
            words = (str(one) if name == _COUNT else f"{one / 1e6} s" for one in (before, now))
            yield Difference("{}: {} was shown, it is {}".format(name, *words), *where)
