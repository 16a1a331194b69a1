"""Repairs about the hub itself: its ledger cannot be written, or nothing keeps its clock right. Looked at once a minute."""

from datetime import timedelta

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_time_interval

from .const import DOMAIN, LOGGER
from .engine.api_ledger import LedgerProblem
from .engine_client import EngineError
from .hub import Hub

EVERY = timedelta(seconds=60)
#: So many looks in a row have to find the clock not synchronised: after a start, or while a line is down for a moment, it
#: is no trouble yet. Looks are counted, for it is the clock that is in doubt.
CLOCK_LOOKS = 11
ISSUE_CLOCK = "clock_not_synchronised"
ISSUE_LEDGER = "ledger"


@callback
def async_watch(hass: HomeAssistant, hub: Hub) -> None:
    """Keep them true from now on, as long as Home Assistant runs."""
    async_track_time_interval(hass, HubIssues(hass, hub).async_look, EVERY, cancel_on_shutdown=True)


class HubIssues:
    """Keeps them true."""

    def __init__(self, hass: HomeAssistant, hub: Hub) -> None:
        """Nothing is looked at yet."""
        self._hass = hass
        self._hub = hub
        self._looks = 0

    async def async_look(self, _now: object = None) -> None:
        """Look once: what is so is told, what is no longer so is not."""
        self._look_at_clock()
        if not self._hub.coordinators:
            ir.async_delete_issue(self._hass, DOMAIN, ISSUE_LEDGER)
        if not self._hub.connected:
            return
        try:
            problem = (await self._hub.client.ledger())["problem"]
        except EngineError as error:
            LOGGER.debug("The engine does not tell of its ledger: %s", error)
            return
        self._tell_ledger(problem)

    def _look_at_clock(self) -> None:
        health = self._hub.state.health
        if health is None or health["clock_synchronised"] is not False:
            self._looks = 0
            ir.async_delete_issue(self._hass, DOMAIN, ISSUE_CLOCK)
            return
        self._looks += 1
        if self._looks < CLOCK_LOOKS:
            return
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            ISSUE_CLOCK,
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key=ISSUE_CLOCK,
        )

    def _tell_ledger(self, told: str) -> None:
        if not told:
            ir.async_delete_issue(self._hass, DOMAIN, ISSUE_LEDGER)
            return
        try:
            problem = LedgerProblem(told)
        except ValueError:
            problem = LedgerProblem.FAILED
        ir.async_create_issue(
            self._hass,
            DOMAIN,
            ISSUE_LEDGER,
            is_fixable=False,
            severity=ir.IssueSeverity.ERROR,
            translation_key=problem.value,
            translation_placeholders={"folder": str(self._hub.process.paths.state)},
        )
