"""The flows behind issues: "wrong password" leads to the camera's own reconfigure flow; of a volume one decides here."""

from homeassistant.components.repairs import RepairsFlow
from homeassistant.components.repairs.const import FlowType
from homeassistant.components.repairs.models import RepairsFlowResult
from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import voluptuous as vol

from .const import DOMAIN, SUBENTRY_CAMERA
from .engine_client import EngineError
from .volume_issues import DECISIONS


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


class VolumeFlow(RepairsFlow):
    """Explains what is with a facility's volume, and does what is offered once it is confirmed."""

    def __init__(self, entry_id: str, decision: str, placeholders: dict[str, str]) -> None:
        """`decision` is the issue's translation key; `placeholders` are the issue's."""
        self._entry_id = entry_id
        self._decision = decision
        self._placeholders = placeholders

    async def async_step_init(self, _user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """First step of every repair."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, str] | None = None) -> RepairsFlowResult:
        """Explain, then have the engine do it."""
        entry = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None or entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="facility_gone")
        if user_input is None:
            return self.async_show_form(
                step_id="confirm", data_schema=vol.Schema({}), description_placeholders=self._placeholders
            )
        client = entry.runtime_data.hub.client
        try:
            if self._decision == "archive_older_copy":
                await client.use_copy(self._entry_id)
            else:
                await client.bring_back(self._entry_id)
        except EngineError:
            return self.async_abort(reason="engine_away")
        return self.async_create_entry(data={})


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None
) -> RepairsFlow:
    """Home Assistant asks for the flow of an issue."""
    data = data or {}
    if (decision := str(data.get("decision", ""))) in DECISIONS:
        issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
        placeholders = dict(issue.translation_placeholders or {}) if issue is not None else {}
        return VolumeFlow(str(data.get("entry_id", "")), decision, placeholders)
    return PasswordFlow(str(data.get("entry_id", "")), str(data.get("camera_id", "")))
