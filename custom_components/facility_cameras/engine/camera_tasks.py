"""The tasks that receive the cameras, and what ends behind them. One that ends by a fault of ours is logged and started
again; one whose camera is replaced says goodbye before its successor begins (promise I8: one session per camera).
"""

import asyncio
from collections.abc import Coroutine
import logging

from .camera import Camera

_LOGGER = logging.getLogger(__name__)

RESTART_S = 1.0
#: A session that was told to end has so long to say goodbye, seconds.
GOODBYE_S = 3.0


class CameraTasks:
    """One task per camera, by its id."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def ending(self) -> tuple[asyncio.Task[None], ...]:
        """What was told to end and has not yet."""
        return tuple(self._ending)

    def get(self, identity: str) -> asyncio.Task[None] | None:
        """The task of a camera, None if it has none."""
        return self._tasks.get(identity)

    def start(self, camera: Camera, before: asyncio.Task[None] | None) -> None:
        """Receive a camera, once the task `before`, which was told to end, has done so."""

        async def run() -> None:
            if before is not None:
                await asyncio.wait([before], timeout=GOODBYE_S)
            await camera.run()

        identity = camera.config["id"]
        task = self._tasks[identity] = asyncio.get_running_loop().create_task(run(), name=f"camera {identity}")
        task.add_done_callback(lambda task: self._ended(camera, task))

    def end(self, identity: str) -> bool:
        """Receive a camera no more. Returns whether it was received."""
        task = self._tasks.pop(identity, None)
        if task is None:
            return False
        task.cancel()
        self._keep(task)
        return True

    def behind(self, work: Coroutine[None, None, None]) -> None:
        """Work that nobody waits for but `close`."""
        self._keep(asyncio.get_running_loop().create_task(work))

    async def close(self) -> None:
        """End all of them."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), *self._ending, return_exceptions=True)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _ended(self, camera: Camera, task: asyncio.Task[None]) -> None:
        """A camera's task ends only when it is cancelled; anything else is a fault of ours."""
        identity = camera.config["id"]
        if task.cancelled() or self._tasks.get(identity) is not task:
            return
        _LOGGER.error("camera %s: its task failed and is started again", identity, exc_info=task.exception())
        asyncio.get_running_loop().call_later(RESTART_S, self._start_again, camera, task)

    def _start_again(self, camera: Camera, task: asyncio.Task[None]) -> None:
        if self._tasks.get(camera.config["id"]) is task:
            self.start(camera, None)
