"""What lies between a place and a coded picture: weather, what covers the lens, exposure, noise of the sensor.

All works on light (float32, 1 = white in bright day), one plane; colours are only taken away or mixed, elsewhere.
"""

import math
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

type Pixels = NDArray[np.uint8]
type Shine = NDArray[np.float32]

#: How much a sensor can amplify before its noise is all there is.
_GAIN_MAX = 60.0
#: What auto exposure makes of the mean light.
_TARGET = 0.2
_STEPS = 4096
_NOISE_MARGIN = 96


class Sensor:
    """Exposure, noise and the curve from light to brightness."""

    def __init__(self, seed: int, width: int, height: int, *, quiet: bool) -> None:
        """`quiet`: the camera filters noise well, as new ones do."""
        random = np.random.default_rng([seed, 5])
        size = height + _NOISE_MARGIN, width + _NOISE_MARGIN
        noise = random.normal(0, 1, size).astype(np.float32)
        if quiet:
            # What a filter over time leaves is coarse.
            noise += np.roll(noise, 1, 0)
            noise = (noise + np.roll(noise, 1, 1)) * np.float32(0.5)
        self._noise: Shine = noise
        self._strength = 0.3 if quiet else Random(f"sensor/{seed}").uniform(0.8, 1.3)
        light = np.arange(_STEPS) / (_STEPS - 1) * 1.6
        # A shoulder, so that lamps do not become blots, and video range.
        curve = 16 + 219 * np.clip(np.where(light < 0.7, light, 1 - 0.3 * np.exp((0.7 - light) / 0.3)), 0, 1) ** (
            1 / 2.2
        )
        self._curve = curve.astype(np.float32)

    def expose(self, light: Shine, moment: int, lag: float) -> tuple[Pixels, float]:
        """The picture that the sensor gives, and the gain. `lag`: how much brighter it is now than exposure knows."""
        gain = min(_GAIN_MAX, _TARGET / max(float(light[::8, ::8].mean()) / lag, 1e-6))
        steps = np.minimum(light * np.float32(gain * (_STEPS - 1) / 1.6), _STEPS - 1).astype(np.uint16)
        luma = self._curve[steps]
        random = Random(moment)
        y, x = random.randrange(_NOISE_MARGIN), random.randrange(_NOISE_MARGIN)
        height, width = luma.shape
        sigma = self._strength * (0.5 + 0.5 * math.sqrt(gain))
        luma += self._noise[y : y + height, x : x + width] * np.float32(sigma)
        return np.clip(luma + np.float32(0.5), 4, 250).astype(np.uint8), gain


class Weather:
    """Rain, snow, insects and fog before the camera. Drawn small, laid on large."""

    def __init__(self, seed: int, kind: str, width: int, height: int) -> None:
        """The weather of one film."""
        self._seed, self._kind, self._width, self._height = seed, kind, width, height

    def strength(self, second: float) -> float:
        """How much of it there is now, 0 to 1."""
        chance = Random(f"weather/{self._seed}/{self._kind}/{int(second // 14_400)}")
        if self._kind == "insects":
            return 1.0
        begin, length = chance.uniform(0, 6000), chance.uniform(3000, 8000)
        part = (second % 14_400 - begin) / length
        if not 0 <= part <= 1:
            return 0.0
        ramp = 0.4 if self._kind == "fog" else 0.1
        return min(1.0, part / ramp, (1 - part) / ramp) * chance.uniform(0.5, 1.0)

    def lies(self, second: float) -> float:
        """How much snow lies, 0 to 1: it gathers while it falls, and melts within two hours."""
        if self._kind != "snow":
            return 0.0
        # As much as fell in the last hours, late snow most.
        fell = [self.strength(max(0.0, second - ago)) for ago in range(0, 7200, 600)]
        return min(1.0, sum(fell) / 6)

    def lay(self, light: Shine, second: float, *, infrared: bool) -> None:
        """Onto `light`, which is changed."""
        amount = self.strength(second)
        if amount <= 0:
            return
        level = float(light[::8, ::8].mean())
        if self._kind == "fog":
            rows = np.linspace(1.0, 0.75, light.shape[0], dtype=np.float32)[:, None] * np.float32(0.92 * amount)
            light *= 1 - rows
            light += rows * np.float32(level * 1.3)
            return
        if self._kind in ("rain", "snow"):
            light *= np.float32(1 - 0.25 * amount)
            light += np.float32(0.3 * amount * level)
        elif not infrared:
            return
        bright = level * (3.0 if infrared else 1.2)
        light += self._marks(second, amount) * np.float32(bright / 255)

    def _marks(self, second: float, amount: float) -> Shine:
        """Streaks, flakes or insects, 0 to 255."""
        width, height = self._width // 2, self._height // 2
        image = Image.new("L", (width, height))
        draw = ImageDraw.Draw(image)
        chance = Random(f"marks/{self._seed}/{second:.2f}")
        if self._kind == "rain":
            for _ in range(round(260 * amount)):
                x, y, long = chance.random() * width, chance.random() * height, height * chance.uniform(0.03, 0.12)
                draw.line((x, y, x + long * 0.15, y + long), fill=chance.randint(40, 150))
        elif self._kind == "snow":
            for _ in range(round(220 * amount)):
                x, y, r = chance.random() * width, chance.random() * height, height * 0.012 * chance.random() ** 3 + 0.5
                draw.ellipse((x - r, y - r, x + r, y + r), fill=chance.randint(80, 255))
        else:
            for _ in range(chance.randint(0, 9)):
                x, y = chance.gauss(0.5, 0.3) * width, chance.gauss(0.4, 0.3) * height
                r = height * (0.004 + 0.02 * chance.random() ** 2)
                long, way = height * chance.uniform(0, 0.15), chance.random() * math.tau
                draw.line(
                    (x, y, x + long * math.cos(way), y + long * math.sin(way)),
                    fill=chance.randint(90, 255),
                    width=max(1, round(r)),
                )
            if chance.random() < 0.06:
                x, y, r = chance.random() * width, chance.random() * height, height * chance.uniform(0.08, 0.2)
                draw.ellipse((x - r, y - r * 0.6, x + r, y + r * 0.6), fill=220)
                image = image.filter(ImageFilter.GaussianBlur(height * 0.03))
        grown = image.resize((self._width, self._height), Image.Resampling.BILINEAR)
        return np.asarray(grown, dtype=np.float32)


class Cover:
    """What somebody puts before the lens, by kind: painted once, trembling or swaying as it would."""

    def __init__(self, seed: int, kind: str, width: int, height: int) -> None:
        """The cover of one film."""
        self._kind = kind.removeprefix("covered_")
        self._width, self._height = width, height
        chance = Random(f"cover/{seed}/{kind}")
        random = np.random.default_rng([seed, 9])
        self._phase = chance.random() * 100
        self._blur = chance.uniform(0.018, 0.035)
        wide, high = width + 32 & ~1, height + 32 & ~1
        self._shade, self._opaque = self._painted(chance, random, wide, high)
        self.colour = {"hand": (116, 146), "paint": (chance.randint(90, 160), chance.randint(90, 160))}.get(
            self._kind, (128, 128)
        )

    def _painted(self, chance: Random, random: np.random.Generator, wide: int, high: int) -> tuple[Shine, Shine]:
        soft = _clouds(random, wide, high, 5)
        opaque = np.ones((high, wide), dtype=np.float32)
        match self._kind:
            case "hand":
                shade = 0.06 + 0.03 * soft
                # Between fingers, at one edge, light comes in.
                x = np.linspace(-1, 1, wide, dtype=np.float32)[None, :] * chance.choice((-1, 1))
                y = np.linspace(-1, 1, high, dtype=np.float32)[:, None]
                gap = np.clip((x + 0.3 * np.sin(y * 9) - 0.8) * 4, 0, 1) * np.float32(chance.choice((0.0, 0.5, 0.8)))
                return (shade + gap * 0.3).astype(np.float32), (1 - gap * 0.5).astype(np.float32)
            case "cloth":
                weave = np.sin(np.arange(wide) * 0.9)[None, :] * np.sin(np.arange(high) * 0.9)[:, None]
                return (chance.uniform(0.05, 0.4) * (1 + 0.35 * soft + 0.02 * weave)).astype(np.float32), opaque
            case "paint":
                edge = _clouds(random, wide, high, 7) + chance.uniform(0.55, 1.1)
                return np.full((high, wide), chance.uniform(0.03, 0.3), dtype=np.float32), np.clip(
                    edge * 4, 0, 1
                ).astype(np.float32)
            case _:
                folds = np.abs(_clouds(random, wide, high, 9))
                return (0.35 + 0.18 * np.exp(-folds * 6)).astype(np.float32), opaque * np.float32(0.62)

    def lay(self, light: Shine, since: float, source: float) -> Shine:
        """`light` as it comes through, `since` seconds after the fault began; `source` is the light outside."""
        light = _blurred(light, self._radius(since))
        if self._kind == "defocus":
            return light
        tremble = {"hand": 3.0, "cloth": 5.0, "bag": 4.0}.get(self._kind, 0.0)
        y = 16 + round(tremble * math.sin(since * 1.7 + self._phase))
        x = 16 + round(tremble * math.sin(since * 1.1 + self._phase * 2))
        part = slice(y, y + self._height), slice(x, x + self._width)
        opaque = self._opaque[part] * np.float32(self._grown(since))
        return light * (1 - opaque) + self._shade[part] * np.float32(source) * opaque

    def soften(self, colour: Image.Image, since: float) -> Image.Image:
        """A plane of colours, half as large as the picture, as soft as `lay` makes the light."""
        radius = self._radius(since) / 2
        return colour.filter(ImageFilter.GaussianBlur(radius)) if radius else colour

    def _grown(self, since: float) -> float:
        """Somebody needs a moment to put it there: 0 to 1."""
        return min(1.0, since / {"paint": 5.0, "defocus": 3.0}.get(self._kind, 0.8))

    def _radius(self, since: float) -> float:
        """How far out of focus it is, pixels."""
        blur = {"defocus": self._blur, "bag": 0.03}.get(self._kind, 0.0)
        return self._height * blur * self._grown(since)

    def hides(self) -> float:
        """How much of the colours behind is gone."""
        return {"defocus": 0.0, "bag": 0.6}.get(self._kind, 0.95)


def _clouds(random: np.random.Generator, wide: int, high: int, cells: int) -> Shine:
    coarse = random.normal(0, 0.6, (cells, cells * 2)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((wide, high), Image.Resampling.BICUBIC), dtype=np.float32)


def _blurred(light: Shine, radius: float) -> Shine:
    """Out of focus by `radius` pixels: small, blurred, and large again, which is cheap and as soft."""
    if radius < 0.5:
        return light
    height, width = light.shape
    by = 4
    small = Image.fromarray(light).resize((width // by, height // by), Image.Resampling.BOX)
    dim = np.asarray(small)
    peak = max(float(dim.max()), 1e-6)
    bytes_ = Image.fromarray((np.sqrt(dim / peak) * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(radius / by))
    soft = Image.fromarray(np.asarray(bytes_, dtype=np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    return np.square(np.asarray(soft, dtype=np.float32) / 255) * np.float32(peak)
