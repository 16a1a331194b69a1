"""The RTSP/1.0 dialogue of one connection to a camera (RFC 2326), with the quirks that its behaviour names."""

import asyncio
from dataclasses import dataclass
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote

from .auth import Verdict
from .media import Session, Track
from .routes import Datagrams, Interleaved
from .sdp import INNER

if TYPE_CHECKING:
    from .camera import Camera
    from .stream import Stream

#: Longest request, and most bytes that wait to be read or dripped out.
_LIMIT = 64 << 10
_REASONS = {
    200: "OK",
    301: "Moved Permanently",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    453: "Not Enough Bandwidth",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}
_TRACK = re.compile(r"/?trackID=([0-9]{1,3})/?$")
_NUMBER = re.compile("[0-9]{1,9}")


@dataclass(slots=True)
class Request:
    """One request; names of headers are in lower case."""

    method: str
    uri: str
    headers: dict[str, str]


class Connection(asyncio.Protocol):
    """One TCP connection to a camera."""

    def __init__(self, camera: Camera) -> None:
        """Wait for requests to `camera`."""
        self._camera = camera
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._drip = bytearray()
        self._asked = 0
        self.peer = ""
        self.born = time.monotonic()
        self.sessions: dict[str, Session] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.peer = transport.get_extra_info("peername")[0]
        self._camera.connections.add(self)

    def connection_lost(self, _exc: Exception | None, /) -> None:
        """See asyncio.Protocol."""
        self._camera.connections.discard(self)
        self._camera.forget(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._camera.silent:
            return
        self._buffer += data
        while self._buffer and self._next():
            pass
        if len(self._buffer) > _LIMIT:
            self.close()

    def write(self, data: bytes | bytearray) -> None:
        """Send, or swallow or drip, as the camera's faults want it."""
        if self._camera.silent or self._transport is None:
            return
        if self._camera.slow:
            if len(self._drip) < _LIMIT:
                self._drip += data
            return
        self._transport.write(data)

    def ask(self) -> None:
        """Send a request, after loose line ends."""
        self._asked += 1
        self.write(f"\r\n\r\nOPTIONS * RTSP/1.0\r\nCSeq: {self._asked}\r\n\r\n".encode())

    def drip(self) -> None:
        """Send one byte of what waits; called once a second while the camera is slow."""
        if self._drip and self._transport is not None and not self._camera.silent:
            self._transport.write(bytes(self._drip[:1]))
            del self._drip[:1]

    def undrip(self) -> None:
        """Send all that waits: the camera is fast again."""
        if self._drip and self._transport is not None:
            self._transport.write(bytes(self._drip))
            self._drip.clear()

    @property
    def backlog(self) -> int:
        """Bytes written but not yet taken by the system."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def close(self) -> None:
        """Send what is written, then close."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _next(self) -> bool:
        """Take one message from the buffer; False if it is not complete."""
        buffer = self._buffer
        if buffer[0] == 0x24:
            if len(buffer) < 4:
                return False
            size = 4 + int.from_bytes(buffer[2:4])
            if len(buffer) < size:
                return False
            del buffer[:size]
            self._camera.heard_report(self.sessions.values())
            return True
        if buffer[0] in b"\r\n":
            del buffer[:1]
            return True
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = buffer[:end].decode("utf-8", "replace").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        length = headers.get("content-length", "0")
        size = end + 4 + (int(length) if _NUMBER.fullmatch(length) else 0)
        if size > _LIMIT:
            self.close()
            return False
        if len(buffer) < size:
            return False
        del buffer[:size]
        words = lines[0].split(" ")
        if words[0].startswith("RTSP/"):
            # An answer to what this camera asked.
            return True
        if len(words) != 3 or not words[2].startswith("RTSP/"):
            self._answer(Request("", "", headers), 400)
            return True
        self._handle(Request(words[0], words[1], headers))
        return True

    def _handle(self, request: Request) -> None:
        camera = self._camera
        behaviour = camera.behaviour
        if request.method == "OPTIONS":
            self._touch(request)
            self._answer(request, 200, [("Public", ", ".join(behaviour.methods))])
            return
        verdict = camera.guard.judge(request.method, request.uri, request.headers.get("authorization"))
        if verdict is not Verdict.GOOD or (behaviour.needs_agent and "user-agent" not in request.headers):
            challenges = camera.guard.challenges(stale=verdict is Verdict.STALE)
            if behaviour.joined_challenges:
                challenges = [", ".join(challenges)]
            self._answer(request, 401, [("WWW-Authenticate", value) for value in challenges])
            return
        self._touch(request)
        match request.method:
            case "DESCRIBE":
                self._describe(request)
            case "SETUP":
                self._setup(request)
            case "PLAY":
                self._play(request)
            case "PAUSE":
                self._pause(request)
            case "TEARDOWN":
                self._teardown(request)
            case "GET_PARAMETER" | "SET_PARAMETER":
                self._parameter(request)
            case _:
                self._answer(request, 501)

    def _touch(self, request: Request) -> None:
        session = self._session(request)
        if session is not None and request.method in self._camera.behaviour.keepalive:
            session.alive = time.monotonic()

    def _session(self, request: Request) -> Session | None:
        return self._camera.sessions.get(request.headers.get("session", "").partition(";")[0].strip())

    def _locate(self, uri: str) -> tuple[Stream | None, int | None]:
        """The stream and the number of the track that `uri` names."""
        rest = uri.split("/", 3)[3] if uri.startswith("rtsp://") and uri.count("/") > 2 else uri.lstrip("/")
        number = None
        if found := _TRACK.search(rest):
            number, rest = int(found[1]), rest[: found.start()]
        rest = rest.rstrip("/")
        if self._camera.hidden:
            return None, number
        for path, stream in self._camera.streams.items():
            if rest in (path, f"moved/{path}") or unquote(rest) == path:
                return stream, number
        return None, number

    def _describe(self, request: Request) -> None:
        stream, _ = self._locate(request.uri)
        if stream is None:
            self._answer(request, 404)
            return
        behaviour = self._camera.behaviour
        if behaviour.describe_hangs:
            return
        base = request.uri.rstrip("/")
        path = stream.spec.path
        if behaviour.redirect and f"/moved/{path}" not in base:
            self._answer(request, 301, [("Location", f"{base.removesuffix(path)}moved/{path}")])
            return
        bases = {"slash": f"{base}/", "bare": base, "none": "", "path": f"/{path}/", "inner": f"{INNER}/{path}/"}
        headers = [("Content-Type", "application/sdp")] if behaviour.describe_headers != "no_type" else []
        if value := bases[behaviour.base]:
            headers.append(("Content-Base", value))
        self._answer(request, 200, headers, stream.describe(base))

    def _setup(self, request: Request) -> None:
        camera, behaviour = self._camera, self._camera.behaviour
        stream, number = self._locate(request.uri)
        session = self._session(request)
        if stream is None and session is not None and request.uri.startswith(INNER):
            stream = camera.streams[session.path]
        if stream is None:
            self._answer(request, 404)
            return
        number = number or 0
        timeline = stream.timelines.get(number)
        if timeline is None:
            self._answer(request, 404)
            return
        if number > 0 and behaviour.audio_setup != 200:
            self._answer(request, behaviour.audio_setup)
            return
        if session is None:
            if camera.busy or len(camera.sessions) >= camera.spec.max_sessions:
                if behaviour.over_limit == "close":
                    self.close()
                else:
                    self._answer(request, int(behaviour.over_limit))
                return
            wanted = len(stream.timelines) if behaviour.all_tracks else 1
            session = Session(stream.spec.path, wanted, camera.spec.session_timeout, time.monotonic())
        for offer in request.headers.get("transport", "").split(","):
            route, transport = self._route(offer)
            if route is None:
                continue
            track = Track(
                timeline,
                route,
                equal_times=behaviour.equal_times and number == 0,
                foreign_reports=behaviour.reports == "foreign",
            )
            if behaviour.near_wrap:
                track.wrap_soon(camera.seconds())
            if number in session.tracks:
                session.tracks[number].route.close()
            session.tracks[number] = track
            camera.sessions[session.id] = session
            if isinstance(route, Interleaved):
                self.sessions[session.id] = session
            source = {"good": f"{track.source:08X}", "wrong": f"{track.source ^ 1:08X}", "odd": " 4294967296x"}
            if behaviour.ssrc != "none":
                transport += f";ssrc={source[behaviour.ssrc]}"
            name, value = self._session_header(session)
            if behaviour.changing_session and len(session.tracks) > 1:
                value = value.replace(session.id, session.id[::-1])
            self._answer(request, 200, [("Transport", transport), (name, value)])
            return
        self._answer(request, 461)

    def _route(self, offer: str) -> tuple[Interleaved | Datagrams | None, str]:
        parts = [part.strip() for part in offer.split(";")]
        keys = dict(part.partition("=")[::2] for part in parts)
        transports = self._camera.behaviour.transports
        if parts[0].upper() == "RTP/AVP/TCP" and "tcp" in transports:
            first = keys.get("interleaved", "0-1").partition("-")[0]
            channel = (int(first) if _NUMBER.fullmatch(first) else 0) + self._camera.behaviour.channel_shift
            if channel > 254:
                return None, ""
            return Interleaved(self, channel), f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
        if parts[0].upper() in ("RTP/AVP", "RTP/AVP/UDP") and "udp" in transports and "multicast" not in parts:
            ports = keys.get("client_port", "").partition("-")
            if not _NUMBER.fullmatch(ports[0]):
                return None, ""
            first_port = int(ports[0])
            second_port = int(ports[2]) if _NUMBER.fullmatch(ports[2]) else first_port + 1
            if not 0 < first_port < 65536 or not 0 < second_port < 65536:
                return None, ""
            camera = self._camera
            try:
                route = Datagrams(
                    camera.spec.host, self.peer, (first_port, second_port), silent=lambda: camera.silent or camera.slow
                )
            except OSError:
                # No ports are left.
                return None, ""
            own = f"{route.ports[0]}-{route.ports[1]}"
            return route, f"RTP/AVP;unicast;client_port={first_port}-{second_port};server_port={own}"
        return None, ""

    def _session_header(self, session: Session) -> tuple[str, str]:
        text = self._camera.behaviour.timeout_text.format(timeout=int(session.timeout))
        return "Session", session.id + text

    def _play(self, request: Request) -> None:
        session = self._session(request)
        if session is None:
            self._answer(request, 454)
            return
        camera, behaviour = self._camera, self._camera.behaviour
        if behaviour.play_timeout is not None:
            session.timeout = behaviour.play_timeout
        if behaviour.early_media:
            camera.play(session, self)
        headers = [self._session_header(session), ("Range", "npt=0.000-")]
        base = request.uri.rstrip("/")
        infos = []
        for number, track in session.tracks.items():
            following = camera.join(track)
            seq, rtptime = track.sequence, track.rtp_time(following)
            if behaviour.rtp_info == "wrong":
                seq, rtptime = 0, -1
            infos.append(f"url={base}/trackID={number};seq={seq};rtptime={rtptime}")
        if behaviour.rtp_info != "none":
            headers.append(("RTP-Info", ",".join(infos) + (";" if behaviour.rtp_info == "wrong" else "")))
        self._answer(request, 200, headers)
        camera.play(session, self)

    def _pause(self, request: Request) -> None:
        session = self._session(request)
        if session is None:
            self._answer(request, 454)
            return
        session.playing = False
        for track in session.tracks.values():
            track.following = None
        self._answer(request, 200, [self._session_header(session)])

    def _teardown(self, request: Request) -> None:
        session = self._session(request)
        if session is None:
            self._answer(request, 454)
            return
        if self._camera.behaviour.teardown == "hangs":
            return
        self._camera.end_session(session)
        self._answer(request, 200)

    def _parameter(self, request: Request) -> None:
        match self._camera.behaviour.parameter:
            case "refused":
                self._answer(request, 501)
            case "fatal":
                self.close()
            case "ok":
                session = self._session(request)
                if session is None and "session" in request.headers:
                    self._answer(request, 454)
                else:
                    self._answer(request, 200, [self._session_header(session)] if session else [])
            case "ignored":
                return

    def _answer(
        self, request: Request, code: int, headers: list[tuple[str, str]] | None = None, body: bytes = b""
    ) -> None:
        behaviour = self._camera.behaviour
        lines = [f"RTSP/1.0 {code}" + ("" if behaviour.terse_status else f" {_REASONS[code]}")]
        every = [("CSeq", request.headers.get("cseq", "0"))] if not behaviour.no_cseq else []
        every += [("Server", f"{self._camera.spec.maker} RTSP"), *(headers or [])]
        if body and behaviour.describe_headers != "no_length":
            every.append(("Content-Length", str(len(body))))
        for name, value in every:
            name = name.lower() if behaviour.lower_case else name
            lines.append(f"{name}:       {value} " if behaviour.padded else f"{name}: {value}")
        self.write("\r\n".join([*lines, "", ""]).encode() + body)
