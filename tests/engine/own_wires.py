"""How a camera that does not answer is looked for: `python -m tests.engine.own_wires CASE`, in user, mount and network
namespaces of its own (`unshare -rnm`), so without rights. Exit code 3 where no wire can be laid.
"""

import asyncio
from collections.abc import Awaitable, Callable
import os
import resource
import sys

from custom_components.facility_cameras.engine import process_load
from custom_components.facility_cameras.engine.api import Reach
from custom_components.facility_cameras.engine.own_network import OwnNetwork
from custom_components.facility_cameras.engine.reach import AT_ONCE, BELIEVED_S, MOST_CONNECTS, Looks
from tests.engine.archives import HandClock
from tests.engine.wires import FAR, NEAR, Device, Wire, ip

PORT = 5554


async def found(looks: Looks, expected: dict[str, Reach], away_s: float = 15.0) -> None:
    told = await asyncio.gather(*(looks.look(host, PORT, away_s) for host in expected))
    got = dict(zip(expected, told, strict=True))
    assert got == expected, got


def handles() -> int:
    return process_load.load().handles or 0


async def same_network() -> None:
    wire, looks = Wire(), Looks(HandClock())
    wire.put("10.9.0.2", Device(ping=True))
    wire.put("10.9.0.4", Device(ping=True, ports={80: True}))
    wire.put("10.9.0.5", Device(ports={37777: False}))
    wire.put("10.9.0.6", Device(ports={PORT: True, 80: True}))
    await found(
        looks,
        {
            "10.9.0.2": Reach.DEVICE_HUNG,
            "10.9.0.3": Reach.DEVICE_GONE,
            "10.9.0.4": Reach.OTHER_PORT,
            "10.9.0.5": Reach.OTHER_PORT,
            "10.9.0.6": Reach.DEVICE_HUNG,
        },
    )
    wire.close()


async def without_ping() -> None:
    """Where we may not ping, or it does not answer, the kernel's table counts only once it is sure to be fresh."""
    wire, looks = Wire(may_ping=False), Looks(HandClock())
    wire.put("10.9.0.2", Device(ping=True))
    await found(looks, {"10.9.0.2": Reach.UNCLEAR, "10.9.0.3": Reach.DEVICE_GONE})
    assert not wire.seen["ping"]
    await found(Looks(HandClock()), {"10.9.0.2": Reach.DEVICE_HUNG}, away_s=BELIEVED_S)
    wire.close()


async def just_unplugged() -> None:
    """The kernel goes on believing in a device for most of a minute: that is no answer of the device."""
    wire, clock = Wire(), HandClock()
    looks = Looks(clock)
    wire.put("10.9.0.2", Device(ping=True))
    await found(looks, {"10.9.0.2": Reach.DEVICE_HUNG})
    del wire.devices[next(iter(wire.devices))]
    clock.now += 60
    await found(looks, {"10.9.0.2": Reach.UNCLEAR})
    wire.close()


async def hard_of_hearing() -> None:
    """One lost packet is no reason to say that nobody is there."""
    wire = Wire()
    wire.put("10.9.0.2", Device(deaf=1))
    await found(Looks(HandClock()), {"10.9.0.2": Reach.UNCLEAR})
    wire.close()


async def routers() -> None:
    wire, clock = Wire(), HandClock()
    looks = Looks(clock)
    camera, alive = "192.0.2.17", "192.0.2.18"
    wire.put(alive, Device(ports={443: False}))
    await found(looks, {camera: Reach.GATEWAY, alive: Reach.GATEWAY})
    # Nothing was sent to them, and to the router once.
    assert set(wire.seen) == {"arp"}
    assert wire.seen["arp"] <= 2
    wire.put("10.9.0.254", Device(ping=True))
    clock.now += 60
    await found(looks, {camera: Reach.BEYOND, alive: Reach.OTHER_PORT})
    # A router that answers only who asks for it by ARP.
    wire.put("10.9.0.254", Device())
    clock.now += 60
    await found(looks, {camera: Reach.UNCLEAR, alive: Reach.OTHER_PORT})
    clock.now += 60
    await found(looks, {camera: Reach.BEYOND}, away_s=BELIEVED_S)
    wire.close()


async def own_link() -> None:
    wire, clock = Wire(), HandClock()
    looks = Looks(clock)
    near, far = "10.9.0.2", "192.0.2.17"
    ip("route", "del", "default")
    await found(looks, {far: Reach.OWN_NETWORK})
    assert not wire.seen["arp"]
    ip("route", "add", "default", "via", "10.9.0.254")
    ip("link", "set", FAR, "down")
    clock.now += 60
    await found(looks, {near: Reach.OWN_NETWORK, far: Reach.OWN_NETWORK, "camera.invalid": Reach.OWN_NETWORK})
    ip("link", "set", NEAR, "down")
    assert OwnNetwork().link_up(NEAR) is False
    clock.now += 60
    await found(looks, {near: Reach.OWN_NETWORK})
    wire.close()


async def one_of_two_links() -> None:
    """The cameras' own link is down, and another one is up."""
    wire = Wire()
    ip("link", "add", "name", "other0", "type", "veth", "peer", "name", "other1")
    for name in ("other0", "other1"):
        ip("link", "set", name, "up")
    ip("link", "set", FAR, "down")
    await found(Looks(HandClock()), {"10.9.0.2": Reach.OWN_NETWORK})
    wire.close()


async def six() -> None:
    wire, looks = Wire(), Looks(HandClock())
    wire.put("fd09::2", Device(ping=True))
    wire.put("fd09::3", Device(ports={8000: False}))
    await found(
        looks,
        {
            "fd09::2": Reach.DEVICE_HUNG,
            "fd09::3": Reach.OTHER_PORT,
            "fd09::4": Reach.UNCLEAR,
            "2001:db8::1": Reach.OWN_NETWORK,
        },
    )
    wire.close()


async def polite() -> None:
    """What is sent for a camera, and for 64 that are away with their switch (promise I8)."""
    wire, clock = Wire(), HandClock()
    looks = Looks(clock)
    wire.put("10.9.0.2", Device())
    await asyncio.gather(*(looks.look("10.9.0.2", PORT, 15.0) for _ in range(16)))
    assert wire.seen["ping"] == 1
    assert 0 < wire.seen["syn"] <= MOST_CONNECTS
    await looks.look("10.9.0.2", PORT, 15.0)
    assert wire.seen["syn"] <= MOST_CONNECTS
    wire.seen.clear()
    clock.now += 60
    before = handles()
    hosts = {f"10.9.0.{number}": Reach.DEVICE_GONE for number in range(100, 116)}
    asked = asyncio.create_task(found(looks, hosts))
    most = 0
    while not asked.done():
        most = max(most, handles())
        await asyncio.sleep(0.05)
    await asked
    # A few at a time: nine sockets each.
    assert most <= before + AT_ONCE * (MOST_CONNECTS + 2)
    assert set(wire.seen) == {"arp"}
    assert wire.seen["arp"] <= 3 * len(hosts)
    wire.close()


async def no_handles() -> None:
    """Short of file handles nothing wrong is said, neither of a camera that is there nor of one that is not."""
    wire, looks = Wire(), Looks(HandClock())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = []
    for more in range(3, 16, 2):
        wire.put(f"10.9.0.{more}", Device(ping=True))
        lowest = os.open(os.devnull, os.O_RDONLY)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + more - 2, hard))
        told.append(await looks.look(f"10.9.0.{more}", PORT, 15.0))
        assert told[-1] in (Reach.UNCLEAR, Reach.DEVICE_HUNG)
        assert await looks.look(f"10.9.0.{more + 100}", PORT, 15.0) in (Reach.UNCLEAR, Reach.DEVICE_GONE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(lowest)
    assert (told[0], told[-1]) == (Reach.UNCLEAR, Reach.DEVICE_HUNG)
    wire.close()


CASES: dict[str, Callable[[], Awaitable[None]]] = {case.__name__: case for case in (
    same_network, without_ping, just_unplugged, hard_of_hearing, routers, own_link, one_of_two_links, six, polite, no_handles,
)}  # fmt: skip


async def run(case: str) -> None:
    await CASES[case]()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
