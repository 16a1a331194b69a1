"""The last outage of a camera: told once when it began and once when it ended, with all that is known of it.

It is the ledger's outage, which goes from the first time that a camera is not connected to the next time that it is,
over restarts of the engine. What was told is remembered by the entity, over restarts of Home Assistant; an outage that
was over before a camera was first looked at is not told.
"""

from collections.abc import Hashable
from typing import Any, override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import callback
from homeassistant.util import dt as dt_util

from . import wording
from .coordinator import FacilityCoordinator
from .engine.api import Status
from .engine.api_ledger import Outage
from .entity import CameraOwnedEntity

BEGAN, ENDED = "began", "ended"
LAST_OUTAGE = EventEntityDescription(key="outage", translation_key="outage", event_types=[BEGAN, ENDED])


class LastOutage(CameraOwnedEntity, EventEntity):
    """What happened last: a camera's outage began or ended."""

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str, description: EventEntityDescription) -> None:
        """One per camera."""
        super().__init__(coordinator, camera_id, description.key)
        self.entity_description = description
        self._looked = False
        #: When the outage began that was over when we first looked, and nothing had been told before.
        self._passed_over: str | None = None

    @override
    @callback
    def _async_told(self) -> None:
        self._take()

    def _take(self) -> Hashable:
        """Nothing of it is a state; what is new is told."""
        found = self.coordinator.rates_of(self.camera_id)
        if found is None:
            return None
        outage, told = found["last_outage"], self.state_attributes
        began = _time(outage["start"]) if outage is not None else None
        if not self._looked and told.get("event_type") is None and outage is not None and not outage["lasts"]:
            self._passed_over = began
        self._looked = True
        if outage is None or began == self._passed_over:
            return None
        change = BEGAN if outage["lasts"] else ENDED
        same = told.get("from") == began
        if same and told.get("event_type") in (change, ENDED):
            return None
        self._trigger_event(change, self._facts(outage, told if same else {}))
        self.async_write_ha_state()
        return None

    def _facts(self, outage: Outage, told: dict[str, Any]) -> dict[str, Any]:
        """The whole outage; `told` is what was told when it began, if it was."""
        status, cause = (outage["statuses"] or [Status.UNKNOWN.value])[0], (outage["causes"] or [""])[0]
        problem = told.get("problem", "")
        state = self.coordinator.camera(self.camera_id)
        if not problem and outage["lasts"] and state is not None:
            problem = wording.problem_sentence(self.hass, state["problem"])
        return {
            "from": _time(outage["start"]),
            "to": None if outage["lasts"] else _time(outage["end"]),
            "seconds": round(outage["away_s"]),
            "unknown_seconds": round(outage["unknown_s"]),
            "status": status,
            "cause": cause,
            "causes": outage["causes"],
            "problem": problem or wording.status_word(self.hass, Status(status)),
        }


def _time(microseconds: int) -> str:
    return dt_util.utc_from_timestamp(microseconds // 1_000_000).isoformat()
