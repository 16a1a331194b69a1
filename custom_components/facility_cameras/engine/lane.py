"""One slow lane for everything that is neither recording nor watching live: clips, films, thumbnails, previews, exports.

At most two jobs run at once, each in a thread of the lane's own whose reads and writes come after everybody else's
where the kernel knows such an order; one of the two never takes a long job, so a picture does not wait for an export.
Jobs wait in a bounded queue, can be cancelled, and read and write at a bounded rate. A job that nobody asks after is
cancelled: whoever wanted it is gone (promise I7: apart).

A job that does not come back from a dead share has failed after STUCK_S, and another thread takes its thread's place. No
other job is let near that volume until it has come back; at most MOST_STUCK threads are replaced.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
import ctypes
from enum import StrEnum
import logging
import platform
import secrets
import sys
import threading
import time
from typing import Any

from .lane_volumes import NO_VOLUMES, ExpectedError, NoAnswerError, Volumes

_LOGGER = logging.getLogger(__name__)

#: Jobs that may wait. More is refused, with a sentence.
WAITING_MAX = 64
#: Finished jobs whose result can still be asked for, and how long nobody may ask after one before it is cancelled.
FINISHED_MAX = 64
ASKED_S = 60.0
#: A job has moved within so long, seconds, or hangs: idle input and output may starve for a while behind what is recorded.
STUCK_S = 120.0
#: So many threads that hang are replaced.
MOST_STUCK = 4
#: Most bytes a second, read and written together: quick jobs, long jobs.
QUICK_RATE, LONG_RATE = 400e6, 60e6
#: A job that was held up may catch up for so long, seconds.
_BURST_S = 0.25
#: Between two looks whether a job that waits for its turn was cancelled, seconds.
_STEP_S = 0.2

#: ioprio_set has no wrapper in any libc. Its number by machine (64 bits); elsewhere the lane does without.
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30} if sys.maxsize > 1 << 32 else {}
_THIS_THREAD, _IDLE_CLASS = 1, 3 << 13


class LaneFullError(Exception):
    """Too many jobs wait already."""


class JobCancelledError(Exception):
    """Raised inside a job's work when nobody wants its result any more."""


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Job[T]:
    """One piece of work. `wait`, `cancel` and `touch` are the event loop's side; `spend` and `advance` the work's own."""

    def __init__(
        self,
        kind: str,
        owner: str,
        work: Callable[[Job[T]], T],
        *,
        quick: bool,
        kept: bool,
        volumes: Volumes = NO_VOLUMES,
    ) -> None:
        """`owner` is who asked (a camera's or facility's id). `kept`: goes on though nobody asks after it."""
        self.id = secrets.token_hex(8)
        self.kind = kind
        self.owner = owner
        self.quick = quick
        self.kept = kept
        self.volumes = volumes
        #: 0 to 1.
        self.progress = 0.0
        self.asked = time.monotonic()
        #: When it last went on (monotonic).
        self.moved = self.asked
        #: What there is of the result already, where the work tells.
        self.partial: T | None = None
        self._work = work
        self._wanted = threading.Event()
        self._wanted.set()
        self._result: Future[T] = Future()
        self._started = False
        self._free_at = 0.0

    @property
    def state(self) -> JobState:
        """Where it stands now."""
        if self._result.cancelled() or (self._result.done() and isinstance(self.error, JobCancelledError)):
            return JobState.CANCELLED
        if self._result.done():
            return JobState.FAILED if self.error is not None else JobState.DONE
        return JobState.RUNNING if self._started else JobState.WAITING

    @property
    def finished(self) -> bool:
        """Whether nothing more comes of it."""
        return self._result.done()

    @property
    def error(self) -> BaseException | None:
        """What it failed with, None while it runs or if it did not fail."""
        if not self._result.done() or self._result.cancelled():
            return None
        return self._result.exception()

    @property
    def result(self) -> T:
        """What it made. Raises what it failed with, and InvalidStateError while it runs."""
        return self._result.result(timeout=0)

    def touch(self) -> None:
        """Somebody still wants it."""
        self.asked = time.monotonic()

    def cancel(self) -> None:
        """Nobody wants it. One that runs ends at its next `spend`; whoever waits for it goes on at once."""
        self.give_up(JobCancelledError())

    def give_up(self, error: Exception) -> None:
        """It has failed with this, whatever still comes of it."""
        self._wanted.clear()
        self._settle(lambda: self._result.set_exception(error))

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is finished, so long at most; returns whether it is."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        self._result.add_done_callback(lambda _: loop.call_soon_threadsafe(ended.set))
        try:
            async with asyncio.timeout(seconds):
                await ended.wait()
        except TimeoutError:
            return self._result.done()
        return True

    # The work's side ----------------------------------------------------------------------------------------------

    def advance(self, progress: float) -> None:
        """So much is done, 0 to 1. Raises JobCancelledError."""
        self.moved = time.monotonic()
        self.progress = min(max(progress, self.progress), 1.0)
        if not self._wanted.is_set():
            raise JobCancelledError

    def spend(self, size: int) -> None:
        """About to read or write `size` bytes: waits until the rate allows it. Raises JobCancelledError."""
        self.advance(self.progress)
        now = time.monotonic()
        self._free_at = max(self._free_at, now - _BURST_S) + size / (QUICK_RATE if self.quick else LONG_RATE)
        while (left := self._free_at - time.monotonic()) > 0:
            time.sleep(min(left, _STEP_S))
            self.advance(self.progress)

    def run(self) -> None:
        """Do it, in the lane's thread."""
        if not self._wanted.is_set():
            return
        self._started = True
        try:
            made = self._work(self)
        except Exception as error:
            failed = error
            if not isinstance(error, (JobCancelledError, OSError, ExpectedError)):
                _LOGGER.exception("%s for %s failed", self.kind, self.owner)
            self._settle(lambda: self._result.set_exception(failed))
        else:
            self.progress = 1.0
            self._settle(lambda: self._result.set_result(made))

    def _settle(self, settle: Callable[[], None]) -> None:
        """The first end counts: a job is cancelled by one thread while another finishes it."""
        with _SETTLING:
            if not self._result.done():
                settle()


_SETTLING = threading.Lock()


class _Thread:
    """One of the lane's threads. Its figures are the lane's, under its lock."""

    def __init__(self, name: str, work: Callable[[_Thread], None], *, only_quick: bool) -> None:
        """Start it."""
        self.only_quick = only_quick
        self.job: Job[Any] | None = None
        #: What it does not come back from.
        self.stuck: NoAnswerError | None = None
        #: Another has taken its place: it ends once it comes back.
        self.replaced = False
        self._thread = threading.Thread(target=work, args=(self,), name=name, daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for its end, so long at most."""
        self._thread.join(seconds)


class Lane:
    """Takes jobs from the event loop, runs them in two threads of its own. `close` ends them."""

    def __init__(self) -> None:
        """No thread is started before the first job."""
        self._waiting: deque[Job[Any]] = deque()
        self._jobs: OrderedDict[str, Job[Any]] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self._threads: list[_Thread] = []

    def submit[T](
        self,
        kind: str,
        owner: str,
        work: Callable[[Job[T]], T],
        *,
        quick: bool = False,
        kept: bool = False,
        volumes: Volumes = NO_VOLUMES,
    ) -> Job[T]:
        """Queue work, which is called with its job in a thread of the lane. `quick`: done within seconds, may overtake
        what is not. `kept`: not cancelled when nobody asks after it. Raises LaneFullError. Where one of its volumes does
        not answer it has failed at once, with NoAnswerError.
        """
        job: Job[T] = Job(kind, owner, work, quick=quick, kept=kept, volumes=volumes)
        self._forget()
        with self._changed:
            if self._closed or len(self._waiting) >= WAITING_MAX:
                raise LaneFullError
            self._waiting.append(job)
            self._jobs[job.id] = job
            self._refuse()
            self._changed.notify_all()
            if not self._threads:
                self._begin_thread(only_quick=True)
                self._begin_thread(only_quick=False)
        return job

    def _begin_thread(self, *, only_quick: bool) -> None:
        self._threads.append(_Thread(f"lane {1 - only_quick}", self._work, only_quick=only_quick))

    def job(self, identity: str) -> Job[Any] | None:
        """A job by its id; whoever asks still wants it."""
        job = self._jobs.get(identity)
        if job is not None:
            job.touch()
        return job

    def forget(self, job: Job[Any]) -> None:
        """Its result is with who asked; nobody will ask after it by its id."""
        self._jobs.pop(job.id, None)

    def jobs(self) -> list[Job[Any]]:
        """Every job that waits, runs, or ended lately, oldest first."""
        return list(self._jobs.values())

    async def watch(self) -> None:
        """Cancel what nobody asks after, replace what hangs. Ends only by being cancelled."""
        while True:
            await asyncio.sleep(ASKED_S / 12)
            self.cancel_unwanted(time.monotonic())
            self.replace_stuck(time.monotonic())

    def cancel_unwanted(self, now: float) -> None:
        """Cancel each job that nobody asked after for ASKED_S before the monotonic time `now`."""
        for job in self._jobs.values():
            if not job.finished and not job.kept and now - job.asked > ASKED_S:
                _LOGGER.info("%s for %s: nobody asks after it any more", job.kind, job.owner)
                job.cancel()

    def replace_stuck(self, now: float) -> None:
        """Each job that has not moved for STUCK_S before the monotonic time `now` has failed, and so have those that wait
        for the same volume; another thread goes on with the others.
        """
        with self._changed:
            for thread in tuple(self._threads):
                job = thread.job
                if job is None or thread.stuck is not None or now - job.moved <= STUCK_S:
                    continue
                thread.stuck = job.volumes.silent()
                _LOGGER.error("%s for %s hangs: %s", job.kind, job.owner, thread.stuck)
                job.give_up(thread.stuck)
                if len(self.stuck) <= MOST_STUCK:
                    thread.replaced = True
                    self._begin_thread(only_quick=thread.only_quick)
            self._refuse()

    @property
    def stuck(self) -> list[NoAnswerError]:
        """What threads do not come back from."""
        return [thread.stuck for thread in tuple(self._threads) if thread.stuck is not None]

    def _refuse(self) -> None:
        """What waits for a volume that does not answer has failed; everything, where too many threads hang."""
        stuck = self.stuck
        for job in self._waiting:
            for error in stuck:
                if job.volumes.needs(error.folder) or len(stuck) > MOST_STUCK:
                    job.give_up(NoAnswerError(error.folder, source=error.source))
                    break

    async def close(self) -> None:
        """Cancel everything; wait until the threads have ended, 2 s at most: a disk may not answer."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        for job in self._jobs.values():
            job.cancel()
        for thread in tuple(self._threads):
            if thread.stuck is None:
                await asyncio.to_thread(thread.join, 1.0)

    def _forget(self) -> None:
        """Results are kept for the newest jobs only."""
        finished = [job.id for job in self._jobs.values() if job.finished]
        for identity in finished[: max(0, len(finished) - FINISHED_MAX)]:
            del self._jobs[identity]

    # The threads --------------------------------------------------------------------------------------------------

    def _work(self, thread: _Thread) -> None:
        _come_last()
        while (job := self._next(thread)) is not None:
            job.run()

    def _next(self, thread: _Thread) -> Job[Any] | None:
        """The job whose turn it is, quick ones first; None at the end."""
        with self._changed:
            if thread.job is not None and thread.stuck is not None:
                _LOGGER.warning("%s for %s has come back", thread.job.kind, thread.job.owner)
            thread.job = thread.stuck = None
            while not self._closed and not thread.replaced:
                wanted = [job for job in self._waiting if not job.finished]
                self._waiting = deque(wanted)
                first = None if thread.only_quick else next(iter(wanted), None)
                job = next((job for job in wanted if job.quick), first)
                if job is not None:
                    self._waiting.remove(job)
                    job.moved, thread.job = time.monotonic(), job
                    return job
                self._changed.wait()
            self._threads.remove(thread)
            return None


def _come_last() -> None:
    """Have this thread's input and output come after all others'. Its share of the processor stays: it holds Python's lock
    at times, and the event loop would wait for it.
    """
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        # Where the kernel does not let us (a sandbox), the bounded rate has to do.
        ctypes.CDLL(None, use_errno=True).syscall(number, _THIS_THREAD, 0, _IDLE_CLASS)
