"""The ledger: every change of a camera's state, with its cause, from when to when, for ever. SQLite in the engine's folder.

Promise I5 (truth): what is told is an interval; what nobody told is unknown. Durations are monotonic: a machine that
slept, an engine that stood still, a clock that was set neither invent nor overlap time (watch_time.py says what happened,
moving.py what it does to what is written).

Nothing blocks the event loop: one thread of its own writes. While the disk does not take it, changes wait here, up to
KEPT; beyond it all that waits is given up and counted, that time becomes unknown, and what holds now is told anew.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
import errno
import json
import logging
from pathlib import Path
import sqlite3
import threading

from ..api import Standing, Status
from ..api_ledger import Away as Why, LedgerProblem
from ..clock import Clock
from .changes import (
    Away,
    Back,
    Belong,
    Change,
    Connected,
    Gone,
    Note,
    Only,
    Redate,
    Shown,
    ShownRow,
    Stand,
    State,
    Trusted,
)
from .opening import FILE, is_broken
from .rates import CONNECTED
from .reading import NEVER, snapshot
from .spans import HOUR_US
from .watch_time import LATE_US, WatchTime, asleep_s, boot_id
from .writer import Writer

_LOGGER = logging.getLogger(__name__)

THREAD = "engine ledger"
BEAT_S = 10.0
#: After a failure it is tried again so often.
AGAIN_S = 10.0
#: Changes that wait for the disk.
KEPT = 20_000
#: A machine that has run for less than this had its clock set by nobody yet, unless it is said that it was.
BOOTED_S = 600.0
#: Answers whose figures wait to be written; those of others are not kept.
SHOWN_WAITING = 4
#: How long texts may be.
SHORT, LONG, CONTENT = 100, 500, 4000
#: How long `close` waits for the disk, seconds.
CLOSE_S = 1.5


#: What is not given up, because all that comes later depends on it.
_LASTING = (Away, Back, Gone, Only, Redate, Trusted)


@dataclass(slots=True)
class _Camera:
    """What holds of a camera now."""

    belong: Belong | None = None
    stand: Stand | None = None
    state: State | None = None
    #: Of an unstable one: connected since it became that, and what of it was before `state` began.
    connected_us: int = 0
    before_us: int = 0


class Ledger:
    """One engine's ledger. For the event loop's thread, but for what says otherwise."""

    def __init__(
        self, folder: Path, clock: Clock, *, asleep: Callable[[], float] = asleep_s, boot: str | None = None
    ) -> None:
        """A run of the watch begins. `asleep` tells the seconds this machine was suspended, `boot` names its boot."""
        self.path = folder / FILE
        self._clock = clock
        self._time = WatchTime(clock, asleep)
        self._began_us = self._time.newest_us
        #: No time before this is told of any more: our clock was set then, or nobody watched.
        self._steady_us = self._began_us
        self._writer = Writer(folder, boot_id() if boot is None else boot)
        #: Guards the four below, which the writer thread uses too.
        self._lock = threading.Lock()
        self._cameras: dict[str, _Camera] = {}
        self._changes: deque[Change] = deque()
        self._connected: dict[str, int] = {}
        #: Changes that could not be kept.
        self.dropped = 0
        #: Why nothing can be written now.
        self.problem = LedgerProblem.NONE
        self._told: bool | None = None
        self._beat_at = 0.0
        self._opened = False
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    # Life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to write."""
        self.note("engine_start", "", "", {})
        self._thread = threading.Thread(target=self._work, name=THREAD, daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """Called once a second: has changes written, and every 10 s that the watch ran."""
        self._look()
        now = self._clock.monotonic()
        due = AGAIN_S if self.problem else BEAT_S
        if (self._changes and not self.problem) or now - self._beat_at >= due:
            self._beat_at = now
            self._wake.set()

    def close(self) -> None:
        """The engine ends: write how far it was watched. Blocks, CLOSE_S at most."""
        self._look()
        self._closing = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    # Telling ------------------------------------------------------------------------------------------------------

    def tell(
        self,
        camera: str,
        status: Status,
        cause: str,
        detail: str = "",
        evidence: str = "",
        *,
        since_us: int = 0,
        connected_us: int = 0,
    ) -> None:
        """What a camera's state is now. Told again and again it costs nothing. An empty `detail` or `evidence` is
        nothing new. `since_us` (UTC microseconds, 0: now) is when a camera that was connected went: that is noticed
        later, LATE_US at most. `connected_us` says of an unstable camera how much it was connected since it became that.
        """
        cause, detail, evidence = cause[:SHORT], detail[:LONG], evidence[:SHORT]
        known = self._cameras.get(camera)
        before = known.state if known is not None else None
        if (
            known is not None
            and before is not None
            and (status, cause) == (before.status, before.cause)
            and detail in ("", before.detail)
            and evidence in ("", before.evidence)
        ):
            if status != Status.UNSTABLE or connected_us == known.connected_us:
                return
            if self._time.newest_us // HOUR_US == before.at_us // HOUR_US:
                with self._lock:
                    known.connected_us = connected_us
                    self._connected[camera] = max(connected_us - known.before_us, 0)
                return
            # By the hour, so that what is connected later changes nothing of what was shown.
            detail, evidence = before.detail, before.evidence
        now_us = self._now()
        with self._lock:
            known = self._cameras.setdefault(camera, _Camera())
            row_us = self._connected.pop(camera, None)
            unstable = status == Status.UNSTABLE
            if unstable and row_us is not None:
                # It goes on: until now it was connected in the row that ends.
                row_us, known.before_us = max(connected_us - known.before_us, 0), connected_us
            elif unstable:
                known.before_us = 0
            if row_us is not None:
                self._put(Connected(now_us, camera, row_us))
            if unstable:
                known.connected_us = connected_us
                self._connected[camera] = max(connected_us - known.before_us, 0)
            went_us = now_us
            if since_us and before is not None and before.status in CONNECTED and status not in CONNECTED:
                went_us = min(max(since_us, before.at_us, self._steady_us, now_us - LATE_US), now_us)
            known.state = State(went_us, camera, status, cause, detail, evidence)
            self._put(known.state)

    def stand(self, camera: str, standing: Standing, reason: str = "", who: str = "") -> None:
        """What is asked of a camera from now on, why, and who said so."""
        told = Stand(0, camera, standing, reason[:LONG], who[:SHORT])
        known = self._cameras.get(camera)
        before = known.stand if known is not None else None
        if before is not None and replace(before, at_us=0) == told:
            return
        told = replace(told, at_us=self._now())
        with self._lock:
            self._cameras.setdefault(camera, _Camera()).stand = told
            self._put(told)

    def describe(self, camera: str, name: str, facility: str, place: str) -> None:
        """What a camera is called, which facility it belongs to, and what kind of place it looks at, from now on."""
        told = Belong(0, camera, name[:SHORT], facility[:SHORT], place[:SHORT])
        known = self._cameras.get(camera)
        if known is not None and known.belong is not None and replace(known.belong, at_us=0) == told:
            return
        told = replace(told, at_us=self._now())
        with self._lock:
            self._cameras.setdefault(camera, _Camera()).belong = told
            self._put(told)

    def gone(self, camera: str) -> None:
        """The camera was removed: nothing is asked of it from now on."""
        now_us = self._now()
        with self._lock:
            if (row_us := self._connected.pop(camera, None)) is not None:
                self._put(Connected(now_us, camera, row_us))
            if self._cameras.pop(camera, None) is not None:
                self._put(Gone(now_us, camera))

    def only(self) -> None:
        """The cameras that were described are all there are: others were removed while no engine ran."""
        now_us = self._now()
        with self._lock:
            self._put(Only(now_us, frozenset(self._cameras)))

    def note(self, kind: str, facility: str, camera: str, content: Mapping[str, object]) -> None:
        """Another fact for the log. Raises ValueError if it is too long, TypeError if it is no JSON."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        if len(text) > CONTENT:
            raise ValueError(f"a note is at most {CONTENT} characters long")
        now_us = self._now()
        with self._lock:
            self._put(Note(now_us, kind[:SHORT], facility[:SHORT], camera[:SHORT], text))

    def hub_away(self, from_us: int, to_us: int, why: str) -> None:
        """The hub itself was the reason: this time (UTC microseconds) is unknown for all cameras, whatever was told. Raises
        ValueError for the one reason for which time is not unknown.
        """
        if why == Why.CLOCK:
            raise ValueError(f"{why} is told of time that never was")
        now_us = self._now()
        from_us, to_us = max(from_us, 0), min(to_us, now_us)
        if from_us < to_us:
            with self._lock:
                self._put(Away(now_us, from_us, to_us, why[:SHORT]))

    def trust(self, *, trusted: bool) -> None:
        """Whether our clock is synchronised, or was since this machine booted. As long as it never was, its next step
        dates this boot again.
        """
        # A step until now is of the time before.
        now_us = self._now()
        if trusted and not self._told:
            with self._lock:
                self._put(Trusted(now_us))
        self._told = trusted or bool(self._told)

    def knows(self, camera: str) -> bool:
        """Whether there is such a camera now. Any thread."""
        return camera in self._cameras

    def show(self, rows: list[ShownRow]) -> None:
        """These figures are given out. Any thread."""
        with self._lock:
            waiting = sum(isinstance(one, Shown) for one in self._changes)
            if rows and waiting < SHOWN_WAITING and not self.problem:
                self._put(Shown(self._time.newest_us, rows))

    @property
    def set_aside(self) -> str:
        """Under which name a file that is damaged, or of a newer engine, was set aside; empty if none was."""
        return self._writer.set_aside

    @property
    def away_us(self) -> int:
        """How long nobody had watched when this engine began, as our clock says; 0 if nobody ever had. Any thread."""
        return self._writer.away_us

    def snapshot(self, path: Path) -> None:
        """Put a copy of what is written there, whole and in one file. Blocks. Raises OSError and sqlite3.Error."""
        snapshot(self.path, path)

    # Time ---------------------------------------------------------------------------------------------------------

    @property
    def _trusted(self) -> bool:
        if self._told is not None:
            return self._told
        return self._clock.monotonic() >= BOOTED_S and not self._writer.lead_us

    def _now(self) -> int:
        self._look()
        return self._time.newest_us

    def _look(self) -> None:
        look = self._time.look()
        if look.missed is None and look.step is None:
            return
        self._steady_us = self._time.newest_us
        with self._lock:
            if look.missed is not None:
                start_us, end_us, why = look.missed
                self._put(Away(end_us, start_us, end_us, why))
                self._log(end_us, why, start_us, end_us)
            if look.step is not None:
                self._stepped(*look.step)

    def _stepped(self, before_us: int, after_us: int) -> None:
        """Our clock said `before_us`, and was set to `after_us`."""
        if not self._trusted:
            self._put(Redate(after_us, before_us))
            how = "dated_again"
        elif after_us > before_us:
            self._put(Away(after_us, before_us, after_us, Why.CLOCK))
            how = "forward"
        else:
            for camera, connected_us in self._connected.items():
                self._put(Connected(before_us, camera, connected_us))
            self._put(Back(after_us, before_us))
            for known in self._cameras.values():
                if known.state is not None:
                    known.state = replace(known.state, at_us=after_us)
                    known.before_us = known.connected_us
                    self._put(known.state)
            self._connected = dict.fromkeys(self._connected, 0)
            how = "back"
        self._log(after_us, "clock", before_us, after_us, how)

    def _log(self, at_us: int, kind: str, before_us: int, after_us: int, how: str = "") -> None:
        _LOGGER.warning("ledger: %s %s: %.1f s", kind, how, (after_us - before_us) / 1e6)
        self._put(Note(at_us, kind, "", "", json.dumps({"before": before_us, "after": after_us, "how": how})))

    # Waiting for the disk -----------------------------------------------------------------------------------------

    def _put(self, change: Change) -> None:
        """Keep it until it is written. Under the lock."""
        self._changes.append(change)
        if len(self._changes) > KEPT:
            self._give_up()

    def _give_up(self) -> None:
        """What waits was more than is kept: that time is unknown."""
        if not self.dropped:
            _LOGGER.error("ledger: the disk took nothing for so long that %d changes are given up", len(self._changes))
        now_us, first_us = self._time.newest_us, NEVER
        for one in self._changes:
            first_us = first_us + one.at_us - one.before_us if isinstance(one, Redate) else min(first_us, one.at_us)
        kept = [one for one in self._changes if isinstance(one, _LASTING)][-KEPT // 2 :]
        self.dropped += len(self._changes) - len(kept)
        self._changes = deque(kept)
        if first_us < now_us:
            self._changes.append(Away(now_us, first_us, now_us, Why.LOST))
        self._changes.append(Note(now_us, "lost", "", "", json.dumps({"changes": self.dropped})))
        self._tell_again(now_us)

    def _tell_again(self, now_us: int) -> None:
        """All that holds now."""
        for known in self._cameras.values():
            for told in (known.belong, known.stand, known.state):
                if told is not None:
                    self._changes.append(replace(told, at_us=now_us))
            known.before_us = known.connected_us
        self._connected = dict.fromkeys(self._connected, 0)

    # Writer thread ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        closing = False
        while not closing:
            self._wake.wait()
            self._wake.clear()
            closing = self._closing
            self.write_once()
        self._writer.close()

    def write_once(self) -> None:
        """What the writer thread does when it is woken: write all that waits. Never raises what a disk may do."""
        try:
            try:
                self._write()
            except sqlite3.DatabaseError as error:
                if not is_broken(error):
                    raise
                _LOGGER.error("ledger: %s: it is set aside, and another is begun", error)
                self._writer.set_bad_aside(self._time.newest_us)
                self._write()
        except (OSError, sqlite3.Error) as error:
            if not self.problem:
                _LOGGER.error("ledger: it cannot be written: %s", error)
            self.problem = _problem(error)
        else:
            if self.problem:
                _LOGGER.warning("ledger: it is written again")
            self.problem = LedgerProblem.NONE

    def _write(self) -> None:
        began_us = self._time.newest_us if self._opened else self._began_us
        if self._writer.open(began_us, trusted=self._told, settled=self._clock.monotonic() >= BOOTED_S):
            if self._opened:
                # Another file, which knows nothing of this run.
                with self._lock:
                    now_us = self._time.newest_us
                    self._changes.clear()
                    self._changes.append(Note(now_us, "begun_again", "", "", json.dumps({"file": self.set_aside})))
                    self._tell_again(now_us)
            self._opened = True
        with self._lock:
            changes, connected = tuple(self._changes), dict(self._connected)
            now_us = self._time.newest_us
        self._writer.write(changes, connected, now_us)
        with self._lock:
            # Those that were given up meanwhile are not there any more.
            written = set(map(id, changes))
            while self._changes and id(self._changes[0]) in written:
                self._changes.popleft()


def _problem(error: OSError | sqlite3.Error) -> LedgerProblem:
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return LedgerProblem.FULL
        return LedgerProblem.READ_ONLY if error.errno in (errno.EROFS, errno.EACCES) else LedgerProblem.FAILED
    if is_broken(error):
        return LedgerProblem.DAMAGED
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return LedgerProblem.FULL
    return LedgerProblem.READ_ONLY if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM) else LedgerProblem.FAILED
