"""How long it takes to cut 10 minutes of footage, of 4 Mbit/s as cameras send it, to one MP4 on the same disk."""

import argparse
import json
import os
from pathlib import Path
import statistics
import tempfile
import time
from zoneinfo import ZoneInfo

from custom_components.facility_cameras.engine.api_footage import Clip
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.fragments import pack_fragments
from custom_components.facility_cameras.engine.archive.index import CLOSED, Closing
from custom_components.facility_cameras.engine.clip import make_clip
from custom_components.facility_cameras.engine.clip_file import Name
from custom_components.facility_cameras.engine.clock import SystemClock
from custom_components.facility_cameras.engine.fmp4 import Fragmenter, identity_box, init_segment
from custom_components.facility_cameras.engine.lane import Job
from custom_components.facility_cameras.engine.media import Sample, StreamFormat, VideoFormat
from custom_components.facility_cameras.engine.playback import Fragment

#: 2026-11-25 00:00 UTC, and pictures as a camera of 25 a second and a key picture every 2 s sends them.
START_US = 1_795_564_800_000_000
FPS, GROUP, KEY_BYTES, OTHER_BYTES = 25, 50, 100_000, 18_367
_FORMAT = StreamFormat(VideoFormat("h264", 1920, 1080, "avc1.640028", (bytes.fromhex("67640028"),), (b"\x68\xee",)))


def record(archive: Archive, minutes: int) -> None:
    """Footage of a camera called `c`, a file a minute. Pictures are noise, of the right size. Raises OSError."""
    index = archive.index
    if index is None:
        raise OSError("the archive is not there")
    folder = archive.root / index.camera_folder("c", "f", "f/c") / "day"
    folder.mkdir(parents=True)
    init, identity, maker = init_segment(_FORMAT), identity_box("c", "run"), Fragmenter()
    noise = os.urandom(KEY_BYTES)
    for minute in range(minutes):
        parts, fragments = [init, identity], []
        for group in range(30):
            ticks = (minute * 30 + group) * 180_000
            pictures = [
                Sample(ticks + n * 3600, 0, size, [noise[:size]], key=n == 0)
                for n, size in enumerate([KEY_BYTES] + [OTHER_BYTES] * (GROUP - 1))
            ]
            made = maker.build(pictures, [], ticks + 180_000, START_US + ticks * 100 // 9)
            fragments.append(Fragment(made.size + (0 if group else len(identity)), 2_000_000, key=True))
            parts += made.parts
        start_us = START_US + minute * 60_000_000
        number = index.open_segment("c", "run", "h264", init, start_us, f"day/{minute:04}.mp4")
        size = (folder / f"{minute:04}.mp4").write_bytes(b"".join(parts))
        closing = Closing(start_us, start_us + 60_000_000, size, 1500, bytes(32), pack_fragments(fragments))
        index.close_segment(number, closing, CLOSED)


def clip_10min_s(folder: Path | None = None, minutes: int = 10, times: int = 3) -> float:
    """Seconds that a clip of `minutes` takes, the median of some `times`, with its bytes on the disk of `folder`."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        root = Path(name) / "archive"
        root.mkdir()
        (root / ".facility_cameras.json").write_text('{"id": "bench"}')
        archive = Archive(root, "bench", SystemClock())
        archive.start()
        try:
            until = time.monotonic() + 10
            while archive.index is None and time.monotonic() < until:
                time.sleep(0.01)
            record(archive, minutes)
            os.sync()
            return statistics.median(_clip_s(archive, Path(name), minutes) for _ in range(times))
        finally:
            archive.close()


def _clip_s(archive: Archive, folder: Path, minutes: int) -> float:
    # Not from the machine's cache: footage of some days ago is not in it.
    for path in archive.root.rglob("*.mp4"):
        with path.open("rb") as footage:
            os.posix_fadvise(footage.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    end_us = START_US + minutes * 60_000_000
    job: Job[Clip] = Job("clip", "c", _work, quick=True, kept=False)
    begun = time.perf_counter()
    made = make_clip(archive, "c", START_US, end_us, folder, Name("c", ZoneInfo("Asia/Ho_Chi_Minh")), job)
    taken = time.perf_counter() - begun
    for file in made["files"]:
        Path(file["path"]).unlink()
    return taken


def _work(_job: Job[Clip]) -> Clip:
    raise NotImplementedError


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the footage, counted tenfold")
    parser.add_argument("--folder", type=Path, help="where footage and clip lie (default: the temporary folder)")
    options = parser.parse_args()
    minutes = 1 if options.quick else 10
    taken = clip_10min_s(options.folder, minutes) * (10 / minutes)
    print(f"10 minutes of 4 Mbit/s (300 MB) as one MP4: {taken:.2f} s")
    print(json.dumps({"clip_10min_s": round(taken, 3)}))


if __name__ == "__main__":
    main()
