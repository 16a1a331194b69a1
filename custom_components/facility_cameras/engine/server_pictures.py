"""Calls for a camera's newest picture and for what it showed last before it went away. See docs/engine-api.md.

Whatever is old is told in its pixels (picture/age.py), and nothing on the way may keep what is handed out here.
"""

import asyncio
from typing import cast

from aiohttp import web

from .camera import Camera
from .clock import Clock, microseconds
from .completeness import time_zone
from .picture.age import WORDS_SIGNS, is_old, told
from .picture.examiner import MASKS_MAX, SENSITIVITIES
from .picture.stills import SIDE_MAX, PictureError, Stills
from .supervisor import Supervisor
from .watch import AWAY


def check(cameras: list[dict[str, object]]) -> None:
    """Whether how its pictures are to be judged can be meant. Raises ValueError."""
    for camera in cameras:
        if camera["sensitivity"] not in SENSITIVITIES:
            raise ValueError(f"sensitivity is one of {', '.join(SENSITIVITIES)}")
        mask = cast("list[object]", camera["mask"])
        if len(mask) > MASKS_MAX or not all(map(_is_area, mask)):
            raise ValueError(f"mask is a list of up to {MASKS_MAX} areas: x, y, width, height from 0 to 1")


def _is_area(found: object) -> bool:
    return (
        isinstance(found, list)
        and len(found) == 4
        and all(isinstance(one, (int, float)) and not isinstance(one, bool) and 0 <= one <= 1 for one in found)
    )


def routes(supervisor: Supervisor, stills: Stills, clock: Clock) -> list[web.RouteDef]:
    """The calls."""

    def camera_of(request: web.Request) -> Camera:
        camera = supervisor.camera(request.match_info["camera"])
        if camera is None:
            raise web.HTTPNotFound(text="no such camera")
        return camera

    async def stamp(words: str, camera: Camera, taken_us: int, *, dated: bool = False) -> str:
        zone = await asyncio.to_thread(time_zone, supervisor.zone_of(camera))
        return told(words, taken_us, None if dated else microseconds(clock.utc()), zone)

    async def get_still(request: web.Request) -> web.Response:
        camera, words, size = camera_of(request), _words(request), _size(request)
        newest = camera.last_picture.newest(camera.feed)
        if newest is None:
            return await kept(request, newest=True)
        sample = newest.sample
        # Of a camera that is known to be away nothing is live, however new.
        old = camera.watch.connection in AWAY or is_old(camera.feed, sample.received, clock.monotonic())
        text = await stamp(words, camera, newest.taken_us) if old else ""
        try:
            jpeg = await stills.picture(camera.config["id"], newest.stream, sample, *size, old=text)
        except PictureError as error:
            raise web.HTTPBadGateway(text=str(error)) from error
        return _picture(jpeg, newest.taken_us, live=not old)

    async def get_last_picture(request: web.Request) -> web.Response:
        return await kept(request, newest=False)

    async def kept(request: web.Request, *, newest: bool) -> web.Response:
        camera, words, (width, height) = camera_of(request), _words(request), _size(request)
        found = await supervisor.pictures.kept(camera.config["id"], newest=newest)
        if found is None:
            raise web.HTTPNotFound(text="no picture yet")
        # A dashboard fetches it once and leaves it there, for days.
        text = await stamp(words, camera, found.taken_us, dated=not newest)
        try:
            jpeg = await stills.decode("jpeg", (), (found.jpeg,), (width or 0, height or 0), old=text)
        except PictureError as error:
            raise web.HTTPBadGateway(text=str(error)) from error
        return _picture(jpeg, found.taken_us, live=False)

    async def get_evidence(request: web.Request) -> web.Response:
        asked = request.match_info
        try:
            jpeg = await asyncio.to_thread(supervisor.examiner.evidence.picture, asked["evidence"], asked["which"])
        except OSError as error:
            raise web.HTTPServiceUnavailable(text=f"the picture cannot be read: {error.strerror}") from error
        if jpeg is None:
            raise web.HTTPNotFound(text="no such picture")
        return web.Response(body=jpeg, content_type="image/jpeg", headers={"Cache-Control": "no-store"})

    async def post_new_view(request: web.Request) -> web.Response:
        supervisor.examiner.new_view(camera_of(request).config["id"])
        return web.json_response({})

    async def get_figures(_request: web.Request) -> web.Response:
        return web.json_response(supervisor.examiner.figures())

    return [
        web.get("/v1/cameras/{camera}/still", get_still),
        web.get("/v1/cameras/{camera}/last_picture", get_last_picture),
        web.get("/v1/evidence/{evidence}/{which:before|after}", get_evidence),
        web.post("/v1/cameras/{camera}/new_view", post_new_view),
        web.get("/v1/picture_checks", get_figures),
    ]


def _picture(jpeg: bytes, taken_us: int, *, live: bool) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Taken": str(taken_us), "X-Live": "1" if live else "0"}
    return web.Response(body=jpeg, content_type="image/jpeg", headers=headers)


def _words(request: web.Request) -> str:
    """What the hub wants written into a picture that is old. Raises HTTPBadRequest."""
    words = request.query.get("words", "")
    if len(words) > WORDS_SIGNS:
        raise web.HTTPBadRequest(text=f"words are more than {WORDS_SIGNS} signs")
    return words


def _size(request: web.Request) -> tuple[int | None, int | None]:
    """Raises HTTPBadRequest."""
    width, height = (_number(request, name) for name in ("width", "height"))
    return width, height


def _number(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= 8192):
        raise web.HTTPBadRequest(text=f"{name} is not a number from 1 to 8192")
    return min(int(text), SIDE_MAX)
