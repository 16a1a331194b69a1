"""The engine is killed, or the power goes, at each call that the archive makes on files, and at each transaction of its
index; another opens what is left. Promise I2: after a kill all that was written is there, after a power cut all that is
older than 10 s; and what is there is sound (I1, I3, I6).
"""

from collections.abc import Callable, Iterator
from pathlib import Path
import shutil
import tempfile
from typing import Any

import pytest

from custom_components.facility_cameras.engine.archive.files import FILES, Files
from tests.engine.archives import HandClock
from tests.engine.durable import HALF, NOTHING, ZEROS, DurableFiles
from tests.engine.faulty import FAST, FRAGMENT_US, FaultyFiles, Life, alone, copied, deleting_at_once, half, judge

#: Footage that a power cut may take, seconds (promise I2).
POWER_S = 10.0

type Put = dict[str, list[tuple[int, bytes, float]]]


@pytest.fixture
def template() -> Iterator[Life]:
    folder = Path(tempfile.mkdtemp(dir=FAST))
    life = Life(folder / "template", FILES)
    life.prepare()
    yield life
    shutil.rmtree(folder)


def landed(life: Life) -> Put:
    """What is in the files by now. What was there before the life began was."""
    found: Put = {camera: list(pieces) for camera, pieces in life.put.items() if camera == "c0"}
    for recording in life.recordings:
        until_us = recording.start_us + recording.duration_us
        for one in life.put.get(recording.camera, []):
            if recording.start_us <= one[0] < until_us:
                found.setdefault(recording.camera, []).append(one)
    return found


def opened_again(folder: Path, before: Life, put: Put, clock: HandClock) -> Put:
    """Another engine opens what is left, some time later, and is sound; returns what it lost of `put`."""
    life = Life(folder, FILES, HandClock(), put=put, past=before.past)
    life.clock.now, life.clock.offset = clock.now + 5, clock.offset
    with deleting_at_once():
        archive = life.open()
        life.settle(archive)
        life.get_over(archive)
    return judge(life)


def test_kill_at_every_call_loses_nothing_that_was_written(template: Life) -> None:
    folder = template.folder.parent
    kills: list[tuple[str, Path, Put, Put, HandClock]] = []
    life: Life

    def shot(name: str) -> None:
        image = folder / f"kill-{len(kills)}"
        shutil.copytree(life.folder, image)
        clock = HandClock()
        clock.now = life.clock.now
        everything = {camera: list(pieces) for camera, pieces in life.put.items()}
        kills.append((name, image, landed(life), everything, clock))

    def plan(_number: int, name: str) -> Callable[..., Any] | None:
        shot(name)
        if name not in ("write", "writev"):
            return None

        def write(real: Callable[..., Any], fd: int, content: Any) -> int:
            # In the middle of it too.
            written = half(real, fd, content)
            shot(f"half of {name}")
            Files().truncate(fd, Files().size(fd) - written)
            return int(real(fd, content))

        return write

    files = FaultyFiles(plan)
    life = copied(template, folder / "life", files)
    with alone(files):
        archive = life.play()
        shot("the end")
        archive.end()
        archive.work()
        shot("closed")
    assert len(kills) > 100
    for name, image, written, everything, clock in kills:
        lost = opened_again(image, template, everything, clock)
        missed = [one for camera, pieces in written.items() for one in pieces if one in lost.get(camera, [])]
        assert not missed, f"killed at {name} ({image.name})"


@pytest.mark.parametrize("rest", [NOTHING, ZEROS, HALF])
def test_power_cut_at_every_call_takes_ten_seconds_at_most(template: Life, rest: str) -> None:
    folder = template.folder.parent
    cuts: list[tuple[str, Path, Put, Put, HandClock]] = []
    life = copied(template, folder / "life", FILES)
    durable = DurableFiles(life.folder)
    # As where the engine was killed before it had synced anything.
    durable.leave_unsynced(life.folder / life.left_open)

    def shot(name: str) -> None:
        image = folder / f"cut-{len(cuts)}"
        durable.cut(image, rest)
        clock = HandClock()
        clock.now = life.clock.now
        everything = {camera: list(pieces) for camera, pieces in life.put.items()}
        old = {
            # What it shows began so long before it was put.
            camera: [one for one in pieces if one[2] - FRAGMENT_US / 1e6 + POWER_S < clock.now]
            for camera, pieces in landed(life).items()
            if camera != "c0"
        }
        cuts.append((name, image, old, everything, clock))

    files = FaultyFiles()

    def plan(_number: int, name: str) -> Callable[..., Any] | None:
        shot(name)
        if name == "transaction":
            return None
        # What is done is done by the layer that knows what is on the disk.
        call = getattr(durable, name)
        return lambda _real, *args: call(*args)

    files.plan = plan
    life.files = files
    with alone(files):
        archive = life.play()
        shot("the end")
        archive.end()
        archive.work()
        shot("closed")
    assert len(cuts) > 100
    # What the repair closed is on the disk (promise I1).
    assert (cuts[-1][1] / life.left_open).read_bytes() == (life.folder / life.left_open).read_bytes()
    for name, image, old, everything, clock in cuts:
        lost = opened_again(image, template, everything, clock)
        missed = [one for camera, pieces in old.items() for one in pieces if one in lost.get(camera, [])]
        assert not missed, f"cut at {name} ({image.name})"
