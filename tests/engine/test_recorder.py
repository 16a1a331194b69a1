"""From samples to footage: segments of a run lie end to end, whatever is cut where; all of it plays."""

import itertools
from pathlib import Path
import threading

import av
import pytest

from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.backlog import Memory
from custom_components.facility_cameras.engine.media import Sample
from custom_components.facility_cameras.engine.recorder import Recorder
from custom_components.facility_cameras.engine.timeline import Timeline
from tests.engine.archives import HandClock, archive_in, ask
from tests.engine.clip_samples import Clip, make_clip
from tests.engine.living import wait_for


class Source:
    """Plays a clip in a loop into a recorder, as a session does, as fast as it goes."""

    def __init__(self, clip: Clip, archive: Archive, clock: HandClock, ppm: int = 0) -> None:
        self.clip, self.clock, self._archive = clip, clock, archive
        self.recorder = Recorder("c1", "f1", "facility/c1", archive, clock)
        self._ppm = ppm
        self.begin()

    def begin(self) -> None:
        """A new run."""
        self.played = 0
        self._began = self.clock.now
        self._timeline = Timeline(self.clock.offset)
        self.recorder.begin_run(self._timeline)
        self.recorder.on_format(self.clip.stream)

    def play(self, seconds: float) -> None:
        ticks = len(self.clip.video) * 90_000 // self.clip.fps
        for _ in range(round(seconds * self.clip.fps)):
            turn, place = divmod(self.played, len(self.clip.video))
            sample = self.clip.video[place]
            self.played += 1
            received = self._began + self.played / self.clip.fps * (1 + self._ppm / 1e6)
            self.clock.now = max(self.clock.now, received)
            time = self._timeline.place(sample.time + turn * ticks, received)
            self.recorder.on_sample(Sample(time, received, sample.size, sample.parts, sample.key))
            if self.played % 50 == 0:
                self.settle()

    def settle(self) -> None:
        """Time is played faster than it goes: the disk keeps up."""
        done = threading.Event()
        self._archive.submit(None, 0, done.set)
        assert done.wait(5)


def judged(root: Path) -> list[tuple[int, int, int, str]]:
    """Start, end, pictures and run of each segment. Each plays, with as many pictures, for so long as it claims."""
    found = []
    for start, end, pictures, run, path in ask(
        root, "SELECT start_us, end_us, pictures, run, 'facility/c1/' || path FROM segment ORDER BY start_us"
    ):
        assert isinstance(start, int)
        assert isinstance(end, int)
        assert isinstance(pictures, int)
        with av.open(str(root / str(path))) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
            assert packets[0].is_keyframe
            assert len(packets) == pictures == sum(1 for _ in container_frames(root / str(path)))
            decode = [packet.dts or 0 for packet in packets]
            assert decode == sorted(set(decode))
            played = (decode[-1] - decode[0] + (packets[-1].duration or 0)) / 90_000
            # A drifting camera clock is pulled by 500 ppm at most.
            assert played == pytest.approx((end - start) / 1e6, abs=0.001 + played * 500e-6)
        found.append((start, end, pictures, str(run)))
    return found


def container_frames(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("ppm", [0, 300, -300])
def test_segments_of_a_run_lie_end_to_end(tmp_path: Path, b_frames: int, ppm: int) -> None:
    root, clock = tmp_path / "archive", HandClock()
    clip = make_clip(frames=30, fps=10, gop=15, size=(160, 128), b_frames=b_frames)
    with archive_in(root, clock) as archive:
        wait_for(lambda: archive.volume.writable)
        source = Source(clip, archive, clock, ppm)
        source.play(200)
        source.recorder.flush()
        source.play(100)
        source.recorder.on_gap()
        began, ended = clock.offset + source._began, clock.utc()
    found = judged(root)
    assert len(found) == 5
    assert sum(pictures for _, _, pictures, _ in found) == source.played
    for (_, end, _, run), (start, _, _, next_run) in itertools.pairwise(found):
        assert (end, run) == (start, next_run)
    # The footage's time is ours, to a picture, however the camera's clock drifts.
    assert found[0][0] / 1e6 == pytest.approx(began, abs=0.2)
    assert found[-1][1] / 1e6 == pytest.approx(ended, abs=0.2)
    assert source.recorder.recorded_s == pytest.approx(300, abs=0.2)


def pause(root: Path, memory: Memory) -> list[tuple[int, int, int, str]]:
    """90 s, then 30 s in which the volume is away, then 60 s: what is recorded."""
    clock = HandClock()
    clip = make_clip(frames=20, fps=10, gop=10, size=(160, 128))
    with archive_in(root, clock, memory=memory) as archive:
        wait_for(lambda: archive.volume.writable)
        source = Source(clip, archive, clock)
        source.play(90)
        (root / ".facility_cameras.json").rename(root / "away")
        clock.now += 0.001
        archive._holding.look_at = 0
        wait_for(lambda: not archive.volume.writable, 5)
        source.play(30)
        (root / "away").rename(root / ".facility_cameras.json")
        archive._holding.look_at = 0
        wait_for(lambda: archive.volume.writable and not archive.kept_bytes, 5)
        source.settle()
        source.play(60)
        source.recorder.on_gap()
        wait_for(lambda: archive.index is not None and not archive.index.unfinished(), 5)
    return judged(root)


def test_what_came_while_the_volume_was_away_is_written_afterwards(tmp_path: Path) -> None:
    found = pause(tmp_path / "archive", Memory())
    assert sum(pictures for _, _, pictures, _ in found) == 1800
    assert len({run for *_, run in found}) == 1
    # The segment under way when it went is in two files.
    assert len(found) == 4
    for (_, end, *_), (start, *_) in itertools.pairwise(found):
        assert end == start
    assert found[-1][1] - found[0][0] == pytest.approx(180e6, abs=0.3e6)


def test_what_memory_does_not_take_is_one_gap(tmp_path: Path) -> None:
    found = pause(tmp_path / "archive", Memory(20_000))
    holes = [(end, start) for (_, end, *_), (start, *_) in itertools.pairwise(found) if end != start]
    # What came first was kept.
    assert len(holes) == 1
    assert 10e6 < holes[0][1] - holes[0][0] < 31e6
    assert found[-1][1] - found[0][0] == pytest.approx(180e6, abs=0.3e6)


def test_next_run_does_not_overlap(tmp_path: Path) -> None:
    root, clock = tmp_path / "archive", HandClock()
    clip = make_clip(frames=20, fps=10, gop=10, size=(160, 128))
    with archive_in(root, clock) as archive:
        wait_for(lambda: archive.volume.writable)
        source = Source(clip, archive, clock)
        for _ in range(4):
            source.play(7.3)
            source.recorder.on_gap()
            clock.now += 1
            source.begin()
    found = judged(root)
    assert len({run for *_, run in found}) == len(found) == 4
    for (_, end, *_), (start, *_) in itertools.pairwise(found):
        assert start >= end
