"""Asks the worker that judges pictures (examine_worker.py). A crash or a hang of it costs one look (promise I7: apart).

It is started with the first look. One that fails is replaced, after a pause that grows while it goes on failing.
"""

import asyncio
from dataclasses import dataclass
import json
import logging
import struct
from typing import TypedDict, cast

from ..api import Cause, Status
from ..clock import Clock
from ..media import Sample, StreamFormat
from .stills import PICTURE_BYTES
from .worker_process import WorkerProcess

_LOGGER = logging.getLogger(__name__)

#: As in examine_worker.py, which runs alone.
_REQUEST = struct.Struct(">BIIII")
_ANSWER = struct.Struct(">BIII")
_CODECS = {"h264": 1, "h265": 2}
#: What can be wrong with a picture: status → cause.
FAULTS = {
    Status.FROZEN.value: Cause.PICTURE_FROZEN.value,
    Status.BLACK.value: Cause.PICTURE_BLACK.value,
    Status.COVERED.value: Cause.PICTURE_COVERED.value,
    Status.MOVED.value: Cause.PICTURE_MOVED.value,
    Status.NO_STREAM.value: Cause.PICTURE_PLATE.value,
}

#: A worker that has not answered by then is stuck. The first answer includes its start.
LOOK_S, START_S = 5.0, 20.0
#: After a failure no worker is started for so long, seconds; more with each failure in a row.
PAUSES_S = (0.0, 5.0, 30.0, 120.0)
#: No answer's part is longer.
TEXT_BYTES, KNOWN_BYTES, JPEG_BYTES = 64 << 10, 1 << 20, 1 << 20


class LookError(Exception):
    """A look gave nothing; the sentence says why. The next one may."""


class Asked(TypedDict):
    """What the worker is told with a picture: now (monotonic seconds, UTC microseconds), whether the camera's session
    began anew since the last look, whether the view is to be learned anew, the camera's settings, its newest groups.
    """

    now: float
    now_us: int
    anew: bool
    new_view: bool
    sensitivity: str
    mask: list[list[float]]
    groups: list[tuple[float, int, int, int, int]]


class Verdict(TypedDict):
    """As in judge.py; `cpu_s` is what the look cost, seconds."""

    status: str
    confidence: float
    since_us: int
    soon: bool
    calm: bool
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a look gave: the verdict, what is known of the camera from now on, the picture as a small JPEG."""

    verdict: Verdict
    known: bytes
    jpeg: bytes


class Examine:
    """One worker, one look at a time."""

    def __init__(self, clock: Clock) -> None:
        """No worker is started yet."""
        self._clock = clock
        self._worker = WorkerProcess("examine_worker.py", answer_s=LOOK_S, start_s=START_S)
        self._failures = 0
        self._rest_until = 0.0

    def resting_s(self, now: float) -> float:
        """How long no look is taken because the worker failed; `now` is monotonic seconds."""
        return max(0.0, self._rest_until - now)

    async def look(self, stream: StreamFormat, sample: Sample, known: bytes, asked: Asked) -> Answer:
        """Have a key picture judged. Raises LookError."""
        if sample.size > PICTURE_BYTES:
            raise LookError(f"the picture has {sample.size} bytes, more than {PICTURE_BYTES}")
        video = stream.video
        if (number := _CODECS.get(video.codec)) is None:
            raise LookError(f"{video.codec} cannot be decoded")
        sets = b"".join(len(nal).to_bytes(4) + nal for nal in (*video.vps, *video.sps, *video.pps))
        text = json.dumps(asked).encode()
        head = _REQUEST.pack(number, len(sets), sample.size, len(known), len(text))
        try:
            parts = await self._ask([head, sets, *sample.parts, known, text])
            self._failures = 0
        except (OSError, asyncio.IncompleteReadError) as error:
            await self.close()
            pause = PAUSES_S[min(self._failures, len(PAUSES_S) - 1)]
            self._failures += 1
            self._rest_until = self._clock.monotonic() + pause
            reason = "took too long" if isinstance(error, TimeoutError) else "failed"
            _LOGGER.warning("Judging a picture %s; the next look is in %.0f s or more", reason, pause)
            raise LookError(f"judging {reason}") from error
        except asyncio.CancelledError:
            await self.close()
            raise
        return Answer(_verdict(parts[0]), parts[1], parts[2])

    async def _ask(self, request: list[bytes]) -> list[bytes]:
        good, parts = await self._worker.ask(request, _read)
        if not good:
            self._failures = 0
            raise LookError(parts[0].decode("ascii", "replace"))
        return parts

    async def close(self) -> None:
        """End the worker."""
        await self._worker.end()


async def _read(sink: asyncio.StreamReader) -> tuple[int, list[bytes]]:
    """Whether it was judged, and the parts of the answer."""
    good, *lengths = _ANSWER.unpack(await sink.readexactly(_ANSWER.size))
    if any(length > most for length, most in zip(lengths, (TEXT_BYTES, KNOWN_BYTES, JPEG_BYTES), strict=True)):
        raise OSError("answer too long")
    return good, [await sink.readexactly(length) for length in lengths]


def _verdict(text: bytes) -> Verdict:
    """What the worker says: it read what a camera sent, and is not trusted. Raises LookError."""
    kinds: dict[str, type | tuple[type, ...]] = {
        "status": str,
        "confidence": (int, float),
        "since_us": int,
        "soon": bool,
        "calm": bool,
        "cpu_s": (int, float),
    }
    try:
        told = json.loads(text)
        good = all(isinstance(told.get(key), kind) for key, kind in kinds.items())
    except (ValueError, AttributeError) as error:
        raise LookError("an answer that cannot be read") from error
    if not good or (told["status"] != "ok" and told["status"] not in FAULTS):
        raise LookError("an answer that means nothing")
    within = 0 <= told["confidence"] <= 1 and 0 <= told["since_us"] < 1 << 62 and 0 <= told["cpu_s"] < 60
    if not within:
        raise LookError("an answer out of bounds")
    return cast("Verdict", {key: told[key] for key in kinds})
