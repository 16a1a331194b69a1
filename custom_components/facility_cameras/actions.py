"""Actions: recording for whole areas and labels, a picture for an alert, clips of footage."""

from contextlib import suppress
from datetime import timedelta
from operator import itemgetter
from pathlib import Path
import time

from homeassistant.auth.permissions.const import POLICY_CONTROL, POLICY_READ
from homeassistant.components.camera.const import DOMAIN as CAMERA_DOMAIN
from homeassistant.components.switch.const import DOMAIN as SWITCH_DOMAIN
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized, UnknownUser
from homeassistant.helpers import config_validation as cv, entity_registry as er
from homeassistant.helpers.target import TargetSelection
from homeassistant.util import dt as dt_util
import voluptuous as vol

from . import clips, wording
from .camera_target import cameras_meant
from .const import CONF_RECORD, DOMAIN
from .coordinator import FacilityConfigEntry, cameras_of
from .engine_client import EngineError
from .footage_time import async_zone, moment
from .hub import HUB
from .switch import async_set_switch
from .who import async_change

ACTION_SET_RECORDING = "set_recording"
ACTION_SNAPSHOT = "snapshot"
ACTION_CLIP = "clip"
ACTION_FILM = "film"
ATTR_WIDTH = "width"
ATTR_START = "start"
ATTR_END = "end"
ATTR_DURATION = "duration"

#: Pictures for alerts lie here, below Home Assistant's media folder: not listed there, and within what
#: `allowlist_external_dirs` allows by itself.
_SNAPSHOT_FOLDER = ".facility_cameras_snapshots"
#: An alert's picture is sent at once; it is kept a day for those that were not.
_SNAPSHOT_LIFE_S = 24 * 3600
#: Whoever takes one a second must not fill the disk.
_MOST_SNAPSHOTS = 2000

_SET_RECORDING = vol.Schema({**cv.ENTITY_SERVICE_FIELDS, vol.Required(CONF_RECORD): cv.boolean})
#: Home Assistant makes a list of what an automation gives as target.
_ONE_ENTITY = vol.All(cv.ensure_list, vol.Length(min=1, max=1), [cv.entity_id], itemgetter(0))
_SNAPSHOT = vol.Schema(
    {
        vol.Required(ATTR_ENTITY_ID): _ONE_ENTITY,
        vol.Optional(ATTR_WIDTH): vol.All(vol.Coerce(int), vol.Range(min=64, max=7680)),
    }
)
#: A time without a zone is one of the facility's clocks.
_SPAN = {
    vol.Required(ATTR_ENTITY_ID): _ONE_ENTITY,
    vol.Required(ATTR_START): cv.datetime,
    vol.Exclusive(ATTR_END, "until"): cv.datetime,
    vol.Exclusive(ATTR_DURATION, "until"): cv.positive_time_period,
}
_CLIP = vol.All(vol.Schema(_SPAN), cv.has_at_least_one_key(ATTR_END, ATTR_DURATION))


@callback
def async_register(hass: HomeAssistant) -> None:
    """Register every action, once, whether a facility is set up or not."""
    hass.services.async_register(DOMAIN, ACTION_SET_RECORDING, _async_set_recording, _SET_RECORDING)
    hass.services.async_register(
        DOMAIN, ACTION_SNAPSHOT, _async_snapshot, _SNAPSHOT, supports_response=SupportsResponse.OPTIONAL
    )
    hass.services.async_register(DOMAIN, ACTION_CLIP, _async_clip, _CLIP, supports_response=SupportsResponse.OPTIONAL)
    hass.services.async_register(DOMAIN, ACTION_FILM, _async_film, _CLIP, supports_response=SupportsResponse.OPTIONAL)
    clips.async_register(hass)


async def _async_set_recording(call: ServiceCall) -> None:
    """Have cameras recorded or not: those named, and those of named devices, areas, floors and labels.

    A facility's device stands for all its cameras.
    """
    cameras = cameras_of_call(call)
    if not cameras:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_camera_chosen")
    for camera_id in cameras:
        await async_check(call, SWITCH_DOMAIN, f"{camera_id}_recording", POLICY_CONTROL)
    change = await async_change(call.hass, call.context)
    for camera_id, entry in cameras.items():
        async_set_switch(call.hass, entry, camera_id, CONF_RECORD, on=call.data[CONF_RECORD], change=change)


async def _async_snapshot(call: ServiceCall) -> ServiceResponse:
    """Write the newest picture of a camera where notifiers may take it from.

    Of one that is away it is its last, which says so itself.
    """
    hass = call.hass
    _, camera_id = await _readable_camera(call)
    try:
        width, words = call.data.get(ATTR_WIDTH), wording.words(hass, "not_live")
        found = await hass.data[HUB].client.still(camera_id, width, None, words)
    except EngineError as error:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="engine_away") from error
    if found is None:
        return {"path": None, "taken": None, "live": False}
    folder = _snapshot_folder(hass)
    try:
        path = await hass.async_add_executor_job(_write, folder, f"{camera_id}_{found.taken}.jpg", found.jpeg)
    except OSError as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="snapshot_not_written",
            translation_placeholders={"folder": str(folder), "reason": error.strerror or str(error)},
        ) from error
    taken = dt_util.utc_from_timestamp(found.taken / 1_000_000).isoformat()
    return {"path": str(path), "taken": taken, "live": found.live}


async def _async_clip(call: ServiceCall) -> ServiceResponse:
    """Cut footage of a camera to a file that notifiers may take."""
    return await _async_made(call, ACTION_CLIP, clips.LONGEST_CLIP)


async def _async_film(call: ServiceCall) -> ServiceResponse:
    """A day, or any other stretch, in two minutes."""
    return await _async_made(call, ACTION_FILM, clips.LONGEST_FILM)


async def _async_made(call: ServiceCall, kind: str, longest: timedelta) -> ServiceResponse:
    entry, camera_id = await _readable_camera(call)
    zone = await async_zone(entry)
    start = moment(call.data[ATTR_START], zone)
    lasts: timedelta
    lasts = call.data[ATTR_DURATION] if ATTR_DURATION in call.data else moment(call.data[ATTR_END], zone) - start
    if lasts > longest:
        hours = str(longest // timedelta(hours=1))
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="clip_too_long", translation_placeholders={"hours": hours}
        )
    return await clips.async_clip(call.hass, entry, camera_id, kind, start, start + lasts)


async def _readable_camera(call: ServiceCall) -> tuple[ConfigEntry, str]:
    """Facility and id of the camera that a call names. Raises if there is none, or the caller may not see it."""
    registered = er.async_get(call.hass).async_get(call.data[ATTR_ENTITY_ID])
    camera_id = registered.config_subentry_id if registered and registered.platform == DOMAIN else None
    entry_id = registered.config_entry_id if registered else None
    entry = call.hass.config_entries.async_get_entry(entry_id) if entry_id else None
    if camera_id is None or entry is None or camera_id not in cameras_of(entry):
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_camera_chosen")
    await async_check(call, CAMERA_DOMAIN, f"{camera_id}_camera", POLICY_READ)
    return entry, camera_id


def _snapshot_folder(hass: HomeAssistant) -> Path:
    """In the first media folder: those are allowed to be read by notifiers, and not by everybody as `www` is."""
    roots = list(hass.config.media_dirs.values()) or [hass.config.path("media")]
    return Path(roots[0]) / _SNAPSHOT_FOLDER


def _write(folder: Path, name: str, jpeg: bytes) -> Path:
    """Write a picture; remove those that are a day old, and the oldest of too many."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    old = time.time() - _SNAPSHOT_LIFE_S
    found: list[tuple[float, Path]] = []
    for path in folder.glob("*.jpg"):
        with suppress(FileNotFoundError):  # another picture is written just now, and removes the same
            found.append((path.stat().st_mtime, path))
    found.sort(reverse=True)
    for place, (written, path) in enumerate(found):
        if written < old or place >= _MOST_SNAPSHOTS:
            path.unlink(missing_ok=True)
    path = folder / name
    path.write_bytes(jpeg)
    return path


def cameras_of_call(call: ServiceCall) -> dict[str, FacilityConfigEntry]:
    """The cameras of loaded facilities that a call is about."""
    loaded = call.hass.config_entries.async_loaded_entries(DOMAIN)
    return cameras_meant(call.hass, TargetSelection(call.data), loaded)


async def async_check(call: ServiceCall, domain: str, unique_id: str, policy: str) -> None:
    """Raise if the user who calls may not do this to the entity."""
    if call.context.user_id is None:
        return
    user = await call.hass.auth.async_get_user(call.context.user_id)
    if user is None:
        raise UnknownUser(context=call.context)
    entity_id = er.async_get(call.hass).async_get_entity_id(domain, DOMAIN, unique_id)
    if entity_id is None or not user.permissions.check_entity(entity_id, policy):
        raise Unauthorized(context=call.context, entity_id=entity_id, permission=policy)
