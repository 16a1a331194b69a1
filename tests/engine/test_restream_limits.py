"""The re-stream while a camera is away, with viewers that misbehave, and at its limits."""

import asyncio
from dataclasses import replace
import socket

import pytest

from custom_components.facility_cameras.engine.restream import Restream, connection, server, viewer
from tests.engine.clip_samples import Clip
from tests.engine.restreaming import SECRET, Live, feed_all, until
from tests.engine.rtsp_viewer import PATIENCE_S, RtspViewer


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
