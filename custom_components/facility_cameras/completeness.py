"""Asks the engine how complete the recording of a facility is: it changes all the time, so it is not pushed. Once a
minute; and soon after a camera's recording began or ended, for that is when a gap begins or ends.
"""

from datetime import timedelta

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later, async_track_time_interval

from .const import LOGGER
from .coordinator import FacilityCoordinator
from .engine_client import EngineError

EVERY = timedelta(seconds=60)
#: Of the last ten seconds the engine tells nothing: footage of them may be on its way to the disk.
SOON_S = 12.0


@callback
def async_watch(hass: HomeAssistant, coordinator: FacilityCoordinator) -> CALLBACK_TYPE:
    """Ask from now on, until the returned function is called."""
    known = False
    recording: dict[str, tuple[str, bool]] = {}
    soon: CALLBACK_TYPE | None = None

    async def ask(_now: object = None) -> None:
        try:
            found = await coordinator.hub.client.completeness(coordinator.entry.entry_id)
        except EngineError as error:
            LOGGER.debug("Recording completeness of %s is not known: %s", coordinator.entry.title, error)
            return
        coordinator.async_take_completeness(found)

    async def ask_soon(_now: object) -> None:
        nonlocal soon
        soon = None
        await ask()

    @callback
    def changed() -> None:
        nonlocal known, recording, soon
        if coordinator.connected and not known:
            coordinator.entry.async_create_background_task(hass, ask(), "facility_cameras completeness")
        known = coordinator.connected
        now = {key: (state["duty"], state["recording"]) for key, state in coordinator.known().items()}
        if known and now != recording and soon is None:
            soon = async_call_later(hass, SOON_S, ask_soon)
        recording = now

    changed()
    stops = [
        coordinator.async_listen(None, changed),
        async_track_time_interval(hass, ask, EVERY, cancel_on_shutdown=True),
    ]

    @callback
    def stop() -> None:
        for each in stops:
            each()
        if soon is not None:
            soon()

    return stop
