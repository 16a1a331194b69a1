"""`script/demo`: simulated cameras, a real Home Assistant, and this integration, set up as a technician would."""

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path
import signal
import sys

from .check import Finding
from .problem import DemoError
from .run import Options, demo, say
from .site import DEFAULT_CAMERAS

_ROOT = Path(__file__).parent.parent
_PORT = 8123
#: What a shell expects of a program that was ended by Ctrl-C.
_INTERRUPTED = 130


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="look at every camera once, then end")
    parser.add_argument("--port", type=int, default=_PORT, help=f"where Home Assistant answers ({_PORT})")
    parser.add_argument("--cameras", type=int, metavar="N", help=f"how many cameras ({DEFAULT_CAMERAS})")
    parser.add_argument("--folder", type=Path, default=_ROOT / ".demo", help="where everything is kept (.demo)")
    parser.add_argument("--reset", action="store_true", help="delete what an earlier demo left in the folder first")
    parser.add_argument("--keep-footage", action="store_true", help="with --reset: all but the footage")
    given = parser.parse_args()
    if not 0 < given.port < 65536:
        parser.error("--port is a number from 1 to 65535")
    return Options(given.folder.resolve(), given.port, given.cameras, given.reset, given.keep_footage, given.check)


async def _run(options: Options) -> int:
    """Run until the end; the first Ctrl-C ends everything in order, later ones cannot hurry it."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(demo(options))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _cancel_once(task))
    try:
        findings = await task
    except asyncio.CancelledError:
        return _INTERRUPTED
    failed = sum(finding.problem is not None for finding in findings)
    say(f"{len(findings) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _cancel_once(task: asyncio.Task[list[Finding]]) -> Callable[[], None]:
    def cancel() -> None:
        if not task.cancelling():
            task.cancel()

    return cancel


def main() -> None:
    """Run, and tell in one sentence what went wrong."""
    try:
        code = asyncio.run(_run(_options()))
    except DemoError as error:
        sys.stderr.write(f"demo: {error}\n")
        code = 1
    sys.exit(code)


if __name__ == "__main__":
    main()
