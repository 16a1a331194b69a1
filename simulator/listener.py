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
        """Nothing is taken yet; port 0 is one that the system will choose."""
        self._factory = factory
        self.host, self.port = host, port
        self._reserve: socket.socket | None = None
        self._socket: socket.socket | None = None
        self._answering: set[asyncio.Task[object]] = set()
        self._fillers: list[socket.socket] = []

    def open(self) -> None:
        """Answer connections. OSError if the port is taken by somebody else."""
        if self._reserve is None:
            # Bound but never listening: keeps the port ours while it is closed.
            self._reserve = _bind(self.host, self.port)
            self.port = int(self._reserve.getsockname()[1])
        for filler in self._fillers:
            filler.close()
        self._fillers = []
        if self._socket is None:
            self._socket = _bind(self.host, self.port)
        self._socket.listen(_BACKLOG)
        asyncio.get_running_loop().add_reader(self._socket, self._accept, self._socket)

    def shut(self) -> None:
        """Refuse connections."""
        for filler in self._fillers:
            filler.close()
        self._fillers = []
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def deafen(self) -> None:
        """Answer nothing, not even that nobody is there."""
        if self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
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
        if self._reserve is not None:
            self._reserve.close()
            self._reserve = None

    def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            sock, _ = listening.accept()
        except BlockingIOError, ConnectionError:
            # Whoever came is gone again.
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = loop.create_task(loop.connect_accepted_socket(self._factory, sock))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)


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
