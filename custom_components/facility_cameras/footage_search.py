"""What somebody who searches for a time means: "2026-11-23 14:30", "23/11 14:30", "14h30", "hôm qua 14:30".

Days come first in dates with strokes, as they are written in Viet Nam and shown by the media browser. What is left out
is the newest that has been: no time to come is meant.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
import re
import unicodedata

#: Longer ones are no time.
_LONGEST = 60
_WORDS = {
    "hom nay": 0, "today": 0, "nay": 0,
    "hom qua": 1, "yesterday": 1, "qua": 1,
    "hom kia": 2,
}  # fmt: skip
_DATE = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})(?:t(?=\d))?"
    r"|(?P<day2>\d{1,2})[/.](?P<month2>\d{1,2})(?:[/.](?P<year2>\d{4}))?"
    rf"|\b(?P<word>{'|'.join(_WORDS)})\b"
)
_TIME = re.compile(
    r"\b(?P<hour>\d{1,2})(?::|h| ?gio\b)\s?(?:(?P<minute>\d{1,2})(?:[:m](?P<second>\d{1,2}))?(?: ?p(?:hut)?\b)?)?"
    r"\s?(?P<half>[ap]m)?\b"
)
_FILLING = re.compile(r"\b(?:ngay|luc|at|on)\b|[,;]")


def find_times(text: str, zone: tzinfo, now: datetime, day: date | None = None) -> list[datetime]:
    """The moments (UTC) a text may mean, none if it is no time; two in the hour that a clock shows twice.

    `day` is what a time without a date belongs to; without it, the newest day on which it has been.
    """
    words = _plain(text)
    if len(words) > _LONGEST:
        return []
    today = now.astimezone(zone).date()
    found_date = _DATE.search(words)
    if found_date is not None:
        words = words[: found_date.start()] + " " + words[found_date.end() :]
    found_time = _TIME.search(words)
    if found_time is not None:
        words = words[: found_time.start()] + " " + words[found_time.end() :]
    if _FILLING.sub(" ", words).strip() or (found_date is None and found_time is None):
        return []
    try:
        of_day = _time_of(found_time) if found_time is not None else time.min
        if found_date is not None:
            meant = _date_of(found_date, today)
        elif day is not None:
            meant = day
        else:
            meant = today if datetime.combine(today, of_day, zone) <= now else today - timedelta(days=1)
        first, second = (datetime.combine(meant, of_day, zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    except ValueError, OverflowError:
        return []
    # The other way round the clock skips this time: the first is as long after the skip.
    return [first, second] if first < second else [first]


def _plain(text: str) -> str:
    """Small letters without marks, single spaces."""
    split = unicodedata.normalize("NFD", text[: 4 * _LONGEST].casefold().replace("đ", "d"))
    return " ".join("".join(sign for sign in split if not unicodedata.combining(sign)).split())


def _date_of(found: re.Match[str], today: date) -> date:
    """Raises ValueError for what no calendar has."""
    if found["word"]:
        return today - timedelta(days=_WORDS[found["word"]])
    if found["year"]:
        return date(int(found["year"]), int(found["month"]), int(found["day"]))
    day, month = int(found["day2"]), int(found["month2"])
    if found["year2"]:
        return date(int(found["year2"]), month, day)
    # 29/2 is of the newest year that had one.
    for year in range(today.year, today.year - 9, -1):
        try:
            meant = date(year, month, day)
        except ValueError:
            continue
        if meant <= today:
            return meant
    raise ValueError(found[0])


def _time_of(found: re.Match[str]) -> time:
    """Raises ValueError for what no clock shows."""
    hour = int(found["hour"])
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(found[0])
        hour = hour % 12 + (12 if found["half"] == "pm" else 0)
    return time(hour, int(found["minute"] or 0), int(found["second"] or 0))
