"""The engine's API: HTTP/JSON over a Unix socket. docs/engine-api.md tells what each call does.

Only the engine's own user and root are answered (SO_PEERCRED). Every body is bounded; an id that is not known is 404.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
import os
from pathlib import Path
import socket
import struct
from typing import cast

from aiohttp import web
import orjson

from . import footage, server_duty, server_holds, server_pictures, server_standing, server_volume
from .api import API_VERSION, CAMERA_DEFAULTS, FACILITY_DEFAULTS, CameraState, EngineInfo, FacilityConfig, ProbeRequest
from .api_events import Event
from .archive.archive import Archive
from .camera import Camera
from .clock import Clock, microseconds
from .events import Events
from .lane import Lane
from .picture.stills import Stills
from .probe import probe
from .restream import Restream
from .server_clips import ClipCalls
from .supervisor import Supervisor
from .thumbnails import Thumbnails

FIGURES_S = 10.0
BODY_BYTES = 4 << 20
type Kinds = dict[str, type | tuple[type, ...]]

_FACILITY: Kinds = {
    "name": str,
    "archive": str,
    "archive_id": str,
    "days_to_keep": int,
    "quota_bytes": int,
    "least_days": int,
    "second_copy": str,
    "second_copy_id": str,
    "zone": str,
    "cameras": list,
}
_CAMERA: Kinds = {
    "id": str,
    "name": str,
    "url": str,
    "username": str,
    "password": str,
    "audio": bool,
    "record": bool,
    "days_to_keep": int,
    "wanted": (bool, type(None)),
    "before_s": (float, int),
    "after_s": (float, int),
    "sensitivity": str,
    "mask": list,
    "place": str,
    "connect": bool,
    "retired": bool,
    "required": (bool, type(None)),
    "connect_who": str,
    "record_who": str,
}
#: Nobody keeps footage for longer: beyond it times are no times any more.
_DAYS = 36_500

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _json(content: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(content), status=status, content_type="application/json")


def _error(status: int, sentence: str) -> web.Response:
    return _json({"error": sentence}, status)


def _checked(content: object, wanted: Kinds, defaults: Mapping[str, object] | None = None) -> dict[str, object]:
    """`content` if it is an object with these fields; those with a default may be missing. Raises ValueError."""
    if not isinstance(content, dict):
        raise ValueError("an object is wanted")  # noqa: TRY004  (a bad body is a bad value)
    content = {**(defaults or {}), **content}
    for key, kind in wanted.items():
        if not isinstance(content.get(key), kind):
            raise ValueError(f"{key} is missing or of the wrong kind")  # noqa: TRY004
    return {key: content[key] for key in wanted}


def _check_days(facility: dict[str, object], cameras: list[dict[str, object]]) -> None:
    """Whether the numbers that decide what is deleted can be meant. Raises ValueError."""
    if not 1 <= cast("int", facility["days_to_keep"]) <= _DAYS:
        raise ValueError(f"days_to_keep is from 1 to {_DAYS}")
    if not all(0 <= cast("int", one["days_to_keep"]) <= _DAYS for one in cameras):
        raise ValueError(f"days_to_keep of a camera is from 0 to {_DAYS}")
    if not 0 <= cast("int", facility["least_days"]) <= _DAYS:
        raise ValueError(f"least_days is from 0 to {_DAYS}")
    if not 0 <= cast("int", facility["quota_bytes"]) < 1 << 60:
        raise ValueError("quota_bytes is no number of bytes")


@web.middleware
async def _only_ours(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer the same user and root alone."""
    transport = request.transport
    peer: socket.socket | None = transport.get_extra_info("socket") if transport else None
    if peer is None:
        raise web.HTTPForbidden
    _pid, user, _group = struct.unpack(
        "3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    )
    if user not in (0, os.geteuid()):
        raise web.HTTPForbidden
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _error(error.status, error.text or error.reason)


class Server:
    """Answers on a Unix socket until closed."""

    def __init__(
        self,
        supervisor: Supervisor,
        stills: Stills,
        restream: Restream,
        lane: Lane,
        thumbnails: Thumbnails,
        clock: Clock,
        *,
        build: str,
        leash_s: float,
        leave: Callable[[], None],
        routes: Iterable[web.RouteDef] = (),
    ) -> None:
        """Serve this supervisor; `leave` ends the engine. `routes`: calls that others answer."""
        self._supervisor = supervisor
        self._stills = stills
        self._restream = restream
        self._routes = [*ClipCalls(supervisor, lane, thumbnails).routes(), *routes]
        self._clock = clock
        self._build = build
        self._leash_s = leash_s
        self._leave = leave
        self._started = microseconds(clock.utc())
        self.events = Events(clock.monotonic)
        self._runner: web.AppRunner | None = None
        supervisor.on_changed = self._on_changed
        supervisor.protection.on_change = self.events.tell
        supervisor.causes.on_change = lambda cause: self.events.tell({"event": "common_cause", "cause": cause})
        supervisor.on_removed = lambda camera: self.events.tell({"event": "removed", "id": camera})

    async def start(self, path: Path) -> None:
        """Listen on `path`, replacing a socket that is left over. Raises OSError."""
        app = web.Application(middlewares=[_only_ours], client_max_size=BODY_BYTES)
        camera = "/v1/cameras/{camera}"
        app.add_routes(
            [
                web.get("/v1/info", self._get_info),
                web.get("/v1/events", self._get_events),
                web.get("/v1/facilities", self._get_facilities),
                web.put("/v1/facilities/{facility}", self._put_facility),
                web.delete("/v1/facilities/{facility}", self._delete_facility),
                *server_volume.routes(self._supervisor),
                web.put("/v1/restream", self._put_restream),
                web.get("/v1/cameras", self._get_cameras),
                web.post(f"{camera}/retry", self._retry),
                web.get(f"{camera}/spans", self._get_spans),
                web.get(f"{camera}/nearest", self._get_nearest),
                web.get(f"{camera}/size", self._get_size),
                web.get(f"{camera}/segments", self._get_segments),
                web.get(f"{camera}/playlist", self._get_playlist),
                web.get(camera + "/segments/{number:\\d{1,15}}", self._get_segment),
                web.get(camera + "/formats/{number:\\d{1,15}}", self._get_format),
                web.post("/v1/probe", self._probe),
                web.post("/v1/flush", self._flush),
                web.post("/v1/leave", self._post_leave),
                *server_holds.routes(self._supervisor.protection),
                *server_duty.routes(self._supervisor),
                *server_standing.routes(self._supervisor),
                *server_pictures.routes(self._supervisor, self._stills, self._clock),
            ]
        )
        app.add_routes(self._routes)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await asyncio.to_thread(path.unlink, missing_ok=True)
        before = os.umask(0o177)
        try:
            await web.UnixSite(self._runner, str(path)).start()
        finally:
            os.umask(before)

    async def close(self) -> None:
        """End the event streams and stop listening."""
        self.events.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def tell_figures(self) -> None:
        """Every 10 s, the newest figures. Ends only by being cancelled."""
        while True:
            await asyncio.sleep(FIGURES_S)
            self._supervisor.renew_figures()
            self.events.tell(
                {
                    "event": "figures",
                    "cameras": self._supervisor.cameras(),
                    "facilities": await self._supervisor.facilities(),
                    "health": self._supervisor.causes.machine.health(),
                }
            )

    def _on_changed(self, state: CameraState) -> None:
        self.events.tell({"event": "camera", "camera": state})

    def _info(self) -> EngineInfo:
        return {
            "api": API_VERSION,
            "build": self._build,
            "pid": os.getpid(),
            "started": self._started,
            "restream_port": self._supervisor.restream_port,
            "cameras": len(self._supervisor.cameras()),
            "leash_s": self._leash_s,
        }

    # Calls --------------------------------------------------------------------------------------------------------

    async def _get_info(self, _request: web.Request) -> web.Response:
        return _json(self._info())

    async def _get_events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})

        def cut_off() -> None:
            if request.transport is not None:
                request.transport.abort()

        queue = self.events.attach(cut_off)
        try:
            await response.prepare(request)
            event: Event | None = {
                "event": "snapshot",
                "engine": self._info(),
                "cameras": self._supervisor.cameras(),
                "facilities": await self._supervisor.facilities(),
                "health": self._supervisor.causes.machine.health(),
                "common_causes": self._supervisor.causes.lasting,
            }
            while event is not None:
                await response.write(orjson.dumps(event) + b"\n")
                event = await queue.get()
        except ConnectionError:
            pass  # the hub is gone: that is what the leash is for
        finally:
            self.events.detach(queue)
        return response

    async def _get_facilities(self, _request: web.Request) -> web.Response:
        return _json({"facilities": await self._supervisor.facilities()})

    async def _put_facility(self, request: web.Request) -> web.Response:
        try:
            body = orjson.loads(await request.read())
            facility = _checked(body, _FACILITY, FACILITY_DEFAULTS)
            facility["id"] = request.match_info["facility"]
            cameras = [_checked(one, _CAMERA, CAMERA_DEFAULTS) for one in cast("list[object]", facility["cameras"])]
            facility["cameras"] = cameras
            _check_days(facility, cameras)
            server_duty.check(cameras)
            server_standing.check(cameras)
            server_pictures.check(cameras)
            if not Path(cast("str", facility["archive"])).is_absolute():
                raise ValueError("archive is an absolute path")
            _check_second_copy(cast("FacilityConfig", facility))
            await self._supervisor.put_facility(cast("FacilityConfig", facility))
        except ValueError as error:
            return _error(400, f"facility not understood: {error}")
        except OSError as error:
            return _error(507, f"the list of cameras could not be saved: {error.strerror}")
        return _json({})

    async def _delete_facility(self, request: web.Request) -> web.Response:
        try:
            await self._supervisor.delete_facility(request.match_info["facility"])
        except OSError as error:
            return _error(507, f"the list of cameras could not be saved: {error.strerror}")
        return _json({})

    async def _put_restream(self, request: web.Request) -> web.Response:
        try:
            secret = _checked(orjson.loads(await request.read()), {"secret": str})["secret"]
        except ValueError as error:
            return _error(400, f"secret not understood: {error}")
        self._restream.secret = str(secret)
        return _json({"port": self._supervisor.restream_port})

    async def _get_cameras(self, _request: web.Request) -> web.Response:
        return _json({"cameras": self._supervisor.cameras()})

    def _camera(self, request: web.Request) -> Camera:
        camera = self._supervisor.camera(request.match_info["camera"])
        if camera is None:
            raise web.HTTPNotFound(text="no such camera")
        return camera

    async def _retry(self, request: web.Request) -> web.Response:
        self._camera(request).retry()
        return _json({})

    def _archive(self, request: web.Request) -> Archive:
        """The archive of a camera, which may be one that is received no longer only while its facility is ours."""
        archive = self._supervisor.archive_of(self._camera(request))
        if archive is None:
            raise web.HTTPNotFound(text="no archive")
        return archive

    def _span(self, request: web.Request) -> tuple[str, int, int]:
        start = _number(request, "start", 0, 1 << 62)
        end = _number(request, "end", 0, 1 << 62)
        return request.match_info["camera"], start or 0, 1 << 62 if end is None else end

    async def _get_spans(self, request: web.Request) -> web.Response:
        archive = self._archive(request)
        return _json({"spans": await asyncio.to_thread(footage.spans, archive, *self._span(request))})

    async def _get_nearest(self, request: web.Request) -> web.Response:
        archive = self._archive(request)
        at = _number(request, "at", 0, 1 << 62) or 0
        return _json(await asyncio.to_thread(footage.nearest, archive, request.match_info["camera"], at))

    async def _get_size(self, request: web.Request) -> web.Response:
        archive = self._archive(request)
        return _json(await asyncio.to_thread(footage.size, archive, *self._span(request)))

    async def _get_segments(self, request: web.Request) -> web.Response:
        archive = self._archive(request)
        return _json({"segments": await asyncio.to_thread(footage.segments, archive, *self._span(request))})

    async def _get_playlist(self, request: web.Request) -> web.Response:
        archive = self._archive(request)
        text = await asyncio.to_thread(footage.media_playlist, archive, *self._span(request))
        if text is None:
            return _error(404, "no footage in this time")
        return web.Response(text=text, content_type="application/x-mpegURL")

    async def _get_segment(self, request: web.Request) -> web.Response:
        archive = self._archive(request)
        found = await asyncio.to_thread(footage.segment, archive, int(request.match_info["number"]))
        if found is None or found["camera"] != request.match_info["camera"]:
            return _error(404, "no such segment")
        return _json(found)

    async def _get_format(self, request: web.Request) -> web.Response:
        init = await asyncio.to_thread(footage.init, self._archive(request), int(request.match_info["number"]))
        return web.Response(body=init, content_type="video/mp4") if init else _error(404, "no such format")

    async def _probe(self, request: web.Request) -> web.Response:
        try:
            body = _checked(orjson.loads(await request.read()), {"url": str, "username": str, "password": str})
            return _json(await probe(cast("ProbeRequest", body), self._clock, self._stills))
        except ValueError:
            return _error(400, "not an RTSP address")

    async def _flush(self, _request: web.Request) -> web.Response:
        try:
            await self._supervisor.flush()
        except TimeoutError:
            return _error(504, "a disk did not take everything")
        return _json({})

    async def _post_leave(self, request: web.Request) -> web.Response:
        """Everything received is on the disk before this answers, if the disk answers; the engine ends behind it."""
        answer = await self._flush(request)
        self._leave()
        return answer


def _check_second_copy(facility: FacilityConfig) -> None:
    """Raise ValueError where a copy would become footage of the archive, or footage a copy."""
    if not (folder := facility.get("second_copy")):
        return
    archive, copies = (Path(os.path.normpath(one)) for one in (facility["archive"], folder))
    if not copies.is_absolute() or copies.is_relative_to(archive) or archive.is_relative_to(copies):
        raise ValueError("second_copy is an absolute path apart from the archive's")


def _number(request: web.Request, name: str, least: int, most: int) -> int | None:
    """A number of the query, None if it is missing. Raises HTTPBadRequest."""
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise web.HTTPBadRequest(text=f"{name} is not a number from {least} to {most}")
    return int(text)
