"""What all our entities have in common: pushed, named by translations, written only when what they show changed."""

from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from yarl import URL

from .camera_device import CameraDevice
from .const import DOMAIN
from .coordinator import FacilityConfigEntry, FacilityCoordinator, cameras_of


@callback
def async_add_for_cameras(
    entry: FacilityConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    make: Callable[[FacilityCoordinator, str], Iterable[Entity]],
) -> None:
    """Add entities for every camera of the facility, and for those that are added while it runs."""
    coordinator = entry.runtime_data

    @callback
    def add(camera_id: str) -> None:
        async_add_entities(make(coordinator, camera_id), config_subentry_id=camera_id)

    for camera_id in cameras_of(entry):
        add(camera_id)
    coordinator.camera_added.append(add)


@callback
def async_register_facility(hass: HomeAssistant, entry: FacilityConfigEntry) -> str:
    """Create or rename the facility's device and return its id. Platforms start together: this comes first."""
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={(DOMAIN, entry.entry_id)},
        name=entry.title,
        entry_type=dr.DeviceEntryType.SERVICE,
    )
    return device.id


@callback
def async_register_camera(hass: HomeAssistant, entry: FacilityConfigEntry, camera: ConfigSubentry) -> None:
    """Create or rename a camera's device, below its facility's."""
    known = CameraDevice.of(camera.data)
    # Lenses of one camera, channels of one recorder and whole models (CAMERAS.md O14) have one MAC address: as a
    # connection it would make one device of them.
    macs = [CameraDevice.of(other.data).mac for other in cameras_of(entry).values()]
    own_mac = known.mac if macs.count(known.mac) == 1 else ""
    host = URL(camera.data["url"]).host
    dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        config_subentry_id=camera.subentry_id,
        identifiers={(DOMAIN, camera.subentry_id)},
        connections={(dr.CONNECTION_NETWORK_MAC, dr.format_mac(own_mac))} if own_mac else set(),
        name=camera.title,
        manufacturer=known.maker or None,
        model=known.model or None,
        serial_number=known.serial or None,
        sw_version=known.firmware or None,
        configuration_url=str(URL.build(scheme="http", host=host)) if host else None,
        via_device_id=async_register_facility(hass, entry),
    )


class FacilityEntity(Entity):
    """An entity of the facility itself."""

    _attr_has_entity_name = True
    _attr_should_poll = False
    #: Whose changes concern this entity; None: any camera's and the facility's.
    _listens_to: str | None = None

    def __init__(self, coordinator: FacilityCoordinator, owner: str, key: str) -> None:
        """`owner` is the id of the facility or the camera that the entity belongs to."""
        self.coordinator = coordinator
        self._attr_unique_id = f"{owner}_{key}"
        self._attr_device_info = DeviceInfo(identifiers={(DOMAIN, owner)})
        self._shown: Hashable = None

    @abstractmethod
    def _take(self) -> Hashable:
        """Take the newest state over into attributes; return everything that is shown of it."""

    async def async_added_to_hass(self) -> None:
        """Listen from now on."""
        await super().async_added_to_hass()
        self._shown = self._take()
        self.async_on_remove(self.coordinator.async_listen(self._listens_to, self._async_told))

    @callback
    def async_entity_id_changed(self, old_entity_id: str) -> None:
        """Stay as we are when renamed: being removed and added again would end live views."""

    @callback
    def _async_told(self) -> None:
        shown = self._take()
        if shown != self._shown:
            self._shown = shown
            self.async_write_ha_state()


class CameraOwnedEntity(FacilityEntity):
    """An entity of one camera."""

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str, key: str) -> None:
        """Belong to the camera's device."""
        super().__init__(coordinator, camera_id, key)
        self.camera_id = camera_id
        self._listens_to = camera_id

    @property
    def camera(self) -> ConfigSubentry:
        """The camera's configuration."""
        return self.coordinator.entry.subentries[self.camera_id]
