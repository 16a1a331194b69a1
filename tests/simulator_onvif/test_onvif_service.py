"""The simulated ONVIF service, as a careful client sees it on the line."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
import hashlib
from pathlib import Path
import socket
import sys

import aiohttp
import pytest

from custom_components.facility_cameras.onvif_camera import OnvifCause, OnvifError, transport
from simulator.onvif_quirks import ONVIF_QUIRKS
from simulator.spec import CameraSpec
from tests.onvif_cameras import JPEG, StartCamera, Started

SOAP = "http://www.w3.org/2003/05/soap-envelope"
DEVICE = "http://www.onvif.org/ver10/device/wsdl"
NONCE = base64.b64encode(b"sixteen bytes 16").decode()


def token(password: str, *, nonce: str = NONCE, created: datetime | None = None, plain: bool = False) -> str:
    moment = (created or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha1(base64.b64decode(nonce) + moment.encode() + password.encode()).digest()
    kind, shown = ("PasswordText", password) if plain else ("PasswordDigest", base64.b64encode(digest).decode())
    return (
        f'<Security><UsernameToken><Username>admin</Username><Password Type="x#{kind}">{shown}</Password>'
        f"<Nonce>{nonce}</Nonce><Created>{moment}</Created></UsernameToken></Security>"
    )


async def ask(started: Started, operation: str, header: str = "", namespace: str = DEVICE) -> tuple[int, str]:
    body = (
        f'<e:Envelope xmlns:e="{SOAP}"><e:Header>{header}</e:Header>'
        f'<e:Body><o:{operation} xmlns:o="{namespace}"/></e:Body></e:Envelope>'
    )
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://{started.address}/onvif/device_service", data=body) as response,
    ):
        return response.status, await response.text()


async def test_the_time_and_the_services_are_for_everybody(start_camera: StartCamera) -> None:
    started = await start_camera()
    for operation in ("GetSystemDateAndTime", "GetServices", "GetCapabilities", "GetHostname"):
        status, text = await ask(started, operation)
        assert (status, f"{operation}Response" in text) == (200, True)
    for operation in ("GetDeviceInformation", "GetNetworkInterfaces", "GetScopes"):
        assert (await ask(started, operation))[0] == 401


async def test_a_token_is_judged(start_camera: StartCamera) -> None:
    started = await start_camera("O9")
    good, now = started.camera.password, datetime.now(UTC)
    other = base64.b64encode(b"another").decode()
    assert (await ask(started, "GetDeviceInformation", token(good)))[0] == 200
    assert (await ask(started, "GetDeviceInformation", token(good)))[0] == 400  # the nonce was used
    for bad in (
        token("wrong", nonce=other),
        token(good, nonce=other, created=now - timedelta(minutes=5)),
        token(good, nonce=other, created=now + timedelta(minutes=5)),
        token(good, nonce=other).replace(">admin<", ">someone<"),
    ):
        started.service.lock.tried(good=True)
        assert (await ask(started, "GetDeviceInformation", bad))[0] == 400
    assert (await ask(started, "GetDeviceInformation", token(good, nonce=other, plain=True)))[0] == 200


async def test_o1_five_wrong_logins_lock(start_camera: StartCamera) -> None:
    started = await start_camera("O1", "O9")
    left = []
    for number in range(5):
        nonce = base64.b64encode(bytes([number])).decode()
        left.append((await ask(started, "GetScopes", token("wrong", nonce=nonce)))[1])
    assert ["4 attempts left" in left[0], "locked" in left[4]] == [True, True]
    assert "locked" in (await ask(started, "GetScopes", token(started.camera.password)))[1]
    assert started.service.lock.failures == 5


async def test_unknown_operations_are_refused_cleanly(start_camera: StartCamera) -> None:
    started = await start_camera()
    status, text = await ask(started, "CreatePullPointSubscription", namespace="http://www.onvif.org/ver10/events/wsdl")
    assert (status, "ActionNotSupported" in text) == (400, True)


@pytest.mark.parametrize("content", [b"", b"<", b"<a/>", b"<!DOCTYPE x>", b"<a>" * 100, b"\xff\xfe"])
async def test_what_is_no_request(start_camera: StartCamera, content: bytes) -> None:
    started = await start_camera()
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://{started.address}/onvif/device_service", data=content) as response,
    ):
        assert (response.status, "WellFormed" in await response.text()) == (400, True)


async def test_stills_need_the_login(start_camera: StartCamera) -> None:
    started = await start_camera()
    url = f"http://{started.address}/onvif/snapshot?profile=profile_main"
    login = aiohttp.DigestAuthMiddleware("admin", started.camera.password)
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as response:
            assert response.status == 401
        async with session.get(url, middlewares=(login,)) as response:
            assert (response.status, await response.read()) == (200, JPEG)


async def test_quirks_over_http(start_camera: StartCamera) -> None:
    started = await start_camera()
    url = f"http://{started.address}/simulator/quirks"
    async with aiohttp.ClientSession() as session:
        async with session.put(url, json=["O14", "O4"]) as response:
            assert await response.json() == ["O14", "O4"]
        assert started.service.habits.serial == "0000000"
        for wrong in (["X1"], 7, None):
            async with session.put(url, json=wrong) as response:
                assert response.status == 400
                assert "O14-mac" in await response.text()
    assert started.service.quirks == ("O14", "O4")


def test_every_quirk_has_a_word_for_people() -> None:
    assert all(quirk.summary and quirk.habits for quirk in ONVIF_QUIRKS.values())


async def test_gone_deaf_and_back(start_camera: StartCamera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "CONNECT_S", 0.2)
    started = await start_camera()
    for fault, cause in (
        (started.service.shut, OnvifCause.CONNECTION_REFUSED),
        (started.service.deafen, OnvifCause.NO_ANSWER),
    ):
        await fault()
        with pytest.raises(OnvifError) as caught:
            await started.read()
        assert caught.value.cause is cause
        await started.service.open()
        assert (await started.read()).serial


async def test_a_taken_port(start_camera: StartCamera) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            await start_camera(spec=CameraSpec(name="Gate", http_port=taken.getsockname()[1]))


_WHOLE = """
import asyncio
import aiohttp
from custom_components.facility_cameras.onvif_camera import read_device
from simulator.site import Site
from simulator.spec import CameraSpec, StreamSpec, Video

async def main():
    video = Video(width=320, height=180, fps=5, gop=5, seconds=1, kbps=200)
    async with Site([CameraSpec(name="Yard", http_port=0, streams=(StreamSpec(video=video),))]) as site:
        camera = site.camera("Yard")
        [service] = camera.services
        device = await read_device(f"127.0.0.1:{service.port}", "admin", camera.password)
        print(device.name, device.best.width, device.best.stream_url == camera.url(login=False))
        login = aiohttp.DigestAuthMiddleware("admin", camera.password)
        async with (
            aiohttp.ClientSession() as session,
            session.get(device.snapshot_url, middlewares=(login,)) as response,
        ):
            print((await response.read())[:2])

asyncio.run(main())
"""


async def test_a_whole_simulated_camera_speaks_onvif() -> None:
    """In a process of its own: the simulator's encoders keep threads."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _WHOLE,
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert out.decode().splitlines() == ["Yard 320 True", r"b'\xff\xd8'"], err.decode()
