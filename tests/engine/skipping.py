"""An event loop whose time leaps over what nobody does anything in: a month of waiting takes seconds.

Everything else is real: sockets, tasks, the order of timers. While `skipping`, time passes only where the loop would
sleep, and never while a connection is under way or a thread works for the loop.
"""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
import selectors
import socket
import time
from typing import Any

#: Files that the loop itself waits for: the pipe to itself.
_OWN_FILES = 1


class _Workers(ThreadPoolExecutor):
    """Threads, and whether they have work."""

    busy = 0

    def submit[**P, T](self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        self.busy += 1
        future = super().submit(call, *args, **kwargs)
        future.add_done_callback(self._done)
        return future

    def _done(self, _future: Future[Any]) -> None:
        self.busy -= 1


class _Selector(selectors.EpollSelector):
    """Where the loop waits: instead of that, time may pass."""

    skipped = 0.0
    skipping = False
    workers: _Workers | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        idle = len(self.get_map()) <= _OWN_FILES and not (self.workers and self.workers.busy)
        if not self.skipping or not idle or timeout is None or timeout <= 0:
            return super().select(timeout)
        if found := super().select(0):
            return found
        self.skipped += timeout
        return []


class SkippingLoop(asyncio.SelectorEventLoop):
    """The loop; also an engine's clock."""

    def __init__(self) -> None:
        self._waiting = _Selector()
        super().__init__(self._waiting)
        self._waiting.workers = _Workers(2)
        self.set_default_executor(self._waiting.workers)
        self._began = time.time() - time.monotonic()
        #: When connections were tried, while somebody looks.
        self.on_connect: Callable[[float], None] = lambda _now: None

    def time(self) -> float:
        return super().time() + self._waiting.skipped

    def monotonic(self) -> float:
        return self.time()

    def utc(self) -> float:
        return self._began + self.time()

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        # Addresses in figures need no thread, which would take longer than everything else.
        return socket.getaddrinfo(host, port, **how, flags=socket.AI_NUMERICHOST)

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self.on_connect(self.time())
        await super().sock_connect(sock, address)

    @contextmanager
    def leaping(self) -> Iterator[None]:
        """Let time leap within the block."""
        self._waiting.skipping = True
        try:
            yield
        finally:
            self._waiting.skipping = False
