"""Small pictures of recorded footage: the key picture at or before a time, decoded when asked.

They are kept in memory only, within a bound, so that none outlives its footage for long. Read in the slow lane and
decoded by a worker of their own: pictures for live never wait for them, and the worker ends when nobody asks.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
import os

from .archive.archive import Archive
from .fmp4_read import VIDEO, BadFootageError, parameter_sets, read_fragment, read_init
from .lane import Job, Lane
from .lane_volumes import ExpectedError, Volumes
from .picture.stills import PICTURE_BYTES, PictureError, Stills
from .sources import NoIndexError, Source, init_of, sources

#: Pixels, where nobody says how wide.
WIDTH = 320
#: What is kept, bytes.
CACHE_BYTES = 16 << 20
#: Where there is no footage of a time, that within this is shown.
NEAR_US = 3_600_000_000
#: The worker ends when nobody asked for so long, seconds.
IDLE_S = 60.0


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture as JPEG, and when it was taken (UTC microseconds)."""

    jpeg: bytes
    taken_us: int


@dataclass(frozen=True, slots=True)
class _Place:
    """A fragment that begins with a key picture: where it lies, and when it was recorded."""

    source: Source
    offset: int
    size: int
    taken_us: int

    @property
    def key(self) -> tuple[str, int]:
        """What it is kept under."""
        return str(self.source.path), self.offset


@dataclass(frozen=True, slots=True)
class _Coded:
    """A key picture as it was recorded."""

    codec: str
    sets: list[bytes]
    picture: bytes


class _UnreadableError(ExpectedError):
    """The picture cannot be read; says why."""


class Thumbnails:
    """Pictures of footage, on demand."""

    def __init__(self, lane: Lane) -> None:
        """Read in this lane. No worker is started yet."""
        self._lane = lane
        self._stills = Stills()
        self._kept: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._bytes = 0
        self._idle: asyncio.TimerHandle | None = None
        self._resting: asyncio.Task[None] | None = None

    async def picture(self, archive: Archive, camera: str, at_us: int, width: int) -> Thumbnail | None:
        """The key picture of a camera at or before a time, `width` pixels wide at most. Where there is no footage then,
        the nearest within an hour; None if there is none. Raises NoIndexError, LaneFullError, PictureError.
        """
        place = await asyncio.to_thread(_find, archive, camera, at_us)
        if place is None:
            return None
        key = (*place.key, width)
        jpeg = self._kept.get(key)
        if jpeg is None:
            coded = await self._read(archive, camera, place)
            jpeg = await self._stills.decode(coded.codec, coded.sets, [coded.picture], (width, 0))
            self._keep(key, jpeg)
            self._rest_later()
        else:
            self._kept.move_to_end(key)
        return Thumbnail(jpeg, place.taken_us)

    async def close(self) -> None:
        """End the worker."""
        if self._idle is not None:
            self._idle.cancel()
        if self._resting is not None:
            await self._resting
        await self._stills.close()

    async def _read(self, archive: Archive, camera: str, place: _Place) -> _Coded:
        job = self._lane.submit(
            "thumbnail", camera, lambda job: _read(archive, place, job), quick=True, volumes=Volumes(archive)
        )
        try:
            await job.wait()
        except asyncio.CancelledError:
            job.cancel()
            raise
        finally:
            # A page of the media browser asks for dozens: they push no clip's result out.
            self._lane.forget(job)
        if job.error is not None:
            raise PictureError(str(job.error)) from job.error
        return job.result

    def _keep(self, key: tuple[str, int, int], jpeg: bytes) -> None:
        if key not in self._kept:
            self._kept[key] = jpeg
            self._bytes += len(jpeg)
        while self._bytes > CACHE_BYTES:
            self._bytes -= len(self._kept.popitem(last=False)[1])

    def _rest_later(self) -> None:
        loop = asyncio.get_running_loop()

        def rest() -> None:
            self._resting = loop.create_task(self._stills.rest())

        if self._idle is not None:
            self._idle.cancel()
        self._idle = loop.call_later(IDLE_S, rest)


def _find(archive: Archive, camera: str, at_us: int) -> _Place | None:
    """Where the key picture for a time lies. Raises NoIndexError."""
    for source in sources(archive, camera, at_us, at_us + 1):
        before = [place for place in _keys(source) if place.taken_us <= at_us]
        if before:
            return before[-1]
    near = sources(archive, camera, at_us - NEAR_US, at_us + NEAR_US + 1)
    places = [place for source in near for place in _keys(source)]
    found = min(places, key=lambda place: abs(place.taken_us - at_us), default=None)
    return found if found is not None and abs(found.taken_us - at_us) <= NEAR_US else None


def _keys(source: Source) -> Iterator[_Place]:
    """The fragments of a file that begin with a key picture, oldest first."""
    begins = accumulate((fragment.duration_us for fragment in source.fragments), initial=source.start_us)
    offsets = accumulate((fragment.bytes for fragment in source.fragments), initial=source.first_byte)
    for fragment, begin_us, offset in zip(source.fragments, begins, offsets, strict=False):
        if fragment.key:
            yield _Place(source, offset, fragment.bytes, begin_us)


def _read(archive: Archive, place: _Place, job: Job[_Coded]) -> _Coded:
    """In the lane: a key picture and what its decoder needs. Raises OSError, _UnreadableError, JobCancelledError."""
    try:
        track = next(track for track in read_init(init_of(archive, place.source.format)) if track.handler == VIDEO)
        sets, codec = parameter_sets(track), track.codec
        fd = os.open(place.source.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            pictures = read_fragment(fd, place.offset, place.size)[track.number]
            size = pictures.sizes[0]
            if codec is None or size > PICTURE_BYTES:
                raise BadFootageError("no picture that can be decoded")
            job.spend(size)
            data = os.pread(fd, size, pictures.offset)
        finally:
            os.close(fd)
    except (BadFootageError, NoIndexError, StopIteration, KeyError) as error:
        raise _UnreadableError(f"the footage cannot be read: {error}") from error
    return _Coded(codec, sets, data)
