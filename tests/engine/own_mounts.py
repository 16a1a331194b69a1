"""What real file systems do to an archive: `python -m tests.engine.own_mounts CASE FOLDER`, in user and mount namespaces
of its own (`unshare -rm`), so without rights. Exit code 3 where nothing can be mounted.
"""

from collections.abc import Callable, Iterator
import contextlib
import os
from pathlib import Path
import shutil
import subprocess
import sys
from typing import cast

from custom_components.facility_cameras.engine.api import VolumeCause, VolumeState
from custom_components.facility_cameras.engine.archive import journal, reserve, under_mount
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.retention import Rules
from tests.engine.archives import (
    DAY_US,
    IDENTITY,
    INIT,
    MINUTE_US,
    NOW_US,
    HandClock,
    archive_in,
    ask,
    begin,
    fragment,
    kept,
    put,
    written,
)
from tests.engine.living import mark, wait_for


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True)


def volume(place: Path, options: str = "size=64m") -> Path:
    """A file system of its own at `place`, with a marker."""
    place.mkdir(exist_ok=True)
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", str(place)], check=False, capture_output=True
    ).returncode:
        sys.exit(3)
    mark(place)
    return place


@contextlib.contextmanager
def running(root: Path) -> Iterator[tuple[Archive, HandClock]]:
    clock = HandClock()
    with archive_in(root, clock, marked=False) as archive:
        wait_for(lambda: archive.volume.writable)
        yield archive, clock


def is_now(archive: Archive, clock: HandClock, state: VolumeState, cause: VolumeCause) -> None:
    clock.now += 6
    found = archive.volume
    wait_for(lambda: (archive.volume.state, archive.volume.cause) == (state, cause), 5, f"{state}, is {found}")


def is_back(archive: Archive, clock: HandClock) -> None:
    clock.now += 6
    wait_for(lambda: archive.volume.writable and not archive.kept_bytes, 5, f"{archive.volume}")
    wait_for(lambda: repaired(archive), 5)


def repaired(archive: Archive) -> bool:
    """Whether nothing is left open but what is being written."""
    index = archive.index
    return index is not None and all(row.id in archive.open_files for row in index.unfinished())


def all_there(root: Path, fragments: int) -> None:
    assert ask(root, "SELECT sum(end_us - start_us), min(state) > 0 FROM segment") == [(fragments * 2_000_000, 1)]


def space(folder: Path) -> None:
    root = volume(folder / "disk")
    with running(root) as (archive, clock):
        recording = written(archive)
        free = os.statvfs(root)
        with (root / "others").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
        put(recording, 50_000)
        wait_for(lambda: archive.kept_bytes, 5)
        is_now(archive, clock, VolumeState.FULL, VolumeCause.NO_SPACE)
        (root / "others").unlink()
        is_back(archive, clock)
        recording.close(NOW_US, NOW_US + 4_000_000)
    all_there(root, 2)


def inodes(folder: Path) -> None:
    root = volume(folder / "disk", "size=64m,nr_inodes=60")
    with running(root) as (archive, clock):
        first = written(archive)
        others: list[Path] = []
        with contextlib.suppress(OSError):
            while True:
                path = root / f"other-{len(others)}"
                path.touch()
                others.append(path)
        second = kept(archive, "c2")
        put(first)
        is_now(archive, clock, VolumeState.FULL, VolumeCause.NO_INODES)
        # Nobody knows for how long: what is there is whole and on the disk (promise I2).
        wait_for(lambda: not archive.open_files, 5)
        for path in others:
            path.unlink()
        is_back(archive, clock)
        first.close(NOW_US, NOW_US + 4_000_000)
        second.close(NOW_US, NOW_US + 2_000_000)
    all_there(root, 3)


def file_table(folder: Path) -> None:
    """Twice as many files are recorded as the table takes, and others take a part of it: it is never full."""
    most, made = 80, 160
    root = volume(folder / "disk", f"size=64m,nr_inodes={most}")
    least, began, others = most, NOW_US - 30 * DAY_US, 0
    with running(root) as (archive, clock):
        archive.cleaner.rules, archive.cleaner.days = {"f1": Rules(60)}, {"c1": 60}
        wait_for(lambda: archive.index is not None and archive.index.surveyed, 5)
        for number in range(made):
            recording = written(archive, began + number * MINUTE_US)
            recording.close(recording.start_us, recording.start_us + 2_000_000)
            if number % 10 == 0:
                (root / f"other-{number}").touch()
                others += 1
            clock.now += 60 / 16
            wait_for(lambda: archive.cleaner.at > clock.now, 5)
            least = min(least, os.statvfs(root).f_favail)
            assert archive.volume.writable, archive.volume
        assert archive.cleaner.report.young_since_us is None
        # It knows how many files are made.
        assert 0.2 < archive.cleaner.places.rate(clock.now) < 0.3
    rows = ask(root, "SELECT start_us FROM segment ORDER BY start_us")
    gone = [entry for entry in journal.read(root) if entry["what"] == "delete"]
    assert {entry["reason"] for entry in gone} == {"space"}
    assert sum(cast("int", entry["files"]) for entry in gone) + len(rows) == made
    # The oldest, and no more than has to be: what is there is about what there is place for.
    assert rows == [(began + number * MINUTE_US,) for number in range(made - len(rows), made)]
    assert least > 0
    assert len(rows) > most - others - 3 * most // 10 - 20


def _filled_meanwhile(folder: Path, fill: Callable[[Path], None]) -> None:
    """While the engine did not run others took all that there was: it makes room, and records."""
    root = volume(folder / "disk", "size=16m,nr_inodes=200")
    began = NOW_US - 30 * DAY_US
    with running(root) as (archive, _):
        for number in range(60):
            recording = begin(archive, start_us=began + number * MINUTE_US)
            put(recording, 100_000)
            recording.close(recording.start_us, recording.start_us + 2_000_000)
    with contextlib.suppress(OSError):
        fill(root)
    clock = HandClock()
    with archive_in(root, clock, marked=False) as archive:
        archive.cleaner.rules, archive.cleaner.days = {"f1": Rules(60)}, {"c1": 60}
        recording = begin(archive)
        put(recording)
        for _ in range(20):
            clock.now += 6
            wait_for(lambda: archive.looked and archive.cleaner.at > clock.now, 5)
        wait_for(lambda: recording.landed, 5, f"{archive.volume}")
        recording.close(NOW_US, NOW_US + 2_000_000)
    rows = ask(root, "SELECT start_us FROM segment ORDER BY start_us")
    gone = [entry for entry in journal.read(root) if entry["what"] == "delete"]
    assert {entry["reason"] for entry in gone} == {"space"}
    assert rows == [(began + number * MINUTE_US,) for number in range(61 - len(rows), 60)] + [(NOW_US,)]
    assert len(rows) > 10


def no_inodes_at_start(folder: Path) -> None:
    def fill(root: Path) -> None:
        for number in range(1000):
            (root / f"other-{number}").touch()

    _filled_meanwhile(folder, fill)


def told_at_start(folder: Path) -> None:
    """Nor was anything set aside: it is told that files lack, and goes on once others make place."""
    root = volume(folder / "disk", "size=64m,nr_inodes=60")
    with running(root):
        pass
    (root / reserve.NAME).unlink()
    with contextlib.suppress(OSError):
        for number in range(60):
            (root / f"other-{number}").touch()
    clock = HandClock()
    with archive_in(root, clock, marked=False) as archive:
        wait_for(lambda: archive.looked, 5)
        is_now(archive, clock, VolumeState.FULL, VolumeCause.NO_INODES)
        assert archive.index is None
        for number in range(20):
            (root / f"other-{number}").unlink()
        is_back(archive, clock)


def no_space_at_start(folder: Path) -> None:
    def fill(root: Path) -> None:
        with (root / "others").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    _filled_meanwhile(folder, fill)


def read_only(folder: Path) -> None:
    # As a kernel does to a disk with errors.
    disk = volume(folder / "disk")
    root = folder / "bound"
    root.mkdir()
    mount("--bind", disk, root)
    with running(root) as (archive, clock):
        recording = written(archive)
        mount("--bind", disk, root)
        mount("-o", "remount,bind,ro", root)
        is_now(archive, clock, VolumeState.READ_ONLY, VolumeCause.READ_ONLY)
        put(recording)
        wait_for(lambda: archive.kept_bytes, 5)
        subprocess.run(["umount", "-l", str(root)], check=True)
        is_back(archive, clock)
        recording.close(NOW_US, NOW_US + 4_000_000)
    all_there(root, 2)


def unmounted(folder: Path) -> None:
    """The volume goes in the middle of a segment, and comes back: its mount point is never written into."""
    disk = volume(folder / "disk")
    root = folder / "bound"
    root.mkdir()
    mount("--bind", disk, root)
    with running(root) as (archive, clock):
        recording = written(archive)
        subprocess.run(["umount", "-l", str(root)], check=True)
        other = kept(archive, "c2")
        is_now(archive, clock, VolumeState.MISSING, VolumeCause.MARKER_GONE)
        put(recording)
        assert list(root.iterdir()) == []
        mount("--bind", disk, root)
        is_back(archive, clock)
        recording.close(NOW_US, NOW_US + 4_000_000)
        other.close(NOW_US, NOW_US + 2_000_000)
    all_there(root, 3)


def replaced(folder: Path) -> None:
    """Another disk takes the place, in the middle of a segment and between two looks: a copy, with marker and index."""
    root = volume(folder / "disk")
    with running(root) as (archive, clock):
        shutil.copytree(root, folder / "copied")
        recording = written(archive)
        subprocess.run(["umount", "-l", str(root)], check=True)
        volume(root)
        shutil.copytree(folder / "copied", root, dirs_exist_ok=True)
        other = begin(archive, "c2")
        put(other)
        put(recording)
        wait_for(lambda: recording.duration_us == 4_000_000 and other.landed, 5)
        recording.close(NOW_US, NOW_US + 4_000_000)
        other.close(NOW_US, NOW_US + 2_000_000)
        is_back(archive, clock)
    # What was written before lies on the disk that went.
    all_there(root, 2)


def under_the_mount(folder: Path) -> None:
    """Footage of an older set-up lies in the mount point; somebody's own film does too, and a link."""
    root = folder / "disk"
    day = root / "f" / "c1" / "2026-11-01"
    day.mkdir(parents=True)
    (day / "10-00-00.000Z.mp4").write_bytes(INIT + IDENTITY + fragment(3 << 20))
    (day / "11-00-00.000Z.mp4").write_bytes(INIT + IDENTITY + fragment())
    (root / "film.mp4").write_bytes(b"somebody's")
    (folder / "elsewhere.mp4").write_bytes(INIT + IDENTITY + fragment())
    (root / "link.mp4").symlink_to(folder / "elsewhere.mp4")
    before = {path.name: path.read_bytes() for path in day.iterdir()}
    volume(root)
    taken = root / "f" / "c1" / "2026-11-01" / "11-00-00.000Z.mp4"
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"another's")
    with running(root) as (archive, clock):
        wait_for(lambda: archive.hidden[0] == 2, 5)
        assert archive.hidden[1] == sum(map(len, before.values()))
        recording = written(archive)
        archive.bring_back()
        wait_for(lambda: archive.hidden == (0, 0), 5)
        put(recording)
        is_back(archive, clock)
        wait_for(lambda: recording.duration_us == 4_000_000, 5)
        recording.close(NOW_US, NOW_US + 4_000_000)
    here = {path.name: path.read_bytes() for path in taken.parent.iterdir()}
    assert here.pop("11-00-00.000Z.mp4") == b"another's"
    here["11-00-00.000Z.mp4"] = here.pop("11-00-00.000Z-1.mp4")
    assert here == before
    subprocess.run(["umount", "-l", str(root)], check=True)
    assert sorted(path.name for path in root.rglob("*.mp4")) == ["film.mp4", "link.mp4"]


def over_itself(folder: Path) -> None:
    """A folder that is mounted over itself hides nothing, and nothing of it is moved."""
    root = folder / "disk"
    day = root / "f" / "c1" / "2026-11-01"
    day.mkdir(parents=True)
    (day / "10-00-00.000Z.mp4").write_bytes(INIT + IDENTITY + fragment())
    mark(root)
    mount("--bind", root, root)
    assert under_mount.hidden(root) == (0, 0)
    assert under_mount.bring_back(root, lambda _size: None) == 0
    assert [path.name for path in day.iterdir()] == ["10-00-00.000Z.mp4"]


CASES = {case.__name__: case for case in (
    space, inodes, file_table, no_inodes_at_start, told_at_start, no_space_at_start, read_only, unmounted, replaced, under_the_mount, over_itself,
)}  # fmt: skip

if __name__ == "__main__":
    CASES[sys.argv[1]](Path(sys.argv[2]))
