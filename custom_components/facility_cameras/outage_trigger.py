"""The trigger `facility_cameras.outage`: a camera has been offline for some time, or is back after that was told.

Once per outage: over a restart of Home Assistant, of the engine and of the automation. Time in which nothing observed
the camera counts neither way. What it hands on (`trigger.title`, `trigger.message`) is in Home Assistant's language.
"""

from datetime import datetime, timedelta
from typing import override

from homeassistant.const import CONF_FOR, CONF_OPTIONS
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.trigger import (
    Trigger,
    TriggerActionRunner,
    TriggerConfig,
    TriggerNotTriggeredReporter,
)
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt as dt_util
import voluptuous as vol

from . import trigger_facts, wording
from .const import DOMAIN
from .coordinator import FacilityCoordinator
from .hub import HUB
from .outages import SIGNAL_CAMERA

CONF_DEVICES = "devices"
_SCHEMA = vol.Schema(
    {
        vol.Optional(CONF_OPTIONS, default={}): {
            vol.Optional(CONF_FOR, default=timedelta(minutes=1)): cv.positive_time_period,
            vol.Optional(CONF_DEVICES, default=[]): vol.All(cv.ensure_list, [cv.string]),
        }
    }
)


class OutageTrigger(Trigger):
    """Follows the chosen cameras: all, or those of the chosen devices (a facility stands for all its cameras)."""

    @override
    @classmethod
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Check grace and devices."""
        checked: ConfigType = _SCHEMA(config)
        return checked

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Take the options; an automation that begins now tells nothing that was told before."""
        super().__init__(hass, config)
        options = config.options or {}
        self._for: timedelta = options[CONF_FOR]
        self._devices: set[str] = set(options[CONF_DEVICES])
        self._told: set[str] = set()
        self._timers: dict[str, CALLBACK_TYPE] = {}

    @override
    async def async_attach_runner(
        self, run_action: TriggerActionRunner, did_not_trigger: TriggerNotTriggeredReporter | None = None
    ) -> CALLBACK_TYPE:
        """Follow the cameras until the returned function is called."""
        # None: no facility yet. One that is added later is followed as well.
        hub = self._hass.data.get(HUB)
        covered = hub.outages.covered() if hub else 0.0

        @callback
        def changed(coordinator: FacilityCoordinator, camera_id: str) -> None:
            if self._concerns(coordinator, camera_id):
                self._follow(coordinator, camera_id, run_action)

        for coordinator in tuple(hub.coordinators.values()) if hub else ():
            for camera_id in coordinator.cameras():
                began = coordinator.hub.outages.began(camera_id)
                if began is not None and began + self._for.total_seconds() <= covered:
                    self._told.add(camera_id)
                changed(coordinator, camera_id)
        stop = async_dispatcher_connect(self._hass, SIGNAL_CAMERA, changed)

        @callback
        def remove() -> None:
            stop()
            for camera_id in tuple(self._timers):
                self._cancel(camera_id)

        return remove

    def _concerns(self, coordinator: FacilityCoordinator, camera_id: str) -> bool:
        if not self._devices:
            return True
        registry = dr.async_get(self._hass)
        for owner in (camera_id, coordinator.entry.entry_id):
            device = registry.async_get_device_by_identifier((DOMAIN, owner), coordinator.entry.entry_id)
            if device is not None and device.id in self._devices:
                return True
        return False

    def _cancel(self, camera_id: str) -> None:
        if cancel := self._timers.pop(camera_id, None):
            cancel()

    def _follow(self, coordinator: FacilityCoordinator, camera_id: str, run_action: TriggerActionRunner) -> None:
        """Tell what is to be told of a camera now, or later."""
        self._cancel(camera_id)
        if not coordinator.asked_for(camera_id):
            # Maintenance, switched off, outside its hours: nothing is told of it, and what was told is over.
            self._told.discard(camera_id)
            return
        online = coordinator.online_or_unknown(camera_id)
        if online is True and camera_id in self._told:
            self._told.discard(camera_id)
            self._tell(coordinator, camera_id, "back", run_action)
        began = coordinator.hub.outages.began(camera_id)
        if online is not False or camera_id in self._told or began is None:
            return
        remaining = began + self._for.total_seconds() - dt_util.utcnow().timestamp()
        if remaining <= 0:
            self._told.add(camera_id)
            self._tell(coordinator, camera_id, "offline", run_action)
            return

        @callback
        def due(_now: datetime) -> None:
            self._timers.pop(camera_id, None)
            self._follow(coordinator, camera_id, run_action)

        self._timers[camera_id] = async_call_later(self._hass, remaining, HassJob(due, cancel_on_shutdown=True))

    def _tell(
        self, coordinator: FacilityCoordinator, camera_id: str, change: str, run_action: TriggerActionRunner
    ) -> None:
        hass, entry = self._hass, coordinator.entry
        if camera_id not in entry.subentries:
            return
        state = coordinator.camera(camera_id)
        since = dt_util.as_local(dt_util.utc_from_timestamp(state["since"] / 1_000_000)) if state else dt_util.now()
        if change == "offline" and (began := coordinator.hub.outages.began(camera_id)) is not None:
            since = dt_util.as_local(dt_util.utc_from_timestamp(began))
        facts = trigger_facts.facts(hass, coordinator, camera_id, since)
        run_action(
            {
                **facts,
                "change": change,
                "entity_id": trigger_facts.camera_entity(hass, camera_id),
                "title": wording.words(hass, f"alert_{change}_title", **facts),
                "message": wording.words(hass, f"alert_{change}_message", **facts).strip(),
            },
            f"{facts['camera']}: {change}",
        )
