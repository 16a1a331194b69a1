"""Descriptions of cameras that are quick to prepare and have a key picture every half second."""

from dataclasses import replace
from typing import Any

from simulator.spec import AudioCodec, CameraSpec, StreamSpec, Video

QUICK = Video(width=320, height=240, fps=20, gop=10, kbps=200, seconds=1)
#: The same with H.265.
QUICK_265 = replace(QUICK, codec="h265")


def quick(name: str = "Gate", video: Video = QUICK, audio: AudioCodec | None = None, **changes: Any) -> CameraSpec:
    """A camera with one small stream."""
    return CameraSpec(name=name, scene="Gate", streams=(StreamSpec(video=video, audio=audio),), **changes)
