"""One camera: `run` retries for ever, `run_once` is one session. What is known of it is its state.

Promise I8 (polite): reconnects back off with jitter, from 1 s to 6 s (a camera that answers again is back within 10 s);
a password that never worked is tried once. A camera that is being reconnected stays offline until a key picture came;
only a session that was healthy gets a few seconds in which a reconnect is no outage (CAMERAS.md B13).
"""

import asyncio
from collections.abc import Callable
import contextlib
import logging
import random

from .api import CameraConfig, CameraState, Cause, Duty, Maintenance, PictureState, Problem, Status
from .archive.archive import Archive
from .camera_log import CameraLog
from .clock import Clock, microseconds
from .feed import Feed
from .gate import BeforeMemory, Gate
from .logins import Logins
from .picture.last_picture import LastPicture
from .problem import CameraError
from .recorder import LANDED_S, Recorder
from .rtsp.client import Manners, Session
from .rtsp.url import RtspUrl, parse_url
from .run import Run
from .standing import connects, standing, why_off
from .ticker import Ticker
from .watch import AWAY, NO_PROBLEM, Watch

_LOGGER = logging.getLogger(__name__)

BACK_OFF_S = (1.0, 2.0, 4.0, 6.0)
#: Seconds to wait where trying soon is pointless or impolite (R20, R24).
SLOW_S = {
    Cause.CAMERA_BUSY: 30.0,
    Cause.UDP_ONLY: 300.0,
    Cause.CODEC_UNSUPPORTED: 300.0,
    Cause.NO_VIDEO: 300.0,
    Cause.PATH_NOT_FOUND: 30.0,
}
#: A password that worked before is tried again after these times (O1, B5).
PASSWORD_S = (300.0, 1800.0)
#: A session with pictures for so long was healthy: if it is lost, reconnecting within GRACE_S is no outage.
HEALTHY_S = 10.0
GRACE_S = 4.0
#: A camera that was away and sends what does not begin with a key picture is told as that after so long. Most send one
#: sooner; "smart" codecs every 10 or 20 s.
KEY_WAIT_S = 5.0
#: The disk was found too slow within this time.
OVERLOADED_S = 10.0


def same_session(known: CameraConfig, wanted: CameraConfig) -> bool:
    """Whether a camera's session stays as it is when this is wanted of it."""
    return all(known[key] == wanted[key] for key in ("url", "username", "password", "audio", "connect", "retired"))


class Camera:
    """One camera of a facility. `changed` is called with the camera whenever its state changed for people."""

    def __init__(
        self,
        config: CameraConfig,
        facility: str,
        recorder: Recorder,
        archive: Archive,
        *,
        memory: BeforeMemory,
        clock: Clock,
        ticker: Ticker,
        logins: Logins,
        dialogues: asyncio.Semaphore,
        last_picture: LastPicture,
        maintenance: Callable[[str], Maintenance | None],
        changed: Callable[[Camera], None],
    ) -> None:
        """Prepare; `run` begins. Raises ValueError if the address cannot be read."""
        self.config = config
        self.facility = facility
        self.feed = Feed()
        self.recorder = recorder
        self.archive = archive
        self.last_picture = last_picture
        self.gate = Gate(config["id"], self.feed, recorder, clock, memory)
        self._url: RtspUrl = parse_url(config["url"])[0]
        self._clock = clock
        self._ticker = ticker
        self._logins = logins
        self._dialogues = dialogues
        self._maintenance = maintenance
        self._changed = changed
        self._manners = Manners()
        self._log = CameraLog(config["id"])
        self.watch = Watch(clock)
        if not connects(config):
            self.watch.connect(Status.DISCONNECTED, {"cause": why_off(config).value, "placeholders": {}})
        self._told_status = self.watch.shown
        self._session: Session | None = None
        self._run: Run | None = None
        self._over: asyncio.Future[None] | None = None
        self._retry = asyncio.Event()
        self._failures = 0
        self._password_tries = 0
        self._grace: asyncio.TimerHandle | None = None
        self._connecting_since = 0.0
        self._first_picture_s: float | None = None
        #: Monotonic seconds at which the newest picture of any session came; 0: none yet.
        self._newest = 0.0
        self._reconnects = -1
        self._lost_packets = 0
        self._clock_offset_s: float | None = None
        self._figures_at = clock.monotonic()
        self._figures_bytes = 0
        self._figures_pictures = 0
        self._bitrate = 0.0
        self._fps = 0.0
        self._told_recording = False
        self.feed.on_watched = self._on_watched
        self._told_duty: tuple[Duty, str] | None = None
        #: Why it was away since duty was told last; empty if it was not.
        self._was_away = ""
        self.take(config)

    # What people change -------------------------------------------------------------------------------------------

    def take(self, config: CameraConfig) -> None:
        """Take over what is to be recorded when; the session stays as it is."""
        self.config = config
        self.gate.set(
            record=config["record"] and connects(config),
            wanted=config["wanted"] is not False,
            before_s=config["before_s"],
            after_s=config["after_s"],
        )
        self._tell_duty()

    def retry(self) -> None:
        """Somebody changed something: try now, a refused password once more too."""
        self._logins.forget(self.config["id"])
        self._password_tries = 0
        self._failures = 0
        self._retry.set()

    @property
    def host(self) -> str:
        """Where it is: the host of its address."""
        return self._url.host

    @property
    def port(self) -> int:
        """The port of its address."""
        return self._url.port

    # Running ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Receive this camera until cancelled. One that is not to be connected is left in peace: another `Camera` takes
        its place once it is.
        """
        try:
            if not connects(self.config):
                await asyncio.get_running_loop().create_future()
            while True:
                # Why it ended is kept no longer than this needs it.
                await self._pause(self._failed(await self._try()))
        finally:
            self._end_grace()

    async def _try(self) -> CameraError:
        """One session, unless the camera would refuse it. Returns why there is none."""
        if self._logins.refused(self.config):
            return CameraError(Cause.PASSWORD_WRONG, host=self._url.host, user=self.config["username"])
        return await self.run_once()

    async def run_once(self) -> CameraError:
        """One session, from the connection to its end. Returns why it ended."""
        self._connecting_since = self._clock.monotonic()
        config = self.config
        run = Run(self.feed, self.gate, self._clock)
        session = Session(
            self._url, config["username"], config["password"], audio=config["audio"], sink=run, manners=self._manners
        )
        try:
            # Those that do not answer at all wait for it without holding up the others.
            await session.connect()
            async with self._dialogues:
                await session.open(self._clock.monotonic)
            self._reconnects += 1
            self._logins.worked(config)
            self._password_tries = 0
            await self._receive(session, run)
        except CameraError as error:
            # Without its traceback, which leads to where it was raised and from there back to it: in a ring the session,
            # with all that it had received, would stay until the collector comes, which is seldom.
            return error.with_traceback(None)
        finally:
            if run.pictures:
                self._newest = run.newest
                self.watch.lost()
            self._lost_packets += session.lost_packets
            self._clock_offset_s = self.clock_offset_s
            self._session = self._run = None
            self._figures_bytes = self._figures_pictures = 0
            self.feed.end()
            with contextlib.suppress(CameraError):
                await session.close()
        return CameraError(Cause.CONNECTION_LOST, host=self._url.host, port=self._url.port)

    async def _receive(self, session: Session, run: Run) -> None:
        """Let the ticker read until the session fails."""
        self._session, self._run = session, run
        self._over = asyncio.get_running_loop().create_future()
        self._ticker.add(self._read, live=self.feed.watched)
        try:
            await self._over
        finally:
            self._ticker.remove(self._read)
            self._over = None

    def _read(self) -> None:
        """One read of the session. Whatever it raises ends this camera's session and nothing else."""
        session, over = self._session, self._over
        if session is None or over is None or over.done():
            return
        whole = False
        try:
            session.read(self._clock.monotonic())
            whole = True
        except CameraError as error:
            over.set_exception(error)
            whole = True
        finally:
            if not whole:
                over.set_exception(CameraError(Cause.BAD_ANSWER, host=self._url.host, port=self._url.port))
        if self.watch.connection is not Status.ONLINE or self._grace is not None:
            self._check_online()

    def _check_online(self) -> None:
        """Online is who has sent a key picture. What is told of a camera is true also while it is waited for."""
        run = self._run
        if run is None or not run.pictures:
            told = self.watch.connection in AWAY and self.watch.connection is not Status.UNKNOWN
            long = self._clock.monotonic() - self._connecting_since >= KEY_WAIT_S
            if told and long and self.watch.cause != Cause.NO_KEYFRAME and self._awaits_key:
                self._set_waiting()
            return
        self._end_grace()
        self.last_picture.seen(self.feed)
        self._first_picture_s = run.began - self._connecting_since
        self._log.tell("online", self._clock.monotonic())
        self._set(Status.ONLINE, NO_PROBLEM)

    @property
    def _awaits_key(self) -> bool:
        """Whether a session brings media, and no picture that decoding can begin with."""
        session, run = self._session, self._run
        return session is not None and run is not None and not run.pictures and session.received_bytes > 0

    def _set_waiting(self) -> None:
        error = CameraError(Cause.NO_KEYFRAME, host=self._url.host)
        self._set(error.status, error.problem)

    def _grace_over(self, error: CameraError) -> None:
        """No picture came again so soon."""
        if self._awaits_key:
            self._set_waiting()
        else:
            self._set(error.status, error.problem)

    def _failed(self, error: CameraError) -> float:
        """Tell what happened; returns how long to wait, in seconds."""
        self._log.tell(str(error), self._clock.monotonic())
        lasted = self._clock.monotonic() - self._connecting_since
        healthy = self.watch.connection is Status.ONLINE and lasted >= HEALTHY_S
        if healthy:
            # Not at every picture: who is lost again and again is asked less often (B12).
            self._failures = 0
        if healthy and error.cause is Cause.CONNECTION_LOST and self._grace is None:
            loop = asyncio.get_running_loop()
            self._grace = loop.call_later(GRACE_S, self._grace_over, error)
            return random.uniform(0.0, 0.5)  # noqa: S311  (jitter, no secret)
        self._end_grace()
        self._set(error.status, error.problem)
        if error.cause in (Cause.PASSWORD_WRONG, Cause.PASSWORD_MISSING):
            return self._password_wait()
        self._failures += 1
        wait = BACK_OFF_S[min(self._failures, len(BACK_OFF_S)) - 1]
        if error.cause is not Cause.PATH_NOT_FOUND or self._failures > len(BACK_OFF_S):
            # A camera that starts up may not know its own path yet.
            wait = SLOW_S.get(error.cause, wait)
        if error.cause is Cause.NO_PACKETS and self._failures == 1:
            wait = 0.5
        return wait * random.uniform(0.7, 1.0)  # noqa: S311  (jitter, no secret)

    def _password_wait(self) -> float:
        """How long to wait after a refused login: for ever if it never worked."""
        if not self._logins.has_worked(self.config):
            self._logins.refuse(self.config)
            return float("inf")
        self._password_tries += 1
        return PASSWORD_S[min(self._password_tries, len(PASSWORD_S)) - 1]

    async def _pause(self, seconds: float) -> None:
        self._retry.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if seconds == float("inf") else seconds):
                await self._retry.wait()

    def _end_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    def _on_watched(self, watched: bool) -> None:
        if self._session is not None:
            self._ticker.add(self._read, live=watched)

    # What is known ------------------------------------------------------------------------------------------------

    def _set(self, status: Status, problem: Problem) -> None:
        before = self.watch.connection
        if status is not before and status in AWAY and (before not in AWAY or before is Status.UNKNOWN):
            self.last_picture.gone(self.feed)
        self.watch.connect(status, problem, self._last_picture_us)
        if status in AWAY:
            self._was_away = problem["cause"]
        self.tell_status()

    def see(self, picture: PictureState | None) -> None:
        """What is wrong with its picture now."""
        self.watch.see(picture)
        self.tell_status()

    def tell_status(self) -> None:
        """Tell people if what is shown of this camera is another status or cause than before."""
        if self.watch.shown != self._told_status:
            self._told_status = self.watch.shown
            self._changed(self)

    @property
    def _last_picture_us(self) -> int:
        newest = self._run.newest if self._run is not None and self._run.pictures else self._newest
        return microseconds(newest + self._clock.utc() - self._clock.monotonic()) if newest else 0

    @property
    def recording(self) -> bool:
        """A fragment landed just now, and the volume is there."""
        landed = self.recorder.landed
        return (
            self.gate.open
            and self.archive.volume.writable
            and landed > 0
            and self._clock.monotonic() - landed < LANDED_S
        )

    @property
    def clock_offset_s(self) -> float | None:
        """The camera's own clock minus ours, seconds, as it told last; None if it never did."""
        told = self._session.camera_clock if self._session is not None else None
        if told is None:
            return self._clock_offset_s
        return told - (self._clock.utc() - self._clock.monotonic())

    def check(self) -> None:
        """Once a second: our own clock's steps, and whether recording began or ended."""
        if self._run is not None and self._run.check_clock():
            _LOGGER.warning("camera %s: the clock stepped, a new run begins", self.config["id"])
        self.gate.check()
        self.watch.check()
        self.tell_status()
        told = self._told_duty
        self._tell_duty()
        if self.recording != self._told_recording or told != self._told_duty:
            self._told_recording = self.recording
            self._changed(self)

    def _tell_duty(self) -> None:
        self._told_duty = kind, reason = self._duty()
        away, self._was_away = self._was_away, ""
        if away and kind is Duty.RECORD:
            # It was back before it was told.
            self.archive.duties.tell(self.config["id"], Duty.OFFLINE, away)
        self.archive.duties.tell(self.config["id"], kind, reason)

    def _duty(self) -> tuple[Duty, str]:
        """What the recording of this camera is about now, and why."""
        if not self.config["record"] or not connects(self.config):
            return Duty.OFF, ""
        if not self.gate.wanted:
            return Duty.IDLE, ""
        volume = self.archive.volume
        if not volume.writable and self.archive.looked:
            return Duty.VOLUME, volume.state.value
        if self.watch.connection in AWAY:
            return Duty.OFFLINE, self.watch.cause
        overloaded = self.recorder.overloaded
        if overloaded and self._clock.monotonic() - overloaded < OVERLOADED_S:
            return Duty.OVERLOAD, ""
        return Duty.RECORD, ""

    def renew_figures(self) -> None:
        """Bit rate and frame rate since the last call."""
        now = self._clock.monotonic()
        elapsed, self._figures_at = now - self._figures_at, now
        if self._session is None or self._run is None or elapsed <= 0:
            self._bitrate = self._fps = 0.0
            return
        size, pictures = self._session.received_bytes, self._run.pictures
        self._bitrate = (size - self._figures_bytes) * 8 / elapsed / 1000
        self._fps = (pictures - self._figures_pictures) / elapsed
        self._figures_bytes, self._figures_pictures = size, pictures

    def state(self) -> CameraState:
        """Everything that is known, for the API."""
        stream = self.feed.format
        status, problem, since = self.watch.shown
        maintenance = self._maintenance(self.config["id"])
        clock_offset = self.clock_offset_s
        return {
            "id": self.config["id"],
            "facility": self.facility,
            "status": status.value,
            "since": since,
            "problem": problem,
            "recording": self.recording,
            "recording_wanted": self.gate.wanted,
            "duty": self._duty()[0].value,
            "standing": standing(self.config, maintenance).value,
            "maintenance": maintenance,
            "picture": self.watch.picture,
            "evidence": self.watch.evidence,
            "clock_offset_s": None if clock_offset is None else round(clock_offset, 1),
            "keyframe_s": round(self.feed.key_distance_s, 2) or None,
            "format": None if stream is None else stream.describe(),
            "recorded_s": round(self.recorder.recorded_s, 1),
            "first_picture_s": None if self._first_picture_s is None else round(self._first_picture_s, 3),
            "bitrate_kbps": round(self._bitrate, 1),
            "fps": round(self._fps, 2),
            "last_frame": self._last_picture_us or None,
            "last_picture": self.last_picture.taken_us,
            "reconnects": max(self._reconnects, 0),
            "lost_packets": self._lost_packets + (self._session.lost_packets if self._session else 0),
            "viewers": self.feed.viewers,
        }
