"""The camera entity: live through the engine's re-stream, stills from its newest key picture."""

import asyncio
from collections.abc import Hashable
import time
from typing import override

from homeassistant.components.camera import Camera
from homeassistant.components.camera.const import CameraEntityFeature
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from . import wording
from .camera_device import CameraDevice
from .coordinator import FacilityConfigEntry, FacilityCoordinator
from .engine_client import EngineError
from .entity import CameraOwnedEntity, async_add_for_cameras

PARALLEL_UPDATES = 0

#: Home Assistant would have another token in the picture's address every five minutes, and each is a row in the recorder:
#: 288 a day. An address is good until the second token after its own.
_TOKEN_S = 2 * 3600.0


async def async_setup_entry(
    _hass: HomeAssistant, entry: FacilityConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add one camera entity per camera."""
    async_add_for_cameras(
        entry, async_add_entities, lambda coordinator, camera_id: [FacilityCamera(coordinator, camera_id)]
    )


class FacilityCamera(CameraOwnedEntity, Camera):
    """One camera. Unavailable while it is offline; recording means that a fragment landed, not that it was wanted."""

    _attr_name = None
    _attr_supported_features = CameraEntityFeature.STREAM
    #: The engine has a new picture once per group of pictures: asking more often shows the same.
    _attr_frame_interval = 2.0
    _token_made = 0.0

    def __init__(self, coordinator: FacilityCoordinator, camera_id: str) -> None:
        """One per camera."""
        Camera.__init__(self)
        CameraOwnedEntity.__init__(self, coordinator, camera_id, "camera")
        self._online = False
        self._source: str | None = None
        self._stills: dict[tuple[int | None, int | None], asyncio.Task[bytes | None]] = {}

    @property
    def available(self) -> bool:
        """Ours: Home Assistant's follows every retry of its stream worker."""
        return self._online

    def _take(self) -> Hashable:
        state = self.coordinator.camera(self.camera_id)
        online = self.coordinator.online(self.camera_id)
        source = self.coordinator.hub.restream_url(self.camera_id)
        if self.stream and source and ((online and not self._online) or source != self._source):
            # Ends the stream worker's wait for its next try.
            self.stream.update_source(source)
        self._online = online
        self._source = source
        self._attr_is_recording = bool(state and state["recording"])
        known = CameraDevice.of(self.camera.data)
        self._attr_brand = known.maker or None
        self._attr_model = known.model or None
        return online, self._attr_is_recording, self._attr_brand, self._attr_model

    @override
    @callback
    def async_update_token(self) -> None:
        """Have another token in its address, now and then."""
        now = time.monotonic()
        if not self.access_tokens or now - self._token_made > _TOKEN_S:
            self._token_made = now
            super().async_update_token()

    async def stream_source(self) -> str | None:
        """The engine's re-stream of this camera: the same also while the camera is away."""
        return self.coordinator.hub.restream_url(self.camera_id)

    async def async_camera_image(self, width: int | None = None, height: int | None = None) -> bytes | None:
        """The newest key picture, stamped if it is old. Those who ask together for one size get one answer."""
        size = (width, height)
        task = self._stills.get(size)
        if task is None:
            task = self.hass.async_create_task(self._async_still(width, height), eager_start=False)
            self._stills[size] = task
            task.add_done_callback(lambda _: self._stills.pop(size, None))
        return await asyncio.shield(task)

    async def _async_still(self, width: int | None, height: int | None) -> bytes | None:
        client, words = self.coordinator.hub.client, wording.words(self.hass, "not_live")
        try:
            found = await client.still(self.camera_id, width, height, words)
        except EngineError:
            return None
        return found.jpeg if found else None
