"""What a stream tells of its pictures without decoding any: how large the key pictures are and what comes between them.

A listener of a camera's feed, in the engine's own process: it counts, and holds no picture. A sudden fall of what comes
is a reason to look at the picture now.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
import zlib

if TYPE_CHECKING:
    # The worker takes `Group` from here, and has nothing else of the engine.
    from ..media import Sample, StreamFormat

GROUPS = 6
#: The end of a key picture, of which the check sum is made: its head has a number that changes.
SUM_BYTES = 1024
#: What comes falls below this share of what was usual: look now. After so many groups it is known what is usual.
FALLEN, USUAL_GROUPS = 0.35, 6


@dataclass(frozen=True, slots=True)
class Group:
    """A group of pictures as it was received: when (monotonic seconds), the size of its key picture and a check sum of
    its end, how many pictures followed, and how many bytes these had.
    """

    at: float
    key_bytes: int
    key_sum: int
    pictures: int
    bytes: int


class Groups:
    """The newest groups of one camera, whole ones. `fallen` is called when they become much smaller than usual."""

    def __init__(self, monotonic: Callable[[], float], fallen: Callable[[], None]) -> None:
        """Nothing came yet."""
        self._monotonic = monotonic
        self._fallen = fallen
        self.newest: deque[Group] = deque(maxlen=GROUPS)
        #: Counts the runs of the feed: what came before another run says nothing of the picture now.
        self.run = 0
        self._at = 0.0
        self._key: tuple[int, int] | None = None
        self._pictures = self._bytes = 0
        self._usual = [0.0, 0.0]
        self._seen = 0

    def on_format(self, _stream: StreamFormat) -> None:
        """A run begins."""
        self._begin()

    def on_gap(self) -> None:
        """The run ended."""
        self._begin()

    def on_sample(self, sample: Sample) -> None:
        """Count it."""
        if sample.audio:
            return
        if not sample.key:
            self._pictures += 1
            self._bytes += sample.size
            return
        if self._key is not None:
            self.newest.append(Group(self._at, *self._key, self._pictures, self._bytes))
            self._compare()
        end = b"".join(sample.parts[-2:])[-SUM_BYTES:]
        self._key, self._at = (sample.size, zlib.crc32(end)), self._monotonic()
        self._pictures = self._bytes = 0

    def _begin(self) -> None:
        self.newest.clear()
        self.run += 1
        self._key = None
        self._pictures = self._bytes = self._seen = 0

    def _compare(self) -> None:
        group = self.newest[-1]
        fallen = False
        for which, now in enumerate((float(group.key_bytes), group.bytes / max(group.pictures, 1))):
            usual = self._usual[which]
            fallen |= self._seen >= USUAL_GROUPS and now < FALLEN * usual
            # What is usual follows within a minute or so: one fall is one reason to look.
            self._usual[which] = now if not self._seen else usual + 0.15 * (now - usual)
        self._seen += 1
        if fallen:
            self._fallen()
