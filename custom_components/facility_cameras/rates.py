"""Asks the engine for the online rates and the last outages of a facility: also soon after a camera's status changed, for
that is when an outage begins or ends.
"""

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from .asking import async_keep_asking
from .coordinator import FacilityCoordinator

#: A change is in the ledger within a second; those that come together are asked for at once.
SOON_S = 3.0


@callback
def async_watch(hass: HomeAssistant, coordinator: FacilityCoordinator) -> CALLBACK_TYPE:
    """Ask from now on, until the returned function is called."""

    async def ask() -> None:
        coordinator.async_take_rates(await coordinator.hub.client.facility_rates(coordinator.entry.entry_id))

    return async_keep_asking(
        hass,
        coordinator,
        ask,
        what="online rate",
        of_camera=lambda state: (state["status"], state["standing"]),
        soon_s=SOON_S,
    )
