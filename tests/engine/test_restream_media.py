"""What the re-stream sends: pictures and sound in order and in time, over reconnects and changes of format."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.engine.clip_samples import Clip, make_clip
from tests.engine.restreaming import SECRET, Live, feed_all, until, watch
from tests.engine.rtsp_viewer import PATIENCE_S, RtspViewer, nals_of, pictures


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
