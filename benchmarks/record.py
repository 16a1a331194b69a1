"""What recording costs: the same cameras recorded by ffmpeg, by PyAV in threads, by our engine, and by a bare floor.

(a) one `ffmpeg -c copy -f segment` process per camera, (b) PyAV in threads of one process, (c) our engine with
everything on (hash, index, events), (d) the floor: read and write, nothing else. Whole-process CPU as the operating
system counts it, memory as PSS. Timings are ratios of one run.
"""

import argparse
from collections.abc import Callable, Iterator
import contextlib
from dataclasses import dataclass
import itertools
import json
import os
from pathlib import Path
import subprocess
import sys
import tempfile
import time
from typing import Any

import av
import psutil

from .engine_process import EngineProcess, Simulator

ROOT = Path(__file__).parent.parent
#: Sessions settle for so long before anything is counted.
SETTLE_S = 5.0


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU milliseconds per camera and second, and MB (PSS) per camera."""

    cpu_ms: float
    memory_mb: float


def _cpu_s(pids: list[int]) -> float:
    total = 0.0
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _pss_mb(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def _family(pid: int) -> list[int]:
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def _measure(pids: Callable[[], list[int]], cameras: int, seconds: float) -> Cost:
    time.sleep(SETTLE_S)
    before, began = _cpu_s(pids()), time.monotonic()
    time.sleep(seconds)
    after, elapsed = _cpu_s(pids()), time.monotonic() - began
    return Cost((after - before) * 1000 / elapsed / cameras, _pss_mb(pids()) / cameras)


def _url(camera: dict[str, Any]) -> str:
    return str(camera["streams"][0]["url"])


@contextlib.contextmanager
def _children(commands: list[list[str]], folder: Path) -> Iterator[list[int]]:
    with (folder / "children.out").open("wb") as out:
        started = [
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=ROOT)
            for command in commands
        ]
    try:
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(15)


def by_ffmpeg(cameras: list[dict[str, Any]], folder: Path, seconds: float) -> Cost:
    """One ffmpeg per camera, copying into segments."""
    commands = [
        [
            "ffmpeg", "-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", _url(camera), "-an", "-c", "copy",
            "-f", "segment", "-segment_time", "60", "-segment_format", "mp4",
            "-segment_format_options", "movflags=+frag_keyframe+empty_moov+default_base_moof",
            str(folder / f"{number}-%03d.mp4"),
        ]
        for number, camera in enumerate(cameras)
    ]  # fmt: skip
    with _children(commands, folder) as pids:
        return _measure(lambda: pids, len(cameras), seconds)


def by_script(name: str, cameras: list[dict[str, Any]], folder: Path, seconds: float) -> Cost:
    """A script of this folder in one process: the addresses and where to write as arguments."""
    command = [sys.executable, "-m", f"benchmarks.{name}", str(folder), *map(_url, cameras)]
    with _children([command], folder) as pids:
        return _measure(lambda: pids, len(cameras), seconds)


def by_engine(cameras: list[dict[str, Any]], folder: Path, seconds: float) -> tuple[Cost, int, int]:
    """Our engine. Also returns how many frames were lost, and how many were judged."""
    engine = EngineProcess(folder)
    try:
        engine.record(cameras)
        cost = _measure(lambda: _family(engine.process.pid), len(cameras), seconds)
        states = engine.call("GET", "/v1/cameras")["cameras"]
    finally:
        engine.close()
    away = sum(state["status"] != "online" or state["reconnects"] > 0 for state in states)
    if away:
        print(f"warning: {away} cameras were not online all the time")
    lost, judged = _lost_frames(engine.archive)
    return cost, lost, judged


def _lost_frames(archive: Path) -> tuple[int, int]:
    """Frames missing between the first and the last of each camera, told by the gaps between presentation times."""
    lost = judged = 0
    for camera in {path.parent.parent for path in archive.rglob("*.mp4")}:
        times: list[int] = []
        step = 3600
        for path in sorted(camera.rglob("*.mp4")):
            with av.open(str(path)) as container:
                times += [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
        times.sort()
        judged += len(times)
        lost += sum(round((after - before) / step) - 1 for before, after in itertools.pairwise(times))
    return lost, judged


def main() -> None:
    """Run all four and print what they cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=0, help="how many (16; 8 with --quick)")
    parser.add_argument("--seconds", type=float, default=0, help="how long each is measured (60; 15 with --quick)")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=("a", "b", "c", "d"), action="append", help="leave the others out")
    options = parser.parse_args()
    cameras = options.cameras or (8 if options.quick else 16)
    seconds = options.seconds or (15.0 if options.quick else 60.0)
    wanted = options.only or ["a", "b", "c", "d"]
    costs: dict[str, Cost] = {}
    lost = judged = 0
    arguments = ("--cameras", str(cameras), "--no-sub", "--scenes", "2")
    with Simulator(*arguments) as simulator, tempfile.TemporaryDirectory(prefix="bench-record-") as temporary:
        for way in wanted:
            folder = Path(temporary) / way
            folder.mkdir()
            if way == "a":
                costs[way] = by_ffmpeg(simulator.cameras, folder, seconds)
            elif way == "c":
                costs[way], lost, judged = by_engine(simulator.cameras, folder, seconds)
            else:
                name = "record_pyav" if way == "b" else "record_floor"
                costs[way] = by_script(name, simulator.cameras, folder, seconds)
            print(f"{way}: {costs[way].cpu_ms:.2f} ms", file=sys.stderr)
    _tell(costs, cameras, seconds, lost, judged)


def _tell(costs: dict[str, Cost], cameras: int, seconds: float, lost: int, judged: int) -> None:
    names = {
        "a": "ffmpeg, a process per camera",
        "b": "PyAV, a thread per camera",
        "c": "our engine",
        "d": "floor: read and write",
    }
    print(
        f"\n{cameras} cameras, 1080p25, 4 Mbit/s, H.264, RTSP/TCP on loopback, {seconds:.0f} s each, {os.cpu_count()} cores"
    )
    print(f"{'':34}{'CPU ms per camera and s':>26}{'memory MB per camera':>24}")
    for way, cost in sorted(costs.items()):
        print(f"({way}) {names[way]:30}{cost.cpu_ms:>26.2f}{cost.memory_mb:>24.1f}")
    print(f"frames lost by our engine: {lost} of {judged}\n")
    ours, ffmpeg, floor = costs.get("c"), costs.get("a"), costs.get("d")
    figures: dict[str, float | int | None] = {
        "cameras": cameras,
        "cpu_ms_per_camera_s": round(ours.cpu_ms, 3) if ours else None,
        "ffmpeg_cpu_ms_per_camera_s": round(ffmpeg.cpu_ms, 3) if ffmpeg else None,
        "cpu_ratio": round(ours.cpu_ms / ffmpeg.cpu_ms, 4) if ours and ffmpeg else None,
        "memory_mb_per_camera": round(ours.memory_mb, 2) if ours else None,
        "memory_ratio": round(ours.memory_mb / ffmpeg.memory_mb, 4) if ours and ffmpeg else None,
        "floor_ratio": round(ours.cpu_ms / floor.cpu_ms, 2) if ours and floor else None,
        "lost_frames": lost if ours and judged else None,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
