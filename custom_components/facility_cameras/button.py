"""Buttons of each camera: try again now, without waiting for the next attempt; and: this is the new view."""

from collections.abc import Hashable

from homeassistant.components.button import ButtonEntity
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .coordinator import FacilityConfigEntry, FacilityCoordinator
from .engine.api import Status
from .engine_client import EngineAwayError, EngineError
from .entity import CameraOwnedEntity, async_add_for_cameras

PARALLEL_UPDATES = 1


async def async_setup_entry(
    _hass: HomeAssistant, entry: FacilityConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add both buttons of each camera."""
    async_add_for_cameras(
        entry,
        async_add_entities,
        lambda coordinator, camera_id: [RetryButton(coordinator, camera_id), NewViewButton(coordinator, camera_id)],
    )


class RetryButton(CameraOwnedEntity, ButtonEntity):
    """Connects to the camera now."""

    _attr_translation_key = "retry"
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str) -> None:
        """One per camera."""
        super().__init__(coordinator, camera_id, "retry")

    def _take(self) -> Hashable:
        return None

    async def async_press(self) -> None:
        """Ask the engine."""
        try:
            await self.coordinator.hub.client.retry(self.camera_id)
        except EngineError as error:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="engine_away") from error


class NewViewButton(CameraOwnedEntity, ButtonEntity):
    """Says that the camera was turned on purpose: what it shows from now on is right. There only while it is `moved`."""

    _attr_translation_key = "new_view"
    _attr_entity_category = EntityCategory.CONFIG

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str) -> None:
        """One per camera."""
        super().__init__(coordinator, camera_id, "new_view")

    def _take(self) -> Hashable:
        self._attr_available = self.coordinator.status(self.camera_id) is Status.MOVED
        return self._attr_available

    async def async_press(self) -> None:
        """Ask the engine."""
        try:
            await self.coordinator.hub.client.new_view(self.camera_id)
        except EngineAwayError as error:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="engine_away") from error
        except EngineError as error:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="new_view_refused") from error
