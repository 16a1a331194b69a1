"""The re-stream, as its viewers see it: their dialogues, over real sockets."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from itertools import pairwise
import logging
import socket
from typing import Any
from urllib.parse import quote

import av
from homeassistant.components.camera.prefs import DynamicStreamSettings
from homeassistant.components.stream import create_stream
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest

from custom_components.facility_cameras.engine.feed import Feed
from custom_components.facility_cameras.engine.restream import Restream, connection, server, viewer
from tests.engine.clip_samples import Clip, make_clip, number_of
from tests.engine.rtsp_viewer import PATIENCE_S, RtspViewer, digest, nals_of, pictures

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


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    feeds = {"cam": Feed()}
    restream = Restream(feeds.get)
    port = await restream.start("127.0.0.1", 0, SECRET)
    yield Live(feeds, restream, port)
    await restream.close()


@pytest.fixture(scope="module")
def clip() -> Clip:
    return make_clip(frames=60, gop=20)


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


async def test_the_newest_group_comes_first_then_what_follows(live: Live, clip: Clip) -> None:
    feed_all(live.feed, clip, count=45)
    client = await RtspViewer.connect(live.port)
    await client.play(SECRET)
    assert live.feed.watched
    await client.until_pictures(5)
    for sample in clip.samples[45:]:
        live.feed.push(sample)
    got = await client.until_pictures(20)
    sets = [*clip.stream.video.sps, *clip.stream.video.pps]
    assert got[0].nals == [*sets, *nals_of(clip.samples[40])]
    assert [picture.nals for picture in got[1:]] == [nals_of(sample) for sample in clip.samples[41:60]]
    times = [(picture.timestamp - got[0].timestamp) & 0xFFFFFFFF for picture in got]
    assert times == [3600 * number for number in range(20)]


async def test_sets_come_before_each_key_picture(live: Live, clip: Clip) -> None:
    client = await RtspViewer.connect(live.port)
    live.feed.begin(clip.stream)
    await client.play(SECRET)
    await until(lambda: live.feed.watched)
    for sample in clip.samples:
        live.feed.push(sample)
    got = await client.until_pictures(60)
    with_sets = [number for number, picture in enumerate(got) if clip.stream.video.sps[0] in picture.nals]
    assert with_sets == [0, 20, 40]


@pytest.mark.parametrize(("away_s", "shown_s"), [(3.0, 3.0), (0.0, 0.04), (100.0, 1.0), (86_400 * 30.0, 1.0)])
async def test_a_reconnect_is_continuous(live: Live, clip: Clip, away_s: float, shown_s: float) -> None:
    feed_all(live.feed, clip)
    client = await RtspViewer.connect(live.port)
    await client.play(SECRET)
    first = await client.until_pictures(20)
    live.feed.end()
    feed_all(live.feed, clip, start=clip.samples[-1].received - clip.samples[0].received + away_s)
    got = await client.until_pictures(80)
    steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(got)]
    assert steps[19] == pytest.approx(shown_s * 90_000, abs=2)
    assert set(steps[:19] + steps[20:]) == {3600}
    assert first[0].nals[2:] == nals_of(clip.samples[40])
    numbers = [packet.sequence for packet in client.packets]
    assert all((b - a) & 0xFFFF == 1 for a, b in pairwise(numbers))
    assert len({packet.ssrc for packet in client.packets}) == 1


async def test_times_that_leap_within_a_run_are_joined(live: Live, clip: Clip) -> None:
    client = await RtspViewer.connect(live.port)
    feed_all(live.feed, clip, count=21)
    await client.play(SECRET)
    for number, shift in enumerate((0, 10**9, -(10**9), 0)):
        sample = clip.samples[21 + number]
        live.feed.push(replace(sample, time=sample.time + shift))
    got = await client.until_pictures(5)
    steps = [(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(got)]
    assert max(steps) <= 2 * 3600


async def test_new_parameter_sets_go_in_band(live: Live, clip: Clip) -> None:
    client = await RtspViewer.connect(live.port)
    feed_all(live.feed, clip, count=3)
    await client.play(SECRET)
    await client.until_pictures(3)
    other = make_clip(frames=5, size=(640, 480))
    feed_all(live.feed, other, start=1)
    got = await client.until_pictures(8)
    assert got[3].nals[: len(other.stream.video.sps)] == list(other.stream.video.sps)


async def test_libav_survives_a_new_size(live: Live, clip: Clip) -> None:
    feed_all(live.feed, make_clip(frames=40, gop=40))
    seen = asyncio.create_task(asyncio.to_thread(watch, live.url, 60))
    await until(lambda: live.feed.watched)
    feed_all(live.feed, make_clip(frames=40, gop=40, size=(640, 480)), start=2)
    numbers, _ = await seen
    assert numbers == [*range(40), *range(20)]


async def test_another_codec_ends_the_session(live: Live, clip: Clip) -> None:
    client = await RtspViewer.connect(live.port)
    feed_all(live.feed, clip)
    await client.play(SECRET)
    live.feed.end()
    live.feed.begin(make_clip("h265", frames=2).stream)
    await client.until_closed()
    await until(lambda: not live.feed.watched)


async def test_pictures_that_need_an_earlier_group_are_left_out_at_the_start_only(live: Live) -> None:
    clip = make_clip("h265", frames=40, gop=10, b_frames=3, open_groups=True)
    assert any(sample.disposable for sample in clip.samples)
    starts = [number for number, sample in enumerate(clip.samples) if sample.key]
    feed_all(live.feed, clip, count=starts[2] - 1)
    client = await RtspViewer.connect(live.port)
    await client.play(SECRET)
    for sample in clip.samples[starts[2] - 1 :]:
        live.feed.push(sample)
    wanted = [sample for sample in clip.samples[starts[1] :] if sample.time >= clip.samples[starts[1]].time]
    await client.until_pictures(len(wanted))
    got = pictures(client.packets, "h265")
    assert [picture.nals[-1] for picture in got] == [nals_of(sample)[-1] for sample in wanted]
    assert len(wanted) < len(clip.samples[starts[1] :])


async def test_sound_is_sent_as_the_format_says(live: Live) -> None:
    clip = make_clip(frames=50, gop=50, audio=True)
    feed_all(live.feed, clip)
    client = await RtspViewer.connect(live.port)
    await client.play(SECRET, tracks=("video", "audio"))
    sounds = [sample for sample in clip.samples[1:] if sample.audio]
    async with asyncio.timeout(PATIENCE_S):
        while len(heard := [packet for packet in client.packets if packet.channel == 2]) < len(sounds):
            await client.item()
    for packet, sample in zip(heard, sounds, strict=True):
        assert packet.marker
        assert packet.payload == b"\x00\x10" + (sample.size << 3).to_bytes(2) + sample.bytes()
    assert {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(heard)} == {1024}
    assert len([report for report in client.reports if report[1] == 200]) >= 2


# The camera is away --------------------------------------------------------------------------------------------------


async def test_a_camera_known_from_before_is_described_while_away(live: Live, clip: Clip) -> None:
    feed_all(live.feed, clip)
    live.feed.end()
    client = await RtspViewer.connect(live.port)
    await client.play(SECRET)
    feed_all(live.feed, clip, start=10)
    assert len(await client.until_pictures(60)) == 60


async def test_describe_waits_for_the_first_format(live: Live, clip: Clip) -> None:
    client = await RtspViewer.connect(live.port)
    asked = asyncio.create_task(client.log_in(SECRET))
    await until(lambda: live.feed._listeners)
    live.feed.begin(clip.stream)
    assert (await asked).status == 200


async def test_describe_gives_up(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FORMAT_WAIT_S", 0.02)
    client = await RtspViewer.connect(live.port)
    assert (await client.log_in(SECRET)).status == 503
    client = await RtspViewer.connect(live.port)
    assert (await client.log_in(SECRET, "nobody")).status == 404
    assert not live.feed._listeners


async def test_a_removed_camera_ends_its_viewers(live: Live, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "TICK_S", 0.02)
    feeds = {"cam": live.feed}
    restream = Restream(feeds.get)
    port = await restream.start("127.0.0.1", 0, SECRET)
    feed_all(live.feed, clip)
    client = await RtspViewer.connect(port)
    await client.play(SECRET)
    del feeds["cam"]
    await client.until_closed()
    await restream.close()


# Bounds --------------------------------------------------------------------------------------------------------------


async def test_a_viewer_that_reads_nothing_is_dropped_and_costs_the_others_nothing(
    live: Live, clip: Clip, caplog: pytest.LogCaptureFixture
) -> None:
    feed_all(live.feed, clip)
    slow = await RtspViewer.connect(live.port, small_window=True)
    await slow.play(SECRET)
    good = await RtspViewer.connect(live.port)
    await good.play(SECRET)
    big = replace(clip.samples[41], parts=[(200_000).to_bytes(4), bytes((0x41,)) + bytes(199_999)], size=200_004)
    sent = 0
    async with asyncio.timeout(PATIENCE_S):
        while live.feed.viewers == 2:
            live.feed.push(replace(big, time=big.time + sent * 3600))
            sent += 1
            await good.until_whole(20 + sent)
    assert "too slowly" in caplog.text
    assert sent * 200_000 > viewer.WAITING_BYTES
    assert live.feed.viewers == 1
    await slow.close()


async def test_a_viewer_that_stays_behind_is_dropped(live: Live, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "BEHIND_S", 0.1)
    monkeypatch.setattr(server, "TICK_S", 0.02)
    restream = Restream(live.feeds.get)
    port = await restream.start("127.0.0.1", 0, SECRET)
    feed_all(live.feed, clip)
    slow = await RtspViewer.connect(port, small_window=True)
    await slow.play(SECRET)
    big = replace(
        clip.samples[41], parts=[(6 << 20).to_bytes(4), bytes((0x41,)) + bytes((6 << 20) - 1)], size=(6 << 20) + 4
    )
    live.feed.push(big)
    await until(lambda: not live.feed.watched)
    await restream.close()
    await slow.close()


@pytest.mark.parametrize(
    "bad",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n",
        b"DESCRIBE rtsp://x/ RTSP/1.0\r\nno colon here\r\n\r\n",
        b"DESCRIBE rtsp://x/ RTSP/1.0\r\n" + b"a: b\r\n" * 100 + b"\r\n",
        b"DESCRIBE rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 99999\r\n\r\n",
        b"DESCRIBE rtsp://x/ RTSP/1.0\r\nCSeq: -1\r\n\r\n",
        b"DESCRIBE " + b"x" * 20_000,
        bytes(range(128, 256)) * 200,
    ],
)
async def test_what_is_no_rtsp_closes(live: Live, bad: bytes) -> None:
    client = await RtspViewer.connect(live.port)
    client.writer.write(bad)
    await client.until_closed()


async def test_a_silent_stranger_is_closed(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STRANGER_S", 0.02)
    client = await RtspViewer.connect(live.port)
    client.writer.write(b"DESC")
    await client.until_closed()


async def test_a_silent_viewer_is_closed(live: Live, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    feed_all(live.feed, clip)
    client = await RtspViewer.connect(live.port)
    monkeypatch.setattr(connection, "PLAYING_S", 0.02)
    await client.play(SECRET)
    await client.until_closed()
    await until(lambda: not live.feed.watched)


async def test_no_more_viewers_than_there_is_room_for(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTIONS_MAX", 2)
    inside = [await RtspViewer.connect(live.port) for _ in range(2)]
    for client in inside:
        assert (await client.ask("OPTIONS", "*")).status == 200
    outside = await RtspViewer.connect(live.port)
    await outside.until_closed()
    await inside[0].close()
    await until(lambda: len(live.restream._connections) == 1)
    client = await RtspViewer.connect(live.port)
    assert (await client.ask("OPTIONS", "*")).status == 200


async def test_odd_questions_have_answers(live: Live, clip: Clip) -> None:
    feed_all(live.feed, clip)
    client = await RtspViewer.connect(live.port)
    assert (await client.log_in(SECRET)).status == 200
    assert (await client.ask("PLAY", client.url())).status == 455
    assert (await client.ask("PAUSE", client.url())).status == 405
    assert (await client.ask("GET_PARAMETER", client.url())).status == 200
    udp = "RTP/AVP;unicast;client_port=5000-5001"
    assert (await client.ask("SETUP", client.url("cam/video"), Transport=udp)).status == 461
    assert (
        await client.ask("SETUP", client.url("cam/video"), Transport="RTP/AVP/TCP;interleaved=300-301")
    ).status == 461
    assert (await client.ask("SETUP", client.url("cam/audio"), Transport="RTP/AVP/TCP")).status == 404
    assert (await client.ask("SETUP", client.url("other/video"), Transport="RTP/AVP/TCP")).status == 404
    both = f"{udp},RTP/AVP/TCP;unicast;interleaved=0-1"
    assert (await client.ask("SETUP", client.url("cam/video"), Transport=both)).status == 200
    # Interleaved packets of the viewer (receiver reports) are passed over.
    client.writer.write(b"$\x01\x00\x08" + bytes(8) + b"\r\n")
    assert (await client.ask("PLAY", client.url())).status == 200
    assert (await client.ask("SETUP", client.url("cam/video"), Transport=both)).status == 455
    assert (await client.ask("SET_PARAMETER", client.url())).status == 200


async def test_another_port_if_the_wanted_one_is_taken(live: Live) -> None:
    restream = Restream(live.feeds.get)
    port = await restream.start("127.0.0.1", live.port, SECRET)
    assert port not in (0, live.port)
    await restream.close()
    with socket.socket() as free, pytest.raises(ConnectionError):
        free.connect(("127.0.0.1", port))


async def test_closing_ends_the_viewers(live: Live, clip: Clip) -> None:
    feed_all(live.feed, clip)
    client = await RtspViewer.connect(live.port)
    await client.play(SECRET)
    await live.restream.close()
    await client.until_closed()
    assert not live.feed.watched
