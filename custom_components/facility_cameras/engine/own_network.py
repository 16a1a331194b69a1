"""What the kernel tells of this machine's own network: links, routes, neighbours. Nothing is sent.

Lines that cannot be read are left out, and no file is read past a bound: in a container they may be missing or odd.
"""

from dataclasses import dataclass
from enum import Enum
import errno
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
import sys

#: No file is read past this many bytes; some 8,000 routes.
MOST_BYTES = 1 << 20
#: More interfaces than this are not looked at.
MOST_LINKS = 256
_GATEWAY, _REJECT, _UP = 0x2, 0x200, 0x1
_COMPLETE, _PERMANENT = 0x2, 0x4

type Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Route:
    """The way to an address: through which interface, and through which router (None: the same network)."""

    link: str
    gateway: Address | None


class Neighbour(Enum):
    """What is known of who has an address in our own network."""

    NOT_ASKED = "not asked"
    SILENT = "silent"  # asked for, and nobody has answered
    KNOWN = "known"  # somebody answered, within the last minute while we send to it


class OwnNetwork:
    """The kernel's files. Every method blocks for a moment."""

    def __init__(self, proc: Path = Path("/proc/net"), links: Path = Path("/sys/class/net")) -> None:
        """Read `route`, `ipv6_route` and `arp` in `proc`, and a folder per interface in `links`."""
        self._proc = proc
        self._links = links

    def route(self, address: Address) -> Route | None:
        """The most precise way to this address in the main table; None if there is none."""
        if address.version == 4:
            return route_4(_read(self._proc / "route"), address)
        return route_6(_read(self._proc / "ipv6_route"), address)

    def neighbour(self, address: Address, link: str) -> Neighbour:
        """Who has this address, by ARP. Of IPv6 the kernel shows no such file: NOT_ASKED."""
        return neighbour(_read(self._proc / "arp"), address, link)

    def link_up(self, link: str) -> bool | None:
        """Whether this interface is on and has a carrier; None if that is not told."""
        # A name out of a file is looked up, never joined.
        return self._carrier(link) if link in self._names() else None

    def any_link_up(self) -> bool | None:
        """Whether any interface that leads out of this machine has a carrier; None if there is none to look at.

        That is what has a device behind it: bridges and pairs between containers are always up. In a container nothing
        has one: there every interface but the loopback counts.
        """
        names = [name for name in self._names() if not self._loopback(name)]
        real = [name for name in names if (self._links / name / "device").exists()]
        told = [up for name in real or names if (up := self._carrier(name)) is not None]
        return any(told) if told else None

    def _carrier(self, link: str) -> bool | None:
        try:
            return (self._links / link / "carrier").read_bytes()[:2].strip() == b"1"
        except OSError as error:
            # So the kernel answers for an interface that is switched off.
            return False if error.errno == errno.EINVAL else None

    def _names(self) -> list[str]:
        try:
            return sorted(path.name for path in self._links.iterdir())[:MOST_LINKS]
        except OSError:
            return []

    def _loopback(self, link: str) -> bool:
        # 772 is ARPHRD_LOOPBACK.
        try:
            return (self._links / link / "type").read_bytes()[:8].strip() == b"772"
        except OSError:
            return False


def _read(path: Path) -> list[list[str]]:
    """The file's lines as words; empty if it is not there. A line that the bound cuts is left out."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError:
        return []
    if len(text) > MOST_BYTES:
        text = text[: text.rfind(b"\n") + 1]
    return [line.split() for line in text.decode("ascii", "replace").splitlines()]


def route_4(lines: list[list[str]], address: Address) -> Route | None:
    """Find the way in the words of /proc/net/route."""
    found: list[tuple[int, int, Route]] = []
    for line in lines:
        try:
            link, target, gateway, flags, _, _, metric, mask = line[:8]
            target_n, mask_n, flags_n = _word(target), _word(mask), int(flags, 16)
            route = Route(link, IPv4Address(_word(gateway)) if flags_n & _GATEWAY else None)
            if flags_n & _UP and not flags_n & _REJECT and int(address) & mask_n == target_n:
                found.append((-mask_n, int(metric), route))
        except ValueError:
            continue
    return min(found, key=lambda each: each[:2])[2] if found else None


def _word(text: str) -> int:
    """An address as the kernel prints it: its bytes as one number of this machine. Raises ValueError."""
    octets = bytes.fromhex(text)
    if len(octets) != 4:
        raise ValueError("no address")
    return int.from_bytes(octets, sys.byteorder)


def route_6(lines: list[list[str]], address: Address) -> Route | None:
    """Find the way in the words of /proc/net/ipv6_route."""
    found: list[tuple[int, int, Route]] = []
    for line in lines:
        try:
            target, length, _, _, gateway, metric, _, _, flags, link = line[:10]
            bits, flags_n = int(length, 16), int(flags, 16)
            if len(target) != 32 or len(gateway) != 32 or not 0 <= bits <= 128:
                continue
            route = Route(link, IPv6Address(int(gateway, 16)) if flags_n & _GATEWAY else None)
            shift = 128 - bits
            if flags_n & _UP and not flags_n & _REJECT and int(address) >> shift == int(target, 16) >> shift:
                found.append((-bits, int(metric, 16), route))
        except ValueError:
            continue
    return min(found, key=lambda each: each[:2])[2] if found else None


def neighbour(lines: list[list[str]], address: Address, link: str) -> Neighbour:
    """Find who has an address in the words of /proc/net/arp."""
    for line in lines:
        try:
            who, _, flags, _, _, through = line[:6]
            if through != link or ip_address(who) != address:
                continue
            flags_n = int(flags, 16)
        except ValueError:
            continue
        if flags_n & _PERMANENT:
            return Neighbour.NOT_ASKED  # set by hand: nobody answered
        return Neighbour.KNOWN if flags_n & _COMPLETE else Neighbour.SILENT
    return Neighbour.NOT_ASKED
