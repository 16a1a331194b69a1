"""Asks the engine again and again for what is computed there and changes all the time, so that it is not pushed.

Once a minute, and soon after something happened to a camera that begins or ends what is asked for; never two at once
of one facility, and never while the engine is away.
"""

from collections.abc import Awaitable, Callable, Hashable
from datetime import timedelta

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later, async_track_time_interval

from .const import LOGGER
from .coordinator import FacilityCoordinator
from .engine.api import CameraState
from .engine_client import EngineError

EVERY = timedelta(seconds=60)


@callback
def async_keep_asking(
    hass: HomeAssistant,
    coordinator: FacilityCoordinator,
    ask: Callable[[], Awaitable[None]],
    *,
    what: str,
    of_camera: Callable[[CameraState], Hashable],
    soon_s: float,
) -> CALLBACK_TYPE:
    """Call `ask` from now on, until the returned function is called; `soon_s` seconds after what `of_camera` takes from a
    camera's state changed. `what` is its name in the log.
    """
    known = False
    seen: dict[str, Hashable] = {}
    soon: CALLBACK_TYPE | None = None
    asking = False

    async def ask_now(_now: object = None) -> None:
        nonlocal asking
        if asking or not coordinator.connected:
            return
        asking = True
        try:
            await ask()
        except EngineError as error:
            LOGGER.debug("%s of %s is not known: %s", what, coordinator.entry.title, error)
        finally:
            asking = False

    async def ask_soon(_now: object) -> None:
        nonlocal soon
        soon = None
        await ask_now()

    @callback
    def changed() -> None:
        nonlocal known, seen, soon
        if coordinator.connected and not known:
            coordinator.entry.async_create_background_task(hass, ask_now(), f"facility_cameras {what}")
        known = coordinator.connected
        now = {key: of_camera(state) for key, state in coordinator.known().items()}
        if known and now != seen and soon is None:
            soon = async_call_later(hass, soon_s, ask_soon)
        seen = now

    changed()
    stops = [
        coordinator.async_listen(None, changed),
        async_track_time_interval(hass, ask_now, EVERY, cancel_on_shutdown=True),
    ]

    @callback
    def stop() -> None:
        for each in stops:
            each()
        if soon is not None:
            soon()

    return stop
