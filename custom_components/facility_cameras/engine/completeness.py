"""Recording completeness of a facility's cameras, kept up so that asking every minute costs next to nothing. Blocks.

A quarter of an hour is counted once it is over, and again only if something changed in it: footage was deleted, or
taken in late, or our clock was set back. Quarters, because every zone's days begin with one.
"""

from datetime import UTC, datetime, timedelta, tzinfo
import threading
import time
from zoneinfo import ZoneInfo

from .api_footage import CameraCompleteness, Gap
from .archive.archive import Archive
from .archive.index import Index
from .gaps import SLIVER_US, TRAIL_US, Spans, find

SLOT_US = 900_000_000
DAYS = 7
#: A quarter that ended so long ago changes no more by itself.
FINAL_US = 300_000_000
#: So many are counted in one go: a day.
_TOGETHER = 96

_FEW = 4
#: The longest rest between two goes, seconds.
REST_S = 0.05

#: Wanted and missing, microseconds.
type _Count = tuple[int, int]


class Completeness:
    """The counts of one facility's cameras. Any thread, one at a time."""

    def __init__(self, archive: Archive) -> None:
        """Nothing is counted yet."""
        self.archive = archive
        self._lock = threading.Lock()
        self._counts: dict[str, dict[int, _Count]] = {}
        self._last: dict[str, tuple[object, Gap | None]] = {}
        self._index: Index | None = None
        self._version = -1
        self._segment = self._deleted_us = 0

    def of(self, cameras: list[str], zone_name: str) -> list[CameraCompleteness]:
        """Today and the last seven days of these cameras; nothing while the index is away. A zone that this machine
        does not know is taken for UTC. Raises sqlite3.Error.
        """
        index = self.archive.index
        if index is None:
            return []
        with self._lock:
            self._renew(index)
            zone = time_zone(zone_name)
            until_us = self.archive.duties.now_us - TRAIL_US
            today_us, week_us = (midnight(until_us, zone, before) for before in (0, DAYS - 1))
            for gone in self._counts.keys() - set(cameras):
                del self._counts[gone]
            return [self._camera(index, camera, week_us, today_us, until_us) for camera in cameras]

    def _renew(self, index: Index) -> None:
        """Forget what changed since."""
        (segment,) = index.query("SELECT coalesce(max(id), 0) FROM segment")[0]
        (deleted_us,) = index.query("SELECT coalesce(max(at_us), 0) FROM deletion")[0]
        if index is not self._index or self._version != self.archive.duties.version:
            self._version = self.archive.duties.version
            self._index = index
            self._counts.clear()
        else:
            # The newest once more: its id may have been another's that stayed empty, its moment another's too.
            rows = index.query(
                "SELECT uid, start_us, end_us FROM segment JOIN camera ON camera.id = segment.camera WHERE segment.id >= ?",
                self._segment,
            )
            rows += index.query("SELECT camera, start_us, end_us FROM deletion WHERE at_us >= ?", self._deleted_us)
            for camera, start_us, end_us in rows:
                counts = self._counts.get(camera, {})
                for slot in [one for one in counts if start_us // SLOT_US <= one <= end_us // SLOT_US]:
                    del counts[slot]
        self._segment, self._deleted_us = segment, deleted_us

    def _camera(self, index: Index, camera: str, week_us: int, today_us: int, until_us: int) -> CameraCompleteness:
        counts = self._counted(index, camera, week_us, until_us)
        today = [count for slot, count in counts.items() if slot * SLOT_US >= today_us]
        today_wanted, today_missing = (sum(numbers) for numbers in zip((0, 0), *today, strict=True))
        wanted, missing = (sum(numbers) for numbers in zip((0, 0), *counts.values(), strict=True))
        return {
            "id": camera,
            "today_wanted_s": today_wanted / 1e6,
            "today_footage_s": (today_wanted - today_missing) / 1e6,
            "week_wanted_s": wanted / 1e6,
            "week_footage_s": (wanted - missing) / 1e6,
            "last_gap": self._last_gap(index, camera, counts, week_us, until_us),
        }

    def _counted(self, index: Index, camera: str, week_us: int, until_us: int) -> dict[int, _Count]:
        """Every quarter from `week_us` on."""
        known = self._counts.setdefault(camera, {})
        for old in [slot for slot in known if slot * SLOT_US < week_us]:
            del known[old]
        counts = dict(known)
        missing = [slot for slot in range(week_us // SLOT_US, -(-until_us // SLOT_US)) if slot not in known]
        while missing:
            first = missing[0]
            together = [slot for place, slot in enumerate(missing[:_TOGETHER]) if slot == first + place]
            del missing[: len(together)]
            end_us = min((first + len(together)) * SLOT_US, until_us)
            begun = time.monotonic()
            found = find(self.archive, index, camera, first * SLOT_US, end_us)
            if len(together) > _FEW:
                # A week of many cameras is counted once, soon after the start: half a processor's time is left.
                time.sleep(min(time.monotonic() - begun, REST_S))
            wanted, holes = by_slot(found.wanted), by_slot(found.holes)
            for slot in together:
                counts[slot] = wanted.get(slot, 0), holes.get(slot, 0)
                if not found.unsure and (slot + 1) * SLOT_US < until_us - FINAL_US:
                    known[slot] = counts[slot]
        return counts

    def _last_gap(
        self, index: Index, camera: str, counts: dict[int, _Count], week_us: int, until_us: int
    ) -> Gap | None:
        """The newest gap: looked for in the newest quarters with holes, and those before it in which it may begin."""
        holed = sorted(slot for slot, (_, missing) in counts.items() if missing >= SLIVER_US)
        before, gap = self._last.get(camera, (None, None))
        what = self._version, [(slot, counts[slot]) for slot in holed]
        if what == before:
            return gap
        gap = None
        together = 1
        while holed:
            first = holed[-1]
            while first - 1 in counts and first > holed[-1] - together and counts[first - 1][1]:
                first -= 1
            start_us = max(first * SLOT_US, week_us)
            found = find(self.archive, index, camera, start_us, min((holed[-1] + 1) * SLOT_US, until_us)).gaps
            gap = found[-1] if found else None
            if gap is None:
                # Several small holes: none is a gap.
                holed.pop()
            elif gap["start"] > start_us or not counts.get(first - 1, (0, 0))[1]:
                break
            else:
                together *= 4
        self._last[camera] = what, gap
        return gap


def time_zone(name: str) -> tzinfo:
    """A zone by its name, or UTC where the machine does not know it (any more). Blocks at the first time."""
    try:
        return ZoneInfo(name)
    except ValueError, OSError, KeyError:
        return UTC


def midnight(at_us: int, zone: tzinfo, days_before: int = 0) -> int:
    """When the day began in which `at_us` lies, or one some days before it."""
    day = datetime.fromtimestamp(at_us / 1e6, zone).date() - timedelta(days=days_before)
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1_000_000


def by_slot(spans: Spans) -> dict[int, int]:
    """How much of each quarter they take, microseconds."""
    found: dict[int, int] = {}
    for start, end in spans:
        for slot in range(start // SLOT_US, -(-end // SLOT_US)):
            share = min(end, (slot + 1) * SLOT_US) - max(start, slot * SLOT_US)
            found[slot] = found.get(slot, 0) + share
    return found
