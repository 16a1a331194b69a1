"""The second copy of protected footage: whole, verified, and told where it is not, whatever happens to its folder."""

from collections.abc import Iterator
import contextlib
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys

import pytest

from custom_components.facility_cameras.engine.api_footage import COPY_MARKER, CopyCause, CopyState
from custom_components.facility_cameras.engine.archive import copier as copier_module, holds, second_copy
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.copier import Copier
from custom_components.facility_cameras.engine.archive.holds import Hold
from custom_components.facility_cameras.engine.archive.index import Index
from custom_components.facility_cameras.engine.archive.opening import INDEX
from tests.engine.archives import DAY_US, MINUTE_US, NOW_US, HandClock, archive_in, footage
from tests.engine.living import ROOT, wait_for

OLD_US = NOW_US - DAY_US


@dataclass
class Place:
    """An archive with ten minutes of footage of two cameras, and a second folder beside it."""

    root: Path
    second: Path
    clock: HandClock
    archive: Archive
    told: list[list[Hold]] = field(default_factory=list)
    running: Copier | None = None

    def hold(self, first: int, last: int, cameras: tuple[str, ...] = ("c",), end_us: int = 0) -> list[Hold]:
        """Protect these minutes."""
        span = OLD_US + first * MINUTE_US, end_us or OLD_US + last * MINUTE_US
        found = holds.make("f1", cameras, *span, "Mất trộm", "Lan", NOW_US)
        self.archive.ask(lambda index: holds.protect(index, self.root, found)).result(10)
        return found

    def later(self, seconds: float) -> None:
        """Time goes by, once the copier is at rest."""
        wait_for(lambda: self.running is None or self.running._alive is None, 60)
        go_on(self.archive, self.clock, seconds)

    @contextlib.contextmanager
    def copier(self, rate: int = 1 << 40) -> Iterator[Copier]:
        copier = Copier(self.archive, "f1", self.second, "S1", self.told.append, rate)
        copier.start()
        self.running = copier
        try:
            yield copier
        finally:
            self.running = None
            copier.close()

    def copies(self) -> list[str]:
        return sorted(str(path.relative_to(self.second)) for path in self.second.rglob("*.mp4"))

    def verified(self) -> int:
        """How many files `sha256sum` finds whole, over all holds, with nothing but what lies in the folder."""
        sums = sorted((self.second / "holds").rglob("SHA256SUMS"))
        for one in sums:
            subprocess.run(["sha256sum", "--check", "--strict", "--quiet", one.name], cwd=one.parent, check=True)
        return sum(len(one.read_text().splitlines()) for one in sums)


def go_on(archive: Archive, clock: HandClock, seconds: float) -> None:
    """Time goes by; the archive's thread lives on, and the copier is over its waiting for it."""
    for step in (seconds, 4, 4):
        clock.now += step
        wait_for(lambda: archive._alive == clock.now, 60)


def marked(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / COPY_MARKER).write_text(json.dumps({"id": "S1"}))
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    root, clock = tmp_path / "archive", HandClock()
    root.mkdir()
    index = Index(root / INDEX)
    for number in range(10):
        for camera in ("c", "d"):
            footage(root, index, camera, OLD_US + number * MINUTE_US, size=400_000)
    index.close()
    with archive_in(root, clock) as archive:
        wait_for(lambda: archive.index)
        yield Place(root, marked(tmp_path / "second"), clock, archive)


def done(copier: Copier, found: list[Hold]) -> bool:
    return all(copier.state(hold)[0] is CopyState.COPIED for hold in found)


def test_held_footage_is_copied_and_can_be_checked_without_us(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    # In pages.
    monkeypatch.setattr(copier_module, "_PAGE", 2)
    found = place.hold(2, 5, ("c", "d"))
    with place.copier() as copier:
        wait_for(lambda: place.told, 60)
        assert copier.state(found[0]) == (CopyState.COPIED, None, 3, 3)
    # Both cameras are one incident, told once, with the last.
    ((first, second),) = place.told
    assert {first.camera, second.camera} == {"c", "d"}
    names = [f"f/{camera}/day/{OLD_US + number * MINUTE_US}.mp4" for camera in "cd" for number in (2, 3, 4)]
    assert place.copies() == names
    assert all((place.second / name).read_bytes() == (place.root / name).read_bytes() for name in names)
    assert place.verified() == 6
    about = [json.loads(path.read_text()) for path in (place.second / "holds").rglob("hold.json")]
    assert {(one["camera"], one["who"], one["reason"], one["complete"]) for one in about} == {
        ("c", "Lan", "Mất trộm", True),
        ("d", "Lan", "Mất trộm", True),
    }
    assert about[0]["from"] == "2026-11-24T00:02:00.000+00:00"
    # Another copier, as after a restart, finds it done and tells nothing again.
    with place.copier() as copier:
        wait_for(lambda: copier.state(found[0])[2] == 3, 60)
        assert done(copier, found)
    assert len(place.told) == 1


def test_hold_that_goes_on_is_followed(place: Place) -> None:
    end_us = NOW_US + 10 * MINUTE_US
    (hold,) = place.hold(8, 0, end_us=end_us)
    with place.copier() as copier:
        wait_for(lambda: len(place.copies()) == 2, 60)
        assert copier.state(hold) == (CopyState.WAITING, None, 2, 2)
        assert place.archive.index is not None
        footage(place.root, place.archive.index, "c", NOW_US + MINUTE_US)
        place.later(11)
        wait_for(lambda: len(place.copies()) == 3, 60)
        # A segment is still written when the end comes: it belongs to it.
        number = place.archive.index.open_segment("c", "run", "h264", b"init", end_us - MINUTE_US // 2, "day/last.mp4")
        place.later(700)
        wait_for(lambda: copier.state(hold)[2] == 4, 60)
        assert not done(copier, [hold])
        place.archive.index.forget_empty(number)
        place.later(11)
        wait_for(lambda: done(copier, [hold]), 60)
    assert place.verified() == 3


def test_folder_that_disappears_and_comes_back(place: Place) -> None:
    away = place.second.rename(place.second.with_name("unplugged"))
    # The mount point of a lost disk.
    place.second.mkdir()
    found = place.hold(0, 3)
    with place.copier() as copier:
        wait_for(lambda: copier._failing, 60)
        # Some minutes later it is told.
        assert copier.failing() == []
        place.later(200)
        assert copier.problem is CopyCause.MISSING
        assert copier.failing() == [(found[0], CopyCause.MISSING)]
        assert list(place.second.iterdir()) == []
        place.second.rmdir()
        away.rename(place.second)
        place.later(301)
        wait_for(lambda: done(copier, found), 60)
        wait_for(lambda: copier.problem is None, 60)
        # What somebody takes away is copied again.
        shutil.rmtree(place.second / "f")
        place.later(3601)
        wait_for(lambda: len(place.copies()) == 3, 60)
        assert place.verified() == 3
        # It is missed before there is anything to copy.
        wait_for(lambda: copier._alive is None, 60)
        place.second.rename(away)
        place.later(11)
        wait_for(lambda: copier._failing, 60)
    assert len(place.told) == 1


def test_bytes_that_come_back_otherwise_are_no_copy(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    spoiled: list[Path] = []
    advise = os.posix_fadvise

    def spoil(fd: int, offset: int, length: int, advice: int) -> None:
        # Between writing and reading back: the disk keeps something else, twice.
        path = Path(f"/proc/self/fd/{fd}").readlink()
        if path.suffix == ".part" and path not in spoiled and len(spoiled) < 2:
            spoiled.append(path)
            with path.open("r+b") as file:
                file.write(b"#")
        advise(fd, offset, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", spoil)
    found = place.hold(0, 4)
    with place.copier() as copier:
        wait_for(lambda: len(place.copies()) == 2, 60)
        # Two files are spoiled, the others copied all the same; nothing is called a copy that is none.
        assert not done(copier, found)
        assert not list(place.second.rglob("*.mp4.part"))
        place.later(20)
        wait_for(lambda: done(copier, found), 60)
    assert place.verified() == 4


def test_footage_that_is_not_what_was_recorded_is_told(place: Place) -> None:
    found = place.hold(0, 4)
    path = place.root / f"f/c/day/{OLD_US + MINUTE_US}.mp4"
    content = path.read_bytes()
    path.write_bytes(b"#" + content[1:])
    (place.root / f"f/c/day/{OLD_US}.mp4").rename(place.root / "moved")
    with place.copier() as copier:
        for _ in range(3):
            wait_for(lambda: copier.state(found[0])[3] == 2, 60)
            place.later(61)
        wait_for(lambda: copier.failing() == [(found[0], CopyCause.SOURCE)], 60)
        assert copier.state(found[0]) == (CopyState.FAILED, CopyCause.SOURCE, 4, 2)
        assert copier.problem is None
        assert len(place.copies()) == 2
        # What is there is described.
        assert place.verified() == 2
        path.write_bytes(content)
        (place.root / "moved").rename(place.root / f"f/c/day/{OLD_US}.mp4")
        place.later(301)
        wait_for(lambda: done(copier, found), 60)


def test_folder_that_does_not_answer_holds_up_nobody(place: Place) -> None:
    marker = place.second / COPY_MARKER
    content = marker.read_text()
    marker.unlink()
    # Whoever opens it waits until somebody writes.
    os.mkfifo(marker)
    found = place.hold(0, 2)
    with place.copier() as copier:
        wait_for(lambda: copier._alive is not None, 60)
        go_on(place.archive, place.clock, 200)
        assert copier.problem is CopyCause.HUNG
        copier.expect(place.hold(4, 6))
        assert [cause for _, cause in copier.failing()] == [CopyCause.HUNG] * len(copier.failing())
        assert copier.failing()
        assert copier.state(found[0])[0] is not CopyState.COPIED
        # The archive's own thread goes on.
        assert place.archive.ask(lambda index: len(holds.active(index, "f1"))).result(5) == 2
        with marker.open("w") as pipe:
            pipe.write(content)
        marker.unlink()
        marker.write_text(content)
        place.later(301)
        wait_for(lambda: len(place.told) == 2, 60)
        assert copier.problem is None


def test_newest_comes_first_and_closing_does_not_wait(place: Place) -> None:
    old = place.hold(0, 10)
    with place.copier(rate=400_000) as copier:
        wait_for(lambda: list(place.second.rglob("*.part")), 60)
    # The rate holds, and does not hold up the end.
    wait_for(lambda: not copier._thread.is_alive(), 60)
    assert len(place.copies()) < 3
    assert not list(place.second.rglob("*.part"))
    new = holds.make("f1", ["d"], OLD_US, OLD_US + MINUTE_US, "", "Lan", NOW_US + 1)
    with place.copier(rate=4_000_000) as copier:
        wait_for(lambda: copier.state(old[0])[2], 60)
        place.archive.ask(lambda index: holds.protect(index, place.root, new)).result(10)
        copier.expect(new)
        wait_for(lambda: len(place.told) == 2, 60)
    assert [incident[0].camera for incident in place.told] == ["d", "c"]


def test_long_hold_leaves_the_others_their_turn(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copier_module, "TURN_S", 0.1)
    place.hold(0, 10, ("d",))
    place.hold(0, 10)
    with place.copier(rate=2_000_000):

        def begun() -> list[str]:
            found = [path.split("/")[1] for path in place.copies()]
            return found if len(set(found)) == 2 else []

        # The one that was begun with is not finished when the other has its turn.
        found = wait_for(begun, 60)
        assert max(found.count(camera) for camera in "cd") < 10
        wait_for(lambda: len(place.copies()) == 20, 60)


def test_mount_lost_between_two_files(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def lost(root: Path, path: str, size: int) -> bool:
        asked.append(path)
        if len(asked) == 3:
            root.rename(root.with_name("unplugged"))
            root.mkdir()
        return second_copy.has(root, path, size)

    monkeypatch.setattr(copier_module, "has", lost)
    place.hold(0, 5)
    with place.copier() as copier:
        wait_for(lambda: copier._failing, 60)
    assert list(place.second.iterdir()) == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_name_is_given_only_after_everything_is_on_the_disk(tmp_path: Path) -> None:
    """As the kernel sees it: the journal before the index; the copy, read back, its name, its folder."""
    script = (
        "import pathlib, sys\n"
        "from tests.engine.archives import NOW_US, footage\n"
        "from tests.engine.test_second_copy import INDEX, Index, holds\n"
        "from custom_components.facility_cameras.engine.archive import second_copy\n"
        "root, second = map(pathlib.Path, sys.argv[1:])\n"
        "index = Index(root / INDEX)\n"
        "index.camera_folder('c', 'f1', 'f/c')\n"
        "holds.protect(index, root, holds.make('f1', ['c'], 1, 2, '', '', NOW_US))\n"
        "path = footage(root, index, 'c', NOW_US)\n"
        "digest = second_copy.hashlib.sha256(path.read_bytes()).digest()\n"
        "second_copy.copy(path, second, 'f/copied.mp4', digest, lambda moved: None)\n"
    )
    root, second, trace = tmp_path / "archive", tmp_path / "second", tmp_path / "trace"
    root.mkdir()
    second.mkdir()
    calls = "trace=fsync,fdatasync,write,pwrite64,openat,rename,renameat,renameat2"
    run = subprocess.run(
        ["strace", "-f", "-y", "-o", str(trace), "-e", calls, sys.executable, "-c", script, str(root), str(second)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode and "ptrace" in run.stderr.lower():
        pytest.skip("strace may not trace here")
    assert run.returncode == 0, run.stderr
    lines = [line for line in trace.read_text().splitlines() if str(tmp_path) in line]

    def at(*parts: str, after: int = 0) -> int:
        return next(n for n, line in enumerate(lines) if n > after and all(part in line for part in parts))

    listed = at("openat(", "2026-11.jsonl", "O_CREAT")
    journal = at("fsync(", "2026-11.jsonl>", after=listed)
    told = at("pwrite64(", "index.sqlite3-wal", after=listed)
    assert journal < told
    wrote = at("write(", "copied.mp4.part>", after=told)
    synced = at("fsync(", "copied.mp4.part>", after=wrote)
    read = at("openat(", "copied.mp4.part", "O_RDONLY", after=wrote)
    named = at("rename", "copied.mp4.part", after=wrote)
    assert wrote < synced < read < named < at("fsync(", f"{second}/f>", after=named)


def test_released_holds_are_copied_no_longer(place: Place) -> None:
    (hold,) = place.hold(0, 10)
    with place.copier(rate=4_000_000) as copier:
        wait_for(place.copies, 60)
        place.archive.ask(lambda index: holds.release(index, place.root, "f1", [hold.uid], "An", NOW_US)).result(10)
        copier.forget([hold.uid])
        wait_for(lambda: copier._alive is None, 60)
        some = len(place.copies())
    with place.copier() as copier:
        copier.expect(place.hold(0, 1, ("d",)))
        wait_for(lambda: place.told, 60)
    # Nothing is deleted there either.
    assert len(place.copies()) == some + 1 < 11


_KILLED = """
import sys
from pathlib import Path
from custom_components.facility_cameras.engine.archive.copier import Copier
from tests.engine.archives import archive_in
from tests.engine.living import wait_for
root, second = map(Path, sys.argv[1:])
with archive_in(root) as archive:
    wait_for(lambda: archive.index)
    Copier(archive, "f1", second, "S1", print, 1_000_000).start()
    sys.stdin.read()
"""


def test_killed_in_the_middle_of_a_file(place: Place) -> None:
    found = place.hold(0, 10)
    place.archive.close()
    command = [sys.executable, "-c", _KILLED, str(place.root), str(place.second)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)
    try:
        wait_for(lambda: place.copies() and any(place.second.rglob("*.part")), 60)
    finally:
        process.kill()
        process.communicate()
    before = {name: (place.second / name).stat().st_ino for name in place.copies()}
    assert list(place.second.rglob("*.part"))
    with archive_in(place.root, place.clock) as archive:
        wait_for(lambda: archive.index)
        place.archive = archive
        with place.copier() as copier:
            wait_for(lambda: done(copier, found), 60)
        assert place.verified() == 10
    # What was whole is not copied again.
    assert {name: (place.second / name).stat().st_ino for name in before} == before
    assert not list(place.second.rglob("*.part"))


_FULL = """
import subprocess, sys
from pathlib import Path
from custom_components.facility_cameras.engine.api_footage import CopyCause, CopyState
from custom_components.facility_cameras.engine.archive import holds
from custom_components.facility_cameras.engine.archive.copier import Copier
from tests.engine.archives import HandClock, archive_in
from tests.engine.living import wait_for
from tests.engine.test_second_copy import go_on, marked
root, second = map(Path, sys.argv[1:])
def mount(options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(second)], check=True)
mount("size=1900k")
marked(second)
clock = HandClock()
with archive_in(root, clock) as archive:
    wait_for(lambda: archive.index)
    (hold,) = holds.active(archive.index, "f1")
    copier = Copier(archive, "f1", second, "S1", lambda holds: None, 1 << 40)
    copier.start()
    for options, cause in (("", "full"), ("remount,size=8m,ro", "read_only")):
        if options:
            mount(options)
        go_on(archive, clock, 301)
        wait_for(lambda: copier._failing and copier._failing[1] == cause, 60)
        go_on(archive, clock, 200)
        wait_for(lambda: copier.state(hold)[:2] == (CopyState.FAILED, CopyCause(cause)), 60)
    assert len(list(second.rglob("*.mp4"))) == 4
    assert not list(second.rglob("*.part"))
    mount("remount,size=8m,rw")
    go_on(archive, clock, 301)
    wait_for(lambda: copier.state(hold)[0] is CopyState.COPIED, 60)
    assert copier.problem is None
    for sums in (second / "holds").rglob("SHA256SUMS"):
        subprocess.run(["sha256sum", "-c", "--quiet", sums.name], cwd=sums.parent, check=True)
    assert len(list(second.rglob("*.mp4"))) == 10
    copier.close()
"""


def test_folder_that_is_full_then_read_only(place: Place) -> None:
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("name spaces are not permitted here")
    place.hold(0, 10)
    place.archive.close()
    command = ["unshare", "-rm", sys.executable, "-c", _FULL, str(place.root), str(place.second)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
