"""How a camera's picture is looked at, as its configuration says: how readily something is told, and what says nothing."""

from collections.abc import Mapping
from typing import Any

from .const import CONF_CHANGING_AREAS, CONF_SENSITIVITY

SENSITIVITIES = ["off", "low", "normal", "high"]
DEFAULT_SENSITIVITY = "normal"
#: Where cameras write their clock and name: (x, y, width, height) in shares of the picture.
AREAS = {
    "top_left": (0.0, 0.0, 0.5, 0.1),
    "top_right": (0.5, 0.0, 0.5, 0.1),
    "bottom_left": (0.0, 0.9, 0.5, 0.1),
    "bottom_right": (0.5, 0.9, 0.5, 0.1),
}


def sensitivity(camera: Mapping[str, Any]) -> str:
    """How readily something is told of a camera's picture (its configuration)."""
    return str(camera.get(CONF_SENSITIVITY, DEFAULT_SENSITIVITY))


def mask(camera: Mapping[str, Any]) -> list[list[float]]:
    """Areas of a camera's picture that say nothing: (x, y, width, height) in shares of it."""
    return [list(AREAS[name]) for name in camera.get(CONF_CHANGING_AREAS, []) if name in AREAS]
