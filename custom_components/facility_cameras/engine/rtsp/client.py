"""One RTSP session with a camera (RFC 2326): from the connection to PLAY, then packets until somebody ends it.

The dialogue lives with what real cameras do (CAMERAS.md, R). Promise I8 (polite): one session, keep-alive at half the
session's time-out within 5 to 30 s, TEARDOWN within 1 s. A signed request that is refused is not repeated (O1).
"""

import asyncio
from collections.abc import Callable
import contextlib
from dataclasses import dataclass
import secrets
from typing import Protocol

from ..api import Cause
from ..codec.pictures import PictureBuilder
from ..media import AudioFormat, Sample, VideoFormat
from ..problem import CameraError
from .auth import Authenticator
from .connection import Connection
from .interleaved import Demultiplexer
from .message import Message, MessageError
from .rtp import Rtcp, RtpTrack
from .sdp import Description, Media, parameter_sets, parse_sdp
from .tracks import VIDEO, audio_track, choose_video
from .url import RtspUrl, base_url, control_url, parse_url, with_host

AGENT = "FacilityCameras"
REDIRECTS = 3
#: The whole dialogue, however slowly each answer trickles.
DIALOGUE_S = 20.0
TEARDOWN_S = 1.0
REPORT_S = 5.0
#: Sessions whose ages differ by less died of the same thing.
ALWAYS_SAME_S = 2.0
#: No media for so long: the session is dead although the connection stands (B2). Stalls of seconds are normal (B3).
SILENCE_S = 8.0
#: A BYE, then silence for so long: reconnect (P17).
GOODBYE_S = 2.0
#: Packets but no picture to begin with for so long (long groups: C3).
KEYFRAME_S = 45.0


class Sink(Protocol):
    """Who takes what a session receives. Called in the event loop, during `Session.read`."""

    def on_video_format(self, video: VideoFormat) -> None:
        """Parameter sets are known or changed; the next picture is a key picture."""

    def on_audio_format(self, audio: AudioFormat) -> None:
        """The session brings audio."""

    def on_picture(self, sample: Sample) -> None:
        """The next picture, its time as extended RTP time."""

    def on_audio(self, sample: Sample) -> None:
        """The next audio frame, its time as extended RTP time."""


@dataclass(slots=True)
class Manners:
    """What was learnt of a camera in earlier sessions."""

    #: GET_PARAMETER, OPTIONS: the keep-alive that the camera understands (R14).
    keep_alive: str = ""
    #: Video alone stayed silent: set up all tracks (R25).
    all_tracks: bool = False
    #: The age in seconds at which the newest session was lost.
    lost_at: float = 0.0

    def lost(self, age: float) -> None:
        """A session was lost at this age. Two lost at the same one: the other keep-alive is tried (R14)."""
        if self.keep_alive and age > ALWAYS_SAME_S and abs(age - self.lost_at) < ALWAYS_SAME_S:
            self.keep_alive = "OPTIONS" if self.keep_alive == "GET_PARAMETER" else "GET_PARAMETER"
            age = 0.0
        self.lost_at = age


class Session:
    """One session. `open`, then `read` again and again, then `close`; everything raises CameraError."""

    def __init__(
        self, url: RtspUrl, username: str, password: str, *, audio: bool, sink: Sink, manners: Manners
    ) -> None:
        """Prepare a session; nothing is sent yet."""
        self._url = url
        self._login = Authenticator(username, password)
        self._want_audio = audio
        self._sink = sink
        self._manners = manners
        self._connection: Connection | None = None
        self._demultiplexer = Demultiplexer(self._on_message)
        self._session = ""
        self._timeout = 60.0
        self._aggregate = ""
        self._public = ""
        self._early = b""
        self._source = secrets.randbits(32)
        self._video: RtpTrack | None = None
        self._pictures: PictureBuilder | None = None
        self._tracks: list[RtpTrack] = []
        self._rtcp = Rtcp(self._on_camera_clock)
        self._started = 0.0
        self._last_media = 0.0
        self._seen = 0
        self._last_alive = 0.0
        self._last_report = 0.0
        self._report_channel = 1
        self._renewing = False
        self._shut_out = False
        self._had_picture = False
        #: The camera's own clock (seconds since 1970) minus monotonic time, from its newest sender report.
        self.camera_clock: float | None = None
        #: True once the camera accepted a signed request (or needed none).
        self.let_in = False

    # Dialogue -----------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Open the connection; `open` does so where this was not called before."""
        self._connection = await Connection.connect(self._url)

    async def open(self, monotonic: Callable[[], float]) -> None:
        """Have the dialogue up to PLAY, within 20 s over all. `monotonic` tells the time in seconds."""
        try:
            async with asyncio.timeout(DIALOGUE_S):
                for _ in range(REDIRECTS + 1):
                    target = await self._try_open()
                    if target is None:
                        break
                    self._follow(target)
                else:
                    raise self._bad_answer()
        except TimeoutError:
            raise self._bad_answer() from None
        now = monotonic()
        self._started = self._last_media = self._last_alive = self._last_report = now
        self._early = self._connected().begin_playing()

    async def _try_open(self) -> str | None:
        """The whole dialogue once. Returns an address if the camera redirects, None if it plays."""
        if self._connection is None:
            await self.connect()
        await self._options()
        try:
            described = await self._send("DESCRIBE", str(self._url), {"Accept": "application/sdp"})
        except CameraError as error:
            if error.cause is not Cause.CONNECTION_LOST or not self._login.used:
                raise
            # Some close the connection behind their 401: once more on a new one, with the login at once.
            self._connected().close()
            await self.connect()
            described = await self._send("DESCRIBE", str(self._url), {"Accept": "application/sdp"})
        if described.status in (301, 302, 303, 307, 308):
            self._connected().close()
            self._connection = None
            return described.header("location")
        self._expect(described)
        self.let_in = True
        description = parse_sdp(described.body)
        base = base_url(self._url, described.header("content-base"), described.header("content-location"))
        self._aggregate = control_url(base, description.control)
        await self._setup_all(description, base)
        played = await self._send("PLAY", self._aggregate, {"Range": "npt=0.000-"})
        if played.status == 404 and self._aggregate != str(self._url):
            self._aggregate = str(self._url)
            played = await self._send("PLAY", self._aggregate, {"Range": "npt=0.000-"})
        self._expect(played)
        return None

    async def _options(self) -> None:
        """Ask what the camera can do. The answer is only informative (R27); a challenge in it saves a round."""
        answer = await self._send_once("OPTIONS", str(self._url), {})
        self._public = answer.header("public").upper()
        if answer.status == 401:
            self._login.challenged(answer.headers.get("www-authenticate", []))

    def _follow(self, location: str) -> None:
        """Go where the camera points; the login goes only to the same host, and never to an address of another kind."""
        try:
            target, _, _ = parse_url(location)
        except ValueError:
            raise self._bad_answer() from None
        # Another address asks in its own way: nothing learnt from the first one holds there.
        login = self._login.anew() if target.host == self._url.host else Authenticator("", "")
        self._login, self._url = login, target

    async def _setup_all(self, description: Description, base: str) -> None:
        media, payload = choose_video(description, self._url)
        pictures = VIDEO[payload.codec](self._sink.on_picture, self._sink.on_video_format)
        pictures.parameter_sets(parameter_sets(payload))
        self._pictures = pictures
        track = RtpTrack(pictures, payload.number, payload.clock or 90_000)
        await self._setup(media, base, 0, track, self._rtcp)
        self._video = track
        self._tracks.append(track)
        channel = 2
        for other in description.media:
            if other is media:
                continue
            wanted = self._want_audio and len(self._tracks) == 1 and other.kind == "audio"
            audio = audio_track(other, self._sink.on_audio) if wanted else None
            if audio is None and not self._manners.all_tracks:
                continue
            # A failed extra track is not an error (R25).
            with contextlib.suppress(CameraError):
                await self._setup(other, base, channel, audio[0] if audio else None, None)
                if audio is not None:
                    self._tracks.append(audio[0])
                    self._sink.on_audio_format(audio[1])
            channel += 2

    async def _setup(self, media: Media, base: str, channel: int, track: RtpTrack | None, rtcp: Rtcp | None) -> None:
        """SETUP one medium over TCP and bind its channels: the numbers of the answer win (R19)."""
        address = control_url(base, media.control) if media.control else self._aggregate
        headers = {"Transport": f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"}
        answer = await self._send("SETUP", address, headers)
        if answer.status == 404 and with_host(address, self._url) != address:
            answer = await self._send("SETUP", with_host(address, self._url), headers)
        if answer.status in (461, 406):
            raise CameraError(Cause.UDP_ONLY, host=self._url.host, path=self._url.shown)
        self._expect(answer)
        transport = [part.strip().lower() for part in answer.header("transport").split(";")]
        if transport[0] in ("rtp/avp", "rtp/avp/udp") and not any(part.startswith("interleaved") for part in transport):
            raise CameraError(Cause.UDP_ONLY, host=self._url.host, path=self._url.shown)
        first = channel
        for part in transport:
            name, _, value = part.partition("=")
            number = value.partition("-")[0].strip()
            if name.strip() == "interleaved" and number.isascii() and number.isdigit() and int(number) < 255:
                first = int(number)
            elif name.strip() == "ssrc" and track is not None:
                with contextlib.suppress(ValueError):
                    track.announced = int(value[:16], 16)  # R21: a bad one is never heard
        if track is not None:
            self._demultiplexer.channel(first, track.frame)
        if rtcp is not None:
            self._report_channel = first + 1
            self._demultiplexer.channel(first + 1, rtcp.frame)

    async def _send(self, method: str, url: str, headers: dict[str, str]) -> Message:
        """Send a request; where the camera asks for a login, once more with it (or with its new nonce, R12)."""
        answer = await self._send_once(method, url, headers)
        if answer.status == 401:
            values = answer.headers.get("www-authenticate", [])
            again = self._login.renewed(values) if self.let_in else self._login.challenged(values)
            if again:
                answer = await self._send_once(method, url, headers)
                if answer.status == 401 and self._login.challenged(answer.headers.get("www-authenticate", [])):
                    answer = await self._send_once(method, url, headers)  # stale=true: the password was not judged
        return answer

    async def _send_once(self, method: str, url: str, headers: dict[str, str]) -> Message:
        connection = self._connected()
        answer = await connection.request(method, url, self._headers(method, url, headers))
        session, _, rest = answer.header("session").partition(";")
        if session and not self._session:
            self._session = session.strip()  # R17: the first one counts
        name, _, value = rest.strip().partition("=")
        if name.strip().lower() == "timeout":
            text = value.strip().strip('"')
            self._timeout = float(text) if text.isascii() and text.isdigit() and 0 < int(text) < 86400 else 60.0
        return answer

    def _headers(self, method: str, url: str, headers: dict[str, str]) -> dict[str, str]:
        complete = {"User-Agent": AGENT, **headers}
        if self._session:
            complete["Session"] = self._session
        authorization = self._login.header(method, url)
        if authorization is not None:
            complete["Authorization"] = authorization
        return complete

    def _connected(self) -> Connection:
        if self._connection is None:
            raise CameraError(Cause.CONNECTION_LOST, host=self._url.host, port=self._url.port)
        return self._connection

    def _bad_answer(self) -> CameraError:
        return CameraError(Cause.BAD_ANSWER, host=self._url.host, port=self._url.port)

    def _expect(self, answer: Message) -> None:
        """Raise what an answer that is not 2xx means."""
        status = answer.status
        if 200 <= status < 300:
            return
        if status == 401:
            if self._login.has_login:
                raise CameraError(Cause.PASSWORD_WRONG, host=self._url.host, user=self._login.username)
            raise CameraError(Cause.PASSWORD_MISSING, host=self._url.host)
        if status == 404:
            raise CameraError(Cause.PATH_NOT_FOUND, host=self._url.host, path=self._url.shown)
        if status in (453, 503):
            raise CameraError(Cause.CAMERA_BUSY, host=self._url.host, status=status)
        raise CameraError(Cause.CAMERA_ERROR, host=self._url.host, status=status)

    # Playing ------------------------------------------------------------------------------------------------------

    def read(self, now: float) -> None:
        """Take all that has arrived since the last read, and do what is due."""
        connection = self._connected()
        try:
            data = connection.read()
        except CameraError:
            self._manners.lost(now - self._started)
            raise
        if self._early:
            data, self._early = self._early + data, b""
        if data:
            for track in self._tracks:
                track.now = now
            try:
                self._demultiplexer.feed(data)
            except MessageError:
                raise self._bad_answer() from None
            if self._pictures is not None:
                self._pictures.check_bounds()
        self._watch(now)
        if now - self._last_alive >= min(max(self._timeout / 2, 5.0), 30.0):
            self._last_alive = now
            self._keep_alive()
        if now - self._last_report >= REPORT_S and self._video is not None and self._video.received:
            self._last_report = now
            connection.send(bytes((0x24, self._report_channel, 0, 32)) + self._video.receiver_report(self._source))

    def _watch(self, now: float) -> None:
        """Raise what silence means."""
        video = self._video
        if video is None:
            return
        if video.received != self._seen:
            self._seen = video.received
            self._last_media = now
            self._rtcp.goodbye = False
        silent = now - self._last_media
        if silent > SILENCE_S:
            self._manners.all_tracks = self._manners.all_tracks or not video.received
            raise CameraError(Cause.NO_PACKETS, host=self._url.host, seconds=round(SILENCE_S))
        if self._rtcp.goodbye and silent > GOODBYE_S:
            raise CameraError(Cause.CONNECTION_LOST, host=self._url.host, port=self._url.port)
        if self._pictures is not None:
            self._had_picture = self._had_picture or not self._pictures.waiting
            if not self._had_picture and now - self._started > KEYFRAME_S:
                raise CameraError(Cause.NO_KEYFRAME, host=self._url.host, seconds=round(KEYFRAME_S))

    def _keep_alive(self) -> None:
        method = self._manners.keep_alive or ("GET_PARAMETER" if "GET_PARAMETER" in self._public else "OPTIONS")
        self._manners.keep_alive = method
        headers = self._headers(method, self._aggregate, {})
        if self._shut_out:
            # OPTIONS needs no login with most.
            method = "OPTIONS"
            headers.pop("Authorization", None)
        self._connected().send_request(method, self._aggregate, headers)

    def _on_message(self, message: Message) -> None:
        if message.method:
            self._connected().send_answer(message)
        elif message.status == 401:
            if self._shut_out:
                return
            # If the login is not valid any more although media still come: not one more try (O1).
            self._shut_out = self._renewing or not self._login.renewed(message.headers.get("www-authenticate", []))
            self._renewing = True
            self._keep_alive()
        elif message.status >= 400 and self._manners.keep_alive == "GET_PARAMETER":
            self._manners.keep_alive = "OPTIONS"  # R14
        else:
            self._renewing = False

    def _on_camera_clock(self, seconds: float) -> None:
        self.camera_clock = seconds - (self._video.now if self._video else 0.0)

    @property
    def received_bytes(self) -> int:
        """Payload bytes so far."""
        return sum(track.bytes for track in self._tracks)

    @property
    def lost_packets(self) -> int:
        """Packets that never came, so far."""
        return sum(track.lost for track in self._tracks)

    async def close(self) -> None:
        """TEARDOWN, within a second, and close."""
        # These lead back here: without them what was received goes with the session, not when the collector comes.
        self._demultiplexer, self._rtcp = Demultiplexer(lambda _message: None), Rtcp(lambda _clock: None)
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if self._session:
                headers = self._headers("TEARDOWN", self._aggregate or str(self._url), {})
                request = connection.write("TEARDOWN", self._aggregate or str(self._url), headers)
                await connection.leave(request, TEARDOWN_S)
        finally:
            connection.close()
