"""One archive: the folder a technician chose, with its index, its writer thread and its retention.

All files of an archive are written by one thread, in order, from a bounded queue, so a slow or dead disk never holds up
the event loop (promise I7). Where the volume is full, gone, read-only or not ours, recordings end cleanly, and begin
again by themselves once it is back (promise I4). One engine holds the archive (flock).
"""

from collections.abc import Callable, Mapping
import contextlib
from datetime import UTC, datetime
import fcntl
import logging
import os
from pathlib import Path
import queue
import sqlite3
import threading

from ..api import VolumeState
from ..clock import Clock, microseconds
from . import retention
from .index import Index, Row
from .repair import close_after_crash
from .segment_file import SegmentFile, sync_folder
from .volume import Volume, keep_free, look, state_of

_LOGGER = logging.getLogger(__name__)

#: Footage that waits for the disk; beyond it the newest is dropped, counted, and the segments end.
QUEUE_BYTES = 96 << 20
LOOK_S = 5.0
RETAIN_S = 60.0
#: The writer thread has not come back for so long: the disk does not answer.
HUNG_S = 20.0


class Recording:
    """One segment on its way to the disk. Made by `Archive.begin`; used from the event loop."""

    def __init__(self, archive: Archive) -> None:
        """Begin without a file: the writer thread makes it."""
        self._archive = archive
        #: Set by the writer thread.
        self.file: SegmentFile | None = None
        #: Nothing more can be written; close it and begin another when the archive is writable.
        self.failed = False
        #: Monotonic time at which the newest fragment was on disk (or in the kernel's cache of it); 0 before.
        self.landed = 0.0

    def write(self, data: bytes, duration_us: int, pictures: int, *, key: bool) -> None:
        """Queue one fragment."""

        def job() -> None:
            if self.file is not None and not self.failed:
                self.file.write(data, duration_us, pictures, key=key)
                self.landed = self._archive.clock.monotonic()

        self._archive.submit(self, len(data), job)

    def sync(self) -> None:
        """Queue a sync of what was written."""

        def job() -> None:
            if self.file is not None and not self.failed:
                self.file.sync()

        self._archive.submit(self, 0, job)

    def close(self, start_us: int, end_us: int) -> None:
        """Queue the end of the segment. Times as in `Timeline.close_segment`."""

        def job() -> None:
            file, self.file = self.file, None
            if file is not None:
                self._archive.open_files.pop(file.number, None)
                # What could not be written is not claimed.
                file.close(start_us, start_us + file.duration_us if self.failed else end_us)

        self._archive.submit(self, 0, job)

    @property
    def duration_us(self) -> int:
        """Media duration that has landed."""
        file = self.file
        return file.duration_us if file is not None else 0


class Archive:
    """One archive. `start`, then `begin` recordings; `close` waits until all is on disk."""

    def __init__(self, root: Path, archive_id: str, clock: Clock) -> None:
        """Prepare; nothing is touched yet."""
        self.root = root
        self.archive_id = archive_id
        self.clock = clock
        #: Days to keep by camera id; replaced as a whole by the supervisor.
        self.days: Mapping[str, int] = {}
        #: Files being written by their segment's id.
        self.open_files: dict[int, SegmentFile] = {}
        #: Fragments dropped because the disk was too slow.
        self.dropped = 0
        self._volume = Volume(VolumeState.MISSING)
        self._index: Index | None = None
        self._lock_fd: int | None = None
        self._queue: queue.SimpleQueue[tuple[Recording | None, int, Callable[[], None]]] = queue.SimpleQueue()
        self._queued = 0
        self._queue_lock = threading.Lock()
        self._alive = clock.monotonic()
        self._looked = float("-inf")
        self._retained = clock.monotonic()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name=f"archive {root.name}", daemon=True)

    # Event loop's side --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the writer thread; the first look at the volume is its first act."""
        self._thread.start()

    def close(self) -> None:
        """Write what is queued and end. Blocks until then, 10 s at most."""
        self._closing = True
        self._queue.put((None, 0, lambda: None))
        self._thread.join(10)

    @property
    def volume(self) -> Volume:
        """What is known of the volume now."""
        if self.clock.monotonic() - self._alive > HUNG_S:
            return Volume(VolumeState.MISSING)
        return self._volume

    @property
    def index(self) -> Index | None:
        """The index, None while the volume is away."""
        return self._index

    def footage(self, facility: str) -> tuple[int, int | None]:
        """Bytes and oldest start (UTC microseconds) of a facility's closed footage. Blocks."""
        index = self._index
        if index is None:
            return 0, None
        try:
            return index.footage(facility)
        except sqlite3.Error:
            return 0, None

    def begin(self, camera: str, facility: str, folder: str, run: str, codec: str, init: bytes, identity: bytes,
              start_us: int) -> Recording:  # fmt: skip
        """Begin a segment at `start_us`. `folder` is used if the camera has none in this archive yet."""
        recording = Recording(self)

        def job() -> None:
            index = self._index
            if index is None or not self._volume.writable:
                recording.failed = True
                return
            start = datetime.fromtimestamp(start_us / 1e6, UTC)
            day = start.strftime("%Y-%m-%d")
            place = self.root / index.camera_folder(camera, facility, folder) / day
            if not place.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                sync_folder(place.parent)
            name = f"{start:%H-%M-%S}.{start.microsecond // 1000:03}Z"
            number = 0
            while (path := place / f"{name}{f'-{number}' if number else ''}.mp4").exists():
                number += 1
            segment = index.open_segment(camera, run, codec, init, start_us, f"{day}/{path.name}")
            recording.file = SegmentFile(index, path, segment, start_us, init, identity)
            self.open_files[segment] = recording.file

        self.submit(recording, 0, job)
        return recording

    def submit(self, recording: Recording | None, size: int, job: Callable[[], None]) -> None:
        """Queue work for the writer thread. Beyond the bound, work with a size fails its recording."""
        with self._queue_lock:
            if size and self._queued + size > QUEUE_BYTES:
                self.dropped += 1
                if recording is not None:
                    recording.failed = True
                return
            self._queued += size
        self._queue.put((recording, size, job))

    # Writer thread ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            now = self.clock.monotonic()
            self._alive = now
            if now - self._looked >= LOOK_S:
                self._looked = now
                self._look()
            try:
                recording, size, job = self._queue.get(timeout=1.0)
            except queue.Empty:
                if now - self._retained >= RETAIN_S:
                    self._retained = now
                    self._retain()
                continue
            if recording is None and self._closing:
                break
            try:
                job()
            except (OSError, sqlite3.Error) as error:
                self._failed(recording, error)
            with self._queue_lock:
                self._queued -= size
            if now - self._retained >= RETAIN_S:
                self._retained = now
                self._retain()
        self._close_index()

    def _failed(self, recording: Recording | None, error: OSError | sqlite3.Error) -> None:
        """Writing failed: the recording ends with what it has; the volume is looked at again at once."""
        _LOGGER.warning("archive %s: %s", self.root, error)
        self._looked = self.clock.monotonic()
        if isinstance(error, OSError):
            self._volume = Volume(state_of(error), self._volume.total, self._volume.free)
        if recording is None:
            return
        recording.failed = True

    def _look(self) -> None:
        found = look(self.root, self.archive_id)
        if found.writable and self._index is None:
            found = self._open_index(found)
        elif not found.writable and found.state is not VolumeState.FULL and self._index is not None:
            self._close_index()
        if found.state is not self._volume.state:
            _LOGGER.info("archive %s is %s", self.root, found.state)
        if found.writable and not self._volume.writable and self._index is not None:
            try:
                self._repair(self._index)
            except sqlite3.Error as error:
                _LOGGER.warning("archive %s: unfinished segments cannot be read: %s", self.root, error)
        self._volume = found

    def _open_index(self, found: Volume) -> Volume:
        try:
            lock = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                index = Index(self.root / "index.sqlite3")
            except BaseException:
                os.close(lock)
                raise
        except BlockingIOError:
            _LOGGER.warning("archive %s is held by another engine", self.root)
            return Volume(VolumeState.ERROR, found.total, found.free)
        except (OSError, sqlite3.Error) as error:
            _LOGGER.warning("archive %s: index cannot be opened: %s", self.root, error)
            return Volume(VolumeState.ERROR, found.total, found.free)
        self._lock_fd = lock
        self._index = index
        return found

    def _repair(self, index: Index) -> None:
        """Close what a crash or a lost volume left open: queued behind the first recordings."""

        def job(row: Row) -> Callable[[], None]:
            return lambda: close_after_crash(index, self.root, row, self._now_us())

        for row in index.unfinished():
            if row.id not in self.open_files:
                self.submit(None, 0, job(row))

    def _close_index(self) -> None:
        for file in tuple(self.open_files.values()):
            with contextlib.suppress(OSError, sqlite3.Error):
                file.close(file.start_us, file.start_us + file.duration_us)
        self.open_files.clear()
        index, self._index = self._index, None
        if index is not None:
            with contextlib.suppress(sqlite3.Error):
                index.close()
        lock, self._lock_fd = self._lock_fd, None
        if lock is not None:
            os.close(lock)

    def _retain(self) -> None:
        index, volume = self._index, self._volume
        if index is None or not volume.total:
            return
        try:
            deleted = retention.delete_by_days(index, self.root, self.days, self._now_us())
            missing = keep_free(volume.total) - volume.free
            freed = retention.delete_for_space(index, self.root, missing, self._now_us()) if missing > 0 else 0
        except (OSError, sqlite3.Error) as error:
            _LOGGER.warning("archive %s: deleting failed: %s", self.root, error)
            return
        if deleted or freed:
            _LOGGER.info(
                "archive %s: %d files were past their days, %d bytes freed for space", self.root, deleted, freed
            )

    def _now_us(self) -> int:
        return microseconds(self.clock.utc())
