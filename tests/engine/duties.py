"""What tests of duties and gaps share: an archive whose writer thread is the test itself, so that days pass at once."""

from collections.abc import Iterator
import contextlib
from pathlib import Path

from custom_components.facility_cameras.engine.api import Duty
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.backlog import Memory
from custom_components.facility_cameras.engine.archive.index import Closing, Index
from custom_components.facility_cameras.engine.gaps import TRAIL_US
from tests.engine.archives import NOW_US, HandClock
from tests.engine.living import mark

SECOND_US, HOUR_US = 1_000_000, 3_600_000_000


@contextlib.contextmanager
def hand_run(
    root: Path,
    clock: HandClock,
    remembered: Path | None = None,
    memory: Memory | None = None,
    identity: str = "A1",
) -> Iterator[Archive]:
    """An archive without a thread; `settle` does what is queued. It ends as by `kill -9`: nothing is told to it."""
    root.mkdir(exist_ok=True)
    if not (root / "journal").exists():
        mark(root)
    archive = Archive(root, identity, clock, remembered=remembered, memory=memory)
    run(archive)
    try:
        yield archive
    finally:
        archive._holding.close()


def run(archive: Archive) -> None:
    """What its thread would do now."""
    archive.submit(None, 0, lambda: None)
    while not archive._queue.empty():
        archive.work_once(0)


def settle(archive: Archive) -> None:
    """A second passes for the duties; what is queued is done."""
    archive.duties.beat()
    run(archive)


def index_of(archive: Archive) -> Index:
    """The open index."""
    run(archive)
    assert archive.index is not None
    return archive.index


def record(archive: Archive, start_us: int, end_us: int, camera: str = "c1") -> int:
    """Footage, as if it had been recorded: a row and a file; no longer than an hour. Returns its id."""
    index = index_of(archive)
    path = archive.root / index.camera_folder(camera, "f1", f"f/{camera}") / "day" / f"{start_us}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(1000))
    number = index.open_segment(camera, "run", "h264", b"init", start_us, f"day/{path.name}")
    index.close_segment(number, Closing(start_us, end_us, 1000, 100, b"", b""))
    return number


def live(archive: Archive, clock: HandClock, *parts: tuple[Duty, str, int, tuple[int, int] | None]) -> None:
    """Each part: a duty, its reason, how long it lasts, and what of it is recorded (from, to, in seconds)."""
    for kind, reason, seconds, footage in parts:
        began = round(clock.utc() * 1e6)
        archive.duties.tell("c1", kind, reason)
        settle(archive)
        clock.now += seconds
        # What ends trouble is told only once it lasts; here it always does.
        archive.duties.tell("c1", kind, reason)
        settle(archive)
        if footage is not None:
            for at in range(footage[0], footage[1], 1800):
                end = min(at + 1800, footage[1])
                record(archive, began + at * SECOND_US, began + end * SECOND_US)
    clock.now += TRAIL_US / 1e6
    archive.duties.tell("c1", Duty.OFF)
    settle(archive)


def known(archive: Archive, camera: str = "c1") -> list[tuple[int, int, str, str]]:
    """A camera's whole series: start, end (seconds since NOW_US), kind and reason."""
    found = archive.duties.intervals(index_of(archive), camera, 0, 1 << 62)
    return [
        ((one.start_us - NOW_US) // SECOND_US, (one.end_us - NOW_US) // SECOND_US, one.kind, one.reason)
        for one in found
    ]
