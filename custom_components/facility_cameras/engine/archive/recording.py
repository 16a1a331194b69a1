"""One segment on its way to the disk: the event loop queues, the archive's writer thread writes.

Promise I4: where the volume is lost in the middle, the file ends with what it has, and what was kept meanwhile goes
into another file of the same run, which begins where the first one ends.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..clock import Clock
from ..fmp4 import Fragment
from .segment_file import SegmentFile


class AwayError(Exception):
    """The volume is not to be written to now: what was to be written is kept."""


class Disk(Protocol):
    """What a recording needs of its archive."""

    def submit(self, recording: Recording | None, size: int, job: Callable[[], None], /) -> None:
        """Queue work of some size (bytes) for the writer thread."""

    def open_file(self, recording: Recording, start_us: int, /) -> SegmentFile:
        """Make a file that begins at `start_us`. Raises AwayError, OSError and sqlite3.Error."""

    def failed(self, recording: Recording, error: OSError, /) -> None:
        """What was written could not be put on the disk."""

    def closed(self, recording: Recording, file: SegmentFile, /) -> None:
        """The file is closed, as far as it can be."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose footage it is. `folder` is used if the camera has none in this archive yet; `init` and `identity` are the
    file's head.
    """

    camera: str
    facility: str
    folder: str
    run: str
    codec: str
    init: bytes
    identity: bytes


class Recording:
    """Made by `Archive.begin`; used from the event loop, but for what says otherwise."""

    def __init__(self, origin: Origin, start_us: int, clock: Clock, disk: Disk) -> None:
        """Begin at `start_us`, without a file: the writer thread makes it for the first fragment."""
        self.origin = origin
        self.start_us = start_us
        self._clock = clock
        self._disk = disk
        #: Media duration that was given to `write` and taken.
        self.taken_us = 0
        #: Nothing more is taken; close it and begin another when the archive accepts it. What was taken is written.
        self.failed = False
        #: Monotonic time at which the newest fragment was on disk (or in the kernel's cache of it); 0 before.
        self.landed = 0.0
        #: Media duration that has landed.
        self.duration_us = 0
        # The writer thread's.
        self.file: SegmentFile | None = None

    @property
    def camera(self) -> str:
        """The camera's id."""
        return self.origin.camera

    def write(self, fragment: Fragment, duration_us: int) -> None:
        """Queue one fragment."""

        def job() -> None:
            if self.file is None:
                self.file = self._disk.open_file(self, self.start_us + self.duration_us)
            file = self.file
            file.write(fragment.parts, duration_us, fragment.pictures, key=fragment.key)
            self.duration_us += duration_us
            self.landed = self._clock.monotonic()
            if file.sync_due:
                try:
                    file.sync()
                except OSError as error:
                    # The fragment is in the file: it must not be written again.
                    self._disk.failed(self, error)

        if not self.failed:
            self._disk.submit(self, fragment.size, job)
        if not self.failed:
            self.taken_us += duration_us

    def sync(self) -> None:
        """Queue a sync of what was written."""

        def job() -> None:
            if self.file is not None:
                self.file.sync()

        self._disk.submit(self, 0, job)

    def close(self, start_us: int, end_us: int) -> None:
        """Queue the end of the segment. Times as in `Timeline.close_segment`."""
        self._disk.submit(self, 0, lambda: self.close_file(start_us, end_us))

    # Writer thread ------------------------------------------------------------------------------------------------

    def close_file(self, start_us: int = 0, end_us: int = 0) -> None:
        """Close the file, if there is one. What could not be written is not claimed, and what a file before this one
        claims stays its own. Without times, it ends with what it has. Raises OSError and sqlite3.Error.
        """
        file, self.file = self.file, None
        if file is None:
            return
        if not start_us or file.start_us != self.start_us:
            start_us = file.start_us
        if not end_us or self.failed:
            end_us = start_us + file.duration_us
        try:
            file.close(start_us, max(start_us, end_us))
        finally:
            self._disk.closed(self, file)
