"""Conditions for cameras: is offline, is online, has a picture problem, is not recorded although it is to be.

What nobody observes is none of these, and `for` counts observed time only (promise I5, `observed.py`).
"""

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar, Unpack, override

from homeassistant.const import CONF_FOR
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.condition import (
    ATTR_BEHAVIOR,
    BEHAVIOR_ALL,
    ENTITY_STATE_CONDITION_SCHEMA_ANY_ALL,
    Condition,
    ConditionCheckParams,
    ConditionConfig,
)
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.target import TargetSelection
from homeassistant.helpers.typing import ConfigType

from .camera_target import cameras_meant
from .coordinator import FacilityCoordinator
from .hub import HUB
from .observed import Fact
from .outages import SIGNAL_CAMERA


class CameraCondition(Condition):
    """True if `fact` is `wanted` of any or of all cameras of its target that somebody observes."""

    fact: ClassVar[Fact]
    wanted: ClassVar[bool]

    @override
    @classmethod
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Check target, behaviour and `for`."""
        checked: ConfigType = ENTITY_STATE_CONDITION_SCHEMA_ANY_ALL(config)
        return checked

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        """Take target and options."""
        super().__init__(hass, config)
        options = config.options or {}
        self._target = TargetSelection(config.target or {})
        self._all = options[ATTR_BEHAVIOR] == BEHAVIOR_ALL
        self._for_s: float = options.get(CONF_FOR, timedelta()).total_seconds()

    @property
    @override
    def needs_polling(self) -> bool:
        """Time alone makes a duration full."""
        return self._for_s > 0

    @override
    async def _async_track_changes(self, action: Callable[[], None]) -> CALLBACK_TYPE:
        @callback
        def changed(_coordinator: FacilityCoordinator, camera_id: str) -> None:
            if camera_id in cameras_meant(self._hass, self._target):
                action()

        return async_dispatcher_connect(self._hass, SIGNAL_CAMERA, changed)

    @override
    def _async_check(self, **kwargs: Unpack[ConditionCheckParams]) -> bool:
        hub = self._hass.data.get(HUB)
        if hub is None:
            return False
        observed = hub.observed
        found = [
            value is self.wanted and observed.held_s(camera_id, self.fact) >= self._for_s
            for camera_id in cameras_meant(self._hass, self._target)
            if (value := observed.value(camera_id, self.fact)) is not None
        ]
        # Of nobody it is not so: "all offline" must not be true because nothing is known.
        return bool(found) and (all(found) if self._all else any(found))


class _IsOffline(CameraCondition):
    fact, wanted = Fact.ONLINE, False


class _IsOnline(CameraCondition):
    fact, wanted = Fact.ONLINE, True


class _HasPictureProblem(CameraCondition):
    fact, wanted = Fact.PICTURE_PROBLEM, True


class _IsNotRecording(CameraCondition):
    fact, wanted = Fact.NOT_RECORDING, True


async def async_get_conditions(_hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Our conditions by name."""
    return {
        "is_offline": _IsOffline,
        "is_online": _IsOnline,
        "has_picture_problem": _HasPictureProblem,
        "is_not_recording": _IsNotRecording,
    }
