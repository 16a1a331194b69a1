"""What the media browser shows of footage: days, hours, pieces, files, and the gaps between them."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta, tzinfo

from homeassistant.components.media_player.const import MediaClass, MediaType
from homeassistant.components.media_source import BrowseMediaSource
from homeassistant.core import HomeAssistant

from . import wording
from .const import DOMAIN
from .engine.api_footage import Nearest, Segment, Span
from .footage_gaps import Gap
from .footage_time import US, Interval, clock, clocks, day_of, hours_of
from .views import thumbnail_url

#: Gaps that are shorter are told to the second.
_EXACT_US = 120 * US
#: Lines of one listing; more gaps than that are told by their number.
_MOST = 500


class FootageItems:
    """Makes the items of one camera in the time zone of its facility. `path` is the camera's identifier."""

    def __init__(
        self, hass: HomeAssistant, path: str, camera_id: str, zone: tzinfo, held: Sequence[tuple[int, int]]
    ) -> None:
        """Everything is given: nothing is asked for here. `held` is what is protected, UTC microseconds."""
        self._hass = hass
        self._path = path
        self._camera_id = camera_id
        self._zone = zone
        self._held = held

    def camera(self, title: str, children: list[BrowseMediaSource]) -> BrowseMediaSource:
        """The camera with its days; the zone is named once, above them."""
        return directory(self._path, f"{title} ({self._zone})", children)

    def days(self, found: Mapping[date, int]) -> list[BrowseMediaSource]:
        """Days that have footage and where it begins (UTC microseconds), newest first, and the days between them that
        have none.
        """
        children: list[BrowseMediaSource] = []
        after: date | None = None
        for day in sorted(found, reverse=True):
            if after is not None and after - day > timedelta(days=1):
                first, last = day + timedelta(days=1), after - timedelta(days=1)
                times = f"{first:%d/%m/%Y}" if first == last else f"{first:%d/%m/%Y} – {last:%d/%m/%Y}"
                empty = day_of(self._zone, last) or Interval(0, 0)
                children.append(self._gap(empty, wording.words(self._hass, "media_gap", times=times)))
            title = self.day_title(day) + self._protected(day_of(self._zone, day) or Interval(0, 0))
            item = directory(f"{self._path}/day/{day.isoformat()}", title, play=True)
            item.thumbnail = thumbnail_url(self._camera_id, found[day])
            children.append(item)
            after = day
        return children

    def day_title(self, day: date) -> str:
        """A day with its weekday."""
        weekday = wording.words(self._hass, f"weekday_{day.isoweekday()}")
        return wording.words(self._hass, "media_day", weekday=weekday, date=f"{day:%d/%m/%Y}")

    def day(self, day: date, interval: Interval, spans: Sequence[Span], gaps: Sequence[Gap]) -> BrowseMediaSource:
        """The hours of a day that have footage, each followed by the gaps that begin in it."""
        lines: list[tuple[int, BrowseMediaSource]] = []
        for hour in hours_of(interval):
            inside = [span for span in spans if span["start"] < hour.end * US and span["end"] > hour.start * US]
            if inside:
                lines.append((hour.start * US, self._piece(hour, inside, "%H:%M")))
        item = self._listing(f"day/{day.isoformat()}", f"{self.day_title(day)} ({self._zone})", lines, gaps)
        if spans:
            item.children = [self._film(interval), *(item.children or [])]
        return item

    def hour(
        self, interval: Interval, spans: Sequence[Span], gaps: Sequence[Gap], segments: Sequence[Segment]
    ) -> BrowseMediaSource:
        """The pieces of an hour without a gap (if there is more than one), its gaps, then its single files."""
        lines: list[tuple[int, BrowseMediaSource]] = []
        if len(spans) > 1:
            for span in spans:
                piece = Interval.around(span["start"], span["end"]).within(interval)
                lines.append((span["start"], self._piece(piece, [span], "%H:%M:%S")))
        title = clocks(self._zone, interval.start * US, interval.end * US)
        item = self._listing(str(interval), f"{title} ({self._zone})", lines, gaps)
        preview = [self._preview(interval)] if any(span["codec"] == "h265" for span in spans) else []
        item.children = [*preview, *(item.children or []), *(self._file(segment) for segment in segments)]
        return item

    def moment(self, at: int, start: int, end: int, span: Span | None, gap: Gap | None, name: str) -> BrowseMediaSource:
        """What is found for a time: playing from there, or from the nearest footage with a sentence that says so."""
        asked = clock(self._zone, at, "%H:%M:%S %d/%m/%Y")
        if gap is None:
            title = wording.words(self._hass, "media_found", camera=name, time=asked)
        else:
            where = clock(self._zone, start, "%H:%M:%S %d/%m/%Y")
            title = wording.words(self._hass, "media_found_near", camera=name, time=asked, near=where)
            title += self._because(gap)
        title += self._codec([span] if span else []) + self._protected(Interval.around(start, end))
        item = self._item(Interval.around(start, end), title, start)
        item.can_expand = False
        return item

    def gap_title(self, gap: Gap) -> str:
        """From when to when there is nothing, and why."""
        empty = Interval.inside(gap.start, gap.end)
        form = "%H:%M" if gap.end - gap.start >= _EXACT_US else "%H:%M:%S"
        times = clocks(self._zone, empty.start * US, empty.end * US, form)
        return wording.words(self._hass, "media_gap", times=times) + self._because(gap)

    def gap_sentence(self, gap: Gap, nearest: Nearest) -> str:
        """The same, and where the nearest footage is."""
        form = "%H:%M:%S %d/%m/%Y"
        before, after = (
            clock(self._zone, where, form) if where is not None else "–"
            for where in (nearest["before"], nearest["after"])
        )
        title = self.gap_title(gap)
        return wording.words(self._hass, "media_gap_told", gap=title, before=before, after=after)

    # --- pieces ------------------------------------------------------------------------------------------

    def _piece(self, piece: Interval, spans: Sequence[Span], form: str) -> BrowseMediaSource:
        title = clocks(self._zone, piece.start * US, piece.end * US, form) + self._codec(spans) + self._protected(piece)
        return self._item(piece, title, max(spans[0]["start"], piece.start * US))

    def _codec(self, spans: Sequence[Span]) -> str:
        """Told where a browser may not be able to play it."""
        return " · H.265" if any(span["codec"] == "h265" for span in spans) else ""

    def _protected(self, interval: Interval) -> str:
        """Told where retention leaves something of it alone."""
        start, end = interval.start * US, interval.end * US
        if any(a < end and b > start for a, b in self._held):
            return f" · {wording.words(self._hass, 'media_protected')}"
        return ""

    def _listing(
        self, identifier: str, title: str, lines: list[tuple[int, BrowseMediaSource]], gaps: Sequence[Gap]
    ) -> BrowseMediaSource:
        lines += [(gap.start, self._gap(Interval.inside(gap.start, gap.end), self.gap_title(gap))) for gap in gaps]
        lines.sort(key=lambda line: line[0])
        item = directory(f"{self._path}/{identifier}", title, [line for _, line in lines[:_MOST]], play=True)
        item.not_shown = max(len(lines) - _MOST, 0)
        return item

    def _because(self, gap: Gap) -> str:
        return f": {', '.join(gap.reasons)}" if gap.reasons else ""

    def _gap(self, interval: Interval, title: str) -> BrowseMediaSource:
        """Nothing to play or open; whoever opens it all the same is told so."""
        return BrowseMediaSource(
            domain=DOMAIN,
            identifier=f"{self._path}/gap/{interval}",
            media_class=MediaClass.EPISODE,
            media_content_type=MediaType.VIDEO,
            title=title,
            can_play=False,
            can_expand=False,
        )

    def _item(self, piece: Interval, title: str, shown: int) -> BrowseMediaSource:
        """Something to play with a picture of what was recorded at `shown`, UTC microseconds."""
        item = directory(f"{self._path}/{piece}", title, play=True)
        item.thumbnail = thumbnail_url(self._camera_id, shown)
        return item

    def _film(self, day: Interval) -> BrowseMediaSource:
        """The day in two minutes."""
        return self._made(f"film/{day}", wording.words(self._hass, "media_film"))

    def _preview(self, interval: Interval) -> BrowseMediaSource:
        """For browsers that cannot play H.265."""
        return self._made(f"preview/{interval}", wording.words(self._hass, "media_preview"))

    def _made(self, which: str, title: str) -> BrowseMediaSource:
        """What is made when it is played."""
        return BrowseMediaSource(
            domain=DOMAIN,
            identifier=f"{self._path}/{which}",
            media_class=MediaClass.MOVIE,
            media_content_type=MediaType.VIDEO,
            title=title,
            can_play=True,
            can_expand=False,
        )

    def _file(self, segment: Segment) -> BrowseMediaSource:
        size = f"{segment['bytes'] / 1e6:.1f} MB"
        protected = self._protected(Interval.around(segment["start"], segment["end"]))
        return BrowseMediaSource(
            domain=DOMAIN,
            identifier=f"{self._path}/segment/{segment['id']}",
            media_class=MediaClass.VIDEO,
            media_content_type="video/mp4",
            title=f"{clock(self._zone, segment['start'], '%H:%M:%S')} · {size} (MP4){protected}",
            can_play=True,
            can_expand=False,
            thumbnail=thumbnail_url(self._camera_id, segment["start"]),
        )


def directory(
    identifier: str | None,
    title: str,
    children: list[BrowseMediaSource] | None = None,
    *,
    play: bool = False,
    tiles: bool = False,
) -> BrowseMediaSource:
    """Something to open, which may be played as a whole. What is in it is a list: the frontend cuts the titles of tiles,
    and a gap is nothing but its title. `tiles`: short names, side by side.
    """
    item = BrowseMediaSource(
        domain=DOMAIN,
        identifier=identifier,
        media_class=MediaClass.DIRECTORY if tiles else MediaClass.VIDEO,
        media_content_type=MediaType.VIDEO if play else "",
        title=title,
        can_play=play,
        can_expand=True,
        can_search=True,
        # The frontend knows lists with pictures of music alone.
        children_media_class=MediaClass.DIRECTORY if tiles else MediaClass.MUSIC,
    )
    item.children = children
    return item
