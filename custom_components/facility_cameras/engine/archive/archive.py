"""One archive: the folder a technician chose, with its index, its writer thread and its retention.

All files of an archive are written by one thread, in order, from a bounded queue, so a slow or dead disk never holds up
the event loop (promise I7). Where the volume is full, gone, read-only or not ours, recordings end cleanly, and begin
again by themselves once it is back (promise I4). One engine holds the archive (flock).
"""

from collections.abc import Callable
from concurrent.futures import Future
import contextlib
from dataclasses import replace
from datetime import UTC, datetime
import errno
import fcntl
import functools
import logging
import os
from pathlib import Path
import queue
import sqlite3
import threading
import time

from ..api import VolumeState
from ..clock import Clock, microseconds
from . import holds, journal, opening
from .behind import Behind
from .beside import Beside
from .cleaner import Cleaner
from .duty import Duties
from .index import Index, Row
from .recording import Recording
from .repair import close_after_crash
from .segment_file import SegmentFile, make_folder
from .survey import Findings
from .volume import Volume, look, state_of

_LOGGER = logging.getLogger(__name__)

#: Footage that waits for the disk; beyond it the newest is dropped, counted, and the segments end.
QUEUE_BYTES = 96 << 20
LOOK_S = 5.0
#: How soon to look again where another engine holds the archive: it may be on its way out.
LOCKED_S = 0.5
#: The writer thread has not come back for so long: the disk does not answer.
HUNG_S = 20.0
#: A fault of ours ended the writer thread: another begins after so long.
RESTART_S = 1.0

type _Work = tuple[Recording | None, int, Callable[[], None]]


class Archive:
    """One archive. `start`, then `begin` recordings; `close` waits until all is on disk."""

    def __init__(self, root: Path, archive_id: str, clock: Clock) -> None:
        """Prepare; nothing is touched yet."""
        self.root = root
        self.archive_id = archive_id
        self.clock = clock
        self._beside = Beside(f"deleting in {root.name}", lambda: self._queue.put((None, 0, _look_after)))
        self.cleaner = Cleaner(root, clock, self._beside.start)
        #: What its cameras' recording was about, from when to when.
        self.duties = Duties(self, clock)
        #: Files being written by their segment's id. A file stays here until the index says that it is closed.
        self.open_files: dict[int, SegmentFile] = {}
        #: Fragments dropped because the disk was too slow.
        self.dropped = 0
        self._volume = Volume(VolumeState.MISSING)
        self._index: Index | None = None
        self._behind: Behind | None = None
        self._lock_fd: int | None = None
        #: None is the end.
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._queued = 0
        self._queue_lock = threading.Lock()
        self._alive = clock.monotonic()
        self._look_at = float("-inf")
        self._recordings: set[Recording] = set()
        self._unfinished: list[Row] = []
        self._told: object = None
        self._thread = self._new_thread()

    # Event loop's side --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the writer thread; the first look at the volume is its first act."""
        self._thread.start()

    def close(self) -> None:
        """Write what is queued and end. Blocks until then, 10 s at most."""
        self.duties.close()
        self._queue.put(None)
        self._thread.join(10)

    @property
    def volume(self) -> Volume:
        """What is known of the volume now."""
        return Volume(VolumeState.MISSING) if self._hung else self._volume

    @property
    def looked(self) -> bool:
        """Whether anything is known of the volume yet."""
        return self._told is not None or self._hung

    @property
    def index(self) -> Index | None:
        """The index, None while the volume is away or does not answer."""
        return None if self._hung else self._index

    @property
    def _hung(self) -> bool:
        return self.clock.monotonic() - self._alive > HUNG_S

    @property
    def has_room(self) -> bool:
        """Whether little waits for the disk: more than what cameras send by and by may be queued."""
        return self._queued < QUEUE_BYTES // 4

    @property
    def findings(self) -> Findings | None:
        """What the last look at all files found; None while the index is away."""
        behind = self._behind
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

    def begin(self, camera: str, facility: str, folder: str, run: str, codec: str, init: bytes, identity: bytes,
              start_us: int) -> Recording:  # fmt: skip
        """Begin a segment at `start_us`. `folder` is used if the camera has none in this archive yet."""

        def job() -> None:
            # Before each file: a mount that was lost must not be written into, not even for some seconds.
            self._look()
            index = self._index
            if index is None or not self._volume.writable:
                recording.fail()
                return
            start = datetime.fromtimestamp(start_us / 1e6, UTC)
            day = start.strftime("%Y-%m-%d")
            place = self._day_folder(index, camera, facility, folder, day)
            name = f"{start:%H-%M-%S}.{start.microsecond // 1000:03}Z"
            number = 0
            while (path := place / f"{name}{f'-{number}' if number else ''}.mp4").exists():
                number += 1
            segment = index.open_segment(camera, run, codec, init, start_us, f"{day}/{path.name}")
            try:
                recording.file = SegmentFile(index, path, segment, start_us, init, identity)
            except OSError:
                index.forget_empty(segment)
                raise
            self.open_files[segment] = recording.file
            self._recordings.add(recording)

        recording = Recording(self.clock, self.submit, self._done)
        self.submit(recording, 0, job)
        return recording

    def submit(self, recording: Recording | None, size: int, job: Callable[[], None]) -> None:
        """Queue work for the writer thread. Beyond the bound, work with a size is dropped and ends its recording."""
        with self._queue_lock:
            if size and self._queued + size > QUEUE_BYTES:
                self.dropped += 1
                if recording is not None:
                    recording.failed = True
                return
            self._queued += size
        self._queue.put((recording, size, job))

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
                if self._index is None:
                    raise OSError(errno.ENODEV, "the archive is away")
                answer.set_result(job(self._index))
            except (OSError, sqlite3.Error, ValueError) as error:
                answer.set_exception(error)

        self.submit(None, 0, ask)
        return answer

    # Writer thread ------------------------------------------------------------------------------------------------

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._work, name=f"archive {self.root.name}", daemon=True)

    def _work(self) -> None:
        """Until told to end. A fault of ours (logged by `threading.excepthook`) costs the open files' segments, no more."""
        done = False
        try:
            while self._work_once():
                pass
            done = True
        finally:
            self._close_index()
            if done:
                self._beside.close()
            else:
                self._volume = Volume(VolumeState.ERROR, self._volume.total, self._volume.free)
                time.sleep(RESTART_S)
                self._thread = self._new_thread()
                self._thread.start()

    def _work_once(self) -> bool:
        """The next thing that is due: look, write, repair if nothing waits to be written, delete between writes."""
        now = self.clock.monotonic()
        self._alive = now
        if now >= self._look_at:
            self._look()
        wait = 0.0 if self._unfinished else min(1.0, self._look_at - now)
        if self._index is not None:
            wait = min(wait, self.cleaner.at - now)
        try:
            work = self._queue.get(timeout=wait) if wait > 0 else self._queue.get_nowait()
        except queue.Empty:
            if self._unfinished:
                self._repair_one()
            self._clean(now)
            return True
        if work is None:
            return False
        recording, size, job = work
        try:
            job()
            self.cleaner.space.written(size, now)
        except (OSError, sqlite3.Error) as error:
            self._failed(recording, error)
        finally:
            with self._queue_lock:
                self._queued -= size
        self._clean(now)
        return True

    def _clean(self, now: float) -> None:
        """A turn of the cleaner's, if it is due: also where there is always something to write, for it makes the room."""
        index = self._index
        if index is None or not self.cleaner.due(now):
            return
        busy = {row.id: 0 for row in self._unfinished}
        busy |= {number: file.bytes for number, file in tuple(self.open_files.items())}
        try:
            self.cleaner.turn(index, busy)
        except sqlite3.Error as error:
            if opening.is_broken(error) or _is_full(error):
                self._failed(None, error)
        if self.cleaner.deleting and self._volume.state is not VolumeState.OK:
            # Recording goes on as soon as there is room.
            self._look_at = now

    def _day_folder(self, index: Index, camera: str, facility: str, folder: str, day: str) -> Path:
        ours = index.camera_folder(camera, facility, folder)
        if not (self.root / ours).is_dir():
            # So that an index that is lost knows again whose folder it is (promise I1).
            journal.append(self.root, self._now_us(), [journal.camera_entry(camera, facility, ours)])
        return make_folder(self.root, f"{ours}/{day}")

    def _done(self, recording: Recording) -> None:
        """The recording's file is closed, as far as it can be."""
        self._recordings.discard(recording)
        if recording.file is not None:
            self.open_files.pop(recording.file.number, None)

    def _failed(self, recording: Recording | None, error: OSError | sqlite3.Error) -> None:
        """Work failed: its recording ends with what it has; the volume is not written to until the next look."""
        _LOGGER.warning("archive %s: %s", self.root, error)
        state = state_of(error) if isinstance(error, OSError) else VolumeState.ERROR
        if isinstance(error, sqlite3.Error):
            if _is_full(error):
                state = VolumeState.FULL
            elif opening.is_broken(error):
                self._set_index_aside()
        self._volume = replace(self._volume, state=state)
        if recording is not None:
            recording.fail()

    def _look(self) -> None:
        self._look_at = self.clock.monotonic() + LOOK_S
        before, found = self._volume, look(self.root, self.archive_id)
        if not found.writable:
            # What is open ends here, so that it is whole.
            for recording in self._recordings:
                recording.fail()
        if found.writable or found.state is VolumeState.FULL:
            if self._index is None:
                found = self._open_index(found)
        elif self._index is not None:
            self._close_index()
        if self._index is not None and not self._index.in_place:
            _LOGGER.error("archive %s: the index was taken away, another is made", self.root)
            self._close_index()
            found = self._open_index(found)
        if found.state is not self._told:
            self._told = found.state
            _LOGGER.info("archive %s is %s", self.root, found.state)
            if found.state in (VolumeState.LOW, VolumeState.FULL):
                self.cleaner.hurry()
        self._volume = found
        if found.total:
            self.cleaner.space.looked(found.total, found.free, self.clock.monotonic())
        if found.writable and not before.writable and self._index is not None:
            try:
                self._unfinished = [row for row in self._index.unfinished() if row.id not in self.open_files]
            except sqlite3.Error as error:
                self._failed(None, error)

    def _open_index(self, found: Volume) -> Volume:
        try:
            lock = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                index = opening.open_index(self.root, self._now_us())
            except BaseException:
                os.close(lock)
                raise
        except BlockingIOError:
            self._tell_once("archive %s is held by another engine", self.root)
            self._look_at = self.clock.monotonic() + LOCKED_S
            return replace(found, state=VolumeState.ERROR)
        except (OSError, sqlite3.Error) as error:
            self._tell_once("archive %s: index cannot be opened: %s", self.root, error)
            return replace(found, state=VolumeState.ERROR)
        self._lock_fd = lock
        with contextlib.suppress(OSError, sqlite3.Error):
            # Where it fails nothing is deleted until it does not any more: see `_retain`.
            holds.take_from_journal(index, self.root)
        self._index = index
        # A fault of the cleaner's is told by itself.
        with contextlib.suppress(sqlite3.Error):
            self.cleaner.opened(index)
        self._behind = Behind(index, self.root, functools.partial(self._do_behind, index), self._now_us, self._trusted)
        self._behind.start()
        return found

    def _do_behind(self, index: Index, job: Callable[[], None]) -> None:
        """What `Behind` wants done by the writer thread, if its index is still the one that is open by then."""

        def do() -> None:
            self._look()
            # Also while the disk is full: room is made only once all files have been looked at.
            if self._index is index and (self._volume.writable or self._volume.state is VolumeState.FULL):
                job()

        self.submit(None, 0, do)

    def _trusted(self) -> None:
        """From now on footage may be deleted, and if room is lacking it is to be at once."""
        if self._volume.state in (VolumeState.LOW, VolumeState.FULL):
            self.cleaner.hurry()

    def _tell_once(self, sentence: str, *values: object) -> None:
        if self._told is not VolumeState.ERROR:
            _LOGGER.warning(sentence, *values)

    def _set_index_aside(self) -> None:
        """The index turned out to be broken: the next look makes a new one."""
        self._close_index()
        try:
            opening.set_aside(self.root, self._now_us())
        except OSError as error:
            _LOGGER.error("archive %s: the broken index cannot be set aside: %s", self.root, error)

    def _close_index(self) -> None:
        """Close all files, then the index and the archive's lock."""
        for recording in tuple(self._recordings):
            recording.fail()
            with contextlib.suppress(OSError, sqlite3.Error):
                recording.close_file(0, 0)
        self._unfinished = []
        behind, self._behind = self._behind, None
        if behind is not None:
            behind.stop()
        index, self._index = self._index, None
        if index is not None:
            with contextlib.suppress(OSError, sqlite3.Error):
                opening.close_index(index, self.root)
        lock, self._lock_fd = self._lock_fd, None
        if lock is not None:
            os.close(lock)

    def _repair_one(self) -> None:
        """Close what a crash or a lost volume left open, one file at a time while nothing waits to be written."""
        row = self._unfinished.pop()
        if self._index is None or not self._volume.writable:
            return
        try:
            close_after_crash(self._index, self.root, row, self._now_us())
        except sqlite3.Error as error:
            self._failed(None, error)
        except OSError as error:
            # One bad file costs no recording; it is looked at again at the next start.
            _LOGGER.warning("archive %s: %s cannot be repaired: %s", self.root, row.path, error)

    def _now_us(self) -> int:
        return microseconds(self.clock.utc())


def _look_after() -> None:
    """Nothing: what was done beside the writer thread is looked after behind every job."""


def _is_full(error: sqlite3.Error) -> bool:
    """Whether the index could not be written for want of room."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
