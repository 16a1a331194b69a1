"""What an archive does behind recording, in a thread of its own: looks at the files again, reads what was taken in, keeps
the journal small. Slow on purpose, a small step at a time; what it does to the index is short, and what it does to files
that the writer thread may be busy with, the writer thread does.

Promise I3 (nothing vanishes): only when it has looked at all files is the index trusted enough to delete by.
"""

from collections.abc import Callable, Sequence
import contextlib
import logging
from pathlib import Path
import sqlite3
import threading

from . import compaction, deletions, recall
from .index import Index, Row
from .repair import lose
from .rereading import Rereading
from .survey import Findings, Survey

_LOGGER = logging.getLogger(__name__)

#: Rest after each step, seconds: others have the index and the disk meanwhile.
REST_S = 0.01
#: Files are read at this rate at most, bytes a second: a third of what a slow disk reads while it records.
RATE = 20e6
#: What failed is tried again after so long.
AGAIN_S = 60.0
#: How often is looked whether the journal has grown.
JOURNAL_S = 3600.0


class _StoppedError(Exception):
    """The archive is closed."""


class Behind:
    """One open index's. `start`, later `stop`, which does not wait: a disk that hangs must not hang its caller."""

    def __init__(
        self,
        index: Index,
        root: Path,
        submit: Callable[[Callable[[], None]], None],
        now_us: Callable[[], int],
        trusted: Callable[[], None],
    ) -> None:
        """`submit` has the writer thread do something, unless the archive has been closed or is not writable then. It
        calls `trusted` once all files have been looked at.
        """
        self._index = index
        self._root = root
        self._submit = submit
        self._now_us = now_us
        self._trusted = trusted
        self._stopped = threading.Event()
        self._compacted: dict[str, int] = {}
        #: What was found at the last look; read by other threads.
        self.findings = Findings()
        #: Whether all files have been looked at, and all that were taken in have been read.
        self.looked = self.read = False
        self._thread = threading.Thread(target=self._work, name=f"behind {root.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End at the next step."""
        self._stopped.set()

    def _work(self) -> None:
        with contextlib.suppress(_StoppedError):
            while True:
                try:
                    if not self.read:
                        self._look_and_read()
                    self._keep_journal_small()
                    self._rest(JOURNAL_S)
                except (OSError, sqlite3.Error) as error:
                    if not self._stopped.is_set():
                        _LOGGER.warning("archive %s: its files cannot be looked at: %s", self._root, error)
                    self._rest(AGAIN_S)
                except Exception:
                    # A fault of ours must not mean that nothing is ever deleted again.
                    if not self._stopped.is_set():
                        _LOGGER.exception("archive %s: looking at its files failed", self._root)
                    self._rest(AGAIN_S)

    def _rest(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise _StoppedError

    def _look_and_read(self) -> None:
        if not self._index.surveyed:
            for _ in recall.take_journal(self._index, self._root):
                self._rest(REST_S)
        survey = Survey(self._index, self._root, self._lose)
        self.findings = survey.findings
        for _ in survey.steps():
            self._rest(REST_S)
        self.looked = True
        # After all that was found to be lost has been entered.
        self._submit(self._trust)
        rereading = Rereading(self._index, self._root, survey.findings, self._keep_rate)
        for _ in rereading.steps():
            self._rest(REST_S)
        self.read = True
        for kind, number in sorted(survey.findings.counts.items()):
            _LOGGER.warning("archive %s: %d files %s: %s", self._root, number, kind, survey.findings.paths[kind])

    def _trust(self) -> None:
        if not self._index.surveyed:
            _LOGGER.info("archive %s: all files have been looked at", self._root)
        self._index.surveyed = True
        self._trusted()

    def _lose(self, rows: Sequence[Row], reason: str) -> None:
        self._submit(lambda: lose_if_gone(self._index, self._root, rows, reason, self._now_us()))

    def _keep_rate(self, size: int) -> None:
        self._rest(size / RATE)

    def _keep_journal_small(self) -> None:
        for made in compaction.compact(self._root, self._compacted, self._rest):
            self._submit(made.replace)


def lose_if_gone(index: Index, root: Path, rows: Sequence[Row], reason: str, now_us: int) -> None:
    """For the writer thread: enter those of these rows that are still there and whose files are not, by this reason.
    Raises OSError and sqlite3.Error.
    """
    gone = [row for row in rows if index.segment(row.id) == row and _is_gone(root / row.path)]
    if not gone:
        return
    if reason == deletions.LOST:
        lose(index, root, gone, now_us)
    else:
        # The journal says it already.
        index.remove(gone, reason, now_us)


def _is_gone(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError, NotADirectoryError:
        return True
    except OSError:
        return False
    return False
