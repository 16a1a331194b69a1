"""The hub's own faults, on clocks of our own; its load, on this very process."""

import asyncio
from collections.abc import Callable, Mapping
import os
from pathlib import Path
import subprocess
import sys
import time

import pytest

from custom_components.facility_cameras.engine import clock_sync, process_load
from custom_components.facility_cameras.engine.api_health import HubEvent, HubHealth
from custom_components.facility_cameras.engine.machine import LOOK_S, Machine, SystemMachineClock
from custom_components.facility_cameras.engine.own_network import OwnNetwork
from tests.engine.archives import NOW_US, HandClock
from tests.engine.living import wait_for
from tests.engine.test_own_network import link

S = 1_000_000


class SleepingClock(HandClock):
    """Its machine may sleep: then UTC goes on, and the monotonic clock does not."""

    slept = 0.0

    def __init__(self) -> None:
        super().__init__()
        #: For how long each of the next reads of UTC is held up.
        self.holds: list[float] = []

    def utc(self) -> float:
        self.now += self.holds.pop() if self.holds else 0
        return super().utc()

    def boottime(self) -> float:
        return self.now + self.slept

    def suspend(self, seconds: float) -> None:
        self.slept += seconds
        self.offset += seconds


class Life:
    """Seconds of a machine's life: what is done in which, and what it told."""

    def __init__(self, folder: Path) -> None:
        self.clock = SleepingClock()
        self.told: list[HubEvent] = []
        self.links = folder / "class"
        self.machine = Machine(
            self.told.append, clock=self.clock, network=OwnNetwork(folder, self.links), sleep=self._sleep
        )
        self._script: dict[int, Callable[[], object]] = {}
        self._over, self._looked = asyncio.Event(), asyncio.Event()
        self._look_again: asyncio.Future[None]
        self._look_at, self._to_come = 0.0, 0

    async def live(self, seconds: int, script: Mapping[int, Callable[[], object]] | None = None) -> HubHealth:
        """Live on; what the script holds is done when so many seconds are left."""
        self._script, self._to_come = dict(script or {}), seconds
        self._over.clear()
        self._looked.clear()
        watch = asyncio.create_task(self.machine.watch())
        await asyncio.wait_for(self._over.wait(), 20)
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        return self.machine.health()

    async def _sleep(self, seconds: float) -> None:
        if seconds == LOOK_S:
            self._look_at = self.clock.now + seconds
            self._look_again = asyncio.get_running_loop().create_future()
            self._looked.set()
            await self._look_again
            return
        await self._looked.wait()
        if not self._to_come:
            self._over.set()
            await asyncio.Event().wait()
        self._to_come -= 1
        self.clock.now += seconds
        self._script.pop(self._to_come, lambda: None)()
        if self.clock.now >= self._look_at:
            self._looked.clear()
            self._look_again.set_result(None)


@pytest.fixture
async def life(tmp_path: Path) -> Life:
    return Life(tmp_path)


async def test_calm(life: Life) -> None:
    health = await life.live(30)
    assert life.told == []
    assert (health["loop_lag_ms"], health["clock_step_s"], health["suspended_s"]) == (0, 0, 0)


async def test_stall(life: Life) -> None:
    def stall() -> None:
        life.clock.now += 7.5

    health = await life.live(3, {2: stall})
    # It was due a second after the beginning.
    assert life.told == [{"fault": "stall", "began": NOW_US + 1 * S, "ended": NOW_US + 8_500_000}]
    assert health["loop_lag_ms"] == 7500


async def test_a_short_stall_is_a_lag_for_a_minute(life: Life) -> None:
    def late() -> None:
        life.clock.now += 1.5

    assert (await life.live(59, {58: late}))["loop_lag_ms"] == 1500
    assert (await life.live(3))["loop_lag_ms"] == 0
    assert life.told == []


async def test_the_log_says_it_once_an_hour(life: Life, caplog: pytest.LogCaptureFixture) -> None:
    def stall() -> None:
        life.clock.now += 29

    await life.live(121, dict.fromkeys(range(120), stall))
    assert len(life.told) == 120
    assert len([record for record in caplog.records if "stall" in record.message]) == 1
    await life.live(3, {2: stall})
    assert len([record for record in caplog.records if "stall" in record.message]) == 2


async def test_suspended(life: Life) -> None:
    health = await life.live(4, {2: lambda: life.clock.suspend(10_800)})
    assert life.told == [{"fault": "suspended", "began": NOW_US + 2 * S, "ended": NOW_US + 10_802 * S}]
    assert (health["suspended_s"], health["clock_step_s"]) == (10_800, 0)


@pytest.mark.parametrize("step", [3600.0, -3600.0, 1.5, -1.5])
async def test_clock_step(life: Life, step: float) -> None:
    def set_clock() -> None:
        life.clock.offset += step

    health = await life.live(4, {2: set_clock})
    assert life.told == [{"fault": "clock_step", "began": NOW_US + 2 * S, "ended": NOW_US + 2 * S + round(step * S)}]
    assert (health["suspended_s"], health["clock_step_s"]) == (0, step)


async def test_clock_is_set_while_suspended(life: Life) -> None:
    """Both are told, each with its own length."""

    def night() -> None:
        life.clock.suspend(100)
        life.clock.offset -= 30

    await life.live(3, {1: night})
    assert [(each["fault"], (each["ended"] - each["began"]) / S) for each in life.told] == [
        ("suspended", 100),
        ("clock_step", -30),
    ]


async def test_a_clock_that_is_only_adjusted_does_not_step(life: Life) -> None:
    def adjust() -> None:
        life.clock.offset += 0.4

    health = await life.live(10, dict.fromkeys(range(9), adjust))
    assert life.told == []
    assert health["clock_step_s"] == pytest.approx(3.6)


async def test_reading_that_was_held_up_is_no_step(life: Life) -> None:
    """Between reading one clock and the next the process may be held up: the step back after it would be one, too."""
    await life.live(6, {3: lambda: life.clock.holds.extend([0, 0, 3, 0, 3])})
    assert life.clock.holds == []
    assert life.told == []


async def test_network(life: Life, tmp_path: Path) -> None:
    link(tmp_path, "eth0", "1")
    carrier = life.links / "eth0" / "carrier"
    health = await life.live(
        40, {32: lambda: carrier.write_text("0") and None, 12: lambda: carrier.write_text("1") and None}
    )
    down, up = life.told
    assert (down["fault"], up["fault"]) == ("network_down", "network_up")
    # It went at 8 s and came at 28 s; it is looked at every 5 s.
    assert (down["began"], down["ended"]) == (NOW_US + 5 * S, NOW_US + 10 * S)
    assert (up["began"], up["ended"]) == (NOW_US + 5 * S, NOW_US + 30 * S)
    assert health["link"] is True


async def test_network_that_nobody_knows_of_is_not_down(life: Life) -> None:
    assert (await life.live(12))["link"] is None
    assert life.told == []


def test_load_is_that_of_the_engine_and_its_workers() -> None:
    before = process_load.load()
    assert before.memory_bytes and before.cpu_s is not None and before.handles
    worker = subprocess.Popen(
        [sys.executable, "-c", "a = bytearray(50_000_000); import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert worker.stdout is not None
        worker.stdout.readline()
        after = process_load.load()
        assert after.memory_bytes is not None and after.cpu_s is not None and after.handles is not None
        assert after.memory_bytes - before.memory_bytes > 50_000_000
        assert after.cpu_s - before.cpu_s > 0.4
        assert after.handles > before.handles
    finally:
        worker.communicate(b"\n")
    # What a worker that ended took is not forgotten.
    ended = process_load.load()
    assert ended.cpu_s is not None and ended.cpu_s >= after.cpu_s


async def test_cpu_percent_is_of_one_core(life: Life) -> None:
    def burn() -> None:
        until = time.process_time() + 0.2
        while time.process_time() < until:
            pass

    health = await life.live(13, dict.fromkeys(range(4, 9), burn))
    # 0.8 s of work within the last 5 s; what the test itself takes comes on top.
    assert health["cpu_percent"] is not None and health["cpu_percent"] >= 15
    assert health["memory_bytes"] and health["handles"]


def test_load_of_nothing(tmp_path: Path) -> None:
    """Another system, or a process that ended meanwhile."""
    assert process_load.load(tmp_path) == process_load.Load(None, None, None)


def test_odd_process(tmp_path: Path) -> None:
    """A program may be called anything, and claim any children: only numbers count, and no more than the bound."""
    place = tmp_path / "7"
    (place / "task" / "7").mkdir(parents=True)
    (place / "stat").write_text("7 (a) R 1 (b 1 2) S " + " ".join(map(str, range(4, 30))))
    (place / "statm").write_text("x")
    (place / "task" / "7" / "children").write_text("7 7 -1 ../8 99999999999 " + "7 " * 3000)
    told = process_load.load(tmp_path, 7)
    assert told.memory_bytes is None
    assert told.cpu_s == pytest.approx(process_load.MOST * (14 + 15 + 16 + 17) / os.sysconf("SC_CLK_TCK"))


@pytest.mark.parametrize(
    ("kept", "hours", "unkept"), [(False, 1, True), (False, 25, False), (True, 1, False), (None, 1, False)]
)
async def test_a_clock_that_nobody_keeps_is_told_for_a_day(
    life: Life, monkeypatch: pytest.MonkeyPatch, kept: bool | None, hours: int, unkept: bool
) -> None:
    monkeypatch.setattr(clock_sync, "kept", lambda: clock_sync.Kept(kept))
    life.clock.now = hours * 3600.0
    await life.live(int(LOOK_S) + 2)
    assert life.machine.clock_unkept is unkept


def test_clock_keeper(tmp_path: Path) -> None:
    told = clock_sync.kept(tmp_path / "mark")
    assert told.synchronised in (True, False, None)
    if told.synchronised is not True:
        assert (told.error_s, told.drift_ppm) == (None, None)
        (tmp_path / "mark").touch()
        assert clock_sync.kept(tmp_path / "mark") == clock_sync.Kept(True)


async def test_real_clocks_agree() -> None:
    """A real second or so: nothing happens to this machine meanwhile that it could tell wrongly."""
    told: list[HubEvent] = []
    machine = Machine(told.append, clock=SystemMachineClock())
    watch = asyncio.create_task(machine.watch())
    await asyncio.to_thread(
        wait_for, lambda: machine.health()["memory_bytes"] and machine.health()["link"] is not None, 10
    )
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    assert [each["fault"] for each in told if each["fault"] in ("suspended", "clock_step")] == []
