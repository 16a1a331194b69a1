"""Copies protected footage of one facility to its second folder, in a thread of its own, at a bounded rate.

Never holds up recording: it shares no thread with it, reads the index in pages, and moves no more than RATE. The newest
hold comes first; a hold whose end lies in the future is followed as its segments are closed. What fails (the folder is
away, full, read-only, hung, or gives back other bytes) is tried again with growing pauses, and told after TOLD_S.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
import logging
from pathlib import Path
import sqlite3
import threading
import time
from typing import Protocol

from ..api_footage import CopyCause, CopyState
from ..clock import Clock, microseconds
from . import holds
from .holds import Hold
from .index import LONGEST_US, PATH, Index
from .second_copy import CopyError, check_folder, copy, describe, has

_LOGGER = logging.getLogger(__name__)

#: Bytes moved in a second. Each byte is moved twice, written and read back: 8 MB of footage.
RATE = 16_000_000
#: Time that the folder itself takes counts; what a pause of it leaves over is not made up for beyond this.
CATCH_UP_S = 1.0
#: Pauses after failures, seconds.
BACK_OFF_S = (5.0, 15.0, 60.0, 300.0)
#: A failure of the folder that lasts so long is told, and that of a file after so many attempts.
TOLD_S, TOLD_ATTEMPTS = 180.0, 3
#: A hold that is not complete is looked at again after so long, one that is after so long (files may be taken away).
LOOK_S, LOOK_AGAIN_S = 10.0, 3600.0
#: A hold of very many files is looked at less often: the index is others' too.
FILES_PER_S = 10_000
#: After the end of a hold its last segment may still be on its way to the disk.
SETTLE_US = 10_000_000
#: Then the next hold has its turn.
TURN_S = 20.0
#: A hold that grows is described anew after so long.
DESCRIBE_S = 300.0
_TICK_S = 0.5
_PAGE = 500
#: What concerns one file: the others are copied all the same.
_OF_A_FILE = (CopyCause.SOURCE, CopyCause.MISMATCH)


class Source(Protocol):
    """What an archive gives."""

    root: Path
    clock: Clock

    @property
    def index(self) -> Index | None:
        """The index, None while it is away."""


@dataclass(slots=True)
class Progress:
    """How far the copy of a hold is. Written by the copier's thread alone once it is made."""

    hold: Hold
    files: int = 0
    copied: int = 0
    done: bool = False
    #: Why files of this hold in particular fail, and how often in a row.
    cause: CopyCause | None = None
    failures: int = 0
    #: Ids of segments whose copy is known to be there.
    known: set[int] = field(default_factory=set)
    #: The newest look did not come to the end.
    turn_over: bool = False
    look_at: float = 0.0
    described_at: float = float("-inf")


class _StoppedError(Exception):
    """The copier was told to end, or to begin with something newer."""


class Copier:
    """Runs from `start` to `close`. `copied` is called, in its thread, with the holds of an incident once all of its
    footage is copied.
    """

    def __init__(self, source: Source, facility: str, folder: Path, folder_id: str,
                 copied: Callable[[list[Hold]], None], rate: int = RATE) -> None:  # fmt: skip
        """Prepare; nothing is touched yet."""
        self.source, self.folder, self.folder_id = source, folder, folder_id
        self._facility = facility
        self._copied = copied
        self._rate = rate
        self._progress: dict[str, Progress] = {}
        self._stop, self._woken = threading.Event(), threading.Event()
        #: Monotonic time of the last step at the folder; None while nothing is asked of it.
        self._alive: float | None = None
        self._failing: tuple[float, CopyCause] | None = None
        #: Until then (time.monotonic) what was moved would have taken at the rate.
        self._ahead_until = 0.0
        self._thread = threading.Thread(target=self._work, name=f"second copy {facility}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End. Blocks 2 s at most: a folder that does not answer is left behind."""
        self.stop()
        self._thread.join(2)

    def stop(self) -> None:
        """Have it end soon."""
        self._stop.set()
        self._woken.set()

    def expect(self, made: list[Hold]) -> None:
        """These holds are new: they come first."""
        for hold in made:
            self._progress.setdefault(hold.uid, Progress(hold))
        self._woken.set()

    def forget(self, uids: list[str]) -> None:
        """These holds are released: what is not copied yet is not copied any more."""
        for uid in uids:
            self._progress.pop(uid, None)

    @property
    def problem(self) -> CopyCause | None:
        """Why the folder has taken nothing for TOLD_S or longer; None while that is not so."""
        now, alive, failing = self.source.clock.monotonic(), self._alive, self._failing
        if alive is not None and now - alive >= TOLD_S:
            return CopyCause.HUNG
        return failing[1] if failing is not None and now - failing[0] >= TOLD_S else None

    def state(self, hold: Hold) -> tuple[CopyState, CopyCause | None, int, int]:
        """Whether a hold is copied, why not, how many files it has and how many of them are copied."""
        progress = self._progress.get(hold.uid)
        if progress is None:
            return (CopyState.COPIED if hold.copied_to == self.folder_id else CopyState.WAITING), None, 0, 0
        if progress.done:
            return CopyState.COPIED, None, progress.files, progress.copied
        cause = (progress.cause if progress.failures >= TOLD_ATTEMPTS else None) or self.problem
        return (CopyState.FAILED if cause else CopyState.WAITING), cause, progress.files, progress.copied

    def failing(self) -> list[tuple[Hold, CopyCause]]:
        """The holds whose copy fails now, and why."""
        found = []
        for progress in tuple(self._progress.values()):
            state, cause, _, _ = self.state(progress.hold)
            if state is CopyState.FAILED and cause is not None:
                found.append((progress.hold, cause))
        return found

    # Its thread ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        failures, try_at, waiting = 0, 0.0, False
        while not self._stop.is_set():
            if self._woken.is_set() or self.source.clock.monotonic() >= try_at:
                self._woken.clear()
                try:
                    more = self._round()
                except _StoppedError:
                    continue
                except CopyError as error:
                    pause = BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]
                    failures, try_at = failures + 1, self.source.clock.monotonic() + pause
                    self._fail(error)
                except (OSError, sqlite3.Error) as error:
                    # The archive is away: the volume tells of it.
                    if not waiting:
                        _LOGGER.info("second copy of %s waits for the archive: %s", self._facility, error)
                    waiting, try_at = True, self.source.clock.monotonic() + BACK_OFF_S[0]
                else:
                    failures, waiting, try_at = 0, False, self.source.clock.monotonic() + (0.0 if more else LOOK_S)
                    self._failing = None
                finally:
                    self._alive = None
            self._woken.wait(_TICK_S)

    def _fail(self, error: CopyError) -> None:
        since = self._failing[0] if self._failing else self.source.clock.monotonic()
        if self._failing is None or self._failing[1] is not error.cause:
            _LOGGER.warning("second copy of %s: %s", self._facility, error)
        self._failing = since, error.cause

    def _round(self) -> bool:
        """Look at every hold that is due, newest first; returns whether a turn was too short for one. Raises CopyError
        for what concerns the folder, OSError and sqlite3.Error for the archive, _StoppedError.
        """
        index = self.source.index
        if index is None:
            raise OSError("it is away")
        wanted = {hold.uid: hold for hold in holds.active(index, self._facility)}
        self.forget([uid for uid in self._progress if uid not in wanted])
        for uid, hold in wanted.items():
            if uid not in self._progress:
                self._progress[uid] = Progress(hold, done=hold.copied_to == self.folder_id)
        self._alive = self.source.clock.monotonic()
        check_folder(self.folder, self.folder_id)
        for uid in wanted:
            if (progress := self._progress.get(uid)) is None:
                continue
            if self.source.clock.monotonic() < progress.look_at:
                continue
            self._follow(index, progress)
            if progress.turn_over:
                pause = 0.0
            elif progress.done:
                pause = LOOK_AGAIN_S
            elif progress.cause is not None:
                pause = BACK_OFF_S[min(progress.failures, len(BACK_OFF_S)) - 1]
            else:
                pause = max(LOOK_S, progress.files / FILES_PER_S)
            progress.look_at = self.source.clock.monotonic() + pause
        return any(progress.turn_over for progress in tuple(self._progress.values()))

    def _follow(self, index: Index, progress: Progress) -> None:
        """Copy what there is of a hold and is not copied yet, for TURN_S."""
        hold, now_us = progress.hold, microseconds(self.source.clock.utc())
        until = time.monotonic() + TURN_S
        files, is_open, turn_over, cause = 0, now_us < hold.end_us + SETTLE_US, False, None
        copied: list[tuple[str, bytes]] = []
        for number, path, size, digest, closed in _files(index, hold):
            files += 1
            if number not in progress.known:
                if not closed or time.monotonic() > until:
                    is_open, turn_over = is_open or not closed, turn_over or closed
                    continue
                try:
                    self._copy(progress, path, size, digest)
                except CopyError as error:
                    if error.cause not in _OF_A_FILE:
                        raise
                    _LOGGER.warning("second copy of %s: %s", self._facility, error)
                    cause = error.cause
                    continue
                progress.known.add(number)
            copied.append((path, digest))
            progress.files, progress.copied = max(progress.files, files), len(copied)
        progress.files, progress.copied = files, len(copied)
        progress.turn_over = turn_over
        progress.cause, progress.failures = cause, progress.failures + 1 if cause else 0
        complete = not (is_open or turn_over or cause)
        now = self.source.clock.monotonic()
        if complete and not progress.done:
            describe(self.folder, hold, copied, complete=True)
            self._complete(index, progress)
        elif not complete and copied and now - progress.described_at > DESCRIBE_S:
            describe(self.folder, hold, copied, complete=False)
            progress.described_at = now
        if progress.done and not turn_over:
            # Files may be taken away from the second folder: next time all are looked for again.
            progress.known.clear()

    def _complete(self, index: Index, progress: Progress) -> None:
        """All files of a hold are copied: remember it, and tell it with the last one of its incident."""
        hold = progress.hold
        holds.set_copied(index, hold.uid, self.folder_id)
        progress.hold = replace(hold, copied_to=self.folder_id)
        progress.done = True
        same = [one for one in tuple(self._progress.values()) if one.hold.incident == hold.incident]
        if hold.copied_to != self.folder_id and all(one.done for one in same) and any(one.files for one in same):
            self._copied([one.hold for one in same])

    def _copy(self, progress: Progress, path: str, size: int, digest: bytes) -> None:
        """Have a file's copy in the second folder. Raises CopyError, _StoppedError."""
        self._pace(0)
        if progress.hold.uid not in self._progress:
            # Released meanwhile.
            raise _StoppedError
        if has(self.folder, path, size):
            return
        progress.done = False
        # Before each file: a mount that was lost must not be written into, not even for some seconds.
        check_folder(self.folder, self.folder_id)
        copy(self.source.root / path, self.folder, path, digest, self._pace)
        self._failing = None

    def _pace(self, moved: int) -> None:
        """Keep the rate. Raises _StoppedError where something more urgent waits."""
        self._alive = self.source.clock.monotonic()
        now = time.monotonic()
        self._ahead_until = max(self._ahead_until, now - CATCH_UP_S) + moved / self._rate
        if self._stop.wait(max(0.0, self._ahead_until - now)) or (not moved and self._woken.is_set()):
            raise _StoppedError


def _files(index: Index, hold: Hold) -> Iterator[tuple[int, str, int, bytes, bool]]:
    """Every segment that a hold touches, oldest first: id, path, bytes, SHA-256, whether it is ready. In pages."""
    after, after_id = hold.start_us - LONGEST_US, 0
    while rows := index.query(
        f"SELECT segment.id, start_us, {PATH}, segment.bytes, sha256, state FROM segment "
        "JOIN camera ON camera.id = segment.camera WHERE camera.uid = ? AND start_us < ? "
        "AND (start_us, segment.id) > (?, ?) AND (end_us > ? OR state = 0) ORDER BY start_us, segment.id LIMIT ?",
        hold.camera, hold.end_us, after, after_id, hold.start_us, _PAGE,
    ):  # fmt: skip
        for number, _, path, size, digest, state in rows:
            # What was taken in and is not read yet has no hash: it is not ready.
            yield number, path, size, digest or b"", bool(state and digest)
        after_id, after = rows[-1][:2]
