"""Every export of this engine: begun, gone on with after faults and restarts, cancelled, told. The event loop's side.

An export goes through the lane in slices, so that several share it, and others get their turn. Where its disk is full or
away, or the archive is, it is paused with its cause and tried again by itself, for a day; then it has failed, and somebody
has to have it go on. What is under way is kept in the engine's folder: a restart goes on with it.
"""

import asyncio
from collections.abc import Callable, Iterable
import contextlib
from dataclasses import dataclass, field
import json
import logging
from pathlib import Path
import secrets
from typing import Any, cast
from zoneinfo import ZoneInfo

from .. import saved
from ..api import Problem
from ..api_events import ExportEvent
from ..api_footage import ExportRequest, ExportState
from ..clock import Clock, microseconds
from ..folder_name import folder_name
from ..lane import Job, JobCancelledError, Lane, LaneFullError
from ..lane_volumes import NoAnswerError, Volumes
from ..supervisor import Supervisor
from .names import export_name
from .plan import ExportError, release
from .work import Work

_LOGGER = logging.getLogger(__name__)

NAME = "exports.json"
#: Under way at once; more is refused. So many that are over are still told of.
MOST, MOST_OVER = 20, 20
#: Waits before it is tried again; the last one ever after, and for how long in all.
RETRY_S = (1.0, 2.0, 5.0, 15.0, 30.0)
GIVE_UP_S = 24 * 3600.0
#: One that is paused for longer holds nothing back from retention any more: recording goes before.
KEPT_S = 600.0
#: How often it is looked whether retention may have what was kept for exports.
RELEASE_S = 5.0
#: Missed files that are named.
_NAMED = 100
WAITING, RUNNING, PAUSED, DONE, FAILED, CANCELLED = "waiting", "running", "paused", "done", "failed", "cancelled"
OVER = frozenset({DONE, FAILED, CANCELLED})


class TooManyExportsError(Exception):
    """So many are under way already."""


@dataclass(slots=True)
class Export:
    """One export. `told` is what its state said when it was over, None before."""

    id: str
    facility: str
    request: ExportRequest
    name: str
    started: int
    work: Work
    state: str = WAITING
    problem: Problem | None = None
    told: ExportState | None = None
    cancelled: bool = False
    #: Since when it has got no further (monotonic seconds), None while it does.
    paused_at: float | None = None
    job: Job[Any] | None = None
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Exports:
    """All exports. `start` goes on with what was under way; `close` leaves it to the next engine."""

    def __init__(self, supervisor: Supervisor, lane: Lane, clock: Clock, folder: Path, build: str) -> None:
        """What is under way is kept in `folder`. Blocks for a moment."""
        self._supervisor = supervisor
        self._lane = lane
        self._clock = clock
        self._folder = folder
        self._build = build
        self._exports: dict[str, Export] = {}
        self._saving = asyncio.Lock()
        self._release = True
        #: Called with what is to be told.
        self.on_change: Callable[[ExportEvent], None] = lambda _event: None
        for record in _load(folder):
            self._take(record)

    # Calls --------------------------------------------------------------------------------------------------------

    async def begin(self, facility: str, request: ExportRequest) -> ExportState:
        """Begin one; kept before this returns. Raises TooManyExportsError, and OSError if it cannot be kept."""
        if sum(one.state not in OVER for one in self._exports.values()) >= MOST:
            raise TooManyExportsError
        identity = secrets.token_hex(8)
        zone = ZoneInfo(request["zone"])
        name = export_name(folder_name(request["name"], facility), request["start"], request["end"], zone)
        name = f"{name}_{identity[:4]}"
        started = microseconds(self._clock.utc())
        export = self._new(identity, facility, request, name, started)
        self._exports[identity] = export
        try:
            await self._save()
        except OSError:
            del self._exports[identity]
            raise
        self._begin_task(export)
        self._tell(export)
        return self.state(export)

    def get(self, identity: str) -> Export | None:
        """One by its id."""
        return self._exports.get(identity)

    def states(self) -> list[ExportState]:
        """All, oldest first."""
        return [self.state(export) for export in self._exports.values()]

    async def cancel(self, export: Export) -> ExportState:
        """Nobody wants it: what was copied is taken away. One that is over stays as it is."""
        if export.state not in OVER or export.state == FAILED:
            export.cancelled = True
            if export.job is not None:
                export.job.cancel()
            export.go_on.set()
            if export.state == FAILED:
                self._begin_task(export)
            if export.task is not None:
                await asyncio.wait([export.task], timeout=5)
        return self.state(export)

    def resume(self, export: Export) -> ExportState:
        """Try again now, also one that has failed."""
        if export.state == FAILED:
            export.state, export.told = WAITING, None
            self._begin_task(export)
            self._tell(export)
        export.go_on.set()
        return self.state(export)

    def state(self, export: Export) -> ExportState:
        """How it stands."""
        if export.told is not None:
            return export.told
        work = export.work
        done, total = work.bytes, work.all_bytes
        found = work.missed
        return {
            "id": export.id,
            "facility": export.facility,
            "cameras": [camera["id"] for camera in export.request["cameras"]],
            "state": export.state,
            "progress": 1.0 if export.state == DONE else round(min(done / total, 0.999), 4) if total else 0.0,
            "files": work.files,
            "all_files": work.all_files,
            "bytes": done,
            "all_bytes": total,
            "path": str(work.path),
            "problem": export.problem,
            "missed": found[:_NAMED],
            "missed_files": len(found),
            "gaps": work.gaps,
            "started": export.started,
            "ended": microseconds(self._clock.utc()) if export.state in OVER else None,
        }

    # Life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Go on with what was under way."""
        for export in self._exports.values():
            if export.state not in OVER:
                self._begin_task(export)
            elif export.state == DONE:
                # It may have been killed before it could do so.
                export.task = asyncio.get_running_loop().create_task(self._tidy(export))

    async def watch(self) -> None:
        """Give free what retention keeps for exports that are over. Ends only by being cancelled."""
        while True:
            await asyncio.sleep(RELEASE_S)
            await self._release_over()

    async def close(self) -> None:
        """Stop; the next engine goes on."""
        tasks = [export.task for export in self._exports.values() if export.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            # Not longer: segments are to be closed.
            async with asyncio.timeout(0.5):
                await self._release_over()

    async def _release_over(self) -> None:
        """Let retention have what no export needs any more; where an archive does not answer, the next time."""
        if not self._release:
            return
        self._release = False
        under_way = in_need(self._exports.values(), self._clock.monotonic())
        for archive in self._supervisor.archives:
            if not await asyncio.to_thread(release, archive, under_way):
                self._release = True

    def _begin_task(self, export: Export) -> None:
        export.task = asyncio.get_running_loop().create_task(self._run(export), name=f"export {export.id}")

    async def _run(self, export: Export) -> None:
        """Until it is over."""
        failures = 0
        while export.state not in OVER:
            files = export.work.files
            try:
                over = await self._slice(export)
            except JobCancelledError:
                if not export.cancelled:
                    return  # the engine ends
                await self._discard(export)
                return
            except ExportError as error:
                failures = 1 if export.work.files > files else failures + 1
                now = self._clock.monotonic()
                if failures == 1 or export.paused_at is None:
                    export.paused_at = now
                # What is held back for it is given free once it has waited too long.
                self._release = self._release or now - export.paused_at > KEPT_S
                lasting = error.lasting or now - export.paused_at > GIVE_UP_S
                problem: Problem = {"cause": error.cause, "placeholders": error.placeholders}
                await self._change(export, FAILED if lasting else PAUSED, problem)
                if not lasting:
                    await self._pause(export, RETRY_S[min(failures, len(RETRY_S)) - 1])
            else:
                failures, export.paused_at = 0, None
                if over:
                    await self._change(export, DONE, None)
                    await self._tidy(export)

    async def _slice(self, export: Export) -> bool:
        """One turn in the lane. Returns whether everything is done. Raises ExportError, JobCancelledError."""
        if export.cancelled:
            raise JobCancelledError
        archive = self._supervisor.archive_of_facility(export.facility)
        if archive is None:
            raise ExportError("facility_gone", lasting=True)

        def work(job: Job[bool]) -> bool:
            return export.work.step(archive, job)

        volumes = Volumes(archive, Path(export.request["folder"]))
        export.job = self._submit(export, work, volumes=volumes)
        if not export.job.finished:
            await self._change(export, RUNNING, None)
        await export.job.wait()
        error = export.job.error
        if isinstance(error, NoAnswerError):
            # It is tried again, but not begun with before what hangs has come back.
            raise _no_answer(error) from error
        if error is not None and not isinstance(error, (ExportError, JobCancelledError)):
            # A mistake of ours ends one export; the lane has logged it.
            raise ExportError("fault", lasting=True, reason=type(error).__name__) from error
        return bool(export.job.result)

    def _submit[T](
        self, export: Export, work: Callable[[Job[T]], T], *, volumes: Volumes, quick: bool = False
    ) -> Job[T]:
        try:
            return self._lane.submit("export", export.facility, work, quick=quick, kept=True, volumes=volumes)
        except LaneFullError:
            raise ExportError("busy") from None

    async def _discard(self, export: Export) -> None:
        """Take away what was made, in the lane."""
        volumes = Volumes(target=Path(export.request["folder"]))
        while True:
            try:
                job = self._submit(export, lambda _: export.work.discard(), volumes=volumes, quick=True)
                await job.wait()
                if isinstance(job.error, NoAnswerError):
                    raise _no_answer(job.error)
                _ = job.result
            except JobCancelledError:
                return  # the engine ends; the next one cancels it
            except ExportError as error:
                problem: Problem = {"cause": error.cause, "placeholders": error.placeholders}
                if error.cause != "busy":
                    await self._change(export, CANCELLED, problem)
                    return
                await asyncio.sleep(RETRY_S[0])
            else:
                await self._change(export, CANCELLED, None)
                return

    async def _tidy(self, export: Export) -> None:
        try:
            await asyncio.to_thread(export.work.tidy)
        except ExportError as error:
            _LOGGER.warning("export %s: its working folder cannot be taken away: %s", export.id, error)

    async def _pause(self, export: Export, seconds: float) -> None:
        export.go_on.clear()
        if not export.cancelled:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await export.go_on.wait()

    async def _change(self, export: Export, state: str, problem: Problem | None) -> None:
        """It stands so now: told, and kept."""
        if (export.state, export.problem) == (state, problem):
            return
        export.state, export.problem = state, problem
        if state in OVER:
            export.told = self.state(export)
            self._release = True
            _LOGGER.info("export %s is %s: %s", export.id, state, problem["cause"] if problem else "no problem")
        self._tell(export)
        try:
            await self._save()
        except OSError as error:
            _LOGGER.warning("what is known of exports cannot be kept: %s", error)

    def _tell(self, export: Export) -> None:
        self.on_change({"event": "export", "export": self.state(export)})

    # Kept over a restart ------------------------------------------------------------------------------------------

    async def _save(self) -> None:
        over = [export for export in self._exports.values() if export.state in OVER]
        for export in over[: max(0, len(over) - MOST_OVER)]:
            del self._exports[export.id]
        async with self._saving:
            content = [
                {
                    "id": export.id,
                    "facility": export.facility,
                    "request": export.request,
                    "name": export.name,
                    "started": export.started,
                    "cancelled": export.cancelled,
                    "told": export.told,
                }
                for export in self._exports.values()
            ]
            await asyncio.to_thread(saved.write, self._folder, NAME, content)

    def _take(self, record: dict[str, Any]) -> None:
        """One that an engine before this one kept. What cannot be read is left out."""
        try:
            export = self._new(
                record["id"], record["facility"], record["request"], record["name"], int(record["started"])
            )
            export.cancelled = bool(record["cancelled"])
            told = record["told"]
            if told is not None:
                export.told, export.state = cast("ExportState", told), told["state"]
        except KeyError, TypeError, ValueError:
            _LOGGER.warning("an export that was under way cannot be read and is left out")
            return
        self._exports[export.id] = export

    def _new(self, identity: str, facility: str, request: ExportRequest, name: str, started: int) -> Export:
        def clock_offsets() -> dict[str, float | None]:
            cameras = {camera["id"]: self._supervisor.camera(camera["id"]) for camera in request["cameras"]}
            return {key: camera.clock_offset_s if camera is not None else None for key, camera in cameras.items()}

        work = Work(
            identity,
            facility,
            request,
            name,
            build=self._build,
            now_us=lambda: microseconds(self._clock.utc()),
            clock_offsets=clock_offsets,
        )
        return Export(identity, facility, request, name, started, work)


def in_need(exports: Iterable[Export], now: float) -> list[str]:
    """Ids of those for which retention has to wait, at the monotonic time `now`."""
    return [
        export.id
        for export in exports
        if export.state not in OVER and (export.paused_at is None or now - export.paused_at <= KEPT_S)
    ]


def _no_answer(error: NoAnswerError) -> ExportError:
    return ExportError("archive_away") if error.source else ExportError("destination_away", folder=error.folder)


def _load(folder: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads((folder / NAME).read_text())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        _LOGGER.warning("the exports that were under way cannot be read: %s", error)
        return []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
