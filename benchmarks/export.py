"""Whether recording loses a frame while footage is handed over: ten exports at a time, films, thumbnails and a rebuild
beside them.

Cameras of 1080p25, 4 Mbit/s, H.264 are recorded into an archive that is full of older files and has lost its index: the
engine makes it again from them meanwhile. From the moment on in which there is some footage, ten exports of everything
recorded so far are always under way, with films and thumbnails of all cameras one after the other, until the time is
up. Then every picture of every file is counted by its time; what is missing between two sessions counts too.
"""

import argparse
import contextlib
from dataclasses import dataclass
import itertools
import json
from pathlib import Path
import shutil
import sqlite3
import tempfile
import threading
import time
from typing import Any

import av

from custom_components.facility_cameras.engine.archive.opening import INDEX

from .engine_process import EngineProcess, Simulator
from .made_archive import made_archive

EXPORTS = 10
FPS = 25
#: Ticks (90 kHz) between two pictures.
_STEP = 90_000 // FPS
#: Footage there is before the first export, seconds.
_BEFORE_S = 10.0
_ONLINE_S = 120.0


@dataclass(slots=True)
class Done:
    """What was done beside recording."""

    exports: int = 0
    files: int = 0
    bytes: int = 0
    films: int = 0
    thumbnails: int = 0
    missed: int = 0


def rebuilt(archive: Path) -> int:
    """Older files that are in the index again, read as a whole."""
    with contextlib.closing(sqlite3.connect(archive / INDEX)) as index:
        ((count,),) = index.execute(
            "SELECT count(*) FROM segment JOIN camera ON camera.id = segment.camera "
            "WHERE camera.uid LIKE 'made-%' AND sha256 IS NOT NULL"
        )
    return int(count)


def lost_frames(archive: Path) -> tuple[int, int]:
    """Pictures that are missing, and those that were counted."""
    with contextlib.closing(sqlite3.connect(archive / INDEX)) as index:
        rows = index.execute(
            "SELECT camera.uid, run.uid, start_us, end_us, camera.folder || '/' || path FROM segment "
            "JOIN camera ON camera.id = segment.camera JOIN run ON run.id = segment.run "
            "WHERE camera.uid NOT LIKE 'made-%' ORDER BY camera.uid, start_us"
        ).fetchall()
    lost = counted = 0
    for _, segments in itertools.groupby(rows, key=lambda row: row[0]):
        ended_us: int | None = None
        for _, some in itertools.groupby(segments, key=lambda row: row[1]):
            run = list(some)
            if ended_us is not None:
                lost += max(0, round((run[0][2] - ended_us) * FPS / 1e6))
            ended_us = run[-1][3]
            times: list[int] = []
            for *_, path in run:
                with av.open(str(archive / path)) as container:
                    times += [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
            times.sort()
            counted += len(times)
            lost += sum(round((after - before) / _STEP) - 1 for before, after in itertools.pairwise(times))
    return lost, counted


class Others:
    """Everything that goes on beside recording, in threads of its own, until `end`."""

    def __init__(self, engine: EngineProcess, cameras: list[str], folder: Path) -> None:
        """Not begun yet."""
        self._engine = engine
        self._cameras = cameras
        self._folder = folder
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._export, self._look)]
        self.done = Done()

    def begin(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """No more; what is under way is cancelled."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _span(self, camera: str) -> tuple[int, int]:
        spans = self._engine.call("GET", f"/v1/cameras/{camera}/spans")["spans"]
        return spans[0]["start"], spans[-1]["end"]

    def _export(self) -> None:
        under_way: dict[str, dict[str, Any]] = {}
        number = 0
        while not self._over.is_set():
            while len(under_way) < EXPORTS:
                start, end = self._span(self._cameras[0])
                number += 1
                export = self._engine.call(
                    "POST",
                    "/v1/facilities/bench/exports",
                    {
                        "cameras": [{"id": one, "name": one, "make": "", "model": ""} for one in self._cameras],
                        "start": start,
                        "end": end,
                        "folder": str(self._folder),
                        "form": "tar" if number % 2 else "folder",
                        "name": "bench",
                        "zone": "Asia/Ho_Chi_Minh",
                        "who": "bench",
                        "reason": "",
                        "product": "",
                    },
                )
                under_way[export["id"]] = export
            self._over.wait(0.5)
            for identity in list(under_way):
                export = self._engine.call("GET", f"/v1/exports/{identity}")
                if export["state"] == "done":
                    self.done.exports += 1
                    self._count(export)
                    path = Path(export["path"])
                    path.unlink() if path.is_file() else shutil.rmtree(path, ignore_errors=True)
                    del under_way[identity]
                elif export["state"] in ("failed", "cancelled"):
                    raise RuntimeError(f"an export is {export['state']}: {export['problem']}")
        for export in self._engine.call("GET", "/v1/exports")["exports"]:
            if export["id"] in under_way:
                self._count(export)
        for identity in under_way:
            self._engine.call("DELETE", f"/v1/exports/{identity}")

    def _count(self, export: dict[str, Any]) -> None:
        self.done.files += export["files"]
        self.done.bytes += export["bytes"]
        self.done.missed += export["missed_files"]

    def _look(self) -> None:
        films = self._folder / "films"
        films.mkdir()
        for camera in itertools.cycle(self._cameras):
            if self._over.wait(0.2):
                return
            start, end = self._span(camera)
            self._engine.call("GET", f"/v1/cameras/{camera}/thumbnail?at={(start + end) // 2}&width=400")
            self.done.thumbnails += 1
            body = {"start": start, "end": end, "folder": str(films), "zone": "UTC"}
            job = self._engine.call("POST", f"/v1/cameras/{camera}/film", body)
            while job["state"] in ("waiting", "running") and not self._over.is_set():
                job = self._engine.call("GET", f"/v1/jobs/{job['id']}")
            self.done.films += job["state"] == "done"


def main() -> None:
    """Record, export, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=0, help="how many (64; 16 with --quick)")
    parser.add_argument("--seconds", type=float, default=0, help="how long exports go on (120; 30 with --quick)")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    count = options.cameras or (16 if options.quick else 64)
    seconds = options.seconds or (30.0 if options.quick else 120.0)
    older = 10_000 if options.quick else 50_000
    arguments = ("--cameras", str(count), "--no-sub", "--scenes", "2")
    with Simulator(*arguments) as simulator, tempfile.TemporaryDirectory(prefix="bench-export-") as temporary:
        folder = Path(temporary)
        exports = folder / "exports"
        exports.mkdir()
        made_archive(folder / "archive", older)
        (folder / "archive" / INDEX).unlink()
        engine = EngineProcess(folder)
        try:
            engine.record(simulator.cameras)
            until = time.monotonic() + _ONLINE_S
            while any(one["recorded_s"] < _BEFORE_S for one in engine.call("GET", "/v1/cameras")["cameras"]):
                if time.monotonic() > until:
                    raise RuntimeError("not all cameras are recorded")
                time.sleep(0.5)
            others = Others(engine, [camera["name"] for camera in simulator.cameras], exports)
            others.begin()
            time.sleep(seconds)
            states = engine.call("GET", "/v1/cameras")["cameras"]
            others.end()
        finally:
            engine.close()
        lost, counted = lost_frames(engine.archive)
        again = rebuilt(engine.archive)
    done = others.done
    reconnects = sum(max(0, state["reconnects"]) for state in states)
    print(f"\n{count} cameras, 1080p25, 4 Mbit/s, H.264; ten exports at a time for {seconds:.0f} s")
    print(f"exported: {done.exports} whole, {done.files} files, {done.bytes / 1e9:.2f} GB, {done.missed} files missed")
    print(f"beside them: {done.films} films, {done.thumbnails} thumbnails; sessions anew: {reconnects}")
    print(f"index made again meanwhile: {again} of {older} older files")
    print(f"frames lost: {lost} of {counted}\n")
    print(
        json.dumps(
            {
                "cameras": count,
                "exports": done.exports,
                "exported_mb_per_s": round(done.bytes / 1e6 / seconds, 1),
                "export_missed_files": done.missed,
                "export_films": done.films,
                "export_thumbnails": done.thumbnails,
                "export_reconnects": reconnects,
                "export_rebuilt_segments": again,
                "export_lost_frames": lost if counted else None,
            }
        )
    )


if __name__ == "__main__":
    main()
