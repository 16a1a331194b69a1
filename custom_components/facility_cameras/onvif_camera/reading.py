"""Read what a camera tells about itself through ONVIF.

One call does it: `read_device`. It imports and loads the ONVIF library in a thread, so it never blocks the event loop,
and it ends within 45 s. A login is sent once as WS-Security and, only if that is refused, once as HTTP digest: cameras
lock accounts after five tries. Nothing is ever changed at the camera.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from .address import parse_address
from .device import Device
from .errors import OnvifCause, OnvifError

SURVEY_S = 45.0
#: Where cameras answer ONVIF, most usual first (CAMERAS.md O5).
USUAL_PORTS = (80, 8000, 2020, 8899, 8080, 5000, 6688, 10080)


async def read_device(
    address: str,
    username: str = "",
    password: str = "",
    *,
    port: int | None = None,
    usual_ports: Sequence[int] = USUAL_PORTS,
) -> Device:
    """Find the ONVIF service at `address`, log in, and read everything.

    `address` is a host name, an IP address, host:port, or http(s)://host:port/path as discovery gives it. A port given
    in it or as `port` is the only one tried (behind a router another port may be another camera); without one the
    usual ports are asked for their time, without login, and the first in the list that answers is taken.
    Raises OnvifError and nothing else.
    """
    survey = await asyncio.to_thread(_load)
    try:
        async with asyncio.timeout(SURVEY_S):
            return await survey(address, username, password, port, usual_ports)
    except TimeoutError:
        raise OnvifError(OnvifCause.NO_ANSWER, host=parse_address(address, port).host, port=str(port or "")) from None


def _load() -> Callable[[str, str, str, int | None, Sequence[int]], Awaitable[Device]]:
    """The survey; importing it takes about a second the first time."""
    from .survey import survey

    return survey
