"""Clips ready to be sent: packetised, and shared by all cameras of this process that play the same."""

import asyncio
from dataclasses import dataclass
import functools
import threading
import weakref

from .clip import AudioClip, Shot, audio, load
from .packets import Loop, Style, audio_loop, video_loop
from .spec import AudioCodec, VideoCodec

#: Clips that are encoded at the same time; each takes one thread.
_ENCODERS = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Reel:
    """The packets of a clip, and the parameter sets (VPS, SPS, PPS) that its description tells."""

    codec: VideoCodec
    sets: tuple[bytes, ...]
    loop: Loop


@dataclass(frozen=True, slots=True)
class AudioReel:
    """The packets of an audio clip, and the clip."""

    clip: AudioClip
    loop: Loop


_reels: weakref.WeakValueDictionary[tuple[Shot, Style], Reel] = weakref.WeakValueDictionary()


async def video_reel(shot: Shot, style: Style) -> Reel:
    """The reel of a clip; the clip is encoded if it never was."""
    return await asyncio.to_thread(_video_reel, shot, style)


def _video_reel(shot: Shot, style: Style) -> Reel:
    with _ENCODERS:
        reel = _reels.get((shot, style))
        if reel is None:
            clip = load(shot)
            reel = _reels.setdefault((shot, style), Reel(clip.codec, clip.sets, video_loop(clip, style)))
        return reel


@functools.cache
def audio_reel(codec: AudioCodec, style: Style) -> AudioReel:
    """The reel of the one audio clip there is in each codec."""
    clip = audio(codec)
    return AudioReel(clip, audio_loop(clip, style))
