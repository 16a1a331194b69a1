"""Cameras that are lost again and again, and viewers that come and go: does the engine keep anything of it?

Small cameras through a running engine. Connections are cut as soon as pictures come again, as fast as the engine's own
back-off lets it, while viewers come to the re-stream: each asks, takes a packet and leaves, some without a word, some
in the middle. What the engine's process holds is measured before (after a warming up) and after, both
times at rest.
"""

import argparse
import asyncio
from base64 import b64encode
import contextlib
from dataclasses import dataclass
import json
from pathlib import Path
import random
import socket
import statistics
import struct
import tempfile
import time
from typing import Any
import urllib.parse

import aiohttp

from .engine_process import EngineProcess, Simulator

SMALL = (
    "--size",
    "320x180",
    "--fps",
    "10",
    "--kbps",
    "64",
    "--gop",
    "5",
    "--seconds",
    "2",
    "--no-sub",
    "--scenes",
    "1",
)
CAMERAS = 64
#: Viewers at one time.
TOGETHER = 16
#: Reconnects and viewers that warm up: SQLite's caches and the pools of threads and memory fill up to their bounds.
WARM = (800, 3_000)
WARM_S = 120.0
#: At rest: so long nothing happens, and so long it is measured, seconds.
SETTLE_S, MEASURE_S = 15.0, 10.0
LOOK_S = 0.25
PATIENCE_S = 10.0
#: The longest that the work may take: then it is told how much was done.
LIMIT_S = 780.0
LOG_IN = "Basic " + b64encode(b"viewer:bench").decode()


@dataclass(frozen=True, slots=True)
class Held:
    """What a process holds: open handles, threads, kilobytes of memory."""

    handles: int
    threads: int
    memory_kb: int

    @classmethod
    def of(cls, pid: int) -> Held:
        """Now. Raises OSError if it is gone."""
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines)
        handles = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        return cls(handles, int(status["Threads"]), int(status["VmRSS"].split()[0]))


def at_rest(seen: list[Held]) -> Held:
    """What is held when nothing is under way: the fewest handles and threads, and the usual memory."""
    return Held(
        min(held.handles for held in seen),
        min(held.threads for held in seen),
        round(statistics.median(held.memory_kb for held in seen)),
    )


async def rest(pid: int) -> Held:
    """Let it come to rest, and measure."""
    await asyncio.sleep(SETTLE_S)
    seen = []
    until = time.monotonic() + MEASURE_S
    while time.monotonic() < until:
        seen.append(Held.of(pid))
        await asyncio.sleep(LOOK_S)
    return at_rest(seen)


async def cameras_of(engine: EngineProcess) -> list[dict[str, Any]]:
    """What the engine says of its cameras. Raises OSError."""
    told = await asyncio.to_thread(engine.call, "GET", "/v1/cameras")
    return list(told["cameras"])


async def reconnect(engine: EngineProcess, control: str, count: int, until: float) -> int:
    """Cut each camera's connection whenever pictures came on it, until there were `count` reconnects or it is the
    monotonic time `until`; returns how many there were.
    """
    begun = sum(camera["reconnects"] for camera in await cameras_of(engine))
    cut_at: dict[str, tuple[int, float]] = {}
    done = 0
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as session:
        while done < count and time.monotonic() < until:
            cameras = await cameras_of(engine)
            done = sum(camera["reconnects"] for camera in cameras) - begun
            for camera in cameras:
                reconnects, at = cut_at.get(camera["id"], (-1, 0.0))
                if camera["reconnects"] > reconnects and (camera["last_frame"] or 0) > at * 1e6:
                    cut_at[camera["id"]] = camera["reconnects"], time.time()
                    name = urllib.parse.quote(camera["id"])
                    async with session.post(f"{control}/cameras/{name}/faults/cut", json={}) as answer:
                        answer.raise_for_status()
            await asyncio.sleep(LOOK_S)
    return done


class Viewers:
    """Viewers of the re-stream that come and go, each in a way of its own."""

    def __init__(self, port: int, cameras: list[str], seed: int) -> None:
        """Nobody has come yet."""
        self._port, self._cameras = port, cameras
        self._drawn = random.Random(seed)
        #: How many got what they came for, and how many came in vain: their camera was away just then.
        self.served = 0
        self.in_vain = 0
        self._coming = 0

    async def come(self, count: int, until: float) -> None:
        """So many, several at a time, until the monotonic time `until` at the latest."""
        self._coming = count
        async with asyncio.TaskGroup() as group:
            for _ in range(TOGETHER):
                group.create_task(self._one_by_one(until))

    async def _one_by_one(self, until: float) -> None:
        while self._coming > 0 and time.monotonic() < until:
            self._coming -= 1
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._visit()
            except OSError, EOFError, ValueError, TimeoutError:
                self.in_vain += 1
                self._coming += 1
            else:
                self.served += 1

    async def _visit(self) -> None:
        """One viewer. Raises OSError, EOFError, ValueError where it is not served."""
        way = self._drawn.choice(("polite", "closes", "resets", "goes before it plays"))
        url = f"rtsp://127.0.0.1:{self._port}/{urllib.parse.quote(self._drawn.choice(self._cameras))}"
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            await _ask(reader, writer, f"DESCRIBE {url}")
            await _ask(reader, writer, f"SETUP {url}/video", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
            if way != "goes before it plays":
                await _ask(reader, writer, f"PLAY {url}")
                head = await reader.readexactly(4)
                await reader.readexactly(int.from_bytes(head[2:]))
            if way == "polite":
                writer.write(f"TEARDOWN {url} RTSP/1.0\r\nCSeq: 9\r\n\r\n".encode())
                await writer.drain()
            elif way == "resets":
                # Without lingering a close is a reset.
                told: socket.socket = writer.get_extra_info("socket")
                told.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: str, *headers: str) -> None:
    """One request, and its answer. Raises ValueError if it is refused."""
    lines = (f"{request} RTSP/1.0", "CSeq: 1", f"Authorization: {LOG_IN}", *headers, "", "")
    writer.write("\r\n".join(lines).encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    if head.split(" ")[1] != "200":
        raise ValueError(head.partition("\r\n")[0])
    length = [line.partition(":")[2] for line in head.lower().split("\r\n") if line.startswith("content-length:")]
    if length:
        await reader.readexactly(int(length[0]))


async def until_online(engine: EngineProcess) -> None:
    """Wait until pictures come from every camera. Raises TimeoutError."""
    since_us = time.time() * 1e6
    async with asyncio.timeout(60):
        while True:
            cameras = await cameras_of(engine)
            if all((camera["last_frame"] or 0) > since_us for camera in cameras):
                return
            await asyncio.sleep(LOOK_S)


@dataclass(frozen=True, slots=True)
class Done:
    """How much was done, and what was held before and after."""

    before: Held
    after: Held
    reconnects: int
    viewers: int
    in_vain: int
    seconds: float


async def soak(engine: EngineProcess, control: str, reconnects: int, viewers: int) -> Done:
    """Warm up, measure, do the work, measure again."""
    await until_online(engine)
    port = (await asyncio.to_thread(engine.call, "GET", "/v1/info"))["restream_port"]
    coming = Viewers(port, [camera["id"] for camera in await cameras_of(engine)], 1)

    async def work(reconnects: int, viewers: int, until: float) -> int:
        async with asyncio.TaskGroup() as group:
            cut = group.create_task(reconnect(engine, control, reconnects, until))
            group.create_task(coming.come(viewers, until))
        await until_online(engine)
        return cut.result()

    await work(*WARM, time.monotonic() + WARM_S)
    before = await rest(engine.process.pid)
    coming.served = coming.in_vain = 0
    began = time.monotonic()
    done = await work(reconnects, viewers, began + LIMIT_S)
    seconds = time.monotonic() - began
    after = await rest(engine.process.pid)
    return Done(before, after, done, coming.served, coming.in_vain, seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="script/bench soak", description=__doc__)
    parser.add_argument("--reconnects", type=int, default=0, help="5,000; 500 with --quick")
    parser.add_argument("--viewers", type=int, default=0, help="20,000; 2,000 with --quick")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    reconnects = options.reconnects or (500 if options.quick else 5_000)
    viewers = options.viewers or (2_000 if options.quick else 20_000)
    with (
        Simulator("--cameras", str(CAMERAS), *SMALL) as simulator,
        tempfile.TemporaryDirectory(prefix="bench-soak-") as folder,
    ):
        engine = EngineProcess(Path(folder))
        try:
            engine.record(simulator.cameras)
            done = asyncio.run(soak(engine, simulator.control, reconnects, viewers))
        finally:
            engine.close()
    print(f"\n{CAMERAS} cameras: {done.reconnects} reconnects and {done.viewers} viewers in {done.seconds:.0f} s")
    print(f"({done.in_vain} more viewers came in vain: their camera was away just then)")
    print(f"{'':20}{'before':>12}{'after':>12}")
    for name in ("handles", "threads", "memory_kb"):
        print(f"{name:20}{getattr(done.before, name):>12}{getattr(done.after, name):>12}")
    print()
    print(
        json.dumps(
            {
                "reconnects": done.reconnects,
                "viewers": done.viewers,
                "memory_growth_percent": round(100 * (done.after.memory_kb / done.before.memory_kb - 1), 2),
                "handles_growth": done.after.handles - done.before.handles,
                "threads_growth": done.after.threads - done.before.threads,
            }
        )
    )


if __name__ == "__main__":
    main()
