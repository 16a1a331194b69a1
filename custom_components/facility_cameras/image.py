"""The image entity "last picture": what a camera showed last before it went away, with its time.

The camera entity is unavailable then; this one is there for alerts and dashboards. It changes when an outage begins, and
once when the camera is first seen. It stays that picture also after the camera came back: its state is the picture's
time, and a dashboard fetches it once and then leaves it on the screen, where a live picture would grow old unseen. So
it is stamped with its time always.
"""

from collections.abc import Hashable
import time
from typing import override

from homeassistant.components.image import ImageEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from . import wording
from .coordinator import FacilityConfigEntry, FacilityCoordinator
from .engine_client import EngineError
from .entity import CameraOwnedEntity, async_add_for_cameras

PARALLEL_UPDATES = 0

#: Home Assistant would have another token in its address every five minutes, and each is a row in the recorder.
_TOKEN_S = 6 * 3600.0


async def async_setup_entry(
    _hass: HomeAssistant, entry: FacilityConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add one last picture per camera."""
    async_add_for_cameras(
        entry, async_add_entities, lambda coordinator, camera_id: [LastPicture(coordinator, camera_id)]
    )


class LastPicture(CameraOwnedEntity, ImageEntity):
    """What one camera showed last before it went away."""

    _attr_translation_key = "last_picture"
    _token_made = 0.0

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str) -> None:
        """One per camera."""
        ImageEntity.__init__(self, coordinator.hass)
        CameraOwnedEntity.__init__(self, coordinator, camera_id, "last_picture")

    def _take(self) -> Hashable:
        state = self.coordinator.camera(self.camera_id)
        if state is not None:
            taken = state["last_picture"]
            self._attr_image_last_updated = None if taken is None else dt_util.utc_from_timestamp(taken / 1_000_000)
        # The engine has it: without, there is none to show.
        self._attr_available = self.coordinator.connected
        return self._attr_available, self._attr_image_last_updated

    @override
    async def async_image(self) -> bytes | None:
        """The picture, with its time in it."""
        client, words = self.coordinator.hub.client, wording.words(self.hass, "not_live")
        try:
            found = await client.last_picture(self.camera_id, words)
        except EngineError:
            return None
        return found.jpeg if found else None

    @override
    @callback
    def async_update_token(self) -> None:
        """Have another token in its address, now and then."""
        now = time.monotonic()
        if not self.access_tokens or now - self._token_made > _TOKEN_S:
            self._token_made = now
            super().async_update_token()
