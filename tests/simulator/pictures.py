"""Pictures as an independent decoder (libav) sees them."""

from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

from simulator import barcode
from simulator.clip import Clip

START = b"\0\0\0\1"


def decode(clip: Clip) -> Iterator[NDArray[np.uint8]]:
    """The brightness of each picture of a clip, in order of presentation."""
    context = av.CodecContext.create("h264" if clip.codec == "h264" else "hevc", "r")
    assert isinstance(context, av.VideoCodecContext)
    packets = [
        av.Packet(b"".join(START + nal for nal in ((*clip.sets, *unit.nals) if unit.key else unit.nals)))
        for unit in clip.units
    ]
    for packet in (*packets, None):
        for frame in context.decode(packet):
            yield np.asarray(frame.to_ndarray(format="gray8"), dtype=np.uint8)


@dataclass
class Picture:
    """One picture as a player got it."""

    pts: int | None
    number: int
    width: int


def play(url: str, count: int, *, transport: str = "tcp", limit: float = 10) -> list[Picture]:
    """The first pictures that a player (libav) gets from a camera; the number is -1 where there is no bar."""
    options = {"rtsp_transport": transport, "fflags": "nobuffer", "analyzeduration": "100000"}
    pictures: list[Picture] = []
    with av.open(url, options=options, timeout=limit) as container:
        for frame in container.decode(video=0):
            luma = np.asarray(frame.to_ndarray(format="gray8"), dtype=np.uint8)
            try:
                number = barcode.read(luma)
            except barcode.UnreadableError:
                number = -1
            pictures.append(Picture(frame.pts, number, frame.width))
            if len(pictures) == count:
                break
    return pictures
