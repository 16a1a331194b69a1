"""A process of its own that looks at key pictures and judges them. Started as a script by examine.py.

As worker.py, whose ways of giving up privileges it shares, it reads what cameras sent, which may be hostile: it is
nobody, with little memory and the lowest priority, and dies with its parent (promise I7: apart). It remembers nothing
from look to look: what is known of a camera comes with each look and goes back with the answer.

Standard input: requests. Standard output: one answer each, in order. Numbers are big-endian.
Request: REQUEST (codec 1 = H.264, 2 = H.265; lengths), then the parameter sets and the picture, both as NAL units with
four bytes of length before each, what is known of the camera (empty: nothing), and JSON: `now` (monotonic seconds),
`now_us` (UTC microseconds), `anew`, `new_view`, `sensitivity`, `mask`, `groups`.
Answer: ANSWER (1 = good, 0 = a sentence why not; lengths), then JSON (the verdict and `cpu_s`) or the sentence, what is
known of the camera from now on, and the picture as a small JPEG.
"""

import contextlib
from dataclasses import asdict
import importlib
import importlib.util
import json
from pathlib import Path
import struct
import sys
import time
from typing import TYPE_CHECKING, Any

# Here, not later: once this process is nobody it may not be able to read the files of libav.
import av
from av.video.reformatter import VideoReformatter

if TYPE_CHECKING:
    from . import groups, judge, known, seen, view, worker
else:
    # By its path: this script runs alone, and nothing beside it may be found by name (`python -P`).
    _FOLDER = Path(__file__).parent
    _spec = importlib.util.spec_from_file_location(
        "facility_cameras_picture", _FOLDER / "__init__.py", submodule_search_locations=[str(_FOLDER)]
    )
    sys.modules[_spec.name] = importlib.util.module_from_spec(_spec)
    groups, judge, known, seen, view, worker = (
        importlib.import_module(f"{_spec.name}.{name}")
        for name in ("groups", "judge", "known", "seen", "view", "worker")
    )

REQUEST = struct.Struct(">BIIII")
ANSWER = struct.Struct(">BIII")
JPEG_WIDTH = 320


def answer(codec: int, sets: memoryview, picture: memoryview, before: memoryview, told: memoryview) -> list[bytes]:
    """What one look gives: the verdict as JSON, what is known now, a JPEG. Raises BadPictureError and libav's errors."""
    began = time.process_time()
    asked: dict[str, Any] = json.loads(bytes(told))
    # The filter costs a third of the time and is not seen in a picture this small.
    data = worker.annex_b(sets) + worker.annex_b(picture)
    frame, aspect = worker.decode(worker.CODECS[codec], data, skip_loop_filter="all")
    try:
        camera = known.Known.from_bytes(before) if before else known.Known()
    except known.UnreadableError:
        camera = known.Known()
    if asked["new_view"]:
        camera.begin_views()
    elif asked["anew"]:
        camera.begin_anew()
    mask = [(x, y, width, height) for x, y, width, height in asked["mask"]]
    small, _ = seen.see(frame, VideoReformatter())
    look = judge.Look(
        small,
        view.edges(small.grey, view.weights(mask)),
        [groups.Group(*group) for group in asked["groups"]],
        judge.masked_cells(mask),
        asked["now"],
        asked["now_us"],
        asked["sensitivity"],
    )
    verdict = judge.judge(camera, look)
    jpeg = worker.jpeg(frame, worker.fitted(frame, aspect, JPEG_WIDTH, JPEG_WIDTH))
    spent = {"cpu_s": time.process_time() - began}
    return [json.dumps(asdict(verdict) | spent).encode(), camera.to_bytes(), jpeg]


def main() -> None:
    """Serve until standard input ends. The only argument is the parent's process id."""
    worker.give_up_privileges(int(sys.argv[1]))
    av.logging.set_level(av.logging.PANIC)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(REQUEST.size)) == REQUEST.size:
        codec, *lengths = REQUEST.unpack(head)
        pieces = [memoryview(source.read(length)) for length in lengths]
        try:
            good, parts = 1, answer(codec, *pieces)
        except worker.BadPictureError as error:
            good, parts = 0, [str(error).encode(), b"", b""]
        except (av.FFmpegError, ValueError, MemoryError, KeyError) as error:
            good, parts = 0, [f"{type(error).__name__} in the decoder".encode(), b"", b""]
        sink.write(b"".join((ANSWER.pack(good, *map(len, parts)), *parts)))
        sink.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
