"""A thread beside the archive's writer thread, for what may take long and is no writing: deleting a file can wait for the
file system's own journal, and a network share answers when it likes. Ends with its archive, or with the process.
"""

from collections.abc import Callable
from concurrent.futures import Future
import queue
import threading

type Start = Callable[[Callable[[], None]], None]


def at_once(job: Callable[[], None]) -> None:
    """Run a job here and now, where nobody waits for anything else."""
    job()


class Beside:
    """Runs one job after the other."""

    def __init__(self, name: str, done: Callable[[], None]) -> None:
        """`done` is called in its thread after each job. The thread begins with the first."""
        self._name = name
        self._done = done
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self, job: Callable[[], None]) -> None:
        """Run a job soon."""
        self._jobs.put(job)
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End after what is begun. Does not wait: a disk that does not answer must not hold up anybody."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            self._done()


class Running[T]:
    """A job that was given to be run, and what comes of it."""

    def __init__(self, start: Start, job: Callable[[], T], monotonic: Callable[[], float]) -> None:
        """Start it."""
        self._future: Future[T] = Future()
        self._job = job
        self._monotonic = monotonic
        #: How long it took, seconds.
        self.took_s = 0.0
        start(self._run)

    def _run(self) -> None:
        began = self._monotonic()
        try:
            result = self._job()
            self.took_s = self._monotonic() - began
            self._future.set_result(result)
        except OSError as error:
            self._future.set_exception(error)
        finally:
            # Any other error is a fault of ours, which the thread's end tells; nobody is to wait for ever.
            if not self._future.done():
                self._future.set_exception(RuntimeError("a fault in deleting"))

    @property
    def done(self) -> bool:
        """Whether it has come to its end."""
        return self._future.done()

    def result(self) -> T:
        """What came of it, once it is done. Raises what it raised."""
        return self._future.result(0)
