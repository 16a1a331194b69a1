"""What tests of the archive share: a clock that is set by hand, and footage that needs no camera."""

from collections.abc import Iterator
import contextlib
import hashlib
from pathlib import Path
import sqlite3
from typing import Any

from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.fragments import pack_fragments
from custom_components.facility_cameras.engine.archive.index import Closing, Index
from custom_components.facility_cameras.engine.archive.opening import INDEX
from custom_components.facility_cameras.engine.archive.recording import Recording
from custom_components.facility_cameras.engine.fmp4 import Fragment as BuiltFragment, Fragmenter, box, identity_box
from custom_components.facility_cameras.engine.media import Sample
from custom_components.facility_cameras.engine.playback import Fragment
from tests.engine.living import mark, wait_for

#: 2026-11-25 00:00 UTC.
NOW_US = 1_795_564_800_000_000
MINUTE_US, DAY_US = 60_000_000, 86_400_000_000


class HandClock:
    """Time goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.offset = NOW_US / 1e6 - self.now

    def monotonic(self) -> float:
        return self.now

    def utc(self) -> float:
        return self.now + self.offset


@contextlib.contextmanager
def archive_in(root: Path, clock: HandClock | None = None, *, marked: bool = True, **more: Any) -> Iterator[Archive]:
    """An archive that runs in this process."""
    root.mkdir(exist_ok=True)
    if marked:
        mark(root)
    archive = Archive(root, "A1", clock or HandClock(), **more)
    archive.start()
    try:
        yield archive
    finally:
        archive.close()


#: A head as the engine writes it, and fragments that a repair can read: 2 s and 50 pictures each.
INIT, IDENTITY = box(b"ftyp", b"iso6", bytes(4)) + box(b"moov", bytes(80)), identity_box("c1", "run")


def built(size: int = 1000) -> BuiltFragment:
    pictures = [Sample(n * 3600, 0, size // 50, [bytes(size // 50)], key=n == 0) for n in range(50)]
    return Fragmenter().build(pictures, [], 180_000, NOW_US)


def fragment(size: int = 1000) -> bytes:
    return b"".join(built(size).parts)


def put(recording: Recording, size: int = 1000) -> None:
    """Write one fragment of 2 s."""
    recording.write(built(size), 2_000_000)


def kept(archive: Archive, camera: str = "c1", start_us: int = NOW_US) -> Recording:
    """A recording with one fragment, which the archive keeps: its volume is away."""
    before = archive.kept_bytes
    recording = begin(archive, camera, start_us)
    put(recording)
    wait_for(lambda: archive.kept_bytes > before, 5)
    assert not recording.failed
    assert not recording.landed
    return recording


def begin(archive: Archive, camera: str = "c1", start_us: int = NOW_US) -> Recording:
    folder = f"facility/{camera}"
    return archive.begin(camera, "f1", folder, "run", "h264", INIT, IDENTITY, start_us)


def landed(recording: Recording) -> Recording:
    """Wait until what was written to it is in its file."""
    wait_for(lambda: recording.landed or recording.failed, 5)
    assert not recording.failed
    return recording


def written(archive: Archive, start_us: int = NOW_US) -> Recording:
    """A recording with one fragment that has landed."""
    recording = begin(archive, start_us=start_us)
    put(recording)
    return landed(recording)


def footage(root: Path, index: Index, camera: str, start_us: int, size: int = 1000, folder: str = "") -> Path:
    """A closed segment of a minute."""
    content = camera.encode().ljust(size, b".")
    name = f"{start_us}.mp4"
    path = root / index.camera_folder(camera, "f1", folder or f"f/{camera}") / "day" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    number = index.open_segment(camera, "run", "h264", b"init", start_us, f"day/{name}")
    fragments = pack_fragments([Fragment(size, MINUTE_US, key=True)])
    digest = hashlib.sha256(content).digest()
    index.close_segment(number, Closing(start_us, start_us + MINUTE_US, size, 1500, digest, fragments))
    return path


def ask(root: Path, statement: str) -> list[tuple[object, ...]]:
    """Ask the index of an archive that nobody holds."""
    with contextlib.closing(sqlite3.connect(root / INDEX)) as connection:
        return connection.execute(statement).fetchall()


def ask_open(archive: Archive, statement: str) -> list[tuple[object, ...]]:
    """Ask the index of an archive that runs; nothing if it is away."""
    index = archive.index
    return index.query(statement) if index is not None else []
