"""Footage in the media browser: facility → camera → day → hour, played as one HLS playlist.

Days and hours are those of Home Assistant's time zone. They are cut in UTC, so a day of 23 or 25 hours has that many.
Identifiers: `FACILITY`, `FACILITY/CAMERA`, `FACILITY/CAMERA/START-END` (UTC seconds, an hour or a span),
`FACILITY/CAMERA/day/2026-11-25`, `FACILITY/CAMERA/segment/ID`, `FACILITY/CAMERA/clip/NAME` (a file that
was made), `FACILITY/CAMERA/film/START-END` (a day, or less, in two minutes), `FACILITY/CAMERA/preview/START-END` (an hour
at most, as H.264).
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from homeassistant.auth.models import User
from homeassistant.components.http.const import KEY_HASS_USER
from homeassistant.components.media_player.const import MediaClass, MediaType
from homeassistant.components.media_player.errors import BrowseError
from homeassistant.components.media_source import (
    BrowseMediaSource,
    MediaSource,
    MediaSourceItem,
    PlayMedia,
    Unresolvable,
)
from homeassistant.components.websocket_api.connection import current_connection
from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.http import current_request
from homeassistant.util import dt as dt_util

from . import clips, wording
from .const import DOMAIN
from .coordinator import cameras_of
from .engine.api import Segment, Span
from .engine_client import EngineError
from .hub import HUB
from .playback import Playback
from .views import PLAYLIST_TYPE, download_url, may_see, playlist_url, preview_url

_US = 1_000_000
#: Days listed at most: far more than footage is kept.
_MOST_DAYS = 400
#: Asked for at once: a camera has 1,440 files a day.
_CHUNK_S = 30 * 24 * 3600
#: Played at once: the longest day.
_LONGEST_S = 25 * 3600


async def async_get_media_source(hass: HomeAssistant) -> MediaSource:
    """Home Assistant asks for our media source the first time somebody browses."""
    await wording.async_load(hass)
    return FootageSource(hass)


@dataclass(frozen=True, slots=True)
class _Interval:
    """A piece of time, in UTC seconds."""

    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> _Interval | None:
        start, _, end = text.partition("-")
        # Bounded: what cannot be a time of day in this era is refused before it is calculated with.
        if not (start.isdecimal() and end.isdecimal() and len(start) <= 11 and len(end) <= 11):
            return None
        found = cls(int(start), int(end))
        return found if found.start < found.end <= found.start + _LONGEST_S else None

    def __str__(self) -> str:
        return f"{self.start}-{self.end}"


class FootageSource(MediaSource):
    """What was recorded, for who may see the camera."""

    name = "Facility Cameras"

    def __init__(self, hass: HomeAssistant) -> None:
        """Nothing is kept: what can be browsed is asked for each time."""
        super().__init__(DOMAIN)
        self.hass = hass

    # --- play ------------------------------------------------------------------------------------------

    async def async_resolve_media(self, item: MediaSourceItem) -> PlayMedia:
        """Give the address that plays an hour, a day, a span or a single file."""
        parts = (item.identifier or "").split("/")
        entry, camera = self._camera(parts, Unresolvable)
        if len(parts) == 4 and parts[2] == "segment" and parts[3].isdecimal() and len(parts[3]) <= 15:
            return PlayMedia(download_url(camera.subentry_id, int(parts[3])), "video/mp4")
        if len(parts) == 4 and parts[2] in ("clip", "film", "preview"):
            return await self._made(entry, camera.subentry_id, parts[2], parts[3])
        interval = self._interval(parts)
        if interval is None:
            raise Unresolvable(wording.words(self.hass, "media_unknown"))
        playback = Playback(entry.entry_id, camera.subentry_id, interval.start * _US, interval.end * _US)
        return PlayMedia(playlist_url(self.hass.data[HUB].playback.add(playback)), PLAYLIST_TYPE)

    async def _made(self, entry: ConfigEntry, camera_id: str, kind: str, which: str) -> PlayMedia:
        """What is made of footage: a clip that is there, a film or a preview of a time. Raises Unresolvable."""
        if kind == "clip":
            path = await self.hass.async_add_executor_job(clips.find, clips.folder_of(self.hass), camera_id, which)
            if path is None:
                raise Unresolvable(wording.words(self.hass, "media_unknown"))
            return PlayMedia(clips.url_of(camera_id, path.name), "video/mp4")
        if (interval := _Interval.parse(which)) is None:
            raise Unresolvable(wording.words(self.hass, "media_unknown"))
        start, end = interval.start * _US, interval.end * _US
        try:
            if kind == "film":
                name = await clips.async_film(self.hass, entry, camera_id, start, end)
                return PlayMedia(clips.url_of(camera_id, name), "video/mp4")
            end = min(end, start + round(clips.LONGEST_PREVIEW.total_seconds()) * _US)
            preview = await clips.async_begin_preview(self.hass, entry, camera_id, start, end)
        except HomeAssistantError as error:
            given = error.translation_placeholders or {}
            sentence = wording.words(self.hass, f"{error.translation_key}.message", "exceptions", **given)
            raise Unresolvable(sentence) from error
        playback = Playback(entry.entry_id, camera_id, start, end, preview=preview)
        return PlayMedia(preview_url(self.hass.data[HUB].playback.add(playback)), PLAYLIST_TYPE)

    # --- browse ------------------------------------------------------------------------------------------

    async def async_browse_media(self, item: MediaSourceItem) -> BrowseMediaSource:
        """List what lies below an item."""
        parts = (item.identifier or "").split("/") if item.identifier else []
        if not parts:
            return self._root()
        entry = self._facility(parts, BrowseError)
        if len(parts) == 1:
            if not any(self._may_see(camera_id) for camera_id in cameras_of(entry)):
                raise BrowseError(wording.words(self.hass, "media_unknown"))
            return self._facility_item(entry, expand=True)
        entry, camera = self._camera(parts, BrowseError)
        try:
            if len(parts) == 2:
                return await self._days(entry, camera)
            if (interval := self._interval(parts)) is None:
                raise BrowseError(wording.words(self.hass, "media_unknown"))
            if parts[2] == "day":
                return await self._hours(entry, camera, date.fromisoformat(parts[3]), interval)
            return await self._files(entry, camera, interval)
        except EngineError as error:
            raise BrowseError(wording.words(self.hass, "engine_away.message", "exceptions")) from error

    def _root(self) -> BrowseMediaSource:
        entries = [
            entry
            for entry in self.hass.config_entries.async_entries(DOMAIN, include_disabled=False, include_ignore=False)
            if any(self._may_see(camera_id) for camera_id in cameras_of(entry))
        ]
        entries.sort(key=lambda entry: entry.title.casefold())
        return _item(None, self.name, [self._facility_item(entry) for entry in entries])

    def _facility_item(self, entry: ConfigEntry, *, expand: bool = False) -> BrowseMediaSource:
        children = None
        if expand:
            children = [
                _item(f"{entry.entry_id}/{camera_id}", camera.title)
                for camera_id, camera in cameras_of(entry).items()
                if self._may_see(camera_id)
            ]
        return _item(entry.entry_id, entry.title, children)

    async def _days(self, entry: ConfigEntry, camera: ConfigSubentry) -> BrowseMediaSource:
        """Days that have footage, newest first."""
        days: set[date] = set()
        end = int(dt_util.utcnow().timestamp()) + 60
        oldest = max(self._oldest(entry), end - _MOST_DAYS * 24 * 3600)
        while end > oldest:
            start = max(end - _CHUNK_S, 0)
            for span in await self._spans(camera, _Interval(start, end)):
                day = _local(max(span["start"], start * _US)).date()
                last = _local(span["end"] - 1).date()
                while day <= last:
                    days.add(day)
                    day += timedelta(days=1)
            end = start
        path = f"{entry.entry_id}/{camera.subentry_id}"
        children = [
            _item(f"{path}/day/{day.isoformat()}", self._day_title(day), play=True)
            for day in sorted(days, reverse=True)
        ]
        return _item(path, camera.title, children)

    async def _hours(
        self, entry: ConfigEntry, camera: ConfigSubentry, day: date, interval: _Interval
    ) -> BrowseMediaSource:
        """Hours of a day that have footage; below them, where there are gaps, each span without one."""
        spans = await self._spans(camera, interval)
        path = f"{entry.entry_id}/{camera.subentry_id}"
        children = []
        for start in range(interval.start, interval.end, 3600):
            hour = _Interval(start, min(start + 3600, interval.end))
            if any(span["start"] < hour.end * _US and span["end"] > hour.start * _US for span in spans):
                title = f"{_local(hour.start * _US):%H:%M} – {_local(hour.end * _US):%H:%M}"
                children.append(_item(f"{path}/{hour}", title, play=True))
        if len(spans) > 1:
            for span in spans:
                piece = _Interval(
                    max(span["start"] // _US, interval.start), max(min(-(-span["end"] // _US), interval.end), 1)
                )
                times = f"{_local(piece.start * _US):%H:%M:%S} – {_local(piece.end * _US):%H:%M:%S}"
                children.append(_item(f"{path}/{piece}", times, play=True))
        return _item(f"{path}/day/{day.isoformat()}", self._day_title(day), children, play=True)

    async def _files(self, entry: ConfigEntry, camera: ConfigSubentry, interval: _Interval) -> BrowseMediaSource:
        """Single files of an hour or a span, each as MP4."""
        segments = await self.hass.data[HUB].client.segments(
            camera.subentry_id, interval.start * _US, interval.end * _US
        )
        path = f"{entry.entry_id}/{camera.subentry_id}/{interval}"
        title = f"{_local(interval.start * _US):%H:%M} – {_local(interval.end * _US):%H:%M}"
        return _item(path, title, [_file(entry, segment) for segment in segments], play=True)

    def _oldest(self, entry: ConfigEntry) -> int:
        """When a facility's footage begins, UTC seconds; 0 where that is not known."""
        coordinator = self.hass.data[HUB].coordinators.get(entry.entry_id)
        state = coordinator.facility if coordinator else None
        return (state["oldest"] or 0) // _US if state else 0

    # --- who and what ------------------------------------------------------------------------------------

    async def _spans(self, camera: ConfigSubentry, interval: _Interval) -> list[Span]:
        return await self.hass.data[HUB].client.spans(camera.subentry_id, interval.start * _US, interval.end * _US)

    def _facility(self, parts: list[str], error: type[BrowseError | Unresolvable]) -> ConfigEntry:
        entry = self.hass.config_entries.async_get_entry(parts[0])
        if entry is None or entry.domain != DOMAIN:
            raise error(wording.words(self.hass, "media_unknown"))
        return entry

    def _camera(self, parts: list[str], error: type[BrowseError | Unresolvable]) -> tuple[ConfigEntry, ConfigSubentry]:
        entry = self._facility(parts, error)
        camera = cameras_of(entry).get(parts[1]) if len(parts) > 1 else None
        if camera is None or not self._may_see(camera.subentry_id):
            raise error(wording.words(self.hass, "media_unknown"))
        return entry, camera

    def _interval(self, parts: list[str]) -> _Interval | None:
        """The time an identifier names: a day of our time zone, or from second to second."""
        if len(parts) == 4 and parts[2] == "day":
            try:
                day = date.fromisoformat(parts[3])
                start, end = dt_util.start_of_local_day(day), dt_util.start_of_local_day(day + timedelta(days=1))
            except ValueError, OverflowError:
                return None
            return _Interval(int(start.timestamp()), int(end.timestamp()))
        return _Interval.parse(parts[2]) if len(parts) == 3 else None

    def _may_see(self, camera_id: str) -> bool:
        return may_see(self.hass, _who_asks(), camera_id)

    def _day_title(self, day: date) -> str:
        weekday = wording.words(self.hass, f"weekday_{day.isoweekday()}")
        return wording.words(self.hass, "media_day", weekday=weekday, date=f"{day:%d/%m/%Y}")


def _who_asks() -> User | None:
    """The user who browses, in the frontend or through an action called over HTTP; None: an automation does."""
    if (connection := current_connection.get()) is not None:
        return connection.user
    request = current_request.get()
    return request.get(KEY_HASS_USER) if request is not None else None


def _local(microseconds: int) -> datetime:
    return dt_util.as_local(dt_util.utc_from_timestamp(microseconds / _US))


def _item(
    identifier: str | None, title: str, children: list[BrowseMediaSource] | None = None, *, play: bool = False
) -> BrowseMediaSource:
    item = BrowseMediaSource(
        domain=DOMAIN,
        identifier=identifier,
        media_class=MediaClass.VIDEO if play else MediaClass.DIRECTORY,
        media_content_type=MediaType.VIDEO if play else "",
        title=title,
        can_play=play,
        can_expand=True,
        children_media_class=MediaClass.VIDEO if play else MediaClass.DIRECTORY,
    )
    item.children = children
    return item


def _file(entry: ConfigEntry, segment: Segment) -> BrowseMediaSource:
    size = f"{segment['bytes'] / 1e6:.1f} MB"
    return BrowseMediaSource(
        domain=DOMAIN,
        identifier=f"{entry.entry_id}/{segment['camera']}/segment/{segment['id']}",
        media_class=MediaClass.VIDEO,
        media_content_type="video/mp4",
        title=f"{_local(segment['start']):%H:%M:%S} · {size} (MP4)",
        can_play=True,
        can_expand=False,
    )
