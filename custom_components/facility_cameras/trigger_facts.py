"""What every trigger hands on of a camera, in Home Assistant's language: an automation puts it into its message."""

from datetime import datetime

from homeassistant.components.camera.const import DOMAIN as CAMERA_DOMAIN
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from . import wording
from .const import CONF_ZONE, DOMAIN
from .coordinator import FacilityCoordinator


@callback
def facts(hass: HomeAssistant, coordinator: FacilityCoordinator, camera_id: str, since: datetime) -> dict[str, str]:
    """Which camera, where, what is known of it, and `since` (local) when. The camera must still be there."""
    camera, state = coordinator.entry.subentries[camera_id], coordinator.camera(camera_id)
    return {
        "camera": camera.title,
        "facility": coordinator.entry.title,
        "zone": wording.zone_word(hass, camera.data[CONF_ZONE]),
        "status": wording.status_word(hass, coordinator.status(camera_id)),
        "problem": wording.problem_sentence(hass, state["problem"]) if state else "",
        "since": f"{since:%H:%M %d/%m/%Y}",
    }


@callback
def camera_entity(hass: HomeAssistant, camera_id: str) -> str | None:
    """The id of the camera's camera entity; None if it has none."""
    return er.async_get(hass).async_get_entity_id(CAMERA_DOMAIN, DOMAIN, f"{camera_id}_camera")
