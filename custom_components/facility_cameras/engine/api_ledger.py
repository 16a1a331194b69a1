"""What travels of the ledger: why time is unknown, rates, intervals, outages, notes. See api.py and docs/engine-api.md."""

from enum import StrEnum
from typing import TypedDict


class Away(StrEnum):
    """Why time of all cameras is unknown. Whoever knows that the hub itself was the reason may name others."""

    SUSPENDED = "suspended"  # the machine slept
    STALLED = "stalled"  # the engine stood still
    LOST = "lost"  # the disk took nothing for so long that changes were dropped
    CLOCK_BACK = "clock_back"  # our clock was set forward over this time, and back again
    CLOCK = "clock"  # not unknown: our clock was set forward, this time never was, and nothing is asked in it
    NOT_WATCHED = "not_watched"  # no engine ran, or none told of the camera


class LedgerProblem(StrEnum):
    """Why nothing can be written into the ledger. What is told is kept meanwhile, as far as there is room for it."""

    NONE = ""
    FULL = "ledger_full"
    READ_ONLY = "ledger_read_only"
    DAMAGED = "ledger_damaged"
    FAILED = "ledger_failed"


class LedgerState(TypedDict):
    """GET /v1/ledger. `problem` is a LedgerProblem, `dropped` counts changes that could not be kept, `set_aside` is the
    name of a file that was damaged or of a newer engine ("": none was), `until` is how far it is written.
    """

    problem: str
    dropped: int
    set_aside: str
    until: int | None


class Rate(TypedDict):
    """Figures of [start, end), which ends where the ledger ends. Which cameras: `camera`, `facility` and `place` where
    they are not null. Seconds: `required_s` were asked and not planned maintenance; `observed_s` of them are not unknown;
    `online_s` of these it was connected, `picture_trouble_s` of these frozen, black, covered or moved; `seconds` is all of
    `required_s` by status. `rate` is online_s / observed_s, null where nothing was observed; `collecting`: too little was
    observed to judge by it. Outages are those that touch the span, of each what lies in it.
    """

    start: int
    end: int
    camera: str | None
    facility: str | None
    place: str | None
    name: str
    cameras: int
    required_s: float
    observed_s: float
    online_s: float
    picture_trouble_s: float
    unknown_s: float
    maintenance_s: float
    disconnected_s: float
    not_required_s: float
    seconds: dict[str, float]
    rate: float | None
    collecting: bool
    outages: int
    outage_s: float
    longest_outage_s: float
    mtbf_s: float | None
    mttr_s: float | None


class Rates(TypedDict):
    """GET /v1/rates: oldest first; `until` is how far the ledger is written."""

    rates: list[Rate]
    until: int


class Interval(TypedDict):
    """What was known of a camera in [start, end). `standing` is a Standing, `status` a Status; `cause` a Cause or, where
    it is unknown, an Away. `connected_s`: how much of it an unstable camera was connected, null otherwise.
    """

    start: int
    end: int
    standing: str
    status: str
    cause: str
    detail: str
    evidence: str
    connected_s: float | None


class Intervals(TypedDict):
    """GET /v1/cameras/{camera}/intervals: oldest first; `more`: there are others after these."""

    intervals: list[Interval]
    until: int
    more: bool


class Asked(TypedDict):
    """What was asked of a camera from `start` to `end` (`lasts`: until now, and on): a Standing, why, and who said so."""

    start: int
    end: int
    lasts: bool
    standing: str
    reason: str
    who: str


class AllAsked(TypedDict):
    """GET /v1/cameras/{camera}/standings: oldest first; `more`: there are others after these."""

    standings: list[Asked]
    until: int
    more: bool


class Outage(TypedDict):
    """A camera was not connected from `start` to `end`, or is not since (`lasts`). `away_s` of it were required and
    observed, and not connected; `unknown_s` nobody observed. `causes` in their order, `evidence`: ids of pictures.
    """

    start: int
    end: int
    lasts: bool
    away_s: float
    unknown_s: float
    statuses: list[str]
    causes: list[str]
    details: list[str]
    evidence: list[str]


class Outages(TypedDict):
    """GET /v1/cameras/{camera}/outages: oldest first; `more`: there are others after these."""

    outages: list[Outage]
    until: int
    more: bool


class CameraRates(TypedDict):
    """A camera's figures for its sensors: days of the facility's zone, today and with the 6 and 29 days before it."""

    id: str
    today: Rate
    week: Rate
    month: Rate
    last_outage: Outage | None


class FacilityRates(TypedDict):
    """GET /v1/facilities/{facility}/rates. `worst`: ids of the cameras with the lowest rate of the last seven days, below
    1, worst first.
    """

    cameras: list[CameraRates]
    today: Rate
    week: Rate
    month: Rate
    worst: list[str]
    until: int


class LoggedNote(TypedDict):
    """A fact of the log; what `content` holds depends on `kind`."""

    at: int
    kind: str
    facility: str
    camera: str
    content: dict[str, object]


class Notes(TypedDict):
    """GET /v1/notes: newest first; `more`: there are others before these."""

    notes: list[LoggedNote]
    more: bool
