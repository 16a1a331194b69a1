"""A facility whose cameras' states a test tells itself, as the engine would: what takes days, or needs a scene."""

from typing import Any, cast

from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.facility_cameras.engine.api import CameraState
from tests.hub.stage import hub_of, until_online


class Told:
    """The states of one facility's cameras. The engine runs on; what it tells is no longer listened to."""

    def __init__(self, home: HomeAssistant, entry: MockConfigEntry) -> None:
        self.hub = hub_of(home)
        self.coordinator = self.hub.coordinators[entry.entry_id]
        #: Monotonic seconds, as what observes sees them.
        self.now = home.loop.time()
        self.hub.clock = self.hub.observed._clock = lambda: self.now
        self._states: dict[str, CameraState] = {}

    @classmethod
    async def by_hand(cls, home: HomeAssistant, entry: MockConfigEntry) -> Told:
        """Set the facility up, with every camera online; from then on the test alone tells."""
        assert await home.config_entries.async_setup(entry.entry_id)
        await home.async_block_till_done()
        await until_online(home, entry, *(camera.title for camera in entry.subentries.values()))
        told = cls(home, entry)
        await told.hub._async_end_watch()
        told._states = dict(told.coordinator.known())
        for camera_id in told._states:
            told.online(camera_id)
        return told

    def tell(self, camera_id: str, **changes: Any) -> None:
        """The engine tells of a camera; what is not named stays."""
        self._states[camera_id] = cast("CameraState", {**self._states[camera_id], **changes})
        self.coordinator.async_take_cameras([self._states[camera_id]])

    def offline(self, camera_id: str) -> None:
        """It does not answer."""
        problem = {"cause": "no_answer", "placeholders": {"host": "192.0.2.17", "port": "554"}}
        self.tell(camera_id, status="unreachable", problem=problem, recording=False, duty="offline")

    def online(self, camera_id: str) -> None:
        """It sends, and is recorded."""
        problem = {"cause": "none", "placeholders": {}}
        self.tell(camera_id, status="online", problem=problem, recording=True, duty="record", picture=None)

    def lose_engine(self) -> None:
        """Nothing observes the cameras."""
        self.coordinator.async_set_connected(False)

    def find_engine(self) -> None:
        """It is back, and tells of all."""
        self.coordinator.async_set_connected(True)
        self.coordinator.async_take_cameras(self._states.values())
