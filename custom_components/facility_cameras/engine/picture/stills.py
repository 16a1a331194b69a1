"""Stills: the newest key picture as JPEG, decoded by the worker process, at most once per picture, size and stamp.

Nothing runs until somebody asks. There is one worker; it is replaced when it crashes or hangs, and whoever asked then
gets a PictureError (promise I7: apart).
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
import logging
import struct

from ..media import Buffer, Sample, StreamFormat
from .worker_process import WorkerProcess

_LOGGER = logging.getLogger(__name__)

#: As in worker.py, which runs alone and imports nothing from here.
_REQUEST = struct.Struct(">BHHIIH")
_ANSWER = struct.Struct(">BI")
_CODECS = {"h264": 1, "h265": 2, "jpeg": 3}

#: A worker that has not answered by then is stuck.
DECODE_S = 5.0
#: The first answer of a worker includes its start.
START_S = 15.0
#: Nobody sends a larger key picture, nor wants a larger JPEG.
PICTURE_BYTES = 16 << 20
JPEG_BYTES = 16 << 20
SIDE_MAX = 7680
CAMERAS_MAX = 256
SIZES_MAX = 4


class PictureError(Exception):
    """No JPEG could be made of this picture; the sentence says why. The next picture may do."""


@dataclass(slots=True)
class _Made:
    """What was made, or is being made, of one key picture: a task for each size and stamp."""

    picture: tuple[float, int]
    sizes: OrderedDict[tuple[int, int, str], asyncio.Task[bytes]] = field(default_factory=OrderedDict)


class Stills:
    """JPEG of key pictures, on demand."""

    def __init__(self) -> None:
        """No worker is started yet."""
        self._made: OrderedDict[str, _Made] = OrderedDict()
        self._worker = WorkerProcess("worker.py", answer_s=DECODE_S, start_s=START_S)
        self._turn = asyncio.Lock()

    async def picture(
        self,
        camera_id: str,
        stream: StreamFormat,
        sample: Sample,
        width: int | None = None,
        height: int | None = None,
        *,
        old: str = "",
    ) -> bytes:
        """`sample`, a key picture, as JPEG, fitted into width × height pixels: never enlarged, proportions kept.

        `old` is written into it if it is no longer true now (age.py). Raises PictureError.
        """
        size = (min(max(width or 0, 0), SIDE_MAX), min(max(height or 0, 0), SIDE_MAX))
        made = self._made.get(camera_id)
        if made is None or made.picture != (sample.received, sample.time):
            made = self._made[camera_id] = _Made((sample.received, sample.time))
        self._made.move_to_end(camera_id)
        if len(self._made) > CAMERAS_MAX:
            self._made.popitem(last=False)
        task = made.sizes.get((*size, old))
        if task is None:
            video = stream.video
            sets = (*video.vps, *video.sps, *video.pps)
            decoding = self.decode(video.codec, sets, sample.parts, size, old=old)
            task = made.sizes[*size, old] = asyncio.create_task(decoding)
            if len(made.sizes) > SIZES_MAX:
                made.sizes.popitem(last=False)
        # Shielded: one who goes away takes the picture from nobody else.
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End the worker and whatever waits for it."""
        tasks = [task for made in self._made.values() for task in made.sizes.values() if not task.done()]
        self._made.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._worker.end()

    async def rest(self) -> None:
        """End the worker, which holds memory; the next picture starts another."""
        async with self._turn:
            await self._worker.end()

    async def decode(
        self,
        codec: str,
        sets: Sequence[bytes],
        picture: Sequence[Buffer],
        size: tuple[int, int],
        *,
        old: str = "",
    ) -> bytes:
        """A key picture as JPEG within `size` (0: as it is), kept nowhere. `sets` are NAL units; `picture`, joined, NAL
        units with four bytes of length before each, or a JPEG. `old` is written into it. Raises PictureError.
        """
        length = sum(map(len, picture))
        if length > PICTURE_BYTES:
            raise PictureError(f"the picture has {length} bytes, more than {PICTURE_BYTES}")
        if (number := _CODECS.get(codec)) is None:
            raise PictureError(f"{codec} cannot be decoded")
        units: list[Buffer] = []
        told = old.encode()
        for nal in sets:
            units += (len(nal).to_bytes(4), nal)
        head = _REQUEST.pack(number, *size, sum(map(len, units)), length, len(told))
        request = [head, *units, *picture, told]
        async with self._turn:
            try:
                try:
                    return await self._ask(request)
                except ConnectionError, asyncio.IncompleteReadError:
                    # It may have been ended from outside, or by the picture before.
                    await self._worker.end()
                    return await self._ask(request)
            except (OSError, asyncio.IncompleteReadError) as error:
                await self._worker.end()
                reason = "took too long" if isinstance(error, TimeoutError) else "failed"
                _LOGGER.warning("Decoding a picture %s; the decoder is started anew for the next", reason)
                raise PictureError(f"decoding {reason}") from error
            except asyncio.CancelledError:
                # In the middle of an answer: the rest of it would be taken for the next one.
                await self._worker.end()
                raise

    async def _ask(self, request: list[Buffer]) -> bytes:
        """One exchange with the worker. Raises PictureError for a picture that it cannot decode."""
        good, body = await self._worker.ask(request, _read)
        if not good:
            raise PictureError(body.decode("ascii", "replace"))
        return body


async def _read(sink: asyncio.StreamReader) -> tuple[int, bytes]:
    """Whether it is a JPEG, and that, or a sentence why not."""
    good, length = _ANSWER.unpack(await sink.readexactly(_ANSWER.size))
    if length > JPEG_BYTES:
        raise OSError("answer of the decoder too long")
    return good, await sink.readexactly(length)
