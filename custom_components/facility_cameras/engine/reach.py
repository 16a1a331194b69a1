"""How far the way to a camera that does not answer is whole: this machine, the router, the device, its other services.

Promise I8 (polite): one look takes at most 3 s, `MOST_CONNECTS` connections of 1 s and two pings; a few looks at a
time; what was found holds for a while, so that whoever asks again costs nothing. Nothing is sent where our own link is
down, and nothing to the camera where the router is away. A guess is never told as found: it is `unclear`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
import logging
import socket

from .api import Reach
from .clock import Clock
from .echo import echo
from .own_network import Address, Neighbour, OwnNetwork, Route

_LOGGER = logging.getLogger(__name__)

#: Web, RTSP and what makers use of their own: a camera or recorder that lives answers or refuses one of these.
KNOWN_PORTS = (80, 443, 554, 8000, 8554, 8899, 37777)
#: A router answers, or refuses, one of these.
ROUTER_PORTS = (53, 80)
#: Of one look, to the camera and to the router.
MOST_CONNECTS = 1 + len(KNOWN_PORTS) + len(ROUTER_PORTS)
#: Seconds for a whole look.
MOST_S = 3.0
#: Seconds for one connection or ping, and for a neighbour's second chance: ARP asks once a second.
CONNECT_S, ASK_AGAIN_S = 1.0, 0.9
#: The kernel believes a neighbour for up to 45 s, waits 5 s and asks three times: that it still knows one means
#: something only of a camera that we have been trying to reach for so many seconds.
BELIEVED_S = 60.0
#: Looks at once, seconds for which a finding holds, and how many findings are kept.
AT_ONCE, HOLDS_S, MOST_KEPT = 4, 10.0, 512
#: When to look again while the outage lasts, in seconds after the look before; the last one again and again.
LOOK_AGAIN_S = (15.0, 45.0, 60.0, 300.0, 900.0)


class Answer(Enum):
    """What a connection met."""

    OPEN = "open"
    REFUSED = "refused"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at one address of our network, or at a router, found. `pinged` is None where we may not ping."""

    answers: dict[int, Answer]
    pinged: bool | None
    neighbour: Neighbour

    @property
    def alive(self) -> bool:
        """Something came back."""
        return bool(self.pinged) or any(answer is not Answer.NONE for answer in self.answers.values())


@dataclass(slots=True)
class _Kept:
    """A finding: until when it holds (monotonic s), and the lock under which it is made."""

    lock: asyncio.Lock
    until: float = float("-inf")
    found: Reach | Seen | None = None


class Looks:
    """All looks of the engine. `network` is the machine's own."""

    def __init__(self, clock: Clock, network: OwnNetwork | None = None) -> None:
        """Nothing is looked at yet."""
        self._clock = clock
        self._network = network or OwnNetwork()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._kept: dict[tuple[str, int], _Kept] = {}

    async def look(self, host: str, port: int, away_s: float) -> Reach:
        """How far the way to `port` of `host` is whole, for a camera that was tried without an answer for `away_s`."""
        kept = self._keep(host, port)
        async with kept.lock:
            if self._clock.monotonic() < kept.until and isinstance(kept.found, Reach):
                return kept.found
            found = Reach.UNCLEAR
            async with self._places:
                try:
                    async with asyncio.timeout(MOST_S):
                        found = await self._look(host, port, away_s)
                except* OSError as errors:
                    # Out of time, or out of file handles: that says nothing of the camera.
                    _LOGGER.debug("looking for %s came to no end: %s", host, errors.exceptions)
            kept.found, kept.until = found, self._clock.monotonic() + HOLDS_S
            return found

    def _keep(self, host: str, port: int) -> _Kept:
        """The place for a finding; old ones make room."""
        kept = self._kept.pop((host, port), None) or _Kept(asyncio.Lock())
        self._kept[host, port] = kept
        if len(self._kept) > MOST_KEPT:
            for key, other in tuple(self._kept.items())[: MOST_KEPT // 2]:
                if not other.lock.locked():
                    del self._kept[key]
        return kept

    async def _look(self, host: str, port: int, away_s: float) -> Reach:
        if (target := await _resolved(host, port)) is None:
            up = await asyncio.to_thread(self._network.any_link_up)
            return Reach.OWN_NETWORK if up is False else Reach.UNCLEAR
        family, place = target
        address = ip_address(str(place[0]).partition("%")[0])
        if address.is_loopback or address.is_unspecified or address.is_multicast:
            return Reach.UNCLEAR
        if not _has_way(family, place):
            return Reach.OWN_NETWORK
        route = await asyncio.to_thread(self._network.route, address)
        if route is not None and await asyncio.to_thread(self._network.link_up, route.link) is False:
            return Reach.OWN_NETWORK
        router = None
        if route is not None and route.gateway is not None:
            router = await self._router(route.gateway, route.link)
            if not router.alive and router.neighbour is Neighbour.SILENT:
                return Reach.GATEWAY
        ports = tuple(dict.fromkeys((port, *KNOWN_PORTS)))
        camera = await self._see(family, place, ports, route, address)
        return verdict(port, camera, route, router, away_s)

    async def _router(self, gateway: Address, link: str) -> Seen:
        """A router, seen just now: many cameras lie behind one."""
        kept = self._keep(f"{gateway}%{link}", 0)
        async with kept.lock:
            if self._clock.monotonic() < kept.until and isinstance(kept.found, Seen):
                return kept.found
            family = socket.AF_INET if gateway.version == 4 else socket.AF_INET6
            name = f"{gateway}%{link}" if gateway.is_link_local and gateway.version == 6 else str(gateway)
            target = await _resolved(name, 0)
            place = target[1] if target is not None else (str(gateway), 0)
            found = await self._see(family, place, ROUTER_PORTS, Route(link, None), gateway)
            kept.found, kept.until = found, self._clock.monotonic() + HOLDS_S
            return found

    async def _see(
        self, family: int, place: tuple[object, ...], ports: Sequence[int], near: Route | None, address: Address
    ) -> Seen:
        """Try all ports and a ping at once; then, `near`, whether somebody has the address at all."""
        async with asyncio.TaskGroup() as group:
            pinged = group.create_task(echo(family, (place[0], 0, *place[2:]), CONNECT_S))
            tries = {port: group.create_task(_try(family, (place[0], port, *place[2:]))) for port in ports}
        seen = Seen({port: task.result() for port, task in tries.items()}, pinged.result(), Neighbour.NOT_ASKED)
        if near is None or seen.alive:
            return seen
        known = await asyncio.to_thread(self._network.neighbour, address, near.link)
        if known is Neighbour.SILENT:
            await asyncio.sleep(ASK_AGAIN_S)
            known = await asyncio.to_thread(self._network.neighbour, address, near.link)
        return Seen(seen.answers, seen.pinged, known)


def verdict(port: int, camera: Seen, route: Route | None, router: Seen | None, away_s: float) -> Reach:
    """What the observations mean for a camera whose `port` did not answer for `away_s` seconds."""
    known_long = away_s >= BELIEVED_S
    if camera.answers.get(port) is Answer.OPEN:
        return Reach.DEVICE_HUNG  # the system below lives, and the service says nothing
    if any(answer is not Answer.NONE for answer in camera.answers.values()):
        return Reach.OTHER_PORT
    if camera.pinged:
        return Reach.DEVICE_HUNG
    if router is not None:
        # Of one that is away it was said before.
        believed = router.neighbour is Neighbour.KNOWN and known_long
        return Reach.BEYOND if router.alive or believed else Reach.UNCLEAR
    if route is None or camera.neighbour is Neighbour.NOT_ASKED:
        return Reach.UNCLEAR
    if camera.neighbour is Neighbour.SILENT:
        return Reach.DEVICE_GONE
    return Reach.DEVICE_HUNG if known_long else Reach.UNCLEAR


async def _resolved(host: str, port: int) -> tuple[int, tuple[object, ...]] | None:
    """Family and address of a host; None if its name is not found in time."""
    try:
        async with asyncio.timeout(CONNECT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError, UnicodeError, ValueError:
        return None
    return (found[0][0], found[0][4]) if found else None


def _has_way(family: int, place: tuple[object, ...]) -> bool:
    """Whether the kernel knows a way to an address at all. Nothing is sent."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((place[0], 9, *place[2:]))
        except OSError:
            return False
    return True


async def _try(family: int, place: tuple[object, ...]) -> Answer:
    """One connection, closed at once."""
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().sock_connect(sock, place)
        except ConnectionRefusedError:
            return Answer.REFUSED
        except OSError:
            return Answer.NONE  # no answer in time, or a router that says so
        return Answer.OPEN
