"""Asks the engine how complete the recording of a facility is: also soon after a camera's recording began or ended, for
that is when a gap begins or ends.
"""

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from .asking import async_keep_asking
from .coordinator import FacilityCoordinator

#: Of the last ten seconds the engine tells nothing: footage of them may be on its way to the disk.
SOON_S = 12.0


@callback
def async_watch(hass: HomeAssistant, coordinator: FacilityCoordinator) -> CALLBACK_TYPE:
    """Ask from now on, until the returned function is called."""

    async def ask() -> None:
        coordinator.async_take_completeness(await coordinator.hub.client.completeness(coordinator.entry.entry_id))

    return async_keep_asking(
        hass,
        coordinator,
        ask,
        what="recording completeness",
        of_camera=lambda state: (state["duty"], state["recording"]),
        soon_s=SOON_S,
    )
