"""The health of the engine's own machine, so that what is the hub's own fault is never told of a camera (promise I5).

Once a second its tick compares the clocks: how late it comes (a stall), how long the machine was suspended, by how much
the clock was set. Every few seconds it looks at load, network links and the clock's keeper, in a thread.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
import logging
import time
from typing import Protocol

from . import clock_sync, process_load
from .api_health import HubEvent, HubFault, HubHealth
from .clock import Clock, SystemClock, microseconds
from .own_network import OwnNetwork

_LOGGER = logging.getLogger(__name__)

TICK_S, LOOK_S = 1.0, 5.0
#: A tick that comes so late is a stall; a suspension or a step of the clock shorter than this is none.
STALL_S, SUSPENDED_S, STEP_S = 2.0, 1.0, 1.0
#: A wrong clock that no time service keeps is noticed by people within this time: a repair tells of it.
NOTICED_S = 86_400.0
#: The largest lag of so many ticks is told: of a minute.
LAGS = 60
#: The log says the same fault once in so many seconds; who listens is told of each.
SAID_S = 3600.0
#: The clocks are read again if reading them all took longer, so often at most.
_APART_S, _TRIES = 0.05, 5


class MachineClock(Clock, Protocol):
    """The machine's clocks, and one that goes on while it is suspended."""

    def boottime(self) -> float:
        """Seconds that only rise, suspended time with them."""


class SystemMachineClock(SystemClock):
    """The machine's clocks."""

    def boottime(self) -> float:
        """CLOCK_BOOTTIME where there is one."""
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class _Look:
    """What the slower look found."""

    load: process_load.Load
    kept: clock_sync.Kept
    link: bool | None


class Machine:
    """Watches this machine. `told` is called with everything that happens to it."""

    def __init__(
        self,
        told: Callable[[HubEvent], None],
        *,
        clock: MachineClock | None = None,
        network: OwnNetwork | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Take the clocks as they are now; `watch` begins."""
        self._told = told
        self._clock: MachineClock = clock or SystemMachineClock()
        self._network = network or OwnNetwork()
        self._sleep = sleep
        self._lags: deque[float] = deque(maxlen=LAGS)
        self._clocks: _Clocks | None = None
        self._first: _Clocks | None = None
        self._cpu: tuple[float, float] | None = None
        self._cpu_percent: float | None = None
        self._seen = _Look(process_load.Load(None, None, None), clock_sync.Kept(None), None)
        #: When the log said a fault last, monotonic seconds.
        self._said: dict[HubFault, float] = {}
        #: UTC µs when a link was seen up last.
        self._up_at: int | None = None

    async def watch(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ticks())
            group.create_task(self._looks())

    def health(self) -> HubHealth:
        """Everything that is known, for the API."""
        first, last = self._first, self._clocks
        return {
            "cpu_percent": self._cpu_percent,
            "loop_lag_ms": round(max(self._lags, default=0.0) * 1000, 1),
            "memory_bytes": self._seen.load.memory_bytes,
            "handles": self._seen.load.handles,
            "clock_synchronised": self._seen.kept.synchronised,
            "clock_error_s": self._seen.kept.error_s,
            "clock_drift_ppm": self._seen.kept.drift_ppm,
            "clock_step_s": round(last.offset - first.offset, 3) if first and last else 0.0,
            "suspended_s": round(last.slept - first.slept, 3) if first and last else 0.0,
            "link": self._seen.link,
        }

    @property
    def clock_unkept(self) -> bool:
        """Whether no time service keeps our clock, and this machine began not long ago: many have no clock of their own
        that runs on while they are off.
        """
        return self._seen.kept.synchronised is False and self._clock.boottime() < NOTICED_S

    # Every second ------------------------------------------------------------------------------------------------

    async def _ticks(self) -> None:
        self._compare()
        while True:
            due = self._clock.monotonic() + TICK_S
            await self._sleep(TICK_S)
            self._late(self._clock.monotonic() - due)
            self._compare()

    def _late(self, lag: float) -> None:
        """Our own turn came so many seconds late."""
        self._lags.append(max(lag, 0.0))
        if lag > STALL_S:
            ended = self._clock.utc()
            self._tell(HubFault.STALL, microseconds(ended - lag), microseconds(ended))

    def _compare(self) -> None:
        """How the clocks stand to each other, against a second before."""
        now = _clocks(self._clock)
        if now is None:
            return
        before, self._clocks = self._clocks, now
        if before is None:
            self._first = now
            return
        if (slept := now.slept - before.slept) > SUSPENDED_S:
            self._tell(HubFault.SUSPENDED, microseconds(now.utc - slept), microseconds(now.utc))
        if abs(step := now.offset - before.offset) > STEP_S:
            self._tell(HubFault.CLOCK_STEP, microseconds(now.utc - step), microseconds(now.utc))

    # Every few seconds -------------------------------------------------------------------------------------------

    async def _looks(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    seen = await asyncio.to_thread(self._look)
            except TimeoutError:
                _LOGGER.warning("looking at this machine took longer than %.0f s", LOOK_S)
            else:
                self._take(seen)
            await self._sleep(LOOK_S)

    def _look(self) -> _Look:
        return _Look(process_load.load(), clock_sync.kept(), self._network.any_link_up())

    def _take(self, seen: _Look) -> None:
        before, self._seen = self._seen, seen
        now, now_us = self._clock.monotonic(), microseconds(self._clock.utc())
        if seen.load.cpu_s is not None:
            if self._cpu is not None and now > self._cpu[0]:
                self._cpu_percent = round(max(seen.load.cpu_s - self._cpu[1], 0.0) / (now - self._cpu[0]) * 100, 1)
            self._cpu = now, seen.load.cpu_s
        up_at = now_us if self._up_at is None else self._up_at
        if seen.link is False and before.link is not False:
            self._tell(HubFault.NETWORK_DOWN, up_at, now_us)
        elif seen.link and before.link is False:
            self._tell(HubFault.NETWORK_UP, up_at, now_us)
        if seen.link or self._up_at is None:
            self._up_at = now_us

    def _tell(self, fault: HubFault, began_us: int, ended_us: int) -> None:
        now = self._clock.monotonic()
        if now - self._said.get(fault, float("-inf")) >= SAID_S:
            self._said[fault] = now
            _LOGGER.warning("this machine: %s of %.1f s", fault.value, (ended_us - began_us) / 1e6)
        self._told({"fault": fault.value, "began": began_us, "ended": ended_us})


@dataclass(frozen=True, slots=True)
class _Clocks:
    """How the clocks stand: UTC now, seconds ever suspended, and UTC less the clock that goes on meanwhile."""

    utc: float
    slept: float
    offset: float


def _clocks(clock: MachineClock) -> _Clocks | None:
    """Read them all at one time; None if we were held up between one and the next again and again."""
    for _ in range(_TRIES):
        boot, monotonic, utc = clock.boottime(), clock.monotonic(), clock.utc()
        if clock.boottime() - boot <= _APART_S:
            return _Clocks(utc, boot - monotonic, utc - boot)
    return None
