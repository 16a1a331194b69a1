"""The event stream: every reader gets everything from its snapshot on, or is cut off. A reader is an attached hub.

Promise I7: a reader that does not read is bounded at 2,000 events.
"""

import asyncio
from collections.abc import Callable

from .api import Event

QUEUED = 2_000


class Events:
    """The readers of the event stream, and since when there is none."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Begin without a reader."""
        self._monotonic = monotonic
        self._readers: set[asyncio.Queue[Event | None]] = set()
        self._alone_since = monotonic()

    def attach(self) -> asyncio.Queue[Event | None]:
        """A new reader's queue; None in it is the end."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(QUEUED)
        self._readers.add(queue)
        return queue

    def detach(self, queue: asyncio.Queue[Event | None]) -> None:
        """A reader is gone."""
        self._readers.discard(queue)
        if not self._readers:
            self._alone_since = self._monotonic()

    def tell(self, event: Event) -> None:
        """Give an event to every reader."""
        for queue in tuple(self._readers):
            if queue.full():
                self.detach(queue)
                queue.get_nowait()
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)

    def close(self) -> None:
        """End every reader's stream."""
        for queue in tuple(self._readers):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(None)

    @property
    def alone_s(self) -> float:
        """Seconds without any reader."""
        return 0.0 if self._readers else self._monotonic() - self._alone_since
