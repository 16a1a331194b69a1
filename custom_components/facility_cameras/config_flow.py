"""The flow of a facility. `flow_camera.py` holds that of its cameras."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import (
    SOURCE_USER,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
    FlowType,
)
from homeassistant.const import CONF_NAME, CONF_PASSWORD, CONF_USERNAME
from homeassistant.core import callback
import voluptuous as vol

from . import wording
from .const import (
    CONF_ARCHIVE,
    CONF_ARCHIVE_ID,
    CONF_DAYS_TO_KEEP,
    CONF_LEAST_DAYS,
    CONF_PLANNED_CAMERAS,
    CONF_QUOTA_GB,
    CONF_SECOND_COPY,
    CONF_SECOND_COPY_ID,
    CONF_TIME_ZONE,
    DOMAIN,
    SUBENTRY_CAMERA,
    SUBENTRY_EXPORT,
)
from .engine.api_footage import COPY_MARKER
from .flow_camera import CameraFlow
from .flow_export import ExportFlow
from .flow_facility import (
    PASSWORD,
    USERNAME,
    async_apart_from_copies,
    async_judge,
    async_judge_copy,
    async_volumes,
    async_zone_selector,
    concerns,
    facility_schema,
    footage_schema,
    given_login,
    name_error,
    retention,
    retention_error,
)
from .volumes import Refusal, Volume, claim, within


class FacilityFlow(ConfigFlow, domain=DOMAIN):
    """Adds or changes one facility; goes on to its first camera."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Begin with nothing given."""
        self._name = ""
        self._data: dict[str, Any] = {}
        self._cameras = 1
        self._volumes: list[Volume] | None = None
        self._told: list[str] = []

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(cls, config_entry: ConfigEntry) -> dict[str, type[ConfigSubentryFlow]]:
        """A facility has cameras, and a button that exports their footage."""
        return {SUBENTRY_CAMERA: CameraFlow, SUBENTRY_EXPORT: ExportFlow}

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Name, how many cameras, shared log-in."""
        errors: dict[str, str] = {}
        if user_input is not None:
            self._name = user_input[CONF_NAME].strip()
            self._cameras = int(user_input[CONF_PLANNED_CAMERAS])
            self._data = {CONF_USERNAME: "", CONF_PASSWORD: "", **given_login(user_input)}
            if error := name_error(user_input):
                errors[CONF_NAME] = error
            elif self._taken(self._name):
                errors[CONF_NAME] = "name_taken"
            else:
                return await self.async_step_footage()
        schema = self.add_suggested_values_to_schema(facility_schema(), user_input or {})
        return self.async_show_form(step_id="user", data_schema=schema, errors=errors, last_step=False)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change name, shared log-in and time zone, then go on to the footage. An empty password leaves it as it is."""
        entry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            self._name = user_input[CONF_NAME].strip()
            self._cameras = max(1, len(entry.get_subentries_of_type(SUBENTRY_CAMERA)))
            login = {CONF_USERNAME: user_input.get(CONF_USERNAME, "")}
            if user_input.get(CONF_PASSWORD):
                login[CONF_PASSWORD] = user_input[CONF_PASSWORD]
            self._data = {**entry.data, **login}
            # Left empty: Home Assistant's.
            self._data.pop(CONF_TIME_ZONE, None)
            self._data |= {CONF_TIME_ZONE: zone} if (zone := user_input.get(CONF_TIME_ZONE)) else {}
            if error := name_error(user_input):
                errors[CONF_NAME] = error
            elif self._taken(self._name, entry):
                errors[CONF_NAME] = "name_taken"
            else:
                return await self.async_step_footage()
        schema = vol.Schema(
            {
                vol.Required(CONF_NAME): str,
                vol.Optional(CONF_USERNAME): USERNAME,
                vol.Optional(CONF_PASSWORD): PASSWORD,
                vol.Optional(CONF_TIME_ZONE): await async_zone_selector(self.hass),
            }
        )
        known = user_input or {
            CONF_NAME: entry.title,
            CONF_USERNAME: entry.data.get(CONF_USERNAME, ""),
            CONF_TIME_ZONE: entry.data.get(CONF_TIME_ZONE, ""),
        }
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(schema, known),
            errors=errors,
            last_step=False,
        )

    async def async_step_footage(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Where footage lies and how long it is kept."""
        await wording.async_load(self.hass)
        errors: dict[str, str] = {}
        if user_input is not None:
            folder = user_input[CONF_ARCHIVE].strip()
            kept = retention(user_input)
            judgement = await async_judge(self.hass, folder)
            # What was emptied is no more.
            others = {key: value for key, value in self._data.items() if key not in (CONF_LEAST_DAYS, CONF_QUOTA_GB)}
            self._data = {**others, CONF_ARCHIVE: folder, **kept}
            if judgement.refusal is not None:
                errors[CONF_ARCHIVE] = judgement.refusal.value
            elif error := retention_error(kept):
                errors[CONF_LEAST_DAYS] = error
            elif not await async_apart_from_copies(folder, self._others(CONF_SECOND_COPY)):
                errors[CONF_ARCHIVE] = Refusal.NOT_APART.value
            else:
                self._told = concerns(self.hass, judgement, self._cameras, kept[CONF_DAYS_TO_KEEP])
            if not errors and (refusal := await self._async_take_second(user_input)):
                errors[CONF_SECOND_COPY] = refusal
            if not errors:
                if self._told:
                    return await self.async_step_footage_confirm()
                return await self._async_finish(user_input)
        return await self._async_show_footage(user_input or self._data, errors)

    async def _async_take_second(self, user_input: dict[str, Any]) -> str | None:
        """Take over the folder for second copies; returns why it cannot be."""
        if self.source == SOURCE_USER:
            return None
        folder = user_input.get(CONF_SECOND_COPY, "").strip()
        known = folder == self._get_reconfigure_entry().data.get(CONF_SECOND_COPY, "")
        self._data |= {CONF_SECOND_COPY: folder}
        if not folder:
            return None
        judgement = await async_judge_copy(self.hass, folder, [self._data[CONF_ARCHIVE], *self._others(CONF_ARCHIVE)])
        if judgement.refusal is Refusal.NOT_APART or (judgement.refusal is not None and not known):
            # One that is away now was accepted before: the rest can be changed all the same.
            return judgement.refusal.value
        if not known:
            self._told += [f"{folder}: {wording.words(self.hass, one.value)}" for one in judgement.concerns]
        return None

    def _others(self, key: str) -> list[str]:
        """The folders of this kind of all other facilities."""
        own = None if self.source == SOURCE_USER else self._get_reconfigure_entry()
        return [
            folder for entry in self._async_current_entries() if entry is not own and (folder := entry.data.get(key))
        ]

    async def _async_show_footage(self, known: Mapping[str, Any], errors: dict[str, str]) -> ConfigFlowResult:
        if self._volumes is None:
            self._volumes = await async_volumes(self.hass)
        second = self.source != SOURCE_USER
        schema = footage_schema(self.hass, self._volumes, self._cameras, second=second)
        return self.async_show_form(
            step_id="footage",
            data_schema=self.add_suggested_values_to_schema(schema, known),
            errors=errors,
            description_placeholders={"facility": self._name, "cameras": str(self._cameras)},
            last_step=second,
        )

    async def async_step_footage_confirm(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Say what should be known of the folder; who goes on has read it."""
        if user_input is not None:
            return await self._async_finish(self._data)
        return self.async_show_form(
            step_id="footage_confirm",
            data_schema=vol.Schema({}),
            description_placeholders={
                "folder": self._data[CONF_ARCHIVE],
                "warnings": "\n".join(f"- {sentence}" for sentence in self._told),
            },
            last_step=self.source != SOURCE_USER,
        )

    async def _async_finish(self, known: Mapping[str, Any]) -> ConfigFlowResult:
        """Make the folder ours and save."""
        folder = self._data[CONF_ARCHIVE]
        try:
            self._data[CONF_ARCHIVE_ID] = await within(lambda: claim(folder))
        except OSError, TimeoutError:
            return await self._async_show_footage(known, {CONF_ARCHIVE: "folder_not_writable"})
        if not await self._async_claim_second():
            return await self._async_show_footage(known, {CONF_SECOND_COPY: "folder_not_writable"})
        if self.source != SOURCE_USER:
            # The entry's listener tells the engine; nothing is loaded anew.
            return self.async_update_and_abort(self._get_reconfigure_entry(), title=self._name, data=self._data)
        return self.async_create_entry(title=self._name, data=self._data)

    async def _async_claim_second(self) -> bool:
        """Make the second folder ours, if one is named that was not before; False if it cannot be."""
        if self.source == SOURCE_USER:
            return True
        folder, before = self._data[CONF_SECOND_COPY], self._get_reconfigure_entry().data
        if not folder or folder == before.get(CONF_SECOND_COPY):
            self._data[CONF_SECOND_COPY_ID] = before.get(CONF_SECOND_COPY_ID, "") if folder else ""
            return True
        try:
            self._data[CONF_SECOND_COPY_ID] = await within(lambda: claim(folder, COPY_MARKER))
        except OSError, TimeoutError:
            return False
        return True

    @override
    async def async_on_create_entry(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Go on to the first camera at once."""
        entry = result["result"]
        flow = await self.hass.config_entries.subentries.async_init(
            (entry.entry_id, SUBENTRY_CAMERA), context={"source": SOURCE_USER}
        )
        result["next_flow"] = (FlowType.CONFIG_SUBENTRIES_FLOW, flow["flow_id"])
        return result

    def _taken(self, name: str, own: ConfigEntry | None = None) -> bool:
        return any(
            entry.title.casefold() == name.casefold() for entry in self._async_current_entries() if entry is not own
        )
