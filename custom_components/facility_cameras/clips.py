"""Clips and films of footage for automations and people: made by the engine, kept for a day below Home Assistant's media folder.

Nobody lists them there (their folder is hidden); notifiers may read them, because `allowlist_external_dirs` allows the media folder by
itself. Addresses and media ids name a camera and a file: both are looked up, never joined to a path.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from http import HTTPStatus
from pathlib import Path
import time

from homeassistant.components.http.auth import async_sign_path
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, ServiceResponse, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.json import JsonValueType

from .const import DOMAIN, LOGGER
from .coordinator import cameras_of
from .engine.api import Problem
from .engine.api_footage import Clip, ClipCause, ClipFile, ClipRequest, JobState
from .engine_client import EngineError
from .footage_time import async_zone, local
from .hub import HUB
from .playback import Preview

#: Below the first media folder.
_FOLDER = ".facility_cameras_clips"
#: What was made is sent at once; it is kept a day for who looks later.
LIFE_S = 24 * 3600
#: Whoever has one made a minute must not fill the disk.
_MOST, _MOST_BYTES = 500, 8 << 30
#: Longest span at once.
LONGEST_CLIP, LONGEST_FILM, LONGEST_PREVIEW = timedelta(hours=6), timedelta(days=32), timedelta(hours=1)
#: A film of what is still recorded is made anew after so long.
_UNFINISHED_S = 60
#: What was received in these last seconds may not be on the disk yet.
_FRESH_S = 10
#: Films by camera, start and end; the newest of them.
_FILMS: HassKey[dict[tuple[str, int, int], asyncio.Task[tuple[Clip, float]]]] = HassKey(f"{DOMAIN}_films")
_MOST_FILMS = 200
_US = 1_000_000


@callback
def async_register(hass: HomeAssistant) -> None:
    """Have what is a day old removed, also where nothing new is made."""

    async def clean(_now: datetime) -> None:
        try:
            await hass.async_add_executor_job(_clean, folder_of(hass))
        except OSError as error:
            LOGGER.warning("Old clips in %s cannot be removed: %s", folder_of(hass), error.strerror)

    async_track_time_interval(hass, clean, timedelta(hours=1), cancel_on_shutdown=True)


async def async_clip(
    hass: HomeAssistant, entry: ConfigEntry, camera_id: str, kind: str, start: datetime, end: datetime
) -> ServiceResponse:
    """Have a clip made and tell where it is. Raises ServiceValidationError for a time that cannot be, HomeAssistantError."""
    if end <= start:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="clip_empty")
    clip = await async_make(hass, entry, camera_id, kind, _us(start), _us(end))
    zone = await async_zone(entry)
    files = [_told(hass, entry, camera_id, file, zone) for file in clip["files"]]
    longest = max(range(len(files)), key=lambda number: clip["files"][number]["end"] - clip["files"][number]["start"])
    gaps: list[JsonValueType] = [
        {"start": _iso(zone, gap["start"]), "end": _iso(zone, gap["end"])} for gap in clip["gaps"]
    ]
    return {
        # Of several files, the longest: what an alert sends.
        **{key: files[longest][key] for key in ("path", "media_content_id", "url", "start", "end")},
        "files": [*files],
        "gaps": gaps,
    }


async def async_make(
    hass: HomeAssistant, entry: ConfigEntry, camera_id: str, kind: str, start_us: int, end_us: int
) -> Clip:
    """A clip (or what `kind` names) of [start, end), UTC microseconds. Raises HomeAssistantError that says why not."""
    job = await _async_asked(hass, entry, camera_id, kind, start_us, end_us, hass.data[HUB].client.make)
    assert job["result"] is not None  # it is done
    return job["result"]


async def async_begin_preview(
    hass: HomeAssistant, entry: ConfigEntry, camera_id: str, start_us: int, end_us: int
) -> Preview:
    """Begin H.264 of footage that the player cannot play. Raises HomeAssistantError that says why not."""
    client = hass.data[HUB].client

    async def begin(kind: str, camera_id: str, request: ClipRequest) -> JobState:
        begun = await client.begin(kind, camera_id, request)
        with suppress(EngineError):
            await client.job_playlist(begun["id"])
            return {**begun, "state": "running"}
        # Nothing after some seconds: it waits for its turn, is slow, or failed.
        job = await client.job(begun["id"])
        if job["state"] == "waiting":
            await client.cancel_job(job["id"])
            raise HomeAssistantError(translation_domain=DOMAIN, translation_key="clip_waits")
        return job

    job = await _async_asked(hass, entry, camera_id, "preview", start_us, end_us, begin)
    return Preview(job["id"], folder_of(hass) / camera_id / f"preview-{job['id']}.mp4")


async def _async_asked(
    hass: HomeAssistant,
    entry: ConfigEntry,
    camera_id: str,
    kind: str,
    start_us: int,
    end_us: int,
    ask: Callable[[str, str, ClipRequest], Awaitable[JobState]],
) -> JobState:
    """A job that has not failed. Raises HomeAssistantError that says why not."""
    zone = await async_zone(entry)
    folder = folder_of(hass) / camera_id
    try:
        await hass.async_add_executor_job(_prepare, folder)
    except OSError as error:
        problem: Problem = {"cause": ClipCause.NOT_WRITTEN, "placeholders": {"reason": error.strerror or str(error)}}
        raise _error(hass, entry, camera_id, problem, zone, start_us, end_us) from error
    request: ClipRequest = {"start": start_us, "end": end_us, "folder": str(folder), "zone": str(zone)}
    try:
        if end_us > (dt_util.utcnow().timestamp() - _FRESH_S) * _US:
            await hass.data[HUB].client.flush()
        job = await ask(kind, camera_id, request)
    except EngineError as error:
        busy = error.status == HTTPStatus.SERVICE_UNAVAILABLE and hass.data[HUB].connected
        key = "clip_busy" if busy else "engine_away"
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key=key) from error
    if job["state"] in ("failed", "cancelled"):
        problem = job["problem"] or {"cause": ClipCause.FAULT, "placeholders": {"reason": job["state"]}}
        raise _error(hass, entry, camera_id, problem, zone, start_us, end_us)
    return job


async def async_film(hass: HomeAssistant, entry: ConfigEntry, camera_id: str, start_us: int, end_us: int) -> str:
    """The name of a film of [start, end), the longest of several files: made now, or kept from before. A film of a day
    that is not over is made anew each time after a minute. Raises HomeAssistantError that says why there is none.
    """
    films = hass.data.setdefault(_FILMS, {})
    key = camera_id, start_us, end_us
    task = films.get(key)
    if task is None or (task.done() and not await _still_good(hass, task, camera_id, end_us)):
        # Shared by all who ask, and not ended when one of them goes away.
        task = films[key] = hass.async_create_background_task(
            _async_made_film(hass, entry, camera_id, start_us, end_us), f"{DOMAIN} film"
        )
        for old in list(films)[: max(0, len(films) - _MOST_FILMS)]:
            del films[old]
    film, _ = await asyncio.shield(task)
    return Path(max(film["files"], key=lambda file: file["end"] - file["start"])["path"]).name


async def _async_made_film(
    hass: HomeAssistant, entry: ConfigEntry, camera_id: str, start_us: int, end_us: int
) -> tuple[Clip, float]:
    """The film, and when it was begun (Unix seconds)."""
    begun = time.time()
    return await async_make(hass, entry, camera_id, "film", start_us, end_us), begun


async def _still_good(hass: HomeAssistant, task: asyncio.Task[tuple[Clip, float]], camera_id: str, end_us: int) -> bool:
    """Whether a film that was made is there, and tells all there is to tell."""
    if task.cancelled() or task.exception() is not None:
        return False
    film, begun = task.result()
    if (film["open"] or end_us > begun * _US) and time.time() - begun > _UNFINISHED_S:
        return False
    names = [Path(file["path"]).name for file in film["files"]]
    folder = folder_of(hass)
    return await hass.async_add_executor_job(lambda: all(find(folder, camera_id, name) for name in names))


def folder_of(hass: HomeAssistant) -> Path:
    """Where what was made lies: below the first media folder, which notifiers may read and not everybody, as `www`."""
    roots = list(hass.config.media_dirs.values()) or [hass.config.path("media")]
    return Path(roots[0]) / _FOLDER


@callback
def media_id(entry: ConfigEntry, camera_id: str, name: str) -> str:
    """The media id of a file that was made."""
    return f"media-source://{DOMAIN}/{entry.entry_id}/{camera_id}/clip/{name}"


@callback
def url_of(camera_id: str, name: str) -> str:
    """Where a file that was made is fetched; must be signed."""
    return f"/api/{DOMAIN}/clip/{camera_id}/{name}"


def find(folder: Path, camera_id: str, name: str) -> Path | None:
    """The file of this name that was made of a camera, which must be known. Blocks."""
    try:
        return next((path for path in (folder / camera_id).iterdir() if path.name == name and path.is_file()), None)
    except FileNotFoundError:
        return None


def _told(
    hass: HomeAssistant, entry: ConfigEntry, camera_id: str, file: ClipFile, zone: tzinfo
) -> dict[str, JsonValueType]:
    name = Path(file["path"]).name
    return {
        "path": file["path"],
        "media_content_id": media_id(entry, camera_id, name),
        "url": async_sign_path(hass, url_of(camera_id, name), timedelta(seconds=LIFE_S)),
        "start": _iso(zone, file["start"]),
        "end": _iso(zone, file["end"]),
        "bytes": file["bytes"],
        "codec": file["codec"],
        "width": file["width"],
        "height": file["height"],
    }


def _error(
    hass: HomeAssistant, entry: ConfigEntry, camera_id: str, problem: Problem, zone: tzinfo, start_us: int, end_us: int
) -> HomeAssistantError:
    """What is wrong, where, and what to do."""
    given = problem["placeholders"]
    nearest = {
        f"nearest_{key}": _words(zone, int(given[key])) for key in ("start", "end") if given.get(key, "").isdecimal()
    }
    placeholders = {
        "camera": cameras_of(entry)[camera_id].title,
        "start": _words(zone, start_us),
        "end": _words(zone, end_us),
        "folder": str(folder_of(hass)),
        "needed": given.get("needed", ""),
        "reason": given.get("reason", ""),
        **nearest,
    }
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key=f"clip_{problem['cause']}", translation_placeholders=placeholders
    )


def _prepare(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _clean(folder.parent)


def _clean(folder: Path) -> None:
    """Remove what is a day old, and the oldest of too many. Raises OSError."""
    found: list[tuple[float, int, Path]] = []
    for path in folder.glob("*/*"):
        with suppress(FileNotFoundError):  # another call removes the same
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    old, kept = time.time() - LIFE_S, 0
    for place, (written, size, path) in enumerate(sorted(found, reverse=True)):
        kept += size
        # What is just being written has a name that begins with a dot.
        many = place and not path.name.startswith(".") and (place >= _MOST or kept > _MOST_BYTES)
        if written < old or many:
            path.unlink(missing_ok=True)


def _us(moment: datetime) -> int:
    return round(moment.timestamp() * _US)


def _iso(zone: tzinfo, microseconds: int) -> str:
    """In the facility's zone, named by its offset."""
    return local(zone, microseconds).isoformat(timespec="milliseconds")


def _words(zone: tzinfo, microseconds: int) -> str:
    return f"{local(zone, microseconds):%d/%m/%Y %H:%M:%S}"
