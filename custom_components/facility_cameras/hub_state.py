"""What the engine tells of itself and its machine: how it is, and what cameras have in common that went away together."""

from collections.abc import Iterable

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send

from .const import DOMAIN
from .engine.api_health import CommonCause, HubHealth

#: Sent when `health` is another.
SIGNAL_HEALTH = f"{DOMAIN}_health"
#: Sent with the common cause that changed, or None where all may have.
SIGNAL_COMMON_CAUSES = f"{DOMAIN}_common_causes"


class HubState:
    """The newest of it; nothing while the engine is away."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Nothing is known yet."""
        self._hass = hass
        self.health: HubHealth | None = None
        #: Those that last, by id.
        self.common_causes: dict[str, CommonCause] = {}

    @callback
    def async_take_health(self, health: HubHealth | None) -> None:
        """The engine tells how it is; None: it is away."""
        self.health = health
        async_dispatcher_send(self._hass, SIGNAL_HEALTH)

    @callback
    def async_take_all(self, causes: Iterable[CommonCause]) -> None:
        """The engine tells of all that last: those that are not among them it no longer knows."""
        self.common_causes = {cause["id"]: cause for cause in causes}
        async_dispatcher_send(self._hass, SIGNAL_COMMON_CAUSES, None)

    @callback
    def async_take_cause(self, cause: CommonCause) -> None:
        """One began, changed or ended."""
        if cause["ended"] is None:
            self.common_causes[cause["id"]] = cause
        else:
            self.common_causes.pop(cause["id"], None)
        async_dispatcher_send(self._hass, SIGNAL_COMMON_CAUSES, cause)
