"""What travels between the engine and the hub about footage: timelines, gaps, holds, clips, exports. See api.py."""

from enum import StrEnum
from typing import TypedDict

from .api import Problem

#: The marker in a second folder for protected footage; an archive has one of another name.
COPY_MARKER = ".facility_cameras_copy.json"


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
