"""When footage was: a facility's time zone, its days and hours, and pieces of time as identifiers name them.

Everything that people read or type is in the facility's own zone, which may be another than Home Assistant's. Days and
hours are cut in UTC, so a day of 23 or 25 hours has that many.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from homeassistant.config_entries import ConfigEntry
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util

from .const import CONF_TIME_ZONE, DOMAIN

US = 1_000_000
_HOUR_S = 3600
#: Played at once: the longest day.
_LONGEST_S = 25 * _HOUR_S
#: What can be calculated with in every zone. No footage is older, and nobody means to be asked later.
_FIRST, _LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


async def async_zone(entry: ConfigEntry) -> tzinfo:
    """The zone of a facility's clocks: its own if it names one, else Home Assistant's."""
    named = entry.data.get(CONF_TIME_ZONE)
    return (await dt_util.async_get_time_zone(named) if named else None) or dt_util.get_default_time_zone()


@dataclass(frozen=True, slots=True)
class Interval:
    """A piece of time [start, end), in UTC seconds. It may have no length."""

    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Interval | None:
        """Read `START-END`; None for what is no time, or longer than a day."""
        start, _, end = text.partition("-")
        # Bounded: what cannot be a time of day in this era is refused before it is calculated with.
        if not all(part.isascii() and part.isdecimal() and len(part) <= 11 for part in (start, end)):
            return None
        found = cls(int(start), int(end))
        return found if found.start <= found.end <= found.start + _LONGEST_S else None

    @classmethod
    def around(cls, start_us: int, end_us: int) -> Interval:
        """The whole seconds that hold these UTC microseconds."""
        return cls(start_us // US, -(-end_us // US))

    @classmethod
    def inside(cls, start_us: int, end_us: int) -> Interval:
        """The whole seconds within these UTC microseconds."""
        start = -(-start_us // US)
        return cls(start, max(end_us // US, start))

    def within(self, other: Interval) -> Interval:
        """What lies within another, which it must touch."""
        return Interval(max(self.start, other.start), min(self.end, other.end))

    def __str__(self) -> str:
        """As `parse` reads it."""
        return f"{self.start}-{self.end}"


def day_of(zone: tzinfo, day: date) -> Interval | None:
    """From midnight to midnight; None for a day that cannot be counted."""
    try:
        begin, end = (datetime.combine(midnight, time.min, zone) for midnight in (day, day + timedelta(days=1)))
        found = Interval(int(begin.timestamp()), int(end.timestamp()))
    except ValueError, OverflowError:
        return None
    return found if found.start >= 0 else None


def hours_of(interval: Interval) -> Iterator[Interval]:
    """A day's hours, as many as it has."""
    for start in range(interval.start, interval.end, _HOUR_S):
        yield Interval(start, min(start + _HOUR_S, interval.end))


def local(zone: tzinfo, microseconds: int) -> datetime:
    """UTC microseconds as a clock in the zone shows them."""
    return (datetime.fromtimestamp(microseconds // US, UTC) + timedelta(microseconds=microseconds % US)).astimezone(
        zone
    )


def moment(given: datetime, zone: tzinfo) -> datetime:
    """A time that somebody gave, in UTC: without a zone it is what clocks in `zone` show.

    Raises ServiceValidationError for one that no footage can be of.
    """
    try:
        found = (given if given.tzinfo is not None else given.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:  # the first and the last day that can be written, in some zones
        found = None
    if found is None or not _FIRST <= found < _LAST:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="time_unusable",
            translation_placeholders={"time": given.isoformat(" ", "seconds")},
        )
    return found


def clock(zone: tzinfo, microseconds: int, form: str = "%H:%M") -> str:
    """Time of day; in the hour that a day has twice, with its distance to UTC."""
    shown = local(zone, microseconds)
    twice = shown.replace(fold=0).utcoffset() != shown.replace(fold=1).utcoffset()
    # The hour that does not exist is never shown: no moment falls into it.
    return f"{shown:{form}}" + (f" (UTC{shown:%:z})" if twice else "")


def clocks(zone: tzinfo, start_us: int, end_us: int, form: str = "%H:%M") -> str:
    """From when to when; with the day where it is not the same."""
    if local(zone, start_us).date() != local(zone, max(end_us - 1, start_us)).date():
        form = f"%d/%m {form}"
    return f"{clock(zone, start_us, form)} – {clock(zone, end_us, form)}"
