"""One connection to a camera as recording would make it: what comes, or why nothing does. For setting a camera up.

Promise I8: the login is sent once.
"""

import asyncio
import base64
import contextlib
import itertools

from .api import Cause, ProbeRequest, ProbeResult
from .clock import Clock
from .media import AudioFormat, Sample, StreamFormat, VideoFormat
from .picture.stills import PictureError, Stills
from .problem import CameraError
from .rtsp.client import Manners, Session
from .rtsp.url import parse_url

LIMIT_S = 15.0
READ_S = 0.05
#: Frames are counted for so long behind the first key picture.
COUNT_S = 1.0
PICTURE_WIDTH = 640


class _Catcher:
    """Keeps what a session brings: format, first key picture, frames after it."""

    def __init__(self) -> None:
        self.video: VideoFormat | None = None
        self.audio: AudioFormat | None = None
        self.key: Sample | None = None
        self.times: list[int] = []
        self.newest = 0.0

    def on_video_format(self, video: VideoFormat) -> None:
        self.video = video

    def on_audio_format(self, audio: AudioFormat) -> None:
        self.audio = audio

    def on_picture(self, sample: Sample) -> None:
        self.key = self.key or sample
        self.times.append(sample.time)
        self.newest = sample.received

    def on_audio(self, sample: Sample) -> None:
        """Not needed."""


async def probe(request: ProbeRequest, clock: Clock, stills: Stills) -> ProbeResult:
    """Connect once; within 15 s. Raises ValueError if the address is none."""
    url = parse_url(request["url"])[0]
    catcher = _Catcher()
    session = Session(url, request["username"], request["password"], audio=True, sink=catcher, manners=Manners())
    try:
        async with asyncio.timeout(LIMIT_S):
            await session.open(clock.monotonic)
            while catcher.key is None or catcher.newest - catcher.key.received < COUNT_S:
                session.read(clock.monotonic())
                await asyncio.sleep(READ_S)
    except CameraError as error:
        return {"problem": error.problem, "format": None}
    except TimeoutError:
        if catcher.key is None:
            return {
                "problem": CameraError(Cause.NO_KEYFRAME, host=url.host, seconds=round(LIMIT_S)).problem,
                "format": None,
            }
    finally:
        with contextlib.suppress(CameraError):
            await session.close()
    if catcher.video is None or catcher.key is None:
        return {"problem": CameraError(Cause.NO_VIDEO, host=url.host).problem, "format": None}
    stream = StreamFormat(catcher.video, catcher.audio)
    picture = None
    with contextlib.suppress(PictureError):
        jpeg = await stills.picture("probe", stream, catcher.key, width=PICTURE_WIDTH)
        picture = base64.b64encode(jpeg).decode()
    shown = sorted(catcher.times)
    steps = sorted(after - before for before, after in itertools.pairwise(shown))
    fps = 90_000 / steps[len(steps) // 2] if steps and steps[len(steps) // 2] > 0 else 0.0
    return {"problem": None, "format": stream.describe(), "fps": round(fps, 1), "picture": picture}
