"""What the checks look at of a picture: a small grey one, its colour, and how clean it is at full size.

Runs in the worker (examine_worker.py): NumPy and libav are never in the engine's own process.
"""

from dataclasses import dataclass

from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
import numpy as np
from numpy.typing import NDArray

type Grey = NDArray[np.uint8]

#: The small picture. Cells of it are what is compared between two looks.
WIDTH, HEIGHT = 256, 144
CELL = 8
#: Below this mean distance from grey a picture has no colour: the camera's night mode.
COLOURLESS = 2.0


@dataclass(slots=True)
class Seen:
    """One picture. `plain` is the share of its pixels that have the commonest brightness, `clean` the share that equal
    the pixel beside them: both are near 1 only where no sensor took the picture.
    """

    grey: Grey
    colourless: bool
    plain: float
    clean: float


def see(frame: VideoFrame, scaler: VideoReformatter) -> tuple[Seen, VideoFrame]:
    """What the checks need of a decoded picture, and the small picture with its colours."""
    if frame.format.name not in ("yuv420p", "yuvj420p"):
        frame = scaler.reformat(frame, format="yuv420p")
    small = scaler.reformat(frame, WIDTH, HEIGHT, format="yuv420p", interpolation=Interpolation.AREA)
    pixels = np.asarray(small.to_ndarray(), np.uint8)
    colours = pixels[HEIGHT:].astype(np.int16)
    distance = float(np.abs(colours - 128).mean())
    plane = frame.planes[0]
    full = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
    rows = full[:: max(1, frame.height // 128)]
    counts = np.bincount(rows.ravel(), minlength=256)
    around = np.convolve(counts, (1, 1, 1), "same")
    plain = float(around.max() / rows.size)
    clean = float((rows[:, 1:] == rows[:, :-1]).mean())
    return Seen(pixels[:HEIGHT].copy(), distance < COLOURLESS, plain, clean), small
