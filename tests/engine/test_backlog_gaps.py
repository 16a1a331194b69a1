"""What neither the disk nor memory took is one gap with its reason and exact bounds, after a restart too."""

import asyncio
from collections.abc import Callable, Iterator
import itertools
from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.api import Status
from custom_components.facility_cameras.engine.archive import backlog
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.backlog import Memory
from custom_components.facility_cameras.engine.archive.volume import MARKER
from custom_components.facility_cameras.engine.camera import Camera
from custom_components.facility_cameras.engine.gaps import gaps
from custom_components.facility_cameras.engine.gate import BeforeMemory
from custom_components.facility_cameras.engine.logins import Logins
from custom_components.facility_cameras.engine.picture.last_picture import LastPictures
from custom_components.facility_cameras.engine.recorder import Recorder
from custom_components.facility_cameras.engine.ticker import Ticker
from custom_components.facility_cameras.engine.watch import NO_PROBLEM
from tests.engine.archives import HandClock
from tests.engine.clip_samples import Clip, make_clip
from tests.engine.duties import hand_run, settle
from tests.engine.living import mark
from tests.engine.receiving import config, spec
from tests.engine.test_gate import Stage
from tests.engine.test_recorder import judged

#: Some seconds of footage.
LITTLE = 20_000


class Watched(Stage):
    """A camera of the engine's that sends; each second it tells what its recording is about."""

    def __init__(self, archive: Archive, clock: HandClock, clip: Clip) -> None:
        super().__init__(archive, clock)
        recorder = Recorder("c1", "f1", "facility/c1", archive, clock)
        self.camera = Camera(
            config(spec("c1"), "rtsp://127.0.0.1/main"), "f1", recorder, archive,
            memory=BeforeMemory(), clock=clock, ticker=Ticker(), logins=Logins({}, lambda: None),
            dialogues=asyncio.Semaphore(), maintenance=lambda _: None, changed=lambda _: None,
            last_picture=LastPictures(archive.root / "last_pictures", clock).of("c1"),
        )  # fmt: skip
        self.camera.config["id"] = "c1"
        self.camera.watch.connect(Status.ONLINE, NO_PROBLEM)
        self.feed, self.gate = self.camera.feed, self.camera.gate
        self.begin(clip)

    def live(self, seconds: int, *, disk: bool = True) -> None:
        """So much comes; without `disk` nothing of it is written meanwhile."""
        for _ in range(seconds):
            self.play(1)
            self.camera.check()
            if disk:
                settle(self.archive)


@pytest.fixture(scope="module")
def clip() -> Clip:
    return make_clip(frames=40, fps=10, gop=20, size=(160, 128))


def told(archive: Archive) -> list[tuple[int, int, str, str]]:
    found = gaps(archive, "c1", 0, 1 << 62)["gaps"]
    return [(gap["start"], gap["end"], gap["reason"], gap["cause"]) for gap in found]


def holes(root: Path) -> list[tuple[int, int]]:
    return [(end, start) for (_, end, *_), (start, *_) in itertools.pairwise(judged(root)) if end != start]


def away(root: Path) -> None:
    (root / MARKER).unlink()


def test_a_volume_that_is_away_for_longer_than_memory_holds(tmp_path: Path, clip: Clip) -> None:
    root, clock = tmp_path / "archive", HandClock()
    with hand_run(root, clock, memory=Memory(LITTLE)) as archive:
        stage = Watched(archive, clock, clip)
        stage.live(90)
        away(root)
        gone_us = round(clock.utc() * 1e6)
        stage.live(300)
        assert archive.dropped
        mark(root)
        stage.live(90)
        stage.feed.end()
        settle(archive)
        found = told(archive)
    ((start, end),) = holes(root)
    # What came first was kept and written.
    assert start > gone_us
    assert found == [(start, end, "volume", "missing")]


def end_well(archive: Archive) -> None:
    archive.duties.close()


def killed(_archive: Archive) -> None:
    """It ends as it is."""


@pytest.mark.parametrize("over", [end_well, killed])
def test_and_the_engine_ends_meanwhile(tmp_path: Path, clip: Clip, over: Callable[[Archive], None]) -> None:
    root, state, clock = tmp_path / "archive", tmp_path / "state", HandClock()
    state.mkdir()
    with hand_run(root, clock, state, Memory(LITTLE)) as archive:
        stage = Watched(archive, clock, clip)
        stage.live(90)
        away(root)
        stage.live(300)
        over(archive)
    ended_us = round(clock.utc() * 1e6)
    clock.now += 20
    began_us = round(clock.utc() * 1e6)
    with hand_run(root, clock, state, Memory(0)) as archive:
        stage = Watched(archive, clock, clip)
        stage.live(100)
        mark(root)
        stage.live(90)
        stage.feed.end()
        settle(archive)
        found = told(archive)
    # What was in memory is gone with the engine; all of it is told, without a break.
    assert [(start, end) for start, end in holes(root)] == [(found[0][0], found[-1][1])]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(found))
    assert [one[2:] for one in found] == [("volume", "missing"), ("down", ""), ("volume", "missing")]
    # How long an engine lasted that was killed is known to a minute.
    assert 0 <= ended_us - found[1][0] <= (61e6 if over is killed else 1e6)
    assert abs(found[1][1] - began_us) <= 1e6


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], None]]:
    with monkeypatch.context() as patched:

        def turn(on: bool) -> None:
            if on:
                # Nothing is done for the disk's part, but it is there.
                patched.setattr("tests.engine.test_gate.run", lambda _: None)
                patched.setattr(backlog, "QUEUE_BYTES", LITTLE)
            else:
                patched.undo()

        yield turn


def test_a_disk_that_is_too_slow_for_minutes(tmp_path: Path, clip: Clip, slow: Callable[[bool], None]) -> None:
    root, clock = tmp_path / "archive", HandClock()
    with hand_run(root, clock, memory=Memory(LITTLE)) as archive:
        stage = Watched(archive, clock, clip)
        stage.live(90)
        slow(True)
        for _ in range(30):
            # It does not hang: it comes to an end with something now and then.
            archive._alive = clock.now
            stage.live(10, disk=False)
        slow(False)
        stage.live(90)
        stage.feed.end()
        settle(archive)
        found = told(archive)
    ((start, end),) = holes(root)
    assert found == [(start, end, "overload", "")]
