"""The server of the re-stream: listens, and keeps count of who looks.

rtsp://viewer:SECRET@HOST:PORT/{camera id}, RTSP/1.0 over TCP with interleaved channels. It needs no recording, only
feeds; one slow or hostile viewer costs the others nothing (promises I7, I8).
"""

import asyncio
from collections.abc import Callable
import contextlib
import logging
import time

from ..feed import Feed
from .connection import Connection
from .request import HEAD_BYTES

_LOGGER = logging.getLogger(__name__)

#: At 64 cameras two viewers each, and as many strangers again.
CONNECTIONS_MAX = 256
#: go2rtc closes after 5 s without a byte.
TICK_S = 2.0


class Restream:
    """Hands on what the feeds receive to RTSP viewers."""

    def __init__(self, feeds: Callable[[str], Feed | None]) -> None:
        """`feeds` gives the feed of a camera's id, or None if there is no such camera (any more)."""
        self._feeds = feeds
        #: May be changed at any time: whoever comes then needs the new one.
        self.secret = ""
        self._server: asyncio.Server | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._connections: dict[Connection, asyncio.Task[None]] = {}

    async def start(self, host: str, port: int, secret: str) -> int:
        """Listen on `port`, or on another if it is 0 or taken; returns the port. Raises OSError."""
        self.secret = secret
        try:
            self._server = await asyncio.start_server(self._accept, host, port, limit=HEAD_BYTES)
        except OSError:
            if port == 0:
                raise
            _LOGGER.warning("Port %d of the re-stream is taken: another is used", port)
            self._server = await asyncio.start_server(self._accept, host, 0, limit=HEAD_BYTES)
        self._ticker = asyncio.create_task(self._tick())
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """End all viewers and the server."""
        if self._ticker is not None:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
        if self._server is not None:
            self._server.close()
        tasks = list(self._connections.values())
        for connection in list(self._connections):
            connection.abort()
        await asyncio.gather(*tasks)
        if self._server is not None:
            await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= CONNECTIONS_MAX:
            _LOGGER.warning("More than %d viewers: one was turned away", CONNECTIONS_MAX)
            writer.close()
            return
        connection = Connection(reader, writer, self.secret, self._feeds)
        task = asyncio.current_task()
        assert task is not None
        self._connections[connection] = task
        try:
            await connection.run()
        finally:
            del self._connections[connection]

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            for connection in tuple(self._connections):
                viewer = connection.viewer
                if viewer is None or not viewer.playing:
                    continue
                if self._feeds(viewer.camera_id) is viewer.feed:
                    viewer.tick(now)
                else:
                    connection.abort()
