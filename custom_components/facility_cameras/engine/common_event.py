"""What is kept of cameras, faults and events while causes in common are looked for. Times are monotonic seconds."""

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
import uuid

from .api import Reach
from .api_health import CommonCause, CommonKind, LikelyCause


def network_of(host: str) -> str:
    """The network segment of an address: /24, with IPv6 /64; empty for a name."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            return f"{IPv6Address(int(address) >> 64 << 64)}/64"
        address = address.ipv4_mapped
    return f"{str(address).rpartition('.')[0]}.0/24"


@dataclass(frozen=True, slots=True)
class Group:
    """Cameras that have something in common: of a facility, and of a network or host in it."""

    kind: CommonKind
    facility: str = ""
    network: str = ""
    host: str = ""

    def holds(self, place: Place) -> bool:
        """Whether a camera is one of them."""
        return (
            (not self.facility or self.facility == place.facility)
            and (not self.network or self.network == place.network)
            and (not self.host or self.host == place.host)
        )


HUB = Group(CommonKind.HUB)


@dataclass(slots=True)
class Place:
    """A camera: where it is, whether it is connected (None: not known yet), when it went last."""

    facility: str
    host: str
    network: str
    connected: bool | None = None
    went: float = float("-inf")
    went_us: int = 0
    reach: Reach = Reach.UNCLEAR


@dataclass(slots=True)
class Fault:
    """A fault of the hub: cameras that went from `since` on, until some time after `until` (None: it lasts)."""

    likely: LikelyCause
    since: float
    until: float | None
    began_us: int


@dataclass(slots=True)
class Event:
    """Cameras that went together."""

    group: Group
    likely: LikelyCause
    began: float
    began_us: int
    joined: float
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    #: In the order in which they went.
    cameras: dict[str, None] = field(default_factory=dict)
    #: Since when most are back, and since when the hub's own fault is over.
    calm: float | None = None
    calm_us: int = 0
    over: float | None = None
    told: CommonCause | None = None

    def tell(self, total: int, ended_us: int | None = None, part_of: str = "") -> CommonCause:
        """The event for the API."""
        return {
            "id": self.id,
            "kind": self.group.kind.value,
            "likely": self.likely.value,
            "facility": self.group.facility,
            "host": self.group.host,
            "network": self.group.network,
            "cameras": list(self.cameras),
            "total": total,
            "began": self.began_us,
            "ended": ended_us,
            "part_of": part_of,
        }
