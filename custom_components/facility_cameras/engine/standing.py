"""What is asked of a camera now, from what is wanted of it and what is planned: the one place that decides it.

Pure: no clock, no files. `standings.py` keeps what is planned and has it told.
"""

from typing import cast

from .api import CameraConfig, Cause, Maintenance, Standing

#: How long one maintenance may be, microseconds: it must not be forgotten on.
LONGEST_MAINTENANCE_US = 30 * 86_400_000_000


def connects(config: CameraConfig) -> bool:
    """Whether there is to be a session to the camera at all."""
    return config["connect"] and not config["retired"]


def why_off(config: CameraConfig) -> Cause:
    """Why there is none."""
    return Cause.RETIRED if config["retired"] else Cause.SWITCHED_OFF


def standing(config: CameraConfig, maintenance: Maintenance | None) -> Standing:
    """What is asked of the camera. Who takes a camera out of use says more than who plans work on it, and both more than
    its hours.
    """
    if config["retired"]:
        return Standing.RETIRED
    if not config["connect"]:
        return Standing.DISCONNECTED
    if maintenance is not None:
        return Standing.MAINTENANCE
    return Standing.NOT_REQUIRED if config["required"] is False else Standing.REQUIRED


def said(config: CameraConfig, maintenance: Maintenance | None) -> tuple[str, str]:
    """Why that is asked, and who said so, as far as people said it."""
    now = standing(config, maintenance)
    if now is Standing.MAINTENANCE and maintenance is not None:
        return maintenance["reason"], maintenance["who"]
    return "", config["connect_who"] if now in (Standing.RETIRED, Standing.DISCONNECTED) else ""


def left_us(maintenance: Maintenance, now_us: int) -> int:
    """How long a maintenance goes on, in microseconds; 0 or less: it is over. Never longer than it was planned to be,
    whatever our clock says.
    """
    return min(maintenance["until"] - now_us, maintenance["until"] - maintenance["since"])


def readable(found: object) -> Maintenance | None:
    """A maintenance as it was saved; None if it cannot be meant."""
    if not isinstance(found, dict):
        return None
    since, until = found.get("since"), found.get("until")
    if not (isinstance(since, int) and isinstance(until, int) and 0 < until - since <= LONGEST_MAINTENANCE_US):
        return None
    if not all(isinstance(found.get(key), str) for key in ("reason", "who")):
        return None
    return cast("Maintenance", {key: found[key] for key in ("since", "until", "reason", "who")})
