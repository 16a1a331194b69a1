"""What each camera's recording was about, from when to when: an unbroken series of intervals in the archive's index.

Promise I5 (truth): a change is a row, and ends the row before it. The newest row is open; one heartbeat for the whole
archive says until when it is true, so that after a crash it ends there, and from there the engine was down. What was
switched off or idle when the engine ended stays so meanwhile: nobody says that it was to be recorded. Durations are
monotonic: where our clock is set forward, the time that never was is `clock`; where it is set back, what it says now
is believed, and what was told of that time before is cut away. No interval overlaps another.

While the index is away changes are kept here (and, for another engine, in duty_kept.py), and written once it is back.
Each also stands in the journal:
`{"what": "duty", "camera", "start", "kind", "reason"}` begins an interval, which lasts until the camera's next one; the
kind `gone` begins none (the camera was removed). `recall` makes the table again from these.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
import logging
from pathlib import Path
import sqlite3
import threading
from typing import Protocol

from ..api import Cause, Duty
from ..clock import Clock, microseconds
from . import journal
from .duty_kept import KEEP_S, KeptDuties
from .index import Index
from .recording import Recording

_LOGGER = logging.getLogger(__name__)

#: What was to be recorded.
WANTED = frozenset({Duty.RECORD, Duty.OFFLINE, Duty.VOLUME, Duty.OVERLOAD, Duty.DOWN})
#: Neither is a gap, and while the engine does not run nothing else begins.
_RESTING = frozenset({Duty.OFF, Duty.IDLE})
_TROUBLE = frozenset({Duty.OFFLINE, Duty.VOLUME, Duty.OVERLOAD})
#: A camera that was removed: nothing is known of it from here on. In the journal only.
GONE = "gone"
#: End of an interval that lasts, in the table.
OPEN = 0
ALIVE = "duty_alive"
BEAT_S = 10.0
#: Trouble is over, or has another cause, once that has lasted so long: a camera that comes and goes writes few rows.
#: Footage, not this, says where a gap ends.
SETTLE_S = 60.0
#: Our clock was set by more than this.
STEP_S = 1.0
#: A machine that has run for less than this and sets its clock forward had none of its own: it was off that long.
BOOTED_S = 600.0
#: Changes that wait for the index; beyond it the oldest are dropped.
KEPT = 20_000
#: A journal that was written to so much later than the newest heartbeat may know more than the index.
OLDER_US = 60_000_000
#: Intervals are forgotten after so long.
FORGET_US = 800 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """`kind` is a Duty (or GONE); `reason` a Cause or a VolumeState. UTC microseconds; `end_us` is OPEN while it lasts."""

    camera: str
    start_us: int
    end_us: int
    kind: str
    reason: str = ""


class Store(Protocol):
    """What this needs of an archive."""

    root: Path

    @property
    def index(self) -> Index | None:
        """The index, None while it is away."""

    def submit(self, recording: Recording | None, size: int, job: Callable[[], None], /) -> None:
        """Queue a job for the writer thread."""


class Duties:
    """The duties of one archive's cameras. Used from the event loop, but for what says otherwise."""

    def __init__(self, archive: Store, clock: Clock, kept: KeptDuties) -> None:
        """Begin with no camera. `kept` is what the engine before this one could not write."""
        self._archive = archive
        self._clock = clock
        self._kept = kept
        self._kept_at = float("-inf")
        self._offset = clock.utc() - clock.monotonic()
        self._newest = microseconds(clock.utc())
        self._current: dict[str, Interval] = {}
        #: What may take the current one's place, once it has lasted.
        self._pending: dict[str, Interval] = {}
        #: Guards the three below, which the writer thread uses too.
        self._lock = threading.Lock()
        #: Beginnings that are not in the index yet, oldest first.
        self._unwritten: deque[Interval] = deque()
        #: Changes when the past became another one (our clock was set back; what was down became known).
        self.version = 0
        self._writing = False
        self._beat_at = float("-inf")
        # The writer thread's own.
        self._index: Index | None = None
        #: Where the engine before this one left cameras that were not told of yet: end and kind. None: not read yet.
        self._left: dict[str, tuple[int, str]] | None = None

    # Telling ------------------------------------------------------------------------------------------------------

    def tell(self, camera: str, kind: Duty, reason: str = "") -> None:
        """What a camera's recording is about now. Told again and again, it costs nothing."""
        now_us = self._now()
        current = self._current.get(camera)
        if current is None:
            self._begin(Interval(camera, now_us, OPEN, kind, reason))
            return
        if (current.kind, current.reason) == (kind, reason):
            self._pending.pop(camera, None)
            return
        pending = self._pending.get(camera)
        if pending is not None and pending.kind == Duty.RECORD and kind not in (Duty.RECORD, current.kind):
            # It was over, and something else begins.
            self._begin(pending)
            current, pending = pending, None
        if pending is None or (pending.kind, pending.reason) != (kind, reason):
            pending = self._pending[camera] = Interval(camera, now_us, OPEN, kind, reason)
        if _at_once(current, kind) or now_us - pending.start_us >= SETTLE_S * 1e6:
            self._begin(pending)

    def gone(self, camera: str) -> None:
        """The camera was removed: nothing is to be recorded from now on."""
        now_us = self._now()
        self._pending.pop(camera, None)
        with self._lock:
            if self._current.pop(camera, None) is not None:
                self._keep(Interval(camera, now_us, OPEN, GONE))

    def beat(self) -> None:
        """Called once a second: has what changed written, and every 10 s how far it is true."""
        now_us, now = self._now(), self._clock.monotonic()
        if self._writing or not (self._unwritten or (self._current and now >= self._beat_at)):
            return
        self._submit(now_us)

    def close(self) -> None:
        """The engine ends: write how far it is true. The archive is closed after this."""
        if self._current or self._unwritten:
            now_us = self._now()
            if self._archive.index is None:
                # Its thread may not come back to do it.
                self._keep_unwritten(now_us)
            self._submit(now_us)

    def _submit(self, now_us: int) -> None:
        self._writing = True
        self._beat_at = self._clock.monotonic() + BEAT_S
        self._archive.submit(None, 0, lambda: self._write(now_us))

    def _begin(self, interval: Interval) -> None:
        self._pending.pop(interval.camera, None)
        with self._lock:
            self._current[interval.camera] = interval
            self._keep(interval)

    def _keep(self, interval: Interval) -> None:
        self._unwritten.append(interval)
        if len(self._unwritten) > KEPT:
            self._unwritten.popleft()

    # Time ---------------------------------------------------------------------------------------------------------

    @property
    def now_us(self) -> int:
        """UTC microseconds, as intervals count: never back but where our clock was set back. Any thread."""
        return self._newest

    def _now(self) -> int:
        now = self._clock.monotonic()
        offset = self._clock.utc() - now
        if abs(offset - self._offset) > STEP_S:
            self._step(microseconds(now + self._offset), microseconds(now + offset))
        self._offset = offset
        self._newest = max(self._newest, microseconds(now + offset))
        return self._newest

    def _step(self, before_us: int, after_us: int) -> None:
        """Our clock said `before_us`, and was set to `after_us`."""
        before_us = max(before_us, self._newest)
        self._pending.clear()
        off = self._clock.monotonic() < BOOTED_S
        with self._lock:
            for camera, current in self._current.items():
                if after_us > before_us:
                    between = Duty.DOWN if off and current.kind in WANTED else Duty.CLOCK
                    self._keep(Interval(camera, before_us, OPEN, between))
                self._current[camera] = Interval(camera, after_us, OPEN, current.kind, current.reason)
                self._keep(self._current[camera])
            if after_us < before_us:
                self._newest = after_us
            self.version += 1

    # Writer thread ------------------------------------------------------------------------------------------------

    def _write(self, now_us: int) -> None:
        """Raises OSError and sqlite3.Error, as everything that the writer thread is given."""
        try:
            index = self._archive.index
            if index is None:
                if self._clock.monotonic() >= self._kept_at:
                    self._keep_unwritten(now_us)
                return
            with self._lock:
                told = list(self._unwritten)
                current = dict(self._current)
            if self._left is None:
                _catch_up(index, self._archive.root)
                self._left = self._take_over(index, now_us)
                again: list[Interval] = []
            elif index is not self._index:
                # The same again, or a new one in its place: what lasts is put into it (again).
                waiting = {one.camera for one in told}
                again = [one for camera, one in current.items() if camera not in waiting]
            else:
                again = []
            begun = _with_what_was_left(told, self._left)
            if begun:
                journal.append(self._archive.root, now_us, [_entry(one) for one in begun])
            with index.transaction() as connection:
                for one in (*again, *begun):
                    _put(connection, one)
                _set_alive(connection, now_us)
            self._written(index, set(told))
            self._kept.forget()
        finally:
            self._writing = False

    def _keep_unwritten(self, now_us: int) -> None:
        self._kept_at = self._clock.monotonic() + KEEP_S
        with self._lock:
            entries = [_entry(one) for one in self._unwritten]
        try:
            self._kept.keep(entries, now_us)
        except OSError as error:
            _LOGGER.warning("archive %s: what it misses cannot be kept: %s", self._archive.root, error)

    def _take_over(self, index: Index, now_us: int) -> dict[str, tuple[int, str]]:
        """Where the engines before this one left off, once all is written that they could not write. Raises OSError and
        sqlite3.Error.
        """
        root, left = self._archive.root, dict[str, tuple[int, str]]()
        for entries, until_us in self._kept.before():
            if until_us > _alive(index):
                told = [one for one in map(_interval, entries) if one is not None]
                if begun := _with_what_was_left(told, left):
                    journal.append(root, now_us, [_entry(one) for one in begun])
                with index.transaction() as connection:
                    for one in begun:
                        _put(connection, one)
                    _set_alive(connection, until_us)
                left |= _end_open(index, now_us)
        return left | _end_open(index, now_us)

    def _written(self, index: Index, told: set[Interval]) -> None:
        cameras = {one.camera for one in told}
        with self._lock:
            self._unwritten = deque(one for one in self._unwritten if one not in told)
            if index is not self._index:
                self.version += 1
        self._index = index
        if self._left is not None:
            self._left = {camera: one for camera, one in self._left.items() if camera not in cameras}

    # Reading ------------------------------------------------------------------------------------------------------

    def intervals(self, index: Index, camera: str, start_us: int, end_us: int) -> list[Interval]:
        """A camera's intervals in [start_us, end_us), cut to it; what lasts ends now. Any thread. Raises sqlite3.Error."""
        # Taken before the index is asked: one that is written meanwhile only says the same again.
        with self._lock:
            unwritten = [one for one in self._unwritten if one.camera == camera]
        found = _written(index, camera, start_us, end_us)
        for one in unwritten:
            found = [_cut(before, one.start_us) for before in found if before.start_us < one.start_us]
            if one.kind != GONE:
                found.append(one)
        return _clipped(found, start_us, end_us, self._newest)


class WrittenDuties:
    """What the index alone tells, for whoever reads an archive without its engine, or beside it."""

    def intervals(self, index: Index, camera: str, start_us: int, end_us: int) -> list[Interval]:
        """As of `Duties`; what lasts ends with the newest heartbeat. Raises sqlite3.Error."""
        return _clipped(_written(index, camera, start_us, end_us), start_us, end_us, _alive(index))


def _written(index: Index, camera: str, start_us: int, end_us: int) -> list[Interval]:
    rows = index.query(
        "SELECT start_us, end_us, kind, reason FROM duty WHERE camera = ? AND start_us < ? AND start_us >= "
        "coalesce((SELECT max(start_us) FROM duty WHERE camera = ? AND start_us <= ?), ?) ORDER BY start_us",
        camera, end_us, camera, start_us, start_us,
    )  # fmt: skip
    return [Interval(camera, *row) for row in rows]


def _clipped(intervals: Iterable[Interval], start_us: int, end_us: int, now_us: int) -> list[Interval]:
    """What of them lies in [start_us, end_us); what lasts ends at `now_us`."""
    clipped = (
        Interval(one.camera, max(one.start_us, start_us), min(one.end_us or now_us, end_us), one.kind, one.reason)
        for one in intervals
    )
    return [one for one in clipped if one.start_us < one.end_us]


def recall(index: Index, root: Path, after_us: int = 0) -> None:
    """Take what the journal told after a time (UTC microseconds) into an index that does not know it. For the writer
    thread, or while nobody has the archive: nothing may be told meanwhile. Raises OSError and sqlite3.Error.
    """
    newest_us = after_us
    with index.transaction() as connection:
        for entry in journal.read(root):
            if not isinstance(at := entry["at"], int) or at <= after_us:
                continue
            newest_us = max(newest_us, at)
            if entry.get("what") == "duty" and (one := _interval(entry)) is not None:
                _put(connection, one)
        _set_alive(connection, newest_us)


def _with_what_was_left(told: Iterable[Interval], left: Mapping[str, tuple[int, str]]) -> list[Interval]:
    """Before a camera's first interval: what lies between it and where the engine before this one ended."""
    left, found = dict(left), []
    for one in told:
        end_us, kind = left.pop(one.camera, (one.start_us, ""))
        if end_us < one.start_us:
            found.append(Interval(one.camera, end_us, OPEN, kind if kind in _RESTING else Duty.DOWN))
        found.append(one)
    return found


def _interval(entry: Mapping[str, object]) -> Interval | None:
    """What an entry of the journal tells; None if it is none of ours."""
    camera, start_us, kind, reason = (entry.get(key) for key in ("camera", "start", "kind", "reason"))
    if not (isinstance(camera, str) and isinstance(start_us, int) and isinstance(reason, str)):
        return None
    return Interval(camera, start_us, OPEN, str(kind), reason) if kind in (GONE, *Duty) else None


def _at_once(current: Interval, kind: str) -> bool:
    """Whether a change counts at once: trouble does, and what changes what is wanted."""
    if current.kind not in _TROUBLE or current.reason == Cause.STARTING:
        return True
    return kind not in (Duty.RECORD, current.kind)


def _cut(interval: Interval, at_us: int) -> Interval:
    if OPEN < interval.end_us <= at_us:
        return interval
    return Interval(interval.camera, interval.start_us, at_us, interval.kind, interval.reason)


def _put(connection: sqlite3.Connection, one: Interval) -> None:
    """Begin an interval: whatever of the camera's lies at or after its start is cut away."""
    connection.execute("DELETE FROM duty WHERE camera = ? AND start_us >= ?", (one.camera, one.start_us))
    connection.execute(
        "UPDATE duty SET end_us = ? WHERE id = (SELECT id FROM duty WHERE camera = ? ORDER BY start_us DESC LIMIT 1) "
        "AND (end_us = ? OR end_us > ?)",
        (one.start_us, one.camera, OPEN, one.start_us),
    )
    if one.kind != GONE:
        connection.execute(
            "INSERT INTO duty (camera, start_us, end_us, kind, reason) VALUES (?, ?, ?, ?, ?)",
            (one.camera, one.start_us, OPEN, one.kind, one.reason),
        )


def _catch_up(index: Index, root: Path) -> None:
    """Where the index is older than the journal (a copy that was put back), take what it does not know."""
    alive_us = _alive(index)
    if journal.newest_us(root) > alive_us + OLDER_US:
        recall(index, root, alive_us)


def _end_open(index: Index, now_us: int) -> dict[str, tuple[int, str]]:
    """The engine before this one left these open: they end with its last heartbeat. End and kind by camera."""
    alive_us = _alive(index)
    with index.transaction() as connection:
        rows = connection.execute("SELECT camera, start_us, kind FROM duty WHERE end_us = ?", (OPEN,)).fetchall()
        left = {camera: (max(start_us, alive_us), kind) for camera, start_us, kind in rows}
        for camera, (end_us, _kind) in left.items():
            connection.execute("UPDATE duty SET end_us = ? WHERE camera = ? AND end_us = ?", (end_us, camera, OPEN))
        connection.execute("DELETE FROM duty WHERE end_us > ? AND end_us < ?", (OPEN, now_us - FORGET_US))
    return left


def _entry(one: Interval) -> dict[str, object]:
    return {"what": "duty", "camera": one.camera, "start": one.start_us, "kind": one.kind, "reason": one.reason}


def _alive(index: Index) -> int:
    """The newest heartbeat; where it was lost, the end of the newest footage. UTC microseconds."""
    rows = index.query("SELECT value FROM meta WHERE key = ?", ALIVE)
    return int(rows[0][0] if rows else index.query("SELECT coalesce(max(end_us), 0) FROM segment")[0][0])


def _set_alive(connection: sqlite3.Connection, now_us: int) -> None:
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (ALIVE, str(now_us)))
