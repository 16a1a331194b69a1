"""What is told to the ledger, as it waits for the writer thread. Times are UTC microseconds as our clock said them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class State:
    """A camera's state begins."""

    at_us: int
    camera: str
    status: str
    cause: str
    detail: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Connected:
    """How much of an unstable camera's state, which lasts, it was connected."""

    at_us: int
    camera: str
    connected_us: int


@dataclass(frozen=True, slots=True)
class Stand:
    """What is asked of a camera from now on."""

    at_us: int
    camera: str
    standing: str
    reason: str
    who: str


@dataclass(frozen=True, slots=True)
class Belong:
    """What a camera is called, and where it belongs, from now on."""

    at_us: int
    camera: str
    name: str
    facility: str
    place: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A camera was removed."""

    at_us: int
    camera: str


@dataclass(frozen=True, slots=True)
class Only:
    """There are these cameras and no others: others were removed while no engine ran."""

    at_us: int
    cameras: frozenset[str]


@dataclass(frozen=True, slots=True)
class Note:
    """Another fact for the log; `content` is JSON."""

    at_us: int
    kind: str
    facility: str
    camera: str
    content: str


@dataclass(frozen=True, slots=True)
class Away:
    """Time of all cameras is unknown because of the hub, or never was."""

    at_us: int
    start_us: int
    end_us: int
    why: str


@dataclass(frozen=True, slots=True)
class Back:
    """Our clock was set back, from `before_us`: what was told of the time from here on is cut away."""

    at_us: int
    before_us: int


@dataclass(frozen=True, slots=True)
class Redate:
    """Our clock, which was not trusted, was set: this boot is dated again. `before_us` is what it would have said."""

    at_us: int
    before_us: int


@dataclass(frozen=True, slots=True)
class Trusted:
    """Our clock is trusted from now on."""

    at_us: int


class ShownRow(NamedTuple):
    """Figures (JSON) that were given out of [start_us, end_us) of a camera, a place (None: all) or a facility, when `away`
    was the newest row of `away`.
    """

    start_us: int
    end_us: int
    camera: str
    facility: str
    place: str | None
    away: int
    figures: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Figures were given out."""

    at_us: int
    rows: Sequence[ShownRow]


type Change = State | Connected | Stand | Belong | Gone | Only | Note | Away | Back | Redate | Trusted | Shown
