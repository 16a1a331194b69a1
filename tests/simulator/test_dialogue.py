"""The RTSP dialogue beyond playing: what a client may ask, and what it may not."""

from collections.abc import AsyncIterator
import socket

import pytest

from simulator import Camera, Site
from tests.simulator.cameras import quick
from tests.simulator.dialogue import Client
from tests.simulator.waiting import until


@pytest.fixture
async def camera() -> AsyncIterator[Camera]:
    async with Site([quick(schemes=(), audio="pcma")]) as site:
        yield site.camera("Gate")


async def test_pause_and_play_again(camera: Camera) -> None:
    async with Client(camera.port) as client:
        await client.play()
        before = (await client.media(5))[-1]
        assert (await client.ask("PAUSE")).status == 200
        assert await client.quiet(0.3)
        assert (await client.ask("PLAY")).status == 200
        after = (await client.media(1))[0]
        assert after.source == before.source
        assert (await client.ask("SET_PARAMETER")).status == 200
        assert (await client.ask("TEARDOWN")).status == 200
        assert await client.quiet(0.3)
        assert camera.sessions == {}


async def test_rtp_info_tells_the_first_packet(camera: Camera) -> None:
    async with Client(camera.port) as client:
        info = (await client.play()).one("rtp-info")
        first = (await client.media(1))[0]
        assert info.startswith(f"url={client.url}/trackID=0;seq={first.sequence};rtptime={first.time}")


@pytest.mark.parametrize(
    ("method", "path", "transport", "status"),
    [
        ("DESCRIBE", "nowhere", "", 404),
        ("SETUP", "main/trackID=7", "RTP/AVP/TCP;interleaved=0-1", 404),
        ("SETUP", "main/trackID=0", "", 461),
        ("SETUP", "main/trackID=0", "RTP/AVP;multicast", 461),
        ("SETUP", "main/trackID=0", "RTP/AVP;unicast", 461),
        ("SETUP", "main/trackID=0", f"RTP/AVP;unicast;client_port={'9' * 5000}", 461),
        ("SETUP", "main/trackID=0", "RTP/AVP;unicast;client_port=70000-70001", 461),
        ("SETUP", "main/trackID=0", "RTP/AVP/TCP;interleaved=255-256", 461),
        ("SETUP", "main/trackID=0", "RTP/SAVP;unicast, RTP/AVP/TCP;unicast;interleaved=0-1", 200),
        ("PLAY", "main", "", 454),
        ("PAUSE", "main", "", 454),
        ("TEARDOWN", "main", "", 454),
        ("RECORD", "main", "", 501),
    ],
)
async def test_what_is_asked_is_answered(camera: Camera, method: str, path: str, transport: str, status: int) -> None:
    async with Client(camera.port) as client:
        answer = await client.ask(method, f"rtsp://127.0.0.1:{camera.port}/{path}", Transport=transport)
        assert answer.status == status


@pytest.mark.parametrize(
    "rubbish",
    [b"A" * 70_000, b"OPTIONS * RTSP/1.0\r\nContent-Length: 99999999\r\n\r\n", b"\r\n" * 10 + b"X: " * 30_000],
)
async def test_endless_requests_end_the_connection_and_no_other(camera: Camera, rubbish: bytes) -> None:
    async with Client(camera.port) as good, Client(camera.port) as bad:
        await good.play()
        bad._writer.write(rubbish)
        assert await bad.ended()
        assert await good.media(5)


async def test_no_request_at_all(camera: Camera) -> None:
    async with Client(camera.port) as client:
        client._writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert (await client.ask("OPTIONS")).status == 400


async def test_expired_nonce_is_told_and_not_counted() -> None:
    async with Site([quick(quirks=("R12",))]) as site:
        camera = site.camera("Gate")
        async with Client(camera.port) as client:
            assert (await client.login()).status == 200
            client.challenge = client.challenge.replace('nonce="', 'nonce="0')
            answer = await client.ask("DESCRIBE")
            assert answer.status == 401
            assert "stale=true" in answer.one("www-authenticate")
        assert camera.guard.failures == 0


async def test_udp_session_outlives_its_connection_until_its_time_out() -> None:
    async with Site([quick(schemes=(), session_timeout=2)]) as site:
        camera = site.camera("Gate")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
            receiver.bind(("127.0.0.1", 0))
            receiver.setblocking(False)
            port = receiver.getsockname()[1]
            async with Client(camera.port) as client:
                await client.login()
                await client.setup(transport=f"RTP/AVP;unicast;client_port={port}-{port}")
                assert (await client.ask("PLAY")).status == 200
            await until(lambda: not camera.connections)
            assert len(camera.sessions) == 1
            await until(lambda: not camera.sessions)
            datagrams = 0
            with pytest.raises(BlockingIOError):
                while receiver.recv(2048):
                    datagrams += 1
            assert datagrams > 5
