"""Cameras of a facility that went away together: one event when that began and one when it ended, however many they are.

When the hub itself was the reason, every facility that has cameras in it is told of its own. A cause that turned out to
be a part of a wider one ends without a word: the wider one is told. Which ones last is remembered by the entity, over
restarts of Home Assistant; an end that nobody saw is not told.
"""

from collections.abc import Hashable
from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.util import dt as dt_util

from . import wording
from .coordinator import FacilityCoordinator
from .engine.api_health import CommonCause, CommonKind
from .entity import FacilityEntity
from .hub_state import SIGNAL_COMMON_CAUSES

BEGAN, ENDED = "began", "ended"
COMMON_CAUSE = EventEntityDescription(key="common_cause", translation_key="common_cause", event_types=[BEGAN, ENDED])
#: A state's attributes are rows in the recorder: no more cameras than this are named.
_MOST_LISTED = 100


class CommonCauseEvent(FacilityEntity, EventEntity):
    """What cameras of a facility did together last."""

    _unrecorded_attributes = frozenset({"lasting"})

    def __init__(self, coordinator: FacilityCoordinator, description: EventEntityDescription) -> None:
        """One per facility."""
        super().__init__(coordinator, coordinator.entry.entry_id, description.key)
        self.entity_description = description
        self._lasting: set[str] = set()

    def _take(self) -> Hashable:
        """Nothing of it is a state."""

    @override
    async def async_added_to_hass(self) -> None:
        """Listen from now on, and tell what began while nobody did."""
        await super().async_added_to_hass()
        self._lasting = set(self.state_attributes.get("lasting", ()))
        self.async_on_remove(async_dispatcher_connect(self.hass, SIGNAL_COMMON_CAUSES, self._async_causes))
        self._async_causes(None)

    @callback
    def _async_causes(self, changed: CommonCause | None) -> None:
        """A common cause changed or ended; None: a look at all that last."""
        lasting = self.coordinator.hub.state.common_causes
        if changed is not None and changed["ended"] is not None:
            self._lasting.discard(changed["id"])
            if not changed["part_of"] and self._concerns(changed):
                self._tell(ENDED, changed)
        # Of an engine that began anew nothing is known but what it tells.
        self._lasting &= lasting.keys()
        for cause in lasting.values():
            if cause["id"] not in self._lasting and self._concerns(cause):
                self._lasting.add(cause["id"])
                self._tell(BEGAN, cause)

    def _concerns(self, cause: CommonCause) -> bool:
        if cause["kind"] == CommonKind.HUB:
            return any(camera in self.coordinator.entry.subentries for camera in cause["cameras"])
        return cause["facility"] == self.coordinator.entry.entry_id

    def _tell(self, change: str, cause: CommonCause) -> None:
        cameras, entry = self.coordinator.cameras(), self.coordinator.entry
        names = [cameras[camera].title for camera in cause["cameras"] if camera in cameras]
        title, message = _words(self.hass, change, cause, entry.title)
        self._trigger_event(
            change,
            {
                "cameras": names[:_MOST_LISTED],
                "count": len(names),
                "kind": cause["kind"],
                "cause": cause["likely"],
                "from": _time(cause["began"]),
                "to": None if cause["ended"] is None else _time(cause["ended"]),
                "title": title,
                "message": message,
                "lasting": sorted(self._lasting),
            },
        )
        self.async_write_ha_state()


def _words(hass: HomeAssistant, change: str, cause: CommonCause, facility: str) -> tuple[str, str]:
    """Title and message of an alert, in Home Assistant's language."""
    facts = {
        "facility": facility,
        "count": str(len(cause["cameras"])),
        "total": str(cause["total"]),
        "host": cause["host"],
        "since": _clock(cause["began"]),
    }
    if change == BEGAN:
        title, message = f"common_cause_{cause['kind']}_title", f"common_cause_{cause['likely']}_message"
    else:
        back = "observed" if cause["kind"] == CommonKind.HUB else "back"
        title, message = f"together_{back}_title", f"together_{back}_message"
        facts["until"] = _clock(cause["ended"] or cause["began"])
    return wording.words(hass, title, **facts), wording.words(hass, message, **facts)


def _time(microseconds: int) -> str:
    return dt_util.utc_from_timestamp(microseconds // 1_000_000).isoformat()


def _clock(microseconds: int) -> str:
    return f"{dt_util.as_local(dt_util.utc_from_timestamp(microseconds / 1_000_000)):%H:%M %d/%m/%Y}"
