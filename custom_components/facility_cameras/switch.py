"""The switches of each camera: whether it is recorded, and whether it is connected at all.

Category config: "turn off everything in the lobby" can neither stop recording nor take a camera away. Both are kept in
the camera's configuration, with who changed them last, when and by what.
"""

from collections.abc import Hashable
from typing import Any, override

from homeassistant.components.switch import SwitchEntity
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_CHANGES, CONF_CONNECT, CONF_RECORD
from .coordinator import FacilityConfigEntry, FacilityCoordinator
from .entity import CameraOwnedEntity, async_add_for_cameras
from .who import async_change

PARALLEL_UPDATES = 0


async def async_setup_entry(
    _hass: HomeAssistant, entry: FacilityConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the switches of each camera."""
    async_add_for_cameras(
        entry,
        async_add_entities,
        lambda coordinator, camera_id: [
            CameraSwitch(coordinator, camera_id, "recording", CONF_RECORD),
            CameraSwitch(coordinator, camera_id, "connect", CONF_CONNECT),
        ],
    )


@callback
def async_set_switch(
    hass: HomeAssistant,
    entry: FacilityConfigEntry,
    camera_id: str,
    name: str,
    *,
    on: bool,
    change: dict[str, str],
) -> None:
    """Have a camera recorded or connected or not. Kept in the camera's configuration; its listener tells the engine.
    What is so already is no change.
    """
    camera = entry.subentries[camera_id]
    if camera.data.get(name, True) == on:
        return
    changes = {**camera.data.get(CONF_CHANGES, {}), name: change}
    hass.config_entries.async_update_subentry(entry, camera, data={**camera.data, name: on, CONF_CHANGES: changes})


class CameraSwitch(CameraOwnedEntity, SwitchEntity):
    """On: this camera is to be recorded, or connected."""

    _attr_entity_category = EntityCategory.CONFIG

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str, key: str, name: str) -> None:
        """`name` is where it is kept in the camera's configuration."""
        super().__init__(coordinator, camera_id, key)
        self._attr_translation_key = key
        self._name = name

    def _take(self) -> Hashable:
        self._attr_is_on = self.camera.data.get(self._name, True)
        change = self.camera.data.get(CONF_CHANGES, {}).get(self._name, {})
        attributes = {f"changed_{key}": change.get(key) for key in ("by", "at", "how")}
        self._attr_extra_state_attributes = attributes
        return (self._attr_is_on, *attributes.values())

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """From now on."""
        await self._async_set(on=True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """No longer."""
        await self._async_set(on=False)

    async def _async_set(self, *, on: bool) -> None:
        change = await async_change(self.hass, self._context)
        async_set_switch(self.hass, self.coordinator.entry, self.camera_id, self._name, on=on, change=change)
