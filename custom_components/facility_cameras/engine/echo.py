"""One ping, where the system lets an ordinary user send one (`net.ipv4.ping_group_range`)."""

import asyncio
import socket
import struct

#: An answer is looked at up to this many bytes.
_MOST = 512
_REQUEST_4, _REQUEST_6 = 8, 128


async def echo(family: int, address: tuple[object, ...], timeout: float) -> bool | None:
    """Whether this address (of a `getaddrinfo`) answers within `timeout` seconds; None if we may not ask."""
    six = family == socket.AF_INET6
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    except OSError:
        return None
    with sock:
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            sock.connect(address)  # sends nothing
            async with asyncio.timeout(timeout):
                # The kernel fills in checksum and identifier, and hands us nothing but the answer to it.
                await loop.sock_sendall(sock, struct.pack("!BBHHHQ", _REQUEST_6 if six else _REQUEST_4, 0, 0, 0, 1, 0))
                await loop.sock_recv(sock, _MOST)
        except OSError:
            return False  # no answer in time, or a router said that nobody is there
        return True
