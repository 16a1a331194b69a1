"""Which files a crash or a lost volume left open, and when each is repaired: one at a time, while nothing waits to be
written. The writer thread's.

Promise I2: what cannot be repaired now is tried again; one bad file costs no recording.
"""

from collections.abc import Container
import logging
from pathlib import Path
import sqlite3

from ..clock import Clock, microseconds
from .files import Files
from .index import Index, Row
from .repair import close_after_crash
from .volume import is_lost

_LOGGER = logging.getLogger(__name__)

#: A file that cannot be repaired is tried again after so long.
AGAIN_S = 60.0


class LeftOpen:
    """Of one archive."""

    def __init__(self, root: Path, clock: Clock, files: Files) -> None:
        """A crash may have left something: the index is asked at first."""
        self._root = root
        self._clock = clock
        self._files = files
        #: When to ask the index (monotonic); None: there is no reason to.
        self._ask_at: float | None = float("-inf")
        self._told: set[str] = set()
        #: Rows whose files may never have been made; until that is known no other is given their names.
        self.unmade: dict[int, Path] = {}
        #: Rows that wait to be repaired.
        self.rows: list[Row] = []

    def ask(self) -> None:
        """Something may have been left open: ask the index soon."""
        self._ask_at = self._clock.monotonic()

    def looked(self, index: Index, open_files: Container[int]) -> None:
        """Ask the index, if that is due: `open_files` are being written. Raises sqlite3.Error."""
        if self._ask_at is not None and self._clock.monotonic() >= self._ask_at and not self.rows:
            self._ask_at = None
            self.rows = [row for row in index.unfinished() if row.id not in open_files]

    def repair_one(self, index: Index | None) -> None:
        """The next one. Raises sqlite3.Error."""
        row = self.rows.pop()
        if index is None:
            return
        try:
            if not self.forget_unmade(index, row.id):
                close_after_crash(index, self._root, row, microseconds(self._clock.utc()), self._files)
                self.unmade.pop(row.id, None)
            self._told.discard(row.path)
        except (OSError, sqlite3.Error) as error:
            self._ask_at = self._clock.monotonic() + AGAIN_S
            if row.path not in self._told:
                self._told.add(row.path)
                _LOGGER.warning("archive %s: %s cannot be repaired yet: %s", self._root, row.path, error)
            if isinstance(error, sqlite3.Error):
                raise

    def forget_unmade(self, index: Index, number: int) -> bool:
        """Whether this is a row whose file was never made; then it is gone. Raises OSError and sqlite3.Error."""
        path = self.unmade.get(number)
        if path is None or not is_lost(self._root, path, self._files):
            return False
        index.forget_empty(number)
        del self.unmade[number]
        return True
