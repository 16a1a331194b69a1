"""Waiting for what must come true."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], limit: float = 10) -> None:
    """Return once `condition` is true. TimeoutError after `limit` seconds."""
    async with asyncio.timeout(limit):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)
