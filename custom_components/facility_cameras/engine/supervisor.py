"""Which cameras there are and who runs: keeps cameras, archives and what is saved in step with what the hub wants.

Changing one camera touches no other.
"""

import asyncio
from collections.abc import Callable
import logging
from pathlib import Path
from typing import Literal

from . import saved
from .api import CameraConfig, CameraState, FacilityConfig, FacilityState, PictureState
from .api_footage import CameraCompleteness
from .archive.archive import Archive
from .archive.backlog import Memory
from .camera import Camera, same_session
from .camera_tasks import CameraTasks
from .causes import Causes
from .clock import Clock, microseconds
from .completeness import Completeness
from .facility_state import facility_state, rules
from .feed import Feed
from .folder_name import folder_name
from .gate import BeforeMemory
from .ledger.ledger import Ledger
from .logins import Logins
from .picture.examiner import Examiner, settings_of
from .picture.last_picture import LastPictures
from .protection import Protection
from .recorder import Recorder
from .rtsp.url import parse_url
from .standing import connects
from .standings import Standings
from .ticker import Ticker

_LOGGER = logging.getLogger(__name__)

#: Dialogues under way at once: 64 cameras behind a rebooted switch come back in order (B10).
DIALOGUES = 16
#: A flush waits so long for disks that work; those that do not answer are looked at this often.
FLUSH_S, FLUSH_LOOK_S = 10.0, 0.25


class Supervisor:
    """The engine's cameras. Ids are the hub's."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """Load what was saved in `folder`; `start` begins. Blocks for a moment."""
        self._folder = folder
        self._clock = clock
        self._saved = saved.load(folder)
        self._save_wanted = asyncio.Event()
        self._saving = asyncio.Lock()
        self._save_failed = False
        self._logins = Logins(self._saved["logins"], self._save_wanted.set)
        self._ticker = Ticker()
        self._dialogues = asyncio.Semaphore(DIALOGUES)
        self._facilities: dict[str, FacilityConfig] = {}
        self._archives: dict[tuple[str, str], Archive] = {}
        self._completeness: dict[str, Completeness] = {}
        #: What all archives together keep while their volumes are away.
        self._memory = Memory()
        #: What all cameras together keep of the time before they are recorded.
        self._before = BeforeMemory()
        self._cameras: dict[str, Camera] = {}
        self._tasks = CameraTasks()
        self.protection = Protection(clock)
        self.ledger = Ledger(folder, clock)
        self.causes = Causes(self.ledger, clock)
        self.standings = Standings(self.ledger, clock, self._saved["maintenance"], self._planned)
        self.pictures = LastPictures(folder / "last_pictures", clock)
        self.examiner = Examiner(folder, clock)
        self.examiner.on_finding = self._see
        #: Called with the state of a camera that changed, and with the id of one that is gone.
        self.on_changed: Callable[[CameraState], None] = lambda _state: None
        self.on_removed: Callable[[str], None] = lambda _camera: None

    @property
    def restream_port(self) -> int:
        """The port saved for the re-stream, 0 if none."""
        return self._saved["restream_port"]

    @restream_port.setter
    def restream_port(self, port: int) -> None:
        if port != self._saved["restream_port"]:
            self._saved["restream_port"] = port
            self._save_wanted.set()

    # Life ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin with the cameras that were saved."""
        self.ledger.start()
        for facility in self._saved["facilities"]:
            try:
                self._apply(facility)
            except KeyError, TypeError, ValueError, AttributeError:
                _LOGGER.warning("a saved facility cannot be read and is left out")
        if self._cameras:
            self.ledger.only()

    async def watch(self) -> None:
        """Once a second: look after every camera, and save what is to be saved. Ends only by being cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            for camera in tuple(self._cameras.values()):
                # Each as a call of its own: one that fails holds up none of the others, nor this.
                loop.call_soon(camera.check)
                loop.call_soon(self._tell_ledger, camera)
            loop.call_soon(self.standings.tick)
            loop.call_soon(self.causes.tick)
            loop.call_soon(self.protection.check)
            loop.call_soon(self.ledger.beat)
            for archive in self._archives.values():
                loop.call_soon(archive.duties.beat)
                archive.cleaner.clock_doubtful = self.causes.clock_doubtful
            if self._save_wanted.is_set():
                await self._save_later()
            await asyncio.sleep(1.0)

    async def _save_later(self) -> None:
        """Save; where that fails, say so once and try again in the next round."""
        try:
            await self.save()
        except OSError as error:
            if not self._save_failed:
                _LOGGER.warning("what is to be kept over a restart cannot be saved: %s", error)
            self._save_failed = True
        else:
            self._save_failed = False

    async def save(self) -> None:
        """Put everything that lasts on the disk. Raises OSError; `watch` then tries again."""
        async with self._saving:
            self._save_wanted.clear()
            content: saved.Saved = {
                "facilities": list(self._facilities.values()),
                "restream_port": self._saved["restream_port"],
                "logins": dict(self._logins.remembered),
                "maintenance": self.standings.kept,
            }
            try:
                await asyncio.to_thread(saved.save, self._folder, content)
            except OSError:
                # `watch` tries again.
                self._save_wanted.set()
                raise

    async def close(self) -> None:
        """End every session, finish every segment. What is to be saved has been, or is with `save`."""
        await self.causes.close()
        await self._tasks.close()
        self._ticker.close()
        # Archives first: a second folder that does not answer is left behind.
        await asyncio.gather(
            *(asyncio.to_thread(archive.close) for archive in self._archives.values()),
            self.protection.close(),
            asyncio.to_thread(self.ledger.close),
        )

    async def flush(self) -> None:
        """Write and sync everything received. Raises TimeoutError if an archive did not take it: one that does not
        answer, or is away, holds up neither the others nor this.
        """
        for camera in self._cameras.values():
            camera.recorder.flush()
        loop = asyncio.get_running_loop()
        archives = self.archives
        waiting = {loop.create_future(): archive for archive in archives}
        for future, archive in waiting.items():
            archive.submit(None, 0, _settler(loop, future))
        until = loop.time() + FLUSH_S
        while waiting and loop.time() < until:
            await asyncio.wait(waiting, timeout=FLUSH_LOOK_S)
            waiting = {future: archive for future, archive in waiting.items() if not future.done()}
            if not any(archive.answers for archive in waiting.values()):
                break
        if waiting or any(archive.kept_bytes for archive in archives):
            raise TimeoutError

    # What the hub wants -------------------------------------------------------------------------------------------

    async def put_facility(self, facility: FacilityConfig) -> None:
        """Take over a facility as the hub wants it; saved before this returns. Raises ValueError, OSError."""
        for camera in facility["cameras"]:
            parse_url(camera["url"])
        self._apply(facility)
        await self.save()

    async def delete_facility(self, identity: str) -> None:
        """Receive its cameras no longer. Footage stays. Raises OSError."""
        facility = self._facilities.pop(identity, None)
        if facility is None:
            return
        self._completeness.pop(identity, None)
        for camera in facility["cameras"]:
            self._remove(camera["id"])
        self._renew_archives()
        await self.save()

    def set_said(self, camera: Camera, key: Literal["wanted", "required"], *, said: bool) -> None:
        """What a camera's schedule or entity says now. Saved within a second."""
        for config in self._facilities[camera.facility]["cameras"]:
            if config["id"] == camera.config["id"]:
                config[key] = said
                self.standings.put(config, camera.facility)
                camera.take({**config})
        self._save_wanted.set()
        self.on_changed(camera.state())

    def _planned(self, identity: str) -> None:
        """Maintenance of a camera began or ended."""
        self._save_wanted.set()
        if (camera := self._cameras.get(identity)) is not None:
            self.on_changed(camera.state())

    def _apply(self, facility: FacilityConfig) -> None:
        before = self._facilities.get(facility["id"])
        facility = saved.completed(facility, before)
        same_archive = before is not None and all(before[key] == facility[key] for key in ("archive", "archive_id"))
        archive = self._archive(facility)
        wanted = {camera["id"]: camera for camera in facility["cameras"]}
        for camera in before["cameras"] if before is not None else ():
            if camera["id"] not in wanted:
                self._remove(camera["id"])
        self._facilities[facility["id"]] = facility
        for config in wanted.values():
            known = self._cameras.get(config["id"])
            if off := not connects(config):
                # Before its session ends: in no moment is a camera required that is switched off.
                self.standings.put(config, facility["id"])
            if known is not None and same_archive and same_session(known.config, config):
                known.take(config)
                self.examiner.set(config["id"], settings_of(config))
            else:
                self._add(config, facility, archive)
            if not off:
                self.standings.put(config, facility["id"])
        self._renew_archives()

    def _archive(self, facility: FacilityConfig) -> Archive:
        key = _archive_key(facility)
        if key not in self._archives:
            self._archives[key] = Archive(
                Path(facility["archive"]),
                facility["archive_id"],
                self._clock,
                memory=self._memory,
                remembered=self._folder,
            )
            self._archives[key].start()
        return self._archives[key]

    def _renew_archives(self) -> None:
        """Days to keep for each archive; one that no facility uses any more is closed."""
        for key, archive in tuple(self._archives.items()):
            facilities = [one for one in self._facilities.values() if _archive_key(one) == key]
            archive.cleaner.rules = {one["id"]: rules(one) for one in facilities}
            archive.cleaner.days = {
                camera["id"]: camera["days_to_keep"] or one["days_to_keep"]
                for one in facilities
                for camera in one["cameras"]
            }
            self.pictures.days |= archive.cleaner.days
            if not facilities:
                del self._archives[key]
                self._tasks.behind(_close_behind(archive, self._tasks.ending))
        known = {one["id"]: (one, self._archives[_archive_key(one)]) for one in self._facilities.values()}
        for copier in self.protection.renew(known):
            self._tasks.behind(asyncio.to_thread(copier.close))

    def _add(self, config: CameraConfig, facility: FacilityConfig, archive: Archive) -> None:
        before = self._tasks.get(config["id"])
        folder = f"{folder_name(facility['name'], facility['id'])}/{folder_name(config['name'], config['id'])}"
        recorder = Recorder(config["id"], facility["id"], folder, archive, self._clock)
        camera = Camera(
            config,
            facility["id"],
            recorder,
            archive,
            memory=self._before,
            clock=self._clock,
            ticker=self._ticker,
            logins=self._logins,
            dialogues=self._dialogues,
            last_picture=self.pictures.of(config["id"]),
            maintenance=self.standings.maintenance,
            changed=self._tell,
        )
        if before is not None:
            if self._cameras[config["id"]].archive is not archive:
                self._cameras[config["id"]].archive.duties.gone(config["id"])
            self._remove(config["id"], told=False)
        self._cameras[config["id"]] = camera
        self.causes.add(camera)
        self.examiner.add(config["id"], camera.feed, settings_of(config))
        self._tasks.start(camera, before)
        self._tell(camera)

    def _see(self, identity: str, picture: PictureState | None) -> None:
        """What is wrong with a camera's picture now."""
        if (camera := self._cameras.get(identity)) is not None:
            camera.see(picture)

    def _tell(self, camera: Camera) -> None:
        self._tell_ledger(camera)
        self.on_changed(camera.state())

    def _tell_ledger(self, camera: Camera) -> None:
        """What is known of a camera, for ever; and for what it has in common with others."""
        identity, watch = camera.config["id"], camera.watch
        if self._cameras.get(identity) is not camera:
            return
        status, problem, since_us = watch.shown
        self.ledger.tell(
            identity,
            status,
            problem["cause"],
            problem.get("reach", ""),
            watch.evidence,
            since_us=since_us,
            connected_us=watch.connected_us,
        )
        self.causes.told(camera)

    def _remove(self, identity: str, *, told: bool = True) -> None:
        camera = self._cameras.pop(identity, None)
        if camera is not None:
            camera.gate.end()
            camera.last_picture.gone(camera.feed)
        if told:
            self.pictures.forget(identity)
            self.examiner.remove(identity)
            self._logins.remove(identity)
            if camera is not None:
                camera.archive.duties.gone(identity)
        if self._tasks.end(identity) and told:
            self.ledger.gone(identity)
            self.standings.forget(identity)
            self.causes.remove(identity)
            self.on_removed(identity)

    # What is known ------------------------------------------------------------------------------------------------

    def camera(self, identity: str) -> Camera | None:
        """A camera by its id."""
        return self._cameras.get(identity)

    def feed(self, identity: str) -> Feed | None:
        """A camera's feed by its id."""
        camera = self._cameras.get(identity)
        return camera.feed if camera is not None else None

    def facility(self, identity: str) -> FacilityConfig | None:
        """A facility by its id, as the hub wants it."""
        return self._facilities.get(identity)

    def archive_of(self, camera: Camera) -> Archive | None:
        """The archive of a camera's facility."""
        return self.archive_of_facility(camera.facility)

    def archive_of_facility(self, identity: str) -> Archive | None:
        """The archive of a facility by its id."""
        facility = self._facilities.get(identity)
        return self._archives.get(_archive_key(facility)) if facility else None

    def zone_of(self, camera: Camera) -> str:
        """The time zone of a camera's facility."""
        return self._facilities[camera.facility]["zone"]

    @property
    def archives(self) -> list[Archive]:
        """All archives."""
        return list(self._archives.values())

    def cameras(self) -> list[CameraState]:
        """The state of all cameras."""
        return [camera.state() for camera in self._cameras.values()]

    def renew_figures(self) -> None:
        """Bit rates and frame rates since the last call."""
        for camera in self._cameras.values():
            camera.renew_figures()

    async def completeness(self, identity: str) -> list[CameraCompleteness] | None:
        """Of the cameras of a facility; None if there is no such facility. Raises sqlite3.Error."""
        facility = self._facilities.get(identity)
        if facility is None:
            return None
        archive, counted = self._archives[_archive_key(facility)], self._completeness.get(identity)
        if counted is None or counted.archive is not archive:
            counted = self._completeness[identity] = Completeness(archive)
        cameras = [one["id"] for one in facility["cameras"]]
        return await asyncio.to_thread(counted.of, cameras, facility["zone"])

    async def facilities(self) -> list[FacilityState]:
        """The state of all facilities' footage."""
        now_us = microseconds(self._clock.utc())

        def state(one: FacilityConfig) -> FacilityState:
            archive = self._archives.get(_archive_key(one))
            return facility_state(one, archive, self.protection.figures(one["id"]), now_us)

        return await asyncio.to_thread(lambda: [state(one) for one in tuple(self._facilities.values())])


def _archive_key(facility: FacilityConfig) -> tuple[str, str]:
    """Two facilities may share an archive; a slash more or less is no other folder."""
    return str(Path(facility["archive"])), facility["archive_id"]


async def _close_behind(archive: Archive, ending: tuple[asyncio.Task[None], ...]) -> None:
    """Close an archive once the cameras that wrote into it have ended."""
    if ending:
        await asyncio.wait(ending, timeout=3)
    await asyncio.to_thread(archive.close)


def _settler(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> Callable[[], None]:
    """What the writer thread calls once everything queued before is written."""

    def settle() -> None:
        if not future.done():
            future.set_result(None)

    def job() -> None:
        loop.call_soon_threadsafe(settle)

    return job
