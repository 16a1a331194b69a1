"""Files that cannot be deleted: passed over, counted, named, and tried again later, each time after twice as long."""

import errno

from .index import Row
from .retention import merged

#: What an error of one file is; any other is one of the volume.
ERRORS = frozenset({errno.EACCES, errno.EPERM, errno.EIO, errno.EISDIR, errno.EBUSY, errno.ETXTBSY})
AGAIN_S, LONGEST_S = 600.0, 6 * 3600.0
#: Where a camera has more places than this that cannot be deleted, what lies between them is passed over too.
PLACES = 1000


class Stuck:
    """What is stuck now. Monotonic seconds."""

    def __init__(self) -> None:
        """Nothing is."""
        #: By camera, as retention.py's `Intervals`.
        self.places: dict[str, list[tuple[int, int]]] = {}
        #: The newest of the files, relative to the archive, and what its error was.
        self.path = self.why = ""
        self._count = self._before = 0
        self._again_s = AGAIN_S
        self._again_at = 0.0

    @property
    def files(self) -> int:
        """How many; while they are tried again as many as there were."""
        return max(self._count, self._before)

    def add(self, row: Row, why: str, now: float) -> None:
        """A file could not be deleted."""
        if not self.places:
            self._again_at = now + self._again_s
        self.path, self.why = row.path, why
        self._count += 1
        places = merged([*self.places.get(row.camera, []), (row.start_us, max(row.end_us, row.start_us + 1))])
        self.places[row.camera] = places if len(places) <= PLACES else [(places[0][0], places[-1][1])]

    def try_again(self, now: float) -> bool:
        """Whether it is time; from then on nothing is passed over."""
        if not self.places or now < self._again_at:
            return False
        self.places = {}
        self._before, self._count = self.files, 0
        self._again_s = min(self._again_s * 2, LONGEST_S)
        return True

    def tried(self) -> None:
        """Everything that could be deleted is."""
        self._before = 0
        if not self._count:
            self.path = self.why = ""
            self._again_s = AGAIN_S
