"""Where a camera of a long scene hangs: three kinds of places, painted by seed and wider than what is seen at once.

A place is three pictures wide and two high, so that a camera can be turned and finds something else to see.
"""

from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

type Site = Literal["yard", "corridor", "hall"]
type Colour = tuple[int, int, int]

_WORDS = ("EXIT", "P2", "KHO A", "B-14", "STAFF ONLY", "LOI RA", "No 7", "CAFE 24h")


class Place:
    """Painted once; `luma`, `u`, `v` are its planes (colours at half size), as a day camera would see it in even light."""

    def __init__(self, seed: int, site: Site, width: int, height: int) -> None:
        """A place for a camera of this picture size, pixels."""
        self.site = site
        self.width, self.height = width, height
        self.chance = Random(f"place/{seed}/{site}")
        self.size = width * 3, height * 2
        #: Where the ground meets the wall, in pixels of the place.
        self.ground = round(height * (1.08 + 0.08 * self.chance.random()))
        self._image = Image.new("RGB", self.size)
        self._draw = ImageDraw.Draw(self._image)
        {"yard": self._yard, "corridor": self._corridor, "hall": self._hall}[site]()
        self._weather(seed)
        planes = self._image.convert("YCbCr").split()
        half = self.size[0] // 2, self.size[1] // 2
        self.luma = planes[0]
        self.u, self.v = (plane.resize(half, Image.Resampling.BOX) for plane in planes[1:])

    def _tone(self, low: int, high: int, tint: int = 24) -> Colour:
        """A colour about as bright as asked for."""
        grey = self.chance.randint(low, high)
        red, green, blue = (min(255, max(0, grey + self.chance.randint(-tint, tint))) for _ in range(3))
        return red, green, blue

    def _box(
        self, left: float, top: float, right: float, bottom: float, fill: Colour, edge: Colour | None = None
    ) -> None:
        self._draw.rectangle((left, top, max(left, right), max(top, bottom)), fill=fill, outline=edge)

    def _yard(self) -> None:
        across, h, chance = self.size[0], self.height, self.chance
        sky = round(h * (0.62 + 0.1 * chance.random()))
        for row in range(sky):
            shade = 150 + row * 70 // sky
            self._draw.line((0, row, across, row), fill=(shade - 18, shade - 4, min(255, shade + 14)))
        x = 0.0
        while x < across:
            w = h * (0.35 + 0.75 * chance.random())
            top = sky - h * (0.02 + 0.3 * chance.random())
            wall = self._tone(80, 190)
            self._box(x, top, x + w, self.ground, wall)
            self._bricks(x, top, x + w, self.ground, wall)
            self._windows(x, top, x + w)
            if chance.random() < 0.7:
                self._door(x + w * 0.2, w * 0.25, h * 0.32)
            x += w
        self._floor(self._tone(70, 120, 8), lines=True)
        for _ in range(22):
            self._bush(chance.random() * across, self.ground + h * (0.02 + 0.1 * chance.random()), h * 0.09)
        for _ in range(5):
            self._post(chance.random() * across, h * (0.5 + 0.3 * chance.random()))
        for _ in range(6):
            left, foot = chance.random() * across, self.ground + h * (0.1 + 0.5 * chance.random())
            self._parcel(left, foot, h * (0.1 + 0.1 * chance.random()))

    def _corridor(self) -> None:
        (across, down), h, chance = self.size, self.height, self.chance
        wall = self._tone(150, 200, 14)
        self._box(0, 0, across, down, wall)
        ceiling = round(h * 0.58)
        self._box(0, 0, across, ceiling, self._tone(190, 220, 6))
        for joint in range(0, across, max(8, h // 5)):
            self._draw.line((joint, 0, across // 2 + (joint - across // 2) * 0.55, ceiling), fill=(150, 150, 150))
        for number in range(9):
            left = across * number / 9 + h * 0.1
            self._draw.polygon(
                [(left, ceiling * 0.6), (left + h * 0.34, ceiling * 0.6), (left + h * 0.3, ceiling * 0.72),
                 (left + h * 0.04, ceiling * 0.72)],
                fill=(250, 250, 244),
            )  # fmt: skip
        rail = self._tone(70, 130)
        self._box(0, self.ground - h * 0.2, across, self.ground - h * 0.17, rail)
        self._floor(self._tone(100, 160, 10), lines=True)
        x = h * 0.1
        while x < across:
            self._door(x, h * (0.24 + 0.1 * chance.random()), h * 0.42)
            x += h * (0.5 + 0.35 * chance.random())
            self._sign(x - h * 0.14, h * 0.72)
        # The corridor itself, leading away in the middle of the first view.
        cx, cy = across / 2 + h * 0.3 * (chance.random() - 0.5), h * 0.88
        left, right, top, low = cx - h * 0.42, cx + h * 0.42, h * 0.6, self.ground + h * 0.22
        shade = self._tone(120, 165, 10)
        self._box(left, top, right, low, shade)
        for near, far, tone in (((left, low), (right, low), 0.7), ((left, top), (right, top), 1.15)):
            inner = (cx - h * 0.09, cy + (0.12 * h if tone < 1 else -0.1 * h))
            other = (cx + h * 0.09, inner[1])
            self._draw.polygon([near, far, other, inner], fill=_scaled(shade, tone))
        for side in (-1, 1):
            for step in range(3):
                a, b = 0.4 - step * 0.11, 0.33 - step * 0.11
                self._draw.polygon(
                    [(cx + side * h * a, cy - h * a * 0.5), (cx + side * h * b, cy - h * b * 0.5),
                     (cx + side * h * b, cy + h * b * 0.95), (cx + side * h * a, cy + h * a * 0.95)],
                    fill=self._tone(60, 130),
                )  # fmt: skip
        self._box(cx - h * 0.09, cy - h * 0.1, cx + h * 0.09, cy + h * 0.12, self._tone(150, 190))

    def _hall(self) -> None:
        (across, down), h, chance = self.size, self.height, self.chance
        self._box(0, 0, across, down, self._tone(120, 150, 8))
        for pillar in range(0, across, max(10, h // 3)):
            self._box(pillar, 0, pillar + h // 30, self.ground, self._tone(70, 100, 8))
        for beam in range(0, round(h * 0.55), max(6, h // 9)):
            self._box(0, beam, across, beam + h // 45, self._tone(90, 170, 8))
        self._floor(self._tone(110, 150, 6), lines=False)
        x = 0.0
        while x < across:
            w = h * (0.5 + 0.4 * chance.random())
            frame = self._tone(60, 160, 60)
            for shelf in range(4):
                y = self.ground - h * (0.02 + 0.17 * shelf)
                at = x + h * 0.02
                while at < x + w - h * 0.08:
                    wide, high = h * (0.05 + 0.09 * chance.random()), h * (0.06 + 0.08 * chance.random())
                    if chance.random() < 0.85:
                        self._parcel(at, y, wide, high)
                    at += wide + h * 0.012
                self._box(x, y, x + w, y + h * 0.018, frame)
            for post in (x, x + w - h * 0.02):
                self._box(post, self.ground - h * 0.66, post + h * 0.02, self.ground + h * 0.02, frame)
            x += w + h * (0.08 + 0.3 * chance.random())
            self._sign(x - h * 0.15, h * 0.5)
        for _ in range(5):
            x, y = chance.random() * across, self.ground + h * (0.08 + 0.5 * chance.random())
            self._draw.line((x, y, x + h, y + h * 0.1), fill=(210, 180, 40), width=max(2, h // 60))

    def _bricks(self, left: float, top: float, right: float, bottom: float, wall: Colour) -> None:
        step = max(4, self.height // self.chance.randint(24, 50))
        for number, y in enumerate(range(round(top), round(bottom), step)):
            self._draw.line((left, y, right, y), fill=_scaled(wall, 0.88))
            for x in range(round(left) + (number % 2) * step, round(right), step * 2):
                self._draw.line((x, y, x, y + step), fill=_scaled(wall, 0.9))

    def _windows(self, left: float, top: float, right: float) -> None:
        h = self.height
        for y in range(round(top + h * 0.05), round(self.ground - h * 0.35), max(8, round(h * 0.17))):
            for x in range(round(left + h * 0.05), round(right - h * 0.1), max(8, round(h * 0.15))):
                self._box(x, y, x + h * 0.08, y + h * 0.11, self._tone(25, 90), (220, 220, 215))
                self._draw.line((x + h * 0.04, y, x + h * 0.04, y + h * 0.11), fill=(215, 215, 210))

    def _door(self, left: float, wide: float, high: float) -> None:
        colour, foot = self._tone(50, 150, 40), self.ground
        self._box(left, foot - high, left + wide, foot, colour, _scaled(colour, 0.5))
        for part in (0.12, 0.55):
            self._box(
                left + wide * 0.18, foot - high * (part + 0.32), left + wide * 0.82, foot - high * part,
                _scaled(colour, 0.82), _scaled(colour, 0.6),
            )  # fmt: skip
        self._box(left + wide * 0.84, foot - high * 0.5, left + wide * 0.92, foot - high * 0.46, (225, 220, 190))

    def _floor(self, colour: Colour, *, lines: bool) -> None:
        across, down = self.size
        for row in range(self.ground, down):
            self._draw.line(
                (0, row, across, row), fill=_scaled(colour, 0.85 + 0.35 * (row - self.ground) / (down - self.ground))
            )
        if not lines:
            return
        step, y = self.height * 0.02, float(self.ground)
        while y < down:
            self._draw.line((0, y, across, y), fill=_scaled(colour, 0.72))
            y, step = y + step, step * 1.3
        for number in range(-40, 41):
            x = across / 2 + number * self.height * 0.12
            self._draw.line((x, self.ground, across / 2 + (x - across / 2) * 3, down), fill=_scaled(colour, 0.75))

    def _bush(self, x: float, foot: float, size: float) -> None:
        for _ in range(26):
            dx, dy = self.chance.gauss(0, size * 0.6), -abs(self.chance.gauss(0, size * 0.8))
            r = size * (0.1 + 0.2 * self.chance.random())
            green = self.chance.randint(50, 125)
            self._draw.ellipse(
                (x + dx - r, foot + dy - r, x + dx + r, foot + dy + r), fill=(green * 6 // 10, green, green // 2)
            )

    def _post(self, x: float, high: float) -> None:
        h, foot = self.height, self.ground + self.height * 0.12
        self._box(x, foot - high, x + h * 0.018, foot, (70, 72, 76))
        self._box(x - h * 0.06, foot - high, x + h * 0.05, foot - high + h * 0.03, (215, 215, 205))

    def _parcel(self, left: float, foot: float, wide: float, high: float | None = None) -> None:
        high = high or wide * 0.8
        colour = self._tone(60, 190, 45)
        self._box(left, foot - high, left + wide, foot, colour, _scaled(colour, 0.6))
        self._box(left + wide * 0.44, foot - high, left + wide * 0.56, foot, _scaled(colour, 1.2))

    def _sign(self, left: float, top: float) -> None:
        h = self.height
        font = ImageFont.load_default(size=max(8, h // 24))
        text = self.chance.choice(_WORDS)
        wide = self._draw.textlength(text, font=font) + h * 0.03
        ground = self.chance.choice(((20, 120, 60), (180, 40, 30), (30, 60, 150), (230, 230, 225)))
        self._box(left, top, left + wide, top + h * 0.07, ground, (240, 240, 240))
        self._draw.text(
            (left + h * 0.014, top + h * 0.008),
            text,
            fill=(20, 20, 20) if ground[0] > 200 else (245, 245, 245),
            font=font,
        )

    def _weather(self, seed: int) -> None:
        """Stains and grain, as on every real wall: nothing is of one colour."""
        across, down = self.size
        random = np.random.default_rng([seed, 77])
        grain = random.normal(0, 2.5, (down, across)).astype(np.float32)
        for cells, strength in ((6, 9.0), (40, 6.0)):
            coarse = random.normal(0, strength, (cells, cells * across // down)).astype(np.float32)
            grain += np.asarray(Image.fromarray(coarse).resize(self.size, Image.Resampling.BICUBIC))
        painted: NDArray[np.float32] = np.asarray(self._image, dtype=np.float32) + grain[:, :, None]
        self._image = Image.fromarray(np.clip(painted, 4, 250).astype(np.uint8))


def _scaled(colour: Colour, by: float) -> Colour:
    """`colour`, lighter or darker."""
    red, green, blue = (min(255, int(part * by)) for part in colour)
    return red, green, blue
