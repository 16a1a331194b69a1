"""How an export and its files are called: harmless characters only, with the facility's time and its distance to UTC.

Names of facilities and cameras come from outside: they are mapped (folder_name.py), never joined to a path.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

US = 1_000_000


def local(us: int, zone: ZoneInfo) -> datetime:
    """UTC microseconds as the zone's clocks show them."""
    return (datetime.fromtimestamp(us // US, UTC) + timedelta(microseconds=us % US)).astimezone(zone)


def distance(moment: datetime) -> str:
    """A zone's distance to UTC, such as `UTC+07` or `UTC-03-30`."""
    minutes = (moment.utcoffset() or timedelta()) // timedelta(minutes=1)
    rest = f"-{abs(minutes) % 60:02}" if minutes % 60 else ""
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{rest}"


def stamp(us: int, zone: ZoneInfo) -> str:
    """Such as `2026-11-25_14-30-05_UTC+07`: no two moments a second apart share it, also where clocks are set back."""
    moment = local(us, zone)
    return f"{moment:%Y-%m-%d_%H-%M-%S}_{distance(moment)}"


def export_name(facility: str, start_us: int, end_us: int, zone: ZoneInfo) -> str:
    """The folder of an export. `facility` is a folder name already."""
    return f"{facility}_{stamp(start_us, zone)}_to_{stamp(end_us, zone)}"


def unused(name: str, used: Collection[str], ending: str = "") -> str:
    """The name with its ending, with a number if it is used."""
    found, number = f"{name}{ending}", 1
    while found in used:
        number += 1
        found = f"{name}-{number}{ending}"
    return found


def clock(moment: datetime) -> str:
    """Such as `2026-11-25 14:30:05 UTC+07:00`."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC{moment:%:z}"


def plain(name: str) -> str:
    """A name in one line: it comes from outside, and may hold anything."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())
