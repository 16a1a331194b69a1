"""A player (libav) gets every picture, once, in order, with the right times, from every kind of camera."""

import asyncio
from dataclasses import replace
import itertools

import pytest

from simulator import CameraSpec, Site, StreamSpec, Video, barcode
from simulator.spec import AudioCodec, Scheme
from tests.simulator.cameras import QUICK, QUICK_265, quick
from tests.simulator.pictures import Picture, play


def judge(pictures: list[Picture], video: Video) -> None:
    """Complete over the border of the loop, times in step with the numbers."""
    assert len(pictures) > video.frames
    assert barcode.check([picture.number for picture in pictures], video.frames).complete
    times = [picture.pts for picture in pictures if picture.pts is not None]
    assert len(times) >= len(pictures) - 1
    # The first picture, before anything is known of the sender's clock, may have a time of its own.
    steps = {later - earlier for earlier, later in itertools.pairwise(times[2:])}
    assert steps == {90_000 // video.fps}


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_every_codec_over_tcp_and_udp(transport: str) -> None:
    videos = [QUICK, replace(QUICK, b_frames=3), QUICK_265, replace(QUICK_265, b_frames=2)]
    async with Site([quick(str(number), video) for number, video in enumerate(videos)]) as site:
        urls = [camera.url() for camera in site.cameras.values()]
        count = QUICK.frames + 5
        played = await asyncio.gather(*(asyncio.to_thread(play, url, count, transport=transport) for url in urls))
    for pictures, video in zip(played, videos, strict=True):
        judge(pictures, video)


async def test_log_in() -> None:
    offers: list[tuple[Scheme, ...]] = [(), ("basic",), ("md5",), ("basic", "md5")]
    password = "p@:/# %?&ü₫\"'"
    async with Site(
        [quick(str(number), schemes=each, password=password) for number, each in enumerate(offers)]
    ) as site:
        cameras = site.cameras.values()
        for pictures in await asyncio.gather(*(asyncio.to_thread(play, camera.url(), 3) for camera in cameras)):
            assert len(pictures) == 3
        assert [camera.guard.failures for camera in cameras] == [0] * len(offers)


async def test_two_streams_at_once() -> None:
    sub = replace(QUICK, width=160, height=120, fps=10, gop=5, kbps=64)
    streams = (StreamSpec(video=QUICK), StreamSpec(name="sub", path="live/sub", video=sub))
    async with Site([CameraSpec(name="Gate", scene="Gate", streams=streams)]) as site:
        camera = site.camera("Gate")
        first, second = await asyncio.gather(
            asyncio.to_thread(play, camera.url("main"), QUICK.frames + 5),
            asyncio.to_thread(play, camera.url("sub"), sub.frames + 5),
        )
    judge(first, QUICK)
    judge(second, sub)
    assert (first[0].width, second[0].width) == (320, 160)


@pytest.mark.parametrize("audio", ["aac", "pcma", "pcmu"])
async def test_audio_beside_video(audio: AudioCodec) -> None:
    def listen(url: str) -> tuple[str, int]:
        import av

        with av.open(url, options={"rtsp_transport": "tcp"}, timeout=10) as container:
            stream = container.streams.audio[0]
            samples = 0
            for frame in container.decode(stream):
                assert frame.sample_rate == stream.rate
                samples += frame.samples
                if samples > stream.rate:
                    break
            return stream.codec_context.name, stream.rate

    codec = {"aac": ("aac", 16_000), "pcma": ("pcm_alaw", 8_000), "pcmu": ("pcm_mulaw", 8_000)}
    async with Site([quick(audio=audio)]) as site:
        assert await asyncio.to_thread(listen, site.camera("Gate").url()) == codec[audio]


async def test_many_receivers_of_one_camera() -> None:
    async with Site([quick(), quick("Yard")]) as site:
        urls = [site.camera(name).url() for name in ("Gate", "Yard", "Gate", "Yard")]
        for pictures in await asyncio.gather(*(asyncio.to_thread(play, url, 12) for url in urls)):
            assert barcode.check([picture.number for picture in pictures], QUICK.frames).complete
