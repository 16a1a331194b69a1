"""What travels between the engine and the hub: the JSON of API version 1, as types.

Both sides import this file. Times are UTC microseconds since 1970 unless a name says otherwise; ids are the ids of
Home Assistant's config entries (facility) and config subentries (camera). docs/engine-api.md tells the same in words.
"""

from enum import StrEnum
from typing import Literal, NotRequired, TypedDict

#: The marker in a second folder for protected footage; an archive has one of another name.
COPY_MARKER = ".facility_cameras_copy.json"
#: What one hold may span, and how long its texts may be.
LONGEST_HOLD_DAYS, REASON_SIGNS, WHO_SIGNS = 400, 500, 100
#: A hub attaches only to an engine that speaks the same version.
API_VERSION = 1


class Status(StrEnum):
    """What is known of a camera now. DESIGN: what the watch tells apart."""

    ONLINE = "online"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    UNAUTHORISED = "unauthorised"
    NO_STREAM = "no_stream"
    STALLED = "stalled"
    FROZEN = "frozen"
    BLACK = "black"
    COVERED = "covered"
    MOVED = "moved"
    UNSTABLE = "unstable"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """Why a camera is not online, or why it cannot be added. Each has a sentence in both languages."""

    NONE = "none"
    STARTING = "starting"  # nothing observed yet
    NO_ANSWER = "no_answer"  # no TCP connection within the time limit
    NAME_NOT_FOUND = "name_not_found"  # host name does not resolve
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_LOST = "connection_lost"  # closed or reset in the middle of a session
    NOT_RTSP = "not_rtsp"  # something else answers on this port
    BAD_ANSWER = "bad_answer"  # RTSP, but an answer that cannot be used
    PASSWORD_WRONG = "password_wrong"
    PASSWORD_MISSING = "password_missing"
    PATH_NOT_FOUND = "path_not_found"
    CAMERA_BUSY = "camera_busy"  # 453, 503: too many viewers
    UDP_ONLY = "udp_only"
    NO_VIDEO = "no_video"  # SDP without video
    CODEC_UNSUPPORTED = "codec_unsupported"
    NO_PACKETS = "no_packets"  # session open, nothing arrives
    NO_KEYFRAME = "no_keyframe"  # packets arrive, no picture to begin with
    CAMERA_ERROR = "camera_error"  # any other RTSP error status


class Problem(TypedDict):
    """A cause with what its sentence needs (host, port, path, user, codec, status); never a secret."""

    cause: str
    placeholders: dict[str, str]


class CameraConfig(TypedDict):
    """One camera as the hub wants it. `url` holds no credentials."""

    id: str
    name: str
    url: str
    username: str
    password: str
    audio: bool
    record: bool


class FacilityConfig(TypedDict):
    """One facility with all its cameras. `archive` is the footage folder the technician chose (absolute);
    `archive_id` the id in that folder's marker file: where it does not match, nothing is written. `second_copy` is an
    absolute folder for a second copy of protected footage ("": none), `second_copy_id` the id in its marker.
    """

    id: str
    name: str
    archive: str
    archive_id: str
    days_to_keep: int
    second_copy: NotRequired[str]
    second_copy_id: NotRequired[str]
    cameras: list[CameraConfig]


class Format(TypedDict):
    """What a camera sends. `video` is `h264` or `h265`, `audio` is `aac` or None (not recorded)."""

    video: str
    width: int
    height: int
    codec_string: str
    audio: str | None


class CameraState(TypedDict):
    """What is known of one camera. `since` is when `status` began; `recording` is true while fragments land on disk;
    `recorded_s` counts seconds of footage since the engine started; `first_picture_s` is the time from the newest
    connection attempt to its first keyframe; `reconnects` counts sessions after the first.
    """

    id: str
    facility: str
    status: str
    since: int
    problem: Problem
    recording: bool
    recording_wanted: bool
    format: Format | None
    recorded_s: float
    first_picture_s: float | None
    bitrate_kbps: float
    fps: float
    last_frame: int | None
    reconnects: int
    lost_packets: int
    viewers: int


class VolumeState(StrEnum):
    """What is known of the folder where a facility's footage lies."""

    OK = "ok"
    LOW = "low"  # nearly full: retention deletes by free space
    FULL = "full"  # recording paused
    MISSING = "missing"  # not mounted, or marker gone: recording paused
    READ_ONLY = "read_only"  # recording paused
    ERROR = "error"  # writing fails: recording paused


class CopyState(StrEnum):
    """Whether protected footage lies in the second folder too."""

    NONE = "none"  # no second folder is named
    WAITING = "waiting"  # not yet, or not all of it
    COPIED = "copied"  # all of it, verified
    FAILED = "failed"  # tried again by itself; `copy_cause` tells why


class CopyCause(StrEnum):
    """Why protected footage is not copied."""

    MISSING = "missing"  # the second folder is not there, or not the one that was marked
    FULL = "full"
    READ_ONLY = "read_only"
    HUNG = "hung"  # it does not answer
    ERROR = "error"  # writing or reading fails
    MISMATCH = "mismatch"  # what was read back is not what was written
    SOURCE = "source"  # a file of the archive cannot be read, or is not what was recorded


class HoldChange(StrEnum):
    """What happened to holds."""

    PROTECTED = "protected"
    RELEASED = "released"
    COPIED = "copied"
    COPY_FAILED = "copy_failed"


class HoldState(TypedDict):
    """Footage of one camera in [start, end) that is not deleted until it is released. `incident` is shared by what was
    protected in one call. `files` is how many files there are of it now, `copied` how many of them lie verified in the
    second folder; `copy` is a CopyState, `copy_cause` a CopyCause or empty.
    """

    id: str
    incident: str
    facility: str
    camera: str
    start: int
    end: int
    reason: str
    who: str
    at: int
    released: int | None
    released_by: str
    files: int
    copied: int
    copy: str
    copy_cause: str


class ProtectRequest(TypedDict):
    """POST /v1/facilities/{id}/holds."""

    cameras: list[str]
    start: int
    end: int
    reason: str
    who: str


class ReleaseRequest(TypedDict):
    """POST /v1/facilities/{id}/holds/release: ids of holds or incidents."""

    holds: list[str]
    who: str


class FacilityState(TypedDict):
    """Footage of one facility. Bytes; `oldest` is the start of its oldest footage. `held_bytes` is footage under the
    `holds` that are not released; `copy_problem` is a CopyCause, once copying to the second folder has failed for some minutes.
    """

    id: str
    archive: str
    volume: str
    total_bytes: int
    free_bytes: int
    footage_bytes: int
    oldest: int | None
    holds: int
    held_bytes: int
    copy_problem: str


class EngineInfo(TypedDict):
    """GET /v1/info. `build` changes with any change of the engine's code."""

    api: int
    build: str
    pid: int
    started: int
    restream_port: int
    cameras: int
    leash_s: float


class SnapshotEvent(TypedDict):
    """First line of GET /v1/events."""

    event: Literal["snapshot"]
    engine: EngineInfo
    cameras: list[CameraState]
    facilities: list[FacilityState]


class CameraEvent(TypedDict):
    """A camera's status, cause, format or recording changed."""

    event: Literal["camera"]
    camera: CameraState


class FiguresEvent(TypedDict):
    """Every 10 s: the newest figures of all cameras and facilities. Also the sign of life."""

    event: Literal["figures"]
    cameras: list[CameraState]
    facilities: list[FacilityState]


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


type Event = SnapshotEvent | CameraEvent | FiguresEvent | RemovedEvent | HoldEvent


class Span(TypedDict):
    """Footage without a gap."""

    start: int
    end: int


class Segment(TypedDict):
    """One file. `bytes` is what can be read now; `path` is absolute; `open` while it is still written."""

    id: int
    camera: str
    start: int
    end: int
    bytes: int
    codec: str
    path: str
    open: bool


class ProbeRequest(TypedDict):
    """POST /v1/probe: connect once, as recording would, and tell what came."""

    url: str
    username: str
    password: str


class ProbeResult(TypedDict):
    """`problem` is None if a keyframe came. `picture` is a JPEG in base64, None if it could not be decoded."""

    problem: Problem | None
    format: Format | None
    fps: NotRequired[float]
    picture: NotRequired[str | None]


class RestreamRequest(TypedDict):
    """PUT /v1/restream: whoever connects from now on needs this secret."""

    secret: str


class LaunchRequest(TypedDict):
    """What the hub writes to the engine's standard input, once, as JSON."""

    state_dir: str
    socket: str
    restream_host: str
    restream_secret: str
    leash_s: float
