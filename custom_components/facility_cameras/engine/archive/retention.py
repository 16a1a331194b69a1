"""The policy of retention: which footage goes next, and why. Reads the index and is given the time; deletes nothing.

Promise I3 (nothing vanishes): footage goes oldest first; what a hold protects is on no shelf; a facility's youngest
footage never goes for space. cleaner.py is the only one that deletes, and deletes only what is chosen here.

A segment is as old as its end. One that was left open is taken to last as long as any can. One that begins in the
future was written while our clock was wrong, and what its file says of time is no better: it is as old as the moment at
which it was first noticed by a clock that had been steady. So it is kept too long rather than too short.

Intervals are half open, times are UTC microseconds.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
import heapq
import itertools

import orjson

from .index import LONGEST_US, Index, Row

HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
#: Footage younger than this is never deleted, whatever the disk, the quota or the days say.
YOUNGEST_US = HOUR_US
#: Later than any footage.
NEVER_US = 1 << 62
#: Beyond our clock by this much a segment cannot begin.
_AHEAD_US = 60_000_000
#: Under this key the index remembers footage from the future: pairs of the highest id, and when it was noticed.
_NOTICED = "future"

type Intervals = Mapping[str, list[tuple[int, int]]]


class Reason(StrEnum):
    """Why footage was deleted, as the journal and the index tell it."""

    DAYS = "days"  # older than the days to keep
    SPACE = "space"  # to keep room free on the volume, for bytes or for files
    QUOTA = "quota"  # the facility has no more room of its own
    LOST = "lost"  # somebody else deleted it


@dataclass(frozen=True, slots=True)
class Rules:
    """What a facility wants. `days` is for cameras whose own are not known; `quota_bytes` 0 is none; footage younger
    than `least_us` is never deleted for space or quota.
    """

    days: int
    quota_bytes: int = 0
    least_us: int = YOUNGEST_US


@dataclass(frozen=True, slots=True)
class Kept:
    """A camera that has, or had, footage here. `days` is None where nobody knows."""

    uid: str
    facility: str
    days: int | None


def cameras(index: Index, days: Mapping[str, int], rules: Mapping[str, Rules]) -> list[Kept]:
    """All cameras with the `days` their footage is kept: for one that was removed the days it had last, or its
    facility's, or the most that are known of another. Raises sqlite3.Error.
    """
    rows = index.query("SELECT uid, facility, days FROM camera ORDER BY id")
    most = max((last for _, _, last in rows if last is not None), default=None)
    found = []
    for uid, facility, last in rows:
        kept = days.get(uid, last)
        if kept is None:
            kept = rules[facility].days if facility in rules else most
        found.append(Kept(uid, facility, kept))
    return found


def held(index: Index) -> dict[str, list[tuple[int, int]]]:
    """What holds protect, by camera. Raises sqlite3.Error."""
    found: dict[str, list[tuple[int, int]]] = {}
    for camera, start_us, end_us in index.query("SELECT camera, start_us, end_us FROM hold WHERE released_us IS NULL"):
        found.setdefault(camera, []).append((start_us, end_us))
    return {camera: merged(intervals) for camera, intervals in found.items()}


def merged(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same time, in order and without overlaps."""
    found: list[tuple[int, int]] = []
    for start_us, end_us in sorted(intervals):
        if found and start_us <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end_us)
        else:
            found.append((start_us, end_us))
    return found


def between(intervals: list[tuple[int, int]], until_us: int) -> Iterator[tuple[int, int]]:
    """The time before `until_us` that none of the intervals (in order, without overlaps) takes."""
    start_us = 0
    for taken_us, free_us in intervals:
        if taken_us >= until_us:
            break
        if start_us < taken_us:
            yield start_us, taken_us
        start_us = max(start_us, free_us)
    if start_us < until_us:
        yield start_us, until_us


def overlaps(intervals: list[tuple[int, int]], row: Row) -> bool:
    """Whether a segment is touched by any of the intervals. One that was left open may last as long as any can."""
    end_us = _end_us(row)
    return any(row.start_us < b and (end_us > a or row.start_us >= a) for a, b in intervals)


def _end_us(row: Row) -> int:
    return row.start_us + LONGEST_US if row.state == 0 else max(row.start_us, row.end_us)


class Future:
    """Footage that begins in the future, and when each was first noticed."""

    def __init__(self, index: Index, now_us: int, *, steady: bool) -> None:
        """Look for it: only a clock that has been steady can tell. Raises sqlite3.Error."""
        self.after_us = now_us + _AHEAD_US
        self._known: list[list[int]] = orjson.loads(index.value(_NOTICED) or "[]")
        self._noticed = self._known
        if steady:
            ((highest,),) = index.query("SELECT max(id) FROM segment WHERE start_us > ?", self.after_us)
            if highest is None:
                self._noticed = []
            elif not self._known or self._known[-1][0] < highest:
                self._noticed = [*self._known, [highest, now_us]]

    @property
    def exists(self) -> bool:
        """Whether there is any whose age can be told."""
        return bool(self._noticed)

    def remember(self, index: Index) -> None:
        """Remember what is new. Raises sqlite3.Error."""
        if self._noticed != self._known:
            index.keep_value(_NOTICED, orjson.dumps(self._noticed).decode())

    def noticed_us(self, number: int) -> int:
        """When the segment with this id was noticed; NEVER_US if it was not yet."""
        return next((at_us for highest, at_us in self._noticed if number <= highest), NEVER_US)


class Shelves:
    """All footage that may be deleted, each camera's from its oldest on."""

    def __init__(
        self,
        index: Index,
        kept: list[Kept],
        rules: Mapping[str, Rules],
        future: Future,
        now_us: int,
        *,
        kept_out: Intervals,
        busy: Container[int],
    ) -> None:
        """`kept_out` (in order, without overlaps) is protected or cannot be deleted now; `busy` are ids of segments that
        are being written or repaired. Raises sqlite3.Error.
        """
        self._index = index
        self._kept = kept
        self._rules = rules
        self._future = future
        self._now_us = now_us
        self._kept_out = kept_out
        self._left_open = [row for row in index.unfinished() if row.id not in busy]

    def past_days(self, limit: int, late: Callable[[], bool]) -> list[Row]:
        """Footage older than its camera's days to keep; a camera that is begun with is gone on with."""
        chosen: list[Row] = []
        for camera in self._kept:
            if camera.days is None:
                continue
            for row in self._shelf(camera, self._now_us - max(camera.days * DAY_US, YOUNGEST_US)):
                chosen.append(row)
                if len(chosen) >= limit or late():
                    return chosen
        return chosen

    def oldest(self, wanted: int, limit: int, late: Callable[[], bool], facility: str | None = None) -> list[Row]:
        """The oldest footage of all cameras (or of one facility's), until it is worth so many bytes."""
        shelves = [
            self._aged(camera, self._now_us - self._least_us(camera.facility))
            for camera in self._kept
            if facility in (None, camera.facility)
        ]
        chosen: list[Row] = []
        for _age, _id, row in heapq.merge(*shelves):
            if wanted <= 0 or len(chosen) >= limit or (chosen and late()):
                break
            chosen.append(row)
            wanted -= row.size
        return chosen

    def oldest_us(self, facility: str) -> int | None:
        """Where the oldest footage of a facility begins that nothing keeps out and no clock misplaced."""
        first = (next(self._closed(one, self._now_us), None) for one in self._kept if one.facility == facility)
        return min((row.start_us for row in first if row is not None), default=None)

    def _least_us(self, facility: str) -> int:
        rules = self._rules.get(facility)
        return max(rules.least_us if rules is not None else 0, YOUNGEST_US)

    def _shelf(self, camera: Kept, until_us: int) -> Iterator[Row]:
        return (row for _age, _id, row in self._aged(camera, until_us))

    def _aged(self, camera: Kept, until_us: int) -> Iterator[tuple[int, int, Row]]:
        """With its age, by age: everything of a camera that is no younger than `until_us`."""
        known = ((row.start_us, row.id, row) for row in self._closed(camera, until_us))
        others = sorted((age_us, row.id, row) for age_us, row in self._odd(camera) if age_us <= until_us)
        return heapq.merge(known, others)

    def _closed(self, camera: Kept, until_us: int) -> Iterator[Row]:
        for start_us, end_us in between(self._kept_out.get(camera.uid, []), until_us):
            after = start_us, 0
            # Few at first: mostly one is looked at.
            for limit in itertools.chain((2, 8), itertools.repeat(64)):
                rows = self._index.oldest(camera.uid, end_us, limit, after)
                yield from rows
                if len(rows) < limit:
                    break
                after = rows[-1].start_us, rows[-1].id

    def _odd(self, camera: Kept) -> Iterator[tuple[int, Row]]:
        """What was left open, and what begins in the future, with its age."""
        kept_out = self._kept_out.get(camera.uid, [])
        for row in self._left_open:
            if row.camera == camera.uid and not overlaps(kept_out, row):
                misplaced = row.start_us > self._future.after_us
                yield self._future.noticed_us(row.id) if misplaced else _end_us(row), row
        if self._future.exists:
            for row in self._index.oldest(camera.uid, NEVER_US, 64, (self._future.after_us, 0)):
                if not overlaps(kept_out, row):
                    yield self._future.noticed_us(row.id), row
