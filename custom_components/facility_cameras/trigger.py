"""Which triggers there are. `outage_trigger.py`: once per outage, over restarts; `camera_trigger.py`: one camera changed."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.trigger import Trigger

from . import wording
from .camera_trigger import CAMERA_TRIGGERS
from .outage_trigger import OutageTrigger


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Our triggers by name."""
    await wording.async_load(hass)
    return {"outage": OutageTrigger, **CAMERA_TRIGGERS}
