"""`kill -9` of the engine again and again while it records: what was on the disk plays, and recording goes on.

Before each kill the engine says how much of each file has landed. That much must play in the end, picture by picture
(bar codes, decoded by PyAV), and index and files must agree. Promise I2.
"""

import argparse
import contextlib
import hashlib
import io
import json
from pathlib import Path
import random
import sqlite3
import sys
import tempfile
import time
from typing import Any

import av
from av.error import FFmpegError
import numpy as np

from simulator import barcode

from .engine_process import EngineProcess, Simulator

FPS, GOP, CLIP_S = 10, 10, 30
#: A kill comes at a random moment of so many seconds after all cameras record again.
MOMENT_S = 2.0
LIMIT_S = 30.0


def numbers(content: io.BytesIO | str) -> list[int]:
    """Bar codes of all pictures that play."""
    found: list[int] = []
    with contextlib.suppress(FFmpegError), av.open(content, "r") as container:
        found += [barcode.read(np.asarray(f.to_ndarray(format="gray"), np.uint8)) for f in container.decode(video=0)]
    return found


def until_recording(engine: EngineProcess, cameras: int, began: float) -> float:
    """Seconds from `began` until fragments of all cameras landed. Raises RuntimeError after LIMIT_S."""
    while True:
        states: list[dict[str, Any]] = engine.call("GET", "/v1/cameras")["cameras"]
        if len(states) == cameras and all(state["recording"] for state in states):
            return time.monotonic() - began
        if time.monotonic() - began > LIMIT_S:
            raise RuntimeError(f"not recording again within {LIMIT_S} s: {states}")
        time.sleep(0.02)


def said_to_be_there(engine: EngineProcess, cameras: list[str]) -> dict[str, int]:
    """Bytes that have landed, by file."""
    found: dict[str, int] = {}
    for camera in cameras:
        for segment in engine.call("GET", f"/v1/cameras/{camera}/segments")["segments"][-2:]:
            found[segment["path"]] = segment["bytes"]
    return found


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[max(0, round(len(values) * 0.95) - 1)]


def judge_files(said: dict[str, int]) -> tuple[int, int]:
    """Pictures that were said to be there, and how many of them do not play now."""
    expected = lost = 0
    for path, size in said.items():
        with Path(path).open("rb") as file:
            before = numbers(io.BytesIO(file.read(size)))
        after = numbers(path)
        expected += len(before)
        lost += len(before) if after[: len(before)] != before else barcode.check(after, FPS * CLIP_S).missing
    return expected, lost


def judge_index(archive: Path) -> tuple[int, int, list[float]]:
    """Rows not closed; files and rows that do not agree; seconds between the end of one run and the next one's start."""
    with contextlib.closing(sqlite3.connect(archive / "index.sqlite3")) as index:
        rows = index.execute(
            "SELECT uid, folder || '/' || path, state, segment.bytes, sha256, start_us, end_us "
            "FROM segment JOIN camera ON camera.id = segment.camera ORDER BY uid, start_us"
        ).fetchall()
    files = {str(path.relative_to(archive)) for path in archive.rglob("*.mp4")}
    wrong = len(files ^ {row[1] for row in rows})
    gaps: list[float] = []
    before: tuple[str, int] | None = None
    for camera, path, _, size, digest, start_us, end_us in rows:
        if path in files:
            content = (archive / path).read_bytes()
            wrong += len(content) != size or hashlib.sha256(content).digest() != digest
        if before is not None and before[0] == camera:
            wrong += start_us < before[1]
            gaps.append((start_us - before[1]) / 1e6)
        before = camera, end_us
    return sum(row[2] == 0 for row in rows), wrong, gaps


def main() -> None:
    """Kill, start, judge."""
    parser = argparse.ArgumentParser(prog="script/bench crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--quick", action="store_true", help="10 kills")
    options = parser.parse_args()
    kills = 10 if options.quick else options.kills
    chance = random.Random(20261125)
    again: list[float] = []
    said: dict[str, int] = {}
    clip = f"--size 320x180 --fps {FPS} --gop {GOP} --kbps 200 --seconds {CLIP_S} --no-sub --scenes 1"
    with (
        tempfile.TemporaryDirectory(prefix="facility-cameras-") as folder,
        Simulator("--cameras", str(options.cameras), *clip.split()) as simulator,
    ):
        names = [camera["name"] for camera in simulator.cameras]
        engine = EngineProcess(Path(folder))
        try:
            engine.record(simulator.cameras)
            until_recording(engine, len(names), time.monotonic())
            for number in range(kills):
                time.sleep(chance.uniform(0, MOMENT_S))
                said.update(said_to_be_there(engine, names))
                engine.process.kill()
                killed = time.monotonic()
                engine.process.wait()
                engine = EngineProcess(Path(folder))
                again.append(until_recording(engine, len(names), killed))
                if number % 20 == 19:
                    sys.stderr.write(f"{number + 1} of {kills}\n")
        finally:
            engine.close()
        expected, lost = judge_files(said)
        unfinished, wrong, gaps = judge_index(engine.archive)
    figures = {
        "kills": kills,
        "cameras": len(names),
        "files": len(said),
        "frames_expected": expected,
        "frames_lost_before_last_fragment": lost,
        "rows_unfinished": unfinished,
        "rows_and_files_disagree": wrong,
        "restart_to_recording_p95_s": round(p95(again), 2),
        "restart_to_recording_max_s": round(max(again), 2),
        "gap_p95_s": round(p95(gaps), 2),
    }
    for name, value in figures.items():
        print(f"{name:36}{value:>10}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
