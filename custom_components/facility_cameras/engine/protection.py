"""Protected footage of every facility: protect, release, list, and who copies it to a second folder.

The event loop's side of archive/holds.py (which keeps) and archive/copier.py (which copies). Writing goes through each
archive's writer thread, reading through threads of the pool; what changes is told as an event.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
import sqlite3

from .api import FacilityConfig
from .api_events import HoldEvent
from .api_footage import CopyCause, CopyState, HoldChange, HoldState, ProtectRequest, ReleaseRequest
from .archive import holds
from .archive.archive import Archive
from .archive.copier import Copier
from .archive.holds import Hold, HoldError
from .archive.index import Index
from .clock import Clock, microseconds

#: How long the archive's writer thread may take.
ANSWER_S = 10.0
#: How often it is looked whether copying fails, and sizes are added up.
CHECK_S, COUNT_S = 5.0, 60.0


class AwayError(Exception):
    """The archive is away, or does not take it; the text says why."""


class Protection:
    """What is protected at the facilities that `renew` names."""

    def __init__(self, clock: Clock) -> None:
        """Begin with none."""
        self._clock = clock
        self._facilities: dict[str, tuple[FacilityConfig, Archive]] = {}
        self._copiers: dict[str, Copier] = {}
        self._check_at = 0.0
        #: What was told of the failing copies: hold's id → cause.
        self._told: dict[str, CopyCause] = {}
        #: When it was counted, number of holds and bytes, by facility.
        self._counted: dict[str, tuple[float, int, int]] = {}
        #: Called with what is to be told.
        self.on_change: Callable[[HoldEvent], None] = lambda _event: None

    def renew(self, facilities: Mapping[str, tuple[FacilityConfig, Archive]]) -> list[Copier]:
        """These are all facilities now. Returns copiers that are needed no longer, for the caller to close."""
        self._facilities = dict(facilities)
        wanted = {
            identity: (archive, Path(config["second_copy"]), config.get("second_copy_id", ""))
            for identity, (config, archive) in facilities.items()
            if config.get("second_copy")
        }
        over = []
        for identity, copier in tuple(self._copiers.items()):
            if wanted.get(identity) != (copier.source, copier.folder, copier.folder_id):
                over.append(self._copiers.pop(identity))
        loop = asyncio.get_running_loop()
        for identity, (archive, folder, folder_id) in wanted.items():
            if identity not in self._copiers:

                def copied(found: list[Hold], facility: str = identity) -> None:
                    loop.call_soon_threadsafe(self._tell, HoldChange.COPIED, facility, found)

                self._copiers[identity] = Copier(archive, identity, folder, folder_id, copied)
                self._copiers[identity].start()
        return over

    async def close(self) -> None:
        """End all copying."""
        for copier in self._copiers.values():
            copier.stop()
        await asyncio.gather(*(asyncio.to_thread(copier.close) for copier in self._copiers.values()))

    def check(self) -> None:
        """Tell of copies that fail, once per hold and cause. Called every second."""
        if self._clock.monotonic() < self._check_at:
            return
        self._check_at = self._clock.monotonic() + CHECK_S
        told: dict[str, CopyCause] = {}
        for facility, copier in self._copiers.items():
            failing = copier.failing()
            told |= {hold.uid: cause for hold, cause in failing}
            if new := [hold for hold, cause in failing if self._told.get(hold.uid) is not cause]:
                self._tell(HoldChange.COPY_FAILED, facility, new)
        self._told = told

    # Calls --------------------------------------------------------------------------------------------------------

    async def protect(self, facility: str, request: ProtectRequest) -> list[HoldState]:
        """Have footage of these cameras kept: on the disk before this returns. Raises KeyError for a facility that is
        not known, HoldError and AwayError.
        """
        config, archive = self._facilities[facility]
        made = holds.make(
            facility,
            request["cameras"],
            request["start"],
            request["end"],
            request["reason"],
            request["who"],
            microseconds(self._clock.utc()),
        )
        ours = {camera["id"] for camera in config["cameras"]}

        def job(index: Index) -> None:
            # Footage of a camera that was removed can be protected too.
            recorded = {uid for (uid,) in index.query("SELECT uid FROM camera WHERE facility = ?", facility)}
            if unknown := set(request["cameras"]) - ours - recorded:
                raise HoldError(f"{len(unknown)} of these cameras are none of this facility")
            holds.protect(index, archive.root, made)

        await _answered(archive, job)
        if copier := self._copiers.get(facility):
            copier.expect(made)
        return self._changed(HoldChange.PROTECTED, facility, made)

    async def release(self, facility: str, request: ReleaseRequest) -> list[HoldState]:
        """Have footage kept no longer; returns the holds that ended by it. Raises as `protect`."""
        _, archive = self._facilities[facility]
        at_us = microseconds(self._clock.utc())
        found = await _answered(
            archive,
            lambda index: holds.release(index, archive.root, facility, request["holds"], request["who"], at_us),
        )
        if not found:
            return []
        if copier := self._copiers.get(facility):
            copier.forget([hold.uid for hold in found])
        return self._changed(HoldChange.RELEASED, facility, found)

    async def holds(self, facility: str, *, released: bool) -> list[HoldState]:
        """What is protected, newest first; instead, if wanted, what was released last. Raises KeyError, AwayError."""
        _, archive = self._facilities[facility]
        index = archive.index
        if index is None:
            raise AwayError("the archive is away")
        try:
            found = await asyncio.to_thread(holds.released if released else holds.active, index, facility)
        except sqlite3.Error as error:
            raise AwayError(str(error)) from error
        return [self._state(hold) for hold in found]

    def figures(self, facility: str) -> tuple[int, int, str]:
        """How many holds a facility has, bytes under them, and why its second folder fails. Blocks."""
        if (known := self._facilities.get(facility)) is None:
            return 0, 0, ""
        copier = self._copiers.get(facility)
        problem = next((cause for _, cause in copier.failing()), copier.problem) if copier is not None else None
        at, number, size = self._counted.get(facility, (float("-inf"), 0, 0))
        index = known[1].index
        if index is not None and self._clock.monotonic() - at > COUNT_S:
            try:
                number, size = len(holds.active(index, facility)), holds.held_bytes(index, facility)
            except sqlite3.Error:
                # The volume tells of it; the figures stay those of before.
                return number, size, problem or ""
            self._counted[facility] = self._clock.monotonic(), number, size
        return number, size, problem or ""

    # --------------------------------------------------------------------------------------------------------------

    def _changed(self, change: HoldChange, facility: str, found: list[Hold]) -> list[HoldState]:
        self._counted.pop(facility, None)
        self._tell(change, facility, found)
        return [self._state(hold) for hold in found]

    def _tell(self, change: HoldChange, facility: str, found: list[Hold]) -> None:
        states = [self._state(hold) for hold in found]
        self.on_change({"event": "hold", "change": change.value, "facility": facility, "holds": states})

    def _state(self, hold: Hold) -> HoldState:
        copier = self._copiers.get(hold.facility)
        if copier is None:
            copy, cause, files, copied = CopyState.NONE, None, 0, 0
        else:
            copy, cause, files, copied = copier.state(hold)
        return {
            "id": hold.uid,
            "incident": hold.incident,
            "facility": hold.facility,
            "camera": hold.camera,
            "start": hold.start_us,
            "end": hold.end_us,
            "reason": hold.reason,
            "who": hold.who,
            "at": hold.at_us,
            "released": hold.released_us,
            "released_by": hold.released_by,
            "files": files,
            "copied": copied,
            "copy": copy.value,
            "copy_cause": cause.value if cause else "",
        }


async def _answered[T](archive: Archive, job: Callable[[Index], T]) -> T:
    """What the archive's writer thread answers. Raises HoldError, AwayError."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return await asyncio.wrap_future(archive.ask(job))
    except (OSError, sqlite3.Error) as error:
        # TimeoutError too: what the thread had not begun is not done any more.
        raise AwayError(str(error) or "the archive does not answer") from error
