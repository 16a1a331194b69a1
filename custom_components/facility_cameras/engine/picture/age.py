"""When a picture no longer shows what is true now, and what is then written into it.

Whatever picture we hand out as a camera's newest says in its own pixels when it is from, once it is older than this
bound: a tile on a screen, an alert's picture and a file that somebody kept carry nothing else with them.
"""

from datetime import UTC, datetime, tzinfo

from ..feed import Feed

#: Seconds. A camera that sends key pictures less often than this has twice its own distance between them.
FRESH_S = 10.0
#: How long the words may be that a hub wants written.
WORDS_SIGNS = 60


def is_old(feed: Feed, received: float, now: float) -> bool:
    """Whether a key picture of this feed, received at this time (monotonic seconds, as `now`), is past its bound."""
    return now - received > max(FRESH_S, 2 * feed.key_distance_s)


def told(words: str, taken_us: int, now_us: int | None, zone: tzinfo) -> str:
    """What is written into a picture that is old: the words, then its time in a zone, with the date if it is another day.

    Times are UTC microseconds. No `now_us`: with the date always, for what stays on a screen overnight.
    """
    taken = _local(taken_us, zone)
    today = now_us is not None and taken.date() == _local(now_us, zone).date()
    time = f"{taken:%H:%M}" if today else f"{taken:%H:%M %d/%m/%Y}"
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in words[:WORDS_SIGNS]).split())
    return f"{plain} · {time}" if plain else time


def _local(us: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(us / 1_000_000, UTC).astimezone(zone)
