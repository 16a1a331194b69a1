"""The recording switch of each camera. Category config: "turn off everything in the lobby" cannot stop recording."""

from collections.abc import Hashable
from typing import Any, override

from homeassistant.components.switch import SwitchEntity
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_RECORD
from .coordinator import FacilityConfigEntry, FacilityCoordinator
from .entity import CameraOwnedEntity, async_add_for_cameras

PARALLEL_UPDATES = 0


async def async_setup_entry(
    _hass: HomeAssistant, entry: FacilityConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add one switch per camera."""
    async_add_for_cameras(
        entry, async_add_entities, lambda coordinator, camera_id: [RecordingSwitch(coordinator, camera_id)]
    )


@callback
def async_set_recording(hass: HomeAssistant, entry: FacilityConfigEntry, camera_id: str, record: bool) -> None:
    """Have a camera recorded or not. Kept in the camera's configuration; its listener tells the engine."""
    camera = entry.subentries[camera_id]
    hass.config_entries.async_update_subentry(entry, camera, data={**camera.data, CONF_RECORD: record})


class RecordingSwitch(CameraOwnedEntity, SwitchEntity):
    """On: this camera is to be recorded."""

    _attr_translation_key = "recording"
    _attr_entity_category = EntityCategory.CONFIG

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str) -> None:
        """One per camera."""
        super().__init__(coordinator, camera_id, "recording")

    def _take(self) -> Hashable:
        self._attr_is_on = self.camera.data[CONF_RECORD]
        return self._attr_is_on

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Record from now on."""
        async_set_recording(self.hass, self.coordinator.entry, self.camera_id, record=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Record no longer."""
        async_set_recording(self.hass, self.coordinator.entry, self.camera_id, record=False)
