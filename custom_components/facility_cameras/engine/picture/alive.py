"""Whether the picture lives, or the same one is sent again and again.

Nothing moves in an empty corridor, and a good encoder then sends next to nothing: that is no fault. What tells a frozen
picture is that something stands still that never did before: the clock written into the picture, the coded key pictures
themselves (repeated byte by byte), or the noise that made the pictures between them large. Pure functions; they run in
the worker.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .groups import Group
from .known import CELLS, Known
from .seen import CELL, Grey

type Cells = NDArray[np.float32]

#: A cell differs from this mean difference on, in levels of brightness.
DIFFERS = 3.0
#: A cell that differs so often is a clock, or something like one. Learned over so many pairs of looks.
CLOCK, CLOCK_PAIRS = 0.9, 8
#: More cells than this are no clock: leaves in the wind, a camera that shakes. They may well stand still one day.
CLOCK_CELLS = 16
#: Below this mean difference in all cells a picture stands still, whoever coded it again.
STILL = 1.6
#: How sure it is of one that is not the same byte by byte: a scene in which the wind dies down looks like it. That is
#: told only of a camera whose sensitivity is high.
UNSURE = 0.65
#: Looks nearer together tell nothing of a clock that counts seconds; further apart, too much of what came in between.
NEAR_S, FAR_S = 1.5, 100.0


@dataclass(frozen=True, slots=True)
class Liveness:
    """How much lives: mean difference of each cell (None without a look before), the highest of them, the clock's cells,
    how many times in a row the key picture was repeated, bytes of a picture between.
    """

    cells: Cells | None
    stir: float
    clock: NDArray[np.bool_]
    repeats: int
    between: float


def liveness(known: Known, grey: Grey, groups: list[Group], masked: NDArray[np.bool_], now: float) -> Liveness:
    """What this look shows. `masked` are the cells that a person marked as the clock's and the like."""
    cells: Cells | None = None
    stir = 0.0
    if known.before is not None and NEAR_S <= now - known.before_at <= FAR_S:
        difference = np.abs(grey.astype(np.int16) - known.before)
        cells = difference.reshape(CELLS[0], CELL, CELLS[1], CELL).mean(axis=(1, 3), dtype=np.float32)
        stir = float(np.partition(cells.ravel(), -4)[-4])
    clock = (known.alive > CLOCK) if known.pairs >= CLOCK_PAIRS else np.zeros(CELLS, np.bool_)
    if clock.sum() > CLOCK_CELLS:
        clock = np.zeros(CELLS, np.bool_)
    if known.pairs >= CLOCK_PAIRS:
        # What was marked is a clock if it used to move, be it only now and then.
        clock |= masked & (known.alive > 0.5)
    return Liveness(cells, stir, clock, repeats(groups), between(groups))


def repeats(groups: list[Group]) -> int:
    """How many of the newest key pictures were each the same as the one before, in a row."""
    count = 0
    for newer, older in zip(groups[::-1], groups[-2::-1], strict=False):
        if (newer.key_bytes, newer.key_sum) != (older.key_bytes, older.key_sum):
            break
        count += 1
    return count


def between(groups: list[Group]) -> float:
    """Bytes of a picture between key pictures, lately; 0 if there were none."""
    pictures = sum(group.pictures for group in groups[-3:])
    return sum(group.bytes for group in groups[-3:]) / pictures if pictures else 0.0


def frozen(known: Known, now: Liveness, groups: list[Group]) -> tuple[str, float] | None:
    """Why the picture is thought to be frozen, and how sure that is from one look; None if it lives."""
    if now.cells is None or now.stir > STILL:
        return None
    if now.clock.any() and float(now.cells[now.clock].max()) < STILL:
        return "clock_stands", 0.9 if now.repeats else UNSURE
    if now.clock.any():
        return None
    if now.repeats >= 3 and (known.keys < 10 or known.repeats < 0.02):
        return "picture_repeats", 0.95 if known.keys >= 10 else 0.7
    key = float(np.median([group.key_bytes for group in groups[-3:]])) if groups else 0.0
    same_size = known.before_key > 0 and 0.8 < key / known.before_key < 1.25
    if (
        known.between.seen >= 10
        and now.between < 0.25 * known.between.low
        and known.stir.low > 2 * now.stir
        and same_size
    ):
        return "noise_gone", UNSURE
    return None


def learn(known: Known, now: Liveness, groups: list[Group]) -> None:
    """Take in a look at a picture that is well."""
    if groups:
        sizes = [group.key_bytes for group in groups[-3:]]
        known.before_key = float(np.median(sizes))
        pairs = len(groups[-4:]) - 1
        for _ in range(pairs):
            known.keys += 1
            known.repeats += (min(now.repeats, pairs) / max(pairs, 1) - known.repeats) / min(known.keys, 200)
    if now.between:
        known.between.learn(now.between)
    if now.cells is not None:
        known.pairs += 1
        known.alive += ((now.cells > DIFFERS) - known.alive) / min(known.pairs, 24)
        known.stir.learn(now.stir)
