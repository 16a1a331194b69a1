"""Facility Cameras: every camera of a facility as Home Assistant entities, recorded by an engine of its own.

One config entry is one facility, one subentry is one camera. Nothing here touches a packet or writes a video file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from homeassistant.const import EVENT_CORE_CONFIG_UPDATE, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from . import (
    actions,
    blueprint_install,
    completeness,
    dashboard,
    entity_watch,
    exports,
    footage_in_backups,
    holds,
    hub_issues,
    issues,
    maintenance,
    rates,
    recordings,
    views,
    who,
    wording,
)
from .const import DOMAIN, PLATFORMS
from .coordinator import FacilityConfigEntry, FacilityCoordinator, cameras_of
from .entity import async_register_camera, async_register_facility
from .hub import HUB, Hub

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

#: How long a facility waits for the engine before Home Assistant tries it again later.
_READY_S = 20.0


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Start the engine at once; everything else can wait."""
    hub = hass.data[HUB] = Hub(hass)
    hub.async_start()

    async def stop(_event: Event) -> None:
        await hub.async_stop()

    async def core_changed(event: Event) -> None:
        await wording.async_load(hass)
        dashboard.async_speak(hass)
        if "time_zone" in event.data:
            # Days begin at another time.
            for coordinator in tuple(hub.coordinators.values()):
                await coordinator.async_sync()

    hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, stop)
    hass.bus.async_listen(EVENT_CORE_CONFIG_UPDATE, core_changed)
    await hub.outages.async_load()
    await wording.async_load(hass)
    who.async_register(hass)
    actions.async_register(hass)
    maintenance.async_register(hass)
    recordings.async_register(hass)
    exports.async_register(hass)
    holds.async_register(hass)
    views.async_register(hass)
    hub_issues.async_watch(hass, hub)
    await blueprint_install.async_install(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: FacilityConfigEntry) -> bool:
    """Have the facility's cameras received, and show them."""
    hub = hass.data[HUB]
    if not await hub.async_ready(_READY_S):
        raise ConfigEntryNotReady(translation_domain=DOMAIN, translation_key="engine_away")
    present = _Present.of(entry)
    coordinator = FacilityCoordinator(hass, entry, hub)
    entry.runtime_data = coordinator
    async_register_facility(hass, entry)
    for camera in cameras_of(entry).values():
        async_register_camera(hass, entry, camera)
    await hub.async_join(coordinator)
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    if present != _Present.of(entry):
        # A camera came or changed while platforms were set up: some have seen it, some have not.
        hass.config_entries.async_schedule_reload(entry.entry_id)
    entry.async_on_unload(entry.add_update_listener(present.async_updated))
    entry.async_on_unload(issues.async_watch(hass, coordinator))
    entry.async_on_unload(entity_watch.async_watch(hass, coordinator))
    entry.async_on_unload(completeness.async_watch(hass, coordinator))
    entry.async_on_unload(rates.async_watch(hass, coordinator))
    entry.async_on_unload(dashboard.async_show(hass, coordinator))
    await footage_in_backups.async_watch(hass, entry)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: FacilityConfigEntry) -> bool:
    """Show the facility no longer. Its cameras are recorded on, unless it was disabled."""
    if not await hass.config_entries.async_unload_platforms(entry, PLATFORMS):
        return False
    hub = hass.data[HUB]
    if (coordinator := hub.coordinators.pop(entry.entry_id, None)) is not None:
        # Nothing is told of it from now on: what waits for a grace to end must not take the last word for the newest.
        coordinator.async_set_connected(False)
    if entry.disabled_by is not None:
        await hub.async_forget(entry.entry_id)
    return True


async def async_remove_entry(hass: HomeAssistant, entry: FacilityConfigEntry) -> None:
    """Receive the facility's cameras no longer. Footage stays where it is."""
    issues.async_clear(hass, entry)
    footage_in_backups.async_clear(hass, entry)
    if (hub := hass.data.get(HUB)) is not None:
        for camera_id in cameras_of(entry):
            hub.outages.forget(camera_id)
            hub.observed.forget(camera_id)
            entity_watch.async_clear_camera(hass, camera_id)
        await hub.async_forget(entry.entry_id)


@dataclass(slots=True)
class _Present:
    """What a facility looked like when its last change was dealt with: a change touches only the cameras it is about."""

    title: str
    cameras: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)

    @classmethod
    def of(cls, entry: FacilityConfigEntry) -> _Present:
        return cls(entry.title, {key: (camera.title, camera.data) for key, camera in cameras_of(entry).items()})

    async def async_updated(self, hass: HomeAssistant, entry: FacilityConfigEntry) -> None:
        """Deal with what changed since."""
        before, now = self.cameras, _Present.of(entry)
        self.title, self.cameras = now.title, now.cameras
        coordinator = entry.runtime_data
        async_register_facility(hass, entry)
        for camera_id in before.keys() - now.cameras.keys():
            coordinator.async_drop_camera(camera_id)
            issues.async_clear_camera(hass, camera_id)
            entity_watch.async_clear_camera(hass, camera_id)
            coordinator.hub.outages.forget(camera_id)
            coordinator.hub.observed.forget(camera_id)
        for camera_id, camera in cameras_of(entry).items():
            if camera_id not in before:
                async_register_camera(hass, entry, camera)
                for add in coordinator.camera_added:
                    add(camera_id)
            elif before[camera_id] != now.cameras[camera_id]:
                async_register_camera(hass, entry, camera)
                coordinator.async_tell(camera_id)
        coordinator.async_tell(None)
        await coordinator.async_sync()
