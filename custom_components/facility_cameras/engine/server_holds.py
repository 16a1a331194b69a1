"""The API's calls about protected footage. docs/engine-api.md tells what each does."""

from collections.abc import Mapping
from typing import cast

from aiohttp import web
import orjson

from .api_footage import HoldState, ProtectRequest, ReleaseRequest
from .archive.holds import HoldError
from .protection import AwayError, Protection

_PROTECT = {"cameras": list, "start": int, "end": int, "reason": str, "who": str}
_RELEASE = {"holds": list, "who": str}


def routes(protection: Protection) -> list[web.RouteDef]:
    """The calls, for the server to add."""

    async def get(request: web.Request) -> web.Response:
        released = request.query.get("released") == "1"
        try:
            return _answer(await protection.holds(request.match_info["facility"], released=released))
        except (KeyError, AwayError) as error:
            raise _refusal(error) from error

    async def post(request: web.Request) -> web.Response:
        body = cast("ProtectRequest", await _body(request, _PROTECT, "cameras"))
        try:
            return _answer(await protection.protect(request.match_info["facility"], body))
        except (KeyError, HoldError, AwayError) as error:
            raise _refusal(error) from error

    async def release(request: web.Request) -> web.Response:
        body = cast("ReleaseRequest", await _body(request, _RELEASE, "holds"))
        try:
            return _answer(await protection.release(request.match_info["facility"], body))
        except (KeyError, HoldError, AwayError) as error:
            raise _refusal(error) from error

    path = "/v1/facilities/{facility}/holds"
    return [web.get(path, get), web.post(path, post), web.post(f"{path}/release", release)]


def _answer(found: list[HoldState]) -> web.Response:
    return web.Response(body=orjson.dumps({"holds": found}), content_type="application/json")


def _refusal(error: Exception) -> web.HTTPException:
    if isinstance(error, KeyError):
        return web.HTTPNotFound(text="no such facility")
    if isinstance(error, HoldError):
        return web.HTTPBadRequest(text=str(error))
    return web.HTTPServiceUnavailable(text=str(error))


async def _body(request: web.Request, wanted: Mapping[str, type], texts: str) -> object:
    """The body if it is an object with these fields, `texts` being a list of them. Raises HTTPBadRequest."""
    try:
        body = orjson.loads(await request.read())
    except ValueError as error:
        raise web.HTTPBadRequest(text="an object is wanted") from error
    if not isinstance(body, dict) or not all(type(body.get(key)) is kind for key, kind in wanted.items()):
        raise web.HTTPBadRequest(text=f"an object with {', '.join(wanted)} is wanted")
    if not all(isinstance(text, str) for text in body[texts]):
        raise web.HTTPBadRequest(text=f"{texts} is a list of texts")
    return body
