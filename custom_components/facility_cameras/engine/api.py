"""What travels between the engine and the hub: the JSON of API version 1, as types.

Both sides import this file. Times are UTC microseconds since 1970 unless a name says otherwise; ids are the ids of
Home Assistant's config entries (facility) and config subentries (camera). docs/engine-api.md tells the same in words.
"""

from enum import StrEnum
from typing import NotRequired, TypedDict

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
    DISCONNECTED = "disconnected"  # by its connect switch, or retired: neither fault nor gap
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
    UNSTABLE = "unstable"  # lost and found again and again
    SWITCHED_OFF = "switched_off"  # its connect switch is off
    RETIRED = "retired"
    HUB_NETWORK = "hub_network"  # this machine has no network: nothing is known of the camera
    PICTURE_FROZEN = "picture_frozen"
    PICTURE_BLACK = "picture_black"
    PICTURE_COVERED = "picture_covered"
    PICTURE_MOVED = "picture_moved"
    PICTURE_PLATE = "picture_plate"  # a recorder shows its "no video" plate in the place of the camera


class Standing(StrEnum):
    """What is asked of a camera, from some time to some time (ledger/)."""

    REQUIRED = "required"
    NOT_REQUIRED = "not_required"  # outside its required hours
    MAINTENANCE = "maintenance"  # planned, counted apart
    DISCONNECTED = "disconnected"  # its connect switch is off
    RETIRED = "retired"


class Reach(StrEnum):
    """How far the way to a camera that does not answer is whole. Each has a sentence in both languages."""

    OWN_NETWORK = "own_network"  # this machine has no link, or no way to that address
    GATEWAY = "gateway"  # the router between us and the camera does not answer
    DEVICE_GONE = "device_gone"  # in our own network, and nobody has this address
    DEVICE_HUNG = "device_hung"  # somebody has this address, and no service answers
    OTHER_PORT = "other_port"  # another known port answers or refuses
    BEYOND = "beyond"  # in another network; the router answers, nothing else is known
    UNCLEAR = "unclear"


class Problem(TypedDict):
    """A cause with what its sentence needs (host, port, path, user, codec, status, count, minutes); never a secret.
    `reach` is a Reach where the watch looked further for a camera that does not answer.
    """

    cause: str
    placeholders: dict[str, str]
    reach: NotRequired[str]


class PictureState(TypedDict):
    """What is wrong with a camera's picture. `confidence` is from 0 to 1; `evidence` is the id under which the pictures
    before and after are kept, "" where there are none.
    """

    status: str
    cause: str
    confidence: float
    since: int
    evidence: str


class Maintenance(TypedDict):
    """Planned maintenance of a camera: counted apart, no alerts. It ends by itself."""

    since: int
    until: int
    reason: str
    who: str


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


class CameraConfig(TypedDict):
    """One camera as the hub wants it. `url` holds no credentials.

    `record` is the switch and has the last word. `wanted` is what a schedule or entity says now (True where always is
    meant; None: not known, what was last known holds). By an entity, footage begins `before_s` seconds before it became
    wanted and goes on for `after_s`. `days_to_keep` 0 is as the facility. How its picture is judged: `sensitivity` is off,
    low, normal or high; `mask` are areas that say nothing (x, y, width, height in shares of the picture). `place` is the
    kind of place it looks at. `connect` off, or `retired`: no session to it at all. `required` is what an entity says of
    its required hours (None: as last told). `connect_who` is who connected, switched off or retired
    it last, `record_who` who turned its recording on or off: for the ledger.
    """

    id: str
    name: str
    url: str
    username: str
    password: str
    audio: bool
    record: bool
    days_to_keep: int
    wanted: bool | None
    before_s: float
    after_s: float
    sensitivity: NotRequired[str]
    mask: NotRequired[list[list[float]]]
    place: str
    connect: bool
    retired: bool
    required: bool | None
    connect_who: str
    record_who: str


class MaintenanceRequest(TypedDict):
    """PUT /v1/cameras/{camera}/maintenance: work on it is planned until then, why, and who says so."""

    until: int
    reason: str
    who: str


class RequiredRequest(TypedDict):
    """PUT /v1/cameras/{camera}/required: whether an entity says that the camera is required now."""

    required: bool


class FacilityConfig(TypedDict):
    """One facility with all its cameras. `archive` is the footage folder the technician chose (absolute);
    `archive_id` the id in that folder's marker file: where it does not match, nothing is written. `quota_bytes` 0 is no
    quota; footage younger than `least_days` (0: an hour) is never deleted for space. `second_copy` is an absolute folder
    for a second copy of protected footage ("": none), `second_copy_id` the id in its marker. `zone` (IANA) is where its
    days begin.
    """

    id: str
    name: str
    archive: str
    archive_id: str
    days_to_keep: int
    quota_bytes: int
    least_days: int
    second_copy: NotRequired[str]
    second_copy_id: NotRequired[str]
    zone: str
    cameras: list[CameraConfig]


#: What a hub, or a list that an earlier engine saved, may leave out.
CAMERA_DEFAULTS: dict[str, object] = {
    "days_to_keep": 0,
    "wanted": True,
    "before_s": 0.0,
    "after_s": 0.0,
    "sensitivity": "normal",
    "mask": [],
    "place": "",
    "connect": True,
    "retired": False,
    "required": True,
    "connect_who": "",
    "record_who": "",
}


FACILITY_DEFAULTS: dict[str, object] = {
    "quota_bytes": 0,
    "least_days": 0,
    "second_copy": "",
    "second_copy_id": "",
    "zone": "UTC",
}


class Format(TypedDict):
    """What a camera sends. `video` is `h264` or `h265`, `audio` is `aac` or None (not recorded)."""

    video: str
    width: int
    height: int
    codec_string: str
    audio: str | None


class CameraState(TypedDict):
    """What is known of one camera. `since` is when `status` began: of one that was lost, when its last picture came.
    `standing` is a Standing; `picture` what is wrong with what it shows, also while it is away; `evidence` the id of the
    pictures kept with its present trouble, "" if none; `clock_offset_s` its own clock minus ours, None if it never told;
    `keyframe_s` the time from key picture to key picture. `recording` is true while fragments land on disk;
    `recording_wanted` is what the switch and, where there is one, the schedule or entity say, `duty` a `Duty`: what its
    recording is about now; `recorded_s` counts seconds of footage since the engine started; `first_picture_s` is the time from the newest
    connection attempt to its first keyframe; `last_picture` is when the picture was taken that it showed last before it
    went away (None: never seen); `reconnects` counts sessions after the first.
    """

    id: str
    facility: str
    status: str
    since: int
    problem: Problem
    recording: bool
    recording_wanted: bool
    duty: str
    standing: str
    maintenance: Maintenance | None
    picture: PictureState | None
    evidence: str
    clock_offset_s: float | None
    keyframe_s: float | None
    format: Format | None
    recorded_s: float
    first_picture_s: float | None
    bitrate_kbps: float
    fps: float
    last_frame: int | None
    last_picture: int | None
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


class VolumeCause(StrEnum):
    """Why a volume is not simply `ok`: what a person can do differs. Each has a sentence in both languages."""

    NONE = "none"
    FOLDER_GONE = "folder_gone"  # the folder is not there
    MARKER_GONE = "marker_gone"  # the folder is there, our marker is not: not mounted, as a rule
    OTHER_ARCHIVE = "other_archive"  # another archive's marker: the wrong disk
    OLDER_COPY = "older_copy"  # our marker, but we have recorded later than this copy knows
    IN_USE = "in_use"  # another engine of this machine records into it
    IN_USE_ELSEWHERE = "in_use_elsewhere"  # another machine does, through the network
    READ_ONLY = "read_only"
    NOT_PERMITTED = "not_permitted"
    NO_SPACE = "no_space"
    NO_INODES = "no_inodes"  # there is room, but for no more files; while the state is `low`, for few more
    QUOTA = "quota"  # the volume's own, not the facility's
    IO_ERROR = "io_error"  # the disk reports errors
    SHARE_STALE = "share_stale"  # the server of a network share has forgotten it
    SHARE_AWAY = "share_away"  # the server of a network share does not answer
    DEVICE_GONE = "device_gone"  # unplugged
    NO_ANSWER = "no_answer"  # a call does not come back
    SLOW = "slow"  # written, but more slowly than cameras send
    TOO_MANY_FILES = "too_many_files"  # the machine has no more file handles
    INDEX = "index"  # the index cannot be opened or written
    FAULT = "fault"  # ours


class Cleaning(TypedDict):
    """How deleting goes in a facility's archive (which others may share). None where something is not so.

    `last`: when the cleaner last did what was to be done. `due_files` and `due_bytes`: past their days by more than an
    hour, or below the free space that is wanted, and still there. `failed_since`, `failed_why`: the cleaner failed and
    tries again. `frees_nothing_since`: what is deleted does not become free space. `stuck_files`: cannot be deleted;
    one of them is `stuck_path`, relative to the archive, because of `stuck_why`. `young_since`: space is wanted, and
    nothing is left but footage that is protected or too young; `over_quota`: the same, for the facility's quota.
    """

    last: int | None
    due_files: int
    due_bytes: int
    failed_since: int | None
    failed_why: str
    frees_nothing_since: int | None
    stuck_files: int
    stuck_path: str
    stuck_why: str
    young_since: int | None
    over_quota: bool


class FacilityState(TypedDict):
    """Footage of one facility. Bytes; `oldest` is the start of its oldest footage. Days: `days_kept` are there, not
    counting what is protected; `days_possible` could be at the rate of the last 24 hours; `days_promised` are the most
    that one of its cameras is to be kept, `days_short` where that will not be possible. None where not known
    (yet). `held_bytes` is footage under the `holds` that are not released; `copy_problem` is a CopyCause, once copying to
    the second folder has failed for some minutes. `volume_cause` is a VolumeCause; `kept_bytes` is what waits in memory
    for a volume that is away; `hidden_files` and `hidden_bytes` are footage that lies in the folder over which the volume
    is mounted.
    """

    id: str
    archive: str
    volume: str
    volume_cause: str
    kept_bytes: int
    hidden_files: int
    hidden_bytes: int
    total_bytes: int
    free_bytes: int
    footage_bytes: int
    oldest: int | None
    days_kept: float | None
    days_possible: float | None
    days_promised: int
    days_short: bool
    cleaning: Cleaning
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
