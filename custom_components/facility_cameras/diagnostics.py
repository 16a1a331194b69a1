"""A download that helps without giving anything away: no password, address, serial number or name of a person."""

from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.const import CONF_PASSWORD, CONF_UNIQUE_ID, CONF_URL, CONF_USERNAME
from homeassistant.core import HomeAssistant
from yarl import URL

from .const import CONF_ARCHIVE_ID, CONF_REQUIRED_ENTITY, CONF_SECOND_COPY_ID, CONF_WHEN_ENTITY
from .coordinator import FacilityConfigEntry
from .engine.rtsp.login_in_path import masked
from .engine_client import EngineError
from .hub import Hub

_REDACT = {
    CONF_ARCHIVE_ID,
    CONF_PASSWORD,
    CONF_SECOND_COPY_ID,
    CONF_USERNAME,
    # It may be called after a person.
    CONF_REQUIRED_ENTITY,
    CONF_UNIQUE_ID,
    CONF_WHEN_ENTITY,
    # Who changed a switch, who planned maintenance and why.
    "by",
    "reason",
    "who",
    "host",
    "mac",
    "network",
    "onvif_host",
    "path",
    "port",
    "profile",
    "serial",
    "stuck_path",
    "user",
}


async def async_get_config_entry_diagnostics(_hass: HomeAssistant, entry: FacilityConfigEntry) -> dict[str, Any]:
    """Everything known of a facility, redacted."""
    coordinator = entry.runtime_data
    hub = coordinator.hub
    states = coordinator.known()
    cameras = [
        {
            "id": camera_id,
            "config": {**async_redact_data(dict(camera.data), _REDACT), CONF_URL: _redact_url(camera.data[CONF_URL])},
            "state": async_redact_data(dict(states[camera_id]), _REDACT) if camera_id in states else None,
        }
        for camera_id, camera in coordinator.cameras().items()
    ]
    return {
        "engine": {"connected": hub.connected, "starts": hub.starts, "info": hub.info, "health": hub.state.health},
        "ledger": await _async_ledger(hub),
        "common_causes": [async_redact_data(dict(cause), _REDACT) for cause in hub.state.common_causes.values()],
        "facility": async_redact_data(dict(entry.data), _REDACT),
        "footage": async_redact_data(dict(coordinator.facility), _REDACT) if coordinator.facility else None,
        "cameras": cameras,
    }


async def _async_ledger(hub: Hub) -> dict[str, Any] | None:
    try:
        return dict(await hub.client.ledger())
    except EngineError:
        return None


def _redact_url(url: str) -> str:
    """Scheme and path tell what kind of camera it is; host, port, query and a login are nobody's business."""
    found = URL(url)
    return f"{found.scheme}://**REDACTED**{masked(found.path)}{'?**REDACTED**' if found.query_string else ''}"
