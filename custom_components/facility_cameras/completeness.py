"""Asks the engine once a minute how complete the recording of a facility is: it changes all the time, so it is not pushed."""

from datetime import timedelta

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_track_time_interval

from .const import LOGGER
from .coordinator import FacilityCoordinator
from .engine_client import EngineError

EVERY = timedelta(seconds=60)


@callback
def async_watch(hass: HomeAssistant, coordinator: FacilityCoordinator) -> CALLBACK_TYPE:
    """Ask now, whenever the engine is back, and once a minute, until the returned function is called."""
    known = False

    async def ask(_now: object = None) -> None:
        try:
            found = await coordinator.hub.client.completeness(coordinator.entry.entry_id)
        except EngineError as error:
            LOGGER.debug("Recording completeness of %s is not known: %s", coordinator.entry.title, error)
            return
        coordinator.async_take_completeness(found)

    @callback
    def changed() -> None:
        nonlocal known
        if coordinator.connected and not known:
            coordinator.entry.async_create_background_task(hass, ask(), "facility_cameras completeness")
        known = coordinator.connected

    changed()
    stops = [
        coordinator.async_listen(None, changed),
        async_track_time_interval(hass, ask, EVERY, cancel_on_shutdown=True),
    ]

    @callback
    def stop() -> None:
        for each in stops:
            each()

    return stop
