"""Whether something is wrong with what a camera shows. Of a camera that is away nobody knows (promise I5)."""

from homeassistant.core import HomeAssistant, callback

from . import wording
from .coordinator import CONNECTED, FacilityCoordinator
from .engine.api import Cause, PictureState, Status

#: The statuses that tell of the picture alone.
PICTURE_STATUSES = frozenset({Status.FROZEN, Status.BLACK, Status.COVERED, Status.MOVED})


@callback
def has_picture_problem(coordinator: FacilityCoordinator, camera_id: str) -> bool | None:
    """True if there is one; None while the camera is away or nothing observes it."""
    state, status = coordinator.camera(camera_id), coordinator.status(camera_id)
    if state is None:
        return None
    if status in PICTURE_STATUSES or _shows_plate(coordinator, camera_id):
        return True
    # Connected, but lost again and again: what was found when it was looked at last still holds.
    return state["picture"] is not None if status in CONNECTED else None


@callback
def found_picture(coordinator: FacilityCoordinator, camera_id: str) -> PictureState | None:
    """What is wrong with it, None if nothing is that is known. The status stands in where the engine tells no more."""
    state = coordinator.camera(camera_id)
    if state is None or not has_picture_problem(coordinator, camera_id):
        return None
    return state["picture"] or {
        "status": state["status"],
        "cause": state["problem"]["cause"],
        "confidence": 1.0,
        "since": state["since"],
        "evidence": state["evidence"],
    }


@callback
def picture_sentence(hass: HomeAssistant, picture: PictureState) -> str:
    """What is wrong with a picture and what to do, in Home Assistant's language."""
    return wording.problem_sentence(hass, {"cause": picture["cause"], "placeholders": {}})


def _shows_plate(coordinator: FacilityCoordinator, camera_id: str) -> bool:
    """A recorder shows its "no video" picture in the camera's place: it is away, and its picture tells so."""
    return coordinator.status(camera_id) is Status.NO_STREAM and coordinator.cause(camera_id) is Cause.PICTURE_PLATE
