"""How long the disk will last: days of footage kept, and days possible at today's rate, for each facility.

Rates are those of the last 24 hours, so that night and day are both in them. Footage goes oldest first over all cameras
of the volume, so what is possible is the same for all of them, but for cameras that are kept for fewer days than that
anyway, and for facilities with a quota. What holds protect takes its room from all the others.

The sums over the index are made in small pieces, and kept, for the writer thread waits meanwhile.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf

from .index import LONGEST_US, Index
from .retention import DAY_US, HOUR_US, Intervals, Kept, Rules, between

#: A rate is told once there is so much footage to measure it from.
LEAST_US = HOUR_US
#: So many files that are due are counted at once.
COUNTED = 1000


@dataclass(frozen=True, slots=True)
class FacilityOutlook:
    """Days of footage that are `possible` (None where it is not known yet) and `promised`, the most of any camera;
    `short` where that promise cannot be kept.
    """

    possible: float | None
    promised: int
    short: bool


def _level(room: float, cameras: Iterable[tuple[float, float]]) -> float:
    """How many days `room` bytes last for cameras of so many bytes a day, none of them kept longer than its limit in
    days. Infinite where all reach their limits.
    """
    days = 0.0
    rates = sorted((limit, rate) for rate, limit in cameras if rate > 0)
    total = sum(rate for _, rate in rates)
    for limit, rate in rates:
        if (limit - days) * total > room:
            return days + max(room, 0.0) / total
        room -= (limit - days) * total
        days = limit
        total -= rate
    return inf


class Outlook:
    """Keeps its sums over the index up to date, piece by piece."""

    def __init__(self) -> None:
        """Nothing is known."""
        #: Bytes by camera of footage that began in an hour, by the hour's number.
        self._hours: dict[int, dict[str, int]] = {}
        self._held: dict[tuple[str, int, int], int] = {}
        self._due: dict[str, tuple[int, int]] = {}
        #: As far as they are counted: files, bytes, and behind which start and id it goes on.
        self._counted: dict[str, tuple[int, int, tuple[int, int]]] = {}
        self._first_us: int | None = None
        self._now_us = 0
        self._whole = False

    def renew(self, index: Index, held: Intervals, now_us: int, late: Callable[[], bool]) -> bool:
        """Go on with what is not known yet. False if time was up: call again, with the same time. Raises sqlite3.Error."""
        last = now_us // HOUR_US
        if now_us != self._now_us:
            # The two newest again each time: footage of theirs is still being closed.
            self._now_us = now_us
            self._hours = {hour: sums for hour, sums in self._hours.items() if last - 24 <= hour < last - 1}
        pieces = set(_pieces(held, now_us))
        self._held = {piece: size for piece, size in self._held.items() if piece in pieces}
        for hour in range(last - 24, last + 1):
            if hour not in self._hours:
                self._hours[hour] = dict(
                    index.query(
                        "SELECT camera.uid, sum(segment.bytes) FROM segment JOIN camera ON camera.id = segment.camera "
                        "WHERE start_us >= ? AND start_us < ? GROUP BY camera.id",
                        hour * HOUR_US, (hour + 1) * HOUR_US,
                    )
                )  # fmt: skip
                if late():
                    return False
        for piece in pieces - self._held.keys():
            camera, start_us, end_us = piece
            ((size,),) = index.query(
                "SELECT coalesce(sum(bytes), 0) FROM segment WHERE camera = (SELECT id FROM camera WHERE uid = ?) "
                "AND start_us >= ? AND start_us < ? AND end_us > ?",
                camera, start_us - LONGEST_US if _begins(held, piece) else start_us, end_us, start_us,
            )  # fmt: skip
            self._held[piece] = size
            if late():
                return False
        first = index.query("SELECT min(start_us) FROM segment WHERE start_us >= ?", (last - 24) * HOUR_US)
        self._first_us = first[0][0]
        self._whole = True
        return True

    def count_due(self, index: Index, camera: Kept, held: Intervals, now_us: int, late: Callable[[], bool]) -> bool:
        """Count what of a camera is past its days by more than an hour and still there. False if time was up: call again.
        Raises sqlite3.Error.
        """
        files, size, after = self._counted.pop(camera.uid, (0, 0, (0, 0)))
        until_us = 0 if camera.days is None else now_us - max(camera.days * DAY_US, HOUR_US) - HOUR_US
        for start_us, end_us in between(held.get(camera.uid, []), until_us):
            more = True
            while more and after[0] < end_us:
                rows = index.query(
                    "SELECT start_us, id, bytes FROM segment WHERE state > 0 AND "
                    "camera = (SELECT id FROM camera WHERE uid = ?) AND start_us >= ? AND (start_us, id) > (?, ?) "
                    "AND start_us < ? AND end_us <= ? ORDER BY start_us, id LIMIT ?",
                    camera.uid, max(start_us, after[0]), *after, end_us, end_us, COUNTED,
                )  # fmt: skip
                more = bool(rows)
                if more:
                    files, size, after = files + len(rows), size + sum(row[2] for row in rows), rows[-1][:2]
                    if late():
                        self._counted[camera.uid] = files, size, after
                        return False
        self._due[camera.uid] = files, size
        return True

    @property
    def due(self) -> tuple[int, int]:
        """Files and bytes past their days by more than an hour, as counted last."""
        return sum(files for files, _ in self._due.values()), sum(size for _, size in self._due.values())

    def _rates(self) -> dict[str, float]:
        """Bytes a day by camera; none while too little was seen."""
        if not self._whole or self._first_us is None or self._now_us - self._first_us < LEAST_US:
            return {}
        sums: dict[str, int] = {}
        for hour in self._hours.values():
            for camera, size in hour.items():
                sums[camera] = sums.get(camera, 0) + size
        return {camera: size * DAY_US / (self._now_us - self._first_us) for camera, size in sums.items()}

    def told(
        self, kept: list[Kept], rules: Mapping[str, Rules], days: Mapping[str, int], footage: int, room: int
    ) -> dict[str, FacilityOutlook]:
        """The outlook of every facility. `days` to keep by camera names those that are there now; `footage` bytes lie on
        the volume, `room` bytes more may.
        """
        rates = self._rates()
        held = {camera.uid: 0 for camera in kept}
        for (uid, _start, _end), size in self._held.items():
            held[uid] = held.get(uid, 0) + size
        volume = float(room + footage - sum(held.values()))
        # Cameras that are there no more write nothing: their footage makes room as it goes.
        present = [camera for camera in kept if camera.facility in rules and camera.uid in days]
        own: dict[str, list[tuple[float, float]]] = {facility: [] for facility in rules}
        for camera in present:
            own[camera.facility].append((rates.get(camera.uid, 0.0), float(days[camera.uid])))
        quota = {
            facility: one.quota_bytes - sum(held[camera.uid] for camera in kept if camera.facility == facility)
            for facility, one in rules.items()
            if one.quota_bytes
        }
        # No camera is kept for longer than its days or its facility's quota allow.
        limited = {facility: _limited(cameras, quota.get(facility)) for facility, cameras in own.items()}
        shared = _level(volume, [camera for cameras in limited.values() for camera in cameras])
        found = {}
        for facility, wanted in rules.items():
            cameras = [(rate, limit) for rate, limit in own[facility] if rate > 0]
            promised = max((round(limit) for _, limit in cameras), default=wanted.days)
            if not cameras:
                found[facility] = FacilityOutlook(None, promised, short=False)
                continue
            # Without a limit of its own, but for cameras that are to be kept for less.
            freely = [(rate, limit if limit < wanted.days else inf) for rate, limit in cameras]
            others = [camera for other, cameras in limited.items() if other != facility for camera in cameras]
            possible, level = _level(volume, freely + others), shared
            if facility in quota:
                possible = min(possible, _level(quota[facility], freely))
                level = min(level, _level(quota[facility], cameras))
            # Where every camera is to be kept for less than its facility says, that is all that is asked for.
            possible = possible if possible < inf else max(limit for _, limit in cameras)
            found[facility] = FacilityOutlook(possible, promised, short=level < promised)
        return found


def _limited(cameras: list[tuple[float, float]], quota: int | None) -> list[tuple[float, float]]:
    """Rates and limits of a facility's cameras with what its quota allows, if it has one."""
    most = inf if quota is None else _level(quota, cameras)
    return [(rate, min(limit, most)) for rate, limit in cameras]


def _pieces(held: Intervals, now_us: int) -> Iterator[tuple[str, int, int]]:
    """What is held until now, day by day."""
    for camera, intervals in held.items():
        for start_us, end_us in intervals:
            at_us, until_us = start_us, min(end_us, now_us)
            while at_us < until_us:
                next_us = min(until_us, (at_us // DAY_US + 1) * DAY_US)
                yield camera, at_us, next_us
                at_us = next_us


def _begins(held: Intervals, piece: tuple[str, int, int]) -> bool:
    """Whether an interval begins with this piece: a segment that reaches into it counts here, elsewhere the day before."""
    camera, start_us, _ = piece
    return any(start_us == first_us for first_us, _ in held.get(camera, []))
