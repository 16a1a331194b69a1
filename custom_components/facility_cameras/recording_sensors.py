"""What inspectors ask of recording: is it running, how complete is it, what was missing last and why.

Completeness is seconds of footage over seconds that were to be recorded, cut (not rounded) to 0.1 %: 100 % is only what
is whole. A facility's counts all its cameras' seconds together. Nothing is told while nothing was to be recorded.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
import math

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE
from homeassistant.util import dt as dt_util

from .coordinator import FacilityCoordinator
from .engine.api import Duty
from .engine.api_footage import CameraCompleteness
from .entity import CameraOwnedEntity, FacilityEntity

#: A gap that ended no longer ago than this may go on: that much is asked once a minute.
_LASTING_US = 90_000_000


@dataclass(frozen=True, kw_only=True)
class CompletenessDescription(SensorEntityDescription):
    """Seconds that were to be recorded, and seconds of these that are on disk."""

    seconds: Callable[[CameraCompleteness], tuple[float, float]]


def _description(key: str, seconds: Callable[[CameraCompleteness], tuple[float, float]]) -> CompletenessDescription:
    return CompletenessDescription(
        key=key,
        translation_key=key,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=PERCENTAGE,
        suggested_display_precision=1,
        seconds=seconds,
    )


COMPLETENESS = (
    _description("completeness_today", lambda found: (found["today_wanted_s"], found["today_footage_s"])),
    _description("completeness_week", lambda found: (found["week_wanted_s"], found["week_footage_s"])),
)


RECORDING_STATE = SensorEntityDescription(
    key="recording_state",
    translation_key="recording_state",
    device_class=SensorDeviceClass.ENUM,
    # The others are told of the past only.
    options=[duty.value for duty in Duty if duty not in (Duty.DOWN, Duty.CLOCK)],
)
LAST_GAP = SensorEntityDescription(key="last_gap", translation_key="last_gap", device_class=SensorDeviceClass.TIMESTAMP)


def percent(cameras: Iterable[CameraCompleteness], description: CompletenessDescription) -> float | None:
    """Completeness of cameras together; None where nothing was to be recorded."""
    wanted = footage = 0.0
    for found in cameras:
        more_wanted, more_footage = description.seconds(found)
        wanted += more_wanted
        footage += more_footage
    return math.floor(footage / wanted * 1000) / 10 if wanted else None


class CameraCompletenessSensor(CameraOwnedEntity, SensorEntity):
    """Of one camera."""

    entity_description: CompletenessDescription

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str, description: CompletenessDescription) -> None:
        """One per description."""
        super().__init__(coordinator, camera_id, description.key)
        self.entity_description = description

    def _take(self) -> Hashable:
        found = self.coordinator.completeness(self.camera_id)
        self._attr_native_value = percent([found] if found else [], self.entity_description)
        return self._attr_native_value


class FacilityCompletenessSensor(FacilityEntity, SensorEntity):
    """Of all cameras of a facility."""

    entity_description: CompletenessDescription

    def __init__(self, coordinator: FacilityCoordinator, description: CompletenessDescription) -> None:
        """One per description."""
        super().__init__(coordinator, coordinator.entry.entry_id, description.key)
        self.entity_description = description

    def _take(self) -> Hashable:
        cameras = (self.coordinator.completeness(camera_id) for camera_id in self.coordinator.cameras())
        self._attr_native_value = percent([one for one in cameras if one], self.entity_description)
        return self._attr_native_value


class RecordingStateSensor(CameraOwnedEntity, SensorEntity):
    """What a camera's recording is about now: that it is off or not its time is no fault, and is told as that."""

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str, description: SensorEntityDescription) -> None:
        """One per camera."""
        super().__init__(coordinator, camera_id, description.key)
        self.entity_description = description

    def _take(self) -> Hashable:
        state = self.coordinator.camera(self.camera_id)
        self._attr_native_value = state["duty"] if state else None
        return self._attr_native_value


class LastGapSensor(CameraOwnedEntity, SensorEntity):
    """When the newest gap of the last seven days began; why, and when it ended (None: it lasts)."""

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str, description: SensorEntityDescription) -> None:
        """One per camera."""
        super().__init__(coordinator, camera_id, description.key)
        self.entity_description = description

    def _take(self) -> Hashable:
        found = self.coordinator.completeness(self.camera_id)
        gap = found["last_gap"] if found else None
        self._attr_native_value = dt_util.utc_from_timestamp(gap["start"] // 1_000_000) if gap else None
        reason = ended = None
        if gap is not None:
            reason = gap["reason"]
            if dt_util.utcnow().timestamp() * 1e6 - gap["end"] > _LASTING_US:
                ended = dt_util.utc_from_timestamp(gap["end"] // 1_000_000).isoformat()
        self._attr_extra_state_attributes = {"reason": reason, "ended": ended}
        return self._attr_native_value, reason, ended
