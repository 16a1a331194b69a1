"""Connectivity of each camera: true now, also while the camera is away."""

from collections.abc import Hashable
from typing import Any

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from . import wording
from .const import CONF_ZONE
from .coordinator import FacilityConfigEntry, FacilityCoordinator
from .entity import CameraOwnedEntity, async_add_for_cameras
from .health_sensors import CLOCK_SYNCHRONISED, ClockSynchronised

PARALLEL_UPDATES = 0


async def async_setup_entry(
    _hass: HomeAssistant, entry: FacilityConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add one connectivity sensor per camera, and the hub's clock."""
    async_add_entities([ClockSynchronised(entry.runtime_data, CLOCK_SYNCHRONISED)])
    async_add_for_cameras(
        entry, async_add_entities, lambda coordinator, camera_id: [ConnectivitySensor(coordinator, camera_id)]
    )


class ConnectivitySensor(CameraOwnedEntity, BinarySensorEntity):
    """On: the camera sends and we receive. Unknown: nobody observes it.

    Its attributes are what an alert has to say: where, what is wrong, since when.
    """

    _attr_translation_key = "connectivity"
    _attr_device_class = BinarySensorDeviceClass.CONNECTIVITY

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str) -> None:
        """One per camera."""
        super().__init__(coordinator, camera_id, "connectivity")

    def _take(self) -> Hashable:
        self._attr_is_on = self.coordinator.online_or_unknown(self.camera_id)
        attributes: dict[str, Any] = {
            "facility": self.coordinator.entry.title,
            "zone": wording.zone_word(self.hass, self.camera.data[CONF_ZONE]),
            "cause": self.coordinator.cause(self.camera_id).value,
            "problem": "",
            "since": None,
        }
        if state := self.coordinator.camera(self.camera_id):
            attributes["problem"] = wording.problem_sentence(self.hass, state["problem"])
            attributes["since"] = dt_util.utc_from_timestamp(state["since"] // 1_000_000).isoformat()
        self._attr_extra_state_attributes = attributes
        return (self._attr_is_on, *attributes.values())
