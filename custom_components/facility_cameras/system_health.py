"""What Home Assistant's system page says of us."""

import asyncio
from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .engine_client import EngineError
from .hub import HUB, Hub

#: The page waits five seconds for all of it.
_LEDGER_S = 3.0


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
    if (health := hub.state.health) is not None:
        info["engine_cpu"] = _told(health["cpu_percent"], "%")
        info["engine_lag"] = _told(health["loop_lag_ms"], "ms")
        info["engine_memory"] = _told(None if health["memory_bytes"] is None else health["memory_bytes"] / 1e6, "MB")
        info["engine_handles"] = _told(health["handles"], "")
        clock = health["clock_synchronised"]
        info["clock"] = "unknown" if clock is None else "synchronised" if clock else "not synchronised"
        info["common_causes"] = len(hub.state.common_causes)
        info["ledger"] = await _async_ledger(hub)
    return info


def _told(value: float | None, unit: str) -> str:
    return "unknown" if value is None else f"{value:.0f} {unit}".rstrip()


async def _async_ledger(hub: Hub) -> str:
    """Whether what is observed can be written down."""
    try:
        async with asyncio.timeout(_LEDGER_S):
            state = await hub.client.ledger()
    except EngineError, TimeoutError:
        return "unknown"
    words = state["problem"] or "ok"
    return f"{words}, {state['dropped']} changes lost" if state["dropped"] else words
