"""One segment on its way to the disk: the event loop queues, the archive's writer thread writes."""

from collections.abc import Callable
from typing import Protocol

from ..clock import Clock
from ..fmp4 import Fragment
from .segment_file import SegmentFile


class Submit(Protocol):
    """Queues work of some size (bytes) for the writer thread."""

    def __call__(self, recording: Recording | None, size: int, job: Callable[[], None], /) -> None:
        """Queue it."""


class Recording:
    """Made by `Archive.begin`; used from the event loop, but for what says otherwise."""

    def __init__(self, clock: Clock, submit: Submit, done: Callable[[Recording], None]) -> None:
        """Begin without a file: the writer thread makes it. It calls `done` when the file is closed."""
        self._clock = clock
        self._submit = submit
        self._done = done
        #: Set by the writer thread; None before.
        self.file: SegmentFile | None = None
        #: Nothing more is taken; close it and begin another when the archive is writable. What was queued before is
        #: still written unless writing itself failed.
        self.failed = False
        self._broken = False
        #: Monotonic time at which the newest fragment was on disk (or in the kernel's cache of it); 0 before.
        self.landed = 0.0

    def write(self, fragment: Fragment, duration_us: int) -> None:
        """Queue one fragment."""

        def job() -> None:
            if self.file is not None and not self._broken:
                self.file.write(fragment.parts, duration_us, fragment.pictures, key=fragment.key)
                self.landed = self._clock.monotonic()

        if not self.failed:
            self._submit(self, fragment.size, job)

    def sync(self) -> None:
        """Queue a sync of what was written."""

        def job() -> None:
            if self.file is not None and not self._broken:
                self.file.sync()

        self._submit(self, 0, job)

    def close(self, start_us: int, end_us: int) -> None:
        """Queue the end of the segment. Times as in `Timeline.close_segment`."""
        self._submit(self, 0, lambda: self.close_file(start_us, end_us))

    @property
    def duration_us(self) -> int:
        """Media duration that has landed."""
        file = self.file
        return file.duration_us if file is not None else 0

    # Writer thread ------------------------------------------------------------------------------------------------

    def fail(self) -> None:
        """Nothing more can be written."""
        self.failed = self._broken = True

    def close_file(self, start_us: int, end_us: int) -> None:
        """Close the file. What could not be written is not claimed. Raises OSError and sqlite3.Error."""
        file = self.file
        if file is None:
            return
        try:
            if self.failed:
                start_us = start_us or file.start_us
                end_us = start_us + file.duration_us
            file.close(start_us, end_us)
        finally:
            self._done(self)
