"""A long scene: what one camera sees at any second of days, made by code, the same for the same seed and kind.

Any second can be drawn without those before it. Second 0 is midnight where the camera hangs. Which kinds there are:
film_kinds.py. Coded pictures of a film: film_coder.py.
"""

from dataclasses import dataclass
import math
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .film_kinds import KINDS
from .film_light import DAY_S, Day, Light
from .film_optics import Cover, Pixels, Sensor, Shine, Weather
from .film_place import Place, Site
from .film_things import Brush, Comings

_SITES: tuple[Site, ...] = ("yard", "corridor", "hall")
_NAMES = ("Cong chinh", "Hanh lang 2", "Kho A", "Bai xe", "Camera 07", "IPC", "Gate 1", "CH3")
#: A day of the calendar that the clock in the picture begins with.
_DAY, _MONTH = 3, "2026-03"


@dataclass(frozen=True, slots=True)
class Aim:
    """Where the camera looks: to the right and down in pictures, how much nearer, and how many degrees askew."""

    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 1.0
    roll: float = 0.0


class Film:
    """Draws the pictures of one long scene."""

    def __init__(self, seed: int, kind: str, width: int = 640, height: int = 360) -> None:
        """The film of this seed and kind (a key of KINDS), pictures of `width` by `height` pixels, both even."""
        self.seed, self.kind, self.width, self.height = seed, KINDS[kind], width, height
        chance = self._chance("film")
        site: Site = chance.choice(_SITES) if self.kind.where == "any" else self.kind.where
        #: From which second on the fault holds, for ever; None in harmless films.
        self.fault_at = self._fault_second(chance) if self.kind.truth else None
        #: Whether there is a clock in the picture, and the part of the picture where it is: left, top, right, bottom,
        #: shares of width and height.
        self.has_clock = kind != "no_clock" and (kind.startswith("no_video") or chance.random() < 0.75)
        self.clock_box = (0.0, 0.0, 0.5, 0.1)
        # No two films have one place.
        self._place = Place(self._chance("place").getrandbits(30), site, width, height)
        self._day = Day(seed, kind, site, self.fault_at)
        self._comings = Comings(seed, kind, self._place.ground / height - 1)
        quiet = kind == "empty_corridor" or chance.random() < 0.35
        self._sensor = Sensor(seed, width, height, quiet=quiet)
        self._weather = Weather(seed, kind, width, height) if kind in ("rain", "snow", "insects", "fog") else None
        self._cover = Cover(seed, kind, width, height) if self.kind.truth == "covered" else None
        self._name = chance.choice(_NAMES)
        self._font = ImageFont.load_default(size=max(11, height // 22))
        self._presets = [
            Aim(chance.uniform(-0.8, 0.8), chance.uniform(-0.3, 0.3), chance.choice((1.0, 1.4, 2.0)))
            for _ in range(chance.randint(3, 5))
        ]
        self._roof = chance.uniform(-0.5, 0.5)
        self._lamp_at = chance.uniform(-0.3, 0.3), chance.uniform(-0.25, 0.1)
        self._dwell_s = chance.uniform(40, 240)
        self._turned = self._turn(chance)
        self._linear = ((np.arange(256) / 255) ** 2.2).astype(np.float32)
        self._maps = self._light_maps()
        self._view: tuple[Aim, tuple[Image.Image, Image.Image, Image.Image]] | None = None

    def _chance(self, purpose: str) -> Random:
        return Random(f"{purpose}/{self.seed}/{self.kind.name}")

    def _fault_second(self, chance: Random) -> float:
        """Between 3 and 22 h; a lamp fails when it is dark outside."""
        begin, end = (19.5, 22.0) if self.kind.name == "black_no_light" else (3.0, 22.0)
        return round(chance.uniform(begin, end) * 3600, 2)

    # What is drawn ------------------------------------------------------------------------------------------------

    def failed(self, second: float) -> bool:
        """Whether the fault holds at this second."""
        return self.fault_at is not None and second >= self.fault_at

    def shown(self, second: float) -> float:
        """The second whose picture the camera shows: an earlier one while its picture is frozen."""
        return (
            self.fault_at
            if self.fault_at is not None and self.kind.truth == "frozen" and self.failed(second)
            else second
        )

    def picture(self, second: float) -> Pixels:
        """The picture at `second` as yuv420p: (height * 3/2, width)."""
        second = self.shown(second)
        if self.kind.truth == "no_stream" and self.failed(second):
            return self._plate(second)
        light = self._day.light(second)
        aim = self._aim(second)
        luma, u, v = self._crop(aim)
        self._draw_things((luma, u, v), second, aim)
        before = np.array(luma)
        self._snowed(before, second)
        shine = self._lit(before, light, aim)
        self._shaded(shine, second, light, aim)
        if self._weather is not None:
            self._weather.lay(shine, second, infrared=light.infrared > 0)
        hidden = 0.0
        if self.failed(second):
            if self.kind.name == "black_cap":
                shine = np.full_like(shine, 3e-6)
            if self._cover is not None and self.fault_at is not None:
                source = light.even + light.lamp * 0.4 + light.infrared * 2
                since = second - self.fault_at
                shine = self._cover.lay(shine, since, source)
                u, v = self._cover.soften(u, since), self._cover.soften(v, since)
                hidden = self._cover.hides()
        seen, gain = self._sensor.expose(shine, round(second * 100), self._lag(second, light))
        picture = np.empty((self.height * 3 // 2, self.width), dtype=np.uint8)
        picture[: self.height] = np.asarray(self._written(seen, second))
        self._colour(picture, before, seen, (u, v), self._colourful(second, light, gain) * (1 - hidden), hidden)
        return picture

    def brightness(self, second: float) -> float:
        """Mean of the picture's brightness, 0 to 255."""
        return float(self.picture(second)[: self.height].mean())

    def _crop(self, aim: Aim) -> tuple[Image.Image, Image.Image, Image.Image]:
        """The part of the place that is seen, as pictures that may be drawn on."""
        if self._view is None or self._view[0] != aim:
            planes = []
            for number, plane in enumerate((self._place.luma, self._place.u, self._place.v)):
                part = 2 if number else 1
                planes.append(self._seen(plane, self.width // part, self.height // part, aim))
            self._view = aim, (planes[0], planes[1], planes[2])
        luma, u, v = self._view[1]
        return luma.copy(), u.copy(), v.copy()

    def _seen(self, plane: Image.Image, width: int, height: int, aim: Aim) -> Image.Image:
        cx, cy = width * (1.5 + aim.pan), height * (1.0 + aim.tilt)
        if aim.roll == 0 and aim.zoom == 1:
            left, top = round(cx - width / 2), round(cy - height / 2)
            return plane.crop((left, top, left + width, top + height))
        cos, sin = (f(math.radians(aim.roll)) / aim.zoom for f in (math.cos, math.sin))
        x, y = width / 2, height / 2
        return plane.transform(
            (width, height),
            Image.Transform.AFFINE,
            (cos, -sin, cx - cos * x + sin * y, sin, cos, cy - sin * x - cos * y),
            Image.Resampling.BILINEAR,
        )

    def _draw_things(self, planes: tuple[Image.Image, Image.Image, Image.Image], second: float, aim: Aim) -> None:
        brush = Brush(planes)
        cos, sin = math.cos(math.radians(aim.roll)), math.sin(math.radians(aim.roll))
        for thing in self._comings.at(second):
            x = (thing.x * self.height - aim.pan * self.width) * aim.zoom
            y = (thing.foot - aim.tilt) * self.height * aim.zoom
            x, y = x * cos + y * sin, y * cos - x * sin
            brush.thing(thing, x + self.width / 2, y + self.height / 2, thing.size * self.height * aim.zoom)

    def _where(self, aim: Aim) -> tuple[Shine, Shine]:
        """Where the columns and rows of a picture lie in the place, in pictures from the middle of the first view."""
        x = np.linspace(-0.5, 0.5, self.width, dtype=np.float32)[None, :] / np.float32(aim.zoom) + np.float32(aim.pan)
        y = np.linspace(-0.5, 0.5, self.height, dtype=np.float32)[:, None] / np.float32(aim.zoom) + np.float32(aim.tilt)
        return x, y

    def _lamp_map(self, aim: Aim) -> Shine:
        """How the lamp falls on what is seen: (height, width), 0 to 1. It hangs where it hangs, wherever one looks."""
        x, y = self._where(aim)
        lx, ly = self._lamp_at
        lamp: Shine = np.exp(-(np.square(x - np.float32(lx)) + np.square(y - np.float32(ly))) * np.float32(4.8))
        if self._place.site != "yard":
            lamp = lamp * np.float32(0.45) + np.float32(0.55)
        return lamp

    def _light_maps(self) -> tuple[Shine, Shine, Shine]:
        """How the lamp, the camera's infra-red and head lamps fall on the first view: (height, width), 0 to about 1."""
        x, y = self._where(Aim())
        infrared = 0.12 + 0.9 * np.exp(-np.square(x) * 5.2 - np.square(y - 0.12) * 6)
        halo = np.exp(-np.square(y - 0.05) * 36) * np.ones_like(x)
        return self._lamp_map(Aim()), infrared.astype(np.float32), halo.astype(np.float32)

    def _lit(self, luma: Pixels, light: Light, aim: Aim) -> Shine:
        """Light that comes from the place."""
        shine = self._linear[luma]
        falls = np.full((1, 1), light.even, dtype=np.float32)
        if light.lamp:
            falls = falls + (self._maps[0] if aim == Aim() else self._lamp_map(aim)) * np.float32(light.lamp)
        if light.infrared:
            falls = falls + self._maps[1] * np.float32(light.infrared)
        shine *= falls
        if light.glare:
            x = np.linspace(0, 1, self.width, dtype=np.float32)[None, :] - np.float32(light.glare_x)
            for side in (-0.035, 0.035):
                shine += self._maps[2] * np.exp(-np.square(x + side) * 260) * np.float32(light.glare * 0.5)
            shine += np.float32(light.glare * 0.004)
        return shine

    def _snowed(self, luma: Pixels, second: float) -> None:
        """Snow that lies: on the ground, and on `luma`."""
        lies = self._weather.lies(second) if self._weather is not None else 0.0
        if lies > 0:
            ground = luma[self._place.ground - self.height // 2 :]
            ground[:] = (ground + (225 - ground.astype(np.float32)) * np.float32(lies * 0.9)).astype(np.uint8)

    def _shaded(self, shine: Shine, second: float, light: Light, aim: Aim) -> None:
        """A shadow that a roof throws, and that wanders in the course of the day; none without sun."""
        if (
            self._place.site != "yard"
            or light.even < 0.2
            or (self._weather is not None and self.kind.name != "insects")
        ):
            return
        x, y = self._where(aim)
        edge = (x + y / 2 - np.float32(self._roof + (second / 3600 % 24 - 12) * 0.16)) * 60
        shine *= 1 - np.float32(0.55 * min(1.0, light.even)) * np.clip(edge, 0, 1)

    def _lag(self, second: float, light: Light) -> float:
        """Light now over the light that exposure has followed so far: it needs some seconds."""
        past = [self._day.light(second - ago).whole for ago in (0.4, 1.2, 2.5)]
        followed = math.exp(sum(math.log(max(one, 1e-6)) for one in past) / len(past))
        return max(light.whole, 1e-6) / followed

    def _colourful(self, second: float, light: Light, gain: float) -> float:
        """How strong colours are: none in infra-red, weak in the dark."""
        if light.infrared or (self.kind.name == "black_cap" and self.failed(second)):
            return 0.0
        if self.kind.name == "grey" and (int(second // 3600) + self.seed) % 5 in (2, 3):
            return 0.0
        return max(0.0, 1 - max(0.0, gain - 8) / 70)

    def _colour(
        self,
        picture: Pixels,
        before: Pixels,
        seen: Pixels,
        planes: tuple[Image.Image, Image.Image],
        strong: float,
        hidden: float,
    ) -> None:
        """Fill in the colours, as strong as light leaves them."""
        target = picture[self.height :].reshape(2, self.height // 2, self.width // 2)
        if strong <= 0 and hidden <= 0:
            target[:] = 128
            return
        ratio = np.minimum(1.2, seen[::2, ::2] / np.maximum(before[::2, ::2].astype(np.float32), 16)) * np.float32(
            strong
        )
        cover = self._cover.colour if self._cover is not None else (128, 128)
        for plane, source, tint in zip(target, planes, cover, strict=True):
            plane[:] = np.clip(
                (np.asarray(source, dtype=np.float32) - 128) * ratio + 128 + (tint - 128) * hidden, 16, 240
            )

    # Where it looks -----------------------------------------------------------------------------------------------

    def _turn(self, chance: Random) -> Aim:
        """Where somebody turns it."""
        way, other = chance.choice((-1, 1)), chance.choice((-1, 1))
        match self.kind.name:
            case "moved_10":
                return Aim(pan=0.1 * way)
            case "moved_30":
                return Aim(pan=0.3 * way, tilt=0.03 * other)
            case "moved_full":
                return Aim(pan=0.93 * way)
            case "moved_tilt":
                return Aim(tilt=0.25 * way)
            case "moved_knocked":
                return Aim(pan=chance.uniform(0.05, 0.12) * way, tilt=0.06 * other, roll=chance.uniform(5, 12) * other)
        return Aim()

    def _aim(self, second: float) -> Aim:
        if self.kind.name == "ptz":
            return self._toured(second)
        if self.kind.name == "wind":
            return self._shaken(second)
        if self.kind.truth != "moved" or self.fault_at is None or second < self.fault_at:
            return Aim()
        since, end = second - self.fault_at, self._turned
        part = min(1.0, since / 2)
        shake = (
            0.04 * math.exp(-since) * math.sin(since * 25) if self.kind.name == "moved_knocked" and since < 8 else 0.0
        )
        return Aim(end.pan * part + shake, end.tilt * part + shake, 1.0, end.roll * part)

    def _toured(self, second: float) -> Aim:
        slot, since = divmod(second, self._dwell_s)
        here, last = (self._presets[int(number) % len(self._presets)] for number in (slot, slot - 1))
        part = min(1.0, since / 3)
        return Aim(
            *(a + (b - a) * part for a, b in ((last.pan, here.pan), (last.tilt, here.tilt), (last.zoom, here.zoom)))
        )

    def _shaken(self, second: float) -> Aim:
        """Gusts: now and then much, seldom none."""
        gust = Random(f"gust/{self.seed}/{int(second // 300)}").choice((0.0, 0.2, 0.5, 1.0))
        return Aim(
            0.012 * gust * math.sin(second * 5.1) * math.sin(second * 0.37),
            0.006 * gust * math.sin(second * 6.7 + 1),
            1.0,
            round(0.35 * gust * math.sin(second * 4.3 + 2), 3),
        )

    # What is written into it --------------------------------------------------------------------------------------

    def _written(self, luma: Pixels, second: float) -> Image.Image:
        """With the camera's name and, unless it has none, the clock."""
        image = Image.fromarray(luma)
        draw = ImageDraw.Draw(image)
        edge, outline = max(4, self.height // 45), max(1, self.height // 360)
        texts = [((self.width - edge, self.height - edge), self._name, "rd")]
        if self.has_clock:
            texts.append(((edge, edge), clock_text(second), "la"))
        for at, text, anchor in texts:
            draw.text(at, text, fill=235, font=self._font, anchor=anchor, stroke_width=outline, stroke_fill=16)
        return image

    def _plate(self, second: float) -> Pixels:
        """What a recorder hands on for a channel without a camera."""
        blue = self.kind.name != "no_video_black" and (self.kind.name == "no_video_blue" or self.seed // 2 % 2 == 0)
        picture = np.empty((self.height * 3 // 2, self.width), dtype=np.uint8)
        picture[: self.height] = 41 if blue else 16
        colours = picture[self.height :].reshape(2, -1)
        colours[0], colours[1] = (220, 112) if blue else (128, 128)
        image = Image.fromarray(picture[: self.height])
        draw = ImageDraw.Draw(image)
        text = "NO VIDEO" if blue else "VIDEO LOSS"
        large = ImageFont.load_default(size=self.height // 9)
        draw.text((self.width / 2, self.height / 2), text, fill=235, font=large, anchor="mm")
        if self.kind.name == "no_video_clock":
            draw.text((8, 8), clock_text(second), fill=235, font=self._font)
        picture[: self.height] = np.asarray(image)
        return picture


def clock_text(second: float) -> str:
    """What the clock in the picture says."""
    day, rest = divmod(int(second), DAY_S)
    return f"{_MONTH}-{_DAY + day:02} {rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
