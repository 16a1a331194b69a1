"""One archive: the folder a technician chose, with its index, its writer thread and its retention.

All files of an archive are written by one thread, in order, from a bounded queue, so a slow or dead disk never holds up
the event loop (promise I7). Where the volume is full, gone, read-only or not ours, recordings end cleanly, and begin
again by themselves once it is back (promise I4). One engine holds the archive (flock).
"""

from collections.abc import Callable, Mapping
import contextlib
from dataclasses import replace
from datetime import UTC, datetime
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
from . import journal, opening, retention
from .behind import Behind
from .duty import Duties
from .index import Index, Row
from .recording import Recording
from .repair import close_after_crash
from .segment_file import SegmentFile, make_folder
from .survey import Findings
from .volume import Volume, keep_free, look, state_of

_LOGGER = logging.getLogger(__name__)

#: Footage that waits for the disk; beyond it the newest is dropped, counted, and the segments end.
QUEUE_BYTES = 96 << 20
LOOK_S = 5.0
#: How soon to look again where another engine holds the archive: it may be on its way out.
LOCKED_S = 0.5
RETAIN_S = 60.0
#: Our clock stepped by more than this: for so long nothing is deleted by days.
STEP_S, STEADY_S = 60.0, 600.0
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
        #: Days to keep by camera id; replaced as a whole by the supervisor.
        self.days: Mapping[str, int] = {}
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
        self._retain_at = clock.monotonic() + RETAIN_S
        self._utc_offset = clock.utc() - clock.monotonic()
        self._stepped = clock.monotonic()
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
            if not done:
                self._volume = Volume(VolumeState.ERROR, self._volume.total, self._volume.free)
                time.sleep(RESTART_S)
                self._thread = self._new_thread()
                self._thread.start()

    def _work_once(self) -> bool:
        """The next thing that is due: look, write, and if nothing waits to be written, repair or delete."""
        now = self.clock.monotonic()
        self._alive = now
        if now >= self._look_at:
            self._look()
        idle = bool(self._unfinished) or now >= self._retain_at
        try:
            work = self._queue.get_nowait() if idle else self._queue.get(timeout=min(1.0, max(self._look_at - now, 0)))
        except queue.Empty:
            self._work_idle(now)
            return True
        if work is None:
            return False
        recording, size, job = work
        try:
            job()
        except (OSError, sqlite3.Error) as error:
            self._failed(recording, error)
        finally:
            with self._queue_lock:
                self._queued -= size
        if now >= self._retain_at + RETAIN_S:
            self._work_idle(now)
        return True

    def _work_idle(self, now: float) -> None:
        if self._unfinished:
            self._repair_one()
        elif now >= self._retain_at:
            self._retain_at = now + RETAIN_S
            self._retain()

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
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
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
                self._retain_at = self.clock.monotonic()
        self._volume = found
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
        self._index = index
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
            self._retain_at = self.clock.monotonic()

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

    def _retain(self) -> None:
        """One step of retention; the next follows at once while something is deleted."""
        index, volume = self._index, self._volume
        if index is None or not volume.total or not index.surveyed:
            return
        try:
            index.keep_days(self.days)
            now_us = self._now_us()
            deleted = retention.delete_by_days(index, self.root, now_us) if self._clock_is_steady() else 0
            missing = keep_free(volume.total) - volume.free
            freed = retention.delete_for_space(index, self.root, missing, now_us) if missing > 0 and not deleted else 0
        except sqlite3.Error as error:
            self._failed(None, error)
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
