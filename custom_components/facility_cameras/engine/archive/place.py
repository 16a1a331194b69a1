"""Where the next file of footage lies, and making it: FACILITY/CAMERA/DAY/TIME.mp4, the day and time in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..clock import Clock, microseconds
from . import journal
from .files import Files, Folders
from .index import Index
from .left_open import LeftOpen
from .recording import Origin
from .segment_file import SegmentFile


@dataclass(frozen=True, slots=True)
class Place:
    """An archive that can be written now."""

    root: Path
    index: Index
    folders: Folders
    clock: Clock
    files: Files

    def make(self, origin: Origin, start_us: int, left_open: LeftOpen) -> SegmentFile:
        """A file that begins at `start_us` (UTC microseconds), with its row. Raises OSError and sqlite3.Error."""
        start = datetime.fromtimestamp(start_us / 1e6, UTC)
        day = start.strftime("%Y-%m-%d")
        folder = self._day_folder(origin, day)
        name = f"{start:%H-%M-%S}.{start.microsecond // 1000:03}Z"
        number, unmade = 0, left_open.unmade
        path = folder / f"{name}.mp4"
        while path in unmade.values() or self.files.exists(path):
            number += 1
            path = folder / f"{name}-{number}.mp4"
        segment = self.index.open_segment(
            origin.camera, origin.run, origin.codec, origin.init, start_us, f"{day}/{path.name}"
        )
        try:
            return SegmentFile(
                self.index, path, segment, start_us, origin.init, origin.identity, self.clock, self.files
            )
        except FileExistsError:
            self.index.forget_empty(segment)
            raise
        except OSError:
            # It may have been made all the same, on a network share: then it is for the repair.
            unmade[segment] = path
            left_open.forget_unmade(self.index, segment)
            raise

    def _day_folder(self, origin: Origin, day: str) -> Path:
        ours = self.index.camera_folder(origin.camera, origin.facility, origin.folder)
        if not self.files.exists(self.root / ours):
            # So that an index that is lost knows again whose folder it is (promise I1).
            entry = journal.camera_entry(origin.camera, origin.facility, ours)
            journal.append(self.root, microseconds(self.clock.utc()), [entry], self.files)
        return self.folders.make(f"{ours}/{day}")
