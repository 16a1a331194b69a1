"""The engine's process: reads what it is told on standard input, runs until it is told to leave or its leash ends.

SIGTERM closes every segment within 2 s. Exit codes: 0 it left, 1 it failed, 3 another engine holds the lock.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
import contextlib
import fcntl
import gc
import json
import logging
from logging.handlers import RotatingFileHandler
import os
from pathlib import Path
import signal
import sys
import threading
import time
from types import TracebackType
from typing import cast

from .api import LaunchRequest
from .archive.archive import THREAD as ARCHIVE_THREAD
from .build import build_id
from .clock import SystemClock
from .export.exports import Exports
from .lane import Lane
from .ledger.ledger import THREAD as LEDGER_THREAD
from .picture.stills import Stills
from .restream import Restream
from .server import Server
from .server_exports import routes as export_routes
from .server_ledger import routes as ledger_routes
from .supervisor import Supervisor
from .thumbnails import Thumbnails

_LOGGER = logging.getLogger(__name__)

LOG_BYTES = 2 << 20
LOG_FILES = 3
#: Threads that wait for disks: some may never come back, and hold up none of the others' calls.
THREADS = 32
_READERS = "engine reader"
THREADS_S = 0.3


def main() -> int:
    """Run the engine; returns its exit code."""
    launch = cast("LaunchRequest", json.loads(sys.stdin.read()))
    folder = Path(launch["state_dir"])
    os.umask(0o027)
    handler = RotatingFileHandler(folder / "engine.log", maxBytes=LOG_BYTES, backupCount=LOG_FILES)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    lock = os.open(folder / "engine.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _LOGGER.error("another engine of this hub runs")
        return 3
    sys.excepthook = _log_fault
    threading.excepthook = _log_thread_fault
    # Thousands of small objects live for one group of pictures, and none of them in cycles: looking for cycles among
    # them costs more than it finds.
    gc.freeze()
    gc.set_threshold(100_000, 20)
    asyncio.run(_run(launch, folder, lock))
    return 0


def _log_fault(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
    """Standard error is nobody's: what ends the engine, or one of its threads, is in its log."""
    _LOGGER.critical("the engine failed", exc_info=(kind, fault, trace))


def _log_thread_fault(fault: threading.ExceptHookArgs) -> None:
    if fault.exc_value is not None:
        _LOGGER.critical(
            "thread %s failed",
            fault.thread.name if fault.thread else "?",
            exc_info=(fault.exc_type, fault.exc_value, fault.exc_traceback),
        )


async def _run(launch: LaunchRequest, folder: Path, lock: int) -> None:
    leaving = asyncio.Event()
    loop = asyncio.get_running_loop()
    executor = ThreadPoolExecutor(THREADS, _READERS)
    loop.set_default_executor(executor)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leaving.set)
    clock = SystemClock()
    build = await asyncio.to_thread(build_id)
    supervisor = Supervisor(folder, clock)
    stills = Stills()
    restream = Restream(supervisor.feed)
    lane = Lane()
    exports = Exports(supervisor, lane, clock, folder, build)
    thumbnails = Thumbnails(lane)

    def leave() -> None:
        supervisor.pictures.renew_at_end = False
        leaving.set()

    server = Server(
        supervisor,
        stills,
        restream,
        lane,
        thumbnails,
        clock,
        build=build,
        leash_s=launch["leash_s"],
        leave=leave,
        routes=[*export_routes(supervisor, exports), *ledger_routes(supervisor.ledger, supervisor.facility)],
    )
    exports.on_change = server.events.tell
    supervisor.start()
    exports.start()
    _LOGGER.info("engine %s begins with %d cameras", build, len(supervisor.cameras()))
    watching = [
        asyncio.create_task(one.watch())
        for one in (
            supervisor,
            supervisor.causes.machine,
            lane,
            exports,
            supervisor.pictures,
            supervisor.examiner,
        )
    ]
    telling: asyncio.Task[None] | None = None
    ours = True
    bound = 0
    try:
        supervisor.restream_port = await restream.start(
            launch["restream_host"], supervisor.restream_port, launch["restream_secret"]
        )
        await server.start(Path(launch["socket"]))
        bound = await asyncio.to_thread(_inode, Path(launch["socket"]))
        telling = asyncio.create_task(server.tell_figures())
        ours = await _until_over(leaving, server, lock, folder, launch["leash_s"])
    finally:
        for task in watching:
            task.cancel()
        if telling is not None:
            telling.cancel()
        await exports.close()
        # At once: nobody who still listens holds up a segment that is to be closed.
        await asyncio.gather(
            supervisor.close(),
            server.close(),
            restream.close(),
            lane.close(),
            supervisor.pictures.close(),
            supervisor.examiner.close(),
        )
        await stills.close()
        await thumbnails.close()
        if ours:
            # After the last session: a login refused in the last moment is remembered too.
            with contextlib.suppress(OSError):
                await supervisor.save()
        await asyncio.to_thread(_leave_nothing, Path(launch["socket"]), bound)
        _LOGGER.info("engine left")
        executor.shutdown(wait=False, cancel_futures=True)
        await _until_ended()


async def _until_ended() -> None:
    """Wait for our threads. One that a dead disk holds cannot be ended, and must not hold up the process (I4): after
    THREADS_S it is left behind, and with it this function does not return.
    """
    until = time.monotonic() + THREADS_S
    while any(thread.name.startswith((_READERS, ARCHIVE_THREAD, LEDGER_THREAD)) for thread in threading.enumerate()):
        if time.monotonic() > until:
            _LOGGER.warning("a disk does not answer: its threads are left behind")
            logging.shutdown()
            os._exit(0)
        await asyncio.sleep(0.02)


async def _until_over(leaving: asyncio.Event, server: Server, lock: int, folder: Path, leash_s: float) -> bool:
    """Wait until the engine is told to leave, its leash ends, or its folder was taken away (a restored backup: then
    nothing may be saved in its place). Returns whether the folder is still ours.
    """
    while not leaving.is_set():
        try:
            async with asyncio.timeout(1.0):
                await leaving.wait()
        except TimeoutError:
            if server.events.alone_s > leash_s:
                _LOGGER.warning("no hub for %d s: the engine ends", round(leash_s))
                return True
            if await asyncio.to_thread(_replaced, lock, folder):
                _LOGGER.warning("the configuration folder was replaced: the engine ends")
                return False
    return True


def _inode(path: Path) -> int:
    """The inode of our socket: another engine may have put its own in the place."""
    return path.stat().st_ino


def _leave_nothing(path: Path, bound: int) -> None:
    """Take our socket away, and its folder, which was made for it."""
    with contextlib.suppress(OSError):
        if _inode(path) == bound:
            path.unlink()
            path.parent.rmdir()


def _replaced(lock: int, folder: Path) -> bool:
    """Whether the lock file that we hold is no longer the one in the folder."""
    try:
        there = (folder / "engine.lock").stat()
    except OSError:
        return True
    held = os.fstat(lock)
    return (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino)
