"""The light of a long scene at any second: sun, clouds, lamps, head lamps, and what the camera does at night."""

from dataclasses import dataclass
import math
from random import Random

from .film_place import Site

DAY_S = 86_400
#: Light at which a camera goes over to infra-red, and the higher one at which it comes back; 1 is a bright day.
_NIGHT_BELOW, _DAY_ABOVE = 0.006, 0.012
#: A camera waits before it goes over, seconds: a passing shadow is no night.
_IR_DELAY_S = 5
#: Light by which a failed lamp leaves something to be measured, if not seen.
_STARLIGHT = 0.00002


@dataclass(frozen=True, slots=True)
class Light:
    """`even`: falls everywhere. `lamp`: comes from the lamp on its mast or ceiling. `infrared`: from the camera itself,
    which then sees no colours. `glare`: head lamps that look into the lens, 0 to 1, at `glare_x` (0 left to 1 right).
    """

    even: float
    lamp: float
    infrared: float
    glare: float
    glare_x: float

    @property
    def whole(self) -> float:
        """What auto exposure goes by."""
        return self.even + 0.5 * self.lamp + 0.6 * self.infrared


class Day:
    """Light by the second of the day; the same for the same seed and kind."""

    def __init__(self, seed: int, kind: str, site: Site, fault_at: float | None) -> None:
        """The light of this film. `fault_at`: when the lamp fails, in the kind where it does."""
        chance = Random(f"light/{seed}/{kind}")
        self._seed, self._kind, self._site = seed, kind, site
        self._fails_at = fault_at if kind == "black_no_light" else None
        self._noon = 12 + chance.uniform(-0.5, 0.5)
        self._street_lamp = 0.02 if kind != "insects" and chance.random() < 0.4 else 0.0
        self._closes = chance.choice((18.0, 20.0, 22.0))
        self._always_lit = kind in ("empty_corridor", "black_no_light") or chance.random() < 0.3
        self._has_infrared = kind != "black_no_light"

    def light(self, second: float) -> Light:
        """What falls on the place at this second."""
        even, lamp = self._given(second)
        infrared = self._has_infrared and self._needs_infrared(second - _IR_DELAY_S)
        glare, x = self._glare(second) if self._kind == "headlights" else (0.0, 0.5)
        return Light(even + glare * 0.02, lamp, 0.03 if infrared else 0.0, glare, x)

    def _sun(self, second: float) -> float:
        height = math.cos(math.tau * (second / 3600 - self._noon) / 24)
        step = min(1.0, max(0.0, (height + 0.14) / 0.3))
        step = step * step * (3 - 2 * step)
        return float(10 ** (-3.3 + 3.3 * step)) * (0.6 + 0.4 * max(0.0, height))

    def _given(self, second: float) -> tuple[float, float]:
        sun = self._sun(second) * self._clouds(second)
        if self._site == "yard":
            return sun, self._street_lamp if self._sun(second) < 0.05 else 0.0
        hour = second / 3600 % 24
        lit = self._always_lit or 6 <= hour < self._closes
        if self._kind == "lamps":
            lit = self._switched(second)
        if self._fails_at is not None:
            if second >= self._fails_at:
                return _STARLIGHT, 0.0
            return sun * 0.02, 0.25
        window = 0.0 if self._site == "corridor" else 0.12
        return sun * window + 0.0001, 0.25 if lit else 0.0

    def _needs_infrared(self, second: float) -> bool:
        even, lamp = self._given(second)
        morning = second / 3600 % 24 < self._noon
        return even + 0.5 * lamp < (_DAY_ABOVE if morning and self._site == "yard" else _NIGHT_BELOW)

    def _clouds(self, second: float) -> float:
        """1 without clouds; smooth between random values, quicker in some hours."""
        if self._kind != "clouds":
            return 1.0
        hour = int(second // 3600)
        length = Random(f"cloud/{self._seed}/{hour}").choice((8, 40, 200))
        slot, part = divmod(second, length)
        here, there = (
            Random(f"cloud/{self._seed}/{hour}/{number}").choice((0.25, 0.5, 1.0, 1.0))
            for number in (int(slot), int(slot) + 1)
        )
        return here + (there - here) * min(1.0, part / (length * 0.4))

    def _switched(self, second: float) -> bool:
        """Lamps that somebody switches: each stretch of 7 minutes its own."""
        slot = int(second // 420)
        chance = Random(f"switch/{self._seed}/{slot}")
        lit, at = chance.random() < 0.6, chance.uniform(0, 420)
        before = Random(f"switch/{self._seed}/{slot - 1}").random() < 0.6
        return lit if second % 420 >= at else before

    def _glare(self, second: float) -> tuple[float, float]:
        """A car that turns in, every few minutes at night."""
        if self._sun(second) > 0.05:
            return 0.0, 0.5
        slot = int(second // 240)
        chance = Random(f"glare/{self._seed}/{slot}")
        begin, length = chance.uniform(0, 200), chance.uniform(6, 30)
        part = (second % 240 - begin) / length
        if chance.random() < 0.3 or not 0 <= part <= 1:
            return 0.0, 0.5
        start, end = chance.random(), chance.random()
        return math.sin(math.pi * part), start + (end - start) * part
