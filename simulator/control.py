"""The control service: HTTP with JSON on loopback, to command faults and to read what really happened.

    GET    /cameras                          every camera: addresses, log-in, streams, sessions, faults
    GET    /cameras/{name}                   one of them
    POST   /cameras/{name}/faults/{fault}    begin a fault; JSON of its settings, and "seconds" until it ends
    DELETE /cameras/{name}/faults/{fault}    end it
    DELETE /cameras/{name}/faults            end all
    GET    /truth                            every fault so far, when it began and ended
    GET    /faults, /quirks                  what there is

In the place of a name, "*" is every camera: one power cut for all.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import asdict
import time
from typing import Any

from aiohttp import web

from .camera import Camera
from .faults import FAULTS, FaultError
from .quirks import summaries
from .site import Site


def describe(camera: Camera) -> dict[str, Any]:
    """What there is to know of one camera. The log-in is in it: it protects nothing."""
    spec = camera.spec
    streams = []
    for stream in camera.streams.values():
        video = stream.video
        streams.append(
            {
                "name": stream.spec.name,
                "url": camera.url(stream.spec.name),
                "codec": video.codec,
                "width": video.width,
                "height": video.height,
                "fps": video.fps,
                "kbps": video.kbps,
                "gop": video.gop,
                "frames": stream.shot.frames,
                "audio": stream.spec.audio,
            }
        )
    return {
        "name": spec.name,
        "host": spec.host,
        "rtsp_port": camera.port,
        "http_port": camera.services[0].port if camera.services else None,
        "username": spec.username,
        "password": camera.password,
        "maker": spec.maker,
        "model": spec.model,
        "serial": spec.serial,
        "mac": spec.mac,
        "quirks": list(spec.quirks),
        "streams": streams,
        "epoch_monotonic": camera.epoch,
        "faults": list(camera.active),
        "sessions": len(camera.sessions),
        "connections": len(camera.connections),
        "wrong_logins": camera.guard.failures,
        "locked": camera.guard.locked,
        "packets_sent": camera.packets(),
    }


class Control:
    """Serves the control of one site."""

    def __init__(self, site: Site, *, port: int = 0) -> None:
        """Listen on `port` of 127.0.0.1 once started; 0 is chosen by the system."""
        self._site = site
        self.port = port
        application = web.Application()
        application.add_routes(
            [
                web.get("/cameras", self._cameras),
                web.get("/cameras/{name}", self._camera),
                web.post("/cameras/{name}/faults/{fault}", self._begin),
                web.delete("/cameras/{name}/faults/{fault}", self._end),
                web.delete("/cameras/{name}/faults", self._end),
                web.get("/truth", self._truth),
                web.get("/faults", self._faults),
                web.get("/quirks", self._quirks),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None)

    async def start(self) -> None:
        """Begin to answer. OSError if the port is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """End."""
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The address without a final slash."""
        return f"http://127.0.0.1:{self.port}"

    def _chosen(self, request: web.Request) -> list[Camera]:
        name = request.match_info["name"]
        if name == "*":
            return list(self._site.cameras.values())
        if name not in self._site.cameras:
            raise web.HTTPNotFound(text=f"there is no camera {name!r}; there are {', '.join(self._site.cameras)}\n")
        return [self._site.camera(name)]

    async def _cameras(self, _: web.Request) -> web.Response:
        return web.json_response({"cameras": [describe(camera) for camera in self._site.cameras.values()]})

    async def _camera(self, request: web.Request) -> web.Response:
        return web.json_response(describe(self._chosen(request)[0]))

    async def _begin(self, request: web.Request) -> web.Response:
        try:
            settings: Any = await request.json() if request.can_read_body else {}
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"settings are not JSON: {error}\n") from error
        if not isinstance(settings, dict) or not all(
            isinstance(value, int | float | str) for value in settings.values()
        ):
            raise web.HTTPBadRequest(text="settings are a JSON object of numbers and words\n")
        seconds = settings.pop("seconds", None)
        fault = request.match_info["fault"]
        try:
            limit = None if seconds is None else float(seconds)
            chosen = self._chosen(request)
            entries = await _all(camera.fault(fault, seconds=limit, **settings) for camera in chosen)
        except (FaultError, ValueError) as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        return web.json_response({"entries": [asdict(entry) for entry in entries]})

    async def _end(self, request: web.Request) -> web.Response:
        fault = request.match_info.get("fault")
        if fault is not None and fault not in FAULTS:
            raise web.HTTPBadRequest(text=f"there is no fault {fault!r}; there are {', '.join(FAULTS)}\n")
        await _all(camera.clear(fault) for camera in self._chosen(request))
        return web.json_response({})

    async def _truth(self, _: web.Request) -> web.Response:
        entries = [asdict(entry) for entry in self._site.truth.entries]
        now = {"utc": time.time(), "monotonic": time.monotonic()}
        return web.json_response({"now": now, "entries": entries})

    async def _faults(self, _: web.Request) -> web.Response:
        return web.json_response(
            {name: {"summary": fault.summary, "settings": fault.settings or {}} for name, fault in FAULTS.items()}
        )

    async def _quirks(self, _: web.Request) -> web.Response:
        return web.json_response(summaries())


async def _all[T](works: Iterable[Awaitable[T]]) -> list[T]:
    """Results of all works done at once, after all have ended; the first error is raised then."""
    results = await asyncio.gather(*works, return_exceptions=True)
    good: list[T] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        good.append(result)
    return good
