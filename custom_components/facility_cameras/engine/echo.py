"""One ping, where the system lets an ordinary user send one (`net.ipv4.ping_group_range`)."""

import asyncio
import os
import socket
import struct

#: An answer is looked at up to this many bytes.
_MOST = 512
_REQUEST_4, _ANSWER_4 = 8, 0
_REQUEST_6, _ANSWER_6 = 128, 129


async def echo(family: int, address: tuple[object, ...], timeout: float) -> bool | None:
    """Whether this address (of a `getaddrinfo`) answers within `timeout` seconds; None if we may not ask."""
    six = family == socket.AF_INET6
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
    except OSError:
        return None
    with sock:
        sock.setblocking(False)
        loop, mark = asyncio.get_running_loop(), os.urandom(8)
        try:
            sock.connect(address)  # sends nothing
            async with asyncio.timeout(timeout):
                # The kernel fills in the checksum and an identifier, and hands us only answers to it.
                await loop.sock_sendall(
                    sock, struct.pack("!BBHHH", _REQUEST_6 if six else _REQUEST_4, 0, 0, 0, 1) + mark
                )
                while True:
                    answer = await loop.sock_recv(sock, _MOST)
                    if answer[:1] == bytes([_ANSWER_6 if six else _ANSWER_4]) and answer[8:] == mark:
                        return True
        except TimeoutError:
            return False
        except OSError:
            return False  # a router said that nobody is there
