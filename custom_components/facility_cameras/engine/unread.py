"""Footage whose files were taken in and are not read yet (archive/rereading.py takes hours for a large disk whose index was
lost): whoever wants to see it has the heads of its fragments read then. Blocks.
"""

from pathlib import Path
import time

from .archive.fragments import unpack_fragments
from .archive.index import TAKEN_IN, Row
from .archive.repair import read_fragments
from .playback import Fragment


class Unread:
    """For one question, which waits no longer than it has to."""

    def __init__(self, root: Path, seconds: float) -> None:
        """`root` is the archive's. After so many seconds no more files are read."""
        self._root = root
        self._until = time.monotonic() + seconds

    def fragments(self, row: Row) -> list[Fragment]:
        """A closed segment's; none where its file cannot be read, or time is up."""
        if row.fragments or row.state != TAKEN_IN:
            return unpack_fragments(row.fragments)
        if time.monotonic() > self._until:
            return []
        try:
            return read_fragments(self._root / row.path, row.init_bytes).fragments
        except OSError:
            return []
