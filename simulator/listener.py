"""A TCP port that can be open, closed, or as if the cable were out.

Closed, a connection is refused at once and nobody else can take the port. Deaf, not even a connection is answered:
the queue of waiting connections is full, and Linux drops what does not fit.
"""

import asyncio
from collections.abc import Callable
import contextlib
import socket

_BACKLOG = 128
#: One waits in a queue of length 0, the next is dropped; one more in case the first was just being taken.
_FILLERS = 3


class Listener:
    """Accepts connections and makes a protocol for each."""

    def __init__(self, host: str, port: int, factory: Callable[[], asyncio.Protocol]) -> None:
        """Take the port; 0 is one that the system chooses. OSError if it is taken."""
        self._factory = factory
        # Bound but never listening: keeps the port ours while it is closed.
        self._reserve = _bind(host, port)
        self.host, self.port = host, int(self._reserve.getsockname()[1])
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None
        self._fillers: list[socket.socket] = []

    def open(self) -> None:
        """Answer connections."""
        for filler in self._fillers:
            filler.close()
        self._fillers = []
        if self._socket is None:
            self._socket = _bind(self.host, self.port)
        self._socket.listen(_BACKLOG)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._accept(self._socket))

    def shut(self) -> None:
        """Refuse connections."""
        self._stop()
        for filler in self._fillers:
            filler.close()
        self._fillers = []
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def deafen(self) -> None:
        """Answer nothing, not even that nobody is there."""
        if self._socket is None:
            return
        self._stop()
        self._socket.listen(0)
        for _ in range(_FILLERS):
            filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect((self.host, self.port))
            self._fillers.append(filler)

    def close(self) -> None:
        """Give the port back."""
        self.shut()
        self._reserve.close()

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listening)
            except ConnectionError:
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.connect_accepted_socket(self._factory, sock)


def _bind(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
