"""One archive: the folder a technician chose, with its index, its writer thread and its retention.

All files of an archive are written by one thread, in order, from a bounded queue, so a slow or dead disk never holds up
the event loop, nor another archive (promise I7). Where the volume is full, gone, read-only or not ours, files end
whole, what comes is kept in memory as far as that goes (backlog.py), and is written by itself once the volume is back
(promise I4). What fails for one camera alone (a folder that may not be written) holds up no other. One engine holds
the archive (owner.py).
"""

from collections.abc import Callable, Mapping
import contextlib
from dataclasses import replace
from datetime import UTC, datetime
import logging
from pathlib import Path
import queue
import sqlite3
import threading
import time

from ..api import VolumeCause, VolumeState
from ..clock import Clock, microseconds
from . import retention
from .backlog import Backlog, Memory, Work
from .files import FILES, Files, Folders
from .generation import RENEW_S as GENERATION_S, Generation
from .index import Index, Row
from .owner import HeldError, Owner, this_machine
from .recording import Origin, Recording
from .repair import close_after_crash
from .schema import UnusableIndexError
from .segment_file import SegmentFile
from .under_mount import Hidden
from .volume import Volume, is_lost, keep_free, look, meaning

_LOGGER = logging.getLogger(__name__)

INDEX = "index.sqlite3"
#: What the names of writer threads begin with.
THREAD = "archive"
LOOK_S = 5.0
#: How soon to look again where another engine holds the archive: it may be on its way out.
LOCKED_S = 0.5
RETAIN_S = 60.0
#: Our clock stepped by more than this: for so long nothing is deleted by days.
STEP_S, STEADY_S = 60.0, 600.0
#: The writer thread has not come back for so long: readers are no longer sent after it; the disk does not answer.
READERS_S, HUNG_S = 5.0, 20.0
#: What was found slow is called so for this long.
SLOW_S = 60.0
#: A file that cannot be repaired is tried again after so long.
REPAIR_S = 60.0
#: Leaving, the writer thread may take so long for what it has, but must come back at least so often.
CLOSE_S, CLOSE_STEP_S = 10.0, 1.2
#: A fault of ours ended the writer thread: another begins after so long.
RESTART_S = 1.0
#: Primary codes of sqlite3 errors: of the file itself, and those after which the same connection may go on.
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PASSING = {0, sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CONSTRAINT}


class AwayError(Exception):
    """The volume is not to be written to now: what was to be written is kept."""


class Archive:
    """One archive. `start`, then `begin` recordings; `close` waits until all is on disk."""

    def __init__(
        self,
        root: Path,
        archive_id: str,
        clock: Clock,
        *,
        memory: Memory | None = None,
        remembered: Path | None = None,
        files: Files = FILES,
    ) -> None:
        """Prepare; nothing is touched yet. `memory` is what all archives may keep together; `remembered` the engine's
        own folder, where it notes how far this archive was recorded.
        """
        self.root = root
        self.archive_id = archive_id
        self.clock = clock
        #: Days to keep by camera id; replaced as a whole by the supervisor.
        self.days: Mapping[str, int] = {}
        #: Files being written by their segment's id. A file stays here until the index says that it is closed.
        self.open_files: dict[int, SegmentFile] = {}
        #: Fragments dropped because neither disk nor memory took them.
        self.dropped = 0
        #: Told of each gap that this made: camera, start and end (UTC microseconds), cause. Called from any thread.
        self.on_dropped: Callable[[str, int, int, VolumeCause], None] = lambda _camera, _start, _end, _cause: None
        self._files = files
        self._volume = Volume(VolumeState.MISSING)
        self._index: Index | None = None
        self._owner = Owner(root, clock, lambda: this_machine(remembered, files), files)
        self._generation = Generation(root, archive_id, remembered, files)
        self._renew_at = float("-inf")
        self._accepted = False
        self._folders = Folders(root, files)
        self._hidden = Hidden(root, f"{THREAD} {root.name} under mount", files)
        #: None is the end.
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._backlog = Backlog(memory or Memory())
        #: What failed of a camera's, until something of it succeeds.
        self._faults: dict[str, tuple[VolumeState, VolumeCause]] = {}
        #: Where a camera's gap begins, and why.
        self._gaps: dict[str, tuple[int, VolumeCause]] = {}
        self._slow_until = float("-inf")
        self._alive = clock.monotonic()
        self._turns = 0
        self._look_at = float("-inf")
        self._retain_at = clock.monotonic() + RETAIN_S
        self._utc_offset = clock.utc() - clock.monotonic()
        self._stepped = clock.monotonic()
        self._recordings: set[Recording] = set()
        self._unfinished: list[Row] = []
        self._repair_at: float | None = None
        self._unrepaired: set[str] = set()
        #: Rows whose files may never have been made; until that is known no other is given their names.
        self._unmade: dict[int, Path] = {}
        self._told: object = None
        self._thread = self._new_thread()

    # Event loop's side --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the writer thread; the first look at the volume is its first act."""
        self._thread.start()

    def close(self) -> None:
        """Write what is queued and end. Blocks until then, 10 s at most; the thread of a disk that does not answer is
        left behind (promise I4).
        """
        self.end()
        until = time.monotonic() + CLOSE_S
        turns = -1
        while turns != self._turns and time.monotonic() < until:
            turns = self._turns
            self._thread.join(CLOSE_STEP_S)
            if not self._thread.is_alive():
                return
        _LOGGER.error("archive %s does not answer, and is left", self.root)

    def end(self) -> None:
        """Tell the writer thread to write what is queued and end."""
        self._queue.put(None)

    def accepts(self, camera: str) -> bool:
        """Whether footage of a camera is taken: it is also while the volume is away, as far as memory goes."""
        return self._backlog.accepts(camera)

    @property
    def volume(self) -> Volume:
        """What is known of the volume now."""
        volume = self._volume
        if self._stuck_s > HUNG_S:
            return replace(volume, state=VolumeState.MISSING, cause=VolumeCause.NO_ANSWER)
        if volume.writable:
            for state, cause in tuple(self._faults.values()):
                return replace(volume, state=state, cause=cause)
            if self.clock.monotonic() < self._slow_until or self._stuck_s > READERS_S:
                return replace(volume, cause=VolumeCause.SLOW)
        return volume

    @property
    def index(self) -> Index | None:
        """The index, None while the volume is away or does not answer."""
        return None if self._stuck_s > READERS_S else self._index

    @property
    def answers(self) -> bool:
        """Whether the writer thread comes back from the disk."""
        return self._stuck_s <= READERS_S

    @property
    def kept_bytes(self) -> int:
        """What waits in memory for the volume to come back."""
        return self._backlog.kept_bytes

    @property
    def _stuck_s(self) -> float:
        return self.clock.monotonic() - self._alive

    def footage(self, facility: str) -> tuple[int, int | None]:
        """Bytes and oldest start (UTC microseconds) of a facility's closed footage. Blocks."""
        index = self.index
        if index is None:
            return 0, None
        try:
            return index.footage(facility)
        except sqlite3.Error:
            return 0, None

    def use_copy(self) -> None:
        """A person says that this older copy is the archive from now on."""
        self._accepted = True
        self._look_at = float("-inf")

    @property
    def hidden(self) -> tuple[int, int]:
        """How many files of footage lie under the volume, where nobody sees them, and their bytes."""
        return self._hidden.found

    def bring_back(self) -> None:
        """Move what lies under the volume into it, behind."""
        self._hidden.bring_back(lambda: self.submit(None, 0, self._open_again))

    def _open_again(self) -> None:
        """Files were put here: the index is opened anew, which looks for them."""
        self._close_index()
        self._look_at = float("-inf")

    def begin(self, camera: str, facility: str, folder: str, run: str, codec: str, init: bytes, identity: bytes,
              start_us: int) -> Recording:  # fmt: skip
        """Begin a segment at `start_us`. `folder` is used if the camera has none in this archive yet."""
        gap = self._gaps.pop(camera, None)
        if gap is not None:
            self.on_dropped(camera, gap[0], max(gap[0], start_us), gap[1])
        return Recording(Origin(camera, facility, folder, run, codec, init, identity), start_us, self.clock, self)

    def submit(self, recording: Recording | None, size: int, job: Callable[[], None]) -> None:
        """Queue work for the writer thread. Beyond the bound, work with a size is dropped and ends its recording."""
        camera = recording.camera if recording is not None else ""
        away = not self._volume.writable or camera in self._faults or self._stuck_s > HUNG_S
        work = self._backlog.take(recording, size, job, away=away)
        if self._backlog.crowded:
            self._slow_until = self.clock.monotonic() + SLOW_S
        if work is not None:
            self._queue.put(work)
            return
        self.dropped += 1
        if recording is not None:
            recording.failed = True
            cause = self.volume.cause if away else VolumeCause.SLOW
            self._gaps.setdefault(camera, (recording.start_us + recording.taken_us, cause))

    # Writer thread ------------------------------------------------------------------------------------------------

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self.work, name=f"{THREAD} {self.root.name}", daemon=True)

    def work(self) -> None:
        """Until told to end. A fault of ours (logged by `threading.excepthook`) ends the open files, no more."""
        done = False
        try:
            while self.work_once():
                pass
            done = True
        finally:
            self._close_index()
            if not done:
                self._volume = replace(self._volume, state=VolumeState.ERROR, cause=VolumeCause.FAULT)
                self._look_at = float("-inf")
                time.sleep(RESTART_S)
                self._thread = self._new_thread()
                self._thread.start()

    def work_once(self, wait_s: float = 1.0) -> bool:
        """The next thing that is due: look, write, and if nothing waits to be written, repair or delete. Waits so long
        at most where nothing is due. False at the end.
        """
        now = self.clock.monotonic()
        self._alive = now
        self._turns += 1
        if now >= self._look_at:
            self._look()
        kept = self._backlog.due(now) if self._volume.writable else None
        if kept is not None:
            self._do(kept)
        wait_s = 0.0 if kept is not None or self._idle_due(now) else min(wait_s, max(self._look_at - now, 0.0))
        try:
            work = self._queue.get(timeout=wait_s) if wait_s else self._queue.get_nowait()
        except queue.Empty:
            if kept is None:
                self._work_idle(now)
            return True
        if work is None:
            self._finish()
            return False
        recording = work.recording
        if recording is not None and (not self._volume.writable or self._backlog.keeps(recording.camera)):
            self._backlog.keep(work, recording.camera)
        else:
            self._do(work)
        if now >= self._retain_at + RETAIN_S:
            self._work_idle(now)
        return True

    def _do(self, work: Work) -> None:
        """Do it. Where that fails and it is a recording's, it is kept and done again (promise I4)."""
        recording = work.recording
        camera = recording.camera if recording is not None else ""
        fault = self._faults.get(camera)
        again = False
        try:
            work.job()
        except AwayError:
            again = True
        except (OSError, sqlite3.Error) as error:
            self.failed(recording, error)
            again = recording is not None
        else:
            if fault is not None and self._faults.get(camera) is fault:
                del self._faults[camera]
                _LOGGER.info("archive %s: camera %s is written again", self.root, camera)
        finally:
            if again:
                self._backlog.keep_first(work, camera, self.clock.monotonic() + LOOK_S)
            else:
                self._backlog.done(work)

    def _finish(self) -> None:
        """Write what is kept, if that is possible now; it is the last chance."""
        self._backlog.try_all()
        while self._volume.writable and (kept := self._backlog.due(self.clock.monotonic())) is not None:
            self._do(kept)
        for work in self._backlog.take_all():
            recording = work.recording
            if recording is not None and work.size:
                start_us = recording.start_us + recording.duration_us
                dropped_us, cause = self._gaps.get(recording.camera, (start_us, self._volume.cause))
                self._gaps[recording.camera] = min(start_us, dropped_us), cause
            self._backlog.done(work)
        now_us = self._now_us()
        for camera, (start_us, cause) in self._gaps.items():
            end_us = max(start_us, now_us)
            _LOGGER.warning(
                "archive %s: camera %s: %d s were not written", self.root, camera, (end_us - start_us) // 1_000_000
            )
            self.on_dropped(camera, start_us, end_us, cause)
        self._gaps = {}

    def _idle_due(self, now: float) -> bool:
        return bool(self._unfinished) or now >= self._retain_at

    def _work_idle(self, now: float) -> None:
        if self._unfinished:
            self._repair_one()
        elif now >= self._retain_at:
            self._retain_at = now + RETAIN_S
            self._retain()

    def open_file(self, recording: Recording, start_us: int) -> SegmentFile:
        """The next file of a recording. Raises AwayError, OSError and sqlite3.Error."""
        # Promise I4: before each file, for a mount that was lost must not be written into, not even for some seconds.
        self._look()
        index = self._index
        if index is None or not self._volume.writable:
            raise AwayError
        origin = recording.origin
        start = datetime.fromtimestamp(start_us / 1e6, UTC)
        day = start.strftime("%Y-%m-%d")
        place = self._folders.make(f"{index.camera_folder(origin.camera, origin.facility, origin.folder)}/{day}")
        name = f"{start:%H-%M-%S}.{start.microsecond // 1000:03}Z"
        number = 0
        taken = self._unmade.values()
        while (path := place / f"{name}{f'-{number}' if number else ''}.mp4") in taken or self._files.exists(path):
            number += 1
        segment = index.open_segment(
            origin.camera, origin.run, origin.codec, origin.init, start_us, f"{day}/{path.name}"
        )
        try:
            file = SegmentFile(index, path, segment, start_us, origin.init, origin.identity, self.clock, self._files)
        except FileExistsError:
            index.forget_empty(segment)
            raise
        except OSError:
            # It may have been made all the same, on a network share: then it is for the repair.
            self._unmade[segment] = path
            self._forget_unmade(index, segment)
            raise
        self.open_files[segment] = file
        self._recordings.add(recording)
        return file

    def _forget_unmade(self, index: Index, segment: int) -> bool:
        """Whether this is a row whose file was never made; then it is gone."""
        path = self._unmade.get(segment)
        if path is None or not is_lost(self.root, path, self._files):
            return False
        index.forget_empty(segment)
        del self._unmade[segment]
        return True

    def closed(self, recording: Recording, file: SegmentFile) -> None:
        """The file is closed, as far as it can be."""
        self._recordings.discard(recording)
        self.open_files.pop(file.number, None)

    def failed(self, recording: Recording | None, error: OSError | sqlite3.Error) -> None:
        """Something failed: the file ends with what it has. A full volume is not written to until the next look."""
        state, cause = self._meaning(error)
        camera = recording.camera if recording is not None else ""
        if self._faults.get(camera) != (state, cause):
            _LOGGER.warning("archive %s: %s: %s", self.root, camera or "index", error)
        self._repair_at = self.clock.monotonic()
        if recording is None or state is VolumeState.FULL:
            self._volume = replace(self._volume, state=state, cause=cause)
        if recording is not None:
            self._faults[camera] = state, cause
            self._end_file(recording)
            self._look_at = min(self._look_at, self.clock.monotonic() + LOOK_S)
        code = _code(error)
        if code in _BROKEN:
            self._set_index_aside()
        elif code not in _PASSING:
            # The volume may be another by now, under the same number: what is open is of the one that is gone.
            self._close_index()

    def _meaning(self, error: OSError | sqlite3.Error) -> tuple[VolumeState, VolumeCause]:
        if isinstance(error, OSError):
            return meaning(error)
        if _code(error) == sqlite3.SQLITE_FULL:
            return VolumeState.FULL, VolumeCause.NO_SPACE
        return VolumeState.ERROR, VolumeCause.INDEX

    def _end_file(self, recording: Recording) -> None:
        """Its file ends here; where it cannot be closed, it is for the repair."""
        try:
            recording.close_file()
        except (OSError, sqlite3.Error) as error:
            _LOGGER.info("archive %s: a file of %s is left to be repaired: %s", self.root, recording.camera, error)
            self._repair_at = self.clock.monotonic()

    def _look(self) -> None:
        now = self.clock.monotonic()
        self._look_at = now + LOOK_S
        before, found = self._volume, look(self.root, self.archive_id, files=self._files)
        usable = found.writable or found.state is VolumeState.FULL
        if self._index is not None and (not usable or found.device != before.device):
            # Gone, or another file system in its place: nothing goes on in what was open (promise I4).
            self._close_index()
        if not found.writable:
            for recording in tuple(self._recordings):
                self._end_file(recording)
        if usable:
            found = self._hold(found)
        if (found.state, found.cause) != self._told:
            self._told = found.state, found.cause
            _LOGGER.info("archive %s is %s (%s)", self.root, found.state, found.cause)
            if found.state in (VolumeState.LOW, VolumeState.FULL):
                self._retain_at = now
        self._volume = found
        if not found.writable or self._index is None:
            return
        if not before.writable:
            self._backlog.try_all()
            self._repair_at = now
        if self._repair_at is not None and now >= self._repair_at and not self._unfinished:
            self._repair_at = None
            try:
                self._unfinished = [row for row in self._index.unfinished() if row.id not in self.open_files]
            except sqlite3.Error as error:
                self.failed(None, error)

    def _hold(self, found: Volume) -> Volume:
        """Hold the archive and have its index open."""
        try:
            if self._index is not None and not self._owner.renew():
                _LOGGER.warning("archive %s: another lies in its place", self.root)
                self._close_index()
            if self._index is None:
                self._open_index()
            if self.clock.monotonic() >= self._renew_at and found.writable:
                self._renew_generation()
        except HeldError as error:
            self._close_index()
            if not error.elsewhere:
                self._look_at = self.clock.monotonic() + LOCKED_S
            cause = VolumeCause.IN_USE_ELSEWHERE if error.elsewhere else VolumeCause.IN_USE
            if self._told != (VolumeState.ERROR, cause):
                _LOGGER.warning("archive %s is held by %s", self.root, error)
            return replace(found, state=VolumeState.ERROR, cause=cause)
        except _OlderCopyError:
            return replace(found, state=VolumeState.ERROR, cause=VolumeCause.OLDER_COPY)
        except (OSError, sqlite3.Error) as error:
            self._close_index()
            state, cause = self._meaning(error)
            if self._told != (state, cause):
                _LOGGER.warning("archive %s cannot be opened: %s", self.root, error)
            return replace(found, state=state, cause=cause)
        return found

    def _open_index(self) -> None:
        """Raises HeldError, _OlderCopyError, OSError and sqlite3.Error; then nothing is held."""
        self._owner.take()
        try:
            if not self._accepted and self._generation.is_older_copy():
                raise _OlderCopyError
            self._index = self._usable_index()
        except BaseException:
            self._owner.release()
            raise
        self._folders = Folders(self.root, self._files)
        self._hidden.look()
        self._renew_at = float("-inf")

    def _renew_generation(self) -> None:
        self._renew_at = self.clock.monotonic() + GENERATION_S
        try:
            self._generation.renew()
        except OSError as error:
            # Recording goes on: only a copy may not be told from it.
            _LOGGER.warning("archive %s: its generation cannot be renewed: %s", self.root, error)
        else:
            self._accepted = False

    def _usable_index(self) -> Index:
        """The index; a new one if the one that is there is broken: recording does not stop for it."""
        try:
            return Index(self.root / INDEX)
        except sqlite3.DatabaseError as error:
            if not isinstance(error, UnusableIndexError) and _code(error) not in _BROKEN:
                raise
            _LOGGER.error("archive %s: %s", self.root, error)
        self._rename_index()
        return Index(self.root / INDEX)

    def _set_index_aside(self) -> None:
        """The index turned out to be broken: the next look makes a new one."""
        self._close_index()
        self._unmade.clear()
        try:
            self._rename_index()
        except OSError as error:
            _LOGGER.error("archive %s: the broken index cannot be set aside: %s", self.root, error)

    def _rename_index(self) -> None:
        """Nothing is thrown away: the old index stays beside the new one, footage stays where it is. Raises OSError."""
        aside = f"index.broken-{datetime.fromtimestamp(self.clock.utc(), UTC):%Y%m%dT%H%M%SZ}.sqlite3"
        _LOGGER.error("archive %s: the index cannot be used and is set aside as %s", self.root, aside)
        for end in ("-wal", ""):
            with contextlib.suppress(FileNotFoundError):
                self._files.rename(self.root / (INDEX + end), self.root / (aside + end))

    def _close_index(self) -> None:
        """Close all files, then the index, and let the archive go."""
        for recording in tuple(self._recordings):
            self._end_file(recording)
        self._unfinished = []
        index, self._index = self._index, None
        if index is not None:
            with contextlib.suppress(sqlite3.Error):
                index.close()
            self._volume = replace(self._volume, state=VolumeState.ERROR, cause=VolumeCause.INDEX)
        with contextlib.suppress(OSError):
            self._owner.release()

    def _repair_one(self) -> None:
        """Close what a crash or a lost volume left open, one file at a time while nothing waits to be written."""
        row = self._unfinished.pop()
        if self._index is None or not self._volume.writable:
            return
        try:
            if not self._forget_unmade(self._index, row.id):
                close_after_crash(self._index, self.root, row, self._now_us(), self._files)
                self._unmade.pop(row.id, None)
            self._unrepaired.discard(row.path)
        except (OSError, sqlite3.Error) as error:
            # One bad file costs no recording.
            self._repair_at = self.clock.monotonic() + REPAIR_S
            if row.path not in self._unrepaired:
                self._unrepaired.add(row.path)
                _LOGGER.warning("archive %s: %s cannot be repaired yet: %s", self.root, row.path, error)
            if isinstance(error, sqlite3.Error):
                self.failed(None, error)

    def _retain(self) -> None:
        """One step of retention; the next follows at once while something is deleted."""
        index, volume = self._index, self._volume
        if index is None or not volume.total:
            return
        try:
            index.keep_days(self.days)
            now_us, files = self._now_us(), self._files
            deleted = retention.delete_by_days(index, self.root, now_us, files) if self._clock_is_steady() else 0
            lacking = 0 if deleted else keep_free(volume.total) - volume.free
            freed = retention.delete_for_space(index, self.root, lacking, now_us, files) if lacking > 0 else 0
        except sqlite3.Error as error:
            self.failed(None, error)
            return
        if deleted or freed:
            _LOGGER.info("archive %s: %d files past their days, %d bytes freed for space", self.root, deleted, freed)
            self._retain_at = self._look_at = self.clock.monotonic()

    def _clock_is_steady(self) -> bool:
        """Whether our clock has not stepped for a while: a wrong date must not make all footage too old."""
        now, offset = self.clock.monotonic(), self.clock.utc() - self.clock.monotonic()
        if abs(offset - self._utc_offset) > STEP_S:
            self._utc_offset, self._stepped = offset, now
        return now - self._stepped >= STEADY_S

    def _now_us(self) -> int:
        return microseconds(self.clock.utc())


class _OlderCopyError(Exception):
    """We have recorded later than this copy of the archive knows."""


def _code(error: OSError | sqlite3.Error) -> int:
    """The primary code of an error of SQLite's; 0 for others."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
