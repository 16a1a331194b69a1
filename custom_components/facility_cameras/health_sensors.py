"""How the engine and its machine are: diagnostic entities of every facility's device, disabled until somebody looks.

A device belongs to one config entry, and every entry is a facility: a device of the hub's own would go with whichever
facility happened to be first. So each facility offers them, and none costs a row in the recorder before it is enabled.
Figures are told in steps, for they always move.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import PERCENTAGE, EntityCategory, UnitOfInformation, UnitOfTime
from homeassistant.helpers.dispatcher import async_dispatcher_connect

from .coordinator import FacilityCoordinator
from .engine.api_health import HubHealth
from .entity import FacilityEntity
from .hub_state import SIGNAL_HEALTH


@dataclass(frozen=True, kw_only=True)
class HealthDescription(SensorEntityDescription):
    """A figure of the engine or its machine."""

    value: Callable[[HubHealth], float | None]


def _step(value: float | None, step: int) -> int | None:
    return None if value is None else round(value / step) * step


HEALTH_SENSORS = (
    HealthDescription(
        key="engine_cpu",
        translation_key="engine_cpu",
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=PERCENTAGE,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value=lambda health: _step(health["cpu_percent"], 1),
    ),
    HealthDescription(
        key="engine_lag",
        translation_key="engine_lag",
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfTime.MILLISECONDS,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value=lambda health: _step(health["loop_lag_ms"], 10),
    ),
    HealthDescription(
        key="engine_memory",
        translation_key="engine_memory",
        device_class=SensorDeviceClass.DATA_SIZE,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfInformation.BYTES,
        suggested_unit_of_measurement=UnitOfInformation.MEGABYTES,
        suggested_display_precision=0,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value=lambda health: _step(health["memory_bytes"], 10_000_000),
    ),
    HealthDescription(
        key="engine_handles",
        translation_key="engine_handles",
        state_class=SensorStateClass.MEASUREMENT,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value=lambda health: _step(health["handles"], 10),
    ),
)
CLOCK_SYNCHRONISED = BinarySensorEntityDescription(
    key="clock_synchronised",
    translation_key="clock_synchronised",
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
)


class _HealthEntity(FacilityEntity):
    async def async_added_to_hass(self) -> None:
        """Listen from now on."""
        await super().async_added_to_hass()
        self.async_on_remove(async_dispatcher_connect(self.hass, SIGNAL_HEALTH, self._async_told))


class HealthSensor(_HealthEntity, SensorEntity):
    """A figure of the engine or its machine; unavailable while the engine tells us nothing."""

    entity_description: HealthDescription

    def __init__(self, coordinator: FacilityCoordinator, description: HealthDescription) -> None:
        """One per description."""
        super().__init__(coordinator, coordinator.entry.entry_id, description.key)
        self.entity_description = description

    def _take(self) -> Hashable:
        health = self.coordinator.hub.state.health
        self._attr_available = health is not None
        self._attr_native_value = self.entity_description.value(health) if health else None
        return self._attr_available, self._attr_native_value


class ClockSynchronised(_HealthEntity, BinarySensorEntity):
    """On: a time service keeps the machine's clock right. Unknown where the system does not tell."""

    def __init__(self, coordinator: FacilityCoordinator, description: BinarySensorEntityDescription) -> None:
        """One per facility."""
        super().__init__(coordinator, coordinator.entry.entry_id, description.key)
        self.entity_description = description

    def _take(self) -> Hashable:
        health = self.coordinator.hub.state.health
        self._attr_available = health is not None
        self._attr_is_on = health["clock_synchronised"] if health else None
        return self._attr_available, self._attr_is_on
