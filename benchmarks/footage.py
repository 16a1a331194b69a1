"""Finding and playing footage in an index of 1,000,000 segments: timeline, playlist, and seeking to the first picture.

`python -m benchmarks.footage [--quick]`. Every question is about another camera and another time, so that nothing an
earlier one read is at hand. Seeking goes through the engine's own answers and a real file, without the network.
"""

import argparse
from collections.abc import Callable, Iterator
import contextlib
from dataclasses import dataclass, field
import io
import json
from pathlib import Path
import random
import re
import sqlite3
import struct
import tempfile
import time
from typing import cast

import av
import numpy as np

from custom_components.facility_cameras.engine import footage
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.fragments import pack_fragments
from custom_components.facility_cameras.engine.archive.index import Index
from custom_components.facility_cameras.engine.archive.opening import INDEX
from custom_components.facility_cameras.engine.archive.segment_file import SegmentFile
from custom_components.facility_cameras.engine.playback import Fragment

CAMERAS, DAYS = 64, 11
QUICK_DAYS = 3
#: 2026-11-01 00:00 UTC.
FIRST_US = 1_793_491_200_000_000
MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
#: So many different minutes; footage of cameras that look at the same is of no two sizes.
_KINDS = 499
#: The camera whose footage can be decoded.
_REAL = 1
_FOLDER, _FILE = "f/c1", "2026-11-01/00-00-00.000Z.mp4"


@dataclass
class Shelf:
    """An archive as far as questions about footage need one: its index, and no file being written."""

    root: Path
    index: Index
    days: int
    open_files: dict[int, SegmentFile] = field(default_factory=dict)

    @property
    def archive(self) -> Archive:
        """Itself, as the engine's functions take it."""
        return cast("Archive", self)

    def question(self, chance: random.Random, camera: int | None = None) -> tuple[str, int, int]:
        """A camera and 24 hours."""
        start = FIRST_US + chance.randrange((self.days - 1) * DAY_US)
        return f"c{camera or chance.randrange(1, CAMERAS + 1)}", start, start + DAY_US


@contextlib.contextmanager
def shelf(days: int = DAYS) -> Iterator[Shelf]:
    """A synthetic archive in the temporary folder, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="facility_cameras_bench_") as name:
        root = Path(name)
        init, fragments = _minute()
        path = root / _FOLDER / _FILE
        path.parent.mkdir(parents=True)
        path.write_bytes(init + b"".join(fragments))
        packed = pack_fragments([Fragment(len(fragment), 2_000_000, key=True) for fragment in fragments])
        _fill(root / INDEX, days, init, packed)
        index = Index(root / INDEX)
        try:
            yield Shelf(root, index, days)
        finally:
            index.close()


def _minute() -> tuple[bytes, list[bytes]]:
    """A minute of 1080p with 25 pictures and about 500 kB a second: init segment and fragments of 2 s."""
    chance = np.random.default_rng(1)
    noise = chance.integers(0, 255, (270, 480, 3), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    out = io.BytesIO()
    with av.open(out, "w", "mp4", options={"movflags": "frag_keyframe+empty_moov+default_base_moof"}) as container:
        stream = container.add_stream("libx264", 25, options={"preset": "ultrafast", "g": "50", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 1920, 1080, "yuv420p", 4_000_000
        for number in range(100):
            frame = av.VideoFrame.from_ndarray(np.roll(noise, number * 2, 1), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    boxes = list(_boxes(out.getvalue()))
    init = b"".join(box for kind, box in boxes if kind in (b"ftyp", b"moov"))
    parts = [box for kind, box in boxes if kind in (b"moof", b"mdat")]
    fragments = [moof + mdat for moof, mdat in zip(parts[::2], parts[1::2], strict=True)]
    return init, (fragments * 30)[:30]


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at : at + size]
        at += size


def _fragments(number: int) -> bytes:
    """A minute of 4 Mbit/s, packed: 30 groups of pictures of about 1 MB."""
    chance = random.Random(number)
    return pack_fragments([Fragment(chance.randrange(600_000, 1_400_000), 2_000_000, key=True) for _ in range(30)])


def _fill(path: Path, days: int, init: bytes, real: bytes) -> None:
    """An index of a segment a minute for each camera, in the order in which they were recorded."""
    Index(path).close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-200000")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO camera (id, uid, facility, folder) VALUES (?, ?, 'f1', ?)",
            [(number, f"c{number}", f"f/c{number}") for number in range(1, CAMERAS + 1)],
        )
        connection.execute("INSERT INTO format (id, codec, init) VALUES (1, 'h264', ?)", (init,))
        connection.executemany(
            "INSERT INTO run (id, camera, uid, segments) VALUES (?, ?, 'run', ?)",
            [(number, number, days * 1440) for number in range(1, CAMERAS + 1)],
        )
        connection.execute("CREATE TEMP TABLE kind (id INTEGER PRIMARY KEY, fragments BLOB)")
        connection.executemany("INSERT INTO kind VALUES (?, ?)", [(n, _fragments(n)) for n in range(_KINDS)])
        connection.execute(
            "WITH RECURSIVE minute(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM minute WHERE n < ?) "
            "INSERT INTO segment (camera, run, format, start_us, end_us, bytes, pictures, state, path, sha256, fragments) "
            "SELECT camera.id, camera.id, 1, ? + n * 60000000, ? + (n + 1) * 60000000, 30000000, 1500, 1, ?, randomblob(32), "
            "CASE camera.id WHEN ? THEN ? ELSE kind.fragments END "
            "FROM minute CROSS JOIN camera JOIN kind ON kind.id = (n * 131 + camera.id * 17) % ?",
            (days * 1440 - 1, FIRST_US, FIRST_US, _FILE, _REAL, real, _KINDS),
        )
        connection.execute("COMMIT")


def playlist_p95_ms(found: Shelf, times: int = 200) -> float:
    """The playlist of any 24 h of any camera, milliseconds."""
    return 1000 * _p95(found, times, lambda question: footage.media_playlist(found.archive, *question))


def timeline_p95_ms(found: Shelf, times: int = 200) -> float:
    """The timeline of any 24 h of any camera, milliseconds."""
    return 1000 * _p95(found, times, lambda question: footage.spans(found.archive, *question))


def seek_p95_s(found: Shelf, times: int = 60) -> float:
    """From any time of a camera to the first decoded picture there, through the playlist of the 24 h that follow, seconds."""
    return _p95(found, times, lambda question: _seek(found, *question), _REAL)


def _p95(found: Shelf, times: int, ask: Callable[[tuple[str, int, int]], object], camera: int | None = None) -> float:
    chance = random.Random(times)
    took = []
    for _ in range(times):
        question = found.question(chance, camera)
        begun = time.perf_counter()
        answer = ask(question)
        took.append(time.perf_counter() - begun)
        if not answer:
            raise RuntimeError(f"no footage for {question}")
    return sorted(took)[round(0.95 * (times - 1))]


def _seek(found: Shelf, camera: str, start_us: int, end_us: int) -> bool:
    """What a player does: playlist, init segment, the media segment where it begins, the first picture."""
    text = footage.media_playlist(found.archive, camera, start_us, end_us) or ""
    uri = re.search(r"^#EXT-X-BYTERANGE:(\d+)@(\d+)\nsegment-(\d+)\.mp4$", text, re.MULTILINE)
    init = re.search(r'^#EXT-X-MAP:URI="init-(\d+)\.mp4"$', text, re.MULTILINE)
    if uri is None or init is None:
        return False
    size, offset, number = map(int, uri.groups())
    head = footage.init(found.archive, int(init[1]))
    segment = footage.segment(found.archive, number)
    if head is None or segment is None:
        return False
    with Path(segment["path"]).open("rb") as file:
        file.seek(offset)
        media = file.read(size)
    with av.open(io.BytesIO(head + media), "r") as container:
        return next(container.decode(video=0)).width == 1920


def main() -> None:
    """Print a table for people, and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same from fewer segments and questions")
    quick = parser.parse_args().quick
    with shelf(QUICK_DAYS if quick else DAYS) as found:
        divide = 4 if quick else 1
        figures = {
            "segments": found.index.query("SELECT count(*) FROM segment")[0][0],
            "timeline_p95_ms": round(timeline_p95_ms(found, 200 // divide), 1),
            "playlist_p95_ms": round(playlist_p95_ms(found, 200 // divide), 1),
            "seek_p95_s": round(seek_p95_s(found, 60 // divide), 3),
        }
    for name, value in figures.items():
        print(f"{name:20} {value:>12,}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
