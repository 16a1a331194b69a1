"""The timed reads: all sockets every 200 ms, those that somebody watches every 40 ms. DESIGN: why our own receiver.

One large read now and then costs a tenth of what a read per packet costs. Promise I7: each read runs as a call of its
own in the event loop, so that one that fails holds up none of the others.
"""

import asyncio
from collections.abc import Callable

CALM_S = 0.2
LIVE_S = 0.04


class Ticker:
    """Calls what was added, again and again, while it runs."""

    def __init__(self) -> None:
        """Begin with nothing to call."""
        self._calls: dict[Callable[[], None], bool] = {}
        self._handle: asyncio.TimerHandle | None = None
        self._round = 0

    def add(self, call: Callable[[], None], *, live: bool) -> None:
        """Call this from now on; `live`: more often. Adding it again changes only that."""
        self._calls[call] = live
        if self._handle is None or live:
            self._schedule()

    def remove(self, call: Callable[[], None]) -> None:
        """Call this no more."""
        self._calls.pop(call, None)

    def close(self) -> None:
        """Stop."""
        self._calls.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _schedule(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        any_live = any(self._calls.values())
        # The calm rounds are every fifth of the live ones.
        self._round = self._round if any_live else 0
        self._handle = asyncio.get_running_loop().call_later(LIVE_S if any_live else CALM_S, self._tick)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        calm_too = self._round % round(CALM_S / LIVE_S) == 0
        self._round += 1
        for call, live in self._calls.items():
            if live or calm_too:
                loop.call_soon(call)
        self._handle = None
        if self._calls:
            self._schedule()
