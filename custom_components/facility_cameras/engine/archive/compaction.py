"""Keeps the journal from growing without bound: deletions that touch are put together, as the index has them.

Crash-safe: a file is written anew beside the old one, synced, and put in its place; what was appended meanwhile is
added before that. Entries of the newest hour stay as they are, whoever is about to finish what they tell.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
import os
from pathlib import Path

import orjson

from . import deletions, journal
from .files import sync_folder

#: A file shorter than this, or not twice as long as it was after the last time, is left as it is.
LEAST_BYTES = 256 << 10
RECENT_US = 3_600_000_000
#: After so many lines is rested.
_STEP = 500


@dataclass(frozen=True, slots=True)
class Compacted:
    """A file of the journal written anew: what stood in the first `size` bytes of `path`."""

    path: Path
    made: Path
    size: int

    def replace(self) -> None:
        """Put it in the old one's place. For the writer thread: nobody may append meanwhile. Raises OSError."""
        with self.path.open("rb") as old, self.made.open("ab") as new:
            old.seek(self.size)
            while piece := old.read(1 << 20):
                new.write(piece)
            new.flush()
            os.fsync(new.fileno())
        self.made.rename(self.path)
        sync_folder(self.path.parent)


def compact(root: Path, sizes: dict[str, int], rest: Callable[[float], None]) -> Iterator[Compacted]:
    """Files of the journal that are worth it, written anew. `sizes` remembers, by name, how long each was afterwards.
    Raises OSError.
    """
    for path in journal.files(root):
        size = path.stat().st_size
        if size < max(LEAST_BYTES, 2 * sizes.get(path.name, 0)):
            continue
        made = path.with_suffix(".new")
        until_us = 0
        kept: list[dict[str, object]] = []
        gone: list[deletions.Deletion] = []
        for number, entry in enumerate(journal.read_file(path, size)):
            one = deletions.from_entry(entry)
            if one is None:
                kept.append(entry)
            else:
                gone.append(one)
                until_us = max(until_us, one.at_us - RECENT_US)
            if number % _STEP == 0:
                rest(0.001)
        recent = [one for one in gone if one.at_us > until_us]
        for one in [*deletions.merged(one for one in gone if one.at_us <= until_us), *recent]:
            (entry,) = deletions.entries([one])
            kept.append({"at": one.at_us, **entry})
        kept.sort(key=_at)
        with made.open("wb") as file:
            file.writelines(orjson.dumps(entry) + b"\n" for entry in kept)
            file.flush()
            os.fsync(file.fileno())
        sizes[path.name] = made.stat().st_size
        yield Compacted(path, made, size)


def _at(entry: dict[str, object]) -> int:
    at = entry["at"]
    return at if isinstance(at, int) else 0
