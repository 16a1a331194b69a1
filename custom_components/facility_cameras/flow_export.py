"""The flow behind the button "Export footage" of a facility: choose, watch, be told where it is.

It makes no config subentry. Whoever closes it leaves the export under way: the end is told as a notification, and the
button shows what is under way, to be watched again, tried again or cancelled.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, cast

from homeassistant.config_entries import ConfigSubentryFlow, SubentryFlowResult
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers.selector import (
    DateTimeSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
)
from homeassistant.util import dt as dt_util
import voluptuous as vol

from . import exports, wording
from .const import DOMAIN
from .coordinator import FacilityConfigEntry, cameras_of
from .engine.api_footage import ExportState
from .engine_client import EngineError
from .exports import (
    ATTR_END,
    ATTR_FOLDER,
    ATTR_FORM,
    ATTR_REASON,
    ATTR_START,
    FORMS,
    OVER,
    PLACE_ARCHIVE,
    PLACE_COPIES,
    Place,
    Wish,
)
from .footage_time import async_zone, moment
from .hub import HUB
from .who import flow_user

CONF_CAMERAS = "cameras"
CONF_EXPORT = "export"
CONF_DO = "do"
_ASK_S = 1.0
_WHAT_TO_DO = ("watch", "resume", "cancel")


class ExportFlow(ConfigSubentryFlow):
    """Exports footage of one facility."""

    def __init__(self) -> None:
        """Begin with nothing chosen."""
        self._places: list[Place] = []
        self._export: ExportState | None = None
        self._watch: asyncio.Task[None] | None = None

    async def async_step_user(self, _user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Where exports are under way: a new one, or one of those?"""
        await wording.async_load(self.hass)
        if not cameras_of(self._get_entry()):
            return self.async_abort(reason="no_cameras")
        if await exports.async_under_way(self.hass, self._get_entry()):
            return self.async_show_menu(step_id="user", menu_options=["choose", "under_way"])
        return await self.async_step_choose()

    async def async_step_choose(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Which cameras, from when to when, where to, why."""
        entry = cast("FacilityConfigEntry", self._get_entry())
        zone = await async_zone(entry)
        errors: dict[str, str] = {}
        told = {"zone": str(zone), "days": str(exports.LONGEST.days), "problem": ""}
        if user_input is not None:
            span = _span(user_input, zone)
            now = dt_util.utcnow()
            place = next((one for one in self._places if one.key == user_input[ATTR_FOLDER]), None)
            if not user_input[CONF_CAMERAS]:
                errors[CONF_CAMERAS] = "no_cameras_chosen"
            elif span is None or not timedelta() < min(span[1], now) - span[0] <= exports.LONGEST:
                errors[ATTR_END] = "export_times"
            elif len(user_input.get(ATTR_REASON, "")) > exports.REASON_SIGNS:
                errors[ATTR_REASON] = "reason_long"
            elif place is None:
                errors[ATTR_FOLDER] = "folder_gone"
            else:
                wish = Wish(
                    tuple(key for key in cameras_of(entry) if key in user_input[CONF_CAMERAS]),
                    *span,
                    user_input[ATTR_FORM],
                    user_input.get(ATTR_REASON, ""),
                    flow_user(),
                )
                try:
                    self._export = await exports.async_begin(self.hass, entry, wish, place)
                except HomeAssistantError as error:
                    errors["base"] = "export_not_begun"
                    told["problem"] = str(error)
                else:
                    return await self.async_step_progress()
        self._places = await exports.async_places(self.hass, entry)
        now = dt_util.now(zone)
        known = user_input or {
            CONF_CAMERAS: list(cameras_of(entry)),
            ATTR_START: f"{now.replace(hour=0, minute=0, second=0):%Y-%m-%d %H:%M:%S}",
            ATTR_END: f"{now:%Y-%m-%d %H:%M:%S}",
        }
        return self.async_show_form(
            step_id="choose",
            data_schema=self.add_suggested_values_to_schema(self._schema(entry), known),
            errors=errors,
            description_placeholders=told,
            last_step=False,
        )

    def _schema(self, entry: FacilityConfigEntry) -> vol.Schema:
        cameras = [SelectOptionDict(value=key, label=camera.title) for key, camera in cameras_of(entry).items()]
        places = [SelectOptionDict(value=place.key, label=self._label(place)) for place in self._places]
        return vol.Schema(
            {
                vol.Required(CONF_CAMERAS): SelectSelector(
                    SelectSelectorConfig(options=cameras, multiple=True, mode=SelectSelectorMode.DROPDOWN)
                ),
                vol.Required(ATTR_START): DateTimeSelector(),
                vol.Required(ATTR_END): DateTimeSelector(),
                vol.Required(ATTR_FOLDER, default=places[0]["value"]): SelectSelector(
                    SelectSelectorConfig(options=places, mode=SelectSelectorMode.DROPDOWN)
                ),
                vol.Required(ATTR_FORM, default=FORMS[0]): SelectSelector(
                    SelectSelectorConfig(
                        options=list(FORMS), translation_key="export_form", mode=SelectSelectorMode.DROPDOWN
                    )
                ),
                vol.Optional(ATTR_REASON): TextSelector(TextSelectorConfig(multiline=True)),
            }
        )

    def _label(self, place: Place) -> str:
        if place.key == PLACE_ARCHIVE:
            return wording.words(self.hass, "export_beside_footage", folder=str(place.folder))
        if place.key == PLACE_COPIES:
            return wording.words(self.hass, "export_beside_copies", folder=str(place.folder))
        return wording.words(
            self.hass, "export_place", folder=str(place.folder), free=f"{(place.free or 0) / 1e9:,.0f}"
        )

    async def async_step_under_way(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Watch one again, have it tried again, or cancel it."""
        found = {one["id"]: one for one in await exports.async_under_way(self.hass, self._get_entry())}
        if not found:
            return await self.async_step_choose()
        errors: dict[str, str] = {}
        if user_input is not None and user_input[CONF_EXPORT] in found:
            self._export = found[user_input[CONF_EXPORT]]
            client = self.hass.data[HUB].client
            try:
                if user_input[CONF_DO] == "cancel":
                    self._export = await client.cancel_export(self._export["id"])
                elif user_input[CONF_DO] == "resume":
                    self._export = await client.resume_export(self._export["id"])
            except EngineError:
                errors["base"] = "engine_away"
            else:
                return await self.async_step_progress()
        options = [SelectOptionDict(value=key, label=self._standing(export)) for key, export in found.items()]
        schema = vol.Schema(
            {
                vol.Required(CONF_EXPORT, default=options[0]["value"]): SelectSelector(
                    SelectSelectorConfig(options=options, mode=SelectSelectorMode.LIST)
                ),
                vol.Required(CONF_DO, default=_WHAT_TO_DO[0]): SelectSelector(
                    SelectSelectorConfig(
                        options=list(_WHAT_TO_DO), translation_key="export_do", mode=SelectSelectorMode.LIST
                    )
                ),
            }
        )
        return self.async_show_form(step_id="under_way", data_schema=schema, errors=errors, last_step=False)

    def _standing(self, export: ExportState) -> str:
        return wording.words(
            self.hass,
            "export_standing",
            path=export["path"],
            percent=f"{export['progress']:.0%}",
            problem=exports.sentence(self.hass, export["problem"]),
        ).strip()

    async def async_step_progress(self, _user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """How far it is, until it is over."""
        assert self._export is not None  # a step before this one began or chose it
        if self._export["state"] in OVER or (
            self._watch is not None and self._watch.done() and self._watch.exception()
        ):
            return self.async_show_progress_done(next_step_id="end")
        if self._watch is None or self._watch.done():
            self._watch = self.hass.async_create_task(
                self._async_watch(self._export), f"{DOMAIN} export", eager_start=False
            )
        problem = self._export["problem"]
        return self.async_show_progress(
            step_id="progress",
            progress_action="export_paused" if problem else "exporting",
            description_placeholders={
                "path": self._export["path"],
                "problem": exports.sentence(self.hass, problem),
            },
            progress_task=self._watch,
        )

    async def _async_watch(self, seen: ExportState) -> None:
        """Until it is over, or stands otherwise than it was seen. Raises HomeAssistantError."""
        cause = (seen["problem"] or {"cause": ""})["cause"]
        while self._export is not None and self._export["state"] not in OVER:
            self.async_update_progress(self._export["progress"])
            await asyncio.sleep(_ASK_S)
            try:
                self._export = await self.hass.data[HUB].client.export(seen["id"])
            except EngineError as error:
                raise HomeAssistantError(translation_domain=DOMAIN, translation_key="engine_away") from error
            now = (self._export["problem"] or {"cause": ""})["cause"]
            if now != cause and self._export["state"] != "running":
                return

    async def async_step_end(self, _user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Where it is, or why it is not."""
        assert self._export is not None
        export = self._export
        if export["state"] not in OVER:
            return self.async_abort(reason="export_goes_on", description_placeholders={"path": export["path"]})
        url = exports.signed_url(self.hass, export)
        told = {
            "path": wording.markdown(export["path"]),
            "files": str(export["all_files"]),
            "size": f"{export['all_bytes'] / 1e6:,.1f}",
            "gaps": str(export["gaps"]),
            "missed": str(export["missed_files"]),
            "problem": exports.sentence(self.hass, export["problem"]),
            "download": f"[{wording.words(self.hass, 'export_download')}]({url})" if url else "",
        }
        return self.async_abort(reason=exports.outcome(export), description_placeholders=told)


def _span(user_input: Mapping[str, str], zone: tzinfo) -> tuple[datetime, datetime] | None:
    """What the time selectors give, in UTC; None for what is no time of any footage."""
    start, end = (datetime.fromisoformat(user_input[key]) for key in (ATTR_START, ATTR_END))
    try:
        return moment(start, zone), moment(end, zone)
    except ServiceValidationError:
        return None
