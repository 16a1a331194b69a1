"""A worker: a script of this folder as a process, with nothing of our environment, nor of our open files (promises I7:
apart, I9: secret). It is started with the first request, and again with the next one after it ended.
"""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
import contextlib
import os
from pathlib import Path
import sys

from ..media import Buffer


class WorkerProcess:
    """One worker, which answers one request at a time."""

    def __init__(self, script: str, *, answer_s: float, start_s: float) -> None:
        """Nothing is started yet. An answer takes `answer_s` seconds at most, the first one `start_s` with the start."""
        self._script = script
        self._answer_s = answer_s
        self._start_s = start_s
        self._process: Process | None = None

    async def ask[T](self, request: Sequence[Buffer], read: Callable[[asyncio.StreamReader], Awaitable[T]]) -> T:
        """One exchange: `read` takes the answer. Raises OSError (TimeoutError: it hangs) and IncompleteReadError. Whoever
        gets these, or is cancelled, ends the worker: the rest of the answer would be taken for the next one.
        """
        limit_s = self._answer_s
        if self._process is not None and self._process.returncode is not None:
            await self.end()
        if self._process is None:
            self._process = await _start(self._script)
            limit_s = self._start_s
        source, sink = self._process.stdin, self._process.stdout
        assert source is not None
        assert sink is not None
        async with asyncio.timeout(limit_s):
            source.writelines(request)
            await source.drain()
            return await read(sink)

    async def end(self) -> None:
        """Kill it, and wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _start(script: str) -> Process:
    """It talks on its standard input and output, and is only told where modules are: libav may lie anywhere."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        str(Path(__file__).with_name(script)),
        str(os.getpid()),
        stdin=PIPE,
        stdout=PIPE,
        cwd="/",
        env={
            "LANG": "C.UTF-8",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            # One picture at a time: threads of a library would only cost memory.
            "OPENBLAS_NUM_THREADS": "1",
        },
        limit=1 << 20,
        start_new_session=True,
    )
