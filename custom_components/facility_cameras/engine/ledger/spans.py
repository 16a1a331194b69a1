"""Hours, days, weeks and months of a time zone, as spans of UTC microseconds: a day may have 23 or 25 hours."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

HOUR_US = 3_600_000_000
#: What a span may be cut into; `span` is the whole.
PERS = ("hour", "day", "week", "month", "span")


def zone_of(name: str) -> tzinfo:
    """The zone of this IANA name. Raises ValueError if this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"no zone is called {name[:50]}") from error


def spans(start_us: int, end_us: int, per: str, zone: tzinfo) -> Iterator[tuple[int, int]]:
    """[start_us, end_us) cut at the beginnings of hours, days, weeks (from Monday) or months, oldest first."""
    while start_us < end_us:
        next_us = end_us if per == "span" else min(_next(start_us, per, zone), end_us)
        yield start_us, next_us
        start_us = next_us


def midnight(at_us: int, zone: tzinfo, days_before: int = 0) -> int:
    """When the day began in which `at_us` lies, or one some days before it."""
    return _begin(_local(at_us, zone).date() - timedelta(days=days_before), zone)


def _next(at_us: int, per: str, zone: tzinfo) -> int:
    """Where the hour, day, week or month ends in which `at_us` lies."""
    local = _local(at_us, zone)
    if per == "hour":
        into_us = (local.minute * 60 + local.second) * 1_000_000 + local.microsecond
        return at_us - into_us + HOUR_US
    day = local.date()
    if per == "day":
        day += timedelta(days=1)
    elif per == "week":
        day += timedelta(days=7 - day.weekday())
    else:
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return _begin(day, zone)


def _local(at_us: int, zone: tzinfo) -> datetime:
    # In whole numbers: a float of today's seconds knows no microsecond.
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).astimezone(zone)


def _begin(day: date, zone: tzinfo) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1_000_000
