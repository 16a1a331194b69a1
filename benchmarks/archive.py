"""The archive: how soon something is found in it, how small its index is, how soon the first camera records although it
is full, how fast the index is made again, how long deleting holds up a write, what every fault of the disk costs.

The engine and the camera are real processes; the files are real, small, and many.
"""

import argparse
import json
import os
from pathlib import Path
import shutil
import tempfile
import time
from typing import Any

from custom_components.facility_cameras.engine.archive.opening import INDEX
from custom_components.facility_cameras.engine.archive.rebuild import rebuild

from . import footage
from .clip import clip_10min_s
from .engine_process import EngineProcess, Simulator
from .faults import faults
from .made_archive import index_bytes_per_segment, made_archive
from .retention import retention_block_ms

LIMIT_S = 30.0


def _seconds_to_record(folder: Path) -> float:
    """Seconds from the start of an engine's process until the first fragment of its camera has landed."""
    began = time.monotonic()
    engine = EngineProcess(folder)
    try:
        while not any(state["recording"] for state in engine.call("GET", "/v1/cameras")["cameras"]):
            if time.monotonic() - began > LIMIT_S:
                raise RuntimeError(f"no camera records within {LIMIT_S} s")
            time.sleep(0.01)
        return time.monotonic() - began
    finally:
        engine.process.kill()
        engine.process.wait()


def start_delays_s(folder: Path, segments: int) -> dict[str, float]:
    """How soon a camera (10 pictures a second, each a key picture) records into an archive that is empty; that is full,
    after a kill; whose index was lost.
    """
    clip = "--cameras 1 --size 320x180 --fps 10 --gop 1 --kbps 200 --seconds 10 --no-sub --scenes 1"
    with Simulator(*clip.split()) as simulator:
        engine = EngineProcess(folder)
        engine.record(simulator.cameras)
        engine.close()
        empty = _seconds_to_record(folder)
        for path in engine.archive.glob("*"):
            (shutil.rmtree if path.is_dir() else os.remove)(path)
        made_archive(engine.archive, segments)
        full = max(_seconds_to_record(folder) for _ in range(3))
        for path in engine.archive.glob(f"{INDEX}*"):
            path.unlink()
        return {
            "start_delay_empty_s": round(empty, 2),
            "start_delay_s": round(full, 2),
            "start_delay_lost_index_s": round(_seconds_to_record(folder), 2),
        }


def rebuild_segments_per_s(root: Path) -> float:
    """Segments a second that `rebuild` takes in and reads, nobody holding it back."""
    began = time.monotonic()
    findings = rebuild(root, lambda _size: None, lambda _done, _total: None)
    return findings.counts["taken_in"] / (time.monotonic() - began)


def measure(folder: Path, segments: int, *, quick: bool) -> dict[str, float]:
    """Everything."""
    figures: dict[str, Any] = {"segments": segments}
    with footage.shelf(*((2,) if quick else ())) as shelf:
        figures["playlist_p95_ms"] = round(footage.playlist_p95_ms(shelf), 1)
        figures["timeline_p95_ms"] = round(footage.timeline_p95_ms(shelf), 1)
        figures["seek_p95_s"] = round(footage.seek_p95_s(shelf), 3)
    figures["retention_block_ms"] = round(retention_block_ms(quick=quick), 1)
    figures["index_bytes_per_segment"] = round(index_bytes_per_segment(folder, 2), 1)
    figures["index_bytes_per_segment_gop_1s"] = round(index_bytes_per_segment(folder, 1), 1)
    figures |= start_delays_s(folder, segments)
    figures["rebuild_segments_per_s"] = round(rebuild_segments_per_s(folder / "archive"))
    figures["clip_10min_s"] = round(clip_10min_s(times=1 if quick else 3), 2)
    figures["faults_tried"], figures["faults_lost_frames"] = faults(every=20 if quick else 1)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="script/bench archive", description=__doc__)
    parser.add_argument("--segments", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true", help="less of everything")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="facility-cameras-") as folder:
        figures = measure(Path(folder), 2_000 if options.quick else options.segments, quick=options.quick)
    for name, value in figures.items():
        print(f"{name:36}{value:>12}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
