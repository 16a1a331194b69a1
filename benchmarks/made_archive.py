"""An archive full of real small files of ours, made quickly: one valid fragment, each time with another camera and time."""

from collections.abc import Iterator
import hashlib
from pathlib import Path
import random
import struct
import time

from custom_components.facility_cameras.engine.archive import journal
from custom_components.facility_cameras.engine.archive.fragments import pack_fragments
from custom_components.facility_cameras.engine.archive.index import Closing, Index
from custom_components.facility_cameras.engine.archive.opening import INDEX, close_index
from custom_components.facility_cameras.engine.clock import NTP_EPOCH
from custom_components.facility_cameras.engine.fmp4 import Fragmenter, box, identity_box
from custom_components.facility_cameras.engine.media import Sample
from custom_components.facility_cameras.engine.playback import Fragment

#: Segments last a minute.
LENGTH_US = 60_000_000
_INIT = box(b"ftyp", b"iso6\0\0\0\0iso6mp41") + box(b"moov", bytes(700))
#: Segments of a camera in a run.
_RUN = 300


def _body() -> bytes:
    """A fragment of a minute: 60 pictures of a second each, a key picture first."""
    pictures = [Sample(n * 90_000, 0, 20, [bytes(20)], key=n == 0) for n in range(60)]
    return b"".join(Fragmenter().build(pictures, [], 60 * 90_000, 0).parts)


def _stamped(body: bytes, us: int) -> bytes:
    seconds, rest = divmod(us, 1_000_000)
    place = body.index(b"prft") + 12
    return (
        body[:place]
        + struct.pack(">II", seconds + NTP_EPOCH & 0xFFFFFFFF, (rest << 32) // 1_000_000)
        + body[place + 8 :]
    )


def made_archive(root: Path, segments: int, cameras: int = 64) -> None:
    """So many segments of so many cameras, the newest an hour ago, with their index and journal. Nobody may hold it."""
    root.mkdir(parents=True, exist_ok=True)
    (root / ".facility_cameras.json").write_text('{"id": "bench"}')
    body = _body()
    each = segments // cameras
    start_us = (time.time_ns() // 60_000_000_000 - each - 60) * LENGTH_US
    journal.append(root, start_us, [journal.camera_entry(f"made-{c}", "bench", f"made/{c}") for c in range(cameras)])
    index = Index(root / INDEX)
    # It is made, not kept: nothing needs to be synced.
    index.query("PRAGMA synchronous=OFF")
    for camera in range(cameras):
        index.camera_folder(f"made-{camera}", "bench", f"made/{camera}")
    packed: dict[int, bytes] = {}
    for number in range(segments):
        minute, camera = divmod(number, cameras)
        at_us = start_us + minute * LENGTH_US
        identity = identity_box(f"made-{camera}", f"{camera:08x}{minute // _RUN:08x}")
        content = _INIT + identity + _stamped(body, at_us)
        size = len(content) - len(_INIT)
        packed[size] = packed.get(size) or pack_fragments([Fragment(size, LENGTH_US, key=True)])
        moment = time.gmtime(at_us // 1_000_000)
        path = time.strftime("%Y-%m-%d/%H-%M-%S.000Z.mp4", moment)
        place = root / f"made/{camera}/{path}"
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True)
        place.write_bytes(content)
        row = index.open_segment(f"made-{camera}", f"{camera:08x}{minute // _RUN:08x}", "h264", _INIT, at_us, path)
        digest = hashlib.sha256(content).digest()
        index.close_segment(row, Closing(at_us, at_us + LENGTH_US, len(content), 60, digest, packed[size]))
    close_index(index, root)


def index_bytes_per_segment(folder: Path, gop_s: int, cameras: int = 8, minutes: int = 1440) -> float:
    """All pages of an index of a day of cameras, by segment: 1, 2 and 4 Mbit/s, sizes that vary, one camera in four with
    a clock that is a millisecond off now and then, a run now and then.
    """
    chance = random.Random(20261125)
    path = folder / f"size-{gop_s}.sqlite3"
    index = Index(path)
    index.query("PRAGMA synchronous=OFF")
    start_us = 1_795_564_800_000_000
    for camera in range(cameras):
        index.camera_folder(f"01K{camera:023}", "01K" + "F" * 23, f"some-facility-abcdef/some-camera-{camera:06}")
    for minute in range(minutes):
        for camera in range(cameras):
            at_us = start_us + minute * LENGTH_US + camera * 917_231
            moment = time.gmtime(at_us // 1_000_000)
            name = time.strftime("%Y-%m-%d/%H-%M-%S", moment) + f".{at_us // 1000 % 1000:03}Z.mp4"
            run = f"{camera:08x}{minute // _RUN:08x}"
            number = index.open_segment(f"01K{camera:023}", run, "h264", _INIT, at_us, name)
            fragments = list(_varying(chance, (1, 2, 4)[camera % 3] * 125_000 * gop_s, gop_s, drifts=camera % 4 == 0))
            size = sum(one.bytes for one in fragments)
            index.close_segment(
                number,
                Closing(at_us, at_us + LENGTH_US, size, 1500, chance.randbytes(32), pack_fragments(fragments)),
            )
    index.close()
    return path.stat().st_size / (minutes * cameras)


def _varying(chance: random.Random, usual: int, gop_s: int, *, drifts: bool) -> Iterator[Fragment]:
    for _ in range(60 // gop_s):
        ticks = gop_s * 90_000 + (chance.choice((-90, 0, 0, 90)) if drifts else 0)
        yield Fragment(max(1000, round(chance.gauss(usual, usual * 0.2))), ticks * 100 // 9, key=True)
