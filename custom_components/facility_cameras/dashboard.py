"""The dashboard: stock cards only, built from the facilities and cameras present.

Home Assistant has no way for an integration to offer a dashboard, so this reaches into its `lovelace` component: all of
that is in this file, and without it everything else works.
"""

from typing import Any, override

from homeassistant.components import frontend
from homeassistant.components.binary_sensor.const import DOMAIN as BINARY_SENSOR
from homeassistant.components.camera.const import DOMAIN as CAMERA
from homeassistant.components.image.const import DOMAIN as IMAGE
from homeassistant.components.lovelace.const import LOVELACE_DATA, MODE_YAML
from homeassistant.components.lovelace.dashboard import LovelaceConfig
from homeassistant.components.sensor import DOMAIN as SENSOR
from homeassistant.components.switch.const import DOMAIN as SWITCH
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, Event, HassJob, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.event import async_call_later
from homeassistant.helpers.json import json_bytes, json_fragment
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from . import dashboard_footage, wording
from .const import CONF_ZONE, DOMAIN
from .coordinator import FacilityCoordinator
from .engine.api import CameraState, Duty, Status

URL_PATH = "facility-cameras"
ICON = "mdi:cctv"
_DASHBOARD: HassKey[FacilityDashboard] = HassKey(f"{DOMAIN}_dashboard")
#: Open pages are built anew at most this often: a camera that comes and goes must not shake them.
_SETTLE_S = 5.0


@callback
def async_show(hass: HomeAssistant, coordinator: FacilityCoordinator) -> CALLBACK_TYPE:
    """Show a facility on the dashboard. The first brings the panel, the last takes it away."""
    if LOVELACE_DATA not in hass.data:
        return lambda: None
    if (dashboard := hass.data.get(_DASHBOARD)) is None:
        dashboard = hass.data[_DASHBOARD] = FacilityDashboard(hass)
        dashboard.async_open()
    return dashboard.async_add(coordinator)


@callback
def async_speak(hass: HomeAssistant) -> None:
    """Home Assistant's language changed, and its words are at hand."""
    if (dashboard := hass.data.get(_DASHBOARD)) is not None:
        dashboard.async_put_panel()
        dashboard.async_settle()


class FacilityDashboard(LovelaceConfig):
    """One view of all facilities: cameras that are offline first, then a section for each facility."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Not shown yet."""
        super().__init__(hass, URL_PATH, {"title": wording.words(hass, "dashboard_title"), "icon": ICON})
        self._coordinators: list[FacilityCoordinator] = []
        self._shape: object = None
        self._later: CALLBACK_TYPE | None = None
        self._unsubscribe: CALLBACK_TYPE | None = None

    @property
    @override
    def mode(self) -> str:
        """It cannot be edited in the frontend."""
        return MODE_YAML

    @override
    async def async_get_info(self) -> dict[str, Any]:
        """What the list of dashboards tells."""
        return {"mode": self.mode, "views": 1}

    @override
    async def async_load(self, force: bool) -> dict[str, Any]:
        """The dashboard as it is now."""
        return self._build()

    @override
    async def async_json(self, force: bool) -> json_fragment:
        """The same for the frontend."""
        return json_fragment(json_bytes(self._build()))

    # --- there and away --------------------------------------------------------------------------------

    @callback
    def async_open(self) -> None:
        """Be there."""
        self.hass.data[LOVELACE_DATA].dashboards[URL_PATH] = self
        self.async_put_panel()
        self._unsubscribe = self.hass.bus.async_listen(er.EVENT_ENTITY_REGISTRY_UPDATED, self._async_registry)

    @callback
    def async_put_panel(self) -> None:
        """Put the panel into the side bar, or give it its name in another language."""
        frontend.async_register_built_in_panel(
            self.hass,
            "lovelace",
            frontend_url_path=URL_PATH,
            sidebar_title=wording.words(self.hass, "dashboard_title"),
            sidebar_icon=ICON,
            config={"mode": MODE_YAML},
            update=True,
        )

    @callback
    def async_add(self, coordinator: FacilityCoordinator) -> CALLBACK_TYPE:
        """Show a facility until the returned function is called."""
        self._coordinators.append(coordinator)
        stop = coordinator.async_listen(None, self.async_settle)
        self.async_settle()

        @callback
        def remove() -> None:
            stop()
            self._coordinators.remove(coordinator)
            if self._coordinators:
                self.async_settle()
            else:
                self._close()

        return remove

    def _close(self) -> None:
        for cancel in (self._later, self._unsubscribe):
            if cancel is not None:
                cancel()
        self._later = self._unsubscribe = None
        self.hass.data.pop(_DASHBOARD, None)
        self.hass.data[LOVELACE_DATA].dashboards.pop(URL_PATH, None)
        frontend.async_remove_panel(self.hass, URL_PATH)

    @callback
    def _async_registry(self, _event: Event[er.EventEntityRegistryUpdatedData]) -> None:
        """An entity was added, renamed or removed."""
        self.async_settle()

    @callback
    def async_settle(self) -> None:
        """Something may have changed: build it anew, once, when things have settled."""
        if self._later is None:
            self._later = async_call_later(self.hass, _SETTLE_S, HassJob(self._async_settled, cancel_on_shutdown=True))

    @callback
    def _async_settled(self, _now: object) -> None:
        self._later = None
        built = self._build()
        if built != self._shape:
            self._shape = built
            self._config_updated()

    # --- what is shown -----------------------------------------------------------------------------------

    def _build(self) -> dict[str, Any]:
        facilities = sorted(self._coordinators, key=lambda facility: facility.entry.title.casefold())
        offline: list[dict[str, Any]] = []
        sections = []
        for facility in facilities:
            cards = []
            for camera_id, camera in facility.cameras().items():
                if facility.online(camera_id):
                    cards.append(self._online_card(facility, camera))
                elif facility.status(camera_id) is Status.DISCONNECTED:
                    # No fault: it is shown where it belongs.
                    cards.append(self._away_card(facility, camera, color="grey"))
                else:
                    offline.append(self._away_card(facility, camera, color="red"))
            sections.append({"type": "grid", "column_span": 4, "cards": [*self._heading(facility), *cards]})
        if offline:
            heading = {
                "type": "heading",
                "heading": self._words("dashboard_offline", count=str(len(offline))),
                "icon": "mdi:cctv-off",
            }
            sections.insert(0, {"type": "grid", "column_span": 4, "cards": [heading, *offline]})
        view = {
            "type": "sections",
            "title": self._words("dashboard_title"),
            "path": "cameras",
            "icon": ICON,
            "max_columns": 4,
            "sections": sections,
        }
        return {"title": self._words("dashboard_title"), "views": [view]}

    def _heading(self, facility: FacilityCoordinator) -> list[dict[str, Any]]:
        """The facility's name, and how it stands in one line."""
        cards: list[dict[str, Any]] = [
            {"type": "heading", "heading": facility.entry.title, "icon": "mdi:hospital-building"},
            {
                "type": "markdown",
                "text_only": True,
                "content": self._summary(facility),
                "grid_options": {"columns": "full"},
            },
        ]
        if not facility.cameras():
            cards[1]["content"] = self._words(
                "dashboard_no_cameras", address=f"/config/integrations/integration/{DOMAIN}"
            )
        elif gaps := dashboard_footage.gaps_card(self.hass, facility, self._entity):
            cards.append(gaps)
        return cards

    def _summary(self, facility: FacilityCoordinator) -> str:
        """How many are online, how many are not recorded (if any), how complete and how old footage is, how much room
        there is: kept true by the page.
        """
        owner, parts = facility.entry.entry_id, []
        if online := self._entity(SENSOR, owner, "cameras_online"):
            count = f"{{{{ states('{online}') | int('–') }}}}"
            parts.append(self._words("dashboard_online", online=count, total=str(len(facility.in_use()))))
        summary = " · ".join(parts)
        if idle := self._entity(SENSOR, owner, "cameras_not_recording"):
            told = self._words("dashboard_not_recording", count=f"{{{{ states('{idle}') }}}}")
            summary += f"{{% if states('{idle}') | int(0) %}} · **{told}**{{% endif %}}"
        return summary + dashboard_footage.figures(self.hass, owner, self._entity)

    def _online_card(self, facility: FacilityCoordinator, camera: ConfigSubentry) -> dict[str, Any]:
        """A picture (live on a tap), the status, the recording switch."""
        camera_id = camera.subentry_id
        state = facility.camera(camera_id)
        received = state["format"] if state else None
        name = f"{camera.title} · {wording.zone_word(self.hass, camera.data[CONF_ZONE])}"
        cards: list[dict[str, Any]] = []
        if entity_id := self._entity(CAMERA, camera_id, "camera"):
            cards.append(
                {
                    "type": "picture-entity",
                    "entity": entity_id,
                    "name": name,
                    "camera_view": "auto",
                    "show_state": False,
                }
            )
        cards.append({"type": "horizontal-stack", "cards": self._tiles(camera_id, "green")})
        if maintenance := self._maintenance(state):
            cards.append({"type": "markdown", "text_only": True, "content": maintenance})
        if state and state["duty"] == Duty.IDLE:
            # No fault: it is not its time.
            cards.append({"type": "markdown", "text_only": True, "content": self._words("dashboard_idle")})
        if state and state["duty"] in (Duty.VOLUME, Duty.OVERLOAD):
            # The switch is on all the same.
            reason = wording.words(self.hass, f"sensor.recording_state.state.{state['duty']}", "entity")
            told = self._words("dashboard_paused", reason=reason)
            cards.append({"type": "markdown", "text_only": True, "content": f"**{told}**"})
        if received and received["video"] == "h265":
            # Most browsers cannot play it: the picture stays, and this says why.
            cards.append({"type": "markdown", "text_only": True, "content": self._words("dashboard_h265")})
        return {"type": "vertical-stack", "cards": cards, "grid_options": {"columns": 12}}

    def _away_card(self, facility: FacilityCoordinator, camera: ConfigSubentry, *, color: str) -> dict[str, Any]:
        """Which, where, what is wrong, since when; what was seen last; the recording switch."""
        camera_id = camera.subentry_id
        state = facility.camera(camera_id)
        sentence = wording.problem_sentence(self.hass, state["problem"]) if state else ""
        zone = wording.zone_word(self.hass, camera.data[CONF_ZONE])
        where = [wording.markdown(text) for text in (camera.title, zone, facility.entry.title)]
        lines = [f"**{where[0]}** · {where[1]} · {where[2]}", wording.markdown(sentence), self._maintenance(state)]
        if connectivity := self._entity(BINARY_SENSOR, camera_id, "connectivity"):
            lines.append(self._since(connectivity))
        cards: list[dict[str, Any]] = [{"type": "markdown", "content": "\n\n".join(line for line in lines if line)}]
        if state and state["last_picture"] and (last := self._entity(IMAGE, camera_id, "last_picture")):
            # It has its time in it.
            cards.append({"type": "picture-entity", "entity": last, "show_name": False, "show_state": False})
        cards.append({"type": "horizontal-stack", "cards": self._tiles(camera_id, color)})
        return {"type": "vertical-stack", "cards": cards, "grid_options": {"columns": 12}}

    def _since(self, connectivity: str) -> str:
        return self._words("dashboard_since") + (
            f" {{{{ (state_attr('{connectivity}', 'since') | as_datetime | as_local).strftime('%H:%M %d/%m/%Y')"
            f" if state_attr('{connectivity}', 'since') else '–' }}}}"
        )

    def _maintenance(self, state: CameraState | None) -> str:
        """Until when work on a camera is planned, and why; empty if none is."""
        if state is None or (planned := state["maintenance"]) is None:
            return ""
        until = dt_util.as_local(dt_util.utc_from_timestamp(planned["until"] / 1_000_000))
        return self._words(
            "dashboard_maintenance", until=f"{until:%H:%M %d/%m/%Y}", reason=wording.markdown(planned["reason"])
        )

    def _tiles(self, camera_id: str, color: str) -> list[dict[str, Any]]:
        """Status and recording switch. Of a camera that is away the switch says what will be, not what is."""
        tiles: list[dict[str, Any]] = []
        if status := self._entity(SENSOR, camera_id, "status"):
            tile = {"type": "tile", "entity": status, "name": self._words("dashboard_status")}
            tiles.append({**tile, "color": color})
        if switch := self._entity(SWITCH, camera_id, "recording"):
            toggle = {"action": "toggle", "confirmation": {"text": self._words("dashboard_confirm")}}
            tiles.append(
                {
                    "type": "tile",
                    "entity": switch,
                    "name": self._words("dashboard_recording" if color == "green" else "dashboard_recording_later"),
                    "icon_tap_action": toggle,
                    "tap_action": {"action": "more-info"},
                }
            )
        return tiles

    def _entity(self, domain: str, owner: str, key: str) -> str | None:
        """The entity by its unique id, if it is there and enabled."""
        registry = er.async_get(self.hass)
        entity_id = registry.async_get_entity_id(domain, DOMAIN, f"{owner}_{key}")
        entry = registry.async_get(entity_id) if entity_id else None
        return entity_id if entry and entry.disabled_by is None else None

    def _words(self, key: str, **placeholders: str) -> str:
        return wording.words(self.hass, key, **placeholders)
