"""Looks at every camera's picture now and then, and tells what is wrong with it (promise I5: truth).

Key pictures only, of what is received anyway (promise I8: polite), judged by one worker process (promise I7: apart) and
on a budget (schedule.py). A camera that sends nothing is not looked at: the watch knows that already.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
import logging
from pathlib import Path
from typing import TypedDict

from ..api import CameraConfig, PictureState
from ..clock import Clock, microseconds
from ..evidence import Evidence
from ..feed import Feed
from . import known_files
from .examine import FAULTS, Answer, Examine, LookError
from .groups import Groups
from .schedule import Schedule

_LOGGER = logging.getLogger(__name__)

#: How often the next look is asked for.
TICK_S = 0.2
#: What is known of a camera is saved so often, and whenever what is told of it changes.
SAVE_S = 600.0
SENSITIVITIES = ("off", "low", "normal", "high")
MASKS_MAX = 16


class Settings(TypedDict):
    """How a camera is looked at: `sensitivity` is one of SENSITIVITIES; `mask` are areas that say nothing (x, y, width,
    height, in shares of the picture).
    """

    sensitivity: str
    mask: list[list[float]]


class Figures(TypedDict):
    """How the looks go: cameras looked at, seconds between two looks at one, looks and failed looks so far, and what
    all of it costs, per cent of one core.
    """

    cameras: int
    every_s: float
    looks: int
    failed: int
    cpu_percent: float


@dataclass(slots=True, eq=False)
class _Camera:
    settings: Settings
    feed: Feed
    groups: Groups
    known: bytes = b""
    #: What is known was read from the disk, if there was anything.
    loaded: bool = False
    state: PictureState | None = None
    #: What it showed when nothing was wrong, as JPEG.
    before: bytes = b""
    #: The newest picture that was looked at, and the feed's run then.
    seen: tuple[float, int] = field(default=(0.0, 0))
    run: int = -1
    new_view: bool = False
    saved_at: float = 0.0


class Examiner:
    """The looks at all cameras. `on_finding` is called with a camera's id and what is wrong, None once it is well."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """What is known of cameras is kept in `folder`, the engine's own."""
        self._folder = folder / "known_pictures"
        self._clock = clock
        self._cameras: dict[str, _Camera] = {}
        self._gone: set[str] = set()
        self._schedule = Schedule()
        self._examine = Examine(clock)
        self._looks = self._failed = 0
        self._save_failed = False
        self.evidence = Evidence(folder / "evidence")
        self.on_finding: Callable[[str, PictureState | None], None] = lambda _camera, _state: None

    # Cameras ------------------------------------------------------------------------------------------------------

    def add(self, camera: str, feed: Feed, settings: Settings) -> None:
        """Look at this camera from now on; one that is known gets another feed."""
        known = self._cameras.get(camera)
        if known is not None:
            known.feed.remove(known.groups, live=False)
        groups = Groups(self._clock.monotonic, lambda: self._schedule.hurry(camera, self._clock.monotonic()))
        feed.add(groups, live=False)
        self._gone.discard(camera)
        if known is None:
            self._cameras[camera] = _Camera(settings, feed, groups, saved_at=self._clock.monotonic())
            self._put_in(camera, settings)
            return
        known.feed, known.groups, known.run = feed, groups, -1
        self.set(camera, settings)
        if known.state is not None:
            self.on_finding(camera, known.state)

    def set(self, camera: str, settings: Settings) -> None:
        """Its settings changed."""
        known = self._cameras.get(camera)
        if known is None or known.settings == settings:
            return
        if known.settings["mask"] != settings["mask"]:
            # What is masked now was part of all views.
            known.new_view = True
        known.settings = settings
        self._put_in(camera, settings)
        if settings["sensitivity"] == "off" and known.state is not None:
            known.state = None
            self.on_finding(camera, None)

    def _put_in(self, camera: str, settings: Settings) -> None:
        self._schedule.remove(camera)
        if settings["sensitivity"] != "off":
            self._schedule.add(camera, self._clock.monotonic())

    def remove(self, camera: str) -> None:
        """The camera is no more: what is known of it goes too. Evidence stays."""
        known = self._cameras.pop(camera, None)
        if known is not None:
            known.feed.remove(known.groups, live=False)
            self._schedule.remove(camera)
            self._gone.add(camera)

    def new_view(self, camera: str) -> None:
        """What it shows now is how it is to be: views are learned anew. Raises KeyError."""
        self._cameras[camera].new_view = True
        self._schedule.hurry(camera, self._clock.monotonic())

    def figures(self) -> Figures:
        """How the looks go."""
        cameras, every_s = self._schedule.cameras, self._schedule.every_s
        return {
            "cameras": cameras,
            "every_s": round(every_s, 1),
            "looks": self._looks,
            "failed": self._failed,
            "cpu_percent": round(100 * cameras * self._schedule.cost_s / every_s, 2),
        }

    # Looks --------------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Look at one camera after the other, for ever. Ends only by being cancelled."""
        await self._try(lambda: known_files.clear(self._folder, self._clock.utc()))
        while True:
            wait_s = await self.step()
            await asyncio.sleep(min(TICK_S, wait_s))

    async def step(self) -> float:
        """Take the look that is due, if any; returns how long there will be none, seconds."""
        while self._gone:
            await self._try(partial(known_files.remove, self._folder, self._gone.pop()))
        now = self._clock.monotonic()
        due = self._schedule.next()
        if due is None or self._examine.resting_s(now):
            return self._examine.resting_s(now) or TICK_S
        camera, at = due
        if at > now:
            return at - now
        await self._look(camera)
        return 0.0

    async def _look(self, camera: str) -> None:
        """Look at this camera, if there is anything new to be seen."""
        known = self._cameras[camera]
        if not known.loaded:
            await self._load(camera, known)
        newest = known.feed.newest_key
        if not known.feed.group or newest is None or known.seen == (newest[1].received, newest[1].time):
            self._schedule.again(camera, self._clock.monotonic())
            return
        stream, sample = newest
        known.seen = (sample.received, sample.time)
        run, groups, new_view = known.groups.run, known.groups, known.new_view
        now, now_us = self._clock.monotonic(), microseconds(self._clock.utc())
        anew, known.new_view = run != known.run, False
        try:
            answer = await self._examine.look(
                stream,
                sample,
                known.known,
                {
                    "now": now,
                    "now_us": now_us,
                    "anew": anew,
                    "new_view": new_view,
                    **known.settings,
                    "groups": [(one.at, one.key_bytes, one.key_sum, one.pictures, one.bytes) for one in groups.newest],
                },
            )
        except LookError as error:
            _LOGGER.info("camera %s: a look gave nothing: %s", camera, error)
            self._failed += 1
            known.new_view |= new_view
            self._schedule.looked(camera, self._clock.monotonic(), None, soon=False)
            return
        self._looks += 1
        if self._cameras.get(camera) is not known or known.groups is not groups:
            return
        known.run, known.known = run, answer.known
        verdict = answer.verdict
        self._schedule.looked(camera, self._clock.monotonic(), verdict["cpu_s"], soon=verdict["soon"])
        if known.settings["sensitivity"] != "off":
            await self._tell(camera, known, answer, now_us)

    async def _tell(self, camera: str, known: _Camera, answer: Answer, now_us: int) -> None:
        verdict = answer.verdict
        told = known.state
        if verdict["status"] == "ok":
            if verdict["calm"]:
                known.before = answer.jpeg
            state = None
        elif told is not None and told["status"] == verdict["status"]:
            state = told
        else:
            state = PictureState(
                status=verdict["status"],
                cause=FAULTS[verdict["status"]],
                confidence=round(verdict["confidence"], 2),
                since=verdict["since_us"],
                evidence=await self._keep(camera, now_us, known.before, answer.jpeg),
            )
        if self._cameras.get(camera) is not known:
            return
        if state is not told:
            known.state = state
            self.on_finding(camera, state)
        if state is not told or self._clock.monotonic() - known.saved_at >= SAVE_S:
            await self._save(camera, known)

    async def _keep(self, camera: str, now_us: int, before: bytes, after: bytes) -> str:
        try:
            return await asyncio.to_thread(self.evidence.keep, camera, now_us, before, after)
        except (OSError, ValueError) as error:
            _LOGGER.warning("camera %s: evidence cannot be kept: %s", camera, error)
            return ""

    # What lasts ---------------------------------------------------------------------------------------------------

    async def _load(self, camera: str, known: _Camera) -> None:
        state, known.known = await asyncio.to_thread(known_files.load, self._folder, camera)
        known.loaded = True
        if state is not None and known.settings["sensitivity"] != "off" and self._cameras.get(camera) is known:
            known.state = state
            self.on_finding(camera, state)

    async def _save(self, camera: str, known: _Camera) -> None:
        known.saved_at = self._clock.monotonic()
        await self._try(lambda: known_files.save(self._folder, camera, known.state, known.known))

    async def _try(self, work: Callable[[], None]) -> None:
        """Do it in a thread; where the disk refuses, say so once: the next time it is done again."""
        try:
            await asyncio.to_thread(work)
        except OSError as error:
            if not self._save_failed:
                _LOGGER.warning("what is known of pictures cannot be saved: %s", error)
            self._save_failed = True
        else:
            self._save_failed = False

    async def close(self) -> None:
        """End the worker, and save what is known. `watch` has ended before."""
        await self._examine.close()
        for camera, known in tuple(self._cameras.items()):
            if known.loaded and known.known:
                await self._save(camera, known)


def settings_of(config: CameraConfig) -> Settings:
    """How the hub wants a camera to be looked at."""
    return {"sensitivity": config.get("sensitivity", "normal"), "mask": config.get("mask", [])}
