"""How the engine's own machine is, and what many cameras have in common that went away together. See api.py."""

from enum import StrEnum
from typing import TypedDict


class HubHealth(TypedDict):
    """The engine and its machine, now. None where the system does not tell.

    `cpu_percent` of one core, by the engine and its workers, over the last seconds; `loop_lag_ms` is the largest of the
    last minute; `memory_bytes` of the engine and its workers; `handles`: files and sockets that the engine has open.
    `clock_synchronised`: whether some time service keeps the clock right, `clock_error_s` how wrong it may be then,
    `clock_drift_ppm` how wrong it would go without. Since the engine began: `clock_step_s` is by how much the clock was
    set in all, forwards less backwards; `suspended_s` for how long the machine was suspended. `link`: whether any
    network interface has a carrier.
    """

    cpu_percent: float | None
    loop_lag_ms: float
    memory_bytes: int | None
    handles: int | None
    clock_synchronised: bool | None
    clock_error_s: float | None
    clock_drift_ppm: float | None
    clock_step_s: float
    suspended_s: float
    link: bool | None


class HubFault(StrEnum):
    """What happened to the hub itself."""

    STALL = "stall"  # the engine was not let run, or held itself up
    SUSPENDED = "suspended"  # the machine slept
    CLOCK_STEP = "clock_step"  # the clock was set
    NETWORK_DOWN = "network_down"  # no network interface has a carrier
    NETWORK_UP = "network_up"  # one has again


class HubEvent(TypedDict):
    """Something that happened to the hub itself, UTC µs.

    A stall, a suspension and a `network_up` tell from when to when it lasted; a `network_down` when it was last seen up
    and when seen down; a `clock_step` what the clock would show and what it shows, so `began` is later where it was set
    back.
    """

    fault: str
    began: int
    ended: int


class CommonKind(StrEnum):
    """What cameras that went away together have in common."""

    HOST = "host"  # one device with several cameras: a recorder
    NETWORK = "network"  # one network segment: /24, with IPv6 /64
    FACILITY = "facility"
    HUB = "hub"  # the hub itself: what the cameras did meanwhile is unknown


class LikelyCause(StrEnum):
    """Why cameras went away together, as far as can be told from here."""

    RECORDER = "recorder"
    SWITCH = "switch"
    SITE_LINK = "site_link"
    POWER = "power"
    HUB_STALL = "hub_stall"
    HUB_NETWORK = "hub_network"
    SUSPENDED = "suspended"
    CLOCK_STEP = "clock_step"


class CommonCause(TypedDict):
    """Cameras that went away together: one event, one alert. UTC µs.

    `host` and `network` are empty where the kind is wider, `facility` is empty of the hub's own. `cameras` are those
    concerned, in the order in which they went, `total` how many there are in that host, network or facility. `ended`
    is when most were back; None: it lasts. An event that turned out to be a part of a wider one ends with that one's id
    in `part_of` (else empty). While it lasts an event may become wider, be joined by more cameras and find a better
    likely cause; its id stays.
    """

    id: str
    kind: str
    likely: str
    facility: str
    host: str
    network: str
    cameras: list[str]
    total: int
    began: int
    ended: int | None
    part_of: str
