"""When a camera is required: always, or while an entity says so (a camera on a timer, a camera of opening hours).

Outside its hours that a camera is away is neither an outage nor an alert. An entity that cannot be asked counts as yes:
an alert too many is better than none. A repair says so (entity_watch.py).
"""

from collections.abc import Mapping
from typing import Any

from homeassistant.core import CoreState, HomeAssistant, callback

from .const import CONF_REQUIRED_ENTITY
from .when_to_record import says


def entity_of(camera: Mapping[str, Any]) -> str | None:
    """The entity that says when a camera (its configuration) is required; None: always."""
    found = camera.get(CONF_REQUIRED_ENTITY)
    return found if isinstance(found, str) and found else None


@callback
def required(hass: HomeAssistant, camera: Mapping[str, Any]) -> bool | None:
    """Whether a camera is required now; None: as it was last told."""
    if (entity_id := entity_of(camera)) is None:
        return True
    said = says(hass.states.get(entity_id))
    return True if said is None and hass.state is CoreState.running else said
