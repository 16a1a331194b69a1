"""Which faults a benchmark injects, into which camera, and when: drawn from a seed, so that a run can be repeated."""

from collections.abc import Sequence
from dataclasses import dataclass
import random


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault. `fault` is the simulator's name of it; `shown` is the status that Home Assistant must come to
    show, None if it must show nothing at all; `on_the_way` are others that it may show before, once each. `figure` is
    the name under which times to `shown` are told. It lasts for `seconds` (from, to); 0: it is momentary.
    """

    fault: str
    shown: str | None
    figure: str
    seconds: tuple[float, float]
    on_the_way: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault to inject so many seconds after the beginning, for so long."""

    at_s: float
    camera: str
    kind: Kind
    seconds: float


def plan(
    seed: int, cameras: Sequence[str], kinds: Sequence[Kind], each: int, seconds: float, rest_s: float
) -> list[Planned]:
    """`each` faults for every camera, all within `seconds`, as many of one kind as of another, ordered by time. After
    each a camera has `rest_s` seconds of peace at least. Raises ValueError if that is too much for the time.
    """
    drawn = random.Random(seed)
    slot_s = seconds / each
    if any(kind.seconds[1] + rest_s > slot_s for kind in kinds):
        raise ValueError(f"{each} faults a camera do not fit into {seconds:.0f} s")
    count = len(cameras) * each
    pool = [kinds[number % len(kinds)] for number in range(count)]
    drawn.shuffle(pool)
    planned = []
    for number, kind in enumerate(pool):
        lasts = drawn.uniform(*kind.seconds)
        at = number // len(cameras) * slot_s + drawn.uniform(0.0, slot_s - lasts - rest_s)
        planned.append(Planned(at, cameras[number % len(cameras)], kind, lasts))
    return sorted(planned, key=lambda fault: fault.at_s)
