"""The events of a facility: incidents (footage was protected or released, or its second copy is made or fails), and what
happened to its cameras together (common_cause_events.py); and of each camera its last outage (outage_events.py).
"""

from collections.abc import Hashable
from typing import override

from homeassistant.components.event import EventEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .common_cause_events import COMMON_CAUSE, CommonCauseEvent
from .coordinator import FacilityConfigEntry, FacilityCoordinator
from .engine.api_events import HoldEvent
from .engine.api_footage import HoldChange
from .entity import FacilityEntity, async_add_for_cameras
from .holds import camera_name, local_time
from .outage_events import LAST_OUTAGE, LastOutage

PARALLEL_UPDATES = 0

#: A state's attributes are rows in the recorder: no more than this of what is told of many holds at once.
_MOST_LISTED = 100


async def async_setup_entry(
    _hass: HomeAssistant, entry: FacilityConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the events of the facility and of each camera."""
    async_add_entities([Incident(entry.runtime_data), CommonCauseEvent(entry.runtime_data, COMMON_CAUSE)])
    async_add_for_cameras(
        entry, async_add_entities, lambda coordinator, camera_id: [LastOutage(coordinator, camera_id, LAST_OUTAGE)]
    )


class Incident(FacilityEntity, EventEntity):
    """What happened last to protected footage."""

    _attr_translation_key = "incident"

    def __init__(self, coordinator: FacilityCoordinator) -> None:
        """One per facility."""
        super().__init__(coordinator, coordinator.entry.entry_id, "incident")
        self._attr_event_types = [change.value for change in HoldChange]

    def _take(self) -> Hashable:
        """Nothing of it is a state."""

    @override
    async def async_added_to_hass(self) -> None:
        """Listen from now on."""
        await super().async_added_to_hass()
        listeners = self.coordinator.holds_changed
        listeners.append(self._async_holds_changed)
        self.async_on_remove(lambda: listeners.remove(self._async_holds_changed))

    @callback
    def _async_holds_changed(self, event: HoldEvent) -> None:
        holds = event["holds"]
        if event["change"] not in self.event_types or not holds:
            return
        released = event["change"] == HoldChange.RELEASED
        told: dict[str, object] = {
            "cameras": list(dict.fromkeys(camera_name(self.hass, hold) for hold in holds))[:_MOST_LISTED],
            "from": local_time(min(hold["start"] for hold in holds)),
            "to": local_time(max(hold["end"] for hold in holds)),
            "reason": holds[0]["reason"],
            "who": holds[0]["released_by"] if released else holds[0]["who"],
            "holds": [hold["id"] for hold in holds[:_MOST_LISTED]],
        }
        if event["change"] == HoldChange.COPY_FAILED:
            told["cause"] = holds[0]["copy_cause"]
        self._trigger_event(event["change"], told)
        self.async_write_ha_state()
