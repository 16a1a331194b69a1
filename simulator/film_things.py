"""What comes and goes in a long scene: people, a lorry, a door, and when. All by seed and second, in any order.

Places are given in picture heights: x from the middle of the first view to the right, y from its middle down.
"""

from collections.abc import Iterator
from dataclasses import dataclass
import math
from random import Random

from PIL import Image, ImageDraw

from .film_light import DAY_S

#: People set out in stretches of this length, seconds; nobody walks longer than one.
_STRETCH_S = 60


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that is in the view now. `size` is its height, in picture heights; `look` its colours, by seed."""

    what: str
    x: float
    foot: float
    size: float
    look: int
    stride: float = 0.0


class Comings:
    """Who is there, by the second."""

    def __init__(self, seed: int, kind: str, ground: float) -> None:
        """`ground`: where the floor begins, in picture heights below the middle."""
        self._seed, self._kind, self._ground = seed, kind, ground
        self._lorry_x = Random(f"lorry/{seed}").uniform(-0.35, 0.35)

    def at(self, second: float) -> Iterator[Thing]:
        """All that is there, the farthest first."""
        if self._kind == "door":
            yield from self._door(second)
        if self._kind == "vehicle":
            yield from self._lorry(second)
        if self._kind == "standing":
            yield from self._standing(second)
        if self._kind != "empty_corridor":
            stretch = int(second // _STRETCH_S)
            yield from self._walkers(stretch, second)
        if self._kind == "crowd":
            yield from self._crowd(second)

    def _walkers(self, stretch: int, second: float) -> Iterator[Thing]:
        chance = Random(f"walk/{self._seed}/{self._kind}/{stretch}")
        hour = second / 3600 % 24
        busy = 0.35 if 7 <= hour < 19 else 0.1 if 5 <= hour < 23 else 0.02
        for _ in range(2):
            if chance.random() > busy:
                continue
            length, begin = chance.uniform(7, 25), chance.uniform(0, 35)
            part = (second - stretch * _STRETCH_S - begin) / length
            if not 0 <= part <= 1:
                continue
            start = chance.choice((-1.2, 1.2))
            x = start + (chance.uniform(-0.4, 0.4) - 2 * start) * part
            size = chance.uniform(0.25, 0.45)
            yield Thing("person", x, self._foot(size), size, chance.getrandbits(30), part * length * 1.8)

    def _crowd(self, second: float) -> Iterator[Thing]:
        """Close to the lens, in the busy hours: each covers a fifth to half of the view for a moment."""
        hour = second / 3600 % 24
        if not (7 <= hour < 9 or 11.5 <= hour < 13 or 16.5 <= hour < 18.5):
            return
        slot = int(second // 4)
        for number in (slot - 1, slot):
            chance = Random(f"crowd/{self._seed}/{number}")
            for _ in range(2):
                part = (second - number * 4 - chance.uniform(0, 3)) / chance.uniform(2, 4)
                way, size = chance.choice((-1, 1)), chance.uniform(0.9, 1.7)
                if 0 <= part <= 1:
                    yield Thing(
                        "person", way * (2.4 * part - 1.2), 0.5 + size * 0.45, size, chance.getrandbits(30), part * 6
                    )

    def _standing(self, second: float) -> Iterator[Thing]:
        slot = int(second // 4000)
        chance = Random(f"stand/{self._seed}/{slot}")
        for _ in range(chance.randint(1, 4)):
            begin, length = chance.uniform(0, 900), chance.uniform(1200, 3000)
            x, size, look = chance.uniform(-0.7, 0.7), chance.uniform(0.3, 0.6), chance.getrandbits(30)
            if begin <= second % 4000 <= begin + length:
                sway = 0.002 * math.sin(second / 7 + look)
                yield Thing("person", x + sway, self._foot(size), size, look)

    def _lorry(self, second: float) -> Iterator[Thing]:
        """There from 8 to 11 and from 13 to 17 o'clock, and one night through."""
        for begin, end in ((0, 4.5), (8, 11), (13, 17)):
            since, until = second % DAY_S - begin * 3600, end * 3600 - second % DAY_S
            if since >= 0 and until >= 0:
                away = max(0.0, 1 - since / 8 if begin else 0.0, 1 - until / 8)
                size = 0.62 if begin < 12 else 0.5
                yield Thing("lorry", self._lorry_x + away * 1.9, self._ground + 0.36, size, self._seed * 7919 + begin)

    def _door(self, second: float) -> Iterator[Thing]:
        slot = int(second // 9000)
        chance = Random(f"door/{self._seed}/{slot}")
        begin = chance.uniform(600, 4500)
        since = second % 9000 - begin
        if 0 <= since <= 3600:
            yield Thing("door", chance.uniform(-0.6, 0.6), self._ground + 0.1, 0.62, chance.getrandbits(30))

    def _foot(self, size: float) -> float:
        """Nearer is lower and larger."""
        return self._ground + 0.02 + max(0.0, size - 0.25) * 0.8


class Brush:
    """Draws things on the planes of a picture."""

    def __init__(self, planes: tuple[Image.Image, Image.Image, Image.Image]) -> None:
        """`planes`: luma, and the colours at half size; they are drawn on."""
        self._drawn = tuple(ImageDraw.Draw(plane) for plane in planes)

    def thing(self, thing: Thing, x: float, foot: float, size: float) -> None:
        """`thing` with its feet at pixel (x, foot), `size` pixels high."""
        {"person": self._person, "lorry": self._lorry, "door": self._door}[thing.what](thing, x, foot, size)

    def _person(self, thing: Thing, x: float, foot: float, s: float) -> None:
        look = thing.look
        coat = 35 + look % 170, 96 + look // 170 % 64, 96 + look // 12_000 % 64
        legs = 25 + look // 700_000 % 110, 118 + look % 20, 122 + look % 13
        skin = 90 + look // 90_000 % 90, 112, 148
        swing = math.sin(thing.stride * 3) * s * 0.11
        for way in (1, -1):
            self._line((x, foot - s * 0.48), (x + way * swing, foot), s * 0.1, legs)
            self._line((x, foot - s * 0.78), (x - way * swing * 0.8 + way * s * 0.06, foot - s * 0.45), s * 0.07, coat)
        self._round((x - s * 0.11, foot - s * 0.84, x + s * 0.11, foot - s * 0.44), s * 0.06, coat)
        self._oval((x - s * 0.065, foot - s, x + s * 0.065, foot - s * 0.85), skin)
        self._oval((x - s * 0.068, foot - s * 1.01, x + s * 0.068, foot - s * 0.92), (30 + look % 60, 126, 130))

    def _lorry(self, thing: Thing, x: float, foot: float, s: float) -> None:
        look = thing.look
        body = 90 + look % 130, 90 + look // 130 % 76, 90 + look // 9000 % 76
        self._round((x - s * 1.0, foot - s, x + s * 0.55, foot - s * 0.16), 2, body)
        for number in range(8):
            self._line(
                (x - s * (1 - number * 0.2), foot - s),
                (x - s * (1 - number * 0.2), foot - s * 0.18),
                s * 0.012,
                (body[0] * 0.8, *body[1:]),
            )
        self._round((x + s * 0.57, foot - s * 0.72, x + s, foot - s * 0.14), s * 0.06, (150, 118, 138))
        self._round((x + s * 0.72, foot - s * 0.66, x + s * 0.97, foot - s * 0.42), 2, (40, 130, 126))
        for wheel in (-0.8, -0.45, 0.78):
            self._oval((x + s * (wheel - 0.13), foot - s * 0.25, x + s * (wheel + 0.13), foot), (22, 128, 128))
            self._oval(
                (x + s * (wheel - 0.06), foot - s * 0.18, x + s * (wheel + 0.06), foot - s * 0.07), (120, 128, 128)
            )

    def _door(self, thing: Thing, x: float, foot: float, s: float) -> None:
        self._round((x - s * 0.26, foot - s, x + s * 0.26, foot), 1, (26, 128, 128))
        self._round((x - s * 0.1, foot - s * 0.7, x + s * 0.2, foot - s * 0.2), 1, (70 + thing.look % 60, 124, 134))
        self._round(
            (x + s * 0.26, foot - s * 1.02, x + s * 0.42, foot + s * 0.06), 1, (70 + thing.look // 64 % 120, 120, 140)
        )

    def _each(self) -> Iterator[tuple[int, ImageDraw.ImageDraw, float]]:
        for number, draw in enumerate(self._drawn):
            yield number, draw, 0.5 if number else 1.0

    def _line(
        self, start: tuple[float, float], end: tuple[float, float], width: float, colour: tuple[float, ...]
    ) -> None:
        for number, draw, k in self._each():
            draw.line(
                (start[0] * k, start[1] * k, end[0] * k, end[1] * k),
                fill=round(colour[number]),
                width=max(1, round(width * k)),
            )

    def _round(self, box: tuple[float, ...], radius: float, colour: tuple[float, ...]) -> None:
        for number, draw, k in self._each():
            draw.rounded_rectangle([edge * k for edge in box], radius * k, fill=round(colour[number]))

    def _oval(self, box: tuple[float, ...], colour: tuple[float, ...]) -> None:
        for number, draw, k in self._each():
            draw.ellipse([edge * k for edge in box], fill=round(colour[number]))
