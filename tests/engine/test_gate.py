"""What is recorded by an entity: from the key picture before, to the end of the group after; what is off is kept nowhere."""

from collections.abc import Iterator
from pathlib import Path
import time

import pytest

from custom_components.facility_cameras.engine import gate as gate_module
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.feed import Feed
from custom_components.facility_cameras.engine.gate import BeforeMemory, Gate
from custom_components.facility_cameras.engine.media import Sample, StreamFormat
from custom_components.facility_cameras.engine.recorder import Recorder
from custom_components.facility_cameras.engine.timeline import Timeline
from simulator import barcode
from tests.engine.archives import HandClock
from tests.engine.clip_samples import Clip, make_clip
from tests.engine.duties import hand_run, run
from tests.engine.receiving import VIDEO, Rig, spec
from tests.engine.test_recorder import judged

FPS, GOP = 10, 20


class Stage:
    """A camera whose time is played: ten pictures a second, a key picture every two seconds."""

    def __init__(
        self, archive: Archive, clock: HandClock, memory: BeforeMemory | None = None, camera: str = "c1"
    ) -> None:
        self.archive, self.clock = archive, clock
        self.feed = Feed()
        recorder = Recorder(camera, "f1", f"facility/{camera}", archive, clock)
        self.gate = Gate(camera, self.feed, recorder, clock, memory or BeforeMemory())
        #: When key pictures came, in seconds since the clock's beginning.
        self.keys: list[float] = []
        self.zero = clock.now

    def want(self, *, wanted: bool, record: bool = True, before_s: float = 10.0, after_s: float = 5.0) -> None:
        self.gate.set(record=record, wanted=wanted, before_s=before_s, after_s=after_s)

    def begin(self, clip: Clip) -> None:
        """A session begins."""
        self.clip, self.played, self._began = clip, 0, self.clock.now
        self._timeline = Timeline(self.clock.offset)
        self.gate.begin_run(self._timeline)
        self.feed.begin(clip.stream)

    def play(self, seconds: float) -> None:
        """So much comes, as fast as it goes."""
        ticks = len(self.clip.video) * 90_000 // FPS
        for _ in range(round(seconds * FPS)):
            turn, place = divmod(self.played, len(self.clip.video))
            sample = self.clip.video[place]
            self.played += 1
            received = self._began + self.played / FPS
            self.clock.now = max(self.clock.now, received)
            if sample.key:
                self.keys.append(received - self.zero)
            at = self._timeline.place(sample.time + turn * ticks, received)
            self.feed.push(Sample(at, received, sample.size, sample.parts, sample.key))
            if self.played % FPS == 0:
                self.gate.check()
                run(self.archive)

    def footage(self) -> list[tuple[float, float]]:
        """Start and end of what was recorded, seconds since the clock's beginning; runs of segments joined."""
        found: list[tuple[float, float]] = []
        for start_us, end_us, *_ in judged(self.archive.root):
            start, end = (each / 1e6 - self.clock.offset - self.zero for each in (start_us, end_us))
            if found and abs(start - found[-1][1]) < 1e-3:
                found[-1] = found[-1][0], end
            else:
                found.append((start, end))
        return found


@pytest.fixture(scope="module")
def clip() -> Clip:
    return make_clip(frames=40, fps=FPS, gop=GOP, size=(160, 128))


@pytest.fixture(scope="module")
def other() -> Clip:
    return make_clip(frames=40, fps=FPS, gop=GOP, size=(128, 96))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    clock = HandClock()
    with hand_run(tmp_path / "archive", clock) as archive:
        stage = Stage(archive, clock)
        yield stage
        stage.gate.end()


def end(stage: Stage) -> list[tuple[float, float]]:
    """The camera goes; what was recorded."""
    stage.feed.end()
    run(stage.archive)
    stage.archive._holding.close()
    return stage.footage()


@pytest.mark.parametrize("silent_s", [1.0, 7.3, 33.1])
def test_footage_begins_with_the_key_picture_before(stage: Stage, clip: Clip, silent_s: float) -> None:
    stage.want(wanted=False)
    stage.begin(clip)
    stage.play(silent_s)
    trigger = stage.clock.now - stage.zero
    stage.want(wanted=True)
    stage.play(20)
    stage.want(wanted=False)
    over = stage.clock.now - stage.zero
    stage.play(40)
    ((start, until),) = end(stage)
    earliest = [key for key in stage.keys if key <= trigger - 10]
    assert start == pytest.approx(max(earliest) if earliest else stage.keys[0], abs=1e-3)
    # It goes on for five seconds, to the end of the group.
    assert until == pytest.approx(min(key for key in stage.keys if key >= over + 5), abs=1e-3)


def test_wanted_again_in_time_goes_on(stage: Stage, clip: Clip) -> None:
    stage.want(wanted=True)
    stage.begin(clip)
    for _ in range(5):
        stage.want(wanted=True)
        stage.play(3)
        stage.want(wanted=False)
        # The same told again, as when something else of the facility changes, is not another end.
        stage.want(wanted=False)
        assert stage.gate.wanted
        stage.play(4)
    stage.play(20)
    assert not stage.gate.wanted
    ((start, until),) = end(stage)
    assert (start, until) == pytest.approx((stage.keys[0], 36.1), abs=0.01)


def test_wanted_again_after_it_ended_loses_and_doubles_nothing(stage: Stage, clip: Clip) -> None:
    stage.begin(clip)
    stage.want(wanted=True)
    stage.play(10)
    stage.want(wanted=False)
    stage.play(9)
    assert not stage.gate.open
    # Less than ten seconds after the end: what was kept begins where footage ended.
    stage.want(wanted=True)
    stage.play(10)
    ((start, until),) = end(stage)
    assert (start, until) == pytest.approx((0.1, 29.1), abs=0.01)
    assert sum(pictures for _, _, pictures, _ in judged(stage.archive.root)) == 290


def test_across_a_reconnect_and_a_change_of_format(stage: Stage, clip: Clip, other: Clip) -> None:
    stage.want(wanted=False, before_s=20)
    stage.begin(clip)
    stage.play(30)
    stage.feed.end()
    stage.clock.now += 3
    stage.begin(other)
    stage.play(4)
    # The format changes in the midst of the run.
    stage.clip = clip
    stage.feed.begin(clip.stream)
    stage.play(6)
    trigger = stage.clock.now - stage.zero
    stage.want(wanted=True, before_s=20)
    stage.play(5)
    found = end(stage)
    first = max(key for key in stage.keys if key <= trigger - 20)
    assert found[0] == pytest.approx((first, 30.1), abs=0.01)
    assert found[1] == pytest.approx((33.1, 48.1), abs=0.01)
    assert len(found) == 2
    # Two runs, three formats one after the other.
    assert len(judged(stage.archive.root)) == 3
    assert len({run for *_, run in judged(stage.archive.root)}) == 2


def test_wanted_while_the_camera_is_away(stage: Stage, clip: Clip) -> None:
    stage.want(wanted=False)
    stage.begin(clip)
    stage.play(30)
    stage.feed.end()
    stage.clock.now += 3
    stage.want(wanted=True)
    run(stage.archive)
    assert not stage.archive.open_files, "it is closed, however long the camera stays away"
    stage.clock.now += 3
    stage.begin(clip)
    stage.play(4)
    found = end(stage)
    assert found[0] == pytest.approx((22.1, 30.1), abs=0.01)
    assert found[1] == pytest.approx((36.1, 40.1), abs=0.01)


def test_unwanted_while_the_camera_is_away_ends_by_itself(stage: Stage, clip: Clip) -> None:
    stage.want(wanted=True)
    stage.begin(clip)
    stage.play(10)
    stage.want(wanted=False)
    stage.feed.end()
    stage.clock.now += 6
    stage.gate.check()
    assert not stage.gate.wanted
    stage.begin(clip)
    stage.play(10)
    assert end(stage) == [pytest.approx((0.1, 10.1), abs=0.01)]


def test_switched_off_keeps_nothing_and_ends_at_once(stage: Stage, clip: Clip) -> None:
    stage.want(wanted=True)
    stage.begin(clip)
    stage.play(10.5)
    stage.want(wanted=True, record=False)
    stage.play(20)
    assert not stage.gate._kept
    stage.want(wanted=False)
    stage.play(0.3)
    stage.want(wanted=True)
    stage.play(3)
    found = end(stage)
    assert found[0] == pytest.approx((0.1, 10.6), abs=0.01)
    # From the newest key picture on, as always when it is switched on, and not from ten seconds before.
    assert found[1] == pytest.approx((30.1, 33.9), abs=0.01)


def test_before_is_taken_away_and_given_while_it_waits(stage: Stage, clip: Clip) -> None:
    memory = BeforeMemory()
    stage.gate.end()
    stage.gate = Gate(
        "c1", stage.feed, Recorder("c1", "f1", "facility/c1", stage.archive, stage.clock), stage.clock, memory
    )
    stage.want(wanted=False)
    stage.begin(clip)
    stage.play(30)
    assert memory.bytes > 0
    stage.want(wanted=False, before_s=0)
    assert memory.bytes == 0
    stage.play(1)
    stage.want(wanted=False)
    stage.play(4.5)
    stage.want(wanted=True)
    stage.play(1)
    assert memory.bytes == 0
    assert end(stage)[0][0] == pytest.approx(30.1, abs=0.01)


@pytest.mark.parametrize("bound", ["CAMERA_BYTES", "ALL_BYTES"])
def test_what_is_kept_is_bounded(stage: Stage, clip: Clip, monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    group = sum(sample.size for sample in clip.video[:GOP])
    monkeypatch.setattr(gate_module, bound, group * 3)
    stage.want(wanted=False, before_s=60)
    stage.begin(clip)
    stage.play(61)
    assert stage.gate._memory.bytes <= group * 3
    assert stage.gate.shortened > 5
    stage.want(wanted=True, before_s=60)
    stage.play(2)
    ((start, until),) = end(stage)
    assert 3 < until - start < 9


def test_a_group_without_end_is_not_kept(stage: Stage, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "CAMERA_BYTES", 1000)
    stage.want(wanted=False)
    stage.begin(clip)
    stage.play(30)
    assert stage.gate._memory.bytes <= 1000
    stage.want(wanted=True)
    stage.play(10)
    found = end(stage)
    assert found[0][1] == pytest.approx(40.1, abs=0.01)


def test_many_that_are_wanted_at_once_wait_for_the_disk(
    tmp_path: Path, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sum(sample.size for sample in clip.video[:GOP])
    monkeypatch.setattr("custom_components.facility_cameras.engine.archive.archive.QUEUE_BYTES", size * 8)
    clock = HandClock()
    with hand_run(tmp_path / "archive", clock) as archive:
        stage = Stage(archive, clock)
        stage.want(wanted=False, before_s=60)
        stage.begin(clip)
        stage.play(60)
        stage.want(wanted=True, before_s=60)
        assert stage.gate._kept, "not all at once"
        stage.play(20)
        assert not stage.gate._kept
        assert archive.dropped == 0
        assert end(stage) == [pytest.approx((0.1, 80.1), abs=0.01)]


def test_switched_off_while_what_was_kept_still_waits(
    stage: Stage, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Archive, "has_room", False)
    stage.want(wanted=False, before_s=60)
    stage.begin(clip)
    stage.play(30)
    stage.want(wanted=True, before_s=60)
    stage.play(2.5)
    stage.want(wanted=True, record=False, before_s=60)
    stage.play(5)
    assert end(stage) == [pytest.approx((0.1, 32.6), abs=0.01)]


def test_only_what_may_be_wanted_is_kept(stage: Stage, clip: Clip) -> None:
    stage.want(wanted=False, before_s=4)
    stage.begin(clip)
    stage.play(60)
    # The group that began four seconds ago or earlier, the one after it, and the one that comes.
    assert 0 < stage.gate._memory.bytes <= sum(sample.size for sample in clip.video[:GOP]) * 4
    stage.gate.end()
    assert stage.gate._memory.bytes == 0
    stage.play(10)
    assert stage.gate._memory.bytes == 0
    stage.want(wanted=True)
    stage.gate.end()
    stage.play(10)
    assert end(stage)[-1][1] <= 70.2


def test_what_waits_for_the_disk_is_not_shortened(stage: Stage, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.want(wanted=False, before_s=4)
    stage.begin(clip)
    stage.play(30)
    with monkeypatch.context() as busy:
        busy.setattr(Archive, "has_room", False)
        stage.want(wanted=True, before_s=4)
        stage.play(20)
        stage.feed.end()
    # The camera is away: what was kept goes to the disk all the same.
    stage.gate.check()
    assert not stage.gate._kept
    first = max(key for key in stage.keys if key <= 30 - 4)
    assert end(stage) == [pytest.approx((first, 50.1), abs=0.01)]


def test_a_reconnect_in_what_was_kept_is_a_gap(stage: Stage, clip: Clip) -> None:
    stage.want(wanted=False, before_s=20)
    stage.begin(clip)
    stage.play(10)
    stage.feed.end()
    stage.clock.now += 3
    stage.begin(clip)
    stage.play(4)
    stage.want(wanted=True, before_s=20)
    stage.play(2)
    assert end(stage) == [pytest.approx((0.1, 10.1), abs=0.01), pytest.approx((13.1, 19.1), abs=0.01)]
    assert len({run for *_, run in judged(stage.archive.root)}) == 2


def test_wanted_between_a_session_and_its_first_picture(
    stage: Stage, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.want(wanted=False)
    stage.begin(clip)
    stage.play(10)
    stage.feed.end()
    stage.clock.now += 3
    begin_format = stage.feed.begin

    def wanted(stream: StreamFormat) -> None:
        stage.want(wanted=True)
        begin_format(stream)

    monkeypatch.setattr(stage.feed, "begin", wanted)
    stage.begin(clip)
    stage.play(4)
    assert end(stage) == [pytest.approx((2.1, 10.1), abs=0.01), pytest.approx((13.1, 17.1), abs=0.01)]


def test_where_others_keep_all_there_may_be_nothing_is_kept(
    stage: Stage, clip: Clip, caplog: pytest.LogCaptureFixture
) -> None:
    stage.gate._memory.bytes = gate_module.ALL_BYTES + 1
    stage.want(wanted=False)
    stage.begin(clip)
    stage.play(10)
    assert stage.gate._memory.bytes == gate_module.ALL_BYTES + 1
    assert stage.gate.shortened > 1
    assert caplog.text.count("can be kept before it is wanted") == 1


async def test_a_real_camera(tmp_path: Path) -> None:
    """From before the moment on every picture is there, once, and their time is right."""
    async with Rig(tmp_path, [spec("one")]) as rig:
        await rig.watch("one")
        await rig.recorded("one", 1)
        await rig.change("one", wanted=False, before_s=3.0, after_s=1.0)
        await rig.until(lambda: not rig.state("one")["recording_wanted"], 5)
        assert rig.state("one")["duty"] == "idle"
        idle = time.time()
        camera = rig.supervisor.camera("one")
        assert camera is not None
        await rig.until(lambda: time.time() > idle + 7, 10)
        recorded = rig.state("one")["recorded_s"]
        trigger = time.time()
        rig.supervisor.set_said(camera, "wanted", said=True)
        assert rig.state("one")["duty"] == "record"
        await rig.recorded("one", 5)
        await rig.stop()
        found = await rig.judge("one")
    assert recorded > 0
    assert not found.faults
    begins = found.segments[-1]["start"] / 1e6
    # A key picture a second; what is received is received within 0.2 s.
    assert trigger - 3 - 1.3 <= begins <= trigger - 3
    assert barcode.check(found.files[-1], VIDEO.frames).complete
    assert found.files[-1][0] % VIDEO.gop == 0
    assert found.segments[-2]["end"] / 1e6 < begins


async def test_what_is_wanted_outlives_the_engine(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one")]) as rig:
        await rig.watch("one")
        await rig.recorded("one", 1)
        await rig.change("one", wanted=False, before_s=1.0)
        await rig.restart()
        await rig.status("one", "online", 15)
        assert rig.state("one")["duty"] == "idle"
        # A hub that does not know yet leaves it so; one that never knew has it recorded.
        await rig.change("one", wanted=None)
        assert rig.state("one")["duty"] == "idle"
        camera = rig.supervisor.camera("one")
        assert camera is not None
        rig.supervisor.set_said(camera, "wanted", said=True)
        await rig.change("one", wanted=None)
        assert rig.state("one")["duty"] == "record"
        await rig.recorded("one", 1)
