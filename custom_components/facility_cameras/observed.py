"""What automations may ask of a camera, and for how long it has been so.

Promise I5: what nobody observes is neither so nor not so, and time in which nobody observed it counts for nothing: it
begins anew when somebody does. Time is monotonic: a clock that is set makes nothing older.
"""

from collections.abc import Callable
from enum import StrEnum

from homeassistant.core import callback

from .coordinator import FacilityCoordinator
from .engine.api import Cause
from .picture_problem import has_picture_problem


class Fact(StrEnum):
    """What may be so or not."""

    ONLINE = "online"
    PICTURE_PROBLEM = "picture_problem"
    NOT_RECORDING = "not_recording"


def _not_recording(coordinator: FacilityCoordinator, camera_id: str) -> bool | None:
    """It is to be recorded, and is not: by its schedule or its switch it may well not be."""
    state = coordinator.camera(camera_id)
    if state is None or coordinator.cause(camera_id) is Cause.STARTING:
        return None
    if coordinator.cause(camera_id) in (Cause.SWITCHED_OFF, Cause.RETIRED):
        return None
    return state["recording_wanted"] and not state["recording"]


_OBSERVE: dict[Fact, Callable[[FacilityCoordinator, str], bool | None]] = {
    Fact.ONLINE: lambda coordinator, camera_id: coordinator.online_or_unknown(camera_id),
    Fact.PICTURE_PROBLEM: has_picture_problem,
    Fact.NOT_RECORDING: _not_recording,
}


class Observed:
    """What is so of every camera, and since when it was observed without a break."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Nothing is observed yet. `clock` is monotonic, in seconds."""
        self._clock = clock
        self._facts: dict[str, dict[Fact, tuple[bool | None, float]]] = {}

    @callback
    def take(self, coordinator: FacilityCoordinator, camera_id: str) -> None:
        """What is known of a camera may have changed."""
        facts = self._facts.setdefault(camera_id, {})
        for fact, observe in _OBSERVE.items():
            value = observe(coordinator, camera_id)
            if fact not in facts or facts[fact][0] is not value:
                facts[fact] = (value, self._clock())

    def value(self, camera_id: str, fact: Fact) -> bool | None:
        """Whether it is so; None while nobody observes it."""
        return self._facts[camera_id][fact][0] if camera_id in self._facts else None

    def held_s(self, camera_id: str, fact: Fact) -> float:
        """For how many seconds it has been as it is, observed without a break."""
        return self._clock() - self._facts[camera_id][fact][1] if camera_id in self._facts else 0.0

    def forget(self, camera_id: str) -> None:
        """The camera was removed."""
        self._facts.pop(camera_id, None)
