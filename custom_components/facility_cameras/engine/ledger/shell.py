"""The ledger for the person with a shell: show what it holds, verify what was shown. May run beside an engine."""

import argparse
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from . import shown
from .intervals import intervals
from .opening import FILE
from .rates import rate, rates
from .reading import NEVER, Reading

#: Tells one thing: for programs, and for people.
type Tell = Callable[[dict[str, object], str], None]
FOUND = 1
DAYS = 30
DAY_US = 86_400_000_000


def options(command: argparse.ArgumentParser) -> None:
    """What may be said to `ledger`."""
    command.add_argument("what", choices=("show", "verify"), help="show what it holds, or compare what was shown")
    command.add_argument("archive", metavar="FOLDER", type=Path, help="the engine's folder, in which ledger.db lies")
    command.add_argument("--json", action="store_true", help="a line of JSON for each thing, for programs")
    command.add_argument("--camera", metavar="ID", help="show this camera's intervals")
    command.add_argument("--start", type=datetime.fromisoformat, help="such as 2026-11-23T14:30; else 30 days back")
    command.add_argument("--end", type=datetime.fromisoformat)
    command.add_argument(
        "--zone", type=ZoneInfo, default=ZoneInfo("UTC"), help="of the times, such as Asia/Ho_Chi_Minh"
    )


def run(folder: Path, chosen: argparse.Namespace, tell: Tell) -> int:
    """Do it; returns the exit code. Raises OSError and sqlite3.Error."""
    with Reading(folder / FILE) as reading:
        if chosen.what == "verify":
            return _verify(reading, tell)
        zone: tzinfo = chosen.zone
        end_us = _moment(chosen.end, zone, min(reading.until_us, NEVER))
        start_us = _moment(chosen.start, zone, end_us - DAYS * DAY_US)
        if chosen.camera:
            for one in intervals(reading, chosen.camera, start_us, end_us):
                line = f"{_time(one['start'])}  {_time(one['end'])}  {one['standing']:12}  {one['status']:12}  "
                tell(dict(one), line + "  ".join(filter(None, (one["cause"], one["detail"]))))
            return 0
        for found in rates(reading, start_us, end_us):
            told = rate(found)
            share = "-" if told["rate"] is None else f"{100 * told['rate']:.3f} %"
            line = (
                f"{told['camera']}  {share:>10}  required {told['required_s']:.0f} s  unknown {told['unknown_s']:.0f} s  "
                f"outages {told['outages']}, longest {told['longest_outage_s']:.0f} s  {told['name']}"
            )
            tell(dict(told), line)
        return 0


def _verify(reading: Reading, tell: Tell) -> int:
    differences = 0
    for one in shown.verify(reading):
        differences += 1
        where = " / ".join(filter(None, (one.facility, one.place, one.camera))) or "all cameras"
        told: dict[str, object] = {
            "start": one.start_us, "end": one.end_us, "camera": one.camera, "facility": one.facility,
            "place": one.place, "what": one.what,
        }  # fmt: skip
        tell(told, f"{_time(one.start_us)}  {_time(one.end_us)}  {where}: {one.what}")
    figures = shown.count(reading)
    tell(
        {"figures": figures, "differences": differences},
        f"{figures} figures that were shown were computed again: {differences or 'no'} differences",
    )
    return FOUND if differences else 0


def _moment(moment: datetime | None, zone: tzinfo, missing: int) -> int:
    if moment is None:
        return missing
    at = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return round(at.timestamp() * 1_000_000)


def _time(us: int) -> str:
    return f"{datetime.fromtimestamp(us / 1e6, UTC):%Y-%m-%dT%H:%M:%SZ}"
