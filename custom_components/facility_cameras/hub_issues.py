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
#: So many looks in a row have to find the clock not synchronised: after a start, or when a line is down for a moment, it is no
#: trouble yet. Looks are counted, for it is the clock that is in doubt.
CLOCK_LOOKS = 11
ISSUE_CLOCK = "clock_not_synchronised"
ISSUE_LEDGER = "ledger"


@callback
def async_watch(hass: HomeAssistant, hub: Hub) -> None:
    """Keep them true from now on, as long as Home Assistant runs."""
    looks = 0

    async def look(_now: object) -> None:
        nonlocal looks
        if not hub.coordinators:
            ir.async_delete_issue(hass, DOMAIN, ISSUE_LEDGER)
        looks = looks + 1 if hub.state.health and hub.state.health["clock_synchronised"] is False else 0
        if looks >= CLOCK_LOOKS:
            _tell_clock(hass)
        elif looks == 0:
            ir.async_delete_issue(hass, DOMAIN, ISSUE_CLOCK)
        if not hub.connected:
            return
        try:
            problem = (await hub.client.ledger())["problem"]
        except EngineError as error:
            LOGGER.debug("The engine does not tell of its ledger: %s", error)
            return
        _tell_ledger(hass, problem, str(hub.process.paths.state))

    async_track_time_interval(hass, look, EVERY, cancel_on_shutdown=True)


@callback
def _tell_clock(hass: HomeAssistant) -> None:
    ir.async_create_issue(
        hass,
        DOMAIN,
        ISSUE_CLOCK,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=ISSUE_CLOCK,
    )


@callback
def _tell_ledger(hass: HomeAssistant, told: str, folder: str) -> None:
    if not told:
        ir.async_delete_issue(hass, DOMAIN, ISSUE_LEDGER)
        return
    try:
        problem = LedgerProblem(told)
    except ValueError:
        problem = LedgerProblem.FAILED
    ir.async_create_issue(
        hass,
        DOMAIN,
        ISSUE_LEDGER,
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR,
        translation_key=problem.value,
        translation_placeholders={"folder": folder},
    )
