"""The one engine of this Home Assistant: kept running, kept told, listened to.

Started on the first line of `async_setup`, before entries are loaded: what the engine saved itself is recorded at once.
A living engine of the same API and build is attached to; any other is told to leave and replaced. When its event stream
ends it is started again within a second.
"""

import asyncio
from collections.abc import Callable
import secrets

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN, LOGGER
from .coordinator import FacilityCoordinator
from .engine.api import API_VERSION, CameraState, EngineInfo, FacilityState
from .engine.api_events import Event
from .engine.api_footage import ExportState
from .engine_client import EngineAwayError, EngineClient, EngineError
from .engine_process import RESTREAM_HOST, EngineProcess, EngineStartError
from .hub_state import HubState
from .observed import Observed
from .outages import Outages
from .picture_store import PictureStore
from .playback import PlaybackTokens

HUB: HassKey[Hub] = HassKey(DOMAIN)

#: How long a started engine may take until it answers.
_START_S = 15.0
#: How long an engine may take to finish what it writes.
_LEAVE_S = 10.0
#: A watch that failed begins anew after this time.
_RESTART_S = 1.0
#: An engine that comes back within this time is no event for anybody.
_GRACE_S = 2.0
#: Ends sooner than this after its start count as failures to start.
_STABLE_S = 20.0
#: Waits before a start that follows n failed ones.
_BACK_OFF_S = (0.0, 0.5, 2.0, 5.0, 15.0, 30.0)
#: From so many failures in a row on, people are told.
_FAILURES_TOLD = 3
ISSUE_ENGINE = "engine_not_running"


class Hub:
    """The engine's process, its client, and the facilities that listen to it."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Nothing is started yet."""
        self.hass = hass
        self.process = EngineProcess(hass.config.config_dir)
        self.client = EngineClient(self.process.paths.socket)
        self.coordinators: dict[str, FacilityCoordinator] = {}
        self.pictures = PictureStore()
        self.playback = PlaybackTokens()
        self.outages = Outages(hass)
        self.state = HubState(hass)
        #: Monotonic seconds.
        self.clock: Callable[[], float] = hass.loop.time
        self.observed = Observed(self.clock)
        #: Called with an export that began, is paused, goes on, or is over.
        self.on_export: Callable[[ExportState], None] | None = None
        self.info: EngineInfo | None = None
        self.starts = 0
        #: Opens the re-stream, which is on this machine only: another one each time Home Assistant starts.
        self._secret = secrets.token_urlsafe(24)
        self._ready = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._grace: asyncio.TimerHandle | None = None

    @property
    def connected(self) -> bool:
        """True while the engine tells us what happens."""
        return self._ready.is_set()

    def restream_url(self, camera_id: str) -> str | None:
        """Where the engine hands on what it receives. The secret opens nothing but this, on this machine only."""
        if self.info is None:
            return None
        return f"rtsp://viewer:{self._secret}@{RESTREAM_HOST}:{self.info['restream_port']}/{camera_id}"

    @callback
    def async_start(self) -> None:
        """Keep the engine running from now on. Does nothing if that is so already."""
        if self._watch is None or self._watch.done():
            self._watch = self.hass.async_create_background_task(self._async_watch(), "facility_cameras engine")
            self._watch.add_done_callback(self._watch_ended)

    def _watch_ended(self, watch: asyncio.Task[None]) -> None:
        """A mistake of ours must not leave the engine unwatched: it is logged, and the watch begins anew."""
        if watch is self._watch and not watch.cancelled() and (error := watch.exception()) is not None:
            LOGGER.error("The watch over the engine failed and begins anew", exc_info=error)
            self._lose()
            self.hass.loop.call_later(_RESTART_S, self.async_start)

    async def async_ready(self, timeout: float) -> bool:
        """Wait for the engine; False if it is not there after `timeout` seconds."""
        self.async_start()
        try:
            async with asyncio.timeout(timeout):
                await self._ready.wait()
        except TimeoutError:
            return False
        return True

    async def async_join(self, coordinator: FacilityCoordinator) -> None:
        """A facility is set up: tell the engine of it, and it of what the engine knows."""
        self.coordinators[coordinator.entry.entry_id] = coordinator
        await coordinator.async_sync()
        try:
            known = await self.client.cameras()
            facilities = await self.client.facilities()
        except EngineError:
            return  # it is told by the snapshot when the engine is back
        coordinator.async_set_connected(self.connected)
        self._take_cameras(known)
        self._take_facilities(facilities)

    async def async_stop(self) -> None:
        """Home Assistant stops: what was received gets written; the engine records on, on its leash."""
        if self.connected:
            try:
                await self.client.flush()
            except EngineAwayError:
                LOGGER.debug("The engine is gone already; it closed what it wrote")
            except EngineError as error:
                LOGGER.warning("Could not flush the engine: %s", error)
        await self.outages.async_stop()
        await self._async_end_watch()
        await self.client.close()
        self._set_lost()

    async def async_forget(self, facility_id: str) -> None:
        """A facility was removed or disabled: its cameras are no longer received. The last one ends the engine."""
        self.coordinators.pop(facility_id, None)
        try:
            if self._wanted():
                await self.client.delete_facility(facility_id)
                return
            await self._async_end_watch()
            # Told before it leaves: it would otherwise keep them, and begin with them when it is started again.
            for facility in await self.client.facilities():
                await self.client.delete_facility(facility["id"])
            await self.client.leave()
        except EngineError as error:
            LOGGER.debug("Engine was told nothing about %s: %s", facility_id, error)
        self._set_lost()
        # Before the wait: a facility that is added meanwhile has its engine started, and knows of it.
        self.info = None
        await self.hass.async_add_executor_job(self.process.wait, _LEAVE_S)

    def _wanted(self) -> set[str]:
        """Ids of the facilities whose cameras are to be received."""
        entries = self.hass.config_entries.async_entries(DOMAIN, include_disabled=False, include_ignore=False)
        return {entry.entry_id for entry in entries}

    async def _async_end_watch(self) -> None:
        if self._watch is not None and not self._watch.done():
            self._watch.cancel()
            await asyncio.wait([self._watch])
        self._watch = None

    # --- the engine's life ---------------------------------------------------------------------------

    async def _async_watch(self) -> None:
        """Attach or start, listen until the stream ends, again."""
        failures = 0
        loop = self.hass.loop
        # Where all are told to end at once (a container's restart), the engine is not begun anew in the last second.
        while not self.hass.is_stopping:
            begun = loop.time()
            try:
                await self._async_attach_or_start()
                async for event in self.client.events():
                    await self._async_take(event)
                LOGGER.warning("The engine ended; it is started again")
            except EngineStartError as error:
                LOGGER.error("The engine does not start: %s", error)
            except EngineAwayError as error:
                LOGGER.warning("The engine no longer answers (%s); it is started again", error)
                await self._async_end_hung()
            except EngineError as error:
                LOGGER.error("The engine refuses its hub: %s", error)
            self._lose()
            failures = 0 if loop.time() - begun > _STABLE_S else failures + 1
            if failures >= _FAILURES_TOLD:
                self._tell_failure()
            await asyncio.sleep(_BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)])

    async def _async_attach_or_start(self) -> None:
        """Have an engine of our API and build answer on the socket."""
        build = await self.hass.async_add_executor_job(self.process.prepare)
        if (found := await self._async_found()) is not None:
            if found["api"] == API_VERSION and found["build"] == build:
                await self.client.put_restream(self._secret)
                LOGGER.debug("Attached to the engine %s", found["pid"])
                return
            LOGGER.info("Replacing an engine of another build")
            await self._async_replace(found["pid"])
        await self.hass.async_add_executor_job(self.process.start, self._secret)
        self.starts += 1
        deadline = self.hass.loop.time() + _START_S
        while await self._async_found() is None:
            if (code := self.process.exit_code()) is not None:
                words = await self.hass.async_add_executor_job(self.process.last_words)
                raise EngineStartError(f"it ended with code {code}. {words}")
            if self.hass.loop.time() > deadline:
                await self.hass.async_add_executor_job(self.process.give_up)
                raise EngineStartError(f"no answer within {_START_S:.0f} s")
            await asyncio.sleep(0.05)

    async def _async_found(self) -> EngineInfo | None:
        """Who answers on the socket; None if nobody does."""
        try:
            return await self.client.info()
        except EngineAwayError:
            return None

    async def _async_replace(self, pid: int) -> None:
        """Tell another engine to finish what it writes and leave; end it if it does not."""
        try:
            await self.client.leave()
        except EngineError as error:
            LOGGER.debug("The other engine did not take its leave: %s", error)
        deadline = self.hass.loop.time() + _LEAVE_S
        while await self._async_found() is not None:
            if self.hass.loop.time() > deadline:
                await self.hass.async_add_executor_job(self.process.kill, pid)
                break
            await asyncio.sleep(0.05)

    async def _async_end_hung(self) -> None:
        """An engine that holds its stream open and says nothing is ended: it would hold the lock."""
        if self.info is not None and self.process.exit_code() is None and await self._async_found() is None:
            await self.hass.async_add_executor_job(self.process.kill, self.info["pid"])

    def _tell_failure(self) -> None:
        ir.async_create_issue(
            self.hass,
            DOMAIN,
            ISSUE_ENGINE,
            is_fixable=False,
            severity=ir.IssueSeverity.ERROR,
            translation_key=ISSUE_ENGINE,
            translation_placeholders={"log": str(self.process.paths.output)},
        )

    # --- what it tells ---------------------------------------------------------------------------------

    async def _async_take(self, event: Event) -> None:
        """Hand an event to the facility it is about."""
        if event["event"] == "snapshot":
            self.info = event["engine"]
            self._find()
            await self._async_reconcile()
            self.state.async_take_health(event["health"])
            self._take_cameras(event["cameras"])
            self._take_facilities(event["facilities"])
            self.state.async_take_all(event["common_causes"])
        elif event["event"] == "camera":
            self._take_cameras([event["camera"]])
        elif event["event"] == "figures":
            self.state.async_take_health(event["health"])
            self._take_cameras(event["cameras"])
            self._take_facilities(event["facilities"])
        elif event["event"] == "removed":
            for coordinator in self.coordinators.values():
                coordinator.async_drop_camera(event["id"])
        elif event["event"] == "common_cause":
            self.state.async_take_cause(event["cause"])
        elif event["event"] == "export" and self.on_export is not None:
            self.on_export(event["export"])
        elif event["event"] == "hold" and (found := self.coordinators.get(event["facility"])):
            found.async_take_holds(event)

    def _take_cameras(self, cameras: list[CameraState]) -> None:
        for facility_id, coordinator in tuple(self.coordinators.items()):
            coordinator.async_take_cameras(camera for camera in cameras if camera["facility"] == facility_id)

    def _take_facilities(self, facilities: list[FacilityState]) -> None:
        for facility in facilities:
            if coordinator := self.coordinators.get(facility["id"]):
                coordinator.async_take_facility(facility)

    async def _async_reconcile(self) -> None:
        """Tell a newly attached engine what is wanted now: it began with what it was told last."""
        wanted = self._wanted()
        for facility in await self.client.facilities():
            if facility["id"] not in wanted:
                await self.client.delete_facility(facility["id"])
        for coordinator in tuple(self.coordinators.values()):
            await coordinator.async_sync()

    def _find(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        ir.async_delete_issue(self.hass, DOMAIN, ISSUE_ENGINE)
        self._ready.set()
        for coordinator in self.coordinators.values():
            coordinator.async_set_connected(True)

    def _lose(self) -> None:
        """The stream ended. An engine that is back at once is no event; one that is not makes everything unknown."""
        self._ready.clear()
        if self._grace is None:
            self._grace = self.hass.loop.call_later(_GRACE_S, self._set_lost)

    @callback
    def _set_lost(self) -> None:
        self._ready.clear()
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        self.state.async_take_health(None)
        for coordinator in self.coordinators.values():
            coordinator.async_set_connected(False)
