"""The engine of the demo's Home Assistant: what it says of the cameras, and its end.

It is started detached and records on without Home Assistant; so whoever ends the demo has to end it too.
"""

import asyncio
from contextlib import suppress
import os
from pathlib import Path
import signal
import time
from typing import Any

import aiohttp

from custom_components.facility_cameras.engine_process import EnginePaths

_TIMEOUT = aiohttp.ClientTimeout(total=10)
#: How long it may take to finish what it writes.
_LEAVE_S = 15.0


async def _ask(config: Path, method: str, path: str) -> Any:
    """An answer of the engine's; None if there is no engine."""
    socket = EnginePaths.of(str(config)).socket
    if not socket.exists():
        return None
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket)), timeout=_TIMEOUT) as session,
            session.request(method, f"http://engine/v1/{path}") as response,
        ):
            return await response.json(content_type=None) if response.ok else None
    except aiohttp.ClientError, TimeoutError, ValueError:
        return None


async def cameras(config: Path) -> dict[str, dict[str, Any]]:
    """What the engine knows of each camera, by its id."""
    found = await _ask(config, "GET", "cameras")
    return {camera["id"]: camera for camera in found["cameras"]} if found else {}


async def end(config: Path) -> None:
    """Tell the engine to finish what it writes and leave, and see that it is gone."""
    info = await _ask(config, "GET", "info")
    if info is None:
        return
    await _ask(config, "POST", "leave")
    deadline = time.monotonic() + _LEAVE_S
    while time.monotonic() < deadline:
        if not _lives(info["pid"]):
            return
        await asyncio.sleep(0.05)
    with suppress(ProcessLookupError):
        os.kill(info["pid"], signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
