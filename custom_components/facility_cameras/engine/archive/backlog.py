"""What waits for one archive's disk, in order, and how much of it may.

An archive's own queue holds QUEUE_BYTES, whatever the others do (promise I7). While its volume is away, hung or refuses
to take what is written, what comes is kept instead, up to KEPT_BYTES in all archives together, and written when it is
back. Of what does not fit, what came first is kept: a camera that had to drop something takes nothing more until all
of its kept footage is written, so that there is one gap, with an end, and no hole in the middle of what was kept.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
import threading

from .recording import Recording

#: Footage that waits for a disk that works.
QUEUE_BYTES = 32 << 20
#: Footage that waits for volumes that are away, of all archives together.
KEPT_BYTES = 64 << 20


class Memory:
    """What all archives together may keep. For all threads."""

    def __init__(self, size: int = KEPT_BYTES) -> None:
        """`size` in bytes."""
        self._free = size
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether so many bytes may be kept; if so they are taken."""
        with self._lock:
            if size > self._free:
                return False
            self._free -= size
        return True

    def give(self, size: int) -> None:
        """They are kept no longer."""
        with self._lock:
            self._free += size


@dataclass(slots=True, eq=False)
class Work:
    """A job for the writer thread. `size` in bytes, `shared`: taken from what all archives may keep together."""

    recording: Recording | None
    size: int
    shared: bool
    job: Callable[[], None]


class Backlog:
    """One archive's."""

    def __init__(self, memory: Memory) -> None:
        """`memory` is all archives'."""
        self._memory = memory
        self._lock = threading.Lock()
        self._queued = 0
        #: Jobs not done, by camera.
        self._waiting: dict[str, int] = {}
        self._dropped: set[str] = set()
        # The writer thread's own: what is kept by camera, and when (monotonic) it is tried again.
        self._kept: dict[str, deque[Work]] = {}
        self._try_at: dict[str, float] = {}
        #: Bytes kept; read by other threads.
        self.kept_bytes = 0

    # Event loop ---------------------------------------------------------------------------------------------------

    def accepts(self, camera: str) -> bool:
        """Whether footage of a camera is taken: not after something was dropped, until what was taken is written."""
        return camera not in self._dropped

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait for a disk that works."""
        return self._queued

    @property
    def crowded(self) -> bool:
        """Whether a disk that works does not keep up."""
        return self._queued > QUEUE_BYTES // 2

    def take(self, recording: Recording | None, size: int, job: Callable[[], None], *, away: bool) -> Work | None:
        """A job that is to be queued; None if its `size` is too much. `away`: the volume does not take anything now."""
        work = Work(recording, size, False, job)
        with self._lock:
            if size and (away or self._queued + size > QUEUE_BYTES):
                work.shared = True
                if not self._memory.take(size):
                    if recording is not None:
                        self._dropped.add(recording.camera)
                    return None
            else:
                self._queued += size
            if recording is not None:
                self._waiting[recording.camera] = self._waiting.get(recording.camera, 0) + 1
        return work

    # Writer thread ------------------------------------------------------------------------------------------------

    def done(self, work: Work) -> None:
        """The job is done, or never will be."""
        if work.shared:
            self._memory.give(work.size)
        with self._lock:
            if not work.shared:
                self._queued -= work.size
            if work.recording is None:
                return
            camera = work.recording.camera
            self._waiting[camera] -= 1
            if not self._waiting[camera]:
                del self._waiting[camera]
                self._dropped.discard(camera)

    def keeps(self, camera: str) -> bool:
        """Whether something of this camera is kept, so that what comes now must wait its turn."""
        return camera in self._kept

    def keep(self, work: Work, camera: str) -> None:
        """Behind what is kept of the camera."""
        self._kept.setdefault(camera, deque()).append(work)
        self.kept_bytes += work.size

    def keep_first(self, work: Work, camera: str, try_at: float) -> None:
        """Before what is kept of the camera: it was tried, and is tried again at `try_at` (monotonic)."""
        self._kept.setdefault(camera, deque()).appendleft(work)
        self.kept_bytes += work.size
        self._try_at[camera] = try_at

    def try_all(self) -> None:
        """The volume is back: nothing waits any longer."""
        self._try_at.clear()

    def due(self, now: float) -> Work | None:
        """What is kept and is to be tried, each camera in its turn; it is kept no more."""
        for camera, works in self._kept.items():
            if self._try_at.get(camera, now) <= now:
                work = works.popleft()
                self.kept_bytes -= work.size
                # The next turn is another's.
                del self._kept[camera]
                if works:
                    self._kept[camera] = works
                else:
                    self._try_at.pop(camera, None)
                return work
        return None

    def take_all(self) -> Iterator[Work]:
        """Everything kept, which is kept no more."""
        kept, self._kept = self._kept, {}
        self.kept_bytes = 0
        for works in kept.values():
            yield from works
