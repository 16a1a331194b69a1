"""What each camera showed last before it went away, kept beyond a restart or a crash of the engine.

It changes when an outage begins, and once when a camera is first seen; so what is told of it changes as seldom. For the
case that the engine, or the whole site, goes down before its cameras do, a second picture is renewed every hour and when
the machine ends the engine: it is taken over where a camera does not come back afterwards.

Small JPEGs in a folder of the engine's state, for its owner alone, gone with their camera, and kept no longer than its
footage. Each is written whole, then renamed into place: a crash leaves the old or the new one. Its time is in the file itself, so the two cannot part.
"""

import asyncio
from collections.abc import Callable
import contextlib
from dataclasses import dataclass
import hashlib
import logging
from pathlib import Path

from ..archive.files import sync_folder
from ..clock import Clock, microseconds
from ..feed import Feed
from ..media import Sample, StreamFormat
from ..saved import write_bytes
from .stills import PictureError, Stills

_LOGGER = logging.getLogger(__name__)

_DAY_US = 24 * 3600 * 1_000_000
#: Pixels. Enough to see what was there; 64 of them are about 4 MB.
WIDTH = 640
#: How often what is taken over after a crash is renewed, seconds.
SPARE_S = 3600.0
#: What may be spent on it when the engine ends, seconds: it has two for everything.
END_S = 1.0
#: No JPEG of WIDTH is larger.
_MOST_BYTES = 4 << 20
#: A JPEG begins with its first two bytes; ours goes on with a comment that holds its time as so many digits.
_START, _COMMENT, _DIGITS = b"\xff\xd8", b"\xff\xfe\x00\x16", 20
_LAST, _SPARE = ".jpg", ".spare.jpg"


@dataclass(frozen=True, slots=True)
class Kept:
    """A JPEG, and when it was taken (UTC microseconds)."""

    jpeg: bytes
    taken_us: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A key picture as it was received, and when that was (UTC microseconds)."""

    stream: StreamFormat
    sample: Sample
    taken_us: int


class LastPicture:
    """The last picture of one camera."""

    def __init__(self, stem: str, known: dict[str, int], clock: Clock, wanted: Callable[[], None]) -> None:
        """`known`: files by name, with the time of each; `wanted` has the work done that is left here."""
        self._clock = clock
        self._wanted = wanted
        self.stem = stem
        #: When it was taken (UTC microseconds); None if the camera was never seen.
        self.taken_us: int | None = known.get(stem + _LAST)
        #: The same of what is taken over after a crash; None if it is not newer.
        self.spare_us = known.get(stem + _SPARE)
        if self.spare_us is not None and self.spare_us <= (self.taken_us or 0):
            # A crash came between writing the one and removing the other.
            self.spare_us = None
        #: What is to be written still.
        self.to_keep: Seen | None = None
        self.to_take_over = False
        self.removed = False
        self.feed: Feed | None = None
        self._sample: Sample | None = None

    def seen(self, feed: Feed) -> None:
        """The camera sends pictures."""
        self.feed = feed
        if self.taken_us is None:
            self.gone(feed)

    def gone(self, feed: Feed) -> None:
        """The camera went away: what it showed last is its last picture from now on."""
        if (newest := self.newest(feed)) is not None:
            if newest.sample is not self._sample:
                self.taken_us, self._sample, self.to_keep = newest.taken_us, newest.sample, newest
                self.spare_us, self.to_take_over = None, False
                self._wanted()
        elif self.spare_us is not None:
            self.taken_us, self.spare_us, self.to_take_over = self.spare_us, None, True
            self._wanted()

    def newest(self, feed: Feed) -> Seen | None:
        """The newest key picture of its feed. Of the one that is told, with the time that is told."""
        if feed.newest_key is None:
            return None
        stream, sample = feed.newest_key
        if sample is self._sample and self.taken_us is not None:
            return Seen(stream, sample, self.taken_us)
        return Seen(stream, sample, microseconds(sample.received + self._clock.utc() - self._clock.monotonic()))


class LastPictures:
    """The last pictures of all cameras."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """Look what is kept in `folder`. Blocks for a moment."""
        self._folder = folder
        self._clock = clock
        self._known = _found(folder)
        self._pictures: dict[str, LastPicture] = {}
        #: How many days footage of each camera is kept.
        self.days: dict[str, int] = {}
        #: False where another engine follows at once: it must not wait for pictures, cameras are to be recorded.
        self.renew_at_end = True
        self._gone: set[str] = set()
        self._wanted = asyncio.Event()
        self._turn = asyncio.Lock()
        #: Its own worker: pictures for live never wait for these.
        self._stills = Stills()
        self._failed = False

    def of(self, identity: str) -> LastPicture:
        """The last picture of a camera."""
        if (found := self._pictures.get(identity)) is None:
            # An id comes from outside: it is mapped to a file's name, never part of it.
            stem = hashlib.sha256(identity.encode()).hexdigest()[:32]
            found = self._pictures[identity] = LastPicture(stem, self._known, self._clock, self._wanted.set)
        return found

    def forget(self, identity: str) -> None:
        """The camera was removed."""
        if (found := self._pictures.pop(identity, None)) is not None:
            found.removed = True
            self.days.pop(identity, None)
            self._gone.add(found.stem)
            for ending in (_LAST, _SPARE):
                self._known.pop(found.stem + ending, None)
            self._wanted.set()

    async def watch(self) -> None:
        """Write what is to be kept. Ends only by being cancelled."""
        due = self._clock.monotonic() + SPARE_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - self._clock.monotonic())):
                    await self._wanted.wait()
            self._wanted.clear()
            await self._write_all()
            if self._clock.monotonic() >= due:
                due = self._clock.monotonic() + SPARE_S
                self._forget_old()
                await self._write_all()
                await self._spare_all()
                await self._clear_rest()
            await self._stills.rest()

    async def close(self) -> None:
        """Write what is still to be kept, as far as there is time, and end the worker."""
        try:
            async with asyncio.timeout(END_S):
                await self._write_all()
                if self.renew_at_end:
                    await self._spare_all()
        except TimeoutError:
            _LOGGER.info("not every camera's newest picture could be kept in time")
        await self._stills.close()

    async def kept(self, identity: str, *, newest: bool = False) -> Kept | None:
        """What a camera showed last before it went away; None if there is nothing. `newest`: the newest that is kept."""
        found = self._pictures.get(identity)
        if found is None:
            return None
        async with self._turn:
            await self._write(found)
        ending = _SPARE if newest and found.spare_us is not None else _LAST
        return await asyncio.to_thread(_read, self._folder / (found.stem + ending))

    # Writing ------------------------------------------------------------------------------------------------------

    async def _write_all(self) -> None:
        while self._gone:
            async with self._turn:
                await asyncio.to_thread(_remove, self._folder, self._gone.pop())
        for one in tuple(self._pictures.values()):
            async with self._turn:
                await self._write(one)

    async def _write(self, one: LastPicture) -> None:
        """Have on the disk what is told of it. Where that fails it stays to be written."""
        if one.to_take_over and await self._try(one, lambda: _take_over(self._folder, one.stem)):
            one.to_take_over = False
        if (seen := one.to_keep) is None:
            return
        jpeg = await self._jpeg(seen)
        if jpeg is None or await self._try(one, lambda: _keep(self._folder, one.stem, jpeg, seen.taken_us)):
            one.to_keep = one.to_keep if one.to_keep is not seen else None

    async def _spare_all(self) -> None:
        """Renew what is taken over after a crash, of every camera that has sent something newer."""
        for one in tuple(self._pictures.values()):
            seen = one.newest(one.feed) if one.feed is not None else None
            if seen is not None and seen.taken_us > (one.taken_us or 0):
                async with self._turn:
                    await self._spare(one, seen)

    async def _spare(self, one: LastPicture, seen: Seen) -> None:
        jpeg = await self._jpeg(seen)
        # It may have gone away meanwhile.
        if jpeg is None or seen.taken_us <= (one.taken_us or 0):
            return
        if await self._try(one, lambda: _write(self._folder, one.stem + _SPARE, jpeg, seen.taken_us)):
            one.spare_us = seen.taken_us

    def _forget_old(self) -> None:
        """What is older than the footage that is kept goes; the camera's newest takes its place, if that is not."""
        now_us = microseconds(self._clock.utc())
        for identity, one in self._pictures.items():
            since_us = now_us - self.days.get(identity, 0) * _DAY_US
            if not self.days.get(identity) or one.taken_us is None or one.taken_us >= since_us:
                continue
            newest = one.newest(one.feed) if one.feed is not None else None
            if one.feed is not None and newest is not None and newest.taken_us >= since_us:
                one.gone(one.feed)
                continue
            if one.feed is not None:
                one.feed.newest_key = None
            one.taken_us = one.spare_us = one.to_keep = None
            self._gone.add(one.stem)

    async def _clear_rest(self) -> None:
        """Files of cameras that are not there: of a removal that a crash came before."""
        if self._pictures:
            stems = {one.stem for one in self._pictures.values()}
            await asyncio.to_thread(_clear, self._folder, stems)

    async def _jpeg(self, seen: Seen) -> bytes | None:
        """None where it cannot be decoded, also not by a second worker (the first may have been too slow)."""
        video = seen.stream.video
        sets = (*video.vps, *video.sps, *video.pps)
        for last_try in (False, True):
            try:
                return await self._stills.decode(video.codec, sets, seen.sample.parts, (WIDTH, 0))
            except PictureError as error:
                if last_try:
                    _LOGGER.info("a last picture cannot be kept: %s", error)
        return None

    async def _try(self, one: LastPicture, write: Callable[[], None]) -> bool:
        """Write in a thread, unless the camera was removed. Where that fails it is said once; returns whether it did not."""
        if one.removed:
            return True
        try:
            await asyncio.to_thread(write)
        except OSError as error:
            if not self._failed:
                _LOGGER.warning("last pictures cannot be kept: %s", error)
            self._failed = True
            return False
        self._failed = False
        return True


# Files; all of this blocks ------------------------------------------------------------------------------------------


def _found(folder: Path) -> dict[str, int]:
    """The time of each file (UTC microseconds), by its name. What cannot be read is left out."""
    found = {}
    for path in folder.glob("*.jpg"):
        if (kept := _read(path)) is not None:
            found[path.name] = kept.taken_us
    return found


def _read(path: Path) -> Kept | None:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        _LOGGER.warning("a last picture cannot be read: %s", error)
        return None
    begin = len(_START + _COMMENT)
    digits = data[begin : begin + _DIGITS]
    if not data.startswith(_START + _COMMENT) or len(digits) < _DIGITS or not digits.isdigit():
        return None
    return Kept(data, int(digits))


def _write(folder: Path, name: str, jpeg: bytes, taken_us: int) -> None:
    """Raises OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    write_bytes(folder, name, _START + _COMMENT + f"{taken_us:0{_DIGITS}}".encode() + jpeg.removeprefix(_START))


def _keep(folder: Path, stem: str, jpeg: bytes, taken_us: int) -> None:
    """Raises OSError."""
    _write(folder, stem + _LAST, jpeg, taken_us)
    (folder / (stem + _SPARE)).unlink(missing_ok=True)


def _take_over(folder: Path, stem: str) -> None:
    """Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        (folder / (stem + _SPARE)).replace(folder / (stem + _LAST))
        sync_folder(folder)


def _remove(folder: Path, stem: str) -> None:
    for path in folder.glob(f"{stem}.*"):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _LOGGER.warning("a removed camera's last picture cannot be removed: %s", error)


def _clear(folder: Path, stems: set[str]) -> None:
    for stem in {path.name.partition(".")[0] for path in folder.glob("*")} - stems:
        _remove(folder, stem)
