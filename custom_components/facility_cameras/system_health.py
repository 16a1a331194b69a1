"""What Home Assistant's system page says of us."""

from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .hub import HUB


@callback
def async_register(_hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Register what is told."""
    register.async_register_info(_async_info)


async def _async_info(hass: HomeAssistant) -> dict[str, Any]:
    if (hub := hass.data.get(HUB)) is None:
        return {"engine": "not started"}
    states = [state for coordinator in hub.coordinators.values() for state in coordinator.known().values()]
    info: dict[str, Any] = {
        "engine": "running" if hub.connected else "away",
        "facilities": len(hass.config_entries.async_loaded_entries(DOMAIN)),
        "cameras": sum(len(coordinator.cameras()) for coordinator in hub.coordinators.values()),
        "cameras_online": sum(
            coordinator.online(camera_id)
            for coordinator in hub.coordinators.values()
            for camera_id in coordinator.cameras()
        ),
        "cameras_recording": sum(state["recording"] for state in states),
        "engine_starts": hub.starts,
    }
    if hub.info is not None:
        info["engine_build"] = hub.info["build"][:12]
    return info
