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
    wanted and goes on for `after_s`. `days_to_keep` 0 is as the facility.
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
CAMERA_DEFAULTS: dict[str, object] = {"days_to_keep": 0, "wanted": True, "before_s": 0.0, "after_s": 0.0}
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
    NO_INODES = "no_inodes"  # there is room, but for no more files
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


type Event = SnapshotEvent | CameraEvent | FiguresEvent | RemovedEvent | ExportEvent | HoldEvent


class Span(TypedDict):
    """Footage without a gap, of one codec (`h264` or `h265`)."""

    start: int
    end: int
    codec: str


class Nearest(TypedDict):
    """Where footage before a time ends and footage after it begins; both are the time itself if there is footage of it."""

    before: int | None
    after: int | None


class Size(TypedDict):
    """GET /v1/cameras/{id}/size: how much footage there is of a time, in whole files."""

    bytes: int
    files: int


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


class ClipCause(StrEnum):
    """Why no clip could be made. Each has a sentence in both languages."""

    NO_FOOTAGE = "no_footage"  # in this time; the nearest is named
    NO_FOOTAGE_AT_ALL = "no_footage_at_all"
    ARCHIVE_AWAY = "archive_away"
    FOOTAGE_DAMAGED = "footage_damaged"
    FOOTAGE_DELETED = "footage_deleted"  # meanwhile
    NO_ROOM = "no_room"
    NOT_WRITTEN = "not_written"
    NO_ENCODER = "no_encoder"  # for a preview
    NOT_DECODED = "not_decoded"  # for a preview: the worker failed or hung
    FAULT = "fault"  # of ours


class ClipRequest(TypedDict):
    """POST /v1/cameras/{id}/clip, /film or /preview: footage of [start, end) as MP4 in `folder` (absolute, it must be
    there). Files are called by the camera's name and the time in `zone` (IANA name).
    """

    start: int
    end: int
    folder: str
    zone: str


class ClipFile(TypedDict):
    """One file: footage of [start, end)."""

    path: str
    start: int
    end: int
    bytes: int
    pictures: int
    codec: str
    width: int
    height: int


class Missing(TypedDict):
    """Asked for, but there is no footage of it."""

    start: int
    end: int


class Clip(TypedDict):
    """What was made: files oldest first (a long gap, and another codec or resolution, begin another one), and what of
    the asked time has no footage. `open`: some of it is still being recorded.
    """

    files: list[ClipFile]
    gaps: list[Missing]
    open: bool


class JobState(TypedDict):
    """Work in the slow lane. `state` is waiting, running, done, failed or cancelled; `progress` 0 to 1; `problem` is
    None unless it failed, `result` unless it is done.
    """

    id: str
    kind: str
    owner: str
    state: str
    progress: float
    problem: Problem | None
    result: Clip | None


class ExportCamera(TypedDict):
    """A camera that is exported, with what people and its maker call it."""

    id: str
    name: str
    make: str
    model: str


class ExportRequest(TypedDict):
    """POST /v1/facilities/{id}/exports: footage of [start, end) as whole files, copied below `folder` (absolute, it must
    be there). `form` is `folder` or `tar`; `zone` an IANA name; `who`, `reason`, `name` (the facility's) and `product` are
    told in the manifest.
    """

    cameras: list[ExportCamera]
    start: int
    end: int
    folder: str
    form: str
    name: str
    zone: str
    who: str
    reason: str
    product: str


class Missed(TypedDict):
    """A file that was to be exported and is not as it was recorded. `why` is `gone`, `unreadable` (both: not exported) or
    `damaged` (exported as it was found, which is not as it was recorded).
    """

    camera: str
    start: int
    end: int
    file: str
    why: str


class ExportState(TypedDict):
    """How an export stands. `state` is waiting, running, paused, done, failed or cancelled; `problem` says why it is paused
    or failed. `path` is where it will be, or is. `missed` names the first of `missed_files`; `gaps` counts periods asked
    for of which there is no footage.
    """

    id: str
    facility: str
    cameras: list[str]
    state: str
    progress: float
    files: int
    all_files: int
    bytes: int
    all_bytes: int
    path: str
    problem: Problem | None
    missed: list[Missed]
    missed_files: int
    gaps: int
    started: int
    ended: int | None


class ExportEvent(TypedDict):
    """An export began, is paused, goes on, or is over."""

    event: Literal["export"]
    export: ExportState


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
