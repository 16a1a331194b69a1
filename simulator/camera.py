"""One virtual camera: its RTSP service, its streams, and the faults it has just now.

The seam for other services of a camera (ONVIF): `site.py` calls `serve(camera)` of `onvif.py` for each camera whose
`spec.http_port` is not None and keeps what it returned in `camera.services`, where faults find it; see `Service`.
"""

import asyncio
from collections.abc import Coroutine, Iterable
import contextlib
import io
import time
from typing import Protocol
from urllib.parse import quote
import zlib

import av
from PIL import Image

from .auth import Guard
from .behaviour import Habit
from .faults import FAULTS, fault as find
from .listener import Listener
from .media import Faults, Session, Track
from .quirks import behaviour_of, refine
from .routes import Datagrams, Interleaved
from .rtsp import Connection
from .scene import Scene
from .spec import CameraSpec, StreamSpec, Video
from .stream import Stream
from .truth import Entry, TruthLog

__all__ = ["Camera", "CameraSpec", "Service", "StreamSpec", "Video"]

#: Seconds between looks at a camera that sends nothing.
_IDLE = 0.2


class Service(Protocol):
    """Another service of a camera, as faults treat it."""

    @property
    def port(self) -> int:
        """The port it answers on."""

    async def shut(self) -> None:
        """Refuse connections: the camera is gone."""

    async def deafen(self) -> None:
        """Answer nothing at all: the cable is out."""

    async def open(self) -> None:
        """Answer again."""

    async def close(self) -> None:
        """End for ever."""


class Camera:
    """A camera from `start` to `close`."""

    def __init__(self, spec: CameraSpec, truth: TruthLog, burst: float) -> None:
        """Describe it; `burst` is how often, in seconds, what is due is sent."""
        self.spec = refine(spec)
        self.behaviour = behaviour_of(spec)
        self.guard = Guard(
            spec.username,
            spec.password,
            self.spec.schemes,
            time.monotonic,
            qop=self.behaviour.qop,
            sloppy=self.behaviour.sloppy_challenge,
            nonce_seconds=self.behaviour.nonce_seconds,
            lock_after=spec.lock_after,
            lock_seconds=spec.lock_seconds,
        )
        self.streams: dict[str, Stream] = {}
        self.connections: set[Connection] = set()
        self.sessions: dict[str, Session] = {}
        self.services: list[Service] = []
        self.media = Faults()
        self.silent = False
        self.slow = False
        #: No session is left for anybody.
        self.busy = False
        #: No path is known.
        self.hidden = False
        self.active: dict[str, Entry] = {}
        #: Held while what the streams show is being changed: one change after the other.
        self.changing = asyncio.Lock()
        self._truth, self._burst = truth, burst
        self._listener = Listener(spec.host, spec.rtsp_port, lambda: Connection(self))
        #: The camera's start, by the monotonic clock: picture n is due n / fps seconds later, if its clock does not drift.
        # Cameras are not in step: their key pictures come at different times.
        self.epoch = time.monotonic() - zlib.crc32(spec.name.encode()) % 10_000 / 1000
        self._utc = time.time() - time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: dict[str, asyncio.Task[None]] = {}
        self._ghosts: list[Session] = []
        self._wake = asyncio.Event()
        self._dripped = 0.0
        self._asked = 0.0

    @property
    def name(self) -> str:
        """The camera's name."""
        return self.spec.name

    @property
    def password(self) -> str:
        """The password that is right now."""
        return self.guard.password

    @property
    def port(self) -> int:
        """The RTSP port."""
        return self._listener.port

    def url(self, stream: str | None = None, *, login: bool = True) -> str:
        """The RTSP address of a stream by name, the first unless given; with `login` it holds user and password."""
        spec = self.spec.streams[0]
        if stream is not None:
            spec = next(each for each in self.spec.streams if each.name == stream)
        user = ""
        if login and self.spec.schemes:
            user = f"{quote(self.spec.username, safe='')}:{quote(self.password, safe='')}@"
        return f"rtsp://{user}{self.spec.host}:{self.port}/{spec.path}"

    def packets(self) -> int:
        """Media packets sent in the sessions that are open now."""
        return sum(track.packets for session in self.sessions.values() for track in session.tracks.values())

    def seconds(self) -> float:
        """Seconds since the start by the camera's own clock."""
        return (time.monotonic() - self.epoch) * (1 + self.spec.drift_ppm / 1e6)

    def now(self) -> float:
        """What the camera takes for the time, in seconds since 1970."""
        return self._utc + self.epoch + self.spec.clock_offset + self.seconds()

    async def snapshot(self) -> bytes:
        """What the camera sees now on its first stream, as JPEG."""
        stream = next(iter(self.streams.values()))
        return await asyncio.to_thread(self._snapshot, stream, int(self.seconds() * stream.video.fps))

    def _snapshot(self, stream: Stream, number: int) -> bytes:
        shot = stream.shot
        video = shot.video
        scene = Scene(shot.scene, video.width, video.height, video.fps, video.frames)
        picture = scene.draw(number % video.frames if shot.still is None else shot.still, shot.view)
        out = io.BytesIO()
        pixels = av.VideoFrame.from_ndarray(picture, format="yuv420p").to_ndarray(format="rgb24")
        Image.fromarray(pixels).save(out, "JPEG", quality=85)
        return out.getvalue()

    async def start(self) -> None:
        """Prepare the clips, then answer."""
        for spec in self.spec.streams:
            self.streams[spec.path] = await Stream.create(spec, self.spec, self.behaviour)
        self.answer()
        self._run(self._send())
        for habit in self.behaviour.habits:
            self._run(self.practise(habit))

    async def close(self) -> None:
        """End everything."""
        for task in (*self._tasks, *self._ends.values()):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._ends.values(), return_exceptions=True)
        self.drop()
        self._listener.close()
        for service in self.services:
            await service.close()

    def answer(self) -> None:
        """Answer, after `drop` or `deafen` or for the first time."""
        self.silent = False
        self._listener.open()

    def drop(self) -> None:
        """Close the port, every connection and session."""
        self._listener.shut()
        for session in tuple(self.sessions.values()):
            self.end_session(session)
        for connection in tuple(self.connections):
            connection.abort()

    def deafen(self) -> None:
        """Swallow everything."""
        self.silent = True
        self._listener.deafen()

    # What connections tell.

    def join(self, track: Track) -> int:
        """The unit with which `track` begins."""
        due = track.timeline.due(self.seconds())
        track.following = due if self.behaviour.join == "now" else track.timeline.next_key(due)
        return track.following

    def play(self, session: Session, connection: Connection) -> None:
        """Begin to send."""
        session.playing = True
        session.reported = time.monotonic()
        for ghost in self._ghosts:
            for track in ghost.tracks.values():
                if isinstance(track.route, Interleaved):
                    track.route.wire = connection
        self._wake.set()

    def end_session(self, session: Session) -> None:
        """Send no more and forget it."""
        session.close()
        self.sessions.pop(session.id, None)
        if session in self._ghosts:
            self._ghosts.remove(session)

    def forget(self, connection: Connection) -> None:
        """A connection ended, and with it what was interleaved in it."""
        for session in tuple(connection.sessions.values()):
            if session.id not in self.sessions:
                continue
            if self.behaviour.haunted and session.playing:
                self._ghosts.append(session)
            else:
                self.end_session(session)

    def heard_report(self, sessions: Iterable[Session]) -> None:
        """A receiver sent RTCP."""
        for session in sessions:
            session.reported = time.monotonic()

    # Sending.

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)

    async def _send(self) -> None:
        looked = 0.0
        while True:
            if any(session.playing for session in self.sessions.values()):
                await asyncio.sleep(self._burst)
            else:
                self._wake.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_IDLE):
                        await self._wake.wait()
            seconds, now = self.seconds(), self.now()
            reports = self.behaviour.reports != "none"
            for session in tuple(self.sessions.values()):
                session.pump(seconds, now, self.media, reports=reports)
            monotonic = time.monotonic()
            if monotonic - looked >= _IDLE:
                looked = monotonic
                self._look(monotonic)

    def _look(self, now: float) -> None:
        """End what is over; send the byte of the second."""
        needs_reports, most_age = self.behaviour.needs_reports, self.behaviour.most_age
        for session in tuple(self.sessions.values()):
            for track in session.tracks.values():
                if isinstance(track.route, Datagrams) and track.route.heard():
                    session.reported = now
            deaf = needs_reports is not None and session.playing and now - session.reported > needs_reports
            if now - session.alive > session.timeout or deaf:
                self.end_session(session)
                for connection in tuple(self.connections):
                    if session.id in connection.sessions:
                        connection.close()
        if most_age is not None:
            for connection in tuple(self.connections):
                if now - connection.born > most_age:
                    connection.close()
        if self.behaviour.asks and now - self._asked >= 2:
            self._asked = now
            for connection in self.connections:
                if connection.sessions:
                    connection.ask()
        if self.slow and now - self._dripped >= 1:
            self._dripped = now
            for connection in self.connections:
                connection.drip()

    # Faults.

    async def fault(self, name: str, *, seconds: float | None = None, **settings: float | str) -> Entry:
        """Let fault `name` take effect; it ends after `seconds` if given. FaultError if there is no such fault."""
        fault, every = find(name, settings)
        for other in tuple(self.active):
            if other == name or (fault.group and FAULTS[other].group == fault.group):
                await self.clear(other)
        await fault.begin(self, every)
        entry = self._truth.begin(self.name, name, {key: value for key, value in every.items() if key != "password"})
        if fault.end is None:
            self._truth.end(entry)
            return entry
        self.active[name] = entry
        seconds = fault.seconds if seconds is None else seconds
        if seconds is not None:
            self._ends[name] = asyncio.get_running_loop().create_task(self._clear_later(name, seconds))
        return entry

    async def clear(self, name: str | None = None) -> None:
        """End a fault, or all. Does nothing if the camera does not have it."""
        for each in tuple(self.active) if name is None else (name,):
            ending = self._ends.pop(each, None)
            if ending is not None and ending is not asyncio.current_task():
                ending.cancel()
            entry = self.active.pop(each, None)
            end = FAULTS[each].end if each in FAULTS else None
            if entry is not None and end is not None:
                await end(self)
                self._truth.end(entry)

    async def until(self, seconds: float) -> None:
        """Wait until the camera's clock says `seconds` since its start."""
        await asyncio.sleep(max(0.0, seconds - self.seconds()))

    async def _clear_later(self, name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.clear(name)

    async def practise(self, habit: Habit) -> None:
        """Commit a habit again and again, without end."""
        while True:
            await asyncio.sleep(habit.every)
            await self.fault(habit.fault, seconds=habit.seconds, **habit.settings)
