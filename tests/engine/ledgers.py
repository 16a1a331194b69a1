"""What tests of the ledger share: a ledger whose writer thread is the test itself, so that months pass at once."""

from collections.abc import Iterator
import contextlib
from pathlib import Path
import sqlite3
from typing import Any

from custom_components.facility_cameras.engine.api import Standing, Status
from custom_components.facility_cameras.engine.ledger.intervals import intervals
from custom_components.facility_cameras.engine.ledger.ledger import Ledger
from custom_components.facility_cameras.engine.ledger.opening import FILE
from custom_components.facility_cameras.engine.ledger.rates import Tally, rates
from custom_components.facility_cameras.engine.ledger.reading import NEVER, Reading
from tests.engine.archives import NOW_US, HandClock

SECOND_US, HOUR = 1_000_000, 3600


class Machine(HandClock):
    """Also what is known of the machine: how long it slept, and which boot it is."""

    def __init__(self) -> None:
        super().__init__()
        self.slept = 0.0
        self.boot = "boot 1"

    def asleep(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        """It is suspended: only the wall clock, and the one of the boot, go on."""
        self.slept += seconds
        self.offset += seconds


@contextlib.contextmanager
def ledger_in(folder: Path, clock: Machine, *cameras: str) -> Iterator[Ledger]:
    """A ledger without a thread, in which these cameras are required. It ends as by `kill -9`: nothing is told to it."""
    folder.mkdir(exist_ok=True)
    ledger = Ledger(folder, clock, asleep=clock.asleep, boot=clock.boot)
    for camera in cameras:
        ledger.describe(camera, camera.upper(), "f1", "gate")
        ledger.stand(camera, Standing.REQUIRED)
    try:
        yield ledger
    finally:
        ledger._writer.close()


def settle(ledger: Ledger) -> None:
    """What is told now is written now."""
    ledger.beat()
    ledger.write_once()


def live(ledger: Ledger, clock: Machine, seconds: float, status: Status | None = None, camera: str = "c1") -> None:
    """Time passes, and is watched; `status`: told of the camera before."""
    if status is not None:
        ledger.tell(camera, status, "none" if status == Status.ONLINE else "no_answer")
    settle(ledger)
    while seconds > 0:
        clock.now += min(seconds, 25.0)
        seconds -= 25.0
        ledger.beat()
    settle(ledger)


def known(folder: Path, camera: str = "c1") -> list[tuple[float, float, str, str]]:
    """All of a camera: start and end (seconds since NOW_US), status, and cause; neighbours of one kind put together."""
    with Reading(folder / FILE) as reading:
        found: list[tuple[float, float, str, str]] = []
        for one in intervals(reading, camera, 0, NEVER):
            start, end = ((at - NOW_US) / SECOND_US for at in (one["start"], one["end"]))
            what = one["status"], one["cause"]
            if found and found[-1][1:] == (start, *what):
                found[-1] = found[-1][0], end, *what
            else:
                found.append((start, end, *what))
        return found


def tally(folder: Path, start: float = 0, end: float = 1 << 40, **more: Any) -> Tally:
    """The whole hub's of [start, end), seconds since NOW_US."""
    with Reading(folder / FILE) as reading:
        found = rates(reading, *(NOW_US + round(at * 1e6) for at in (start, end)), by="hub", **more)
        assert len(found) <= 1
        return found[0].tally if found else Tally()


def ask(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    """Ask the file, or the one that is named."""
    path = folder / FILE if folder.is_dir() else folder
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute(statement).fetchall()
        connection.commit()
        return found
