"""The RTSP dialogue with one viewer, from its first byte to its last."""

import asyncio
from collections.abc import Callable
import re
import secrets

from ..feed import Feed
from ..media import StreamFormat
from .auth import Auth
from .description import AUDIO, VIDEO, describe, heard
from .request import BadRequestError, Request, read_request
from .viewer import Viewer

#: Announced; a viewer sends something at least so often.
SESSION_S = 60
#: How long the next request may take: before the password was right, before PLAY, and after it. libav says nothing while
#: nothing comes, and a camera may be away for long.
STRANGER_S = 10.0
PREPARE_S = 60.0
PLAYING_S = 3600.0
#: How long DESCRIBE waits for a camera that has not sent a picture yet.
FORMAT_WAIT_S = 3.0
REFUSALS_MAX = 4

_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, SET_PARAMETER, TEARDOWN"
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    503: "Service Unavailable",
}
_INTERLEAVED = re.compile(r"interleaved=(\d{1,3})-(\d{1,3})(?!\d)")


class Connection:
    """One viewer's connection; `viewer` is there from its first SETUP on."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        secret: str,
        feeds: Callable[[str], Feed | None],
    ) -> None:
        """`feeds` gives the feed of a camera's id."""
        self.viewer: Viewer | None = None
        self._reader = reader
        self._writer = writer
        self._auth = Auth(secret)
        self._feeds = feeds
        self._trusted = False
        self._refusals = 0
        self._session = secrets.token_hex(8)

    async def run(self) -> None:
        """Serve until the viewer leaves, is silent for too long or sends what is no RTSP."""
        try:
            await self._serve()
        except BadRequestError:
            self._answer("0", 400)
        except TimeoutError:
            pass
        finally:
            if self.viewer is not None:
                self.viewer.stop()
            self._writer.close()

    def abort(self) -> None:
        """Close at once."""
        self._writer.transport.abort()

    async def _serve(self) -> None:
        while True:
            playing = self.viewer is not None and self.viewer.playing
            async with asyncio.timeout(PLAYING_S if playing else PREPARE_S if self._trusted else STRANGER_S):
                request = await read_request(self._reader)
            if request is None:
                return
            if request.method == "OPTIONS":
                self._answer(request.cseq, 200, f"Public: {_METHODS}")
            elif not self._allowed(request):
                if self._refusals >= REFUSALS_MAX:
                    return
            elif request.method == "TEARDOWN":
                self._answer(request.cseq, 200)
                return
            else:
                await self._handle(request)

    def _allowed(self, request: Request) -> bool:
        """Whether the password was right, now or before on this connection; otherwise answers."""
        given = request.headers.get("authorization", "")
        if not self._trusted and not self._auth.allows(request.method, given):
            self._refusals += 1
            self._answer(request.cseq, 401, *(f"WWW-Authenticate: {one}" for one in self._auth.challenges()))
            return False
        self._trusted = True
        return True

    async def _handle(self, request: Request) -> None:
        match request.method:
            case "DESCRIBE":
                await self._describe(request)
            case "SETUP":
                await self._set_up(request)
            case "PLAY":
                self._play(request)
            case "GET_PARAMETER" | "SET_PARAMETER":
                self._answer(request.cseq, 200, self._session_line())
            case _:
                self._answer(request.cseq, 405, f"Allow: {_METHODS}")

    async def _describe(self, request: Request) -> None:
        found = await self._stream(request)
        if found is not None:
            feed, stream = found
            lines = (f"Content-Base: {request.base()}", "Content-Type: application/sdp")
            self._answer(request.cseq, 200, *lines, body=describe(heard(feed, stream)))

    async def _set_up(self, request: Request) -> None:
        camera_id, name = request.target()
        channels = _channels(request.headers.get("transport", ""), 2 if name == AUDIO else 0)
        if self.viewer is not None and (self.viewer.playing or self.viewer.camera_id != camera_id):
            self._answer(request.cseq, 455)
        elif channels is None:
            self._answer(request.cseq, 461)
        elif (found := await self._stream(request)) is not None:
            feed, stream = found
            if name not in (VIDEO, AUDIO) or (name == AUDIO and stream.audio is None):
                self._answer(request.cseq, 404)
                return
            if self.viewer is None:
                self.viewer = Viewer(camera_id, feed, stream, self._writer.transport)
            self.viewer.set_up(name, *channels)
            transport = f"Transport: RTP/AVP/TCP;unicast;interleaved={channels[0]}-{channels[1]}"
            self._answer(request.cseq, 200, transport, self._session_line())

    def _play(self, request: Request) -> None:
        if self.viewer is None:
            self._answer(request.cseq, 455)
            return
        self._answer(request.cseq, 200, self._session_line())
        if not self.viewer.playing:
            self.viewer.play(probes=request.headers.get("user-agent", "").startswith("Lavf"))

    async def _stream(self, request: Request) -> tuple[Feed, StreamFormat] | None:
        """The asked camera's feed and format, waited for a little; otherwise answers."""
        feed = self._feeds(request.target()[0])
        if feed is None:
            self._answer(request.cseq, 404)
            return None
        stream = feed.format or await _first_format(feed)
        if stream is None:
            self._answer(request.cseq, 503)
            return None
        return feed, stream

    def _session_line(self) -> str:
        return f"Session: {self._session};timeout={SESSION_S}"

    def _answer(self, cseq: str, code: int, *lines: str, body: bytes = b"") -> None:
        if self._writer.transport.is_closing():
            return
        length = (f"Content-Length: {len(body)}",) if body else ()
        head = "\r\n".join((f"RTSP/1.0 {code} {_REASONS[code]}", f"CSeq: {cseq}", *lines, *length, "", ""))
        self._writer.write(head.encode() + body)


def _channels(transport: str, first: int) -> tuple[int, int] | None:
    """The interleaved channels of the first offer that has TCP; None if none has. `first` is taken if it names none."""
    for offer in transport.split(","):
        if "/TCP" not in offer.upper():
            continue
        asked = _INTERLEAVED.search(offer)
        channels = (int(asked[1]), int(asked[2])) if asked else (first, first + 1)
        return channels if max(channels) <= 255 else None
    return None


class _FormatWaiter:
    """A listener that waits for the first format."""

    def __init__(self) -> None:
        self.format: asyncio.Future[StreamFormat] = asyncio.get_running_loop().create_future()

    def on_format(self, stream: StreamFormat) -> None:
        """What was waited for."""
        if not self.format.done():
            self.format.set_result(stream)

    def on_sample(self, sample: object) -> None:
        """Not waited for."""

    def on_gap(self) -> None:
        """Not waited for."""


async def _first_format(feed: Feed) -> StreamFormat | None:
    waiter = _FormatWaiter()
    feed.add(waiter, live=False)
    try:
        async with asyncio.timeout(FORMAT_WAIT_S):
            return await waiter.format
    except TimeoutError:
        return None
    finally:
        feed.remove(waiter, live=False)
