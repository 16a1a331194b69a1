"""When a camera is recorded: always, or while an entity says so. The engine is told at once, and keeps what it was told.

An entity that cannot be asked (unavailable, unknown, gone) counts as yes: losing footage is worse than recording too
much. A repair says so (entity_watch.py). While Home Assistant starts, entities are not there yet: until then what was
last told holds.
"""

from collections.abc import Mapping
from typing import Any

from homeassistant.components.device_tracker.const import DOMAIN as DEVICE_TRACKER
from homeassistant.components.person.const import DOMAIN as PERSON
from homeassistant.const import STATE_HOME, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import CoreState, HomeAssistant, State, callback

from .const import CONF_WHEN, CONF_WHEN_ENTITY, WHEN_ENTITY

#: States that say no. Whatever else an entity says is yes.
_NO = frozenset(
    {
        "off", "closed", "not_home", "idle", "standby", "disarmed", "locked", "docked", "paused", "below_horizon",
        "false", "no", "0", "0.0", "",
    }
)  # fmt: skip


def entity_of(camera: Mapping[str, Any]) -> str | None:
    """The entity that says when a camera (its configuration) is recorded; None: always."""
    found = camera.get(CONF_WHEN_ENTITY)
    return found if camera.get(CONF_WHEN) == WHEN_ENTITY and isinstance(found, str) else None


def says(state: State | None) -> bool | None:
    """What an entity says; None where it cannot be asked."""
    if state is None or state.state in (STATE_UNAVAILABLE, STATE_UNKNOWN):
        return None
    if state.domain in (DEVICE_TRACKER, PERSON):
        return state.state == STATE_HOME
    return state.state.lower() not in _NO


@callback
def wanted(hass: HomeAssistant, camera: Mapping[str, Any]) -> bool | None:
    """Whether a camera is to be recorded now, the switch apart; None: as it was last told."""
    if (entity_id := entity_of(camera)) is None:
        return True
    said = says(hass.states.get(entity_id))
    return True if said is None and hass.state is CoreState.running else said
