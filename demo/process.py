"""A program that the demo starts, watches and ends: in a session of its own, so that Ctrl-C reaches only the demo."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from io import BufferedWriter
import os
from pathlib import Path
import signal

from .problem import DemoError

#: What a program gets that does not end when it is asked to.
_KILL_AFTER_S = 5.0


class Program:
    """One running program. What it prints goes to `log`."""

    def __init__(self, name: str, log: Path, process: asyncio.subprocess.Process) -> None:
        """It has just been started."""
        self.name, self.log, self._process = name, log, process

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for its end; returns the exit code."""
        return await self._process.wait()

    def last_words(self) -> str:
        """The end of what it printed, for a sentence."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "nothing"

    def check(self) -> None:
        """Raises `DemoError` if it has ended."""
        if self.exit_code is not None:
            raise DemoError(f"{self.name} ended by itself. It said: {self.last_words()} (all of it: {self.log})")

    async def end(self, patience_s: float) -> None:
        """Ask it to end, and make it end after `patience_s` seconds."""
        for number, seconds in ((signal.SIGTERM, patience_s), (signal.SIGKILL, _KILL_AFTER_S)):
            if self.exit_code is not None:
                return
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.wait(), seconds)


def _begin(log: Path) -> BufferedWriter:
    """A new log; the one before is kept beside it."""
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    return log.open("wb")


async def start(name: str, command: Sequence[str], log: Path, environment: Mapping[str, str], folder: Path) -> Program:
    """Start a program in `folder`. Its standard input stays open as long as the demo lives."""
    with _begin(log) as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
        )
    return Program(name, log, process)


@asynccontextmanager
async def running(
    name: str,
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    folder: Path,
    *,
    patience_s: float,
) -> AsyncIterator[Program]:
    """A program for as long as the block lasts."""
    program = await start(name, command, log, environment, folder)
    try:
        yield program
    finally:
        await program.end(patience_s)
