"""Triggers for one camera that changes: went offline, came back, picture problem, not recording.

Once per change: what was so before, as last observed, has to be otherwise. A hub that restarts, or time in which nobody
observed the camera, is no change; `for` counts observed time only and begins anew after a break (`observed.py`).
Nothing is told of a camera in planned maintenance, or of which nothing is asked; what still is so when that ends begins
then. What began while Home Assistant did not run is told by `facility_cameras.outage`, not here.
"""

from datetime import datetime, timedelta
from typing import ClassVar, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_ENTITY_ID, CONF_FOR, CONF_OPTIONS, CONF_TARGET
from homeassistant.core import CALLBACK_TYPE, HassJob, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.target import TargetSelection
from homeassistant.helpers.trigger import Trigger, TriggerActionRunner, TriggerConfig, TriggerNotTriggeredReporter
from homeassistant.helpers.typing import ConfigType
from homeassistant.util import dt as dt_util
import voluptuous as vol

from . import trigger_facts
from .camera_target import CamerasMeant
from .coordinator import FacilityCoordinator
from .hub import HUB
from .observed import Fact
from .outages import SIGNAL_CAMERA
from .picture_problem import found_picture, picture_sentence

_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_TARGET): cv.TARGET_FIELDS,
        vol.Optional(CONF_OPTIONS, default={}): {vol.Optional(CONF_FOR, default=timedelta()): cv.positive_time_period},
    }
)


class CameraTrigger(Trigger):
    """Follows the cameras of its target until `fact` becomes `becomes`."""

    fact: ClassVar[Fact]
    becomes: ClassVar[bool]

    @override
    @classmethod
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Check target and `for`."""
        checked: ConfigType = _SCHEMA(config)
        return checked

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Take target and options; nothing is followed yet."""
        super().__init__(hass, config)
        self._target = TargetSelection(config.target or {})
        self._for: timedelta = (config.options or {}).get(CONF_FOR, timedelta())
        self._cameras: set[str] = set()
        #: Cameras that were last observed otherwise: only these can change.
        self._armed: set[str] = set()
        self._timers: dict[str, CALLBACK_TYPE] = {}

    @override
    async def async_attach_runner(
        self, run_action: TriggerActionRunner, did_not_trigger: TriggerNotTriggeredReporter | None = None
    ) -> CALLBACK_TYPE:
        """Follow the cameras until the returned function is called."""

        @callback
        def meant(cameras: dict[str, ConfigEntry]) -> None:
            for camera_id in self._cameras - cameras.keys():
                self._cancel(camera_id)
                self._armed.discard(camera_id)
            added, self._cameras = cameras.keys() - self._cameras, set(cameras)
            # No hub yet: no facility either. One that is added later is followed as well.
            hub = self._hass.data.get(HUB)
            for camera_id in added:
                coordinator = hub.coordinators.get(cameras[camera_id].entry_id) if hub else None
                if coordinator is not None and self._value(coordinator, camera_id) is (not self.becomes):
                    self._armed.add(camera_id)

        @callback
        def changed(coordinator: FacilityCoordinator, camera_id: str) -> None:
            if camera_id in self._cameras:
                self._follow(coordinator, camera_id, run_action)

        end_target = await CamerasMeant(self._hass, self._target, meant).async_follow()
        end_signal = async_dispatcher_connect(self._hass, SIGNAL_CAMERA, changed)

        @callback
        def remove() -> None:
            end_signal()
            end_target()
            for camera_id in tuple(self._timers):
                self._cancel(camera_id)

        return remove

    def _value(self, coordinator: FacilityCoordinator, camera_id: str) -> bool | None:
        """Whether it is so; None while nobody observes it, or nothing is asked of the camera."""
        return coordinator.hub.observed.value(camera_id, self.fact) if coordinator.asked_for(camera_id) else None

    def _cancel(self, camera_id: str) -> None:
        if cancel := self._timers.pop(camera_id, None):
            cancel()

    def _follow(self, coordinator: FacilityCoordinator, camera_id: str, run_action: TriggerActionRunner) -> None:
        value = self._value(coordinator, camera_id)
        if value is not self.becomes:
            self._cancel(camera_id)
            if value is not None:
                self._armed.add(camera_id)
            return
        if camera_id not in self._armed or camera_id in self._timers:
            return
        if not self._for:
            self._tell(coordinator, camera_id, run_action)
            return

        @callback
        def due(_now: datetime) -> None:
            self._timers.pop(camera_id, None)
            if self._value(coordinator, camera_id) is self.becomes:
                self._tell(coordinator, camera_id, run_action)

        self._timers[camera_id] = async_call_later(self._hass, self._for, HassJob(due, cancel_on_shutdown=True))

    def _tell(self, coordinator: FacilityCoordinator, camera_id: str, run_action: TriggerActionRunner) -> None:
        self._armed.discard(camera_id)
        held = timedelta(seconds=coordinator.hub.observed.held_s(camera_id, self.fact))
        facts = trigger_facts.facts(self._hass, coordinator, camera_id, dt_util.now() - held)
        if self.fact is Fact.PICTURE_PROBLEM and (picture := found_picture(coordinator, camera_id)) is not None:
            facts["problem"] = picture_sentence(self._hass, picture)
        entity_id = trigger_facts.camera_entity(self._hass, camera_id)
        run_action({**facts, ATTR_ENTITY_ID: entity_id, CONF_FOR: self._for}, f"{facts['camera']}: {facts['status']}")


class _WentOffline(CameraTrigger):
    fact, becomes = Fact.ONLINE, False


class _CameBack(CameraTrigger):
    fact, becomes = Fact.ONLINE, True


class _PictureProblem(CameraTrigger):
    fact, becomes = Fact.PICTURE_PROBLEM, True


class _NotRecording(CameraTrigger):
    fact, becomes = Fact.NOT_RECORDING, True


CAMERA_TRIGGERS: dict[str, type[Trigger]] = {
    "went_offline": _WentOffline,
    "came_back": _CameBack,
    "picture_problem": _PictureProblem,
    "not_recording": _NotRecording,
}
