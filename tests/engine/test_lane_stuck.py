"""A job of the slow lane that does not come back from its disk: it is told, and holds up nobody else."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
import contextlib
from dataclasses import dataclass
import os
from pathlib import Path
import threading
import time
from typing import Any, cast

import pytest

from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.export.exports import Export, Exports
from custom_components.facility_cameras.engine.lane import MOST_STUCK, STUCK_S, Job, JobState, Lane
from custom_components.facility_cameras.engine.lane_volumes import NoAnswerError, Volumes
from custom_components.facility_cameras.engine.server_clips import problem_of
from custom_components.facility_cameras.engine.supervisor import Supervisor
from tests.engine.archives import HandClock, archive_in, ask_open
from tests.engine.exporting import record, request
from tests.engine.living import wait_for


@pytest.fixture
async def lane() -> AsyncIterator[Lane]:
    lane = Lane()
    yield lane
    await lane.close()


class Hangs:
    """Work that opens a file which nobody writes to: as long as that is so nothing ends it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begun = threading.Event()
        os.mkfifo(path)

    def __call__(self, job: Job[int]) -> int:
        self.begun.set()
        os.close(os.open(self.path, os.O_RDONLY))
        job.advance(0.5)
        return 1

    async def until_begun(self) -> None:
        assert await asyncio.to_thread(self.begun.wait, 10)

    def let_go(self) -> None:
        os.close(os.open(self.path, os.O_WRONLY))


@pytest.fixture
def hangs(tmp_path: Path) -> Iterator[Callable[[], Hangs]]:
    made: list[Hangs] = []

    def make() -> Hangs:
        made.append(Hangs(tmp_path / f"fifo-{len(made)}"))
        return made[-1]

    yield make
    for one in made:
        with contextlib.suppress(OSError):
            # Who still waits in it goes on.
            os.close(os.open(one.path, os.O_WRONLY | os.O_NONBLOCK))


@dataclass
class Disk:
    """An archive, as the lane sees it."""

    root: Path = Path("/archive")
    answers: bool = True


async def until(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(wait_for, condition, 10)


def later(lane: Lane) -> None:
    """Nothing has moved for long."""
    lane.replace_stuck(time.monotonic() + STUCK_S + 1)


@pytest.mark.parametrize("quick", [False, True])
async def test_who_hangs_is_told_and_holds_up_no_other(lane: Lane, hangs: Callable[[], Hangs], quick: bool) -> None:
    dead, well = Volumes(Disk(), Path("/dead")), Volumes(Disk(), Path("/well"))
    if quick:
        # Its thread takes quick ones too.
        other = hangs()
        lane.submit("export", "long", other, volumes=Volumes(Disk(), Path("/dead too")))
        await other.until_begun()
    hanging = hangs()
    first = lane.submit("export", "first", hanging, quick=quick, volumes=dead)
    await hanging.until_begun()
    second = lane.submit("export", "second", lambda _: 2, quick=quick, volumes=well)
    third = lane.submit("export", "third", lambda _: 3, quick=quick, volumes=dead)
    lane.replace_stuck(first.moved + STUCK_S - 1)
    assert first.state is JobState.RUNNING
    later(lane)
    assert await second.wait(10)
    assert second.result == 2
    # Whoever waits for the same volume is told as well, and who comes later at once.
    for job in (first, third, lane.submit("clip", "late", lambda _: 4, quick=quick, volumes=dead)):
        assert job.finished
        assert isinstance(job.error, NoAnswerError)
        assert (job.error.folder, job.error.source) == ("/dead", False)
    # Told once, replaced once.
    threads = threading.active_count()
    later(lane)
    assert threading.active_count() == threads
    hanging.let_go()
    await until(lambda: "/dead" not in [error.folder for error in lane.stuck])
    again = lane.submit("export", "again", lambda _: 5, quick=quick, volumes=dead)
    assert await again.wait(10)
    assert again.result == 5
    # It had failed, and has.
    assert isinstance(first.error, NoAnswerError)


async def test_job_that_goes_on_is_not_stuck(lane: Lane) -> None:
    begun, go_on, moved, end = (threading.Event() for _ in range(4))

    def work(job: Job[int]) -> int:
        begun.set()
        assert go_on.wait(10)
        job.advance(0.5)
        moved.set()
        assert end.wait(10)
        return 1

    job = lane.submit("export", "slow", work)
    assert await asyncio.to_thread(begun.wait, 10)
    began = job.moved
    go_on.set()
    assert await asyncio.to_thread(moved.wait, 10)
    assert job.moved > began
    lane.replace_stuck(job.moved + STUCK_S - 0.1)
    end.set()
    assert await job.wait(10)
    assert job.result == 1


async def test_threads_that_hang_are_bounded(lane: Lane, hangs: Callable[[], Hangs]) -> None:
    jobs, works = [], []
    for number in range(MOST_STUCK + 1):
        works.append(hangs())
        jobs.append(lane.submit("export", "dead", works[-1], volumes=Volumes(target=Path(f"/dead {number}"))))
        await works[-1].until_begun()
        later(lane)
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("lane ")]
    # The last one is not replaced: the quick one goes on, and what would never have its turn is refused.
    assert len(threads) == MOST_STUCK + 2
    refused = lane.submit("export", "well", lambda _: 1, volumes=Volumes(target=Path("/well")))
    assert isinstance(refused.error, NoAnswerError)
    works[-1].let_go()
    await until(lambda: len(lane.stuck) == MOST_STUCK)
    well = lane.submit("export", "well", lambda _: 1, volumes=Volumes(target=Path("/well")))
    assert await well.wait(10)
    works[0].let_go()
    await until(
        lambda: len([thread for thread in threading.enumerate() if thread.name.startswith("lane ")]) == MOST_STUCK + 1
    )
    assert all(isinstance(job.error, NoAnswerError) for job in jobs)


async def test_job_that_nobody_wants_any_more_is_replaced_too(lane: Lane, hangs: Callable[[], Hangs]) -> None:
    hanging = hangs()
    job = lane.submit("clip", "gate", hanging)
    await hanging.until_begun()
    job.cancel()
    after = lane.submit("clip", "gate", lambda _: 1)
    later(lane)
    assert await after.wait(10)
    assert job.state is JobState.CANCELLED


async def test_end_does_not_wait_for_what_hangs(hangs: Callable[[], Hangs]) -> None:
    lane, hanging = Lane(), hangs()
    lane.submit("export", "dead", hanging)
    await hanging.until_begun()
    later(lane)
    await lane.close()
    left = [thread for thread in threading.enumerate() if thread.name.startswith("lane ")]
    assert len(left) == 1


def test_which_volume_it_is() -> None:
    disk = Disk()
    both = Volumes(disk, Path("/target"))
    assert str(both.silent()) == "/target: Connection timed out"
    assert problem_of(both.silent()) == {"cause": "not_written", "placeholders": {"reason": "Connection timed out"}}
    disk.answers = False
    assert (both.silent().folder, both.silent().source) == ("/archive", True)
    assert problem_of(both.silent()) == {"cause": "archive_away", "placeholders": {}}
    assert Volumes(Disk()).silent().source
    assert both.needs("/archive")
    assert both.needs("/target")
    assert not both.needs("/other")
    assert not Volumes().needs("")


# Exports --------------------------------------------------------------------------------------------------------------


class OneArchive:
    """As much of a supervisor as exports need."""

    def __init__(self, archive: Archive) -> None:
        self.archives = [archive]

    def archive_of_facility(self, _identity: str) -> Archive:
        return self.archives[0]

    def camera(self, _identity: str) -> None:
        return None


@pytest.mark.parametrize("cancelled", [False, True])
async def test_export_whose_disk_hangs_is_paused_and_another_is_done(
    tmp_path: Path, lane: Lane, cancelled: bool
) -> None:
    for name in ("state", "dead", "well"):
        (tmp_path / name).mkdir()
    clock = HandClock()
    with archive_in(tmp_path / "archive", clock) as archive:
        await until(lambda: archive.index)
        await asyncio.to_thread(record, archive)
        supervisor = cast("Supervisor", OneArchive(archive))
        exports = Exports(supervisor, lane, clock, tmp_path / "state", "b1")

        async def begin(folder: Path) -> tuple[Export, Path]:
            told = await exports.begin("f1", request(folder))
            export = exports.get(told["id"])
            assert export is not None
            return export, Path(told["path"])

        dead, path = await begin(tmp_path / "dead")
        state = path.with_name(f"{path.name}-unfinished") / ".state"
        state.mkdir(parents=True)
        fifo = state / "plan.jsonl.new"
        os.mkfifo(fifo)
        # Just before it opens what nobody reads from.
        await until(lambda: ask_open(archive, "SELECT 1 FROM hold"))
        well, _ = await begin(tmp_path / "well")
        later(lane)
        await until(lambda: well.state == "done")
        await until(lambda: dead.state == "paused")
        away: dict[str, Any] = {"cause": "destination_away", "placeholders": {"folder": str(tmp_path / "dead")}}
        assert dead.problem == away
        # Tried again, it does not hang a second time.
        told: list[str] = []
        exports.on_change = lambda event: told.append(event["export"]["state"])
        before = dead.job
        exports.resume(dead)
        await until(lambda: dead.job is not before and dead.job is not None and dead.job.finished)
        assert len(lane.stuck) == 1
        if cancelled:
            assert (await exports.cancel(dead))["state"] == "cancelled"
            assert dead.problem == away
        assert set(told) <= {"cancelled"}
        fd = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        fifo.unlink()
        os.close(fd)
        await until(lambda: not lane.stuck)
        if not cancelled:
            exports.resume(dead)
            await until(lambda: dead.state == "done")
            assert path.is_dir()
        await exports.close()
