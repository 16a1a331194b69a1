"""Calls about what is asked of a camera: planned maintenance, and its required hours. See docs/engine-api.md."""

from aiohttp import web
import orjson

from .api import REASON_SIGNS, WHO_SIGNS
from .camera import Camera
from .supervisor import Supervisor


def check(cameras: list[dict[str, object]]) -> None:
    """Whether what their configuration says for the ledger is short enough. Raises ValueError."""
    for camera in cameras:
        for key in ("place", "connect_who", "record_who"):
            if len(str(camera[key])) > WHO_SIGNS:
                raise ValueError(f"{key} is at most {WHO_SIGNS} signs long")


def routes(supervisor: Supervisor) -> list[web.RouteDef]:
    """The calls."""

    def camera_of(request: web.Request) -> Camera:
        camera = supervisor.camera(request.match_info["camera"])
        if camera is None:
            raise web.HTTPNotFound(text="no such camera")
        return camera

    async def put_maintenance(request: web.Request) -> web.Response:
        camera, body = camera_of(request), await _object(request)
        until = body.get("until")
        if not isinstance(until, int) or isinstance(until, bool) or not 0 <= until < 1 << 62:
            raise web.HTTPBadRequest(text="until is missing, or no time in microseconds")
        reason, who = _text(body.get("reason"), REASON_SIGNS, "reason"), _text(body.get("who"), WHO_SIGNS, "who")
        try:
            maintenance = supervisor.standings.begin(camera.config["id"], until, reason, who)
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return _json(maintenance)

    async def delete_maintenance(request: web.Request) -> web.Response:
        camera = camera_of(request)
        ended = supervisor.standings.end(camera.config["id"], _text(request.query.get("who"), WHO_SIGNS, "who"))
        return _json({"ended": ended})

    async def put_required(request: web.Request) -> web.Response:
        camera, required = camera_of(request), (await _object(request)).get("required")
        if not isinstance(required, bool):
            raise web.HTTPBadRequest(text="required is missing or not true or false")
        supervisor.set_said(camera, "required", said=required)
        return _json({})

    maintenance, required = "/v1/cameras/{camera}/maintenance", "/v1/cameras/{camera}/required"
    return [
        web.put(maintenance, put_maintenance),
        web.delete(maintenance, delete_maintenance),
        web.put(required, put_required),
    ]


async def _object(request: web.Request) -> dict[str, object]:
    try:
        body = orjson.loads(await request.read())
    except ValueError as error:
        raise web.HTTPBadRequest(text="this is no JSON") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="an object is wanted")
    return body


def _text(found: object, longest: int, name: str) -> str:
    if not isinstance(found, str) or not found.strip() or len(found) > longest:
        raise web.HTTPBadRequest(text=f"{name} is a text of 1 to {longest} signs")
    return found.strip()


def _json(content: object) -> web.Response:
    return web.Response(body=orjson.dumps(content), content_type="application/json")
