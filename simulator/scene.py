"""What a virtual camera looks at: a corridor with doors, people who walk by, its name, a clock and the bar code.

Every scene looks different (colours, doors, people come from its name) and is the same in every run. Picture n of a
clip follows picture n-1 smoothly, and the last is followed by the first, so that a loop shows no seam but the clock.
"""

import hashlib
from typing import Literal
import unicodedata

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from . import barcode

#: normal; black: no light, the overlay of name and clock remains as in real cameras; covered: something soft before
#: the lens, overlay remains; moved: the camera looks elsewhere. Black and covered pictures have no bar code.
type View = Literal["normal", "black", "covered", "moved"]

#: Brightness of the sensor's noise, peak: it is also what makes a coder spend the bits it was given.
_NOISE = 5
_NOISE_MARGIN = 64


class Scene:
    """Draws the pictures of one clip."""

    def __init__(self, name: str, width: int, height: int, fps: int, frames: int) -> None:
        """A clip of `frames` pictures of the scene called `name`."""
        self._name = name
        self._width, self._height, self._fps, self._frames = width, height, fps, frames
        self._random = np.random.default_rng(list(hashlib.sha256(name.encode()).digest()))
        self._font = ImageFont.load_default(size=max(10, height // 22))
        # Drawn larger than what is seen, so that a moved camera has something else to see.
        self._tilt = height // 4 & ~1
        self._wall = self._draw_wall(width * 2, height + self._tilt)
        self._people = self._random.integers(0, 1 << 16, size=(5, 6))
        margin = _NOISE_MARGIN
        self._noise = self._random.integers(
            -_NOISE, _NOISE + 1, size=(height + margin, width + margin), dtype=np.int8
        ).view(np.uint8)
        self._label = self._text(_plain(name)[:24])

    def draw(self, index: int, view: View = "normal") -> barcode.Pixels:
        """Picture `index` as yuv420p: (height * 3/2, width)."""
        width, height = self._width, self._height
        picture = np.empty((height * 3 // 2, width), dtype=np.uint8)
        luma, u, v = _planes(picture, width, height)
        if view == "black":
            luma[:], u[:], v[:] = 22, 128, 128
        elif view == "covered":
            luma[:] = np.linspace(70, 96, width).astype(np.uint8)
            u[:], v[:] = 120, 140
        else:
            left, down = (width * 3 // 4 & ~1, self._tilt) if view == "moved" else (0, 0)
            for target, source in zip((luma, u, v), self._wall, strict=True):
                rows, columns = target.shape
                y, x = down * rows // height, left * columns // width
                target[:] = source[y : y + rows, x : x + columns]
            self._draw_people(luma, u, v, index, left, down)
        noise_random = np.random.default_rng(index)
        dy, dx = noise_random.integers(0, _NOISE_MARGIN, size=2)
        # Brightness stays far enough from 0 and 255 that adding signed noise modulo 256 is right.
        np.add(luma, self._noise[dy : dy + height, dx : dx + width], out=luma)
        seconds = index / self._fps
        clock = f"{int(seconds) // 60:02}:{seconds % 60:06.3f}"
        top = max(4, height // 40) & ~1
        self._paste(luma, u, v, self._label, top, top)
        self._paste(luma, u, v, self._text(clock), top, width - top)
        if view in ("normal", "moved"):
            barcode.draw(luma, index)
            rows = barcode.bar_height(height) // 2
            u[-rows:], v[-rows:] = 128, 128
        return picture

    def _draw_wall(self, width: int, rows: int) -> tuple[barcode.Pixels, barcode.Pixels, barcode.Pixels]:
        height, random = self._height, self._random
        luma = np.empty((rows, width), dtype=np.uint8)
        u = np.empty((rows // 2, width // 2), dtype=np.uint8)
        v = np.empty_like(u)
        wall_u, wall_v, floor_u, floor_v = random.integers(96, 160, size=4)
        horizon = height * 6 // 10 & ~1
        luma[:horizon] = np.linspace(150, 190, horizon).astype(np.uint8)[:, None]
        luma[horizon:] = np.linspace(110, 50, rows - horizon).astype(np.uint8)[:, None]
        u[: horizon // 2], v[: horizon // 2], u[horizon // 2 :], v[horizon // 2 :] = wall_u, wall_v, floor_u, floor_v
        # A fine pattern on the wall, so that a soft or covered picture differs from a sharp one.
        luma[:horizon:8, :] -= 24
        luma[:horizon, ::24] -= 20
        doors = int(random.integers(5, 9))
        for door in range(doors):
            x = int((door + 0.2 + 0.3 * random.random()) * width / doors)
            w = int(width / doors * (0.3 + 0.15 * random.random()))
            y = height * 2 // 10
            colour = (int(random.integers(50, 210)), *(int(c) for c in random.integers(70, 186, size=2)))
            _fill(luma, u, v, (x, y, x + w, horizon + height // 12), colour)
            _fill(luma, u, v, (x + w // 8, y + height // 8, x + w // 5, y + height // 6), (40, 128, 128))
        return luma, u, v

    def _draw_people(
        self, luma: barcode.Pixels, u: barcode.Pixels, v: barcode.Pixels, index: int, left: int, down: int
    ) -> None:
        width, height = self._width, self._height
        for start, laps, size, y, shade, hue in self._people.tolist():
            w, h = width // 24 + size % (width // 16), height // 4 + size % (height // 6)
            span = width + w
            # A whole number of walks per clip, to the right or to the left: the loop has no seam.
            speed = (1, -1, 2, -2)[laps % 4]
            x = int((start / 65536 + speed * index / self._frames) % 1 * span) - w - left // 8
            top = height * 35 // 100 + y % (height // 4) - down
            colour = (50 + shade % 150, 80 + hue % 96, 80 + hue // 7 % 96)
            _fill(luma, u, v, (x, top, x + w, top + h), colour)
            _fill(luma, u, v, (x + w // 4, top - h // 4, x + w * 3 // 4, top), (150, 116, 146))

    def _text(self, text: str) -> NDArray[np.uint8]:
        box = self._font.getbbox(text)
        image = Image.new("L", (int(box[2]) + 8 & ~1, int(box[3]) + 8 & ~1), barcode.BLACK)
        ImageDraw.Draw(image).text((4, 3), text, fill=barcode.WHITE, font=self._font)
        return np.asarray(image)

    def _paste(
        self, luma: barcode.Pixels, u: barcode.Pixels, v: barcode.Pixels, text: barcode.Pixels, y: int, x: int
    ) -> None:
        """Put `text` at row y, column x; columns right of the middle are where the text ends."""
        height, width = min(text.shape[0], self._height - y), min(text.shape[1], self._width // 2 - 8 & ~1)
        x = (x - width if x > self._width // 2 else x) & ~1
        luma[y : y + height, x : x + width] = text[:height, :width]
        colour = slice(y // 2, (y + height) // 2), slice(x // 2, (x + width) // 2)
        u[colour], v[colour] = 128, 128


def _plain(text: str) -> str:
    """`text` in the letters that Pillow's own font has: Vietnamese loses its marks."""
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _planes(picture: barcode.Pixels, width: int, height: int) -> tuple[barcode.Pixels, barcode.Pixels, barcode.Pixels]:
    colours = picture[height:].reshape(2, height // 2, width // 2)
    return picture[:height], colours[0], colours[1]


def _fill(
    luma: barcode.Pixels,
    u: barcode.Pixels,
    v: barcode.Pixels,
    box: tuple[int, int, int, int],
    colour: tuple[int, ...],
) -> None:
    left, top, right, bottom = (max(0, edge) & ~1 for edge in box)
    luma[top:bottom, left:right] = colour[0]
    area = slice(top // 2, bottom // 2), slice(left // 2, right // 2)
    u[area], v[area] = colour[1], colour[2]
