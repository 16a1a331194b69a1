"""The API's calls for what the slow lane makes: clips, films, previews and thumbnails. docs/engine-api.md tells what each does.

A job asked for by a request that went away is cancelled; one that takes longer than a request is asked after by its id.
"""

import asyncio
from collections.abc import Callable
import errno
import os
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from aiohttp import web
import orjson

from .api import Problem
from .api_footage import Clip, ClipCause, ClipRequest, JobState as JobAnswer
from .archive.archive import Archive
from .camera import Camera
from .clip import make_clip
from .clip_file import ClipError, Name
from .film import make_film
from .folder_name import folder_name
from .lane import Job, JobCancelledError, JobState, Lane, LaneFullError
from .lane_volumes import NoAnswerError, Volumes
from .picture.stills import PictureError
from .preview import Preview, make_preview
from .sources import NoIndexError
from .supervisor import Supervisor
from .thumbnails import WIDTH, Thumbnails

#: A request waits this long for its job, seconds: shorter than whoever asks is ready to wait.
WAIT_S = 5.0
#: How often it is looked whether who asked is still there.
_LOOK_S = 0.5
#: Longest span of a clip: six hours of 4 Mbit/s are 11 GB.
CLIP_US = 6 * 3600 * 1_000_000
#: Longest span of a film.
FILM_US = 32 * 86_400 * 1_000_000
#: Longest span of a preview: encoding takes about as long on a small machine.
PREVIEW_US = 3600 * 1_000_000
_REQUEST = {"start": int, "end": int, "folder": str, "zone": str}

type Make[T] = Callable[[Archive, str, int, int, Path, Name, Job[T]], T]


class ClipCalls:
    """The calls, for the server to add."""

    def __init__(self, supervisor: Supervisor, lane: Lane, thumbnails: Thumbnails) -> None:
        """Footage of the supervisor's cameras, made in this lane."""
        self._supervisor = supervisor
        self._lane = lane
        self._thumbnails = thumbnails

    def routes(self) -> list[web.RouteDef]:
        """Paths and who answers."""
        camera = "/v1/cameras/{camera}"
        return [
            web.post(f"{camera}/clip", self._clip),
            web.post(f"{camera}/film", self._film),
            web.post(f"{camera}/preview", self._preview),
            web.get(f"{camera}/thumbnail", self._thumbnail),
            web.get("/v1/jobs", self._jobs),
            web.get("/v1/jobs/{job}", self._job),
            web.get("/v1/jobs/{job}/playlist", self._playlist),
            web.delete("/v1/jobs/{job}", self._cancel),
        ]

    async def _clip(self, request: web.Request) -> web.Response:
        return await self._make(request, "clip", make_clip, CLIP_US)

    def _camera(self, request: web.Request) -> tuple[Camera, Archive]:
        camera = self._supervisor.camera(request.match_info["camera"])
        archive = self._supervisor.archive_of(camera) if camera is not None else None
        if camera is None or archive is None:
            raise web.HTTPNotFound(text="no such camera")
        return camera, archive

    async def _thumbnail(self, request: web.Request) -> web.Response:
        camera, archive = self._camera(request)
        at_us, width = _number(request, "at", 0, 1 << 62), _number(request, "width", 16, 1920, WIDTH)
        try:
            found = await self._thumbnails.picture(archive, camera.config["id"], at_us, width)
        except NoIndexError as error:
            raise web.HTTPServiceUnavailable(text="the archive does not answer") from error
        except LaneFullError as error:
            raise web.HTTPServiceUnavailable(text="too many jobs wait already") from error
        except PictureError as error:
            raise web.HTTPBadGateway(text=str(error)) from error
        if found is None:
            raise web.HTTPNotFound(text="no footage near this time")
        headers = {"X-Taken": str(found.taken_us)}
        return web.Response(body=found.jpeg, content_type="image/jpeg", headers=headers)

    async def _film(self, request: web.Request) -> web.Response:
        return await self._make(request, "film", make_film, FILM_US)

    async def _preview(self, request: web.Request) -> web.Response:
        """It is played while it grows: nobody waits for its end."""
        return await self._make(request, "preview", make_preview, PREVIEW_US, quick=False)

    async def _make[T](
        self, request: web.Request, kind: str, make: Make[T], longest_us: int, *, quick: bool = True
    ) -> web.Response:
        camera, archive = self._camera(request)
        identity = camera.config["id"]
        body = await _body(request, longest_us)
        try:
            zone = await asyncio.to_thread(ZoneInfo, body["zone"])
        except (ValueError, KeyError, OSError) as error:
            raise web.HTTPBadRequest(text="no such time zone") from error
        name = Name(folder_name(camera.config["name"], identity), zone)
        folder = Path(body["folder"])

        def work(job: Job[T]) -> T:
            return make(archive, identity, body["start"], body["end"], folder, name, job)

        try:
            job = self._lane.submit(kind, identity, work, quick=quick, volumes=Volumes(archive, folder))
        except LaneFullError:
            raise web.HTTPServiceUnavailable(text="too many jobs wait already") from None
        return _json(_state(job)) if kind == "preview" else await _answer(request, job)

    async def _jobs(self, _request: web.Request) -> web.Response:
        return _json({"jobs": [_state(job) for job in self._lane.jobs()]})

    async def _job(self, request: web.Request) -> web.Response:
        job = self._lane.job(request.match_info["job"])
        if job is None:
            raise web.HTTPNotFound(text="no such job")
        return await _answer(request, job)

    async def _playlist(self, request: web.Request) -> web.Response:
        """Of a preview, as soon as there is anything of it."""
        job = self._lane.job(request.match_info["job"])
        if job is None or job.kind != "preview":
            raise web.HTTPNotFound(text="no such preview")
        for _ in range(round(WAIT_S / _LOOK_S)):
            if job.finished or (job.partial is not None and job.partial.parts):
                break
            await job.wait(_LOOK_S)
        text = job.partial.playlist() if job.partial is not None and job.error is None else None
        if text is None:
            raise web.HTTPNotFound(text="nothing of it yet" if not job.finished else "there is no preview")
        return web.Response(text=text, content_type="application/x-mpegURL")

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self._lane.job(request.match_info["job"])
        if job is None:
            raise web.HTTPNotFound(text="no such job")
        job.cancel()
        return _json(_state(job))


def _number(request: web.Request, name: str, least: int, most: int, usual: int | None = None) -> int:
    """A number of the query. Raises HTTPBadRequest."""
    text = request.query.get(name, "" if usual is None else str(usual))
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        raise web.HTTPBadRequest(text=f"{name} is not a number from {least} to {most}")
    return int(text)


async def _answer(request: web.Request, job: Job[Any]) -> web.Response:
    """How the job stands once it is finished, or after WAIT_S. Cancelled with the request."""
    left = WAIT_S
    while not await job.wait(_LOOK_S) and left > 0:
        left -= _LOOK_S
        if request.transport is None or request.transport.is_closing():
            job.cancel()
    job.touch()
    return _json(_state(job))


def _state(job: Job[Any]) -> JobAnswer:
    return {
        "id": job.id,
        "kind": job.kind,
        "owner": job.owner,
        "state": job.state.value,
        "progress": round(job.progress, 4),
        "problem": problem_of(job.error),
        "result": _result(job),
    }


def _result(job: Job[Any]) -> Clip | None:
    if job.state != JobState.DONE:
        return None
    return job.result.made if isinstance(job.result, Preview) else cast("Clip", job.result)


def problem_of(error: BaseException | None) -> Problem | None:
    """Why a job failed, in words that have a sentence in both languages; None if it did not."""
    if error is None or isinstance(error, JobCancelledError):
        return None
    if isinstance(error, ClipError):
        return error.problem
    if isinstance(error, NoAnswerError):
        if error.source:
            return ClipError(ClipCause.ARCHIVE_AWAY).problem
        error = TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    if isinstance(error, OSError):
        return {
            "cause": ClipCause.NOT_WRITTEN.value,
            "placeholders": {"reason": error.strerror or type(error).__name__},
        }
    return {"cause": ClipCause.FAULT.value, "placeholders": {"reason": type(error).__name__}}


def _json(content: object) -> web.Response:
    return web.Response(body=orjson.dumps(content), content_type="application/json")


async def _body(request: web.Request, longest_us: int) -> ClipRequest:
    """What is asked for. Raises HTTPBadRequest."""
    try:
        body = orjson.loads(await request.read())
    except ValueError as error:
        raise web.HTTPBadRequest(text="an object is wanted") from error
    if not isinstance(body, dict) or not all(type(body.get(key)) is kind for key, kind in _REQUEST.items()):
        raise web.HTTPBadRequest(text="an object with start, end, folder and zone is wanted")
    if not 0 <= body["start"] < body["end"] < 1 << 62:
        raise web.HTTPBadRequest(text="start is not before end")
    if body["end"] - body["start"] > longest_us:
        raise web.HTTPBadRequest(text=f"longer than {longest_us // 60_000_000} minutes")
    if not Path(body["folder"]).is_absolute():
        raise web.HTTPBadRequest(text="folder is an absolute path")
    return cast("ClipRequest", body)
