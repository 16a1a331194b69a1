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
