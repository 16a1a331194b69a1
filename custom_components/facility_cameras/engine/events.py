"""The event stream: every reader gets everything from its snapshot on, or is cut off. A reader is an attached hub.

Promise I7: a reader that does not read is bounded at 2,000 events.
"""

import asyncio
from collections.abc import Callable

from .api_events import Event

QUEUED = 2_000


class Events:
    """The readers of the event stream, and since when there is none."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Begin without a reader."""
        self._monotonic = monotonic
        self._readers: dict[asyncio.Queue[Event | None], Callable[[], None]] = {}
        self._alone_since = monotonic()

    def attach(self, cut_off: Callable[[], None]) -> asyncio.Queue[Event | None]:
        """A new reader's queue; None in it is the end. `cut_off` is called when the reader does not read."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(QUEUED)
        self._readers[queue] = cut_off
        return queue

    def detach(self, queue: asyncio.Queue[Event | None]) -> None:
        """A reader is gone."""
        if self._readers.pop(queue, None) is not None and not self._readers:
            self._alone_since = self._monotonic()

    def tell(self, event: Event) -> None:
        """Give an event to every reader."""
        for queue, cut_off in tuple(self._readers.items()):
            if queue.full():
                self.detach(queue)
                queue.get_nowait()
                queue.put_nowait(None)
                cut_off()
            else:
                queue.put_nowait(event)

    def close(self) -> None:
        """End every reader's stream."""
        for queue in tuple(self._readers):
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(None)

    @property
    def readers(self) -> int:
        """How many read."""
        return len(self._readers)

    @property
    def alone_s(self) -> float:
        """Seconds without any reader."""
        return 0.0 if self._readers else self._monotonic() - self._alone_since
