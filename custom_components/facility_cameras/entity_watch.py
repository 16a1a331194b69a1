"""Follows the entities that say when cameras are recorded and when they are required: the engine is told at once, a new
name is kept, and a repair tells of one that stays away (when_to_record.py, required_hours.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from homeassistant.core import (
    CALLBACK_TYPE,
    CoreState,
    Event,
    EventStateChangedData,
    HassJob,
    HomeAssistant,
    callback,
)
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.event import (
    async_call_later,
    async_track_entity_registry_updated_event,
    async_track_state_change_event,
)
from homeassistant.helpers.start import async_at_started

from . import required_hours, when_to_record
from .const import CONF_REQUIRED_ENTITY, CONF_WHEN_ENTITY, DOMAIN
from .coordinator import FacilityCoordinator
from .when_to_record import says

#: Integrations that are reloaded are away for a moment.
_AWAY_S = 60.0


@dataclass(frozen=True)
class _Said:
    """What entities say of cameras: which entity that is, where its id is kept, and which repair tells that it is away."""

    entity_of: Callable[[Mapping[str, Any]], str | None]
    key: str
    issue: str


_SAID = (
    _Said(when_to_record.entity_of, CONF_WHEN_ENTITY, "when_entity_away"),
    _Said(required_hours.entity_of, CONF_REQUIRED_ENTITY, "required_entity_away"),
)


@callback
def async_watch(hass: HomeAssistant, coordinator: FacilityCoordinator) -> CALLBACK_TYPE:
    """Follow the entities of a facility's cameras until the returned function is called."""
    watches = [_Watch(hass, coordinator, said) for said in _SAID]

    @callback
    def stop() -> None:
        for watch in watches:
            watch.async_stop()

    return stop


@callback
def async_clear_camera(hass: HomeAssistant, camera_id: str) -> None:
    """The camera is gone."""
    for said in _SAID:
        ir.async_delete_issue(hass, DOMAIN, f"{said.issue}_{camera_id}")


class _Watch:
    """The entities of one facility that say one thing."""

    def __init__(self, hass: HomeAssistant, coordinator: FacilityCoordinator, said: _Said) -> None:
        self._hass = hass
        self._said = said
        self._coordinator = coordinator
        self._followed: dict[str, str] = {}
        self._unfollow: list[CALLBACK_TYPE] = []
        self._away: dict[str, CALLBACK_TYPE] = {}
        self._unlisten = [
            coordinator.async_listen(None, self._async_renew),
            async_at_started(hass, self._async_started),
        ]
        self._async_renew()

    @callback
    def async_stop(self) -> None:
        """Follow nothing any more."""
        for stop in (*self._unlisten, *self._away.values(), *self._unfollow):
            stop()

    @callback
    def _async_renew(self) -> None:
        """Follow the entities that are meant now."""
        cameras = self._coordinator.cameras()
        followed = {
            key: entity for key, camera in cameras.items() if (entity := self._said.entity_of(camera.data)) is not None
        }
        if followed == self._followed:
            return
        for camera_id in self._followed.keys() - followed.keys():
            self._here(camera_id)
        for stop in self._unfollow:
            stop()
        self._followed = followed
        entities = set(followed.values())
        self._unfollow = [
            async_track_state_change_event(self._hass, entities, self._async_changed),
            async_track_entity_registry_updated_event(self._hass, entities, self._async_renamed),
        ]
        for camera_id in followed:
            self._look_after(camera_id)

    @callback
    def _async_changed(self, event: Event[EventStateChangedData]) -> None:
        before, now = (says(event.data[key]) for key in ("old_state", "new_state"))
        for camera_id, entity_id in self._followed.items():
            if entity_id != event.data["entity_id"]:
                continue
            if before != now:
                self._coordinator.async_push_said(camera_id)
            self._look_after(camera_id)

    @callback
    def _async_renamed(self, event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        """An entity has another id: it is still the one that is meant."""
        data = event.data
        if data["action"] != "update" or "old_entity_id" not in data:
            return
        for camera_id, camera in self._coordinator.cameras().items():
            if self._followed.get(camera_id) == data["old_entity_id"]:
                self._hass.config_entries.async_update_subentry(
                    self._coordinator.entry, camera, data={**camera.data, self._said.key: data["entity_id"]}
                )

    @callback
    def _async_started(self, _hass: HomeAssistant) -> None:
        """Entities that are not there now will not come by themselves."""
        for camera_id in self._followed:
            self._coordinator.async_push_said(camera_id)
            self._look_after(camera_id)

    @callback
    def _look_after(self, camera_id: str) -> None:
        """Have people told of an entity that stays away."""
        if says(self._hass.states.get(self._followed[camera_id])) is not None:
            self._here(camera_id)
        elif camera_id not in self._away and self._hass.state is CoreState.running:

            @callback
            def told(_now: object) -> None:
                self._tell(camera_id)

            self._away[camera_id] = async_call_later(self._hass, _AWAY_S, HassJob(told, cancel_on_shutdown=True))

    @callback
    def _here(self, camera_id: str) -> None:
        if (cancel := self._away.pop(camera_id, None)) is not None:
            cancel()
        ir.async_delete_issue(self._hass, DOMAIN, f"{self._said.issue}_{camera_id}")

    @callback
    def _tell(self, camera_id: str) -> None:
        self._away.pop(camera_id, None)
        camera = self._coordinator.cameras().get(camera_id)
        if camera is None or camera_id not in self._followed:
            return
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            f"{self._said.issue}_{camera_id}",
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key=self._said.issue,
            translation_placeholders={
                "camera": camera.title,
                "facility": self._coordinator.entry.title,
                "entity": self._followed[camera_id],
            },
        )
