"""The API's calls about exports: begin, look after, cancel, go on. docs/engine-api.md tells what each does."""

from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

from aiohttp import web
import orjson

from .api_footage import ExportRequest
from .export.exports import Export, Exports, TooManyExportsError
from .supervisor import Supervisor

#: Bounds of what is asked for.
MOST_CAMERAS = 1_000
_LONGEST_US = 400 * 86_400_000_000
_TEXTS = {"folder": 4096, "form": 10, "name": 200, "zone": 100, "who": 200, "reason": 1000, "product": 100}
_CAMERA = {"id": 100, "name": 200, "make": 200, "model": 200}


def routes(supervisor: Supervisor, exports: Exports) -> list[web.RouteDef]:
    """The calls."""

    def export_of(request: web.Request) -> Export:
        export = exports.get(request.match_info["export"])
        if export is None:
            raise web.HTTPNotFound(text="no such export")
        return export

    async def begin(request: web.Request) -> web.Response:
        facility = request.match_info["facility"]
        if supervisor.archive_of_facility(facility) is None:
            raise web.HTTPNotFound(text="no such facility")
        try:
            body = _read(await request.read())
        except ValueError as error:
            raise web.HTTPBadRequest(text=f"export not understood: {error}") from error
        try:
            return _json(await exports.begin(facility, body))
        except TooManyExportsError:
            raise web.HTTPServiceUnavailable(text="too many exports are under way already") from None
        except OSError as error:
            raise web.HTTPInsufficientStorage(text=f"the export could not be kept: {error.strerror}") from error

    async def every(_request: web.Request) -> web.Response:
        return _json({"exports": exports.states()})

    async def one(request: web.Request) -> web.Response:
        return _json(exports.state(export_of(request)))

    async def cancel(request: web.Request) -> web.Response:
        return _json(await exports.cancel(export_of(request)))

    async def resume(request: web.Request) -> web.Response:
        return _json(exports.resume(export_of(request)))

    return [
        web.post("/v1/facilities/{facility}/exports", begin),
        web.get("/v1/exports", every),
        web.get("/v1/exports/{export}", one),
        web.delete("/v1/exports/{export}", cancel),
        web.post("/v1/exports/{export}/resume", resume),
    ]


def _read(data: bytes) -> ExportRequest:
    """What is asked for. Raises ValueError."""
    body = orjson.loads(data)
    if not isinstance(body, dict) or not _texts(body, _TEXTS):
        raise ValueError("an object with these texts is wanted, none too long: " + ", ".join(_TEXTS))
    cameras = body.get("cameras")
    if not isinstance(cameras, list) or not 0 < len(cameras) <= MOST_CAMERAS:
        raise ValueError(f"cameras is a list of 1 to {MOST_CAMERAS}")
    if not all(isinstance(camera, dict) and _texts(camera, _CAMERA) for camera in cameras):
        raise ValueError("each camera has id, name, make and model, none too long")
    if len({camera["id"] for camera in cameras}) < len(cameras):
        raise ValueError("a camera is named twice")
    start, end = body.get("start"), body.get("end")
    if type(start) is not int or type(end) is not int or not 0 <= start < end < 1 << 62:
        raise ValueError("start is not before end")
    if end - start > _LONGEST_US:
        raise ValueError(f"longer than {_LONGEST_US // 86_400_000_000} days")
    if not Path(body["folder"]).is_absolute() or "\0" in body["folder"]:
        raise ValueError("folder is an absolute path")
    if body["form"] not in ("folder", "tar"):
        raise ValueError("form is folder or tar")
    try:
        ZoneInfo(body["zone"])
    except (KeyError, OSError, ValueError) as error:
        raise ValueError("no such time zone") from error
    kept = {key: body[key] for key in (*_TEXTS, "start", "end")}
    return cast("ExportRequest", {**kept, "cameras": [{key: camera[key] for key in _CAMERA} for camera in cameras]})


def _texts(content: dict[str, object], wanted: dict[str, int]) -> bool:
    return all(isinstance(text := content.get(key), str) and len(text) <= most for key, most in wanted.items())


def _json(content: object) -> web.Response:
    return web.Response(body=orjson.dumps(content), content_type="application/json")
