"""Actions: planned maintenance of cameras begins and ends. It always has an end, so nobody forgets it on."""

from datetime import datetime, timedelta

from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.components.switch.const import DOMAIN as SWITCH_DOMAIN
from homeassistant.const import CONF_UNTIL
from homeassistant.core import HomeAssistant, ServiceCall, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util
import voluptuous as vol

from .actions import async_check, cameras_of_call
from .const import DOMAIN
from .coordinator import FacilityConfigEntry
from .engine.api import REASON_SIGNS
from .engine_client import EngineError
from .footage_time import async_zone, moment
from .hub import HUB
from .who import async_who

ACTION_START = "start_maintenance"
ACTION_END = "end_maintenance"
ATTR_DURATION = "duration"
ATTR_REASON = "reason"
#: As the engine has it (engine/standing.py).
_LONGEST = timedelta(days=30)

_START = vol.All(
    vol.Schema(
        {
            **cv.ENTITY_SERVICE_FIELDS,
            vol.Exclusive(ATTR_DURATION, "end"): cv.positive_time_period,
            vol.Exclusive(CONF_UNTIL, "end"): cv.datetime,
            vol.Required(ATTR_REASON): vol.All(cv.string, vol.Strip, vol.Length(min=1, max=REASON_SIGNS)),
        }
    ),
    cv.has_at_least_one_key(ATTR_DURATION, CONF_UNTIL),
)
_END = vol.Schema({**cv.ENTITY_SERVICE_FIELDS})


@callback
def async_register(hass: HomeAssistant) -> None:
    """Register both actions."""
    hass.services.async_register(DOMAIN, ACTION_START, _async_start, _START)
    hass.services.async_register(DOMAIN, ACTION_END, _async_end, _END)


async def _async_start(call: ServiceCall) -> None:
    """Work on cameras is planned from now on: counted apart, and nobody is alerted."""
    cameras = await _async_cameras(call)
    now = dt_util.utcnow()
    ends = {entry.entry_id: await _async_until(call, entry, now) for entry in cameras.values()}
    if not all(now < until <= now + _LONGEST for until in ends.values()):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="maintenance_end",
            translation_placeholders={"days": str(_LONGEST.days)},
        )
    who = await async_who(call.hass, call.context)
    client = call.hass.data[HUB].client
    for camera_id, entry in cameras.items():
        until = round(ends[entry.entry_id].timestamp() * 1_000_000)
        try:
            await client.start_maintenance(camera_id, {"until": until, "reason": call.data[ATTR_REASON], "who": who})
        except EngineError as error:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="engine_away") from error


async def _async_end(call: ServiceCall) -> None:
    """It is over sooner than planned. Cameras that have none are passed over."""
    cameras = await _async_cameras(call)
    who = await async_who(call.hass, call.context)
    client = call.hass.data[HUB].client
    for camera_id in cameras:
        try:
            await client.end_maintenance(camera_id, who)
        except EngineError as error:
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="engine_away") from error


async def _async_cameras(call: ServiceCall) -> dict[str, FacilityConfigEntry]:
    """The cameras that a call is about. Raises if there are none, or the caller may not do this to one of them."""
    cameras = cameras_of_call(call)
    if not cameras:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_camera_chosen")
    for camera_id in cameras:
        await async_check(call, SWITCH_DOMAIN, f"{camera_id}_connect", POLICY_CONTROL)
    return cameras


async def _async_until(call: ServiceCall, entry: FacilityConfigEntry, now: datetime) -> datetime:
    """When it ends. What has no zone is of the facility's clocks."""
    if ATTR_DURATION in call.data:
        duration: timedelta = call.data[ATTR_DURATION]
        # What lies beyond every calendar is too long in any case.
        return now + min(duration, _LONGEST * 2)
    return moment(call.data[CONF_UNTIL], await async_zone(entry))
