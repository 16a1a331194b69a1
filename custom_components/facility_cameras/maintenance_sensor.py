"""Whether a camera is under planned maintenance: until when, why, and who said so."""

from collections.abc import Hashable

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.const import EntityCategory
from homeassistant.util import dt as dt_util

from .coordinator import FacilityCoordinator
from .entity import CameraOwnedEntity


class MaintenanceSensor(CameraOwnedEntity, BinarySensorEntity):
    """On: work on this camera is planned now. It ends by itself."""

    _attr_translation_key = "maintenance"
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str) -> None:
        """One per camera."""
        super().__init__(coordinator, camera_id, "maintenance")

    def _take(self) -> Hashable:
        state = self.coordinator.camera(self.camera_id)
        planned = state["maintenance"] if state is not None else None
        self._attr_is_on = None if state is None else planned is not None
        self._attr_extra_state_attributes = {
            "since": dt_util.utc_from_timestamp(planned["since"] // 1_000_000).isoformat() if planned else None,
            "until": dt_util.utc_from_timestamp(planned["until"] // 1_000_000).isoformat() if planned else None,
            "reason": planned["reason"] if planned else None,
            "who": planned["who"] if planned else None,
        }
        return (self._attr_is_on, *self._attr_extra_state_attributes.values())
