"""When each camera's present outage began, remembered over restarts of Home Assistant and of the engine.

The engine tells a status and since when; an outage is longer: it begins with the first status that is not online and
ends with a key picture, whatever happens in between. Alerts are told once per outage, so this must outlive restarts.
"""

from collections.abc import Mapping
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .coordinator import FacilityCoordinator

#: Sent with a coordinator and a camera's id when what is known of the camera may have changed.
SIGNAL_CAMERA = f"{DOMAIN}_camera"
_STORE_VERSION = 1
#: Automations that begin so soon after us begin because Home Assistant does.
_START_S = 120.0


class Outages:
    """Beginning of every outage that lasts, in seconds since 1970 (UTC)."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin with nothing known; `async_load` reads what was."""
        self.hass = hass
        self._store: Store[dict[str, Any]] = Store(hass, _STORE_VERSION, f"{DOMAIN}.outages")
        self._began: dict[str, float] = {}
        #: Cameras of which nothing is asked now.
        self._quiet: set[str] = set()
        self._stopped = 0.0
        self._started = hass.loop.time()

    async def async_load(self) -> None:
        """Read what was known when Home Assistant stopped."""
        known: Mapping[str, Any] = await self._store.async_load() or {}
        self._began = {str(camera): float(began) for camera, began in known.get("began", {}).items()} | self._began
        self._stopped = float(known.get("stopped", 0.0))

    async def async_stop(self) -> None:
        """Home Assistant stops: from now on nobody is told anything."""
        await self._store.async_save({"began": self._began, "stopped": dt_util.utcnow().timestamp()})

    def began(self, camera_id: str) -> float | None:
        """When the camera's outage began; None if it has none."""
        return self._began.get(camera_id)

    def covered(self) -> float:
        """Until when automations were on duty, as one that begins now has to see it: what fell due before was told."""
        if self.hass.loop.time() - self._started < _START_S:
            return self._stopped
        return dt_util.utcnow().timestamp()

    def take(self, coordinator: FacilityCoordinator, camera_id: str) -> None:
        """What is known of a camera may have changed."""
        online = coordinator.online_or_unknown(camera_id)
        changed = False
        if not coordinator.asked_for(camera_id):
            # Maintenance, switched off, outside its hours: what goes on afterwards begins then.
            self._quiet.add(camera_id)
            changed = self._began.pop(camera_id, None) is not None
        elif online is True:
            self._quiet.discard(camera_id)
            changed = self._began.pop(camera_id, None) is not None
        elif online is False and camera_id not in self._began and (state := coordinator.camera(camera_id)):
            since = state["since"] / 1_000_000
            self._began[camera_id] = dt_util.utcnow().timestamp() if camera_id in self._quiet else since
            self._quiet.discard(camera_id)
            changed = True
        if changed:
            self._save()
        async_dispatcher_send(self.hass, SIGNAL_CAMERA, coordinator, camera_id)

    def forget(self, camera_id: str) -> None:
        """The camera was removed."""
        self._quiet.discard(camera_id)
        if self._began.pop(camera_id, None) is not None:
            self._save()

    def _save(self) -> None:
        """A crash must not cost the memory; "stopped" stays what it was."""
        self._store.async_delay_save(lambda: {"began": self._began, "stopped": self._stopped}, 1.0)
