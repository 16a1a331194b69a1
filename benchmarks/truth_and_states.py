"""What happened to the cameras, compared with what was shown of them. All times are monotonic seconds.

Promise I5 (truth), measured: a status is right when the fault that explains it was there, and a change that no fault
explains is false, however soon it is taken back.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
import math
import statistics

from .fault_plan import Kind

ONLINE = "online"
#: What the end of a fault may still be followed by: whoever was asked just before it ended.
LATE_S = 2.0
#: Back later than this is no longer explained by the fault that ended.
BACK_S = 60.0


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault that a camera had, from when it took effect to when it ended."""

    camera: str
    kind: Kind
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class Shown:
    """What was shown of a camera from a time on."""

    camera: str
    status: str
    at: float


@dataclass(slots=True)
class Judgement:
    """`took` are the seconds from a fault to its status by figure, of a fault never found those that it lasted;
    `recovered` those from its end to `online`; `false` are the changes that nothing explains.
    """

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    recovered: list[float] = field(default_factory=list)
    faults: int = 0
    missed: list[Happened] = field(default_factory=list)
    false: list[Shown] = field(default_factory=list)


def p95(values: Sequence[float]) -> float:
    """The 95th percentile of at least one value, interpolated between those that were measured."""
    return statistics.quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]


def entries(told: Iterable[Mapping[str, object]], kinds: Iterable[Kind]) -> list[Happened]:
    """The simulator's log of truth, as far as these kinds of fault are in it; one that lasts still ends never."""
    known = {kind.fault: kind for kind in kinds}
    found = []
    for entry in told:
        if (kind := known.get(str(entry["fault"]))) is not None:
            ended = entry["ended_monotonic"]
            until = float(ended) if isinstance(ended, int | float) else math.inf
            found.append(Happened(str(entry["camera"]), kind, float(str(entry["began_monotonic"])), until))
    return found


def judge(happened: Iterable[Happened], shown: Iterable[Shown], until: float) -> Judgement:
    """Compare. Every camera was online at the beginning; `shown` holds changes only, of which the last may come at
    `until`, when looking ended.
    """
    judgement = Judgement()
    faults, states = defaultdict(list), defaultdict(list)
    for fault in sorted(happened, key=lambda fault: fault.began):
        faults[fault.camera].append(fault)
    for state in sorted(shown, key=lambda state: state.at):
        states[state.camera].append(state)
    for camera in faults.keys() | states.keys():
        _judge_camera(judgement, faults[camera], states[camera], until)
    return judgement


def _judge_camera(judgement: Judgement, faults: list[Happened], states: list[Shown], until: float) -> None:
    explained: set[int] = set()
    for fault, following in zip(faults, [*(fault.began for fault in faults), until][1:], strict=True):
        kind, wanted = fault.kind, fault.kind.shown
        mine = [number for number, state in enumerate(states) if fault.began <= state.at < following]
        explained |= _explained(fault, [(number, states[number]) for number in mine])
        if wanted is None:
            continue
        judgement.faults += 1
        found = next((states[n].at for n in mine if states[n].status == wanted and states[n].at <= fault.ended), None)
        judgement.took[kind.figure].append(min(math.inf if found is None else found, fault.ended, until) - fault.began)
        if found is None:
            judgement.missed.append(fault)
        if fault.ended > until:
            continue
        if away := [number for number in mine if states[number].status != ONLINE]:
            back = next((states[n].at for n in mine if n > away[-1]), following)
            judgement.recovered.append(max(back - fault.ended, 0.0))
    judgement.false += [state for number, state in enumerate(states) if number not in explained]


def _explained(fault: Happened, states: list[tuple[int, Shown]]) -> set[int]:
    """Which of the states after a fault's begin it explains: each status once while it lasts, and online once after."""
    allowed = Counter(fault.kind.on_the_way | ({fault.kind.shown} if fault.kind.shown is not None else set()))
    found: set[int] = set()
    back = False
    for number, state in states:
        if state.status == ONLINE:
            right = bool(found) and not back and fault.ended <= state.at <= fault.ended + BACK_S
            back = True
            allowed.clear()
        else:
            right = allowed[state.status] > 0 and state.at <= fault.ended + LATE_S
            allowed[state.status] -= 1
        if right:
            found.add(number)
    return found
