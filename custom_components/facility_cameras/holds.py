"""Actions: protect footage from being deleted, and release it again, from people and from automations.

An alarm button's automation calls `protect` and the last minutes are kept, with the automation's name as who did it.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from http import HTTPStatus

from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.components.switch.const import DOMAIN as SWITCH_DOMAIN
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util
import voluptuous as vol

from .actions import async_check, cameras_of_call
from .const import DOMAIN
from .coordinator import FacilityConfigEntry
from .engine.api import LONGEST_HOLD_DAYS, REASON_SIGNS
from .engine.api_footage import HoldState
from .engine_client import EngineAwayError, EngineError
from .footage_time import async_zone, moment
from .hub import HUB
from .who import async_who

ACTION_PROTECT = "protect"
ACTION_UNPROTECT = "unprotect"
ATTR_START, ATTR_END = "start", "end"
ATTR_REASON = "reason"
ATTR_HOLD_ID = "hold_id"

#: What is protected if no beginning is given.
_BEFORE = timedelta(minutes=5)

_PROTECT = vol.Schema(
    {
        **cv.ENTITY_SERVICE_FIELDS,
        vol.Optional(ATTR_START): cv.datetime,
        vol.Optional(ATTR_END): cv.datetime,
        vol.Optional(ATTR_REASON, default=""): vol.All(cv.string, vol.Length(max=REASON_SIGNS)),
    }
)
_UNPROTECT = vol.Schema(
    {
        **cv.ENTITY_SERVICE_FIELDS,
        vol.Optional(ATTR_HOLD_ID): vol.All(cv.ensure_list, [cv.string]),
        vol.Inclusive(ATTR_START, "time"): cv.datetime,
        vol.Inclusive(ATTR_END, "time"): cv.datetime,
    }
)


@callback
def async_register(hass: HomeAssistant) -> None:
    """Register both actions."""
    hass.services.async_register(
        DOMAIN, ACTION_PROTECT, _async_protect, _PROTECT, supports_response=SupportsResponse.OPTIONAL
    )
    hass.services.async_register(
        DOMAIN, ACTION_UNPROTECT, _async_unprotect, _UNPROTECT, supports_response=SupportsResponse.OPTIONAL
    )


async def _async_protect(call: ServiceCall) -> ServiceResponse:
    """Have footage of cameras kept until it is released."""
    cameras = cameras_of_call(call)
    if not cameras:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_camera_chosen")
    for camera_id in cameras:
        await async_check(call, SWITCH_DOMAIN, f"{camera_id}_recording", POLICY_CONTROL)
    now = dt_util.utcnow()
    spans = {entry.entry_id: _span(call, await async_zone(entry), now) for entry in cameras.values()}
    who = await async_who(call.hass, call.context)
    facilities: defaultdict[FacilityConfigEntry, list[str]] = defaultdict(list)
    for camera_id, entry in cameras.items():
        facilities[entry].append(camera_id)
    found: list[HoldState] = []
    for entry, chosen in facilities.items():
        start, end = spans[entry.entry_id]
        try:
            found += await call.hass.data[HUB].client.protect(
                entry.entry_id,
                {
                    "cameras": chosen,
                    "start": _microseconds(start),
                    "end": _microseconds(end),
                    "reason": call.data[ATTR_REASON],
                    "who": who,
                },
            )
        except EngineError as error:
            raise _refused(entry, error) from error
    return _told(call.hass, found)


async def _async_unprotect(call: ServiceCall) -> ServiceResponse:
    """Have footage kept no longer: by the ids that `protect` returned, or all that lies within a time for cameras."""
    cameras = cameras_of_call(call)
    ids = set(call.data.get(ATTR_HOLD_ID, []))
    if not ids and not (cameras and ATTR_START in call.data):
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_hold_named")
    wanted: defaultdict[FacilityConfigEntry, list[HoldState]] = defaultdict(list)
    client = call.hass.data[HUB].client
    entries: Iterable[FacilityConfigEntry] = call.hass.config_entries.async_loaded_entries(DOMAIN)
    for entry in entries:
        if not ids and entry not in cameras.values():
            continue
        try:
            known = await client.holds(entry.entry_id)
        except EngineError as error:
            raise _refused(entry, error) from error
        within: tuple[int, int] | None = None
        if ATTR_START in call.data:
            zone = await async_zone(entry)
            within = (
                _microseconds(moment(call.data[ATTR_START], zone)),
                _microseconds(moment(call.data[ATTR_END], zone)),
            )
        for hold in known:
            lies_within = within is not None and within[0] <= hold["start"] and hold["end"] <= within[1]
            if {hold["id"], hold["incident"]} & ids or (hold["camera"] in cameras and lies_within):
                wanted[entry].append(hold)
    if not wanted:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="hold_not_found")
    for entry, chosen in wanted.items():
        for camera_id in {hold["camera"] for hold in chosen}:
            await _async_check_release(call, entry, camera_id)
    who = await async_who(call.hass, call.context)
    found: list[HoldState] = []
    for entry, chosen in wanted.items():
        try:
            found += await client.release(entry.entry_id, {"holds": [hold["id"] for hold in chosen], "who": who})
        except EngineError as error:
            raise _refused(entry, error) from error
    return _told(call.hass, found)


async def _async_check_release(call: ServiceCall, entry: FacilityConfigEntry, camera_id: str) -> None:
    """Raise if the user who calls may not do this to the camera; one that was removed is an administrator's."""
    if camera_id in entry.subentries:
        await async_check(call, SWITCH_DOMAIN, f"{camera_id}_recording", POLICY_CONTROL)
    elif call.context.user_id is not None:
        user = await call.hass.auth.async_get_user(call.context.user_id)
        if user is None or not user.is_admin:
            raise Unauthorized(context=call.context, permission=POLICY_CONTROL)


def _span(call: ServiceCall, zone: tzinfo, now: datetime) -> tuple[datetime, datetime]:
    """From when to when. What has no zone is of the facility's clocks. Raises ServiceValidationError."""
    end = moment(call.data[ATTR_END], zone) if ATTR_END in call.data else now
    start = moment(call.data[ATTR_START], zone) if ATTR_START in call.data else min(now, end) - _BEFORE
    if start >= end:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="hold_ends_before_start")
    if end - start > timedelta(days=LONGEST_HOLD_DAYS):
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="hold_too_long",
            translation_placeholders={"days": str(LONGEST_HOLD_DAYS)},
        )
    return start, end


def _microseconds(when: datetime) -> int:
    """UTC microseconds since 1970."""
    return round((when - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1))


def _refused(entry: FacilityConfigEntry, error: EngineError) -> HomeAssistantError:
    """What the engine did not do, in words."""
    if error.status == HTTPStatus.BAD_REQUEST:
        key = "hold_refused"
    elif _archive_is_away(error):
        key = "archive_away"
    else:
        return HomeAssistantError(translation_domain=DOMAIN, translation_key="engine_away")
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=key,
        translation_placeholders={"facility": entry.title, "reason": str(error)},
    )


def _told(hass: HomeAssistant, found: list[HoldState]) -> ServiceResponse:
    """The answer: what can be given to `unprotect`, and what it is about."""
    return {
        "holds": [
            {
                "id": hold["id"],
                "incident": hold["incident"],
                "camera": camera_name(hass, hold),
                "from": local_time(hold["start"]),
                "to": local_time(hold["end"]),
                # None yet: there is no footage of that time, or it is still to come.
                "files": hold["files"],
            }
            for hold in found
        ]
    }


async def async_held(hass: HomeAssistant, facility_id: str) -> list[HoldState]:
    """What is protected of a facility; nothing while its archive is away, for then there is nothing to mark. Raises
    EngineError.
    """
    try:
        return await hass.data[HUB].client.holds(facility_id)
    except EngineError as error:
        if _archive_is_away(error):
            return []
        raise


def _archive_is_away(error: EngineError) -> bool:
    """Whether the engine answers, and its archive does not."""
    return error.status == HTTPStatus.SERVICE_UNAVAILABLE and not isinstance(error, EngineAwayError)


def camera_name(hass: HomeAssistant, hold: HoldState) -> str:
    """The camera's name; its id once it was removed."""
    entry = hass.config_entries.async_get_entry(hold["facility"])
    camera = entry.subentries.get(hold["camera"]) if entry else None
    return camera.title if camera else hold["camera"]


def local_time(microseconds: int) -> str:
    """A time of the engine's in Home Assistant's zone."""
    return dt_util.as_local(dt_util.utc_from_timestamp(microseconds / 1_000_000)).isoformat(timespec="seconds")
