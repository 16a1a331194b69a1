"""Coded pictures of a long scene, as a camera makes them: key pictures on their own, and the sizes of those between.

A key picture is coded alone, with a coder begun for it: the same second always gives the same bytes.
"""

from collections import OrderedDict
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Literal

import av

from .clip import kind as nal_kind, split
from .film_kinds import KINDS
from .film_optics import Pixels
from .long_scene import Film

type Codec = Literal["h264", "h265"]

#: Of the pictures between two key pictures so many are really coded, one situation after another.
_STRETCH = 5
_KEPT = 64
_FPS = 25


@dataclass(frozen=True, slots=True)
class Key:
    """One coded key picture. `sets` and `nals` are NAL units with four bytes of length before each."""

    codec: Codec
    sets: bytes
    nals: bytes


class FilmCoder:
    """Codes one film as one camera does."""

    def __init__(self, film: Film, codec: Codec = "h264", quality: int = 28, gop: int = 50) -> None:
        """`quality`: quantiser, 20 (very good) to 40 (poor). `gop`: pictures from one key picture to the next, at 25 a
        second.
        """
        self.film, self.codec, self.gop = film, codec, gop
        self._quality = quality
        self._keys: OrderedDict[tuple[float, int], Key] = OrderedDict()
        self._between: OrderedDict[tuple[int, ...], list[int]] = OrderedDict()

    @property
    def distance_s(self) -> float:
        """Seconds from one key picture to the next."""
        return self.gop / _FPS

    def key_picture(self, second: float) -> Key:
        """The key picture at this second."""
        shown = self.film.shown(second)
        quality = self._quantiser(second)
        if self.film.kind.name == "frozen_exact":
            quality = self._quantiser(shown)
        found = self._keys.get((shown, quality))
        if found is None:
            ((found, _),) = self._coded([self.film.picture(shown)], quality)
            self._keys[shown, quality] = found
            if len(self._keys) > _KEPT:
                self._keys.popitem(last=False)
        return found

    def sizes(self, second: float) -> list[int]:
        """Bytes of each picture from the key picture at this second up to the next, itself first."""
        return [len(self.key_picture(second).nals), *self.between(second)]

    def between(self, second: float) -> list[int]:
        """Bytes of each picture after the key picture at this second, up to the next."""
        # Rate control keeps the rate of these steady: its small steps show in key pictures only.
        quality = self._rate(second)
        frozen = self.film.kind.truth == "frozen" and self.film.failed(second)
        # What is alike is coded once: the same light, the same weather, the same fault.
        situation = (int(second // 600), quality, self.film.failed(second))
        between = self._between.get(situation)
        if between is None:
            begin = self.film.shown(second)
            times = [begin + (0 if frozen else number / _FPS) for number in range(_STRETCH + 1)]
            coded = self._coded([self.film.picture(time) for time in times], quality)
            between = [size for _, size in coded[1:]]
            self._between[situation] = between
            if len(self._between) > _KEPT:
                self._between.popitem(last=False)
        if frozen:
            # Nothing changes: a coder says so in the same few bytes.
            return [min(between)] * (self.gop - 1)
        chance = Random(f"sizes/{self.film.seed}/{second:.2f}")
        return [max(20, round(chance.choice(between) * chance.gauss(1, 0.08))) for _ in range(self.gop - 1)]

    def _rate(self, second: float) -> int:
        """The quantiser that the camera's bit rate leads to, which somebody may set anew."""
        if self.film.kind.name != "recode":
            return self._quality
        length = 3600 + self.film.seed % 4 * 1800
        return Random(f"rate/{self.film.seed}/{int(second // length)}").choice((22, 26, 30, 36, 40))

    def _quantiser(self, second: float) -> int:
        """What rate control makes of it for one key picture."""
        step = Random(f"quantiser/{self.film.seed}/{int(second / self.distance_s)}").choice((-1, 0, 0, 0, 1))
        return self._rate(second) + step

    def _coded(self, pictures: list[Pixels], quality: int) -> list[tuple[Key, int]]:
        """The pictures in one group, each with its size."""
        context = av.VideoCodecContext.create("libx264" if self.codec == "h264" else "libx265", "w")
        context.width, context.height, context.pix_fmt = self.film.width, self.film.height, "yuv420p"
        context.framerate, context.time_base = Fraction(_FPS), Fraction(1, _FPS)
        context.thread_count = 1
        settings = f"qp={quality}:keyint=250:scenecut=0:repeat-headers=1:bframes=0:rc-lookahead=0:ipratio=1.0"
        if self.codec == "h264":
            context.options = {
                "preset": "superfast",
                "tune": "zerolatency",
                "x264-params": settings + ":sync-lookahead=0:stitchable=1",
            }
        else:
            context.options = {
                "preset": "ultrafast",
                "tune": "zerolatency",
                "x265-params": settings + ":log-level=none:pools=none:frame-threads=1:info=0",
            }
        packets = []
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts = number
            packets += context.encode(frame)
        packets += context.encode(None)
        coded = []
        for packet in packets:
            units = [(nal_kind(self.codec, nal), nal) for nal in split(bytes(packet))]
            sets, nals = (
                b"".join(len(nal).to_bytes(4) + nal for kind, nal in units if kind == wanted)
                for wanted in ("set", "slice")
            )
            coded.append((Key(self.codec, sets, nals), len(nals)))
        return coded


def camera(seed: int, kind: str, width: int = 640, height: int = 360) -> FilmCoder:
    """A film and its coder, of the codec, quality and distance of key pictures that the seed chooses."""
    chance = Random(f"camera/{seed}/{kind}")
    codec: Codec = chance.choice(("h264", "h264", "h265"))
    return FilmCoder(
        Film(seed, KINDS[kind].name, width, height),
        codec,
        chance.choice((18, 22, 27, 33)),
        chance.choice((25, 50, 100)),
    )
