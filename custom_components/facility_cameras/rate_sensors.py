"""What inspectors ask of cameras' connections: how much of the time were they online, which is the worst, how long was
the longest outage. Computed by the engine from the ledger (promise I5).

The online rate is time online over time observed, cut (not rounded) to 0.1 %: 100 % is only what is whole. What nobody
observed is told beside it, rounded up: none is only what is none. Nothing is told while nothing was observed.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
import math

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE, UnitOfTime

from .coordinator import FacilityCoordinator
from .engine.api_ledger import CameraRates, FacilityRates, Rate
from .entity import CameraOwnedEntity, FacilityEntity

#: An outage that lasts grows all the time, and every state is a row in the recorder: below so many seconds it is told in
#: steps of so many.
_STEPS = ((60.0, 10.0), (3_600.0, 60.0), (86_400.0, 600.0), (math.inf, 3_600.0))
#: What is told where all cameras are whole.
NO_CAMERA = "none"


@dataclass(frozen=True, kw_only=True)
class RateDescription(SensorEntityDescription):
    """A rate of a camera or facility; of cameras it may be there, but disabled."""

    rate: Callable[[CameraRates | FacilityRates], Rate]
    disabled_of_cameras: bool = False


def _description(
    key: str, rate: Callable[[CameraRates | FacilityRates], Rate], *, disabled_of_cameras: bool = False
) -> RateDescription:
    return RateDescription(
        key=key,
        translation_key=key,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=PERCENTAGE,
        suggested_display_precision=1,
        rate=rate,
        disabled_of_cameras=disabled_of_cameras,
    )


ONLINE_RATES = (
    _description("online_rate_today", lambda found: found["today"]),
    _description("online_rate_week", lambda found: found["week"]),
    _description("online_rate_month", lambda found: found["month"], disabled_of_cameras=True),
)
LONGEST_OUTAGE = SensorEntityDescription(
    key="longest_outage",
    translation_key="longest_outage",
    device_class=SensorDeviceClass.DURATION,
    native_unit_of_measurement=UnitOfTime.SECONDS,
    suggested_unit_of_measurement=UnitOfTime.MINUTES,
    suggested_display_precision=1,
)
WORST_CAMERA = SensorEntityDescription(key="worst_camera", translation_key="worst_camera")


def percent(rate: Rate) -> float | None:
    """The online rate, cut; None where nothing was observed."""
    return math.floor(rate["online_s"] / rate["observed_s"] * 1000) / 10 if rate["observed_s"] else None


def unknown_percent(rate: Rate) -> float | None:
    """How much of the required time nobody observed, rounded up; None where nothing was required."""
    return math.ceil(rate["unknown_s"] / rate["required_s"] * 1000) / 10 if rate["required_s"] else None


def longest_s(found: CameraRates) -> int:
    """The longest outage of seven days in seconds: exactly, or in steps while one lasts."""
    seconds, last = found["week"]["longest_outage_s"], found["last_outage"]
    if last is not None and last["lasts"]:
        step = next(step for limit, step in _STEPS if seconds < limit)
        return int(seconds // step * step)
    return int(seconds)


class _OnlineRate(SensorEntity):
    """What both have in common."""

    entity_description: RateDescription

    def _show(self, found: CameraRates | FacilityRates | None) -> Hashable:
        rate = self.entity_description.rate(found) if found else None
        self._attr_native_value = percent(rate) if rate else None
        unknown = unknown_percent(rate) if rate else None
        collecting = rate["collecting"] if rate else None
        self._attr_extra_state_attributes = {"unknown": unknown, "collecting": collecting}
        return self._attr_native_value, unknown, collecting


class CameraOnlineRate(CameraOwnedEntity, _OnlineRate):
    """Of one camera."""

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str, description: RateDescription) -> None:
        """One per description."""
        super().__init__(coordinator, camera_id, description.key)
        self.entity_description = description
        self._attr_entity_registry_enabled_default = not description.disabled_of_cameras

    def _take(self) -> Hashable:
        return self._show(self.coordinator.rates_of(self.camera_id))


class FacilityOnlineRate(FacilityEntity, _OnlineRate):
    """Of all cameras of a facility."""

    def __init__(self, coordinator: FacilityCoordinator, description: RateDescription) -> None:
        """One per description."""
        super().__init__(coordinator, coordinator.entry.entry_id, description.key)
        self.entity_description = description

    def _take(self) -> Hashable:
        return self._show(self.coordinator.rates)


class LongestOutage(CameraOwnedEntity, SensorEntity):
    """How long the longest outage of seven days was, or is; 0 where there was none."""

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str, description: SensorEntityDescription) -> None:
        """One per camera."""
        super().__init__(coordinator, camera_id, description.key)
        self.entity_description = description

    def _take(self) -> Hashable:
        found = self.coordinator.rates_of(self.camera_id)
        self._attr_native_value = longest_s(found) if found and found["week"]["observed_s"] else None
        return self._attr_native_value


class WorstCamera(FacilityEntity, SensorEntity):
    """Which camera of a facility was online least in seven days; with it, the five that were."""

    _unrecorded_attributes = frozenset({"worst"})

    def __init__(self, coordinator: FacilityCoordinator, description: SensorEntityDescription) -> None:
        """One per facility."""
        super().__init__(coordinator, coordinator.entry.entry_id, description.key)
        self.entity_description = description

    def _take(self) -> Hashable:
        found, cameras = self.coordinator.rates, self.coordinator.cameras()
        worst = [camera_id for camera_id in found["worst"] if camera_id in cameras] if found else []
        weeks = {one["id"]: percent(one["week"]) for one in found["cameras"]} if found else {}
        told = [(cameras[camera_id].title, weeks.get(camera_id)) for camera_id in worst]
        self._attr_native_value = told[0][0] if told else NO_CAMERA if found and found["week"]["observed_s"] else None
        self._attr_extra_state_attributes = {"worst": [{"camera": name, "online_rate": rate} for name, rate in told]}
        return self._attr_native_value, tuple(told)
