"""One archive: the folder a technician chose, with its index, its writer thread and its retention.

All files of an archive are written by one thread, in order, from a bounded queue, so a slow or dead disk never holds up
the event loop, nor another archive (promise I7). Where the volume is full, gone, read-only or not ours, files end
whole, what comes is kept in memory as far as that goes (backlog.py), and is written by itself once the volume is back
(promise I4). What fails for one camera alone (a folder that may not be written) holds up no other. One engine holds
the archive (owner.py).
"""

from collections.abc import Callable
from concurrent.futures import Future
import contextlib
from dataclasses import replace
import errno
import logging
from pathlib import Path
import queue
import sqlite3
import threading
import time

from ..api import VolumeCause, VolumeState
from ..clock import Clock, microseconds
from . import holds, opening
from .backlog import QUEUE_BYTES, Backlog, Memory, Work
from .beside import Beside
from .cleaner import Cleaner
from .duty import Duties
from .duty_kept import KeptDuties
from .files import FILES, Files
from .holding import LOOK_S, Holding
from .index import Index
from .left_open import LeftOpen
from .place import Place
from .recording import AwayError, Origin, Recording
from .segment_file import SegmentFile
from .survey import Findings
from .volume import Volume

_LOGGER = logging.getLogger(__name__)

#: What the names of writer threads begin with.
THREAD = "archive"
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
        self._beside = Beside(f"deleting in {root.name}", lambda: self.submit(None, 0, _look_after))
        self.cleaner = Cleaner(root, clock, self._beside.start, files)
        #: What its cameras' recording was about, from when to when.
        self.duties = Duties(self, clock, KeptDuties(remembered, archive_id, root))
        #: Files being written by their segment's id. A file stays here until the index says that it is closed.
        self.open_files: dict[int, SegmentFile] = {}
        #: Fragments dropped because neither disk nor memory took them.
        self.dropped = 0
        self._files = files
        self._holding = Holding(
            root,
            archive_id,
            clock,
            remembered,
            files,
            end_files=self._end_files,
            submit=lambda job: self.submit(None, 0, job),
            opened=self._opened,
            trusted=self._on_trusted,
        )
        #: None is the end.
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._backlog = Backlog(memory or Memory())
        #: What failed of a camera's, until something of it succeeds.
        self._faults: dict[str, tuple[VolumeState, VolumeCause]] = {}
        self._slow_until = float("-inf")
        self._alive = clock.monotonic()
        self._turns = 0
        self._looked = False
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
        self.duties.close()
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
    def looked(self) -> bool:
        """Whether anything is known of the volume yet."""
        return self._looked or self._stuck_s > HUNG_S

    @property
    def has_room(self) -> bool:
        """Whether little waits for the disk: more than what cameras send by and by may be queued."""
        return self._backlog.queued_bytes < QUEUE_BYTES // 4

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

    def ask[T](self, job: Callable[[Index], T]) -> Future[T]:
        """Have the writer thread do something with the index, after all that is queued. What it raises (OSError, also
        where the archive is away, sqlite3.Error, ValueError) is the future's; one that is cancelled in time is not done.
        """
        answer: Future[T] = Future()

        def ask() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            self._look()
            try:
                if self._holding.index is None:
                    raise OSError(errno.ENODEV, "the archive is away")
                answer.set_result(job(self._holding.index))
            except (OSError, sqlite3.Error, ValueError) as error:
                answer.set_exception(error)

        self.submit(None, 0, ask)
        return answer

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
            if done:
                self._beside.close()
            else:
                holding.volume = replace(holding.volume, state=VolumeState.ERROR, cause=VolumeCause.FAULT)
                holding.look_at = float("-inf")
                time.sleep(RESTART_S)
                self._thread = self._new_thread()
                self._thread.start()

    def work_once(self, wait_s: float = 1.0) -> bool:
        """The next thing that is due: look, write, repair, delete. Waits so long at most for work. False at the end."""
        now = self.clock.monotonic()
        self._alive = now
        self._turns += 1
        if now >= self._holding.look_at:
            self._look()
        kept = self._backlog.due(now) if self._holding.writable else None
        if kept is not None:
            self._do(kept)
        wait_s = 0.0 if kept is not None or self._left_open.rows else min(wait_s, self._holding.look_at - now)
        if self._holding.index is not None:
            wait_s = min(wait_s, self.cleaner.at - now)
        try:
            work = self._queue.get(timeout=wait_s) if wait_s > 0 else self._queue.get_nowait()
        except queue.Empty:
            if kept is None:
                self._repair()
            self._clean(now)
            return True
        if work is None:
            self._finish()
            return False
        recording = work.recording
        if recording is not None and (not self._holding.writable or self._backlog.keeps(recording.camera)):
            self._backlog.keep(work, recording.camera)
        else:
            self._do(work)
        self._clean(now)
        return True

    def _do(self, work: Work) -> None:
        """Do it. Where that fails and it is a recording's, it is kept and done again (promise I4)."""
        recording = work.recording
        camera = recording.camera if recording is not None else ""
        fault = self._faults.get(camera)
        again = False
        try:
            work.job()
            self.cleaner.space.written(work.size, self.clock.monotonic())
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
        lost = 0
        for work in self._backlog.take_all():
            lost += work.size
            self._backlog.done(work)
        if lost:
            _LOGGER.warning("archive %s: %d bytes of footage were not written", self.root, lost)

    def _repair(self) -> None:
        """Close one file that a crash or a lost volume left open, if there is any."""
        if not self._left_open.rows:
            return
        try:
            self._left_open.repair_one(self._holding.index if self._holding.writable else None)
        except sqlite3.Error as error:
            self.failed(None, error)

    def _clean(self, now: float) -> None:
        """A turn of the cleaner's, if it is due: also where there is always something to write, for it makes the room."""
        index = self._holding.index
        if index is None or not self.cleaner.due(now):
            return
        busy = {row.id: 0 for row in self._left_open.rows}
        busy |= {number: file.bytes for number, file in tuple(self.open_files.items())}
        try:
            self.cleaner.turn(index, busy)
        except sqlite3.Error as error:
            if opening.is_broken(error) or opening.is_full(error):
                self.failed(None, error)
        if self.cleaner.deleting and self._holding.volume.state is not VolumeState.OK:
            # Recording goes on as soon as there is room.
            self._holding.look_at = now

    def open_file(self, recording: Recording, start_us: int) -> SegmentFile:
        """The next file of a recording. Raises AwayError, OSError and sqlite3.Error."""
        # Promise I4: before each file, for a mount that was lost must not be written into, not even for some seconds.
        self._look()
        holding = self._holding
        if holding.index is None or not holding.writable:
            raise AwayError
        place = Place(self.root, holding.index, holding.folders, self.clock, self._files)
        file = place.make(recording.origin, start_us, self._left_open)
        self.cleaner.places.written(1, self.clock.monotonic())
        self.open_files[file.number] = file
        self._recordings.add(recording)
        return file

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
        holding, before = self._holding, self._holding.writable
        if holding.look():
            self._on_trusted()
        self._looked = True
        volume, now = holding.volume, self.clock.monotonic()
        if volume.total:
            self.cleaner.space.looked(volume.total, volume.free, now)
            self.cleaner.places.looked(volume.files, volume.free_files, now)
        if not holding.writable or holding.index is None:
            return
        if not before:
            self._backlog.try_all()
        try:
            self._left_open.looked(holding.index, self.open_files)
        except sqlite3.Error as error:
            self.failed(None, error)

    def _opened(self, index: Index) -> None:
        """The index was opened: before anybody asks it, it learns what it missed."""
        with contextlib.suppress(OSError, sqlite3.Error):
            # Where it fails the cleaner deletes nothing.
            holds.take_from_journal(index, self.root)
        # A fault of the cleaner's is told by itself.
        with contextlib.suppress(sqlite3.Error):
            self.cleaner.opened(index)

    def _on_trusted(self) -> None:
        """From now on footage may be deleted, and if room is lacking it is to be at once."""
        if self._holding.volume.state in (VolumeState.LOW, VolumeState.FULL):
            self.cleaner.hurry()

    def _now_us(self) -> int:
        return microseconds(self.clock.utc())


def _look_after() -> None:
    """Nothing: what was done beside the writer thread is looked after behind every job."""
