"""How much room has to be made on the volume, by our own estimate; and whether deleting makes any.

Room is of two kinds, and either may run out first: bytes, and places in the file system's table of files (inodes). All
that is said here holds for each of them, in its own unit.

Promise I4: room is made before it is needed. From how fast was written lately it is known what the next minutes take.
What was deleted and has not shown up as free space (a snapshot or a recycle bin keeps it, somebody holds the file open,
another program takes it) is counted as if it were free: so no more is deleted than the estimate asks for, however long
nothing shows. Now and then one file is deleted all the same: it tells whether that is still so, for if it is not, a disk
that another program filled once would stay full. Bytes or files, and monotonic seconds. For the writer thread.
"""

from collections import deque
from collections.abc import Callable

from .volume import keep_files, keep_free

#: Over so long the rate is measured, in samples of so long.
RATE_S, SAMPLE_S = 300.0, 10.0
#: So long ahead room is made, and so much longer once it has to be made: few large lots rather than many small ones.
AHEAD_S, LOT_S = 180.0, 600.0
#: What was deleted must show as free space within this time, by a quarter at least.
SETTLE_S = 60.0
SHOWN = 0.25
#: It is told where so many times in a row, and of so much in all, nothing showed: others write too.
TOLD, TOLD_BYTES, TOLD_FILES = 2, 32 << 20, 100
#: While nothing shows a file is deleted after so long, each time twice as long.
PROBE_S, LONGEST_PROBE_S = 600.0, 6 * 3600.0


class Space:
    """What is known of the volume's room. Tell it of every write, deletion and look."""

    def __init__(self, keep: Callable[[int], int] = keep_free, told: int = TOLD_BYTES) -> None:
        """Nothing is known. `keep` is what is to be kept free of all that there is; that nothing shows is told once it is
        about as much as `told`.
        """
        self._keep = keep
        self._told = told
        #: 0 where there is no bound, or none is known: then nothing ever lacks.
        self.total = 0
        self._free = 0
        self._written = 0
        self._looked_written = 0
        self._samples: deque[tuple[float, int]] = deque()
        self._making = False
        #: Since when what was deleted is watched: time, then free space and what was written then. None: nothing is.
        self._watched: tuple[float, int, int] | None = None
        self._deleted = 0
        #: What was deleted and did not show within its time.
        self._missing = 0
        self._unseen = 0
        self._probe_at = 0.0
        self._probe_s = PROBE_S

    def written(self, size: int, now: float) -> None:
        """Footage was written."""
        self._written += size
        if not self._samples or now - self._samples[-1][0] >= SAMPLE_S:
            self._samples.append((now, self._written))
            while self._samples[0][0] < now - RATE_S:
                self._samples.popleft()

    def deleting(self, now: float) -> None:
        """Footage is about to be deleted."""
        if self._watched is None:
            self._watched = now, self.free, self._written
            self._deleted = 0

    def deleted(self, size: int) -> None:
        """Footage was deleted."""
        self._deleted += size

    def looked(self, total: int, free: int, now: float) -> None:
        """The volume was looked at."""
        self.total, self._free, self._looked_written = total, free, self._written
        if self._watched is not None and now - self._watched[0] >= SETTLE_S:
            deleted, shown = self._deleted, self._shown()
            self._watched = None
            if not deleted:
                return
            if shown >= deleted * SHOWN:
                self._forgive()
            else:
                self._unseen += 1
                self._missing += deleted - shown
                self._probe_at = now + self._probe_s
                self._probe_s = min(2 * self._probe_s, LONGEST_PROBE_S)

    def _forgive(self) -> None:
        """Deleting makes room."""
        self._unseen = self._missing = 0
        self._probe_s = PROBE_S

    def _shown(self) -> int:
        """What showed as free space of what is watched."""
        if self._watched is None:
            return 0
        _, free, written = self._watched
        return min(max(self._free - free + self._looked_written - written, 0), self._deleted)

    @property
    def free(self) -> int:
        """What is free, with what was written since the last look."""
        return self._free - (self._written - self._looked_written)

    @property
    def frees_nothing(self) -> bool:
        """Whether deleting makes no room."""
        return self._unseen >= TOLD and self._missing >= self._told

    def rate(self, now: float) -> float:
        """What is written per second, as it was over the last minutes."""
        first = next((sample for sample in self._samples if sample[0] >= now - RATE_S), None)
        if first is None or now - first[0] < SAMPLE_S:
            return 0.0
        return (self._written - first[1]) / (now - first[0])

    def lacking(self, now: float) -> int:
        """What is to be deleted so that what is kept free stays free over the next minutes; 0 if there is room."""
        if not self.total:
            return 0
        keep, rate = self._keep(self.total), self.rate(now)
        # On a small volume, or at a great rate, this must not take all that there is.
        low = keep + min(round(rate * AHEAD_S), keep)
        high = keep + min(round(rate * (AHEAD_S + LOT_S)), 2 * keep)
        estimate = self.free + self._missing + self._deleted_unseen()
        if self.free >= high:
            # There is room: whatever was kept back has come, or is no longer needed.
            self._forgive()
        self._making = estimate < low or (self._making and estimate < high)
        return high - estimate if self._making else 0

    @property
    def short(self) -> int:
        """What lacks, by what is seen, of what is to be kept free."""
        return max(0, self._keep(self.total) - self.free) if self.total else 0

    def probe(self, now: float) -> bool:
        """Whether one file is to be deleted to see what comes of it."""
        return bool(self._missing and self.short) and self._watched is None and now >= self._probe_at

    def _deleted_unseen(self) -> int:
        return self._deleted - self._shown() if self._watched is not None else 0


def places() -> Space:
    """Room in the table of files: each file is one."""
    return Space(keep_files, TOLD_FILES)
