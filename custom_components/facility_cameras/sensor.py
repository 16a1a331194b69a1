"""Figures of cameras and facilities."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory, UnitOfDataRate, UnitOfInformation, UnitOfTime
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from . import wording
from .coordinator import FacilityConfigEntry, FacilityCoordinator
from .engine.api import CameraState, FacilityState, Status
from .entity import CameraOwnedEntity, FacilityEntity, async_add_for_cameras
from .health_sensors import HEALTH_SENSORS, HealthSensor
from .rate_sensors import (
    LONGEST_OUTAGE,
    ONLINE_RATES,
    WORST_CAMERA,
    CameraOnlineRate,
    FacilityOnlineRate,
    LongestOutage,
    WorstCamera,
)
from .recording_sensors import (
    COMPLETENESS,
    LAST_GAP,
    RECORDING_STATE,
    CameraCompletenessSensor,
    FacilityCompletenessSensor,
    LastGapSensor,
    RecordingStateSensor,
)

PARALLEL_UPDATES = 0

type Value = str | int | float | datetime | None


@dataclass(frozen=True, kw_only=True)
class CameraSensorDescription(SensorEntityDescription):
    """A figure of one camera."""

    value: Callable[[CameraState], Value]


@dataclass(frozen=True, kw_only=True)
class FootageSensorDescription(SensorEntityDescription):
    """A figure of a facility's footage."""

    value: Callable[[FacilityState], Value]


@dataclass(frozen=True, kw_only=True)
class FacilitySensorDescription(SensorEntityDescription):
    """A figure of a facility."""

    value: Callable[[FacilityCoordinator], Value]


#: Sizes and times that always move are told in steps: every state is a row in the recorder.
_SIZE_STEP = 100_000_000
#: What 64 cameras record moves by more than that in seconds: this share of a volume is a step of it, where it is larger.
_VOLUME_STEPS = 1_000
#: Protected footage moves seldom, and a minute of it is to be seen.
_HELD_STEP = 10_000_000
_TIME_STEP = 600_000_000


def moment(microseconds: int | None) -> datetime | None:
    """A time of the engine's, to the second."""
    return None if microseconds is None else dt_util.utc_from_timestamp(microseconds // 1_000_000)


def _online(facility: FacilityCoordinator) -> int | None:
    if not facility.connected:
        return None
    return sum(facility.online(camera_id) for camera_id in facility.in_use())


def _not_recording(facility: FacilityCoordinator) -> int | None:
    if not facility.connected:
        return None
    states = facility.known().values()
    return sum(state["recording_wanted"] and not state["recording"] for state in states)


def _bytes(state: FacilityState | None, figure: Callable[[FacilityState], int], step: int = 0) -> int | None:
    """In steps of so many bytes; 0: as many as fit the volume."""
    if state is None or not state["total_bytes"]:
        return None
    step = step or max(_SIZE_STEP, state["total_bytes"] // _VOLUME_STEPS)
    return figure(state) // step * step


def _days(days: float | None) -> float | None:
    """Days in steps that tell something: nobody waits for the tenth of a month."""
    return None if days is None else round(days, 1) if days < 10 else float(round(days))


def _due(state: FacilityState) -> int:
    """In whole steps, but never nothing where something is due."""
    size = state["cleaning"]["due_bytes"]
    return -(-size // _SIZE_STEP) * _SIZE_STEP


def _last_cleaning(state: FacilityState) -> datetime | None:
    last = state["cleaning"]["last"]
    return None if last is None else moment(last // _TIME_STEP * _TIME_STEP)


CAMERA_SENSORS = (
    CameraSensorDescription(
        key="bitrate",
        translation_key="bitrate",
        device_class=SensorDeviceClass.DATA_RATE,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfDataRate.KILOBITS_PER_SECOND,
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value=lambda camera: round(camera["bitrate_kbps"]),
    ),
    CameraSensorDescription(
        key="frame_rate",
        translation_key="frame_rate",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement="fps",
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value=lambda camera: round(camera["fps"], 1),
    ),
    CameraSensorDescription(
        key="last_frame",
        translation_key="last_frame",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value=lambda camera: moment(camera["last_frame"]),
    ),
    CameraSensorDescription(
        key="reconnects",
        translation_key="reconnects",
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda camera: camera["reconnects"],
    ),
)

FACILITY_SENSORS = (
    FacilitySensorDescription(
        key="cameras_online",
        translation_key="cameras_online",
        state_class=SensorStateClass.MEASUREMENT,
        value=_online,
    ),
    FacilitySensorDescription(
        key="cameras_total",
        translation_key="cameras_total",
        state_class=SensorStateClass.MEASUREMENT,
        value=lambda facility: len(facility.in_use()),
    ),
    FacilitySensorDescription(
        key="cameras_not_recording",
        translation_key="cameras_not_recording",
        state_class=SensorStateClass.MEASUREMENT,
        value=_not_recording,
    ),
    FacilitySensorDescription(
        key="footage",
        translation_key="footage",
        device_class=SensorDeviceClass.DATA_SIZE,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.GIGABYTES,
        suggested_display_precision=1,
        value=lambda facility: _bytes(facility.facility, lambda state: state["footage_bytes"]),
    ),
    FacilitySensorDescription(
        key="protected_footage",
        translation_key="protected_footage",
        device_class=SensorDeviceClass.DATA_SIZE,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.GIGABYTES,
        suggested_display_precision=2,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=lambda facility: _bytes(facility.facility, lambda state: state["held_bytes"], _HELD_STEP),
    ),
    FacilitySensorDescription(
        key="free_space",
        translation_key="free_space",
        device_class=SensorDeviceClass.DATA_SIZE,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.GIGABYTES,
        suggested_display_precision=1,
        value=lambda facility: _bytes(facility.facility, lambda state: state["free_bytes"]),
    ),
)

FOOTAGE_SENSORS = (
    FootageSensorDescription(
        key="oldest_footage",
        translation_key="oldest_footage",
        device_class=SensorDeviceClass.TIMESTAMP,
        value=lambda state: moment(state["oldest"]),
    ),
    FootageSensorDescription(
        key="days_kept",
        translation_key="days_kept",
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfTime.DAYS,
        suggested_display_precision=1,
        value=lambda state: _days(state["days_kept"]),
    ),
    FootageSensorDescription(
        key="days_possible",
        translation_key="days_possible",
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfTime.DAYS,
        suggested_display_precision=1,
        value=lambda state: _days(state["days_possible"]),
    ),
    FootageSensorDescription(
        key="last_cleaning",
        translation_key="last_cleaning",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=_last_cleaning,
    ),
    FootageSensorDescription(
        key="due_footage",
        translation_key="due_footage",
        device_class=SensorDeviceClass.DATA_SIZE,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.GIGABYTES,
        suggested_display_precision=1,
        entity_category=EntityCategory.DIAGNOSTIC,
        value=_due,
    ),
)


async def async_setup_entry(
    _hass: HomeAssistant, entry: FacilityConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors of the facility and of each camera."""
    async_add_entities(FacilitySensor(entry.runtime_data, description) for description in FACILITY_SENSORS)
    async_add_entities(FootageSensor(entry.runtime_data, description) for description in FOOTAGE_SENSORS)
    async_add_entities(FacilityCompletenessSensor(entry.runtime_data, description) for description in COMPLETENESS)
    async_add_entities(FacilityOnlineRate(entry.runtime_data, description) for description in ONLINE_RATES)
    async_add_entities([WorstCamera(entry.runtime_data, WORST_CAMERA)])
    async_add_entities(HealthSensor(entry.runtime_data, description) for description in HEALTH_SENSORS)
    async_add_for_cameras(
        entry,
        async_add_entities,
        lambda coordinator, camera_id: [
            StatusSensor(coordinator, camera_id),
            RecordingStateSensor(coordinator, camera_id, RECORDING_STATE),
            LastGapSensor(coordinator, camera_id, LAST_GAP),
            LongestOutage(coordinator, camera_id, LONGEST_OUTAGE),
            *(CameraOnlineRate(coordinator, camera_id, description) for description in ONLINE_RATES),
            *(CameraCompletenessSensor(coordinator, camera_id, description) for description in COMPLETENESS),
            *(CameraSensor(coordinator, camera_id, description) for description in CAMERA_SENSORS),
        ],
    )


class StatusSensor(CameraOwnedEntity, SensorEntity):
    """What is known of a camera now, as one word, and in a sentence."""

    _attr_translation_key = "status"
    #: The connectivity sensor's are in the recorder.
    _unrecorded_attributes = frozenset({"problem", "since"})
    _attr_device_class = SensorDeviceClass.ENUM

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str) -> None:
        """One per camera."""
        super().__init__(coordinator, camera_id, "status")
        self._attr_options = [status.value for status in Status]

    def _take(self) -> Hashable:
        self._attr_native_value = self.coordinator.status(self.camera_id).value
        state = self.coordinator.camera(self.camera_id)
        since = moment(state["since"]) if state else None
        attributes = {
            "cause": self.coordinator.cause(self.camera_id).value,
            "problem": wording.problem_sentence(self.hass, state["problem"]) if state else "",
            "since": since.isoformat() if since else None,
        }
        self._attr_extra_state_attributes = attributes
        return self._attr_native_value, *attributes.values()


class CameraSensor(CameraOwnedEntity, SensorEntity):
    """A figure of one camera; unavailable while nothing is received that it could tell of."""

    entity_description: CameraSensorDescription

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str, description: CameraSensorDescription) -> None:
        """One per description."""
        super().__init__(coordinator, camera_id, description.key)
        self.entity_description = description

    def _take(self) -> Hashable:
        state = self.coordinator.camera(self.camera_id)
        self._attr_available = state is not None
        self._attr_native_value = self.entity_description.value(state) if state else None
        return self._attr_available, self._attr_native_value


class FacilitySensor(FacilityEntity, SensorEntity):
    """A figure of the facility."""

    entity_description: FacilitySensorDescription

    def __init__(self, coordinator: FacilityCoordinator, description: FacilitySensorDescription) -> None:
        """One per description."""
        super().__init__(coordinator, coordinator.entry.entry_id, description.key)
        self.entity_description = description

    def _take(self) -> Hashable:
        self._attr_native_value = self.entity_description.value(self.coordinator)
        return self._attr_native_value


class FootageSensor(FacilityEntity, SensorEntity):
    """A figure of the facility's footage; unavailable while the engine tells us nothing."""

    entity_description: FootageSensorDescription

    def __init__(self, coordinator: FacilityCoordinator, description: FootageSensorDescription) -> None:
        """One per description."""
        super().__init__(coordinator, coordinator.entry.entry_id, description.key)
        self.entity_description = description

    def _take(self) -> Hashable:
        state = self.coordinator.facility if self.coordinator.connected else None
        self._attr_available = state is not None
        self._attr_native_value = self.entity_description.value(state) if state else None
        return self._attr_available, self._attr_native_value
