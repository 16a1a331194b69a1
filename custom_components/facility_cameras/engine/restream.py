"""Re-stream: an RTSP server on loopback that hands on what was received once. Interface first; the body follows."""

from collections.abc import Callable

from .feed import Feed


class Restream:
    """Serves rtsp://viewer:SECRET@HOST:PORT/{camera id} from the feeds."""

    def __init__(self, feeds: Callable[[str], Feed | None]) -> None:
        """`feeds` gives the feed of a camera's id, or None if there is no such camera."""
        self._feeds = feeds

    async def start(self, host: str, port: int, secret: str) -> int:
        """Listen on `port`, or on another if it is taken or 0; returns the port. Raises OSError if none can be had."""
        raise NotImplementedError

    async def close(self) -> None:
        """End all viewers and the server."""
