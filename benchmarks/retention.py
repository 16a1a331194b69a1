"""How long deleting holds up writing: `script/bench retention [--quick]`.

64 simulated cameras write 4 Mbit/s each into an archive of this process, while as many files as they filled some minutes
long go past their days. What counts is the longest turn of the cleaner's in the writer thread, for so long a write waits.
"""

import argparse
import json
import os
from pathlib import Path
import shutil
import sqlite3
import tempfile
import time

from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.index import Index
from custom_components.facility_cameras.engine.archive.opening import INDEX
from custom_components.facility_cameras.engine.archive.recording import Recording
from custom_components.facility_cameras.engine.archive.retention import DAY_US, Rules
from custom_components.facility_cameras.engine.clock import microseconds
from custom_components.facility_cameras.engine.fmp4 import Fragmenter
from custom_components.facility_cameras.engine.media import Sample

CAMERAS, MINUTES, QUICK_MINUTES = 64, 6, 2
#: A minute of 4 Mbit/s; a fragment of 2 s.
FILE_BYTES, FRAGMENT_BYTES = 30_000_000, 1_000_000
FRAGMENT_S = 2.0
MINUTE_US = 60_000_000
#: Days are looked at once the clock has been steady for ten minutes.
LATER_S = 700.0
LIMIT_S = 300.0


class LaterClock:
    """The machine's clocks; `later` seconds may be put before both, as if they had gone by."""

    def __init__(self) -> None:
        """Nothing is put before."""
        self.later = 0.0

    def monotonic(self) -> float:
        """CLOCK_MONOTONIC, later."""
        return time.monotonic() + self.later

    def utc(self) -> float:
        """CLOCK_REALTIME, later."""
        return time.time() + self.later


def retention_block_ms(*, quick: bool = False) -> float:
    """The longest time, in milliseconds, for which deleting held up a write."""
    return measure(quick=quick)["retention_block_ms"]


def measure(*, quick: bool = False) -> dict[str, float]:
    """All figures. Raises TimeoutError if it comes to no end, OSError if there is no room."""
    root = Path(tempfile.mkdtemp(prefix="retention-", dir=Path.cwd()))
    try:
        return _measure(root, CAMERAS * (QUICK_MINUTES if quick else MINUTES))
    finally:
        shutil.rmtree(root)


def _measure(root: Path, files: int) -> dict[str, float]:
    _fill(root, files)
    clock = LaterClock()
    archive = Archive(root, "bench", clock)
    archive.cleaner.rules = {"f": Rules(30)}
    archive.cleaner.days = {f"c{number}": 30 for number in range(CAMERAS)}
    archive.start()
    try:
        recordings = [_begin(archive, clock, number) for number in range(CAMERAS)]
        pictures = [
            Sample(n * 3600, 0, FRAGMENT_BYTES // 50, [bytes(FRAGMENT_BYTES // 50)], key=n == 0) for n in range(50)
        ]
        fragment = Fragmenter().build(pictures, [], 180_000, microseconds(clock.utc()))
        while archive.index is None or not archive.index.surveyed:
            time.sleep(0.05)
        clock.later = LATER_S
        begun, number, done = time.monotonic(), 0, 0.0
        while not done or number % CAMERAS:
            # One camera after the other, evenly.
            recordings[number % CAMERAS].write(fragment, round(FRAGMENT_S * 1e6))
            number += 1
            time.sleep(max(0.0, begun + number * FRAGMENT_S / CAMERAS - time.monotonic()))
            if not done and not any((root / "f" / f"c{one}" / "old").exists() for one in range(CAMERAS)):
                done = time.monotonic() - begun
            if time.monotonic() - begun > LIMIT_S:
                raise TimeoutError("the files are not deleted")
        for recording in recordings:
            recording.close(0, 0)
    finally:
        archive.close()
    return {
        "retention_block_ms": round(archive.cleaner.longest_s * 1000, 1),
        "retention_files_per_s": round(files / done, 1),
        "retention_files": files,
        "retention_dropped": archive.dropped,
    }


def _fill(root: Path, files: int) -> None:
    """Footage of 40 days ago, on the disk and in the index."""
    (root / ".facility_cameras.json").write_text(json.dumps({"id": "bench"}))
    index = Index(root / INDEX)
    start_us = microseconds(time.time()) - 40 * DAY_US
    for camera in range(CAMERAS):
        folder = root / index.camera_folder(f"c{camera}", "f", f"f/c{camera}") / "old"
        folder.mkdir(parents=True)
        for number in range(files // CAMERAS):
            with (folder / f"{number}.mp4").open("wb") as file:
                for _ in range(FILE_BYTES // FRAGMENT_BYTES):
                    file.write(bytes(FRAGMENT_BYTES))
    index.open_segment("c0", "run", "h264", b"init", start_us, "none")
    index.close()
    with sqlite3.connect(root / INDEX) as connection:
        connection.execute("DELETE FROM segment")
        connection.execute("UPDATE run SET segments = ?", (files,))
        connection.executemany(
            "INSERT INTO segment (camera, run, format, start_us, end_us, bytes, pictures, state, path, sha256, fragments) "
            "SELECT id, 1, 1, ?, ?, ?, 1500, 1, ?, x'', ? FROM camera WHERE uid = ?",
            [
                (
                    start_us + number * MINUTE_US, start_us + (number + 1) * MINUTE_US, FILE_BYTES, f"old/{number}.mp4",
                    bytes(210), f"c{camera}",
                )
                for camera in range(CAMERAS)
                for number in range(files // CAMERAS)
            ],
        )  # fmt: skip
    connection.close()
    # It was written long ago, and is in nobody's cache any more.
    os.sync()
    for path in root.rglob("*.mp4"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _begin(archive: Archive, clock: LaterClock, camera: int) -> Recording:
    now_us = microseconds(clock.utc())
    while not archive.volume.writable:
        time.sleep(0.05)
    return archive.begin(f"c{camera}", "f", f"f/c{camera}", "run", "h264", b"init", b"", now_us)


def main() -> None:
    """Print a table, and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer files")
    figures = measure(quick=parser.parse_args().quick)
    for key, figure in figures.items():
        print(f"{key:28} {figure:10}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
