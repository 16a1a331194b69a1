"""Footage handed over: what the action and the flow of exports share, where exports may go, and who is told of their end.

The engine does the work (engine/export). A place is chosen by its key out of those that are there; nothing that anybody
types becomes a path.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

from homeassistant.auth.permissions.const import POLICY_CONTROL
from homeassistant.components import persistent_notification
from homeassistant.components.camera.const import DOMAIN as CAMERA_DOMAIN
from homeassistant.components.http.auth import async_sign_path
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, SupportsResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.loader import async_get_integration
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonValueType
import voluptuous as vol

from . import wording
from .actions import async_check, cameras_of_call
from .camera_device import CameraDevice
from .const import CONF_ARCHIVE, CONF_ARCHIVE_ID, CONF_SECOND_COPY, CONF_SECOND_COPY_ID, DOMAIN
from .coordinator import FacilityConfigEntry, cameras_of
from .engine.api import Problem
from .engine.api_footage import COPY_MARKER, ExportCamera, ExportState
from .engine_client import EngineError
from .footage_time import US, async_zone, moment
from .hub import HUB
from .volumes import find_volumes, read_marker, within

ACTION_EXPORT = "export"
ATTR_START, ATTR_END, ATTR_FOLDER, ATTR_FORM, ATTR_REASON = "start", "end", "folder", "form", "reason"
FORMS = ("folder", "tar")
#: The key of the place beside the footage itself.
PLACE_ARCHIVE, PLACE_COPIES = "archive", "second_folder"
EVENT_EXPORT = f"{DOMAIN}_export"
OVER = frozenset({"done", "failed", "cancelled"})
#: Asked for at once.
LONGEST = timedelta(days=92)
REASON_SIGNS = 1000
#: The action waits so long for a small export; a large one goes on, and its end is told.
_WAIT_S = 20.0
_ASK_S = 1.0
_SIGNED = timedelta(hours=24)
_URL = f"/api/{DOMAIN}/export"

_EXPORT = vol.Schema(
    {
        **cv.ENTITY_SERVICE_FIELDS,
        vol.Required(ATTR_START): cv.datetime,
        vol.Required(ATTR_END): cv.datetime,
        vol.Optional(ATTR_FOLDER, default=PLACE_ARCHIVE): vol.All(cv.string, vol.Length(max=4096)),
        vol.Optional(ATTR_FORM, default=FORMS[0]): vol.In(FORMS),
        vol.Optional(ATTR_REASON, default=""): vol.All(cv.string, vol.Length(max=REASON_SIGNS)),
    }
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where exports may go. `free` in bytes, None where it is not told."""

    key: str
    folder: Path
    free: int | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be exported, why, and for whom. Times are UTC."""

    cameras: tuple[str, ...]
    start: datetime
    end: datetime
    form: str
    reason: str
    who: str


@callback
def async_register(hass: HomeAssistant) -> None:
    """Register the action, and who is told of an export's end: once, whether a facility is set up or not."""
    hass.data[HUB].on_export = lambda export: async_take(hass, export)
    hass.services.async_register(
        DOMAIN, ACTION_EXPORT, _async_export, _EXPORT, supports_response=SupportsResponse.OPTIONAL
    )


async def _async_export(call: ServiceCall) -> ServiceResponse:
    """Export footage of the cameras named, an export for each facility."""
    hass = call.hass
    cameras = cameras_of_call(call)
    if not cameras:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="no_camera_chosen")
    for camera_id in cameras:
        await async_check(call, CAMERA_DOMAIN, f"{camera_id}_camera", POLICY_CONTROL)
    user = await hass.auth.async_get_user(call.context.user_id) if call.context.user_id else None
    who = (user.name or "") if user else "Home Assistant"
    begun: list[ExportState] = []
    for entry in {entry.entry_id: entry for entry in cameras.values()}.values():
        place = await async_place(hass, entry, call.data[ATTR_FOLDER])
        zone = await async_zone(entry)
        wish = Wish(
            tuple(key for key, its in cameras.items() if its is entry),
            moment(call.data[ATTR_START], zone),
            moment(call.data[ATTR_END], zone),
            call.data[ATTR_FORM],
            call.data[ATTR_REASON],
            who,
        )
        begun.append(await async_begin(hass, entry, wish, place))
    try:
        async with asyncio.timeout(_WAIT_S):
            begun = [await async_over(hass, export) for export in begun]
    except TimeoutError:
        begun = [await _async_asked(hass, export["id"]) for export in begun]
    return {"exports": [_told(hass, export) for export in begun]}


def _told(hass: HomeAssistant, export: ExportState) -> JsonValueType:
    return {
        "id": export["id"],
        "state": export["state"],
        "progress": export["progress"],
        "path": export["path"],
        "url": signed_url(hass, export),
        "files": export["all_files"],
        "bytes": export["all_bytes"],
        "gaps": export["gaps"],
        "missed_files": export["missed_files"],
        "problem": sentence(hass, export["problem"]) or None,
    }


# Places -----------------------------------------------------------------------------------------------------------


async def async_places(hass: HomeAssistant, entry: ConfigEntry) -> list[Place]:
    """Where an export of this facility may go now, the archive's own folder first."""
    archive = entry.data[CONF_ARCHIVE]
    media = list(hass.config.media_dirs.values())
    try:
        volumes = await within(lambda: find_volumes(hass.config.config_dir, media))
    except OSError, TimeoutError:
        volumes = []
    # Hidden in the archive: what lies there is footage otherwise.
    found = [Place(PLACE_ARCHIVE, Path(archive) / ".exports")]
    if copies := entry.data.get(CONF_SECOND_COPY):
        found.append(Place(PLACE_COPIES, Path(copies) / "exports"))
    for volume in volumes:
        folder = Path(volume.folder)
        folder = folder.with_name(f"{folder.name}_exports")
        found.append(Place(str(folder), folder, volume.free))
    return found


async def async_place(hass: HomeAssistant, entry: ConfigEntry, key: str) -> Place:
    """The place with this key. Raises ServiceValidationError that names those there are."""
    places = await async_places(hass, entry)
    for place in places:
        if place.key == key:
            return place
    raise ServiceValidationError(
        translation_domain=DOMAIN,
        translation_key="export_no_such_folder",
        translation_placeholders={"folders": ", ".join(place.key for place in places)},
    )


def _prepare(place: Place, data: Mapping[str, Any]) -> None:
    """Make the place's folder; `data` is the facility's. Raises OSError. Blocks."""
    if place.key == PLACE_ARCHIVE and read_marker(data[CONF_ARCHIVE]) != data[CONF_ARCHIVE_ID]:
        raise FileNotFoundError(2, "the disk with the footage is not there")
    if place.key == PLACE_COPIES and read_marker(data[CONF_SECOND_COPY], COPY_MARKER) != data[CONF_SECOND_COPY_ID]:
        raise FileNotFoundError(2, "the second folder is not there")
    place.folder.mkdir(mode=0o750, exist_ok=True)


# Exports ----------------------------------------------------------------------------------------------------------


async def async_begin(hass: HomeAssistant, entry: FacilityConfigEntry, wish: Wish, place: Place) -> ExportState:
    """Have an export begun. Raises ServiceValidationError for times that cannot be, HomeAssistantError."""
    now = dt_util.utcnow()
    end = min(wish.end, now)
    if not timedelta() < end - wish.start <= LONGEST:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="export_times",
            translation_placeholders={"days": str(LONGEST.days)},
        )
    zone = await async_zone(entry)
    integration = await async_get_integration(hass, DOMAIN)
    try:
        await within(lambda: _prepare(place, entry.data))
    except (OSError, TimeoutError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        problem: Problem = {
            "cause": "not_written",
            "placeholders": {"folder": str(place.folder), "reason": reason},
        }
        raise _error(problem) from error
    known = cameras_of(entry)
    cameras: list[ExportCamera] = []
    for camera_id in wish.cameras:
        device = CameraDevice.of(known[camera_id].data)
        cameras.append(
            {
                "id": camera_id,
                "name": known[camera_id].title[:200],
                "make": device.maker[:200],
                "model": device.model[:200],
            }
        )
    client = hass.data[HUB].client
    try:
        # What was received in the last seconds is on its way to the disk.
        await client.flush()
        return await client.begin_export(
            entry.entry_id,
            {
                "cameras": cameras,
                "start": round(wish.start.timestamp() * US),
                "end": round(end.timestamp() * US),
                "folder": str(place.folder),
                "form": wish.form,
                "name": entry.title[:200],
                "zone": str(zone),
                "who": wish.who[:200],
                "reason": wish.reason,
                "product": str(integration.version or ""),
            },
        )
    except EngineError as error:
        busy = error.status == HTTPStatus.SERVICE_UNAVAILABLE and hass.data[HUB].connected
        key = "export_busy" if busy else "engine_away"
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key=key) from error


async def _async_asked(hass: HomeAssistant, export_id: str) -> ExportState:
    """How an export stands now. Raises HomeAssistantError."""
    try:
        return await hass.data[HUB].client.export(export_id)
    except EngineError as error:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="engine_away") from error


async def async_over(hass: HomeAssistant, export: ExportState) -> ExportState:
    """Wait until an export is over. Raises HomeAssistantError."""
    while export["state"] not in OVER:
        await asyncio.sleep(_ASK_S)
        export = await _async_asked(hass, export["id"])
    return export


async def async_under_way(hass: HomeAssistant, entry: ConfigEntry) -> list[ExportState]:
    """Exports of a facility that are not over, and those that failed, newest first; none while the engine is away."""
    try:
        found = await hass.data[HUB].client.exports()
    except EngineError:
        return []
    return [
        export
        for export in reversed(found)
        if export["facility"] == entry.entry_id and export["state"] not in ("done", "cancelled")
    ]


@callback
def sentence(hass: HomeAssistant, problem: Problem | None) -> str:
    """Why an export is paused or failed; empty if it is not."""
    if problem is None:
        return ""
    placeholders = {"folder": "", "reason": "", "needed": "", "files": "", "camera": "", **problem["placeholders"]}
    return wording.words(hass, f"export_{problem['cause']}.message", "exceptions", **placeholders)


def _error(problem: Problem) -> HomeAssistantError:
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=f"export_{problem['cause']}",
        translation_placeholders=problem["placeholders"],
    )


def is_tar(export: ExportState) -> bool:
    """Whether it is a finished export that is one file."""
    return export["state"] == "done" and export["path"].endswith(".tar")


@callback
def signed_url(hass: HomeAssistant, export: ExportState) -> str | None:
    """Where a finished tar is fetched, for a day; None for anything else."""
    if not is_tar(export):
        return None
    return async_sign_path(hass, f"{_URL}/{export['id']}", _SIGNED)


def outcome(export: ExportState) -> str:
    """Which words tell of an export that is over."""
    if export["state"] != "done":
        return f"export_{export['state']}"
    if export["missed_files"]:
        return "export_done_missed"
    return "export_done" if export["all_files"] else "export_done_empty"


@callback
def async_take(hass: HomeAssistant, export: ExportState) -> None:
    """The engine tells of an export: its end is told to automations and to people."""
    entry = hass.config_entries.async_get_entry(export["facility"])
    if export["state"] not in OVER or entry is None:
        return
    hass.bus.async_fire(
        EVENT_EXPORT,
        {
            "id": export["id"],
            "facility": entry.title,
            "state": export["state"],
            "path": export["path"],
            "missed_files": export["missed_files"],
        },
    )
    if export["state"] == "cancelled":
        return
    persistent_notification.async_create(
        hass,
        wording.words(
            hass,
            outcome(export),
            facility=wording.markdown(entry.title),
            path=wording.markdown(export["path"]),
            files=str(export["all_files"]),
            missed=str(export["missed_files"]),
            problem=wording.markdown(sentence(hass, export["problem"])),
        ),
        wording.words(hass, "export_title"),
        f"{DOMAIN}_export_{export['id']}",
    )
