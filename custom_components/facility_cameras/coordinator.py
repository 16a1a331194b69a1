"""What is known of one facility, fed by the engine's events.

States are pushed; figures that change all the time are asked for (asking.py). Who listens to one camera is told of that camera only.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_PASSWORD, CONF_URL, CONF_USERNAME
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from . import picture_settings, required_hours, when_to_record
from .const import (
    CONF_AFTER,
    CONF_ARCHIVE,
    CONF_ARCHIVE_ID,
    CONF_AUDIO,
    CONF_BEFORE,
    CONF_CHANGES,
    CONF_CONNECT,
    CONF_DAYS_TO_KEEP,
    CONF_LEAST_DAYS,
    CONF_QUOTA_GB,
    CONF_RECORD,
    CONF_RETIRED,
    CONF_SECOND_COPY,
    CONF_SECOND_COPY_ID,
    CONF_TIME_ZONE,
    CONF_ZONE,
    LOGGER,
    SUBENTRY_CAMERA,
)
from .engine.api import CameraConfig, CameraState, Cause, FacilityConfig, FacilityState, Standing, Status
from .engine.api_events import HoldEvent
from .engine.api_footage import CameraCompleteness
from .engine.api_ledger import CameraRates, FacilityRates
from .engine_client import EngineAwayError, EngineError

if TYPE_CHECKING:
    from .hub import Hub

type FacilityConfigEntry = ConfigEntry[FacilityCoordinator]

#: The camera sends and we receive; something may be wrong with its picture.
CONNECTED = frozenset({Status.ONLINE, Status.FROZEN, Status.BLACK, Status.COVERED, Status.MOVED, Status.UNSTABLE})
#: Neither online nor offline.
UNOBSERVED = frozenset({Status.UNKNOWN, Status.DISCONNECTED})


def cameras_of(entry: ConfigEntry) -> dict[str, ConfigSubentry]:
    """The cameras of a facility by id, in the order of their names."""
    found = entry.get_subentries_of_type(SUBENTRY_CAMERA)
    return {camera.subentry_id: camera for camera in sorted(found, key=lambda camera: camera.title.casefold())}


def camera_config(hass: HomeAssistant, entry: ConfigEntry, camera: ConfigSubentry) -> CameraConfig:
    """A camera as the engine wants it; the facility's user and password where it has none of its own."""
    own = CONF_USERNAME in camera.data
    source = camera.data if own else entry.data
    by_entity = when_to_record.entity_of(camera.data) is not None
    changes = camera.data.get(CONF_CHANGES, {})
    in_use = max(
        (changes.get(name, {}) for name in (CONF_CONNECT, CONF_RETIRED)), key=lambda change: change.get("at", "")
    )
    return {
        "id": camera.subentry_id,
        "name": camera.title,
        "url": camera.data[CONF_URL],
        "username": source.get(CONF_USERNAME, ""),
        "password": source.get(CONF_PASSWORD, ""),
        "audio": camera.data[CONF_AUDIO],
        "record": camera.data[CONF_RECORD],
        "days_to_keep": int(camera.data.get(CONF_DAYS_TO_KEEP, 0)),
        "wanted": when_to_record.wanted(hass, camera.data),
        "before_s": float(camera.data.get(CONF_BEFORE, 0.0)) if by_entity else 0.0,
        "after_s": float(camera.data.get(CONF_AFTER, 0.0)) if by_entity else 0.0,
        "sensitivity": picture_settings.sensitivity(camera.data),
        "mask": picture_settings.mask(camera.data),
        "place": camera.data[CONF_ZONE],
        "connect": camera.data.get(CONF_CONNECT, True),
        "retired": camera.data.get(CONF_RETIRED, False),
        "required": required_hours.required(hass, camera.data),
        "connect_who": in_use.get("by", ""),
        "record_who": changes.get(CONF_RECORD, {}).get("by", ""),
    }


def facility_config(hass: HomeAssistant, entry: ConfigEntry) -> FacilityConfig:
    """A facility as the engine wants it."""
    return {
        "id": entry.entry_id,
        "name": entry.title,
        "archive": entry.data[CONF_ARCHIVE],
        "archive_id": entry.data[CONF_ARCHIVE_ID],
        "days_to_keep": int(entry.data[CONF_DAYS_TO_KEEP]),
        "quota_bytes": round(entry.data.get(CONF_QUOTA_GB, 0) * 1e9),
        "least_days": int(entry.data.get(CONF_LEAST_DAYS, 0)),
        "second_copy": entry.data.get(CONF_SECOND_COPY, ""),
        "second_copy_id": entry.data.get(CONF_SECOND_COPY_ID, ""),
        "zone": entry.data.get(CONF_TIME_ZONE) or hass.config.time_zone,
        "cameras": [camera_config(hass, entry, camera) for camera in cameras_of(entry).values()],
    }


class FacilityCoordinator:
    """The newest state of a facility and its cameras, and who wants to know."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, hub: Hub) -> None:
        """Begin with nothing known."""
        self.hass = hass
        self.entry = entry
        self.hub = hub
        self.facility: FacilityState | None = None
        self.connected = False
        #: Called with a camera's id when one was added while the facility runs.
        self.camera_added: list[Callable[[str], None]] = []
        #: Called with what happened to protected footage.
        self.holds_changed: list[Callable[[HoldEvent], None]] = []
        self._cameras: dict[str, CameraState] = {}
        self._listeners: defaultdict[str | None, list[CALLBACK_TYPE]] = defaultdict(list)
        self._completeness: dict[str, CameraCompleteness] = {}
        self._rates: FacilityRates | None = None
        self._rates_of: dict[str, CameraRates] = {}
        self._sync_lock = asyncio.Lock()
        self._changed = False

    # --- what is known ---------------------------------------------------------------------------------

    def camera(self, camera_id: str) -> CameraState | None:
        """The newest state; None while nothing observes the camera."""
        return self._cameras.get(camera_id) if self.connected else None

    def status(self, camera_id: str) -> Status:
        """What is known of a camera now; unknown while nothing observes it."""
        state = self.camera(camera_id)
        if state is None:
            return Status.UNKNOWN
        try:
            return Status(state["status"])
        except ValueError:
            return Status.UNKNOWN

    def cause(self, camera_id: str) -> Cause:
        """Why the camera is not online."""
        state = self.camera(camera_id)
        if state is None:
            return Cause.STARTING
        try:
            return Cause(state["problem"]["cause"])
        except ValueError:
            return Cause.CAMERA_ERROR

    def online(self, camera_id: str) -> bool:
        """True if the camera sends and we receive."""
        return self.status(camera_id) in CONNECTED

    def online_or_unknown(self, camera_id: str) -> bool | None:
        """The same; None while nothing observes the camera, or it is not to be connected."""
        return None if self.status(camera_id) in UNOBSERVED else self.online(camera_id)

    def asked_for(self, camera_id: str) -> bool:
        """Whether a camera is to be there now. While it is under maintenance, outside its hours, switched off or retired
        nobody is told that it is away.
        """
        state = self.camera(camera_id)
        return state is None or state["standing"] == Standing.REQUIRED

    def in_use(self) -> dict[str, ConfigSubentry]:
        """The cameras of this facility that are not retired, by id."""
        return {key: camera for key, camera in self.cameras().items() if not camera.data.get(CONF_RETIRED, False)}

    def cameras(self) -> dict[str, ConfigSubentry]:
        """The cameras of this facility, by id."""
        return cameras_of(self.entry)

    def completeness(self, camera_id: str) -> CameraCompleteness | None:
        """How complete a camera's recording is; None while nobody knows."""
        return self._completeness.get(camera_id) if self.connected else None

    @property
    def rates(self) -> FacilityRates | None:
        """Online rates of the facility; None while nobody knows."""
        return self._rates if self.connected else None

    def rates_of(self, camera_id: str) -> CameraRates | None:
        """Online rates and the last outage of a camera; None while nobody knows."""
        return self._rates_of.get(camera_id) if self.connected else None

    def known(self) -> dict[str, CameraState]:
        """The newest state of every camera that something observes."""
        present = cameras_of(self.entry)
        return {key: state for key, state in self._cameras.items() if key in present} if self.connected else {}

    # --- who wants to know -------------------------------------------------------------------------------

    @callback
    def async_listen(self, camera_id: str | None, listener: CALLBACK_TYPE) -> CALLBACK_TYPE:
        """Call `listener` when the camera may have changed (None: the facility or any camera)."""
        self._listeners[camera_id].append(listener)

        @callback
        def remove() -> None:
            self._listeners[camera_id].remove(listener)

        return remove

    @callback
    def async_tell(self, camera_id: str | None) -> None:
        """Tell who listens to a camera (None: only those of the facility)."""
        if camera_id is not None:
            self._tell_of(camera_id)
        for listener in tuple(self._listeners[None]):
            listener()

    def _tell_of(self, camera_id: str) -> None:
        if camera_id in self.entry.subentries:
            self.hub.observed.take(self, camera_id)
            self.hub.outages.take(self, camera_id)
            for listener in tuple(self._listeners[camera_id]):
                listener()

    @callback
    def async_take_cameras(self, states: Iterable[CameraState]) -> None:
        """The engine tells of cameras. Who listens to the facility is told once."""
        changed = [state for state in states if self._cameras.get(state["id"]) != state]
        for state in changed:
            self._cameras[state["id"]] = state
            self._tell_of(state["id"])
        if changed:
            self.async_tell(None)

    @callback
    def async_take_facility(self, state: FacilityState) -> None:
        """The engine tells of the footage."""
        if self.facility != state:
            self.facility = state
            self.async_tell(None)

    @callback
    def async_take_holds(self, event: HoldEvent) -> None:
        """The engine tells what happened to protected footage."""
        for listener in tuple(self.holds_changed):
            listener(event)

    def async_take_completeness(self, found: Iterable[CameraCompleteness]) -> None:
        """The engine was asked how complete recording is."""
        self._completeness = {camera["id"]: camera for camera in found}
        self._tell_figures(self._completeness.keys())

    @callback
    def async_take_rates(self, found: FacilityRates) -> None:
        """The engine was asked for online rates and outages."""
        self._rates = found
        self._rates_of = {camera["id"]: camera for camera in found["cameras"]}
        self._tell_figures(self._rates_of.keys())

    def _tell_figures(self, cameras: Collection[str]) -> None:
        """Tell who listens to these cameras; what is known of the cameras themselves is the same."""
        for camera_id in cameras:
            if camera_id in self.entry.subentries:
                for listener in tuple(self._listeners[camera_id]):
                    listener()
        self.async_tell(None)

    @callback
    def async_drop_camera(self, camera_id: str) -> None:
        """The engine no longer receives a camera."""
        if self._cameras.pop(camera_id, None) is not None:
            self.async_tell(camera_id)

    @callback
    def async_set_connected(self, connected: bool) -> None:
        """The engine tells us, or no longer does."""
        if self.connected == connected:
            return
        self.connected = connected
        if not connected:
            self._cameras.clear()
            self._completeness.clear()
            self._rates = None
            self._rates_of.clear()
        for camera_id in cameras_of(self.entry):
            self._tell_of(camera_id)
        self.async_tell(None)

    # --- what is wanted ------------------------------------------------------------------------------------

    async def async_sync(self) -> None:
        """Tell the engine what this facility is to be. Calls that come together are one."""
        self._changed = True
        async with self._sync_lock:
            if not self._changed:
                return
            self._changed = False
            try:
                await self.hub.client.put_facility(facility_config(self.hass, self.entry))
            except EngineAwayError:
                LOGGER.debug("The engine is away; it is told of %s when it is back", self.entry.title)
            except EngineError as error:
                LOGGER.error("The engine does not take the facility %s: %s", self.entry.title, error)

    @callback
    def async_push_said(self, camera_id: str) -> None:
        """A camera's schedule or entity says something else: tell the engine, whose last word is the newest."""
        self.entry.async_create_background_task(
            self.hass, self._async_tell_said(camera_id), f"facility_cameras said {camera_id}"
        )

    async def _async_tell_said(self, camera_id: str) -> None:
        async with self._sync_lock:
            if (camera := cameras_of(self.entry).get(camera_id)) is None:
                return
            wanted = when_to_record.wanted(self.hass, camera.data)
            required = required_hours.required(self.hass, camera.data)
            try:
                if wanted is not None:
                    await self.hub.client.put_wanted(camera_id, wanted=wanted)
                if required is not None:
                    await self.hub.client.put_required(camera_id, required=required)
            except EngineAwayError:
                LOGGER.debug("The engine is away; it is told what entities say when it is back")
            except EngineError as error:
                LOGGER.error("The engine is not told what the entities of %s say: %s", camera_id, error)
