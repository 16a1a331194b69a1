"""Calls about what was to be recorded: gaps, completeness, what a schedule or entity says now. See docs/engine-api.md."""

import asyncio
import math
import sqlite3
from typing import cast

from aiohttp import web
import orjson

from .camera import Camera
from .gaps import gaps
from .gate import LONGEST_S
from .supervisor import Supervisor


def check(cameras: list[dict[str, object]]) -> None:
    """Whether its cameras' seconds can be meant. Raises ValueError."""
    for camera in cameras:
        for key in ("before_s", "after_s"):
            seconds = cast("float", camera[key])
            if not (math.isfinite(seconds) and 0 <= seconds <= LONGEST_S):
                raise ValueError(f"{key} is a number from 0 to {LONGEST_S:.0f}")


def routes(supervisor: Supervisor) -> list[web.RouteDef]:
    """The calls."""

    def camera_of(request: web.Request) -> Camera:
        camera = supervisor.camera(request.match_info["camera"])
        if camera is None:
            raise web.HTTPNotFound(text="no such camera")
        return camera

    async def get_gaps(request: web.Request) -> web.Response:
        camera = camera_of(request)
        start_us, end_us = _moment(request, "start", 0), _moment(request, "end", 1 << 62)
        try:
            found = await asyncio.to_thread(gaps, camera.archive, camera.config["id"], start_us, end_us)
        except sqlite3.Error as error:
            raise _away(error) from error
        return _json(found)

    async def get_completeness(request: web.Request) -> web.Response:
        try:
            cameras = await supervisor.completeness(request.match_info["facility"])
        except sqlite3.Error as error:
            raise _away(error) from error
        if cameras is None:
            raise web.HTTPNotFound(text="no such facility")
        return _json({"cameras": cameras})

    async def put_wanted(request: web.Request) -> web.Response:
        camera = camera_of(request)
        try:
            body = orjson.loads(await request.read())
        except ValueError as error:
            raise web.HTTPBadRequest(text="wanted is missing") from error
        if not isinstance(body, dict) or not isinstance(body.get("wanted"), bool):
            raise web.HTTPBadRequest(text="wanted is missing or not true or false")
        supervisor.set_said(camera, "wanted", said=body["wanted"])
        return _json({})

    return [
        web.get("/v1/cameras/{camera}/gaps", get_gaps),
        web.get("/v1/facilities/{facility}/completeness", get_completeness),
        web.put("/v1/cameras/{camera}/wanted", put_wanted),
    ]


def _json(content: object) -> web.Response:
    return web.Response(body=orjson.dumps(content), content_type="application/json")


def _away(error: sqlite3.Error) -> web.HTTPException:
    """The index is being closed, or does not answer: it is asked again later."""
    return web.HTTPServiceUnavailable(text=f"the index does not answer: {error}")


def _moment(request: web.Request, name: str, missing: int) -> int:
    text = request.query.get(name)
    if text is None:
        return missing
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise web.HTTPBadRequest(text=f"{name} is not a number")
    return min(int(text), 1 << 62)
