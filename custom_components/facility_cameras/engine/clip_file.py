"""Files that are made of footage: what belongs in them, how they are called, and writing them without touching a sample.

A file appears under its name once it is whole and on the disk; all files of a clip are written, or none. Blocks: runs in
the lane, at its rate.
"""

from collections.abc import Iterable, Iterator
import contextlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
import os
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from .api import Problem
from .api_footage import ClipCause, ClipFile
from .lane import Job
from .lane_volumes import ExpectedError
from .mp4 import Track, header

#: Copied at once, and written before it is put on the disk: a flood would hold up what is recorded.
_PIECE, _SYNCED = 4 << 20, 32 << 20
#: Room left on the volume a clip is written to.
ROOM_BYTES = 1 << 30


class ClipError(ExpectedError):
    """It cannot be made; `cause` and what its sentence needs."""

    def __init__(self, cause: ClipCause, **placeholders: str) -> None:
        super().__init__(cause, placeholders)
        self.problem: Problem = {"cause": cause.value, "placeholders": placeholders}


@dataclass(frozen=True, slots=True)
class _Range:
    """Bytes to be copied."""

    path: Path
    offset: int
    size: int


@dataclass(slots=True)
class Part:
    """What becomes one file."""

    tracks: list[Track]
    start_us: int
    ranges: list[_Range] = field(default_factory=list)
    payload: int = 0
    #: Ticks from a run's media time to the file's: what is added to a decode time.
    offset: int = 0
    run: str = ""
    #: Where the footage ends, UTC microseconds, if that is not when the file does (a film); 0 otherwise.
    covers_us: int = 0

    @property
    def video(self) -> Track:
        """Its pictures."""
        return self.tracks[0]

    @property
    def end_us(self) -> int:
        """When the footage ends that it shows, UTC microseconds."""
        return self.covers_us or self.start_us + self.shown * 100 // 9

    @property
    def shown(self) -> int:
        """When its last picture ends, in 90 kHz ticks since its beginning."""
        return self.video.shown_until or self.video.end

    def add(self, path: Path, offset: int, sizes: Iterable[int], track: Track) -> None:
        """Samples that lie together in a file."""
        some = tuple(sizes)
        size = sum(some)
        track.sizes.extend(some)
        track.chunks.append((self.payload, len(some)))
        before = self.ranges[-1] if self.ranges else None
        if before is not None and before.path == path and before.offset + before.size == offset:
            self.ranges[-1] = _Range(path, before.offset, before.size + size)
        else:
            self.ranges.append(_Range(path, offset, size))
        self.payload += size


@dataclass(frozen=True, slots=True)
class Name:
    """How files are called: the camera, and the facility's time and zone at their beginning."""

    camera: str
    zone: ZoneInfo

    def of(self, start_us: int, end_us: int, kind: str = "") -> str:
        """Such as `cong-chinh-abcdef_2026-11-25_14-30-05_UTC+07_600s.mp4`."""
        begun = datetime.fromtimestamp(start_us // 1_000_000, self.zone)
        minutes = (begun.utcoffset() or timedelta()) // timedelta(minutes=1)
        zone = (
            f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{f'{abs(minutes) % 60:02}' if minutes % 60 else ''}"
        )
        seconds = max(1, round((end_us - start_us) / 1e6))
        return f"{self.camera}_{begun:%Y-%m-%d_%H-%M-%S}_UTC{zone}_{seconds}s{f'_{kind}' if kind else ''}.mp4"


def write(parts: list[Part], folder: Path, name: Name, job: Job[Any], kind: str = "") -> list[ClipFile]:
    """Write every part as a file of its own: all, or none. Raises ClipError, JobCancelledError, OSError."""
    total = sum(part.payload for part in parts)
    volume = os.statvfs(folder)
    if volume.f_bavail * volume.f_frsize - total < ROOM_BYTES:
        raise ClipError(ClipCause.NO_ROOM, folder=str(folder), needed=f"{total / 1e9:.1f}")
    made: list[ClipFile] = []
    before = 0
    try:
        for part in parts:
            path = folder / name.of(part.start_us, part.end_us, kind)
            if any(file["path"] == str(path) for file in made):
                # Two formats within one second.
                path = path.with_stem(f"{path.stem}-{len(made) + 1}")
            size = _write(part, path, job, before, total)
            before += part.payload
            width, height = part.video.init.coded_size
            made.append(
                {
                    "path": str(path),
                    "start": part.start_us,
                    "end": part.end_us,
                    "bytes": size,
                    "pictures": len(part.video.sizes),
                    "codec": part.video.init.codec or "",
                    "width": width,
                    "height": height,
                }
            )
    except BaseException:
        for file in made:
            with contextlib.suppress(OSError):
                Path(file["path"]).unlink()
        raise
    return made


def _write(part: Part, path: Path, job: Job[Any], before: int, total: int) -> int:
    """Write one part under another name first; returns the file's size."""
    tracks = [track for track in part.tracks if track.sizes]
    unfinished = path.with_name(f".{path.name}.{job.id}")
    target = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    try:
        with os.fdopen(target, "wb") as file:
            file.write(header(tracks, part.payload, part.start_us))
            file.flush()
            done = synced = 0
            for one in part.ranges:
                for size in _copy(one, target, job):
                    done += size
                    if done - synced >= _SYNCED:
                        os.fdatasync(target)
                        os.posix_fadvise(target, 0, 0, os.POSIX_FADV_DONTNEED)
                        synced = done
                    job.advance(0.1 + 0.9 * (before + done) / max(total, 1))
            os.fsync(target)
            size = os.fstat(target).st_size
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return size


def _copy(one: _Range, target: int, job: Job[Any]) -> Iterator[int]:
    """Copy a range to where `target` stands, in pieces; gives the size of each."""
    try:
        fd = os.open(one.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise ClipError(ClipCause.FOOTAGE_DELETED) from error
    try:
        offset, end = one.offset, one.offset + one.size
        while offset < end:
            job.spend(2 * min(_PIECE, end - offset))
            copied = os.sendfile(target, fd, offset, min(_PIECE, end - offset))
            if not copied:
                raise ClipError(ClipCause.FOOTAGE_DAMAGED)
            offset += copied
            yield copied
        # Footage is seldom read again soon: the machine's cache stays for others.
        os.posix_fadvise(fd, one.offset, one.size, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
