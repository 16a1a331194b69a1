"""The camera's clock: how far it is from ours (CAMERAS.md O2, O3). Only the raw difference counts; clocks are never set."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from .answer import Element
from .transport import Reply


def clock_offset(answer: Element, reply: Reply) -> float | None:
    """Camera clock minus ours in seconds from an answer to GetSystemDateAndTime; None if it tells no valid UTC."""
    told = answer.first("SystemDateAndTime", "UTCDateTime")
    if told is None:
        return None
    try:
        year, month, day = (int(told.text("Date", part)) for part in ("Year", "Month", "Day"))
        hour, minute, second = (int(told.text("Time", part)) for part in ("Hour", "Minute", "Second"))
        # Some cameras count a leap second, or roll over late.
        camera = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC).timestamp()
    except ValueError, OverflowError:
        return None
    return _offset(camera, reply)


def http_clock_offset(reply: Reply) -> float | None:
    """The same from the HTTP date, for cameras that tell their time to nobody without a login."""
    try:
        date = parsedate_to_datetime(reply.date)
    except ValueError:
        return None
    return _offset((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp(), reply)


def _offset(camera: float, reply: Reply) -> float:
    """Whole seconds are told: on average half a second has passed since."""
    return round(camera + 0.5 - reply.at, 3)
