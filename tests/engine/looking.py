"""Cameras of the simulator in simulated time, and an examiner that looks at them with its real worker process.

What a camera sends is what the simulator would send: its clips, pushed into a feed picture by picture as the clock goes.
"""

from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from custom_components.facility_cameras.engine.api import PictureState
from custom_components.facility_cameras.engine.feed import Feed
from custom_components.facility_cameras.engine.media import VIDEO_CLOCK, Sample, StreamFormat, VideoFormat
from custom_components.facility_cameras.engine.picture.examiner import Examiner, Settings
from simulator.clip import Clip, Shot, load
from simulator.scene import View
from simulator.spec import Video

FPS = 10
#: A key picture every second. No whole number of looks fits: two looks never see the same picture of the loop by chance.
VIDEO = Video(width=320, height=180, fps=FPS, kbps=200, gop=FPS, seconds=23)


@cache
def clip(view: View, still: int | None = None) -> Clip:
    return load(Shot("tests", VIDEO, view, still))


class HandClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def utc(self) -> float:
        return 1_800_000_000.0 + self.now


class Sent:
    """One camera's feed, and what is sent into it."""

    def __init__(self, clock: HandClock) -> None:
        self.feed = Feed()
        self.playing: Clip | None = clip("normal")
        self._clock = clock
        self._until = clock.now
        self._number = 0
        sets = clip("normal").sets
        sps, pps = (tuple(one for one in sets if one[0] & 0x1F == kind) for kind in (7, 8))
        self.stream = StreamFormat(VideoFormat("h264", VIDEO.width, VIDEO.height, "avc1.42c01e", sps, pps))

    def connect(self) -> None:
        self.feed.begin(self.stream)
        self._until = self._clock.now
        self._number -= self._number % FPS

    def send(self) -> None:
        """Everything up to the clock's time."""
        while self._until < self._clock.now:
            self._until += 1 / FPS
            if self.playing is not None:
                unit = self.playing.units[self._number % len(self.playing.units)]
                parts = [len(nal).to_bytes(4) + nal for nal in unit.nals]
                time = self._number * VIDEO_CLOCK // FPS
                self.feed.push(Sample(time, self._until, sum(map(len, parts)), parts, key=unit.key))
                self._number += 1


class Looking:
    """`async with Looking(folder, "a", "b") as looking:` an examiner and its cameras."""

    def __init__(self, folder: Path, *cameras: str, settings: Settings | None = None) -> None:
        self.clock = HandClock()
        self.folder = folder
        self.settings: Settings = settings or {"sensitivity": "normal", "mask": []}
        self.cameras = {camera: Sent(self.clock) for camera in cameras}
        #: What was told, in order: when, which camera, what.
        self.told: list[tuple[float, str, PictureState | None]] = []
        self.examiner = self._make()

    def _make(self) -> Examiner:
        examiner = Examiner(self.folder, self.clock)
        examiner.on_finding = lambda camera, state: self.told.append((self.clock.now, camera, state))
        for name, camera in self.cameras.items():
            camera.connect()
            examiner.add(name, camera.feed, self.settings)
        return examiner

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.examiner.close()

    async def restart(self) -> None:
        await self.examiner.close()
        for camera in self.cameras.values():
            camera.feed = Feed()
        self.examiner = self._make()

    async def run(self, seconds: float) -> None:
        """So much time passes."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            for camera in self.cameras.values():
                camera.send()
            wait = await self.examiner.step()
            # No more than a second at once: what falls in between is noticed then.
            self.clock.now += min(max(wait, 0.05), 1.0, max(until - self.clock.now, 0.001))

    def states(self) -> dict[str, str]:
        """What each camera is known to have."""
        found = dict.fromkeys(self.cameras, "ok")
        for _, camera, state in self.told:
            found[camera] = state["status"] if state is not None else "ok"
        return found
