"""Simulated cameras that speak ONVIF only: their picture is one small JPEG, their stream an address."""

from collections.abc import AsyncIterator, Awaitable
import time
from typing import Protocol
from urllib.parse import quote

import pytest

from custom_components.facility_cameras.onvif_camera import Device, read_device
from simulator.onvif import OnvifService, serve
from simulator.spec import CameraSpec

JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
RTSP_PORT = 5554


class StillCamera:
    """A camera as its ONVIF service sees it. `ahead` is how many seconds its clock is ahead of ours."""

    def __init__(self, spec: CameraSpec) -> None:
        self.spec = spec
        self.password = spec.password
        self.ahead = spec.clock_offset

    def url(self, stream: str | None = None, *, login: bool = True) -> str:
        path = next(each.path for each in self.spec.streams if stream in (None, each.name))
        user = f"{quote(self.spec.username, safe='')}:{quote(self.password, safe='')}@" if login else ""
        return f"rtsp://{user}{self.spec.host}:{RTSP_PORT}/{path}"

    def now(self) -> float:
        return time.time() + self.ahead

    async def snapshot(self) -> bytes:
        return JPEG


class Started:
    """A camera and its ONVIF service."""

    def __init__(self, camera: StillCamera, service: OnvifService) -> None:
        self.camera, self.service = camera, service

    @property
    def address(self) -> str:
        return f"{self.service.host}:{self.service.port}"

    @property
    def asked(self) -> list[str]:
        return [name for name, _ in self.service.asked]

    async def read(self, password: str | None = None, username: str | None = None) -> Device:
        camera = self.camera
        return await read_device(
            self.address,
            camera.spec.username if username is None else username,
            camera.password if password is None else password,
        )


class StartCamera(Protocol):
    """start_camera(*quirks, spec=…): a camera and its ONVIF service on a free port."""

    def __call__(self, *quirks: str, spec: CameraSpec | None = None) -> Awaitable[Started]: ...


@pytest.fixture
async def start_camera() -> AsyncIterator[StartCamera]:
    services: list[OnvifService] = []

    async def start(*quirks: str, spec: CameraSpec | None = None) -> Started:
        camera = StillCamera(spec or CameraSpec(name="Gate camera"))
        services.append(await serve(camera))
        services[-1].behave(*quirks)
        return Started(camera, services[-1])

    yield start
    for service in services:
        await service.close()
