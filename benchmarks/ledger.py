"""What the ledger of two years costs, and whether it can be computed again: `script/bench ledger [--quick]`.

64 cameras live through two scripted years (by seed), told through the ledger itself on a clock that leaps: calm cameras
with an outage now and then, nights, planned maintenance, an engine that restarts, a hub that was the reason; and a bad year
in which each eighth camera goes 40 times a day. Reports of every month are given out, and then verified.
"""

import argparse
from collections.abc import Callable, Iterator
import heapq
import json
from pathlib import Path
import random
import tempfile
import time
from zoneinfo import ZoneInfo

from custom_components.facility_cameras.engine.api import Standing, Status
from custom_components.facility_cameras.engine.ledger import watch_time
from custom_components.facility_cameras.engine.ledger.ledger import Ledger
from custom_components.facility_cameras.engine.ledger.opening import FILE
from custom_components.facility_cameras.engine.ledger.rates import rate, rates
from custom_components.facility_cameras.engine.ledger.reading import Reading
from custom_components.facility_cameras.engine.ledger.sensors import sensors
from custom_components.facility_cameras.engine.ledger.shown import final, verify

CAMERAS, DAYS, QUICK_DAYS = 64, 730, 61
SEED = 20_261_125
#: 2024-12-01 00:00 UTC.
BEGAN_S = 1_733_011_200
DAY_S, HOUR_S = 86_400.0, 3600.0
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
#: Each so many-th camera has a bad year, the second of two: it goes so often a day.
BAD_EACH, BAD_A_DAY, BAD_FROM = 8, 40, 0.5
#: How often other cameras go, and how often their picture is bad, a day.
CALM_A_DAY, PICTURE_A_DAY = 1.5, 0.3
AWAY = (
    (Status.UNREACHABLE, "no_answer", "host answers: no"),
    (Status.REFUSED, "connection_refused", ""),
    (Status.STALLED, "no_packets", ""),
    (Status.NO_STREAM, "path_not_found", ""),
    (Status.UNSTABLE, "connection_lost", ""),
)
PICTURE = (Status.FROZEN, Status.BLACK, Status.COVERED, Status.MOVED)
TIMES = 5


class LeapingClock:
    """Time goes on when it is told to."""

    def __init__(self) -> None:
        """At the beginning."""
        self.now = 10_000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now

    def utc(self) -> float:
        """Seconds since 1970."""
        return BEGAN_S + self.now - 10_000.0


def month_report_ms(*, quick: bool = False) -> float:
    """A month's report of all cameras, by day, in milliseconds."""
    return measure(quick=quick)["month_report_ms"]


def measure(*, quick: bool = False) -> dict[str, float]:
    """All figures."""
    days = QUICK_DAYS if quick else DAYS
    # Nobody looks at the clocks while years leap by.
    before, watch_time.STALLED_S = watch_time.STALLED_S, float("inf")
    try:
        with tempfile.TemporaryDirectory(prefix="ledger-") as folder:
            return _measure(Path(folder), days)
    finally:
        watch_time.STALLED_S = before


def _measure(folder: Path, days: int) -> dict[str, float]:
    began = time.monotonic()
    _live(folder, days)
    lived_s = time.monotonic() - began
    size = sum(path.stat().st_size for path in folder.glob(f"{FILE}*"))
    with Reading(folder / FILE) as reading:
        (rows,) = reading.rows("SELECT count(*) FROM state")[0]
        until_us = reading.until_us
    month_us = until_us - round(30 * DAY_S * 1e6), until_us
    report_ms = _best(folder, lambda reading: [rate(one) for one in rates(reading, *month_us)])
    day_ms = _best(folder, lambda reading: [rate(one) for one in rates(reading, *month_us, per="day", zone=ZONE)])
    names = [f"c{number}" for number in range(CAMERAS)]
    sensors_ms = _best(folder, lambda reading: sensors(reading, "f0", names[: CAMERAS // 2], "Asia/Ho_Chi_Minh"))
    began = time.monotonic()
    shown = _show_months(folder)
    with Reading(folder / FILE) as reading:
        mismatches = len(list(verify(reading)))
    return {
        "month_report_ms": round(report_ms, 1),
        "month_by_day_ms": round(day_ms, 1),
        "sensors_ms": round(sensors_ms, 1),
        "bytes_per_camera_year": round(size / CAMERAS / (days / 365)),
        "two_years_mb": round(size / days * 730 / 1e6, 1),
        "rows": rows,
        "shown": shown,
        "verify_mismatches": mismatches,
        "verify_s": round(time.monotonic() - began, 1),
        "lived_s": round(lived_s, 1),
    }


def _best(folder: Path, call: Callable[[Reading], object]) -> float:
    """The median of some calls, milliseconds."""
    found = []
    for _ in range(TIMES):
        began = time.monotonic()
        with Reading(folder / FILE) as reading:
            call(reading)
        found.append(time.monotonic() - began)
    return sorted(found)[TIMES // 2] * 1e3


def _show_months(folder: Path) -> int:
    """Give out every month, and the days of the last one, as the API would; returns how many figures."""
    clock = LeapingClock()
    count = 0
    with Reading(folder / FILE) as reading:
        clock.now += reading.until_us / 1e6 - BEGAN_S + 1
        ledger = Ledger(folder, clock, boot="show")
        for per, by, start_us in (
            ("month", "camera", BEGAN_S * 1_000_000),
            ("month", "facility", BEGAN_S * 1_000_000),
            ("day", "camera", reading.until_us - round(30 * DAY_S * 1e6)),
        ):
            rows = final(reading, rates(reading, start_us, reading.until_us, by=by, per=per, zone=ZONE))
            count += len(rows)
            ledger.show(rows)
    ledger.write_once()
    return count


# The years ----------------------------------------------------------------------------------------------------------


def _live(folder: Path, days: int) -> None:
    clock = LeapingClock()
    chance = random.Random(SEED)
    events = heapq.merge(*(_camera(number, days, random.Random(SEED + number)) for number in range(CAMERAS)))
    restart_s = chance.uniform(5, 20) * DAY_S
    ledger = _engine(folder, clock)
    written_s = 0.0
    for at_s, number, what, detail, connected in events:
        clock.now = max(clock.now, 10_000.0 + at_s)
        if at_s > restart_s:
            ledger.write_once()
            ledger.close()
            clock.now += chance.choice((15.0, 40.0, 2 * HOUR_S))
            ledger = _engine(folder, clock)
            restart_s = at_s + chance.uniform(5, 20) * DAY_S
        if isinstance(what, Standing):
            ledger.stand(f"c{number}", what, detail, "An")
        elif what is Status.UNSTABLE:
            ledger.tell(f"c{number}", what, "connection_lost", connected_us=round(connected * 1e6))
        else:
            ledger.tell(f"c{number}", *_told(what, detail))
        if at_s - written_s > 600:
            written_s = at_s
            if chance.random() < 0.002:
                now_us = round(clock.utc() * 1e6)
                ledger.hub_away(now_us - 300_000_000, now_us, "own_network")
            ledger.write_once()
    clock.now = max(clock.now, 10_000.0 + days * DAY_S)
    ledger.beat()
    ledger.write_once()
    ledger.close()


def _engine(folder: Path, clock: LeapingClock) -> Ledger:
    ledger = Ledger(folder, clock, boot="bench")
    for number in range(CAMERAS):
        ledger.describe(f"c{number}", f"Camera {number}", f"f{number * 2 // CAMERAS}", ("gate", "corridor")[number % 2])
        ledger.stand(f"c{number}", Standing.REQUIRED)
        ledger.tell(f"c{number}", Status.ONLINE, "none")
    return ledger


def _told(status: Status, detail: str) -> tuple[Status, str, str, str]:
    cause, _, more = detail.partition("|")
    return status, cause or "none", more, f"evidence-{status}" if status in PICTURE else ""


def _camera(
    number: int, days: int, chance: random.Random
) -> Iterator[tuple[float, int, Status | Standing, str, float]]:
    """One camera's events: when, which, what, with which cause, and how long an unstable one was connected."""
    at_s = chance.uniform(1, HOUR_S)
    yield at_s, number, Status.ONLINE, "none", 0.0
    while True:
        bad = number % BAD_EACH == 0 and at_s > days * BAD_FROM * DAY_S
        a_day = BAD_A_DAY if bad else CALM_A_DAY
        at_s += chance.expovariate(a_day + PICTURE_A_DAY) * DAY_S
        if at_s >= days * DAY_S:
            return
        kind = chance.random()
        if kind < 0.01:
            yield at_s, number, Standing.MAINTENANCE, "cleaning", 0.0
            at_s += chance.uniform(0.5, 4) * HOUR_S
            yield at_s, number, Standing.REQUIRED, "", 0.0
            continue
        if chance.random() < PICTURE_A_DAY / (a_day + PICTURE_A_DAY):
            yield at_s, number, chance.choice(PICTURE), "picture", 0.0
            at_s += chance.expovariate(1 / 1800)
        else:
            status, cause, detail = chance.choice(AWAY)
            yield at_s, number, status, f"{cause}|{detail}", 0.0
            length_s = chance.expovariate(1 / (300 if bad else 1200)) + 5
            if status is Status.UNSTABLE:
                yield at_s + length_s / 2, number, status, cause, length_s / 2 * chance.random()
            at_s += length_s
        yield at_s, number, Status.ONLINE, "none", 0.0


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two months")
    found = measure(quick=parser.parse_args().quick)
    for name, value in found.items():
        print(f"{name:24} {value:>12}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
