"""Speaks with the engine: its HTTP/JSON over a Unix socket, typed.

Every call is bounded in time and size. A call that fails raises `EngineError`, or `EngineAwayError` where nothing
answers; neither ever holds a password.
"""

import asyncio
from collections.abc import AsyncIterator
import contextlib
from dataclasses import dataclass
from http import HTTPStatus
import json
from pathlib import Path
from typing import Any, cast

import aiohttp

from .engine.api import (
    CameraState,
    EngineInfo,
    FacilityConfig,
    FacilityState,
    MaintenanceRequest,
    ProbeRequest,
    ProbeResult,
    RequiredRequest,
    RestreamRequest,
)
from .engine.api_events import Event
from .engine.api_footage import (
    CameraCompleteness,
    ClipRequest,
    ExportRequest,
    ExportState,
    Gaps,
    HoldState,
    JobState,
    Nearest,
    ProtectRequest,
    ReleaseRequest,
    Segment,
    Size,
    Span,
    WantedRequest,
)
from .engine.api_ledger import FacilityRates, LedgerState

#: A line of the event stream holds every camera of the hub: 1,000 cameras are about 0.6 MiB.
_LINE_BYTES = 8 << 20
_TIMEOUT = aiohttp.ClientTimeout(total=10)
#: The engine gives a probe 15 s.
_PROBE_TIMEOUT = aiohttp.ClientTimeout(total=20)
#: The engine gives its archive 10 s.
_HOLD_TIMEOUT = aiohttp.ClientTimeout(total=15)
#: A ledger of years is copied at the disk's speed.
_SNAPSHOT_TIMEOUT = aiohttp.ClientTimeout(total=120)
#: The engine tells figures every 10 s; three of them missing means that it hangs.
SILENCE_S = 30.0


class EngineError(Exception):
    """The engine answered that it cannot. `status` is its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class EngineAwayError(EngineError):
    """Nothing answers on the engine's socket, or not in time."""

    def __init__(self, message: str) -> None:
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, message)


@dataclass(frozen=True, slots=True)
class Still:
    """A JPEG, when it was taken (UTC microseconds), and whether it shows what is there now."""

    jpeg: bytes
    taken: int
    live: bool


class EngineClient:
    """One connection pool to the engine's socket. Close it when done."""

    def __init__(self, socket: Path) -> None:
        """Nothing is opened before the first call. Must be made in the event loop."""
        self._session = aiohttp.ClientSession(
            base_url="http://engine",
            connector=aiohttp.UnixConnector(path=str(socket), limit=32),
            timeout=_TIMEOUT,
            read_bufsize=_LINE_BYTES,
        )

    def _open(self) -> aiohttp.ClientSession:
        """The connections. Raises `EngineAwayError` once they were closed: Home Assistant stops."""
        if self._session.closed:
            raise EngineAwayError("Home Assistant stops")
        return self._session

    async def close(self) -> None:
        """Close every connection; the engine notes that no hub is attached."""
        await self._session.close()

    async def info(self) -> EngineInfo:
        """Who answers."""
        return cast("EngineInfo", await self._json("GET", "/v1/info"))

    async def events(self) -> AsyncIterator[Event]:
        """What happens, from a snapshot on. Ends when the engine does; raises `EngineAwayError` if it hangs."""
        timeout = aiohttp.ClientTimeout(sock_connect=5, sock_read=SILENCE_S)
        try:
            async with self._open().get("/v1/events", timeout=timeout) as response:
                await _raise_for(response)
                while line := await response.content.readline():
                    yield cast("Event", json.loads(line))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise EngineAwayError(_describe(error)) from error

    async def put_facility(self, facility: FacilityConfig) -> None:
        """Have exactly these cameras received and recorded for this facility."""
        await self._json("PUT", f"/v1/facilities/{facility['id']}", body=facility)

    async def delete_facility(self, facility_id: str) -> None:
        """Receive its cameras no longer. Not an error if the engine does not know it."""
        try:
            await self._json("DELETE", f"/v1/facilities/{facility_id}")
        except EngineError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    async def facilities(self) -> list[FacilityState]:
        """The facilities the engine has, whether we told it now or before."""
        answer = await self._json("GET", "/v1/facilities")
        return cast("list[FacilityState]", answer["facilities"])

    async def holds(self, facility_id: str) -> list[HoldState]:
        """What is protected, newest first. Raises `EngineError`: 404 for a facility it does not know, 503 where the
        archive is away.
        """
        answer = await self._json("GET", f"/v1/facilities/{facility_id}/holds")
        return cast("list[HoldState]", answer["holds"])

    async def protect(self, facility_id: str, request: ProtectRequest) -> list[HoldState]:
        """Have footage kept until it is released. Raises `EngineError`: 400 with a sentence, 404, 503."""
        answer = await self._json("POST", f"/v1/facilities/{facility_id}/holds", body=request, timeout=_HOLD_TIMEOUT)
        return cast("list[HoldState]", answer["holds"])

    async def release(self, facility_id: str, request: ReleaseRequest) -> list[HoldState]:
        """Have footage kept no longer; returns the holds that ended by it. Raises as `protect`."""
        path = f"/v1/facilities/{facility_id}/holds/release"
        answer = await self._json("POST", path, body=request, timeout=_HOLD_TIMEOUT)
        return cast("list[HoldState]", answer["holds"])

    async def use_copy(self, facility_id: str) -> None:
        """Record into this older copy of the facility's archive from now on."""
        await self._json("POST", f"/v1/facilities/{facility_id}/use_copy")

    async def bring_back(self, facility_id: str) -> None:
        """Move footage from under the facility's volume into it, behind."""
        await self._json("POST", f"/v1/facilities/{facility_id}/bring_back")

    async def cameras(self) -> list[CameraState]:
        """Every camera of every facility."""
        answer = await self._json("GET", "/v1/cameras")
        return cast("list[CameraState]", answer["cameras"])

    async def put_restream(self, secret: str) -> None:
        """Whoever connects to the re-stream from now on needs this secret. Raises `EngineError`."""
        await self._json("PUT", "/v1/restream", body={"secret": secret})

    async def retry(self, camera_id: str) -> None:
        """Connect to the camera now."""
        await self._json("POST", f"/v1/cameras/{camera_id}/retry")

    async def new_view(self, camera_id: str) -> None:
        """What the camera shows now is its right view from now on. Raises `EngineError`: 404 for a camera that the engine
        does not know, or whose view it does not compare.
        """
        await self._json("POST", f"/v1/cameras/{camera_id}/new_view")

    async def still(self, camera_id: str, width: int | None, height: int | None, words: str) -> Still | None:
        """The newest picture, fitted into width × height; one that is old has `words` and its time in it. None where
        there is none.
        """
        size = {name: str(value) for name, value in (("width", width), ("height", height)) if value}
        return await self._still(f"/v1/cameras/{camera_id}/still", {**size, "words": words})

    async def last_picture(self, camera_id: str, words: str) -> Still | None:
        """What a camera showed last before it went away, with `words` and its time in it. None where there is none."""
        return await self._still(f"/v1/cameras/{camera_id}/last_picture", {"words": words})

    async def spans(self, camera_id: str, start: int, end: int) -> list[Span]:
        """Footage between two times, joined where it has no gap."""
        answer = await self._json("GET", f"/v1/cameras/{camera_id}/spans", start=start, end=end)
        return cast("list[Span]", answer["spans"])

    async def nearest(self, camera_id: str, at: int) -> Nearest:
        """Where the footage nearest to a time is."""
        return cast("Nearest", await self._json("GET", f"/v1/cameras/{camera_id}/nearest", at=at))

    async def size(self, camera_id: str, start: int, end: int) -> Size:
        """How much footage there is between two times."""
        return cast("Size", await self._json("GET", f"/v1/cameras/{camera_id}/size", start=start, end=end))

    async def gaps(self, camera_id: str, start: int, end: int) -> Gaps:
        """What was to be recorded between two times and is not there, and why."""
        return cast("Gaps", await self._json("GET", f"/v1/cameras/{camera_id}/gaps", start=start, end=end))

    async def segments(self, camera_id: str, start: int, end: int) -> list[Segment]:
        """Files of footage that overlap the time, oldest first."""
        answer = await self._json("GET", f"/v1/cameras/{camera_id}/segments", start=start, end=end)
        return cast("list[Segment]", answer["segments"])

    async def segment(self, camera_id: str, segment_id: int) -> Segment:
        """One file of a camera's footage."""
        return cast("Segment", await self._json("GET", f"/v1/cameras/{camera_id}/segments/{segment_id}"))

    async def completeness(self, facility_id: str) -> list[CameraCompleteness]:
        """How complete the recording of a facility's cameras is; nothing while its footage cannot be reached."""
        answer = await self._json("GET", f"/v1/facilities/{facility_id}/completeness")
        return cast("list[CameraCompleteness]", answer["cameras"])

    async def facility_rates(self, facility_id: str) -> FacilityRates:
        """Online rates and last outages of a facility and its cameras: today, 7 and 30 days."""
        return cast("FacilityRates", await self._json("GET", f"/v1/facilities/{facility_id}/rates"))

    async def ledger(self) -> LedgerState:
        """Whether what is observed can be written down."""
        return cast("LedgerState", await self._json("GET", "/v1/ledger"))

    async def ledger_snapshot(self, path: str) -> None:
        """Copy the ledger, whole and in one file, to `ledger-snapshot…` in the engine's folder. Raises `EngineError`: 507
        where it cannot be written.
        """
        await self._json("POST", "/v1/ledger/snapshot", body={"path": path}, timeout=_SNAPSHOT_TIMEOUT)

    async def put_wanted(self, camera_id: str, *, wanted: bool) -> None:
        """Whether a camera is to be recorded, as its schedule or entity says now."""
        await self._json("PUT", f"/v1/cameras/{camera_id}/wanted", body={"wanted": wanted})

    async def put_required(self, camera_id: str, *, required: bool) -> None:
        """Whether a camera is required, as its entity says now."""
        await self._json("PUT", f"/v1/cameras/{camera_id}/required", body={"required": required})

    async def start_maintenance(self, camera_id: str, wanted: MaintenanceRequest) -> None:
        """Work on a camera is planned from now on, until a time. Raises `EngineError`."""
        await self._json("PUT", f"/v1/cameras/{camera_id}/maintenance", body=wanted)

    async def end_maintenance(self, camera_id: str, who: str) -> bool:
        """It is over sooner. Returns whether there was one. Raises `EngineError`."""
        answer = await self._json("DELETE", f"/v1/cameras/{camera_id}/maintenance", who=who)
        return bool(answer["ended"])

    async def playlist(self, camera_id: str, start: int, end: int) -> bytes:
        """An HLS media playlist of the footage between two times, with relative URIs."""
        return await self._bytes(f"/v1/cameras/{camera_id}/playlist", start=start, end=end)

    async def format(self, camera_id: str, format_id: int) -> bytes:
        """The init segment of a format."""
        return await self._bytes(f"/v1/cameras/{camera_id}/formats/{format_id}")

    async def thumbnail(self, camera_id: str, at: int, width: int) -> bytes | None:
        """A JPEG of the recorded key picture at or before a time, `width` pixels at most. None: no footage near it."""
        try:
            return await self._bytes(f"/v1/cameras/{camera_id}/thumbnail", at=at, width=width)
        except EngineError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def make(self, kind: str, camera_id: str, request: ClipRequest) -> JobState:
        """Have a `clip`, `film` or `preview` made and wait for it, as long as it takes; who stops waiting cancels it."""
        job = await self.begin(kind, camera_id, request)
        try:
            while job["state"] in ("waiting", "running"):
                job = await self.job(job["id"])
        except asyncio.CancelledError:
            # Where the engine does not hear of it, it notices that nobody asks any more.
            with contextlib.suppress(EngineError):
                await self.cancel_job(job["id"])
            raise
        return job

    async def begin(self, kind: str, camera_id: str, request: ClipRequest) -> JobState:
        """Have something made, as `make`, without waiting for it. It is cancelled when nobody asks after it."""
        return cast("JobState", await self._json("POST", f"/v1/cameras/{camera_id}/{kind}", body=request))

    async def job(self, job_id: str) -> JobState:
        """How a job stands, once it is finished or after some seconds."""
        return cast("JobState", await self._json("GET", f"/v1/jobs/{job_id}"))

    async def cancel_job(self, job_id: str) -> None:
        """Nobody wants it any more. Not an error if the engine does not know it."""
        try:
            await self._json("DELETE", f"/v1/jobs/{job_id}")
        except EngineError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    async def job_playlist(self, job_id: str) -> bytes:
        """The playlist of a preview as far as it is made."""
        return await self._bytes(f"/v1/jobs/{job_id}/playlist")

    async def begin_export(self, facility_id: str, request: ExportRequest) -> ExportState:
        """Have footage copied out, behind this call."""
        return cast("ExportState", await self._json("POST", f"/v1/facilities/{facility_id}/exports", body=request))

    async def exports(self) -> list[ExportState]:
        """Exports that are under way, and those that are over, oldest first."""
        return cast("list[ExportState]", (await self._json("GET", "/v1/exports"))["exports"])

    async def export(self, export_id: str) -> ExportState:
        """How an export stands."""
        return cast("ExportState", await self._json("GET", f"/v1/exports/{export_id}"))

    async def cancel_export(self, export_id: str) -> ExportState:
        """Have what was copied taken away again; one that is done stays."""
        return cast("ExportState", await self._json("DELETE", f"/v1/exports/{export_id}"))

    async def resume_export(self, export_id: str) -> ExportState:
        """Have one that is paused or failed tried again now."""
        return cast("ExportState", await self._json("POST", f"/v1/exports/{export_id}/resume"))

    async def probe(self, request: ProbeRequest) -> ProbeResult:
        """Connect to a camera once, as recording would."""
        answer = await self._json("POST", "/v1/probe", body=request, timeout=_PROBE_TIMEOUT)
        return cast("ProbeResult", answer)

    async def flush(self) -> None:
        """Have everything received written and fsynced."""
        await self._json("POST", "/v1/flush")

    async def leave(self) -> None:
        """Have the engine finish what it writes and end."""
        await self._json("POST", "/v1/leave")

    async def _json(
        self,
        method: str,
        path: str,
        *,
        body: ClipRequest
        | ExportRequest
        | FacilityConfig
        | MaintenanceRequest
        | ProbeRequest
        | ProtectRequest
        | ReleaseRequest
        | RequiredRequest
        | RestreamRequest
        | WantedRequest
        | dict[str, str]
        | None = None,
        timeout: aiohttp.ClientTimeout = _TIMEOUT,
        **query: int | str,
    ) -> dict[str, Any]:
        try:
            async with self._open().request(method, path, json=body, params=query, timeout=timeout) as response:
                await _raise_for(response)
                if response.content_type != "application/json":
                    return {}
                return cast("dict[str, Any]", await response.json())
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise EngineAwayError(_describe(error)) from error

    async def _still(self, path: str, query: dict[str, str]) -> Still | None:
        try:
            async with self._open().get(path, params=query) as response:
                if response.status == HTTPStatus.NOT_FOUND:
                    return None
                await _raise_for(response)
                told = response.headers
                return Still(await response.read(), int(told.get("X-Taken", "0")), told.get("X-Live") == "1")
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise EngineAwayError(_describe(error)) from error

    async def _bytes(self, path: str, **query: int) -> bytes:
        try:
            async with self._open().get(path, params=query) as response:
                await _raise_for(response)
                return await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise EngineAwayError(_describe(error)) from error


async def _raise_for(response: aiohttp.ClientResponse) -> None:
    """Raise what the engine says is wrong."""
    if response.status < HTTPStatus.BAD_REQUEST:
        return
    answer = (await response.content.read(4096)).decode(errors="replace")
    raise EngineError(response.status, f"engine answered {response.status}: {answer}")


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
