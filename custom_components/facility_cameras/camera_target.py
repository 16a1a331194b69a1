"""The cameras that an automation or a call means: by entities, devices, areas, floors and labels.

A facility's device stands for all its cameras.
"""

from collections.abc import Callable, Iterable
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.target import (
    TargetEntityChangeTracker,
    TargetSelection,
    async_extract_referenced_entity_ids,
)

from .const import DOMAIN
from .coordinator import cameras_of


@callback
def cameras_meant(
    hass: HomeAssistant, target: TargetSelection, entries: Iterable[ConfigEntry] | None = None
) -> dict[str, ConfigEntry]:
    """The cameras that a target means now, with their facilities: of these `entries`, else of all there are."""
    chosen = async_extract_referenced_entity_ids(hass, target)
    entities, devices = er.async_get(hass), dr.async_get(hass)
    known = {
        entry.entry_id: entry for entry in (hass.config_entries.async_entries(DOMAIN) if entries is None else entries)
    }
    found: dict[str, ConfigEntry] = {}

    def add(entry_id: str | None, camera_id: str | None) -> None:
        if (entry := known.get(entry_id or "")) is None:
            return
        for key in cameras_of(entry):
            if camera_id in (None, key):
                found[key] = entry

    for entity_id in chosen.referenced | chosen.indirectly_referenced:
        if (entity := entities.async_get(entity_id)) and entity.platform == DOMAIN:
            add(entity.config_entry_id, entity.config_subentry_id)
    for device_id in chosen.referenced_devices:
        if device := devices.async_get(device_id):
            add(device.config_entry_id, device.config_subentry_id)
    return found


class CamerasMeant(TargetEntityChangeTracker):
    """The cameras that a target means, followed while entities, devices and areas change."""

    def __init__(
        self, hass: HomeAssistant, target: TargetSelection, changed: Callable[[dict[str, ConfigEntry]], None]
    ) -> None:
        """`changed` is called with all of them and their facilities: at once, and whenever they are others."""
        super().__init__(hass, target, lambda entities: entities)
        self._target = target
        self._changed = changed
        self._cameras: dict[str, ConfigEntry] | None = None

    async def async_follow(self) -> CALLBACK_TYPE:
        """Begin; ended by calling what is returned."""
        return await self.async_setup()

    @override
    @callback
    def _handle_entities_update(self, tracked_entities: set[str]) -> None:
        cameras = cameras_meant(self._hass, self._target)
        if cameras != self._cameras:
            self._cameras = cameras
            self._changed(cameras)
