"""What travels between the engine and the hub: the JSON of API version 1, as types.

Both sides import this file. Times are UTC microseconds since 1970 unless a name says otherwise; ids are the ids of
Home Assistant's config entries (facility) and config subentries (camera). docs/engine-api.md tells the same in words.
"""

from enum import StrEnum
from typing import Literal, NotRequired, TypedDict

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


class Duty(StrEnum):
    """What a camera's recording is about, from some time to some time (archive/duty.py)."""

    RECORD = "record"  # to be recorded, and running
    OFF = "off"  # switched off: never a gap
    IDLE = "idle"  # its schedule or entity says no: never a gap
    OFFLINE = "offline"  # to be recorded; the camera gives nothing
    VOLUME = "volume"  # to be recorded; the disk is full, lost, read-only or failed
    OVERLOAD = "overload"  # to be recorded; the disk was too slow
    DOWN = "down"  # was to be recorded when the engine ended: it did not run
    CLOCK = "clock"  # our clock was set forward: time that never was


class GapReason(StrEnum):
    """Why there is no footage of a time that was to be recorded. Each has words in both languages."""

    OFFLINE = "offline"
    STARTING = "starting"
    INTERRUPTED = "interrupted"
    DOWN = "down"
    VOLUME = "volume"
    OVERLOAD = "overload"
    DELETED = "deleted"
    LOST = "lost"


class CameraConfig(TypedDict):
    """One camera as the hub wants it. `url` holds no credentials.

    `record` is the switch and has the last word. `wanted` is what a schedule or entity says now (True where always is
    meant; None: not known, what was last known holds). By an entity, footage begins `before_s` seconds before it became
    wanted and goes on for `after_s`.
    """

    id: str
    name: str
    url: str
    username: str
    password: str
    audio: bool
    record: bool
    wanted: bool | None
    before_s: float
    after_s: float


class FacilityConfig(TypedDict):
    """One facility with all its cameras. `archive` is the footage folder the technician chose (absolute);
    `archive_id` the id in that folder's marker file: where it does not match, nothing is written. `zone` (IANA) is
    where its days begin.
    """

    id: str
    name: str
    archive: str
    archive_id: str
    days_to_keep: int
    zone: str
    cameras: list[CameraConfig]


#: What a hub, or a list that an earlier engine saved, may leave out.
CAMERA_DEFAULTS: dict[str, object] = {"wanted": True, "before_s": 0.0, "after_s": 0.0}
FACILITY_DEFAULTS: dict[str, object] = {"zone": "UTC"}


class Format(TypedDict):
    """What a camera sends. `video` is `h264` or `h265`, `audio` is `aac` or None (not recorded)."""

    video: str
    width: int
    height: int
    codec_string: str
    audio: str | None


class CameraState(TypedDict):
    """What is known of one camera. `since` is when `status` began; `recording` is true while fragments land on disk;
    `recording_wanted` is what the switch and, where there is one, the schedule or entity say, `duty` a `Duty`: what its
    recording is about now; `recorded_s` counts seconds of footage since the engine started; `first_picture_s` is the time from the newest
    connection attempt to its first keyframe; `reconnects` counts sessions after the first.
    """

    id: str
    facility: str
    status: str
    since: int
    problem: Problem
    recording: bool
    recording_wanted: bool
    duty: str
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


class FacilityState(TypedDict):
    """Footage of one facility. Bytes; `oldest` is the start of its oldest footage."""

    id: str
    archive: str
    volume: str
    total_bytes: int
    free_bytes: int
    footage_bytes: int
    oldest: int | None


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


type Event = SnapshotEvent | CameraEvent | FiguresEvent | RemovedEvent


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


class Gap(TypedDict):
    """A time that was to be recorded and has no footage. `reason` is a `GapReason`; `cause` tells more of `offline` (a
    `Cause`), `volume` (a `VolumeState`) and `deleted` (`days`, `space`, `quota`), and is empty otherwise.
    """

    start: int
    end: int
    reason: str
    cause: str


class Gaps(TypedDict):
    """GET /v1/cameras/{id}/gaps: oldest first. Totals in seconds; `until` is how far it is known by now; `more`: there
    are other gaps after these.
    """

    gaps: list[Gap]
    wanted_s: float
    footage_s: float
    until: int
    more: bool


class CameraCompleteness(TypedDict):
    """Of one camera, seconds that were to be recorded and seconds of these that are on disk: today, and today with the
    six days before it (days of the facility's zone). `last_gap` is the newest of the seven days.
    """

    id: str
    today_wanted_s: float
    today_footage_s: float
    week_wanted_s: float
    week_footage_s: float
    last_gap: Gap | None


class WantedRequest(TypedDict):
    """PUT /v1/cameras/{id}/wanted."""

    wanted: bool


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
