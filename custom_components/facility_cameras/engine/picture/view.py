"""Whether a picture shows the view that is known: by where its edges lie and how they run, not by how bright they are.

Light and night modes turn bright into dark; edges stay where they are, and the direction of an edge taken twice (so that
dark-to-bright and bright-to-dark are one) stays too. So a view is a field of complex numbers, one for each pixel of a
picture reduced to 128 × 72: the direction of the edge there, twice, and how clear it is. Two views are compared tile by
tile, in place and shifted. Pure functions; they run in the worker.
"""

from dataclasses import dataclass
import functools

import numpy as np
from numpy.typing import NDArray

from .seen import HEIGHT, WIDTH, Grey

type Field = NDArray[np.complex64]
type Tiles = NDArray[np.float32]

FIELD_WIDTH, FIELD_HEIGHT = WIDTH // 2, HEIGHT // 2
#: Rows above and below are left out: cameras write their name and clock there.
BORDER = 8
ROWS, COLUMNS = 4, 8
_TILE_HEIGHT, _TILE_WIDTH = (FIELD_HEIGHT - 2 * BORDER) // ROWS, FIELD_WIDTH // COLUMNS
#: A tile with less mean slope (levels of brightness a pixel) than this shows nothing to go by.
DETAILED = 0.35
#: A tile matches from this correlation on.
MATCHES = 0.3
#: Below this it shows something else.
OTHER = 0.15


@dataclass(slots=True)
class Edges:
    """The edges of a picture. `detail` is the mean slope in each tile, `slope` that of the whole inner picture."""

    field: Field
    detail: Tiles


@dataclass(frozen=True, slots=True)
class Match:
    """How a picture compares with a known view.

    `same` is the share of the view's tiles with detail that are found in place, `lost` the share that has lost its
    detail, `away` the share that shows something else, as clear, `tiles` how many there are to go by, `detail` how much
    of all detail there is.
    """

    same: float
    lost: float
    away: float
    tiles: float
    detail: float


@dataclass(frozen=True, slots=True)
class Shift:
    """Where the view went, in shares of the picture's width, and how sure that is, beside how well it fits in place."""

    by: float
    fit: float
    fit_in_place: float


def edges(grey: Grey, weights: NDArray[np.float32]) -> Edges:
    """The edges of a small picture; where `weights` (of the field's size) is 0 there are none."""
    half = grey.reshape(FIELD_HEIGHT, 2, FIELD_WIDTH, 2).mean(axis=(1, 3), dtype=np.float32)
    for axis in (0, 1):
        half = (np.roll(half, 1, axis) + 2 * half + np.roll(half, -1, axis)) / 4
    gx = np.zeros_like(half)
    gy = np.zeros_like(half)
    gx[:, 2:-2] = (half[:, 3:-1] - half[:, 1:-3]) / 2
    gy[2:-2] = (half[3:-1] - half[1:-3]) / 2
    slope = np.hypot(gx, gy)
    floor = float(np.quantile(slope, 0.3))
    # An edge counts by being one, hardly by how strong it is; noise counts little.
    direction = (gx + 1j * gy) ** 2 / np.maximum(slope * (slope + 0.7 + 1.5 * floor), 1e-6)
    above = np.maximum(slope - 0.3 - floor, 0)
    return Edges((direction * weights).astype(np.complex64), _tiles(np.minimum(above, 20) * weights))


def _tiles(values: NDArray[np.float32]) -> Tiles:
    inner = values[BORDER : FIELD_HEIGHT - BORDER].reshape(ROWS, _TILE_HEIGHT, COLUMNS, _TILE_WIDTH)
    return np.asarray(inner.mean(axis=(1, 3)), np.float32)


def weights(mask: list[tuple[float, float, float, float]]) -> NDArray[np.float32]:
    """1 where the view is looked at, 0 inside the masks (x, y, width, height in shares of the picture)."""
    found = np.ones((FIELD_HEIGHT, FIELD_WIDTH), np.float32)
    for x, y, width, height in mask:
        rows = slice(max(0, int(y * FIELD_HEIGHT) - 1), int((y + height) * FIELD_HEIGHT) + 2)
        columns = slice(max(0, int(x * FIELD_WIDTH) - 1), int((x + width) * FIELD_WIDTH) + 2)
        found[rows, columns] = 0
    return found


def correlation(known: Field, now: Field) -> Tiles:
    """How alike each tile of two fields is, 0 (nothing in common) to 1."""
    both = _tiles((known.real * now.real + known.imag * now.imag).astype(np.float32))
    energy = _tiles(_power(known)) * _tiles(_power(now))
    return np.asarray(np.maximum(both, 0) / np.sqrt(np.maximum(energy, 1e-8)), np.float32)


def compare(known: Edges, now: Edges) -> Match:
    """How `now` shows the known view."""
    there = known.detail >= DETAILED
    tiles = int(there.sum())
    if not tiles:
        return Match(1, 0, 0, 0, 1)
    alike = correlation(known.field, now.field)
    found = there & (alike >= MATCHES)
    gone = there & (alike < 0.2) & (now.detail < 0.3 * known.detail)
    away = there & (alike < OTHER) & (now.detail > 0.4 * known.detail)
    detail = float(now.detail.sum() / known.detail.sum())
    return Match(float(found.sum()) / tiles, float(gone.sum()) / tiles, float(away.sum()) / tiles, tiles, detail)


def shift(known: Edges, now: Edges) -> Shift:
    """Where the known view went. What is still in its place everywhere (writing on the picture) is not counted."""
    moved = np.repeat(np.repeat(correlation(known.field, now.field) < 0.7, _TILE_HEIGHT, 0), _TILE_WIDTH, 1)
    before, after = (one.field[BORDER : FIELD_HEIGHT - BORDER] * moved for one in (known, now))
    size = 2 * before.shape[0], 2 * before.shape[1]
    found = np.fft.ifft2(np.conj(np.fft.fft2(before, size)) * np.fft.fft2(after, size)).real
    energy = float(np.sqrt(_power(before).sum() * _power(after).sum())) + 1e-6
    fits = found / energy / _overlap(size)
    in_place = float(fits[:2, :2].max())
    at = int(fits.argmax())
    dy, dx = at // size[1], at % size[1]
    dy, dx = dy - size[0] * (dy > size[0] // 2), dx - size[1] * (dx > size[1] // 2)
    return Shift(float(np.hypot(dx, dy)) / FIELD_WIDTH, float(fits.flat[at]), in_place)


@functools.cache
def _overlap(size: tuple[int, int]) -> NDArray[np.float32]:
    """The share of a picture that is in both when one is shifted; far shifts are given no better chance."""
    shares = [1 - np.minimum(np.arange(n), n - np.arange(n)) * 2 / n for n in size]
    overlap = np.maximum(np.outer(*shares), 0.0)
    return np.where(overlap < 0.3, np.inf, np.sqrt(overlap)).astype(np.float32)


def _power(field: Field) -> NDArray[np.float32]:
    return (field.real**2 + field.imag**2).astype(np.float32)
