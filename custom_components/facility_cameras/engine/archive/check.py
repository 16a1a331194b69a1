"""Compares an archive's files, index and journal, and names what does not keep to the promises. Changes nothing.

Works on a copy of the index (copied_index.py), so also beside an engine that records: what was recorded or deleted since
the copy was made is no finding.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
import hashlib
import os
from pathlib import Path
import sqlite3
import time

from . import check_journal
from .copied_index import copied_index
from .finding import Finding
from .fragments import unpack_fragments
from .index import OPEN, Index
from .opening import INDEX
from .repair import read_fragments
from .schema import UnusableIndexError
from .survey import Findings, Survey
from .volume import MARKER

_PIECE = 1 << 20
_STEP = 200


#: What a survey calls it, and what that means for the archive.
_OF_SURVEY = {
    "taken_in": ("file_without_row", "I1", "This footage is not in the index."),
    "lost": (
        "row_without_file",
        "I3",
        "The index has this footage, but the file is not there, and nobody of us deleted it.",
    ),
    "changed": ("size_differs", "I1", "The file is not as long as when it was closed."),
    "foreign": ("foreign", "", "This file is no footage of this archive. It is left alone."),
    "unreadable": ("unreadable", "", "This cannot be read, so nothing is known of it."),
}


@dataclass(slots=True)
class _All(Findings):
    """Names all of them, in the order in which they are found."""

    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, kind: str, path: str) -> None:
        self.found.append((kind, path))


def check(
    root: Path, *, held: bool, read: bool, wait: Callable[[int], None], progress: Callable[[int, int], None]
) -> Iterator[Finding]:
    """Everything that is found. `held`: an engine records into it. `read`: read every file, after each piece of which
    `wait` is called with its bytes. `progress` is told what is done of how much. Raises OSError.
    """
    if not (root / MARKER).is_file():
        yield Finding("no_marker", "I4", MARKER, "The archive's marker is missing: no engine writes into this folder.")
    if not (root / INDEX).exists():
        yield Finding("no_index", "I1", INDEX, "There is no index. The engine makes it again, and so does `rebuild`.")
    copied_us = time.time_ns() // 1000
    try:
        with copied_index(root) as index:
            if index.query("PRAGMA quick_check(1)") != [("ok",)]:
                yield Finding("index_broken", "I1", INDEX, "The index is damaged. `rebuild` makes it again.")
                return
            yield from _in_itself(index, held=held)
            yield from check_journal.check(index, root)
            # Before the survey, which changes the copy.
            if read:
                yield from _contents(index, root, wait, progress)
            yield from _files(index, root, copied_us if held else None, progress)
    except UnusableIndexError as error:
        yield Finding("index_schema", "I1", INDEX, f"The index is of another engine: {error}.")
    except sqlite3.Error as error:
        yield Finding("index_broken", "I1", INDEX, f"The index cannot be read ({error}). `rebuild` makes it again.")


def _in_itself(index: Index, *, held: bool) -> Iterator[Finding]:
    """What the index tells is of one piece."""
    for row in index.unfinished():
        if not held:
            sentence = "This file was being written when the engine ended. The next start closes it."
            yield Finding("not_closed", "I2", row.path, sentence)
    for (camera,) in index.query("SELECT uid FROM camera"):
        before_us = 0
        for path, start_us, end_us, _, state, unread in index.files(camera):
            if state == OPEN:
                continue
            if end_us < start_us:
                yield Finding("times_wrong", "I5", path, "This footage ends before it begins.")
            if start_us < before_us:
                yield Finding("overlap", "I5", path, "This footage begins before the one before it ends.")
            if unread:
                sentence = "This file was taken in and has not been read yet: it has no hash, and does not play."
                yield Finding("not_read", "I6", path, sentence)
            before_us = end_us
    for folder, said, sum_of in index.query(
        "SELECT folder, bytes, (SELECT coalesce(sum(segment.bytes), 0) FROM segment "
        "WHERE segment.camera = camera.id AND state > 0) AS found FROM camera WHERE bytes != found"
    ):
        yield Finding("sum_wrong", "I1", folder, f"The index says {said} bytes of this camera, its files are {sum_of}.")


def _files(index: Index, root: Path, since_us: int | None, progress: Callable[[int, int], None]) -> Iterator[Finding]:
    """Names and sizes of all files."""
    ((total,),) = index.query("SELECT count(*) FROM segment")
    findings = _All()
    survey = Survey(index, root, findings=findings)
    for _ in survey.steps():
        progress(min(survey.rows, total), total)
        yield from _told(findings, root, since_us)
    yield from _told(findings, root, since_us)


def _told(findings: _All, root: Path, since_us: int | None) -> Iterator[Finding]:
    found, findings.found = findings.found, []
    for kind, path in found:
        if since_us is None or not _is_newer(root / path, kind, since_us):
            code, promise, sentence = _OF_SURVEY[kind]
            yield Finding(code, promise, path, sentence)


def _is_newer(path: Path, kind: str, since_us: int) -> bool:
    """Whether it came after the copy of the index was made."""
    try:
        return kind in ("taken_in", "foreign") and path.lstat().st_ctime_ns // 1000 >= since_us - 1_000_000
    except OSError:
        return True


def _contents(
    index: Index, root: Path, wait: Callable[[int], None], progress: Callable[[int, int], None]
) -> Iterator[Finding]:
    """Promises I2 and I6: every file holds what was recorded, whole fragments to its end."""
    ((total,),) = index.query("SELECT coalesce(sum(bytes), 0) FROM segment WHERE state > 0")
    done = number = 0
    while rows := index.following(number, _STEP):
        number = rows[-1].id
        digests = dict(index.query("SELECT id, sha256 FROM segment WHERE id >= ? AND id <= ?", rows[0].id, number))
        for row in rows:
            if row.state == OPEN:
                continue
            try:
                digest = _hash(root / row.path, wait)
                found = read_fragments(root / row.path, row.init_bytes)
            except OSError:
                # A look at the names says what is the matter.
                continue
            if digests[row.id] not in (None, digest):
                yield Finding("hash_differs", "I6", row.path, "The file is not what was recorded: its SHA-256 differs.")
            if found.bytes != row.size:
                sentence = (
                    f"Only {found.bytes} of {row.size} bytes are whole fragments; what is behind them does not play."
                )
                yield Finding("not_whole", "I2", row.path, sentence)
            elif [one.bytes for one in unpack_fragments(row.fragments)] != [one.bytes for one in found.fragments]:
                yield Finding("fragments_differ", "I1", row.path, "The index has other fragments than the file.")
            done += row.size
            progress(done, total)


def _hash(path: Path, wait: Callable[[int], None]) -> bytes:
    digest, position = hashlib.sha256(), 0
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        while piece := os.pread(fd, _PIECE, position):
            digest.update(piece)
            position += len(piece)
            wait(len(piece))
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
    return digest.digest()
