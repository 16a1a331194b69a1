"""The flow behind "wrong password": it leads to the camera's own reconfigure flow."""

from homeassistant.components.repairs import RepairsFlow
from homeassistant.components.repairs.const import FlowType
from homeassistant.components.repairs.models import RepairsFlowResult
from homeassistant.config_entries import SOURCE_RECONFIGURE
from homeassistant.core import HomeAssistant
import voluptuous as vol

from .const import SUBENTRY_CAMERA


class PasswordFlow(RepairsFlow):
    """Says what to do, then opens the camera's settings."""

    def __init__(self, entry_id: str, camera_id: str) -> None:
        """Of one camera."""
        self._entry_id = entry_id
        self._camera_id = camera_id

    async def async_step_init(self, _user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """First step of every repair."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Explain, then go on to the camera."""
        entry = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None or self._camera_id not in entry.subentries:
            return self.async_abort(reason="camera_gone")
        if user_input is None:
            return self.async_show_form(
                step_id="confirm",
                data_schema=vol.Schema({}),
                description_placeholders={
                    "camera": entry.subentries[self._camera_id].title,
                    "facility": entry.title,
                },
                last_step=False,
            )
        flow = await self.hass.config_entries.subentries.async_init(
            (self._entry_id, SUBENTRY_CAMERA),
            context={"source": SOURCE_RECONFIGURE, "subentry_id": self._camera_id},
        )
        return self.async_create_entry(data={}, next_flow=(FlowType.CONFIG_SUBENTRIES_FLOW, flow["flow_id"]))


async def async_create_fix_flow(
    _hass: HomeAssistant, _issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Home Assistant asks for the flow of an issue; only wrong passwords have one."""
    data = data or {}
    return PasswordFlow(str(data.get("entry_id", "")), str(data.get("camera_id", "")))
