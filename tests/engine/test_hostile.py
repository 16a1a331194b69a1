"""What answers may be anything: every dialogue ends, in bounded time and memory, with a cause; nobody else is hurt (I7)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
import contextlib
import os
from pathlib import Path
import socket
import time
import tracemalloc

import pytest

from custom_components.facility_cameras.engine.media import AudioFormat, Sample, VideoFormat
from custom_components.facility_cameras.engine.problem import CameraError
from custom_components.facility_cameras.engine.rtsp import client
from custom_components.facility_cameras.engine.rtsp.client import Manners, Session
from custom_components.facility_cameras.engine.rtsp.url import parse_url
from tests.engine.receiving import VIDEO, Rig, assert_sound, spec

type Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SDP = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t\r\n"


class Nobody:
    """Takes what a session brings."""

    def on_video_format(self, video: VideoFormat) -> None: ...

    def on_audio_format(self, audio: AudioFormat) -> None: ...

    def on_picture(self, sample: Sample) -> None: ...

    def on_audio(self, sample: Sample) -> None: ...


@contextlib.asynccontextmanager
async def serve(handler: Handler) -> AsyncIterator[str]:
    """Serve one behaviour; yields the address."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
    finally:
        server.close()


def session(url: str, *, manners: Manners | None = None) -> Session:
    return Session(parse_url(url)[0], "u", "s3cret", audio=True, sink=Nobody(), manners=manners or Manners())


async def fail(url: str, seconds: float) -> CameraError:
    """What opening and then reading a session ends in, within so many seconds."""
    one = session(url)
    try:
        async with asyncio.timeout(seconds):
            with pytest.raises(CameraError) as found:
                await one.open(time.monotonic)
                while True:
                    one.read(time.monotonic())
                    await asyncio.sleep(0.02)
    finally:
        await one.close()
    assert "s3cret" not in str(found.value)
    return found.value


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, times: int = 4) -> None:
    """Answer a dialogue as a camera does."""
    for _ in range(times):
        head = await reader.readuntil(b"\r\n\r\n")
        number = head.partition(b"CSeq: ")[2].partition(b"\r\n")[0]
        body = SDP if head.startswith(b"DESCRIBE") else b""
        more = b"Transport: RTP/AVP/TCP;interleaved=0-1\r\nSession: 1\r\n" if head.startswith(b"SETUP") else b""
        kind = b"Content-Type: application/sdp\r\n" if body else b""
        writer.write(
            b"RTSP/1.0 200 OK\r\nCSeq: %b\r\n%b%bContent-Length: %d\r\n\r\n%b" % (number, more, kind, len(body), body)
        )
        await writer.drain()


async def pour(writer: asyncio.StreamWriter, data: bytes) -> None:
    while True:
        writer.write(data)
        await writer.drain()
        await asyncio.sleep(0)


async def test_http_in_the_place_of_rtsp() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async with serve(handle) as url:
        assert (await fail(url, 5)).cause == "not_rtsp"


async def test_nothing_at_all_is_said() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serve(handle) as url:
        assert (await fail(url, 12)).cause == "no_answer"


async def test_the_connection_is_closed_at_once() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...

    async with serve(handle) as url:
        assert (await fail(url, 5)).cause == "connection_lost"


@pytest.mark.parametrize(
    "data",
    [
        b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * 100,
        b"\r\n" * 500,
        b"$\x00\xff\xff" + bytes(65535),
        os.urandom(5000),
        b"A" * 999,
    ],
    ids=["headers", "blank-lines", "frames", "noise", "letters"],
)
async def test_answers_without_end(data: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"RTSP/1.0 200 OK\r\n" if data.startswith(b"RTSP") else b"")
        await pour(writer, data)

    async with serve(handle) as url:
        tracemalloc.start()
        try:
            error = await fail(url, 15)
            assert tracemalloc.get_traced_memory()[1] < 24 << 20
        finally:
            tracemalloc.stop()
        assert error.cause in ("bad_answer", "not_rtsp", "no_answer")


async def test_a_byte_a_second_does_not_hold_a_dialogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "DIALOGUE_S", 2.0)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nX: " + bytes(100):
            writer.write(bytes((byte,)))
            await asyncio.sleep(0.2)

    async with serve(handle) as url:
        assert (await fail(url, 5)).cause in ("bad_answer", "no_answer")


@pytest.mark.parametrize(
    "data",
    [os.urandom(1 << 16).replace(b"$", b"%"), b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * 9000, b"$\x00\x00\x00" * 999],
    ids=["noise", "headers", "empty-frames"],
)
async def test_garbage_while_playing(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SILENCE_S", 2.0)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer)
        await pour(writer, data)

    async with serve(handle) as url:
        assert (await fail(url, 15)).cause in ("bad_answer", "no_packets")


async def test_packets_of_a_unit_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "KEYFRAME_S", 3.0)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer)
        number = 0
        while True:
            for _ in range(20):
                first = number == 0
                head = bytes((0x80, 96)) + (number & 0xFFFF).to_bytes(2) + bytes(4) + b"self"
                packet = head + bytes((0x7C, 0x85 if first else 0x05)) + bytes(60_000)
                writer.write(b"$\0" + len(packet).to_bytes(2) + packet)
                number += 1
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serve(handle) as url:
        tracemalloc.start()
        try:
            assert (await fail(url, 15)).cause == "no_keyframe"
            assert tracemalloc.get_traced_memory()[1] < 48 << 20
        finally:
            tracemalloc.stop()


async def test_redirects_without_end() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer, 1)
        head = await reader.readuntil(b"\r\n\r\n")
        where = head.split(b" ")[1]
        writer.write(b"RTSP/1.0 302 Moved\r\nCSeq: 2\r\nLocation: %b\r\n\r\n" % where)
        await reader.read()

    async with serve(handle) as url:
        assert (await fail(url, 8)).cause == "bad_answer"


async def test_r13_a_login_goes_to_no_other_host() -> None:
    heard: list[bytes] = []

    async def thief(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            heard.append(head)
            number = b"%d" % len(heard)
            writer.write(b'RTSP/1.0 401 No\r\nCSeq: %b\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n' % number)

    async with serve(thief) as there:

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await answer(reader, writer, 1)
            await reader.readuntil(b"\r\n\r\n")
            place = there.replace("127.0.0.1", "localhost").encode()
            writer.write(b"RTSP/1.0 302 Moved\r\nCSeq: 2\r\nLocation: %b\r\n\r\n" % place)
            await reader.read()

        async with serve(handle) as url:
            assert (await fail(url, 8)).cause == "password_missing"
    assert heard
    assert not any(b"Authorization" in head for head in heard)


async def test_r28_requests_of_the_camera_are_answered() -> None:
    heard = asyncio.get_running_loop().create_future()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\r\nOPTIONS * RTSP/1.0\r\nCSeq: 77\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        heard.set_result(await reader.readuntil(b"\r\n\r\n"))

    async with serve(handle) as url:
        await fail(url, 8)
    assert b"200 OK" in heard.result()
    assert b"CSeq: 77" in heard.result()


@pytest.mark.parametrize(
    "length", [b"", b"Content-Length: 4\r\n", b"Content-Length: 4000\r\n"], ids=["none", "short", "long"]
)
async def test_r29_wrong_lengths_of_bodies(length: bytes) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer, 1)
        await reader.readuntil(b"\r\n\r\n")
        body = b"m=video 0 RTP/AVP 26\r\na=control:track1\r\n" if length != b"Content-Length: 4\r\n" else b"m=v\n" + SDP
        writer.write(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Type: application/sdp\r\n%b\r\n%b" % (length, body))
        await answer(reader, writer, 9)

    async with serve(handle) as url:
        error = await fail(url, 8)
    # What is described is read: JPEG is not for us, "m=v" is no video.
    assert error.cause == ("no_video" if length == b"Content-Length: 4\r\n" else "codec_unsupported")


async def test_a_name_with_an_address_where_nobody_answers() -> None:
    """`localhost` has an IPv6 address too; the camera listens at the other one."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer)
        writer.close()

    async with serve(handle) as url:
        assert (await fail(url.replace("127.0.0.1", "localhost"), 8)).cause == "connection_lost"


async def test_cancelling_a_session_says_goodbye(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one", max_sessions=1)]) as rig:
        for delay in (0.0, 0.005, 0.01, 0.02, 0.05, 0.3, 1.5):
            await rig.watch()
            await asyncio.sleep(delay)
            await rig.supervisor.delete_facility("facility")
            await rig.until(lambda: not rig.site.camera("one").sessions, 5, f"cancelled after {delay} s")
            await rig.until(lambda: not rig.site.camera("one").connections, 5, f"cancelled after {delay} s")


async def test_i7_others_lose_nothing(tmp_path: Path) -> None:
    """Cameras that hang, pour garbage and close at once beside one that is well."""

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer)
        await pour(writer, os.urandom(1 << 14))

    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...

    async with serve(hang) as one, serve(noise) as two, serve(close) as three, Rig(tmp_path, [spec("well")]) as rig:
        for number in range(6):
            for name, url in (("hang", one), ("noise", two), ("close", three)):
                await rig.watch_address(f"{name}-{number}", url, "u", "p")
        await rig.watch("well")
        await rig.recorded("well", 12, 40)
        assert rig.state("well")["reconnects"] == 0
        await rig.stop()
        assert_sound(await rig.judge("well"), VIDEO.frames)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_reconnecting_leaves_no_sockets_behind(tmp_path: Path) -> None:
    async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...

    async with serve(close) as url:
        await fail(url, 5)
        before = open_files()
        for _ in range(200):
            await fail(url, 5)
        await asyncio.sleep(0)
        assert open_files() <= before + 5
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert (await fail(f"rtsp://127.0.0.1:{port}/", 5)).cause == "connection_refused"
