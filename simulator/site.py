"""A number of virtual cameras, as one thing that starts and ends."""

import asyncio
from collections.abc import Iterable
import contextlib
from types import TracebackType
from typing import Self

from .camera import Camera
from .onvif import serve
from .spec import CameraSpec, SpecError
from .truth import TruthLog

#: How often, in seconds, each camera sends what is due: about once a picture.
BURST = 0.04


class Site:
    """`async with Site([CameraSpec(name="Gate")]) as site:` and its cameras answer until the end of the block."""

    def __init__(self, specs: Iterable[CameraSpec], *, burst: float = BURST) -> None:
        """Describe the cameras. SpecError if two have one name."""
        self.truth = TruthLog()
        self.cameras: dict[str, Camera] = {}
        for spec in specs:
            if spec.name in self.cameras:
                raise SpecError(f"two cameras are called {spec.name!r}")
            self.cameras[spec.name] = Camera(spec, self.truth, burst)

    def camera(self, name: str) -> Camera:
        """The camera called `name`. KeyError if there is none."""
        return self.cameras[name]

    async def start(self) -> None:
        """Prepare the clips (which takes a while the first time), then let every camera answer."""
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.close)
            await self._start()
            stack.pop_all()

    async def _start(self) -> None:
        async with asyncio.TaskGroup() as group:
            for camera in self.cameras.values():
                group.create_task(camera.start())
        for camera in self.cameras.values():
            if camera.spec.http_port is not None:
                camera.services.append(await serve(camera))

    async def close(self) -> None:
        """End all of it."""
        for camera in self.cameras.values():
            await camera.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
