"""The re-stream: whoever looks live is served from what was received once, by a small RTSP server."""

from .server import Restream

__all__ = ["Restream"]
