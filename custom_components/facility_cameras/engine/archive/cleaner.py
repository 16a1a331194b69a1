"""What deletes footage, and is watched while it does: a little at a time, driven from the archive's writer thread.

Promise I3 (nothing vanishes): a lot of footage that the policy (retention.py) chose is entered in the journal, then its
files go, then its rows become deletions, each with its reason. Whatever ends the engine in between: a file that is still
there is chosen again, a row whose file is gone is removed with the reason that the journal gives (`opened`). Before any
file goes it is looked at once more whether something protects it.

Promise I4: it works ahead (space.py), in turns of TURN_S, and gives way to writing between them, but never for ever. What
may take long, a file's deletion and the journal's sync, is done beside the writer thread: no write waits for it. A turn
that fails is told and tried again later; recording goes on.
"""

from collections.abc import Callable, Iterator, Mapping
import contextlib
from dataclasses import dataclass, replace
import errno
import logging
import os
from pathlib import Path
import sqlite3
import sys
from typing import Any

from ..clock import Clock, microseconds
from . import holds, retention, stuck
from .beside import Running, Start, at_once
from .files import FILES, Files
from .index import Index
from .lot import Deleted, Lot, entries as lot_entries, finish
from .outlook import FacilityOutlook, Outlook
from .retention import Future, Intervals, Kept, Reason, Rules, Shelves, merged, overlaps
from .space import AHEAD_S, Space, places
from .stuck import Stuck
from .volume import keep_files, keep_free

_LOGGER = logging.getLogger(__name__)

#: A turn ends after so long, once it did one thing; and writing has so many times as long before the next.
TURN_S, GIVE_WAY = 0.02, 3.0
#: So many files are chosen and entered in the journal at once.
LOT = 100
#: How often is looked whether room is lacking, and whether footage is past its days.
LOOK_S, DAYS_S = 60.0, 600.0
#: No turn is taken sooner than this: by then it has been said what all facilities want.
FIRST_S = 5.0
#: What is done beside the writer thread for longer than this has failed.
ANSWER_S = 20.0
#: A turn that failed is tried again after so long, each time twice as long.
FAILED_S, LONGEST_S = 60.0, 6 * 3600.0
#: Our clock stepped by more than this: for so long nothing is deleted by days.
STEP_S, STEADY_S = 60.0, 600.0


@dataclass(frozen=True, slots=True)
class Report:
    """What is told of the cleaning of an archive. Times in UTC microseconds, None where it is not so."""

    #: When it was last looked at everything, and nothing more was to be done.
    last_us: int | None = None
    #: Files and bytes that are due by more than an hour, or the room that is wanted, and still there.
    due_files: int = 0
    due_bytes: int = 0
    failed_since_us: int | None = None
    failed_why: str = ""
    frees_nothing_since_us: int | None = None
    #: Files that cannot be deleted; one of them, relative to the archive, and why.
    stuck_files: int = 0
    stuck_path: str = ""
    stuck_why: str = ""
    #: Room is wanted, and nothing is left but footage that is protected or too young.
    young_since_us: int | None = None
    #: Facilities that are over their quota for the same reason.
    over_quota: frozenset[str] = frozenset()


class Cleaner:
    """Deletes what the policy chooses. `days` and `rules` are replaced as a whole from other threads."""

    def __init__(self, root: Path, clock: Clock, start: Start = at_once, files: Files = FILES) -> None:
        """Nothing is touched yet. `start` runs what may take long; once it has, a turn is due."""
        self.root = root
        self._files = files
        self._start = start
        self._clock = clock
        #: Days to keep by camera, what is wanted by facility.
        self.days: Mapping[str, int] = {}
        self.rules: Mapping[str, Rules] = {}
        #: Room on the volume: bytes, and places in its table of files.
        self.space, self.places = Space(), places()
        #: Newest of what is told; each replaced as a whole.
        self.report = Report()
        self.outlook: Mapping[str, FacilityOutlook] = {}
        #: Where the footage of each facility begins that nothing protects, UTC microseconds.
        self.oldest: Mapping[str, int | None] = {}
        #: Monotonic time of the next turn.
        self.at = clock.monotonic() + LOOK_S
        self._not_before = clock.monotonic() + FIRST_S
        #: Longest turn so far, seconds.
        self.longest_s = 0.0
        self._days_at = self.at
        self._began = 0.0
        self._lot: Lot | None = None
        #: What is being done beside the writer thread.
        self._running: Running[list[Deleted]] | None = None
        self._took_s = 0.0
        #: Since the index was opened nobody has looked whether a lot was cut off.
        self._cut_off = False
        self._sums = Outlook()
        #: Cameras whose due footage is still to be counted, and the time for which all is summed up. None: not begun.
        self._counting: list[Kept] = []
        self._summing_us: int | None = None
        self._failed_s = FAILED_S
        self._stuck = Stuck()
        self._utc_offset = clock.utc() - clock.monotonic()
        self._stepped = clock.monotonic()
        #: Our clock may be wrong: nothing is deleted by days.
        self.clock_doubtful = False
        #: As it was when our clock had last been steady, None if it was not yet.
        self._steady_offset: float | None = None

    # When ---------------------------------------------------------------------------------------------------------

    def hurry(self) -> None:
        """Room is lacking: look at once, unless the last turn failed."""
        if self.report.failed_since_us is None:
            self.at = min(self.at, max(self._clock.monotonic(), self._not_before))

    def due(self, now: float) -> bool:
        """Whether a turn is to be taken at this monotonic time."""
        return now >= self.at or (self._running is not None and self._running.done)

    @property
    def deleting(self) -> bool:
        """Whether files are being deleted: after each turn there is more room."""
        return self._lot is not None

    def opened(self, index: Index) -> None:
        """The index was opened: finish what was cut off, before anybody misses a file. Raises sqlite3.Error."""
        self._lot, self._cut_off = None, True
        with self._watched():
            if self._running is None:
                self._turn(index, {})

    def turn(self, index: Index, busy: Mapping[int, int]) -> None:
        """Take one turn. `busy` are the segments that are being written or repaired, with their bytes so far. Raises
        sqlite3.Error; what else fails is told, and all of it is tried again.
        """
        with self._watched():
            more = self._turn(index, busy)
            now = self._clock.monotonic()
            if self._running is not None:
                self.at = now + ANSWER_S
            else:
                self.at = now + (max(now - self._began, self._took_s) * GIVE_WAY if more else LOOK_S)
            self._took_s = 0.0

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """A fault costs a turn: it is told and tried again, later each time."""
        self._began = self._clock.monotonic()
        try:
            yield
        except Exception as error:
            now = self._clock.monotonic()
            self.at = now + self._failed_s
            self._failed_s = min(self._failed_s * 2, LONGEST_S)
            self._tell(failed_since_us=self.report.failed_since_us or self._now_us(), failed_why=_why(error))
            _LOGGER.exception("archive %s: cleaning failed; it is tried again", self.root)
            if isinstance(error, sqlite3.Error):
                raise
        finally:
            self.longest_s = max(self.longest_s, self._clock.monotonic() - self._began)

    def _late(self) -> bool:
        return self._clock.monotonic() - self._began >= TURN_S

    def _now_us(self) -> int:
        return microseconds(self._clock.utc())

    def _clock_is_steady(self) -> bool:
        """Whether our clock has not stepped for a while: a wrong date must not make all footage too old."""
        now, offset = self._clock.monotonic(), self._clock.utc() - self._clock.monotonic()
        if abs(offset - self._utc_offset) > STEP_S:
            self._utc_offset, self._stepped = offset, now
        if self.clock_doubtful or now - self._stepped < STEADY_S:
            return False
        self._steady_offset = offset
        return True

    def _age_us(self) -> int:
        """By what ages are told. A clock that was just set forward makes no footage older: what is too young to be deleted
        for room stays so, until it is certain that the new date is no passing error.
        """
        offset = self._utc_offset if self._steady_offset is None else min(self._utc_offset, self._steady_offset)
        return microseconds(self._clock.monotonic() + offset)

    def _tell(self, **changes: Any) -> None:
        self.report = replace(self.report, **changes)

    # What is done in a turn -----------------------------------------------------------------------------------------

    def _turn(self, index: Index, busy: Mapping[int, int]) -> bool:
        """One thing. Returns whether there is more to do."""
        steady = self._clock_is_steady()
        if self._running is not None:
            if not self._running.done:
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            running, self._running = self._running, None
            self._took_s = running.took_s
            try:
                deleted = running.result()
            finally:
                if self._lot is not None and not self._lot.entered:
                    self._lot = None
            if self._lot is not None:
                self._take(self._lot, deleted)
            return True
        if self._cut_off:
            finish(index, self.root, self._now_us())
            self._cut_off = False
            return True
        if self._lot is not None:
            self._go_on(index, self._lot)
            return True
        if not index.surveyed:
            # A file that is not known yet may be older than all that are: nothing goes before it.
            return False
        # Before anything is deleted: the journal may know of holds that the index lost.
        holds.take_from_journal(index, self.root)
        held = retention.held(index)
        if self._summing_us is None:
            kept = retention.cameras(index, self.days, self.rules)
            if self._stuck.try_again(self._clock.monotonic()):
                self._days_at = self._clock.monotonic()
            now_us = self._age_us()
            kept_out = {
                camera: merged([*held.get(camera, []), *self._stuck.places.get(camera, [])])
                for camera in held.keys() | self._stuck.places.keys()
            }
            future = Future(index, now_us, steady=steady)
            shelves = Shelves(index, kept, self.rules, future, now_us, kept_out=kept_out, busy=busy)
            if (lot := self._choose(index, shelves, busy, steady=steady)) is not None:
                self._lot = lot
                entries = lot_entries(self.root, lot, kept_out)
                at_us = self._now_us()
                self._run(lambda: lot.enter(self.root, at_us, entries, self._files))
                return True
            # Only now: on a disk that is full these could not be written.
            index.keep_days(self.days)
            future.remember(index)
            self.oldest = {facility: shelves.oldest_us(facility) for facility in self.rules}
            self._summing_us, self._counting = now_us, kept
            return True
        return self._sum_up(index, held, self._summing_us)

    def _choose(self, index: Index, shelves: Shelves, busy: Mapping[int, int], *, steady: bool) -> Lot | None:
        """The next lot, if anything is to be deleted."""
        now = self._clock.monotonic()
        if steady and now >= self._days_at:
            if rows := shelves.past_days(LOT, self._late):
                return Lot(Reason.DAYS, rows[::-1])
            self._days_at = now + DAYS_S
        over_quota = set()
        for facility, rules in self.rules.items():
            over = self._over_quota(index, facility, rules, busy) if rules.quota_bytes else 0
            if over > 0:
                if rows := shelves.oldest(over, LOT, self._late, facility):
                    return Lot(Reason.QUOTA, rows[::-1])
                over_quota.add(facility)
        lacking, files = (room.lacking(now) or int(room.probe(now)) for room in (self.space, self.places))
        if lacking > 0 and (rows := shelves.oldest(lacking, LOT, self._late)):
            return Lot(Reason.SPACE, rows[::-1])
        if files > 0 and (rows := shelves.oldest(sys.maxsize, min(files, LOT), self._late)):
            return Lot(Reason.SPACE, rows[::-1])
        short = lacking > 0 or files > 0 or self.space.short > 0 or self.places.short > 0
        young = short and not self._stuck.places and not shelves.oldest(1, 1, self._late)
        self._tell(
            over_quota=frozenset(over_quota),
            young_since_us=(self.report.young_since_us or self._now_us()) if young else None,
        )
        return None

    def _over_quota(self, index: Index, facility: str, rules: Rules, busy: Mapping[int, int]) -> int:
        """Bytes by which a facility is over its quota, or will be before long."""
        rows = index.query(
            "SELECT segment.id FROM segment JOIN camera ON camera.id = segment.camera WHERE state = 0 AND facility = ?",
            facility,
        )
        writing, all_writing = sum(busy.get(number, 0) for (number,) in rows), sum(busy.values())
        share = writing / all_writing if all_writing else 0.0
        ahead = min(round(self.space.rate(self._clock.monotonic()) * share * AHEAD_S), rules.quota_bytes // 10)
        return index.footage(facility)[0] + writing + ahead - rules.quota_bytes

    def _go_on(self, index: Index, lot: Lot) -> None:
        """Have the next files deleted; once there are no more, remove their rows."""
        # Somebody may have protected one since it was chosen.
        held = retention.held(index)
        lot.rows = [row for row in lot.rows if not overlaps(held.get(row.camera, []), row)]
        if lot.rows:
            self._run(lambda: lot.delete(self.root, self._until(), self._files))
            return
        for rows, reason in ((lot.gone, lot.reason), (lot.lost, Reason.LOST)):
            if rows:
                index.remove(rows, reason, self._now_us())
                _LOGGER.info("archive %s: %d files deleted: %s", self.root, len(rows), reason)
                rows.clear()
        self._lot = None
        self._tell(last_us=self._now_us())

    def _run(self, job: Callable[[], list[Deleted]]) -> None:
        """Do what may take long beside the writer thread; the next turn takes over what came of it."""
        for room in (self.space, self.places):
            room.deleting(self._clock.monotonic())
        self._running = Running(self._start, job, self._clock.monotonic)

    def _until(self) -> Callable[[], bool]:
        """Whether time is up for what begins now."""
        began = self._clock.monotonic()
        return lambda: self._clock.monotonic() - began >= TURN_S

    def _take(self, lot: Lot, deleted: list[Deleted]) -> None:
        """Files of a lot were deleted, or could not be. Raises OSError where not a file but the volume failed."""
        for row, error in deleted:
            if error is None:
                lot.gone.append(row)
                self.space.deleted(row.size)
                self.places.deleted(1)
                with contextlib.suppress(OSError):
                    # The day's folder, once it is empty. Here, so that no folder goes in which a file is just begun.
                    self._files.rmdir((self.root / row.path).parent)
            elif isinstance(error, FileNotFoundError):
                lot.lost.append(row)
            elif error.errno in stuck.ERRORS:
                # One file that cannot be deleted holds up none of the others; it stays in the index.
                if not self._stuck.files:
                    _LOGGER.warning("archive %s: %s cannot be deleted: %s", self.root, row.path, _why(error))
                self._stuck.add(row, _why(error), self._clock.monotonic())
            else:
                raise error
            lot.rows.pop()

    # What is told -----------------------------------------------------------------------------------------------

    def _sum_up(self, index: Index, held: Intervals, now_us: int) -> bool:
        """Count and sum until time is up; at the end tell all of it. Returns whether there is more."""
        kept = retention.cameras(index, self.days, self.rules)
        while self._counting:
            if not self._sums.count_due(index, self._counting[-1], held, now_us, self._late):
                return True
            self._counting.pop()
            if self._late():
                return True
        if not self._sums.renew(index, held, now_us, self._late):
            return True
        self._summing_us = None
        if self.space.total:
            footage = sum(index.footage(facility)[0] for facility in {camera.facility for camera in kept})
            room = self.space.free - keep_free(self.space.total)
            if self.places.total:
                # In bytes, at the size that files have here.
                count = index.count()
                room = min(room, (self.places.free - keep_files(self.places.total)) * footage // max(count, 1))
            self.outlook = self._sums.told(kept, self.rules, self.days, footage, room)
        self._stuck.tried()
        files, size = self._sums.due
        nothing = self.space.frees_nothing or self.places.frees_nothing
        self._failed_s = FAILED_S
        self._tell(
            last_us=self._now_us(),
            due_files=files,
            due_bytes=size + self.space.short,
            failed_since_us=None,
            failed_why="",
            frees_nothing_since_us=(self.report.frees_nothing_since_us or self._now_us()) if nothing else None,
            stuck_files=self._stuck.files,
            stuck_path=self._stuck.path,
            stuck_why=self._stuck.why,
        )
        return False


def _why(error: Exception) -> str:
    """The error in a few words, without a path."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
