"""Starts a worker: with nothing of our environment, nor of our open files (promises I7: apart, I9: secret)."""

import asyncio
from asyncio.subprocess import PIPE, Process
import contextlib
import os
from pathlib import Path
import sys


async def start_worker(script: str) -> Process:
    """A script of this folder as a process that talks on its standard input and output. Raises OSError.

    It is only told where modules are: libav may lie anywhere.
    """
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


async def end_worker(worker: Process) -> None:
    """Kill it, and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError):
        worker.kill()
    await worker.wait()
