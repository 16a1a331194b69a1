"""A number in a picture that survives lossy coding, and what a sequence of such numbers says about lost pictures.

The bar is a row of 24 cells over the whole width at the bottom of the picture: guard (white, black), 16 bits of the
number, most significant first, 4 bits of checksum, guard (black, white). Cells are as large as the picture allows, so
the bar can be read at 160 pixels of width, at low bitrates, and after scaling.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Pixels = NDArray[np.uint8]

CELLS = 24
#: Numbers are 0 to this less 1.
LIMIT = 1 << 16
WHITE = 235
BLACK = 16
#: White and black guard cells nearer to each other than this are no bar.
_MIN_CONTRAST = 60


class UnreadableError(ValueError):
    """The picture holds no bar, or a damaged one."""


def bar_height(height: int) -> int:
    """Rows that the bar takes of a picture `height` rows high; even, so that it fits 4:2:0 colour."""
    return max(16, height // 12) & ~1


def draw(luma: Pixels, number: int) -> None:
    """Draw `number` into the bottom of `luma`, a picture's brightness (height, width)."""
    height, width = luma.shape
    edges = np.arange(CELLS + 1) * width // CELLS
    row = np.repeat(np.array(_cells(number), dtype=np.uint8), np.diff(edges))
    luma[height - bar_height(height) :] = np.where(row == 1, WHITE, BLACK)


def read(frame: Pixels) -> int:
    """The number in `frame`: brightness (height, width) or RGB (height, width, 3). UnreadableError if there is none."""
    height, width = frame.shape[:2]
    rows = bar_height(height)
    band = frame[height - rows + rows // 4 : height - rows // 4]
    grey = band.mean(axis=2) if band.ndim == 3 else band
    columns = grey.mean(axis=0)
    cell = width / CELLS
    levels = [
        float(columns[int((i + 0.25) * cell) : max(int((i + 0.25) * cell) + 1, int((i + 0.75) * cell))].mean())
        for i in range(CELLS)
    ]
    white, black = min(levels[0], levels[-1]), max(levels[1], levels[-2])
    if white - black < _MIN_CONTRAST:
        raise UnreadableError("no bar in this picture")
    bits = [int(level > (white + black) / 2) for level in levels]
    number = int("".join(map(str, bits[2:18])), 2)
    if bits != _cells(number):
        raise UnreadableError("the bar in this picture is damaged")
    return number


@dataclass(frozen=True, slots=True)
class Continuity:
    """What `check` found, in pictures."""

    read: int
    missing: int
    duplicate: int
    out_of_order: int

    @property
    def complete(self) -> bool:
        """Every picture is there, once, in order."""
        return not (self.missing or self.duplicate or self.out_of_order)


def check(numbers: Iterable[int], length: int) -> Continuity:
    """Judge the numbers read from successive pictures of a clip of `length` pictures that plays in a loop.

    A step forward of up to half the clip is a gap, a larger one a step back. A gap of whole loops cannot be seen here:
    times tell those.
    """
    read_, missing, duplicate, out_of_order = 0, 0, 0, 0
    last: int | None = None
    for number in numbers:
        read_ += 1
        if last is not None:
            step = (number - last) % length
            if step == 0 and length > 1:
                duplicate += 1
            elif step > max(1, length // 2):
                out_of_order += 1
            elif step > 1:
                missing += step - 1
        last = number
    return Continuity(read_, missing, duplicate, out_of_order)


def _cells(number: int) -> list[int]:
    if not 0 <= number < LIMIT:
        raise ValueError(f"{number} is not a number from 0 to {LIMIT - 1}")
    checksum = 0b1010
    for shift in (0, 4, 8, 12):
        checksum ^= number >> shift & 0xF
    value = number << 4 | checksum
    return [1, 0, *(value >> shift & 1 for shift in range(19, -1, -1)), 0, 1]
