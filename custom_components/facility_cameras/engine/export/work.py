"""The work of one export, in slices for the lane: plan once, copy file by file, then write what lies beside them.

While it is under way everything lies in a folder whose name ends in `-unfinished`, with a folder `.state` in it: the plan,
and a line for each file that is copied, checked and on the disk. So it goes on after a crash or a disk that was away
with the file it was at, and what was copied is not copied again. Only the last step gives it its name.

Promise I6 (untouched): files are copied byte for byte, and the SHA-256 of what was read is compared with the one taken
while it was recorded. Promise I3: what is gone or unreadable is told, never left out in silence; nothing of the archive
is written to. Promise I4: so much room is left on the disk that neither recording nor retention notices.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
import contextlib
from dataclasses import asdict
import hashlib
import os
from pathlib import Path
import threading
import time
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from ..api import VolumeState
from ..api_footage import ExportRequest, Gap, Missed
from ..archive.files import sync_folder
from ..archive.volume import keep_free, look
from ..lane import Job
from .copied import Copied
from .gap_words import without_footage
from .manifest import every_gap, is_gap, missed, pieces
from .papers import MANIFEST, README, SUMS, readme, subtitles
from .plan import Entry, ExportError, Recorded, entries, protect, source_of
from .target import FolderTarget, Target, TarTarget, remove, writing

#: An export leaves the lane to others after so long.
SLICE_S = 15.0
#: A step that was cancelled ends within so long, unless a disk does not answer.
_LAST_STEP_S = 5.0
#: Read at once.
_PIECE = 1 << 20
#: Left free on a disk of its own, at most.
_ROOM = 1 << 30
_STATE, _PLAN, _DONE = ".state", "plan.jsonl", "done.jsonl"


class _SourceError(Exception):
    """A file of the archive cannot be read."""


class Work:
    """One export. `step` runs in the lane, one call at a time; the figures may be read by anybody."""

    def __init__(
        self,
        identity: str,
        facility: str,
        request: ExportRequest,
        name: str,
        *,
        build: str,
        now_us: Callable[[], int],
        clock_offsets: Callable[[], Mapping[str, float | None]],
    ) -> None:
        """`name` is what it will be called; no other export is. Nothing is touched yet."""
        self._identity = identity
        self._facility = facility
        self._request = request
        self._name = name
        self._build = build
        self._now_us = now_us
        self._clock_offsets = clock_offsets
        self._zone = ZoneInfo(request["zone"])
        self._root = Path(request["folder"])
        self._folder = self._root / f"{name}-unfinished"
        self._tar = request["form"] == "tar"
        #: Where it will be.
        self.path = self._root / (f"{name}.tar" if self._tar else name)
        self._target: Target = TarTarget(self._folder, name) if self._tar else FolderTarget(self._folder)
        self._plan: list[Entry] | None = None
        self._began_us = 0
        self._offsets: dict[str, float | None] = {}
        self._done: list[Copied] = []
        self._turn = threading.Lock()
        self.bytes = self.all_bytes = self.gaps = 0

    @property
    def files(self) -> int:
        """Files that are dealt with."""
        return len(self._done)

    @property
    def all_files(self) -> int:
        """Files in all; 0 before they are known."""
        return len(self._plan or ())

    @property
    def missed(self) -> list[Missed]:
        """What is not exported as it was recorded, so far."""
        return missed(zip(self._plan or (), tuple(self._done), strict=False))

    # In the lane --------------------------------------------------------------------------------------------------

    def step(self, archive: Recorded, job: Job[Any], seconds: float = SLICE_S) -> bool:
        """Go on for some seconds, but by one file at least; True once everything is done. Raises ExportError, JobCancelledError."""
        with self._turn:
            return self._step(archive, job, seconds)

    def _step(self, archive: Recorded, job: Job[Any], seconds: float) -> bool:
        until = time.monotonic() + seconds
        job.advance(0.0)
        with writing(self._root):
            over = os.path.lexists(self.path)
        if self._plan is None:
            # Where it was finished in the moment before a crash, its state is still there.
            self._load(self.path if over and not self._tar else self._folder)
        if over:
            self._count(archive)
            return True
        if self._plan is None:
            self._make_plan(archive)
        plan = self._plan or []
        self._target.go_on(self._done[-1].end if self._done else 0)
        self._check_room(archive, sum(entry.size for entry in plan[len(self._done) :]))
        if len(self._done) < len(plan):
            self._protect(archive, plan[len(self._done)].start_us)
        while len(self._done) < len(plan):
            entry = plan[len(self._done)]
            self._check_room(archive, entry.size)
            self._note(self._copy(archive, entry, job))
            self.bytes += entry.size
            if time.monotonic() > until and len(self._done) < len(plan):
                return False
        self._write_papers(archive, list(zip(plan, self._done, strict=True)))
        job.advance(0.0)
        self._target.finish(self.path)
        return True

    def discard(self) -> None:
        """Nobody wants it: take away what was made, once a step that was cancelled has ended. Raises ExportError."""
        if not self._turn.acquire(timeout=_LAST_STEP_S):
            raise ExportError("busy")
        try:
            with writing(self._root):
                remove(self._folder)
        finally:
            self._turn.release()

    def tidy(self) -> None:
        """Take away what was needed only to go on. Raises ExportError."""
        with writing(self._root):
            remove(self._folder if self._tar else self.path / _STATE)

    def _make_plan(self, archive: Recorded) -> None:
        request = self._request
        # First, for recording goes before: nothing is held back from retention while there is nowhere to copy it to.
        self._check_room(archive, 0)
        self._protect(archive, request["start"])
        cameras = [(camera["id"], camera["name"]) for camera in request["cameras"]]
        plan = entries(archive, self._facility, cameras, request["start"], request["end"], self._zone)
        self._began_us, self._offsets = self._now_us(), dict(self._clock_offsets())
        self._check_room(archive, sum(entry.size for entry in plan))
        state = self._folder / _STATE
        with writing(self._root):
            # Not its parents: where they are missing, the disk is away.
            self._folder.mkdir(mode=0o750, exist_ok=True)
            state.mkdir(mode=0o750, exist_ok=True)
            (state / _DONE).unlink(missing_ok=True)
            unfinished = state / f"{_PLAN}.new"
            with unfinished.open("wb") as file:
                file.write(orjson.dumps({"began": self._began_us, "clock_offsets": self._offsets}) + b"\n")
                file.writelines(orjson.dumps(asdict(entry)) + b"\n" for entry in plan)
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(state / _PLAN)
            for folder in (state, self._folder, self._root):
                sync_folder(folder)
        self._take(plan, [])

    def _load(self, folder: Path) -> None:
        """Go on where it was left; nothing is loaded if there is no plan yet. Raises ExportError."""
        state = folder / _STATE
        with writing(self._root):
            try:
                head, *lines = (state / _PLAN).read_bytes().splitlines()
                done = (state / _DONE).read_bytes().splitlines() if (state / _DONE).exists() else []
            except FileNotFoundError:
                return
        try:
            told = orjson.loads(head)
            plan = [Entry(**orjson.loads(line)) for line in lines]
            self._began_us, self._offsets = told["began"], told["clock_offsets"]
        except (ValueError, TypeError, KeyError) as error:
            raise ExportError("state_unreadable", lasting=True, folder=str(state)) from error
        copied: list[Copied] = []
        for entry, line in zip(plan, done, strict=False):
            try:
                one = Copied(**orjson.loads(line))
            except ValueError, TypeError:
                break  # a power cut left it half written
            if folder == self._folder and one.sha256 and not self._is_there(entry, one):
                break
            copied.append(one)
        if len(copied) < len(done) and folder == self._folder:
            with writing(self._root):
                (state / _DONE).write_bytes(b"".join(orjson.dumps(one.line()) + b"\n" for one in copied))
        self._take(plan, copied)

    def _is_there(self, entry: Entry, one: Copied) -> bool:
        return self._target.has(entry.name, one.size, one.end) and self._target.has(
            one.subtitles, one.subtitles_size, one.end
        )

    def _take(self, plan: list[Entry], done: list[Copied]) -> None:
        self._plan, self._done = plan, done
        self.all_bytes = sum(entry.size for entry in plan)
        self.bytes = sum(entry.size for entry in plan[: len(done)])

    def _protect(self, archive: Recorded, start_us: int) -> None:
        """Retention waits for what is not copied yet: from `start_us` on, for files are copied oldest first."""
        request = self._request
        cameras = [camera["id"] for camera in request["cameras"]]
        protect(archive, self._identity, cameras, start_us, request["end"], self._now_us())

    def _check_room(self, archive: Recorded, wanted: int) -> None:
        with writing(self._root):
            volume = os.statvfs(self._root)
            same = self._root.stat().st_dev == _device(archive.root)
        total, free = volume.f_blocks * volume.f_frsize, volume.f_bavail * volume.f_frsize
        # On the archive's own disk less room would have retention delete footage.
        left = keep_free(total) if same else min(_ROOM, total // 20)
        if free - wanted < left:
            raise ExportError("no_room", folder=str(self._root), needed=f"{(wanted + left - free) / 1e9:.2f}")

    def _copy(self, archive: Recorded, entry: Entry, job: Job[Any]) -> Copied:
        try:
            fd = os.open(source_of(archive, entry), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            return self._not_copied(archive, "gone" if isinstance(error, FileNotFoundError) else "unreadable")
        digest = hashlib.sha256()
        try:
            # What others made shorter is exported as it is, and named.
            size = min(entry.size, os.fstat(fd).st_size)
            self._target.add(entry.name, size, _read(fd, size, digest.update, job))
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except _SourceError:
            return self._not_copied(archive, "unreadable")
        finally:
            os.close(fd)
        sha256 = digest.hexdigest()
        damaged = size != entry.size or entry.sha256 not in ("", sha256)
        if damaged:
            self._check_archive(archive)
        text = subtitles(entry.start_us, entry.end_us, entry.media_us, self._zone)
        name = entry.name.removesuffix(".mp4") + ".vtt"
        end = self._target.add(name, len(text), [text])
        return Copied(
            size, sha256, name, len(text), hashlib.sha256(text).hexdigest(), end, "damaged" if damaged else ""
        )

    def _not_copied(self, archive: Recorded, why: str) -> Copied:
        self._check_archive(archive)
        return Copied(end=self._done[-1].end if self._done else 0, why=why)

    def _check_archive(self, archive: Recorded) -> None:
        """A disk that was pulled out must not make every file of it a lost one. Raises ExportError."""
        found = look(archive.root, archive.archive_id).state
        if found in (VolumeState.MISSING, VolumeState.ERROR):
            raise ExportError("archive_away")

    def _note(self, copied: Copied) -> None:
        with writing(self._root):
            fd = os.open(self._folder / _STATE / _DONE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
            try:
                os.write(fd, orjson.dumps(copied.line()) + b"\n")
                os.fsync(fd)
            finally:
                os.close(fd)
        self._done.append(copied)

    def _count(self, archive: Recorded) -> None:
        """The figures of an export that is finished."""
        done = list(zip(self._plan or (), self._done, strict=False))
        self.gaps = _gaps(every_gap(archive, self._request, done, self._began_us))

    def _write_papers(self, archive: Recorded, done: Sequence[tuple[Entry, Copied]]) -> None:
        request = self._request
        found = every_gap(archive, request, done, self._began_us)
        self.gaps = _gaps(found)
        sums = [(one.sha256, entry.name) for entry, one in done if one.sha256]
        sums += [(one.subtitles_sha256, one.subtitles) for _, one in done if one.sha256]
        content = list(
            pieces(
                archive, self._facility, request, done, found,
                clock_offsets=self._offsets, build=self._build, began_us=self._began_us, ended_us=self._now_us(),
            )
        )  # fmt: skip
        names = {camera["id"]: camera["name"] or camera["id"] for camera in request["cameras"]}
        page = readme(
            request["name"], request["start"], request["end"], self._zone, len(missed(done)),
            without_footage(found, names, self._zone),
        )  # fmt: skip
        for name, parts in ((MANIFEST, content), (README, [page])):
            digest = hashlib.sha256()
            for part in parts:
                digest.update(part)
            sums.append((digest.hexdigest(), name))
            self._target.add(name, sum(map(len, parts)), parts)
        # Sums last: what has them is whole.
        lines = [f"{sha256}  {name}\n".encode() for sha256, name in sums]
        self._target.add(SUMS, sum(map(len, lines)), lines)


def _gaps(found: Mapping[str, Sequence[Gap]]) -> int:
    return sum(is_gap(gap) for several in found.values() for gap in several)


def _device(folder: Path) -> int | None:
    """The device a folder lies on, None if it cannot be told."""
    with contextlib.suppress(OSError):
        return folder.stat().st_dev
    return None


def _read(fd: int, size: int, seen: Callable[[bytes], None], job: Job[Any]) -> Iterator[bytes]:
    """The first `size` bytes of a file, in pieces, at the lane's pace."""
    while size:
        job.spend(2 * min(_PIECE, size))
        try:
            piece = os.read(fd, min(_PIECE, size))
        except OSError as error:
            raise _SourceError from error
        if not piece:
            raise _SourceError
        seen(piece)
        size -= len(piece)
        yield piece
