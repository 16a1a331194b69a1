"""A site of virtual cameras and an engine's supervisor that records them, in one process, over real sockets.

`judge` says what PyAV finds in the files: which pictures, in which order, at which times.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
import itertools
import json
from pathlib import Path
import time
from types import TracebackType
from typing import Any, Self

import av
import numpy as np

from custom_components.facility_cameras.engine import footage
from custom_components.facility_cameras.engine.api import CameraConfig, CameraState
from custom_components.facility_cameras.engine.api_footage import Segment
from custom_components.facility_cameras.engine.archive.volume import MARKER
from custom_components.facility_cameras.engine.clock import SystemClock
from custom_components.facility_cameras.engine.supervisor import Supervisor
from simulator import CameraSpec, Site, StreamSpec, Video, barcode

FPS = 10
#: Small and quick: a key picture every second.
VIDEO = Video(width=320, height=180, fps=FPS, kbps=200, gop=FPS, seconds=8)
TICK = 90_000


def spec(name: str, *, video: Video = VIDEO, audio: bool = False, **more: Any) -> CameraSpec:
    """A small camera; all of one coding share a clip."""
    streams = (StreamSpec(video=video, audio="aac" if audio else None),)
    return CameraSpec(name=name, scene="tests", streams=streams, **more)


def config(camera: CameraSpec, url: str, *, audio: bool = False) -> CameraConfig:
    """The camera as a hub would want it."""
    return {
        "id": camera.name,
        "name": camera.name,
        "url": url,
        "username": camera.username if camera.schemes else "",
        "password": camera.password if camera.schemes else "",
        "audio": audio,
        "record": True,
        "days_to_keep": 0,
        "wanted": True,
        "before_s": 0.0,
        "after_s": 0.0,
        "place": "gate",
        "connect": True,
        "retired": False,
        "required": True,
        "connect_who": "",
        "record_who": "",
    }


@dataclass(slots=True)
class Judged:
    """One camera's footage. Times in 90 kHz ticks of each file."""

    segments: list[Segment]
    #: By file: the numbers its pictures bear.
    files: list[list[int]] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    #: By file: presentation times of its pictures.
    times: list[list[int]] = field(default_factory=list)
    audio_frames: int = 0
    #: Times that do not rise, intervals that overlap.
    faults: list[str] = field(default_factory=list)

    @property
    def numbers(self) -> list[int]:
        """The numbers of all files, one after the other."""
        return [number for numbers in self.files for number in numbers]

    @property
    def seconds(self) -> float:
        """What the index says."""
        return sum(segment["end"] - segment["start"] for segment in self.segments) / 1e6


class SteppingClock(SystemClock):
    """The machine's clock, set forward by `step` seconds."""

    step = 0.0

    def utc(self) -> float:
        return super().utc() + self.step


class Rig:
    """`async with Rig(folder, specs) as rig:`. Cameras are recorded once `watch` has named them."""

    def __init__(self, folder: Path, specs: Iterable[CameraSpec]) -> None:
        self.folder = folder
        self.archive = folder / "footage"
        self.specs = {each.name: each for each in specs}
        self.clock = SteppingClock()
        self.site = Site(self.specs.values())
        self.states: dict[str, list[CameraState]] = {name: [] for name in self.specs}
        self._configs: dict[str, CameraConfig] = {}
        self._watching: asyncio.Task[None] | None = None
        self.supervisor = self._make()

    def _make(self) -> Supervisor:
        self.archive.mkdir(parents=True, exist_ok=True)
        (self.archive / MARKER).write_text(json.dumps({"id": "ours"}))
        state = self.folder / "state"
        state.mkdir(exist_ok=True)
        supervisor = Supervisor(state, self.clock)
        supervisor.on_changed = lambda state: self.states.setdefault(state["id"], []).append(state)
        return supervisor

    async def __aenter__(self) -> Self:
        await self.site.start()
        self._watching = asyncio.create_task(self.supervisor.watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        await self.site.close()

    async def stop(self) -> None:
        """End the engine: sessions and segments are closed."""
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await self.supervisor.close()
            await self.supervisor.save()

    async def restart(self) -> None:
        """End the engine and begin again from what it saved."""
        await self.stop()
        self.supervisor = self._make()
        self._watching = asyncio.create_task(self.supervisor.watch())
        self.supervisor.start()

    async def watch(self, *names: str, audio: bool = False, username: str = "", password: str | None = None) -> None:
        """Have these cameras (all unless named) recorded, with another login if a password is given."""
        for name in names or tuple(self.specs):
            wanted = config(self.specs[name], self.site.camera(name).url(login=False), audio=audio)
            if password is not None:
                wanted["username"], wanted["password"] = username, password
            self._configs[name] = wanted
        await self.put()

    async def watch_address(self, name: str, url: str, username: str, password: str) -> None:
        """Have a camera recorded that is not of the site."""
        wanted = config(CameraSpec(name=name), url)
        wanted["username"], wanted["password"] = username, password
        self._configs[name] = wanted
        await self.put()

    async def change(self, name: str, *, wanted: bool | None, before_s: float = 0.0, after_s: float = 0.0) -> None:
        """Have a camera recorded by an entity that says this."""
        self._configs[name] |= {"wanted": wanted, "before_s": before_s, "after_s": after_s}
        await self.put()

    async def switch(self, name: str, **changes: Any) -> None:
        """Have a camera connected or not, retired, required (`CameraConfig`)."""
        self._configs[name] |= changes  # type: ignore[typeddict-item]
        await self.put()

    async def put(self) -> None:
        """Tell the supervisor."""
        await self.supervisor.put_facility(
            {
                "id": "facility",
                "name": "Facility",
                "archive": str(self.archive),
                "archive_id": "ours",
                "days_to_keep": 15,
                "quota_bytes": 0,
                "least_days": 0,
                "zone": "Asia/Ho_Chi_Minh",
                "cameras": list(self._configs.values()),
            }
        )

    def state(self, name: str) -> CameraState:
        """What is known of the camera now."""
        camera = self.supervisor.camera(name)
        assert camera is not None
        return camera.state()

    def width(self, name: str) -> int:
        """The width of what the camera sends; 0 if nothing came yet."""
        stream = self.state(name)["format"]
        return stream["width"] if stream is not None else 0

    def sound(self, name: str) -> str | None:
        """The codec of the camera's audio if it is recorded."""
        stream = self.state(name)["format"]
        return stream["audio"] if stream is not None else None

    async def until(self, condition: Callable[[], bool], seconds: float, what: str = "") -> float:
        """Wait until it holds; returns how long that took. AssertionError after `seconds`."""
        began = time.monotonic()
        while not condition():
            states = [(each["id"], each["status"], each["problem"]) for each in self.supervisor.cameras()]
            assert time.monotonic() - began < seconds, f"not within {seconds} s: {what} {states}"
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    async def status(self, name: str, status: str, seconds: float) -> float:
        """Wait until the camera has this status."""
        return await self.until(lambda: self.state(name)["status"] == status, seconds, f"{name} {status}")

    async def recorded(self, name: str, more: float, seconds: float = 30) -> None:
        """Wait until so many more seconds of footage landed."""
        wanted = self.state(name)["recorded_s"] + more
        await self.until(lambda: self.state(name)["recorded_s"] >= wanted, seconds, f"{name} recorded {wanted}")

    async def judge(self, name: str) -> Judged:
        """What the camera's files hold, once the engine has ended."""
        return await asyncio.to_thread(judge, self.archive, name)


def judge(archive: Path, name: str) -> Judged:
    """What PyAV finds in a camera's files, in the order of the index. No engine may hold the archive."""
    from custom_components.facility_cameras.engine.archive.archive import Archive

    reader = Archive(archive, "ours", SystemClock())
    reader.start()
    deadline = time.monotonic() + 10
    while reader.index is None:
        assert time.monotonic() < deadline, "the archive cannot be opened"
        time.sleep(0.01)
    try:
        judged = Judged(footage.segments(reader, name, 0, 1 << 62))
    finally:
        reader.close()
    for segment in judged.segments:
        _judge_file(Path(segment["path"]), judged)
    for before, after in itertools.pairwise(judged.segments):
        if before["end"] > after["start"]:
            judged.faults.append(f"{after['path']} begins before the file before it ends")
    return judged


def _judge_file(path: Path, judged: Judged) -> None:
    times: list[int] = []
    judged.files.append([])
    with av.open(str(path)) as container:
        decode_times: dict[int, int] = {}
        streams = [container.streams.video[0], *container.streams.audio[:1]]
        for packet in container.demux(streams):
            if packet.dts is None:
                continue
            before = decode_times.get(packet.stream.index)
            if before is not None and packet.dts <= before:
                judged.faults.append(f"decode times of {path} do not rise at {packet.dts}")
            decode_times[packet.stream.index] = packet.dts
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    _take(frame, times, judged)
                else:
                    judged.audio_frames += 1
        for frame in container.streams.video[0].codec_context.decode(None):
            _take(frame, times, judged)
    if any(before >= after for before, after in itertools.pairwise(times)):
        judged.faults.append(f"times of {path} do not rise")
    judged.times.append(times)


def _take(frame: av.VideoFrame, times: list[int], judged: Judged) -> None:
    judged.files[-1].append(barcode.read(frame.to_ndarray(format="gray").astype(np.uint8)))
    judged.sizes.append((frame.width, frame.height))
    assert frame.pts is not None
    times.append(frame.pts)


def assert_sound(judged: Judged, clip: int, *, fps: int = FPS, gaps: bool = False, b_frames: int = 0) -> None:
    """Every picture is there, once, in order; what the index says lasts as long as they do, ± one picture.

    `gaps`: something may be missing because the session began anew. With B-frames the end of the session may have cut
    off pictures that are shown before the last one received.
    """
    assert judged.segments, "nothing was recorded"
    assert not judged.faults
    for numbers in judged.files if gaps else [judged.numbers]:
        found = barcode.check(numbers[: -b_frames - 1] if b_frames else numbers, clip)
        assert not found.duplicate, found
        assert not found.out_of_order, found
        assert gaps or not found.missing, found
    if not gaps:
        pictures = len(judged.numbers) + barcode.check(judged.numbers, clip).missing
        assert abs(judged.seconds - pictures / fps) <= 1 / fps + 0.01, (judged.seconds, pictures)
    assert sum(segment["bytes"] > 0 for segment in judged.segments) == len(judged.segments)
