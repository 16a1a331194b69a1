"""What a restart of Home Assistant costs in footage, with a real Home Assistant as the demo runs it.

First Home Assistant alone ends and starts anew: the engine outlives it, and no frame may be missing. Then everything in
the container is told to end at once and killed after 3 s, as the Supervisor does, and Home Assistant is started again:
the gap is from that moment to the first picture recorded again. What is ours of it ends with a camera's key picture.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator
import contextlib
import itertools
import json
import os
from pathlib import Path
import signal
import statistics
import sys
import tempfile
import time
from typing import Any

import aiohttp
import av
import numpy as np
import psutil

from custom_components.facility_cameras.engine_process import EnginePaths
from demo import engine as demo_engine, login
from demo.client import Client
from demo.home_assistant import HomeAssistant
from demo.process import running
from demo.set_up import added, set_up
from demo.site import CLIP_FRAMES, HOST, Site, free_ports, site_of
from simulator import barcode

ROOT = Path(__file__).parent.parent
LIMIT_S = 120.0
#: What a container's processes have from TERM to KILL.
KILL_S = 3.0


async def ask(config: Path, path: str) -> Any:
    """An answer of the engine's, None if none answers."""
    socket = EnginePaths.of(str(config)).socket
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
            session.get(f"http://engine/v1/{path}") as response,
        ):
            return await response.json(content_type=None) if response.ok else None
    except aiohttp.ClientError:
        return None


async def until_recording(config: Path, cameras: int) -> dict[str, Any]:
    """Wait until the engine records all cameras; returns what it says of itself. Raises TimeoutError."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            states = await ask(config, "cameras")
            if states and sum(state["recording"] for state in states["cameras"]) == cameras:
                info: dict[str, Any] = await ask(config, "info")
                return info
            await asyncio.sleep(0.05)


async def until_shown(client: Client, site: Site) -> None:
    """Wait until Home Assistant shows all cameras recording. Raises TimeoutError."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            states = {state["entity_id"]: state["state"] for state in await client.get("/api/states")}
            shown = [states.get(each.entities.get("camera", "")) for each in await added(client, site)]
            if shown and all(state == "recording" for state in shown):
                return
            await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def simulated(folder: Path, site: Site) -> AsyncIterator[None]:
    """The site's cameras, answering."""
    specs = folder / "cameras.json"
    site.write_specs(specs)
    command = [sys.executable, "-m", "simulator", "--site", str(specs), "--port", str(site.control_port), "--json"]
    async with running("The simulator", command, folder / "simulator.log", os.environ, ROOT, patience_s=10) as program:
        async with asyncio.timeout(300), aiohttp.ClientSession() as session:
            while True:
                program.check()
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"http://{HOST}:{site.control_port}/cameras"):
                        break
                await asyncio.sleep(0.2)
        yield


async def segments(config: Path, start_us: int) -> list[list[dict[str, Any]]]:
    """Each camera's segments since a time."""
    states = await ask(config, "cameras")
    found = []
    for state in states["cameras"]:
        answer = await ask(config, f"cameras/{state['id']}/segments?start={start_us}")
        found.append(answer["segments"])
    return found


def lost_frames(cameras: list[list[dict[str, Any]]]) -> int:
    """Pictures missing in files that should follow one another without a hole: by their numbers, and by their times."""
    lost = 0
    for files in cameras:
        numbers: list[int] = []
        for file in files:
            times: list[float] = []
            with av.open(file["path"], "r") as container:
                for frame in container.decode(video=0):
                    numbers.append(barcode.read(np.asarray(frame.to_ndarray(format="gray"), np.uint8)))
                    times.append(frame.time or 0.0)
            steps = [after - before for before, after in itertools.pairwise(times)]
            usual = statistics.median(steps)
            lost += sum(step > 1.5 * usual for step in steps)
        found = barcode.check(numbers, CLIP_FRAMES)
        lost += found.missing + found.duplicate + found.out_of_order
    return lost


def longest_gap_s(cameras: list[list[dict[str, Any]]]) -> float:
    """The longest time without footage between two segments of a camera."""
    gaps = [(b["start"] - a["end"]) / 1e6 for files in cameras for a, b in itertools.pairwise(files)]
    return max(gaps, default=0.0)


def begun_at(pid: int) -> float:
    """When a process was started, as `time.time()` tells it, to 10 ms."""
    return psutil.Process(pid).create_time()


async def end_container(home_assistant: HomeAssistant, config: Path, engine: int) -> None:
    """TERM to all, KILL to what is left after 3 s."""
    os.kill(engine, signal.SIGTERM)
    await home_assistant.end(KILL_S)
    if left := await ask(config, "info"):
        os.kill(left["pid"], signal.SIGKILL)


async def measure(folder: Path, count: int) -> dict[str, float]:
    """Set up, restart both ways, and judge the footage."""
    config, footage = folder / "home_assistant", folder / "footage"
    site = site_of(folder / "site.json", count)
    home_assistant = HomeAssistant(config, free_ports(1)[0])
    home_assistant.prepare()
    try:
        async with simulated(folder, site):
            async with home_assistant.running():
                tokens = await login.log_in(home_assistant.url)
                async with Client(home_assistant.url, tokens["access_token"]) as client:
                    await login.finish_onboarding(client)
                    await set_up(client, site, footage)
                    await until_shown(client, site)
                first = await until_recording(config, count)
                since_us = time.time_ns() // 1000
                told = time.time()
            # Home Assistant has ended; the engine records on.
            ended = time.time()
            async with home_assistant.running():
                async with Client(home_assistant.url, tokens["access_token"]) as client:
                    await until_shown(client, site)
                attached = time.time()
                second = await until_recording(config, count)
                alone = await segments(config, since_us)
                lost = await asyncio.to_thread(lost_frames, alone)
                container_told = time.time()
                await end_container(home_assistant, config, second["pid"])
            container_ended = time.time()
            async with home_assistant.running(), Client(home_assistant.url, tokens["access_token"]) as client:
                third = await until_recording(config, count)
                begun = begun_at(third["pid"])
                await until_shown(client, site)
                again = await segments(config, int(container_ended * 1e6))
                states = (await ask(config, "cameras"))["cameras"]
    finally:
        await demo_engine.end(config)
    # Of each camera: from TERM to its first picture again. The last one counts.
    gap = max(min(file["start"] for file in files) for files in again) / 1e6 - container_told
    stop = container_ended - container_told
    boot = begun - container_ended
    return {
        "cameras": count,
        "engine_survived": int(first["pid"] == second["pid"]),
        "ha_restart_s": round(attached - told, 2),
        "ha_restart_stop_s": round(ended - told, 2),
        "ha_restart_lost_frames": lost,
        "ha_restart_gap_s": round(longest_gap_s(alone), 3),
        "container_gap_s": round(gap, 2),
        "container_stop_s": round(stop, 2),
        "ha_boot_s": round(boot, 2),
        "container_ours_s": round(gap - stop - boot, 2),
        "container_engine_start_s": round(third["started"] / 1e6 - begun, 2),
        "container_key_picture_s": round(max(state["first_picture_s"] for state in states), 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="script/bench restart", description=__doc__)
    parser.add_argument("--cameras", type=int, default=6)
    parser.add_argument("--quick", action="store_true", help="2 cameras")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="facility-cameras-", dir=Path.home()) as folder:
        figures = asyncio.run(measure(Path(folder), 2 if options.quick else options.cameras))
    for name, value in figures.items():
        print(f"{name:36}{value:>10}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
