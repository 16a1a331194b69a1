"""One archive: the folder a technician chose, with its index, its writer thread and its retention.

All files of an archive are written by one thread, in order, from a bounded queue, so a slow or dead disk never holds up
the event loop, nor another archive (promise I7). Where the volume is full, gone, read-only or not ours, files end
whole, what comes is kept in memory as far as that goes (backlog.py), and is written by itself once the volume is back
(promise I4). What fails for one camera alone (a folder that may not be written) holds up no other. One engine holds
the archive (owner.py).
"""

from collections.abc import Callable, Mapping
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
from . import journal, retention
from .backlog import Backlog, Memory, Work
from .files import FILES, Files
from .holding import LOOK_S, Holding
from .index import Index
from .left_open import LeftOpen
from .recording import AwayError, Origin, Recording
from .segment_file import SegmentFile
from .survey import Findings
from .volume import Volume, keep_free

_LOGGER = logging.getLogger(__name__)

#: What the names of writer threads begin with.
THREAD = "archive"
RETAIN_S = 60.0
#: Our clock stepped by more than this: for so long nothing is deleted by days.
STEP_S, STEADY_S = 60.0, 600.0
#: The writer thread has not come back for so long: readers are no longer sent after it; the disk does not answer.
READERS_S, HUNG_S = 5.0, 20.0
#: What was found slow is called so for this long.
SLOW_S = 60.0
#: Leaving, the writer thread may take so long for what it has, but must come back at least so often.
CLOSE_S, CLOSE_STEP_S = 10.0, 1.2
#: A fault of ours ended the writer thread: another begins after so long.
RESTART_S = 1.0


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
        self._holding = Holding(
            root,
            archive_id,
            clock,
            remembered,
            files,
            end_files=self._end_files,
            submit=lambda job: self.submit(None, 0, job),
            trusted=self._on_trusted,
        )
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
        self._retain_at = clock.monotonic() + RETAIN_S
        self._utc_offset = clock.utc() - clock.monotonic()
        self._stepped = clock.monotonic()
        self._recordings: set[Recording] = set()
        self._left_open = LeftOpen(root, clock, files)
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
        volume = self._holding.volume
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
        return None if self._stuck_s > READERS_S else self._holding.index

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

    @property
    def findings(self) -> Findings | None:
        """What the last look at all files found; None while the index is away."""
        behind = self._holding.behind
        return behind.findings if behind is not None else None

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
        self._holding.copy_accepted = True
        self._holding.look_at = float("-inf")

    @property
    def hidden(self) -> tuple[int, int]:
        """How many files of footage lie under the volume, where nobody sees them, and their bytes."""
        return self._holding.hidden.found

    def bring_back(self) -> None:
        """Move what lies under the volume into it, behind; then all files are looked at again."""
        self._holding.hidden.bring_back(lambda: self.submit(None, 0, self._holding.open_again))

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
        away = not self._holding.volume.writable or camera in self._faults or self._stuck_s > HUNG_S
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
            holding = self._holding
            holding.close()
            if not done:
                holding.volume = replace(holding.volume, state=VolumeState.ERROR, cause=VolumeCause.FAULT)
                holding.look_at = float("-inf")
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
        if now >= self._holding.look_at:
            self._look()
        kept = self._backlog.due(now) if self._holding.writable else None
        if kept is not None:
            self._do(kept)
        wait_s = 0.0 if kept is not None or self._idle_due(now) else min(wait_s, max(self._holding.look_at - now, 0.0))
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
        if recording is not None and (not self._holding.writable or self._backlog.keeps(recording.camera)):
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
        while self._holding.writable and (kept := self._backlog.due(self.clock.monotonic())) is not None:
            self._do(kept)
        for work in self._backlog.take_all():
            recording = work.recording
            if recording is not None and work.size:
                start_us = recording.start_us + recording.duration_us
                dropped_us, cause = self._gaps.get(recording.camera, (start_us, self._holding.volume.cause))
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
        return bool(self._left_open.rows) or now >= self._retain_at

    def _work_idle(self, now: float) -> None:
        if self._left_open.rows:
            try:
                self._left_open.repair_one(self._holding.index if self._holding.writable else None)
            except sqlite3.Error as error:
                self.failed(None, error)
        elif now >= self._retain_at:
            self._retain_at = now + RETAIN_S
            self._retain()

    def open_file(self, recording: Recording, start_us: int) -> SegmentFile:
        """The next file of a recording. Raises AwayError, OSError and sqlite3.Error."""
        # Promise I4: before each file, for a mount that was lost must not be written into, not even for some seconds.
        self._look()
        index = self._holding.index
        if index is None or not self._holding.writable:
            raise AwayError
        origin = recording.origin
        start = datetime.fromtimestamp(start_us / 1e6, UTC)
        day = start.strftime("%Y-%m-%d")
        place = self._day_folder(index, origin, day)
        name = f"{start:%H-%M-%S}.{start.microsecond // 1000:03}Z"
        number, unmade = 0, self._left_open.unmade
        path = place / f"{name}.mp4"
        while path in unmade.values() or self._files.exists(path):
            number += 1
            path = place / f"{name}-{number}.mp4"
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
            unmade[segment] = path
            self._left_open.forget_unmade(index, segment)
            raise
        self.open_files[segment] = file
        self._recordings.add(recording)
        return file

    def _day_folder(self, index: Index, origin: Origin, day: str) -> Path:
        ours = index.camera_folder(origin.camera, origin.facility, origin.folder)
        if not self._files.exists(self.root / ours):
            # So that an index that is lost knows again whose folder it is (promise I1).
            entry = journal.camera_entry(origin.camera, origin.facility, ours)
            journal.append(self.root, self._now_us(), [entry], self._files)
        return self._holding.folders.make(f"{ours}/{day}")

    def closed(self, recording: Recording, file: SegmentFile) -> None:
        """The file is closed, as far as it can be."""
        self._recordings.discard(recording)
        self.open_files.pop(file.number, None)

    def failed(self, recording: Recording | None, error: OSError | sqlite3.Error) -> None:
        """Something failed: the file ends with what it has, and what comes is kept until it is written again."""
        camera = recording.camera if recording is not None else ""
        if recording is not None:
            self._end_file(recording)
        state, cause = self._holding.failed(error, everybody=recording is None)
        if self._faults.get(camera) != (state, cause):
            _LOGGER.warning("archive %s: %s: %s", self.root, camera or "index", error)
        if recording is not None:
            self._faults[camera] = state, cause
        self._left_open.ask()

    def _end_file(self, recording: Recording) -> None:
        """Its file ends here; where it cannot be closed, it is for the repair."""
        try:
            recording.close_file()
        except (OSError, sqlite3.Error) as error:
            _LOGGER.info("archive %s: a file of %s is left to be repaired: %s", self.root, recording.camera, error)
            self._left_open.ask()

    def _end_files(self) -> None:
        for recording in tuple(self._recordings):
            self._end_file(recording)
        self._left_open.rows = []
        self._left_open.ask()

    def _look(self) -> None:
        """Look at the volume; if it is back, what is kept is written, what was left open is repaired."""
        holding = self._holding
        if holding.look() and holding.volume.state in (VolumeState.LOW, VolumeState.FULL):
            self._retain_at = self.clock.monotonic()
        if not holding.writable or holding.index is None:
            return
        try:
            self._left_open.looked(holding.index, self.open_files)
        except sqlite3.Error as error:
            self.failed(None, error)

    def _on_trusted(self) -> None:
        """From now on footage may be deleted, and if room is lacking it is to be at once."""
        if self._holding.volume.state in (VolumeState.LOW, VolumeState.FULL):
            self._retain_at = self.clock.monotonic()

    def _retain(self) -> None:
        """One step of retention; the next follows at once while something is deleted."""
        index, volume = self._holding.index, self._holding.volume
        if index is None or not volume.total or not index.surveyed:
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
            self._retain_at = self._holding.look_at = self.clock.monotonic()

    def _clock_is_steady(self) -> bool:
        """Whether our clock has not stepped for a while: a wrong date must not make all footage too old."""
        now, offset = self.clock.monotonic(), self.clock.utc() - self.clock.monotonic()
        if abs(offset - self._utc_offset) > STEP_S:
            self._utc_offset, self._stepped = offset, now
        return now - self._stepped >= STEADY_S

    def _now_us(self) -> int:
        return microseconds(self.clock.utc())
