"""How packets leave: between the answers of an RTSP connection (RFC 2326, 10.12), or by UDP."""

from collections.abc import Callable
import itertools
import socket
from typing import Protocol

from .packets import HEADER

#: A receiver that is so many bytes behind loses pictures.
SEND_BUFFER = 2 << 20
_PORT_TRIES = 50


class Wire(Protocol):
    """An RTSP connection as a route sees it."""

    def write(self, data: bytes | bytearray) -> None:
        """Send, or swallow, as the camera's faults want it."""

    @property
    def backlog(self) -> int:
        """Bytes written but not yet taken by the system."""


class Interleaved:
    """Packets between the answers of a connection."""

    needs_bounds = False

    def __init__(self, wire: Wire, channel: int) -> None:
        """Media go to `channel`, RTCP to the next one."""
        self.wire = wire
        self.channel = channel

    def media(self, frames: bytearray, _bounds: list[int] | None, /) -> bool:
        """See `media.Route`."""
        if self.wire.backlog > SEND_BUFFER:
            return False
        self.wire.write(frames)
        return True

    def report(self, packet: bytes) -> None:
        """See `media.Route`."""
        self.wire.write(bytes((0x24, self.channel + 1)) + len(packet).to_bytes(2) + packet)

    def close(self) -> None:
        """See `media.Route`."""


class Datagrams:
    """Packets by UDP, from an even port and the odd one after it."""

    needs_bounds = True
    channel = 0

    def __init__(self, host: str, peer: str, ports: tuple[int, int], *, silent: Callable[[], bool]) -> None:
        """Send from `host` to `ports` (media, RTCP) of `peer` while `silent` says no. OSError if no ports are free."""
        self._peer, self._ports, self._silent = peer, ports, silent
        self.sockets = _pair(host)
        self.ports: tuple[int, int] = (self.sockets[0].getsockname()[1], self.sockets[1].getsockname()[1])

    def media(self, frames: bytearray, bounds: list[int] | None, /) -> bool:
        """See `media.Route`. The four bytes of interleaved framing are left out."""
        view = memoryview(frames)
        for first, last in itertools.pairwise(bounds or ()):
            self._send(0, view[first + HEADER - 12 : last])
        return True

    def report(self, packet: bytes) -> None:
        """See `media.Route`."""
        self._send(1, packet)

    def close(self) -> None:
        """See `media.Route`."""
        for sock in self.sockets:
            sock.close()

    def heard(self) -> bool:
        """True if the receiver sent an RTCP packet since the last call."""
        heard = False
        try:
            while self.sockets[1].fileno() >= 0 and self.sockets[1].recv(2048):
                heard = True
        except OSError:
            # Nothing more to read, or the receiver's port is closed.
            return heard
        return heard

    def _send(self, which: int, packet: bytes | memoryview) -> None:
        if self._silent() or self.sockets[which].fileno() < 0:
            return
        try:
            self.sockets[which].sendto(packet, (self._peer, self._ports[which]))
        except OSError:
            # The receiver's port is closed or its buffer full: as on any network, the packet is lost.
            return


def _pair(host: str) -> tuple[socket.socket, socket.socket]:
    for _ in range(_PORT_TRIES):
        first = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            first.bind((host, 0))
            port = first.getsockname()[1]
            if port % 2 == 0:
                second.bind((host, port + 1))
                first.setblocking(False)
                second.setblocking(False)
                return first, second
        except OSError:
            # The neighbour is taken.
            pass
        first.close()
        second.close()
    raise OSError("no pair of UDP ports is free")
