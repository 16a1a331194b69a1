"""What is true of each camera now, also while it is away: connectivity, picture problem, maintenance."""

from collections.abc import Hashable
from typing import Any

from homeassistant.components.binary_sensor import BinarySensorEntity
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from . import wording
from .const import CONF_ZONE
from .coordinator import FacilityConfigEntry, FacilityCoordinator
from .entity import CameraOwnedEntity, async_add_for_cameras
from .health_sensors import CLOCK_SYNCHRONISED, ClockSynchronised
from .picture_problem import found_picture, has_picture_problem, picture_sentence

PARALLEL_UPDATES = 0


async def async_setup_entry(
    _hass: HomeAssistant, entry: FacilityConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the binary sensors of each camera, and the hub's clock."""
    async_add_entities([ClockSynchronised(entry.runtime_data, CLOCK_SYNCHRONISED)])
    async_add_for_cameras(
        entry,
        async_add_entities,
        lambda coordinator, camera_id: [
            ConnectivitySensor(coordinator, camera_id),
            MaintenanceSensor(coordinator, camera_id),
            PictureProblemSensor(coordinator, camera_id),
        ],
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
            attributes["since"] = _iso(state["since"])
        self._attr_extra_state_attributes = attributes
        return (self._attr_is_on, *attributes.values())


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
            "since": _iso(planned["since"]) if planned else None,
            "until": _iso(planned["until"]) if planned else None,
            "reason": planned["reason"] if planned else None,
            "who": planned["who"] if planned else None,
        }
        return (self._attr_is_on, *self._attr_extra_state_attributes.values())


class PictureProblemSensor(CameraOwnedEntity, BinarySensorEntity):
    """On: frozen, black, covered, moved, or a recorder's "no video" picture. Unknown: the camera is away."""

    _attr_translation_key = "picture_problem"
    _attr_device_class = BinarySensorDeviceClass.PROBLEM

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str) -> None:
        """One per camera."""
        super().__init__(coordinator, camera_id, "picture_problem")

    def _take(self) -> Hashable:
        self._attr_is_on = has_picture_problem(self.coordinator, self.camera_id)
        attributes: dict[str, Any] = dict.fromkeys(("kind", "cause", "problem", "confidence", "since", "evidence"))
        if (picture := found_picture(self.coordinator, self.camera_id)) is not None:
            attributes = {
                "kind": picture["status"],
                "cause": picture["cause"],
                "problem": picture_sentence(self.hass, picture),
                # In steps that tell something: every other one is a row in the recorder.
                "confidence": round(picture["confidence"], 1),
                "since": dt_util.utc_from_timestamp(picture["since"] // 1_000_000).isoformat(),
                "evidence": picture["evidence"],
            }
        self._attr_extra_state_attributes = attributes
        return (self._attr_is_on, *attributes.values())


def _iso(microseconds: int) -> str:
    """A time of the engine's, to the second."""
    return dt_util.utc_from_timestamp(microseconds // 1_000_000).isoformat()
