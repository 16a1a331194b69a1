"""Home Assistant makes a backup: the ledger is copied first, whole and in one file, for its own file is written while it
is copied. A copy that fails is logged and never keeps a backup from being made.
"""

from homeassistant.core import HomeAssistant

from .const import LOGGER
from .engine_client import EngineError
from .hub import HUB

#: Lies in the engine's folder, in every backup.
SNAPSHOT = "ledger-snapshot.db"


async def async_pre_backup(hass: HomeAssistant) -> None:
    """A backup is about to be made."""
    hub = hass.data.get(HUB)
    if hub is None or not hub.connected:
        return
    try:
        await hub.client.ledger_snapshot(str(hub.process.paths.state / SNAPSHOT))
    except EngineError as error:
        LOGGER.warning("The ledger could not be copied for the backup: %s", error)


async def async_post_backup(hass: HomeAssistant) -> None:
    """It is made: the copy is no longer needed."""
    if (hub := hass.data.get(HUB)) is None:
        return
    snapshot = hub.process.paths.state / SNAPSHOT
    try:
        await hass.async_add_executor_job(lambda: snapshot.unlink(missing_ok=True))
    except OSError as error:
        LOGGER.warning("The ledger's copy for the backup could not be removed: %s", error)
