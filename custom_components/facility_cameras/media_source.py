"""Footage in the media browser: facility → camera → day → hour, searched by time, played as one HLS playlist.

Identifiers: `FACILITY`, `FACILITY/CAMERA`, `FACILITY/CAMERA/START-END` (UTC seconds, an hour or a piece),
`FACILITY/CAMERA/day/2026-11-25` (of the facility's zone), `FACILITY/CAMERA/segment/ID`, `FACILITY/CAMERA/clip/NAME` (a
file that was made), `FACILITY/CAMERA/film/START-END` (a day, or less, in two minutes), `FACILITY/CAMERA/preview/START-END`
(an hour at most, as H.264), `FACILITY/CAMERA/gap/START-END` (tells that there is nothing). A time without footage plays the
nearest there is; who browses or searches is told so before.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta, tzinfo

from homeassistant.auth.models import User
from homeassistant.components.http.const import KEY_HASS_USER
from homeassistant.components.media_player.browse_media import SearchMedia, SearchMediaQuery
from homeassistant.components.media_player.const import MediaClass
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
from .engine.api_footage import HoldState, Nearest
from .engine_client import EngineClient, EngineError
from .footage_gaps import async_gap_at, async_gaps
from .footage_items import FootageItems, directory
from .footage_search import find_times
from .footage_time import US, Interval, async_zone, day_of, local
from .holds import async_held
from .hub import HUB
from .playback import Playback
from .views import PLAYLIST_TYPE, download_url, may_see, playlist_url, preview_url

#: Days listed at most: far more than footage is kept.
_MOST_DAYS = 400
#: Asked for at once: a camera has 1,440 files a day.
_CHUNK_US = 30 * 24 * 3600 * US
#: What is found for a time plays for so long, seconds.
_FOUND_S = 3600
#: Where the nearest footage ends before the time, so much of its end is played, seconds.
_BEFORE_S = 60
#: Cameras in one answer to a search.
_MOST_FOUND = 100


async def async_get_media_source(hass: HomeAssistant) -> MediaSource:
    """Home Assistant asks for our media source the first time somebody browses."""
    await wording.async_load(hass)
    return FootageSource(hass)


class FootageSource(MediaSource):
    """What was recorded, for who may see the camera."""

    name = "Facility Cameras"

    def __init__(self, hass: HomeAssistant) -> None:
        """Nothing is kept: what can be browsed is asked for each time."""
        super().__init__(DOMAIN)
        self.hass = hass

    @property
    def _client(self) -> EngineClient:
        return self.hass.data[HUB].client

    # --- play ------------------------------------------------------------------------------------------

    async def async_resolve_media(self, item: MediaSourceItem) -> PlayMedia:
        """Give the address that plays an hour, a day, a piece or a single file."""
        parts = (item.identifier or "").split("/")
        entry, camera = self._camera(parts, Unresolvable)
        if len(parts) == 4 and parts[2] == "segment" and parts[3].isdecimal() and len(parts[3]) <= 15:
            return PlayMedia(download_url(camera.subentry_id, int(parts[3])), "video/mp4")
        if len(parts) == 4 and parts[2] in ("clip", "film", "preview"):
            return await self._made(entry, camera.subentry_id, parts[2], parts[3])
        zone = await async_zone(entry)
        if parts[2:3] == ["gap"]:
            raise Unresolvable(await self._gap_sentence(entry, camera, zone, Interval.parse(parts[-1])))
        interval = _interval(parts, zone)
        if interval is None:
            raise Unresolvable(wording.words(self.hass, "media_unknown"))
        try:
            interval = await self._with_footage(camera, interval)
        except EngineError as error:
            raise Unresolvable(wording.words(self.hass, "engine_away.message", "exceptions")) from error
        playback = Playback(entry.entry_id, camera.subentry_id, interval.start * US, interval.end * US)
        return PlayMedia(playlist_url(self.hass.data[HUB].playback.add(playback)), PLAYLIST_TYPE)

    async def _gap_sentence(
        self, entry: ConfigEntry, camera: ConfigSubentry, zone: tzinfo, interval: Interval | None
    ) -> str:
        """What is said where somebody opens a gap: why there is nothing, and where the nearest is."""
        if interval is None:
            return wording.words(self.hass, "media_unknown")
        try:
            gap = await async_gap_at(self.hass, camera.subentry_id, interval.start * US, interval.end * US)
            nearest = await self._client.nearest(camera.subentry_id, interval.start * US)
        except EngineError:
            return wording.words(self.hass, "engine_away.message", "exceptions")
        return self._items(entry, camera, zone, []).gap_sentence(gap, nearest)

    async def _made(self, entry: ConfigEntry, camera_id: str, kind: str, which: str) -> PlayMedia:
        """What is made of footage: a clip that is there, a film or a preview of a time. Raises Unresolvable."""
        if kind == "clip":
            path = await self.hass.async_add_executor_job(clips.find, clips.folder_of(self.hass), camera_id, which)
            if path is None:
                raise Unresolvable(wording.words(self.hass, "media_unknown"))
            return PlayMedia(clips.url_of(camera_id, path.name), "video/mp4")
        if (interval := Interval.parse(which)) is None:
            raise Unresolvable(wording.words(self.hass, "media_unknown"))
        start, end = interval.start * US, interval.end * US
        try:
            if kind == "film":
                name = await clips.async_film(self.hass, entry, camera_id, start, end)
                return PlayMedia(clips.url_of(camera_id, name), "video/mp4")
            end = min(end, start + round(clips.LONGEST_PREVIEW.total_seconds()) * US)
            preview = await clips.async_begin_preview(self.hass, entry, camera_id, start, end)
        except HomeAssistantError as error:
            given = error.translation_placeholders or {}
            sentence = wording.words(self.hass, f"{error.translation_key}.message", "exceptions", **given)
            raise Unresolvable(sentence) from error
        playback = Playback(entry.entry_id, camera_id, start, end, preview=preview)
        return PlayMedia(preview_url(self.hass.data[HUB].playback.add(playback)), PLAYLIST_TYPE)

    async def _with_footage(self, camera: ConfigSubentry, interval: Interval) -> Interval:
        """The same if there is footage in it (or none at all), else the nearest, as long as what was asked for."""
        if await self._client.spans(camera.subentry_id, interval.start * US, interval.end * US):
            # Without length, it is played to the end of that second.
            return replace(interval, end=max(interval.end, interval.start + 1))
        nearest = await self._client.nearest(camera.subentry_id, interval.start * US)
        length = max(interval.end - interval.start, _BEFORE_S)
        start = _start_near(nearest, interval.start, length)
        return interval if start is None else Interval(start, start + length)

    # --- browse ------------------------------------------------------------------------------------------

    async def async_browse_media(self, item: MediaSourceItem) -> BrowseMediaSource:
        """List what lies below an item."""
        parts = (item.identifier or "").split("/") if item.identifier else []
        if not parts:
            return self._root()
        entry = self._facility(parts, BrowseError)
        if len(parts) == 1:
            return self._facility_item(entry, expand=True)
        entry, camera = self._camera(parts, BrowseError)
        zone = await async_zone(entry)
        try:
            items = self._items(entry, camera, zone, await async_held(self.hass, entry.entry_id))
            if len(parts) == 2:
                return items.camera(camera.title, items.days(await self._days(camera, zone)))
            if (interval := _interval(parts, zone)) is None:
                raise BrowseError(wording.words(self.hass, "media_unknown"))
            spans = await self._client.spans(camera.subentry_id, interval.start * US, interval.end * US)
            gaps = await async_gaps(self.hass, camera.subentry_id, interval, spans)
            if parts[2] == "day":
                return items.day(date.fromisoformat(parts[3]), interval, spans, gaps)
            segments = await self._client.segments(camera.subentry_id, interval.start * US, interval.end * US)
            return items.hour(interval, spans, gaps, segments)
        except EngineError as error:
            raise BrowseError(wording.words(self.hass, "engine_away.message", "exceptions")) from error

    def _root(self) -> BrowseMediaSource:
        item = directory(None, self.name, [self._facility_item(entry) for entry in self._facilities()])
        item.media_class = MediaClass.DIRECTORY
        return item

    def _facilities(self) -> list[ConfigEntry]:
        """Those of which who asks may see a camera, in the order of their names."""
        entries = self.hass.config_entries.async_entries(DOMAIN, include_disabled=False, include_ignore=False)
        return sorted(filter(self._sees_any, entries), key=lambda entry: entry.title.casefold())

    def _facility_item(self, entry: ConfigEntry, *, expand: bool = False) -> BrowseMediaSource:
        children = None
        if expand:
            children = [
                directory(f"{entry.entry_id}/{camera_id}", camera.title)
                for camera_id, camera in cameras_of(entry).items()
                if self._may_see(camera_id)
            ]
        return directory(entry.entry_id, entry.title, children, tiles=True)

    async def _days(self, camera: ConfigSubentry, zone: tzinfo) -> dict[date, int]:
        """Days that have footage, with where it begins, UTC microseconds."""
        days: dict[date, int] = {}
        end = (int(dt_util.utcnow().timestamp()) + 60) * US
        oldest = (await self._client.nearest(camera.subentry_id, 0))["after"]
        if oldest is None:
            return days
        oldest = max(oldest, end - _MOST_DAYS * 24 * 3600 * US)
        while end > oldest:
            start = max(end - _CHUNK_US, oldest)
            for span in await self._client.spans(camera.subentry_id, start, end):
                day, last = local(zone, span["start"]).date(), local(zone, span["end"] - 1).date()
                begins = span["start"]
                while day <= last:
                    days[day] = min(begins, days.get(day, begins))
                    day += timedelta(days=1)
                    begins = whole.start * US if (whole := day_of(zone, day)) else begins
            end = start
        return days

    # --- search ------------------------------------------------------------------------------------------

    async def async_search_media(self, item: MediaSourceItem, query: SearchMediaQuery) -> SearchMedia:
        """Find what was recorded at a time, by every camera below the item that who asks may see."""
        parts = (item.identifier or "").split("/") if item.identifier else []
        entries = [self._facility(parts, BrowseError)] if parts else self._facilities()
        only = self._camera(parts, BrowseError)[1].subentry_id if len(parts) > 1 else None
        found: list[BrowseMediaSource] = []
        understood = False
        try:
            for entry in entries:
                zone = await async_zone(entry)
                below = _interval(parts, zone)
                day = local(zone, below.start * US).date() if below else None
                times = find_times(query.search_query, zone, dt_util.utcnow(), day)
                understood = understood or bool(times)
                found += await self._found(entry, zone, times, only, titled=not parts)
        except EngineError as error:
            raise BrowseError(wording.words(self.hass, "engine_away.message", "exceptions")) from error
        if entries and not understood:
            raise BrowseError(wording.words(self.hass, "media_search_help"))
        return SearchMedia(result=found[:_MOST_FOUND])

    async def _found(
        self, entry: ConfigEntry, zone: tzinfo, times: list[datetime], only: str | None, *, titled: bool
    ) -> list[BrowseMediaSource]:
        """What the cameras of a facility (or only one) recorded at these times; `titled` with the facility's name."""
        found: list[BrowseMediaSource] = []
        holds = await async_held(self.hass, entry.entry_id) if times else []
        for camera_id, camera in cameras_of(entry).items():
            if len(found) >= _MOST_FOUND:
                break
            if only not in (None, camera_id) or not self._may_see(camera_id):
                continue
            name = f"{entry.title} · {camera.title}" if titled else camera.title
            items = self._items(entry, camera, zone, holds)
            for moment in times:
                if result := await self._moment(items, camera_id, int(moment.timestamp()), name):
                    found.append(result)  # noqa: PERF401  (it has to be waited for)
        return found

    async def _moment(self, items: FootageItems, camera_id: str, at: int, name: str) -> BrowseMediaSource | None:
        """What is played for a moment (UTC seconds), None where the camera has no footage at all."""
        nearest = await self._client.nearest(camera_id, at * US)
        start = _start_near(nearest, at, _BEFORE_S)
        if start is None:
            return None
        interval = Interval(start, start + _FOUND_S)
        spans = await self._client.spans(camera_id, start * US, interval.end * US)
        gap = None if nearest["after"] == at * US else await async_gap_at(self.hass, camera_id, at * US, at * US + 1)
        return items.moment(at * US, start * US, interval.end * US, spans[0] if spans else None, gap, name)

    # --- who and what ------------------------------------------------------------------------------------

    def _items(
        self, entry: ConfigEntry, camera: ConfigSubentry, zone: tzinfo, holds: Iterable[HoldState]
    ) -> FootageItems:
        camera_id = camera.subentry_id
        held = [(hold["start"], hold["end"]) for hold in holds if hold["camera"] == camera_id]
        return FootageItems(self.hass, f"{entry.entry_id}/{camera_id}", camera_id, zone, held)

    def _facility(self, parts: list[str], error: type[BrowseError | Unresolvable]) -> ConfigEntry:
        """The facility, if who asks may see a camera of it."""
        entry = self.hass.config_entries.async_get_entry(parts[0])
        if entry is None or entry.domain != DOMAIN or not self._sees_any(entry):
            raise error(wording.words(self.hass, "media_unknown"))
        return entry

    def _sees_any(self, entry: ConfigEntry) -> bool:
        return any(self._may_see(camera_id) for camera_id in cameras_of(entry))

    def _camera(self, parts: list[str], error: type[BrowseError | Unresolvable]) -> tuple[ConfigEntry, ConfigSubentry]:
        entry = self._facility(parts, error)
        camera = cameras_of(entry).get(parts[1]) if len(parts) > 1 else None
        if camera is None or not self._may_see(camera.subentry_id):
            raise error(wording.words(self.hass, "media_unknown"))
        return entry, camera

    def _may_see(self, camera_id: str) -> bool:
        return may_see(self.hass, _who_asks(), camera_id)


def _interval(parts: list[str], zone: tzinfo) -> Interval | None:
    """The time an identifier names: a day of the facility, or from second to second."""
    if len(parts) == 4 and parts[2] == "day":
        try:
            return day_of(zone, date.fromisoformat(parts[3]))
        except ValueError:
            return None
    return Interval.parse(parts[2]) if len(parts) == 3 else None


def _start_near(nearest: Nearest, at: int, length: int) -> int | None:
    """From where the footage nearest to `at` is played (UTC seconds), `length` of it where it lies before. None: there is none."""
    before, after = nearest["before"], nearest["after"]
    if after is not None and (before is None or after - at * US <= at * US - before):
        return after // US
    return -(-before // US) - length if before is not None else None


def _who_asks() -> User | None:
    """The user who browses, in the frontend or through an action called over HTTP; None: an automation does."""
    if (connection := current_connection.get()) is not None:
        return connection.user
    request = current_request.get()
    return request.get(KEY_HASS_USER) if request is not None else None
