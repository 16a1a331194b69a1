"""Compares the index with the files, a step at a time: what it does not know is taken in, what is gone becomes a gap.

Runs behind after each start (behind.py), and for `check` and `rebuild` (the command line). Only names and sizes are
looked at; a file that the index does not know is opened, and only its head read: rereading.py reads it later.

Promise I1 (durable): an index that was lost comes back from the files alone. Promise I3 (nothing vanishes): a row whose
file somebody else took away becomes a deletion with the reason "lost", or the one that the journal gives; a file that
is not ours is left alone and named. Links are never followed. A folder that cannot be read says nothing of its files.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
import os
from pathlib import Path
import re

from . import deletions, journal
from .adoption import adopt, is_known
from .identity import Head, read_head
from .index import OPEN, TAKEN_IN, Index, Row

#: So many rows, or files that were not known, in a step.
STEP = 200
#: Folders whose files' names are remembered while rows are gone through: 64 cameras, around midnight, and some.
_LISTED = 256
#: A camera's day lies so deep: facility, camera, day.
_DEEPEST = 4
#: So many are named, of each kind.
_NAMED = 50
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(slots=True)
class Findings:
    """What a survey found: how many of each kind, and the first ones' paths, relative to the archive."""

    #: `taken_in`, `lost`, `changed`, `foreign`, `unreadable`, and others that rereading.py names.
    counts: Counter[str] = field(default_factory=Counter)
    paths: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, path: str) -> None:
        """Count it and, if there is room, name it."""
        self.counts[kind] += 1
        named = self.paths.setdefault(kind, [])
        if len(named) < _NAMED:
            # A name may hold anything.
            named.append(path.encode(errors="backslashreplace").decode())


class Survey:
    """One comparison of an index with the files below `root`."""

    def __init__(
        self,
        index: Index,
        root: Path,
        lose: Callable[[Sequence[Row], str], None] | None = None,
        findings: Findings | None = None,
    ) -> None:
        """`lose` enters rows whose files are gone, with their reason: once nobody writes (archive.py), for a file may
        only just have been deleted, or the volume be gone.
        """
        self._index = index
        self._root = root
        self._lose = lose
        self.findings = findings if findings is not None else Findings()
        #: Rows gone through, and files looked at that no row named.
        self.rows = self.files = 0
        self._listed: OrderedDict[str, dict[str, int]] = OrderedDict()
        self._seen: set[str] = set()
        self._suspects: list[tuple[str, str]] = []
        self._gone: Mapping[str, list[deletions.Deletion]] = {}
        self._gone_at = 0

    def steps(self) -> Iterator[None]:
        """Do it; each step takes some milliseconds. Raises OSError and sqlite3.Error."""
        yield from self._compare_rows()
        while self._listed:
            self._forget_oldest()
        yield from self._take_in_suspects()
        for folder in self._folders("", 0):
            if folder not in self._seen:
                self._list(folder)
                self._forget_oldest()
                yield from self._take_in_suspects()
            yield

    # Rows → files ---------------------------------------------------------------------------------------------------

    def _compare_rows(self) -> Iterator[None]:
        number = 0
        while rows := self._index.following(number, STEP):
            number = rows[-1].id
            self.rows += len(rows)
            missing = [row for row in rows if not self._is_there(row)]
            if missing:
                self._lose_rows(missing)
            yield

    def _is_there(self, row: Row) -> bool:
        folder, _, name = row.path.rpartition("/")
        files = self._list(folder)
        # What is left of a folder in the end is not known to the index.
        size = files.pop(name, None)
        if row.state == OPEN:
            return True
        if size is None:
            try:
                # Recorded since its folder was read; or the folder cannot be read, which says nothing of its files.
                size = (self._root / row.path).lstat().st_size
            except FileNotFoundError, NotADirectoryError:
                return False
            except OSError, ValueError:
                return True
        if size != row.size:
            self.findings.add("changed", row.path)
            self._read_again(row, size)
        return True

    def _read_again(self, row: Row, size: int) -> None:
        """What the row says is no longer so: its file is to be read again, cut to whole fragments and hashed."""
        with self._index.transaction() as connection:
            changed = connection.execute(
                "UPDATE segment SET sha256 = NULL, bytes = ?, state = ? WHERE id = ? AND state > 0 AND bytes = ?",
                (size, TAKEN_IN, row.id, row.size),
            )
            if changed.rowcount:
                connection.execute("UPDATE camera SET bytes = bytes + ? WHERE uid = ?", (size - row.size, row.camera))

    def _lose_rows(self, rows: list[Row]) -> None:
        position = journal.position(self._root)
        if position != self._gone_at:
            # Somebody deletes meanwhile: read it again.
            self._gone, self._gone_at = _deleted_by_us(self._root), position
        by_reason: dict[str, list[Row]] = {}
        for row in rows:
            ranges = self._gone.get(row.camera, ())
            known = [one.reason for one in ranges if one.start_us <= row.start_us and row.end_us <= one.end_us]
            reason = known[0] if known else deletions.LOST
            by_reason.setdefault(reason, []).append(row)
            if reason == deletions.LOST:
                self.findings.add("lost", row.path)
        for reason, some in by_reason.items():
            if self._lose is not None:
                self._lose(some, reason)

    # Files → rows ---------------------------------------------------------------------------------------------------

    def _folders(self, folder: str, depth: int) -> Iterator[str]:
        """All folders that may hold footage, those of one camera by day, oldest first."""
        yield folder
        if depth == _DEEPEST:
            return
        try:
            with os.scandir(self._root / folder) as entries:
                below = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except OSError:
            # `_list` has said so.
            return
        for name in below:
            if not name.startswith(".") and (depth or name != journal.FOLDER):
                yield from self._folders(f"{folder}/{name}" if folder else name, depth + 1)

    def _list(self, folder: str) -> dict[str, int]:
        """Sizes by name of the files in a folder; none if it is not there or cannot be read."""
        if folder in self._listed:
            self._listed.move_to_end(folder)
            return self._listed[folder]
        files: dict[str, int] = {}
        try:
            with os.scandir(self._root / folder) as entries:
                files = {
                    entry.name: entry.stat(follow_symlinks=False).st_size
                    for entry in entries
                    if entry.name.endswith(".mp4") and entry.is_file(follow_symlinks=False)
                }
        except FileNotFoundError, NotADirectoryError:
            pass
        except OSError:
            if folder not in self._seen:
                self.findings.add("unreadable", folder)
        self._seen.add(folder)
        self._listed[folder] = files
        if len(self._listed) > _LISTED:
            self._forget_oldest()
        return files

    def _forget_oldest(self) -> None:
        folder, files = self._listed.popitem(last=False)
        self._suspects += [(folder, name) for name in sorted(files)]

    def _take_in_suspects(self) -> Iterator[None]:
        """Files that no row named when their folder was gone through."""
        suspects, self._suspects = self._suspects, []
        for start in range(0, len(suspects), STEP):
            heads: list[tuple[str, Head]] = []
            for folder, name in suspects[start : start + STEP]:
                path = f"{folder}/{name}" if folder else name
                if is_known(self._index, path):
                    continue
                self.files += 1
                head = self._head(path)
                if head is not None:
                    heads.append((path, head))
            if heads:
                for path in adopt(self._index, heads):
                    self.findings.add("taken_in", path)
            yield

    def _head(self, path: str) -> Head | None:
        try:
            # A name that is no UTF-8 cannot be kept, nor told to anybody.
            path.encode()
            head = read_head(self._root / path)
        except FileNotFoundError:
            return None
        except OSError:
            self.findings.add("unreadable", path)
            return None
        except UnicodeEncodeError:
            head = None
        if head is None:
            self.findings.add("foreign", path)
        return head


def _deleted_by_us(root: Path) -> Mapping[str, list[deletions.Deletion]]:
    """What the journal says was deleted, by camera. Raises OSError."""
    found: dict[str, list[deletions.Deletion]] = {}
    told = (deletions.from_entry(entry) for entry in journal.read(root))
    for one in deletions.merged(one for one in told if one is not None):
        found.setdefault(one.camera, []).append(one)
    return found
