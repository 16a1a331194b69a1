"""The ONVIF service of one simulated camera: SOAP over HTTP, log-ins, still pictures.

`serve` starts it. It is what onvif-zeep-async and Home Assistant's own ONVIF integration talk to; quirks of CAMERAS.md
section 5 come from the description, or while it runs by `behave` and `PUT /simulator/quirks` with a JSON list of names.
What it does not offer (events, PTZ, imaging) it refuses as ONVIF says.
"""

from collections.abc import Callable, Mapping
from email.utils import formatdate
import json
import time
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web

from .auth import Guard, Verdict
from .listener import Listener
from .onvif_device import OPEN, PATHS, DeviceService
from .onvif_media import SNAPSHOT_PATH, MediaService
from .onvif_quirks import ONVIF_QUIRKS, habits_of
from .soap import FaultError, Node, Request, envelope, fault_body, namespace_of, read_request
from .spec import CameraSpec
from .wsse import Lock, TokenJudge

#: Of a network that is not this one.
_INNER = "192.168.1.64"
_REALM = "IP Camera"
_WEB_PAGE = "<!DOCTYPE html><html><head><title>Router</title><body><p>Welcome<br></body></html>"


class Camera(Protocol):
    """What the service uses of a camera."""

    @property
    def spec(self) -> CameraSpec:
        """Its description."""

    @property
    def password(self) -> str:
        """The password that is right now."""

    def url(self, stream: str | None = None, *, login: bool = True) -> str:
        """The RTSP address of a stream by name."""

    def now(self) -> float:
        """Its clock, seconds since 1970."""

    async def snapshot(self) -> bytes:
        """What it sees, as JPEG."""


class OnvifService:
    """One camera's ONVIF service."""

    def __init__(self, camera: Camera, host: str, port: int, clock: Callable[[], float]) -> None:
        """Nothing is taken yet; port 0 is one that the system will choose."""
        spec = camera.spec
        self._camera = camera
        self.quirks: tuple[str, ...] = tuple(name for name in spec.quirks if name in ONVIF_QUIRKS)
        self.habits = habits_of(self.quirks)
        self.lock = Lock(spec.lock_after, spec.lock_seconds, clock)
        #: Operations asked for since the start, in order, with how the asker logged in ("", "wsse", "digest").
        self.asked: list[tuple[str, str]] = []
        self._tokens = TokenJudge()
        self._clock = clock
        self._guard = self._new_guard()
        app = web.Application(client_max_size=256 * 1024)
        app.on_response_prepare.append(self._date)
        app.router.add_get(SNAPSHOT_PATH, self._snapshot)
        app.router.add_put("/simulator/quirks", self._set_quirks)
        app.router.add_post("/{path:.*}", self._post)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        self._listener = Listener(host, port, self._connection)
        self.host = host

    @property
    def port(self) -> int:
        """The port, once it answers."""
        return self._listener.port

    async def start(self) -> None:
        """Answer. OSError if the port is taken."""
        await self._runner.setup()
        self._listener.open()

    async def shut(self) -> None:
        """Refuse connections."""
        self._listener.shut()
        self._drop()

    async def deafen(self) -> None:
        """Answer nothing, not even that nobody is there."""
        self._listener.deafen()
        self._drop()

    async def open(self) -> None:
        """Answer again."""
        self._listener.open()

    async def close(self) -> None:
        """End for ever."""
        self._listener.close()
        await self._runner.cleanup()

    def behave(self, *quirks: str) -> None:
        """From now on have these quirks and no others. KeyError for an unknown one."""
        for name in quirks:
            ONVIF_QUIRKS[name]
        self.quirks, self.habits = quirks, habits_of(quirks)

    def _new_guard(self) -> Guard:
        return Guard(
            self._camera.spec.username, self._camera.password, ("md5",), self._clock, realm=_REALM, lock_after=0
        )

    def _drop(self) -> None:
        """End the connections that there are."""
        server = self._runner.server
        assert server is not None
        for connection in server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    def _connection(self) -> web.RequestHandler:
        server = self._runner.server
        assert server is not None
        return server()

    # HTTP.

    async def _date(self, _: web.Request, response: web.StreamResponse) -> None:
        """The date by the camera's clock."""
        response.headers["Date"] = formatdate(self._camera.now(), usegmt=True)

    async def _set_quirks(self, request: web.Request) -> web.Response:
        try:
            names = await request.json()
            self.behave(*map(str, names))
        except json.JSONDecodeError, TypeError, KeyError:
            raise web.HTTPBadRequest(text=f"a JSON list of these: {', '.join(ONVIF_QUIRKS)}\n") from None
        return web.json_response(list(self.quirks))

    async def _snapshot(self, request: web.Request) -> web.Response:
        if not self._http_login_good(request):
            return web.Response(status=401, headers=self._challenge())
        return web.Response(body=await self._camera.snapshot(), content_type="image/jpeg")

    async def _post(self, request: web.Request) -> web.Response:
        if self.habits.web_page:
            return web.Response(text=_WEB_PAGE, content_type="text/html")
        if request.path not in PATHS.values() and not request.path.startswith("/onvif/"):
            return web.Response(status=404, text=_WEB_PAGE, content_type="text/html")
        try:
            asked = read_request(await request.read())
            operation = self._operation(asked)
            self._check_login(asked, request)
            return self._answer(operation(asked.operation))
        except _RefusedError as refusal:
            return self._refuse(refusal)
        except FaultError as fault:
            return self._answer(fault_body(fault), fault.status)

    def _answer(self, body: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
        content = envelope(body, declared=self.habits.xml != "undeclared")
        if self.habits.xml == "bad_utf8":
            content = content.replace(self._camera.spec.maker.encode(), b"Maker \xff\xfe\x80")
        return web.Response(body=content, status=status, headers=headers, content_type="application/soap+xml")

    # What is asked.

    def _operation(self, asked: Request) -> Callable[[Node], str]:
        camera, habits = self._camera, self.habits
        spec = camera.spec
        rtsp_port = urlsplit(camera.url(login=False)).port or 554
        device = DeviceService(spec, habits, self._told, camera.now, rtsp_port, self.port)
        media = MediaService(
            spec, habits, self._told, lambda stream: camera.url(stream.name, login=False), self.port, camera.password
        )
        services = {"tds": device.operations, "trt": media.operations1, "tr2": media.operations2}
        for prefix, operations in services.items():
            if asked.namespace == namespace_of(prefix) and asked.operation.name in operations:
                return operations[asked.operation.name]
        self.asked.append((asked.operation.name, ""))
        raise FaultError("ActionNotSupported", "Optional Action Not Implemented")

    def _told(self, path: str) -> str:
        """The URL of a path as the camera tells it (CAMERAS.md O4)."""
        if self.habits.xaddr == "wrong_path" and path in PATHS.values():
            path = f"/old{path}"
        netlocs = {"inner": f"{_INNER}:80", "loopback": "127.0.0.1:65000"}
        return f"http://{netlocs.get(self.habits.xaddr, f'{self.host}:{self.port}')}{path}"

    # Who asks.

    def _check_login(self, asked: Request, request: web.Request) -> None:
        """Raise _RefusedError unless this asker may ask this."""
        name, habits, spec = asked.operation.name, self.habits, self._camera.spec
        wsse = asked.token if "wsse" in habits.logins else None
        digest = "Authorization" in request.headers and "digest" in habits.logins
        self.asked.append((name, "digest" if digest else "wsse" if asked.token is not None else ""))
        wanted = bool(spec.schemes) and (
            name not in OPEN or (name == "GetSystemDateAndTime" and habits.time_needs_login)
        )
        if not wanted:
            return
        if wsse is None and not digest:
            raise _RefusedError(tried_wsse=asked.token is not None)
        if self.lock.closed:
            raise _RefusedError(tried_wsse=not digest)
        if digest:
            good = self._http_login_good(request)
        else:
            assert wsse is not None
            good = self._tokens.good(wsse, spec.username, self._camera.password, self._camera.now())
            self.lock.tried(good=good)
        if not good:
            raise _RefusedError(tried_wsse=not digest)

    def _http_login_good(self, request: web.Request) -> bool:
        if not self._camera.spec.schemes:
            return True
        self._guard.password = self._camera.password
        verdict = self._guard.judge(request.method, request.raw_path, request.headers.get("Authorization"))
        if verdict in (Verdict.GOOD, Verdict.WRONG):
            if self.lock.closed:
                return False
            self.lock.tried(good=verdict is Verdict.GOOD)
        if verdict is Verdict.GOOD and self.habits.one_time_nonces:
            self._guard = self._new_guard()
        return verdict is Verdict.GOOD

    def _challenges(self) -> dict[str, str]:
        return self._challenge() if "digest" in self.habits.logins else {}

    def _challenge(self) -> dict[str, str]:
        return {"WWW-Authenticate": self._guard.challenges()[0]}

    def _refuse(self, refusal: _RefusedError) -> web.Response:
        words = "Sender not authorized"
        if self.habits.tells_attempts and self.lock.failures:
            words = "The account is locked" if self.lock.closed else f"Wrong password, {self.lock.left} attempts left"
        match self.habits.refusal:
            case "400":
                # Only to who tried the other way; who asks without any login is challenged as ever.
                return web.Response(status=400 if refusal.tried_wsse else 401, headers=self._challenges())
            case "html":
                return web.Response(
                    status=401,
                    text="<html><p>Unauthorized</html>",
                    content_type="text/html",
                    headers=self._challenges(),
                )
            case "words":
                return self._answer(fault_body(FaultError("", "Authentication failed: check user name")), 500)
        challenges = self._challenges()
        return self._answer(fault_body(FaultError("NotAuthorized", words)), 401 if challenges else 400, challenges)


class _RefusedError(Exception):
    """Not without a good login."""

    def __init__(self, *, tried_wsse: bool) -> None:
        super().__init__()
        self.tried_wsse = tried_wsse


async def serve(camera: Camera, host: str | None = None, port: int | None = None) -> OnvifService:
    """Start the ONVIF service of a camera, at its own host and HTTP port unless told otherwise."""
    spec = camera.spec
    service = OnvifService(
        camera, spec.host if host is None else host, spec.http_port or 0 if port is None else port, time.monotonic
    )
    try:
        await service.start()
    except OSError:
        await service.close()
        raise
    return service
