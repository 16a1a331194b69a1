"""The re-stream, as its viewers see it: their dialogues, over real sockets."""

import asyncio
from base64 import b64decode, b64encode
from dataclasses import replace
from itertools import pairwise
import logging
from typing import Any
from urllib.parse import quote

import av
from homeassistant.components.camera.prefs import DynamicStreamSettings
from homeassistant.components.stream import create_stream
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest

from custom_components.facility_cameras.engine.restream import Restream, server
from tests.engine.clip_samples import Clip, make_clip
from tests.engine.restreaming import SECRET, STREAM_OPTIONS, Live, feed_all, until, watch
from tests.engine.rtsp_viewer import PATIENCE_S, RtspViewer, digest


@pytest.mark.parametrize(
    "options",
    [
        {"codec": "h264"},
        {"codec": "h265"},
        {"codec": "h264", "b_frames": 2},
        {"codec": "h265", "b_frames": 2},
        {"codec": "h264", "audio": True},
        {"codec": "h264", "size": (1280, 720)},
    ],
    ids=str,
)
async def test_libav_sees_every_picture_in_order(live: Live, options: dict[str, Any]) -> None:
    clip = make_clip(frames=60, gop=60, **options)
    feed_all(live.feed, clip)
    numbers, times = await asyncio.to_thread(watch, live.url, 40)
    assert numbers == list(range(40))
    assert len(times) >= 38
    assert {later - earlier for earlier, later in pairwise(times)} == {3600}


async def test_libav_hears_the_sound_in_step(live: Live) -> None:
    clip = make_clip(frames=60, gop=60, audio=True)
    feed_all(live.feed, clip)

    def listen() -> tuple[float, float, str]:
        begun: dict[str, float] = {}
        with av.open(live.url, "r", options=STREAM_OPTIONS, timeout=20) as container:
            for packet in container.demux():
                if packet.pts is not None:
                    begun.setdefault(packet.stream.type, float(packet.pts * packet.time_base))
                if len(begun) == 2:
                    break
            return begun["video"], begun["audio"], container.streams.audio[0].codec.name

    video, audio, codec = await asyncio.to_thread(listen)
    assert codec == "aac"
    assert abs(video - audio) < 0.1


async def test_sound_that_never_comes_is_not_announced(live: Live, clip: Clip) -> None:
    sound = make_clip(frames=25, audio=True).stream.audio
    feed_all(live.feed, Clip(replace(clip.stream, audio=sound), make_clip(frames=60, gop=60).samples, 25))
    client = await RtspViewer.connect(live.port)
    assert b"m=audio" not in (await client.log_in(SECRET)).body


async def test_libav_gets_older_groups_while_the_newest_is_short(live: Live, clip: Clip) -> None:
    """It looks at some 25 pictures before it shows one; others begin with the newest group."""
    feed_all(live.feed, clip, count=42)
    numbers, _ = await asyncio.to_thread(watch, live.url, 36)
    assert numbers == list(range(36))
    client = await RtspViewer.connect(live.port)
    await client.play(SECRET, User_Agent="go2rtc/1.9.15")
    assert len(await client.until_pictures(2)) == 2


async def test_home_assistants_stream_plays_it_over_reconnects(live: Live, hass: HomeAssistant) -> None:
    clip = make_clip(frames=200, gop=25)
    assert await async_setup_component(hass, "stream", {"stream": {"ll_hls": False}})
    feed_all(live.feed, clip, count=60)
    stream = create_stream(hass, live.url, {}, DynamicStreamSettings())
    provider = stream.add_provider("hls")

    async def film() -> None:
        """Runs of 8 s, with 5 s between them in which the camera is away."""
        for run in range(1000):
            feed_all(live.feed, clip, start=13.0 * (run + 1), count=0)
            for sample in clip.samples:
                live.feed.push(replace(sample, received=sample.received + 13.0 * (run + 1)))
                await asyncio.sleep(0.002)
            live.feed.end()

    filming = asyncio.create_task(film())
    await stream.start()
    await until(lambda: provider.sequences and provider.sequences[-1] >= 10)
    assert stream.available
    segment = provider.last_segment
    assert segment is not None
    assert segment.stream_id == 0  # one stream from the beginning: nothing had to be opened anew
    assert segment.init.find(b"avcC") > 0
    await stream.remove_provider(provider)
    await stream.stop()
    filming.cancel()


# go2rtc --------------------------------------------------------------------------------------------------------------


async def test_go2rtcs_dialogue(live: Live, clip: Clip) -> None:
    feed_all(live.feed, clip, count=45)
    client = await RtspViewer.connect(live.port)
    extra = {"Accept": "application/sdp", "Require": "www.onvif.org/ver20/backchannel", "User_Agent": "go2rtc/1.9.15"}
    refused = await client.ask("DESCRIBE", client.url(), **extra)
    assert refused.status == 401
    assert refused.header("WWW-Authenticate").startswith("Digest ")
    told = await client.ask(
        "DESCRIBE", client.url(), Authorization=digest(refused, SECRET, "DESCRIBE", client.url()), **extra
    )
    assert told.status == 200
    assert told.header("Content-Type") == "application/sdp"
    base = told.header("Content-Base")
    assert base == client.url() + "/"
    video = clip.stream.video
    lines = told.body.decode().splitlines()
    sets = ",".join(b64encode(nal).decode() for nal in (*video.sps, *video.pps))
    assert f"sprop-parameter-sets={sets}" in told.body.decode()
    assert lines[-1] == "a=control:video"
    setup = base + "video"
    answer = await client.ask(
        "SETUP",
        setup,
        Transport="RTP/AVP/TCP;unicast;interleaved=4-5",
        Authorization=digest(refused, SECRET, "SETUP", setup),
    )
    assert answer.status == 200
    assert answer.header("Transport").startswith("RTP/AVP/TCP;")
    assert "interleaved=4-5" in answer.header("Transport")
    session, _, timeout = answer.header("Session").partition(";timeout=")
    assert int(timeout) >= 30
    # It does not wait for the answer to PLAY: packets and answers come mixed.
    client.send("PLAY", base, Authorization=digest(refused, SECRET, "PLAY", base), Session=session)
    packets = await client.until_packets(5)
    assert {packet.channel for packet in packets} == {4}
    alive = await client.ask("OPTIONS", base, Session=session)
    assert alive.status == 200
    assert "GET_PARAMETER" in alive.header("Public")
    assert (await client.ask("TEARDOWN", base, Session=session)).status == 200
    await client.until_closed()
    await until(lambda: not live.feed.watched)


async def test_something_comes_while_the_camera_sends_nothing(
    live: Live, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """go2rtc closes after 5 s without a byte."""
    assert server.TICK_S < 5
    monkeypatch.setattr(server, "TICK_S", 0.05)
    restream = Restream(live.feeds.get)
    port = await restream.start("127.0.0.1", 0, SECRET)
    feed_all(live.feed, clip, count=3)
    live.feed.end()
    client = await RtspViewer.connect(port)
    await client.play(SECRET)
    async with asyncio.timeout(PATIENCE_S):
        while len(client.reports) < 4:
            await client.item()
    assert not client.packets
    assert {report[1] for report in client.reports} == {200}
    await restream.close()


async def test_h265_is_described_with_all_its_sets(live: Live) -> None:
    clip = make_clip("h265", frames=5)
    feed_all(live.feed, clip)
    client = await RtspViewer.connect(live.port)
    text = (await client.log_in(SECRET)).body.decode()
    for name, nals in (("vps", clip.stream.video.vps), ("sps", clip.stream.video.sps), ("pps", clip.stream.video.pps)):
        given = text.split(f"sprop-{name}=")[1].split(";")[0].split("\r\n")[0]
        assert tuple(b64decode(one) for one in given.split(",")) == nals


# Who may look --------------------------------------------------------------------------------------------------------


async def test_without_the_secret_nothing_but_options(live: Live, clip: Clip) -> None:
    feed_all(live.feed, clip)
    client = await RtspViewer.connect(live.port)
    assert (await client.ask("OPTIONS", client.url())).status == 200
    assert (await client.ask("PLAY", client.url())).status == 401
    assert (await client.ask("SETUP", client.url("cam/video"), Transport="RTP/AVP/TCP")).status == 401
    basic = b64encode(f"viewer:{SECRET}x".encode()).decode()
    assert (await client.ask("DESCRIBE", client.url(), Authorization=f"Basic {basic}")).status == 401
    await client.ask("DESCRIBE", client.url(), Authorization="Basic ü")
    await client.until_closed()


async def test_basic_and_digest_let_in(live: Live, clip: Clip) -> None:
    feed_all(live.feed, clip)
    client = await RtspViewer.connect(live.port)
    basic = b64encode(f"viewer:{SECRET}".encode()).decode()
    assert (await client.ask("DESCRIBE", client.url(), Authorization=f"Basic {basic}")).status == 200
    for uri in (f"rtsp://127.0.0.1:{live.port}/cam", "/cam", "rtsp://elsewhere/cam"):
        client = await RtspViewer.connect(live.port)
        refused = await client.ask("DESCRIBE", client.url())
        signed = digest(refused, SECRET, "DESCRIBE", uri)
        assert (await client.ask("DESCRIBE", client.url(), Authorization=signed)).status == 200


async def test_a_new_secret_is_asked_of_whoever_comes_next(live: Live, clip: Clip) -> None:
    feed_all(live.feed, clip)
    old = await RtspViewer.connect(live.port)
    await old.play(SECRET)
    live.restream.secret = "another"
    client = await RtspViewer.connect(live.port)
    assert (await client.log_in(SECRET)).status == 401
    assert (await client.log_in("another")).status == 200
    assert (await old.ask("GET_PARAMETER", old.url())).status == 200


async def test_digest_of_something_else_is_refused(live: Live) -> None:
    other = await RtspViewer.connect(live.port)
    old = await other.ask("DESCRIBE", other.url())
    client = await RtspViewer.connect(live.port)
    refused = await client.ask("DESCRIBE", client.url())
    for wrong in (
        digest(refused, SECRET, "PLAY", client.url()),
        digest(refused, "", "DESCRIBE", client.url()),
        digest(old, SECRET, "DESCRIBE", client.url()),
    ):
        assert (await client.ask("DESCRIBE", client.url(), Authorization=wrong)).status == 401


async def test_the_secret_is_in_no_log(live: Live, clip: Clip, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    feed_all(live.feed, clip)
    await asyncio.to_thread(watch, live.url, 30)
    client = await RtspViewer.connect(live.port)
    client.writer.write(f"DESCRIBE {live.url} RTSP/1.0\r\nCSeq: {SECRET}\r\n\r\n".encode())
    await client.until_closed()
    for form in (SECRET, quote(SECRET, safe=""), b64encode(f"viewer:{SECRET}".encode()).decode()):
        assert form not in caplog.text


# One stream, whatever the camera does --------------------------------------------------------------------------------
