"""When which camera is looked at: spread over time, never all at once, and never for more than its share of a core.

Times are monotonic seconds. Pure: whoever looks asks for the next one and says what the look cost.
"""

from collections.abc import Hashable
import hashlib

#: The usual distance of two looks at a camera, and the longest.
EVERY_S, LONGEST_S = 30.0, 60.0
#: Looks while a camera is new, and when something is suspected.
NEW_S, NEW_LOOKS, SOON_S = 15.0, 8, 5.0
#: A camera without a new picture is asked again after so long.
AGAIN_S = 2.0
#: What all looks together may cost, as a share of one core.
SHARE = 0.1
#: What a look is thought to cost before one was measured, seconds.
COST_S = 0.03


class Schedule:
    """The next look at each camera."""

    def __init__(self) -> None:
        """No cameras."""
        self._due: dict[str, float] = {}
        self._looks: dict[str, int] = {}
        self._hurried: dict[str, float] = {}
        #: Mean CPU time of a look, seconds.
        self.cost_s = COST_S

    @property
    def cameras(self) -> int:
        """How many there are."""
        return len(self._due)

    @property
    def every_s(self) -> float:
        """The distance of two looks at a camera now."""
        return min(max(EVERY_S, len(self._due) * self.cost_s / SHARE), LONGEST_S)

    def add(self, camera: str, now: float) -> None:
        """A camera comes: its first look is soon, but not at the same time as that of all others."""
        self._due[camera] = now + NEW_S * _place(camera)
        self._looks[camera] = 0

    def remove(self, camera: str) -> None:
        """A camera goes."""
        for each in (self._due, self._looks, self._hurried):
            each.pop(camera, None)

    def next(self) -> tuple[str, float] | None:
        """The camera that is looked at next, and when; None if there is none."""
        camera = min(self._due, key=self._due.__getitem__, default=None)
        return None if camera is None else (camera, self._due[camera])

    def hurry(self, camera: str, now: float) -> None:
        """Something happened: look now, but not more often than SOON_S because of it."""
        if camera in self._due and now - self._hurried.get(camera, float("-inf")) >= SOON_S:
            self._hurried[camera] = now
            self._due[camera] = min(self._due[camera], now)

    def again(self, camera: str, now: float) -> None:
        """There was nothing to look at."""
        if camera in self._due:
            self._due[camera] = now + AGAIN_S

    def looked(self, camera: str, now: float, cost_s: float | None, *, soon: bool) -> None:
        """A look was taken and cost so much CPU time (None: not known)."""
        if cost_s is not None:
            self.cost_s += 0.1 * (cost_s - self.cost_s)
        if camera not in self._due:
            return
        self._looks[camera] += 1
        looks = self._looks[camera]
        every = self.every_s
        if every < LONGEST_S and looks < NEW_LOOKS:
            every = NEW_S
        # A little less each time, by another bit: two cameras that fall together part again.
        every *= 1 - 0.15 * _place((camera, looks))
        self._due[camera] = now + (SOON_S if soon else every)


def _place(of: Hashable) -> float:
    """A number from 0 to 1 that is always the same for the same thing."""
    return int.from_bytes(hashlib.sha256(repr(of).encode()).digest()[:4]) / 2**32
