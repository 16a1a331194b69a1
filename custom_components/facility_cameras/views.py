"""Hands out footage and pictures over HTTP.

Ids from outside are mapped through the engine, never joined to a path. A playlist and what it names lie under a token
that was given out after the user's rights were checked (`playback.py`); a file for download wants a signed address and
checks the rights itself.
"""

from http import HTTPStatus
from pathlib import Path

from aiohttp import web
from homeassistant.auth.models import User
from homeassistant.auth.permissions.const import POLICY_READ
from homeassistant.components.camera.const import DOMAIN as CAMERA_DOMAIN
from homeassistant.components.http.const import KEY_HASS_USER
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.http import HomeAssistantView

from . import clips, exports
from .const import CONF_ARCHIVE, DOMAIN
from .coordinator import cameras_of
from .engine.api_footage import Segment
from .engine_client import EngineError
from .footage_time import async_zone, local
from .hub import HUB, Hub
from .playback import Playback

_BASE = f"/api/{DOMAIN}"
#: Pixels: as wide as the media browser shows them on a sharp screen.
THUMBNAIL_WIDTH = 400
PLAYLIST_TYPE = "application/x-mpegURL"


@callback
def async_register(hass: HomeAssistant) -> None:
    """Register every view. Routes cannot be removed, so each looks up what it needs when it is asked."""
    for view in (
        PlaylistView,
        InitView,
        SegmentView,
        PreviewListView,
        PreviewView,
        DownloadView,
        ClipView,
        ExportView,
        ThumbnailView,
        PictureView,
    ):
        hass.http.register_view(view(hass))


def playlist_url(token: str) -> str:
    """Where a playback is played."""
    return f"{_BASE}/playback/{token}/playlist.m3u8"


def preview_url(token: str) -> str:
    """Where H.264 made of a playback's footage is played."""
    return f"{_BASE}/playback/{token}/preview.m3u8"


def download_url(camera_id: str, segment_id: int) -> str:
    """Where one file of footage is fetched; must be signed."""
    return f"{_BASE}/segment/{camera_id}/{segment_id}.mp4"


def thumbnail_url(camera_id: str, at: int) -> str:
    """Where a small picture of recorded footage, at or before a time (UTC microseconds), is fetched by who is logged in."""
    return f"{_BASE}/thumbnail/{camera_id}/{at}.jpg"


def picture_url(token: str) -> str:
    """Where a picture of `PictureStore` is fetched."""
    return f"{_BASE}/picture/{token}.jpg"


@callback
def may_see(hass: HomeAssistant, user: User | None, camera_id: str) -> bool:
    """Whether a user may read a camera. No user (an automation) may."""
    if user is None or user.is_admin:
        return True
    entity_id = er.async_get(hass).async_get_entity_id(CAMERA_DOMAIN, DOMAIN, f"{camera_id}_camera")
    return entity_id is not None and user.permissions.check_entity(entity_id, POLICY_READ)


class _View(HomeAssistantView):
    """What all have in common."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Keep hold of Home Assistant."""
        self._hass = hass

    @property
    def hub(self) -> Hub:
        """The hub as it is now."""
        return self._hass.data[HUB]

    def _check(self, request: web.Request, camera_id: str) -> None:
        """Raise HTTPNotFound for a camera that is none of ours, HTTPForbidden for a user who may not see it."""
        if not any(camera_id in cameras_of(entry) for entry in self._hass.config_entries.async_entries(DOMAIN)):
            raise web.HTTPNotFound
        if not may_see(self._hass, request[KEY_HASS_USER], camera_id):
            raise web.HTTPForbidden

    async def _file(self, segment: Segment, facility_id: str, *, name: str | None = None) -> web.StreamResponse:
        """A file of footage, whole or in ranges; 404 if it is not (or no longer) in the facility's archive."""
        entry = self._hass.config_entries.async_get_entry(facility_id)
        if entry is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        path = await self._hass.async_add_executor_job(_inside, segment["path"], entry.data[CONF_ARCHIVE])
        if path is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        headers = {"Cache-Control": "no-store", "Content-Type": "video/mp4"}
        if name:
            headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return web.FileResponse(path, headers=headers)


def _inside(path: str, archive: str) -> Path | None:
    """The file, if it is one and lies in the archive."""
    found, root = Path(path).resolve(), Path(archive).resolve()
    return found if found.is_relative_to(root) and found.is_file() else None


class _PlaybackView(_View):
    """Below a playback's token. A wrong one answers 404: 401 would count as a failed log-in of the viewer's."""

    requires_auth = False
    cors_allowed = True

    def _playback(self, token: str) -> Playback:
        if (playback := self.hub.playback.get(token)) is None:
            raise web.HTTPNotFound
        return playback


class PlaylistView(_PlaybackView):
    """The HLS media playlist of a playback."""

    url = f"{_BASE}/playback/{{token}}/playlist.m3u8"
    name = f"api:{DOMAIN}:playlist"

    async def get(self, _request: web.Request, token: str) -> web.Response:
        """Answer with the engine's."""
        playback = self._playback(token)
        try:
            body = await self.hub.client.playlist(playback.camera_id, playback.start, playback.end)
        except EngineError as error:
            return web.Response(status=error.status)
        return web.Response(body=body, content_type=PLAYLIST_TYPE, headers={"Cache-Control": "no-store"})


class InitView(_PlaybackView):
    """What a player needs before the first segment."""

    url = f"{_BASE}/playback/{{token}}/init-{{format_id:[0-9]{{1,15}}}}.mp4"
    name = f"api:{DOMAIN}:init"

    async def get(self, _request: web.Request, token: str, format_id: str) -> web.Response:
        """Answer with the engine's."""
        playback = self._playback(token)
        try:
            body = await self.hub.client.format(playback.camera_id, int(format_id))
        except EngineError as error:
            return web.Response(status=error.status)
        return web.Response(body=body, content_type="video/mp4")


class SegmentView(_PlaybackView):
    """A file of footage, in ranges."""

    url = f"{_BASE}/playback/{{token}}/segment-{{segment_id:[0-9]{{1,15}}}}.mp4"
    name = f"api:{DOMAIN}:playback_segment"

    async def get(self, _request: web.Request, token: str, segment_id: str) -> web.StreamResponse:
        """Answer with the file, if the playback covers it."""
        playback = self._playback(token)
        segment = playback.segments.get(int(segment_id))
        if segment is None:
            try:
                segment = await self.hub.client.segment(playback.camera_id, int(segment_id))
            except EngineError as error:
                return web.Response(status=error.status)
            covered = segment["start"] < playback.end and segment["end"] > playback.start
            if not covered and not segment["open"]:
                return web.Response(status=HTTPStatus.NOT_FOUND)
            playback.segments[segment["id"]] = segment
        return await self._file(segment, playback.facility_id)


class PreviewListView(_PlaybackView):
    """The HLS playlist of H.264 that is made of a playback's footage; it grows."""

    url = f"{_BASE}/playback/{{token}}/preview.m3u8"
    name = f"api:{DOMAIN}:preview_playlist"

    async def get(self, _request: web.Request, token: str) -> web.Response:
        """Answer with the engine's."""
        if (preview := self._playback(token).preview) is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        try:
            body = await self.hub.client.job_playlist(preview.job_id)
        except EngineError as error:
            return web.Response(status=error.status)
        return web.Response(body=body, content_type=PLAYLIST_TYPE, headers={"Cache-Control": "no-store"})


class PreviewView(_PlaybackView):
    """The file that such a playlist names, in ranges."""

    url = f"{_BASE}/playback/{{token}}/preview.mp4"
    name = f"api:{DOMAIN}:preview"

    async def get(self, _request: web.Request, token: str) -> web.StreamResponse:
        """Answer with the file, as long as it is there."""
        preview = self._playback(token).preview
        if preview is None or not await self._hass.async_add_executor_job(preview.path.is_file):
            return web.Response(status=HTTPStatus.NOT_FOUND)
        return web.FileResponse(preview.path, headers={"Cache-Control": "no-store", "Content-Type": "video/mp4"})


class DownloadView(_View):
    """One file of footage as MP4, for who may see the camera."""

    url = f"{_BASE}/segment/{{camera_id}}/{{segment_id:[0-9]{{1,15}}}}.mp4"
    name = f"api:{DOMAIN}:segment"

    async def get(self, request: web.Request, camera_id: str, segment_id: str) -> web.StreamResponse:
        """Answer with the file."""
        entries = self._hass.config_entries.async_entries(DOMAIN)
        entry = next((entry for entry in entries if camera_id in cameras_of(entry)), None)
        if entry is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        if not may_see(self._hass, request[KEY_HASS_USER], camera_id):
            return web.Response(status=HTTPStatus.FORBIDDEN)
        try:
            segment = await self.hub.client.segment(camera_id, int(segment_id))
        except EngineError as error:
            return web.Response(status=error.status)
        begun = local(await async_zone(entry), segment["start"])
        camera = "".join(
            sign if sign.isascii() and sign.isalnum() else "_" for sign in cameras_of(entry)[camera_id].title
        )
        return await self._file(segment, entry.entry_id, name=f"{camera}_{begun:%Y%m%d_%H%M%S%z}.mp4")


class ClipView(_View):
    """A file that was made of footage, for who may see the camera."""

    url = f"{_BASE}/clip/{{camera_id}}/{{file}}"
    name = f"api:{DOMAIN}:clip"

    async def get(self, request: web.Request, camera_id: str, file: str) -> web.StreamResponse:
        """Answer with the file, whole or in ranges."""
        self._check(request, camera_id)
        folder = clips.folder_of(self._hass)
        path = await self._hass.async_add_executor_job(clips.find, folder, camera_id, file)
        if path is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        headers = {
            "Cache-Control": "no-store",
            "Content-Type": "video/mp4",
            "Content-Disposition": f'inline; filename="{path.name}"',
        }
        return web.FileResponse(path, headers=headers)


class ExportView(_View):
    """A finished export that is one file, for who may see all its cameras."""

    url = f"{_BASE}/export/{{export_id:[0-9a-f]{{16}}}}"
    name = f"api:{DOMAIN}:export"

    async def get(self, request: web.Request, export_id: str) -> web.StreamResponse:
        """Answer with the file, whole or in ranges."""
        try:
            export = await self.hub.client.export(export_id)
        except EngineError as error:
            return web.Response(status=error.status)
        for camera_id in export["cameras"]:
            self._check(request, camera_id)
        path = Path(export["path"])
        if not exports.is_tar(export) or not await self._hass.async_add_executor_job(path.is_file):
            return web.Response(status=HTTPStatus.NOT_FOUND)
        headers = {
            "Cache-Control": "no-store",
            "Content-Type": "application/x-tar",
            "Content-Disposition": f'attachment; filename="{path.name}"',
        }
        return web.FileResponse(path, headers=headers)


class ThumbnailView(_View):
    """A small picture of recorded footage, for who may see the camera."""

    url = f"{_BASE}/thumbnail/{{camera_id}}/{{at:[0-9]{{1,18}}}}.jpg"
    name = f"api:{DOMAIN}:thumbnail"

    async def get(self, request: web.Request, camera_id: str, at: str) -> web.Response:
        """Answer with the engine's."""
        self._check(request, camera_id)
        try:
            jpeg = await self.hub.client.thumbnail(camera_id, int(at), THUMBNAIL_WIDTH)
        except EngineError as error:
            return web.Response(status=error.status)
        if jpeg is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        # Footage of the past does not change, but what is nearest to a time may.
        return web.Response(body=jpeg, content_type="image/jpeg", headers={"Cache-Control": "private, max-age=60"})


class PictureView(_View):
    """A picture that one person was shown the address of."""

    requires_auth = False
    url = f"{_BASE}/picture/{{token}}.jpg"
    name = f"api:{DOMAIN}:picture"

    async def get(self, _request: web.Request, token: str) -> web.Response:
        """Answer with the picture, for a few minutes."""
        if (jpeg := self.hub.pictures.get(token)) is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        return web.Response(body=jpeg, content_type="image/jpeg", headers={"Cache-Control": "no-store"})
