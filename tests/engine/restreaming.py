"""A running re-stream with the feeds it serves, for the tests of what its viewers see."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote

import av

from custom_components.facility_cameras.engine.feed import Feed
from custom_components.facility_cameras.engine.restream import Restream
from tests.engine.clip_samples import Clip, number_of
from tests.engine.rtsp_viewer import PATIENCE_S

SECRET = "s3cret/@ :#%?&ü₫"
#: As Home Assistant's stream component opens an RTSP source.
STREAM_OPTIONS = {"rtsp_flags": "prefer_tcp", "timeout": "5000000"}


@dataclass
class Live:
    """A running re-stream and the feeds it serves."""

    feeds: dict[str, Feed]
    restream: Restream
    port: int

    @property
    def feed(self) -> Feed:
        return self.feeds["cam"]

    @property
    def url(self) -> str:
        return f"rtsp://viewer:{quote(SECRET, safe='')}@127.0.0.1:{self.port}/cam"


def feed_all(feed: Feed, clip: Clip, start: float = 0, count: int | None = None) -> None:
    """A run of the camera: everything at once, received as the clip says, `start` seconds later."""
    feed.begin(clip.stream)
    for sample in clip.samples[:count]:
        feed.push(replace(sample, received=sample.received + start))


async def until(condition: Callable[[], object]) -> None:
    """Look again and again, for PATIENCE_S at most."""
    for _ in range(PATIENCE_S * 200):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise TimeoutError


def watch(url: str, count: int, user_agent: str | None = None) -> tuple[list[int], list[int]]:
    """Numbers and presentation times of the first `count` pictures, as libav gets them.

    Whatever the server, libav knows no time of the first packet of an RTSP stream; Home Assistant reckons it.
    """
    options = STREAM_OPTIONS | ({"user_agent": user_agent} if user_agent else {})
    numbers: list[int] = []
    times: list[int] = []
    with av.open(url, "r", options=options, timeout=20) as container:
        for frame in container.decode(container.streams.video[0]):
            numbers.append(number_of(frame))
            if frame.pts is not None:
                times.append(frame.pts)
            if len(numbers) == count:
                break
    return numbers, times


# libav, and Home Assistant with it -----------------------------------------------------------------------------------
