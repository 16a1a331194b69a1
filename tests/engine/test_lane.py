"""The slow lane: bounded, in order, apart from everything else, and nobody's when nobody asks."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
import platform
import subprocess
import threading

import pytest

from custom_components.facility_cameras.engine.lane import (
    _IOPRIO_SET,
    ASKED_S,
    FINISHED_MAX,
    QUICK_RATE,
    WAITING_MAX,
    Job,
    JobCancelledError,
    JobState,
    Lane,
    LaneFullError,
)


@pytest.fixture
async def lane() -> AsyncIterator[Lane]:
    lane = Lane()
    yield lane
    await lane.close()


class Held:
    """Work that goes on until it is let go, and notes who runs."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.running = threading.Semaphore(0)
        self.order: list[str] = []
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def __call__(self, job: Job[str]) -> str:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            self.order.append(job.owner)
        self.running.release()
        while not self.go_on.wait(0.01):
            job.advance(0.5)
        with self._lock:
            self._now -= 1
        return job.owner

    async def until_running(self, count: int = 1) -> None:
        for _ in range(count):
            assert await asyncio.to_thread(self.running.acquire, timeout=10)


async def test_a_job_has_a_result_and_an_owner(lane: Lane) -> None:
    threads: list[int] = []

    def work(job: Job[int]) -> int:
        threads.append(threading.get_ident())
        job.advance(0.3)
        return 42

    job = lane.submit("clip", "gate", work)
    assert await job.wait(10)
    assert (job.state, job.result, job.progress, job.owner, job.kind) == (JobState.DONE, 42, 1.0, "gate", "clip")
    assert threads != [threading.get_ident()]
    assert lane.job(job.id) is job
    assert lane.job("other") is None


async def test_what_fails_tells_why(lane: Lane) -> None:
    def work(_job: Job[int]) -> int:
        raise OSError(28, "No space left on device")

    job = lane.submit("clip", "gate", work)
    assert await job.wait(10)
    assert job.state is JobState.FAILED
    assert isinstance(job.error, OSError)


async def test_two_at_once_and_one_of_them_is_for_quick_ones(lane: Lane) -> None:
    held = Held()
    long = [lane.submit("export", f"long {number}", held) for number in range(3)]
    await held.until_running()
    assert held.order == ["long 0"]
    quick = [lane.submit("thumbnail", f"quick {number}", held, quick=True) for number in range(3)]
    await held.until_running()
    assert held.order == ["long 0", "quick 0"]
    assert [job.state for job in (*long, *quick)] == ["running", "waiting", "waiting", "running", "waiting", "waiting"]
    held.go_on.set()
    for job in (*long, *quick):
        assert await job.wait(10)
    assert held.most == 2
    # Quick ones overtake what waited before them.
    assert held.order.index("quick 2") < held.order.index("long 2")


async def test_the_queue_is_bounded(lane: Lane) -> None:
    held = Held()
    lane.submit("export", "first", held)
    await held.until_running()
    waiting = [lane.submit("export", "more", held) for _ in range(WAITING_MAX)]
    with pytest.raises(LaneFullError):
        lane.submit("export", "too many", held)
    waiting[0].cancel()
    held.go_on.set()
    for job in waiting[1:]:
        assert await job.wait(10)
    lane.submit("export", "room again", held)
    assert len([job for job in lane.jobs() if job.finished]) <= FINISHED_MAX + 1


async def test_a_job_is_cancelled_before_and_while_it_runs(lane: Lane) -> None:
    held = Held()
    running, waiting = lane.submit("export", "running", held), lane.submit("export", "waiting", held)
    await held.until_running()
    assert not await running.wait(0.01)
    waiting.cancel()
    running.cancel()
    assert await running.wait(0)
    assert (running.state, waiting.state) == (JobState.CANCELLED, JobState.CANCELLED)
    with pytest.raises(JobCancelledError):
        _ = running.result
    # The lane is free for the next.
    held.go_on.set()
    after = lane.submit("export", "after", held)
    assert await after.wait(10)
    assert held.order == ["running", "after"]


async def test_what_nobody_asks_after_is_cancelled(lane: Lane) -> None:
    held = Held()
    forgotten = lane.submit("export", "forgotten", held)
    kept = lane.submit("export", "kept", held, kept=True)
    asked = lane.submit("export", "asked", held)
    now = forgotten.asked
    lane.cancel_unwanted(now + ASKED_S - 1)
    assert not forgotten.finished
    asked.asked = now + 10
    lane.cancel_unwanted(now + ASKED_S + 1)
    assert [job.state for job in (forgotten, kept, asked)] == [
        "cancelled",
        "waiting",
        "waiting",
    ] or kept.state == "running"
    lane.job(asked.id)
    assert asked.asked < now + 10


async def test_reading_is_slowed_to_the_rate_and_can_be_cancelled_meanwhile(lane: Lane) -> None:
    passed: list[str] = []
    waits = threading.Event()

    def work(job: Job[None]) -> None:
        job.spend(round(QUICK_RATE / 10))
        passed.append("a little")
        waits.set()
        job.spend(round(QUICK_RATE * 3600))
        passed.append("an hour's")

    job = lane.submit("clip", "gate", work, quick=True)
    assert await asyncio.to_thread(waits.wait, 10)
    job.cancel()
    again = lane.submit("clip", "gate", lambda _: 1, quick=True)
    assert await again.wait(10)
    await lane.close()
    assert passed == ["a little"]


@pytest.mark.skipif(platform.machine() not in _IOPRIO_SET, reason="this machine's number of the call is not known")
async def test_its_input_and_output_come_last(lane: Lane) -> None:
    def work(_job: Job[str]) -> str:
        thread = str(threading.get_native_id())
        return subprocess.run(["ionice", "-p", thread], capture_output=True, text=True, check=True).stdout.strip()

    job = lane.submit("clip", "gate", work)
    assert await job.wait(10)
    assert job.result == "idle"


async def test_nothing_goes_on_after_the_end(tmp_path: Path) -> None:
    lane, held = Lane(), Held()
    running, waiting = lane.submit("export", "running", held), lane.submit("export", "waiting", held)
    await held.until_running()
    await lane.close()
    assert running.finished
    assert waiting.finished
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane ")]
    with pytest.raises(LaneFullError):
        lane.submit("export", "late", held)
