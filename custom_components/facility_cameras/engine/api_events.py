"""What the engine tells its hub as it happens: the lines of GET /v1/events. See api.py."""

from typing import Literal, TypedDict

from .api import CameraState, EngineInfo, FacilityState
from .api_footage import ExportState, HoldState
from .api_health import CommonCause, HubHealth


class SnapshotEvent(TypedDict):
    """First line of GET /v1/events."""

    event: Literal["snapshot"]
    engine: EngineInfo
    cameras: list[CameraState]
    facilities: list[FacilityState]
    health: HubHealth
    #: Those that last.
    common_causes: list[CommonCause]


class CameraEvent(TypedDict):
    """A camera's status, cause, format or recording changed."""

    event: Literal["camera"]
    camera: CameraState


class FiguresEvent(TypedDict):
    """Every 10 s: the newest figures of all cameras and facilities. Also the sign of life."""

    event: Literal["figures"]
    cameras: list[CameraState]
    facilities: list[FacilityState]
    health: HubHealth


class RemovedEvent(TypedDict):
    """A camera is no longer the engine's."""

    event: Literal["removed"]
    id: str


class HoldEvent(TypedDict):
    """Holds of one facility and incident were made or released, or their copy came to an end or fails."""

    event: Literal["hold"]
    change: str
    facility: str
    holds: list[HoldState]


class CommonCauseEvent(TypedDict):
    """Cameras went away together, or what is known of that changed, or it is over."""

    event: Literal["common_cause"]
    cause: CommonCause


type Event = SnapshotEvent | CameraEvent | FiguresEvent | RemovedEvent | ExportEvent | HoldEvent | CommonCauseEvent


class ExportEvent(TypedDict):
    """An export began, is paused, goes on, or is over."""

    event: Literal["export"]
    export: ExportState
