"""Clips: encoded once, kept on disk, played in a loop by any number of cameras and processes.

A clip begins with a key picture, has closed groups of pictures only, and its last picture can be followed by its first.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
import hashlib
import json
import os
from pathlib import Path
import tempfile

import av
import numpy as np

from .scene import Scene, View
from .spec import AudioCodec, Video, VideoCodec

#: Raised whenever what is drawn, coded or stored changes: old files are then not found any more.
_FORMAT = 2


@dataclass(frozen=True, slots=True)
class Unit:
    """One coded picture or audio frame, in decode order. `time` is its place in the order of presentation, counted in
    pictures (audio frames) from the clip's start; `nals` of audio is the frame itself.
    """

    time: int
    key: bool
    nals: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Clip:
    """Coded pictures and the parameter sets (VPS, SPS, PPS) that they need."""

    codec: VideoCodec
    sets: tuple[bytes, ...]
    units: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class AudioClip:
    """Coded audio. `samples` is how many one unit holds; `config` is AAC's AudioSpecificConfig."""

    codec: AudioCodec
    rate: int
    samples: int
    config: bytes
    units: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class Shot:
    """Which clip. With `still`, every picture of one group is picture number `still`, coded again and again."""

    scene: str
    video: Video
    view: View = "normal"
    still: int | None = None

    @property
    def frames(self) -> int:
        """Pictures in the clip."""
        return self.video.frames if self.still is None else self.video.gop


def cache_folder() -> Path:
    """Where clips are kept; may be deleted at any time while no simulator starts."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "facility-cameras" / "clips"


def load(shot: Shot) -> Clip:
    """The clip, from disk if it was encoded before. Takes about as long as the clip lasts at most."""
    key = hashlib.sha256(json.dumps([_FORMAT, asdict(shot)], sort_keys=True).encode()).hexdigest()
    path = cache_folder() / f"{key[:32]}.clip"
    try:
        return _unpack(path.read_bytes())
    except FileNotFoundError:
        clip = _encode(shot)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Renamed when complete: processes that start together never see half a file.
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(_pack(clip))
    Path(file.name).replace(path)
    return clip


def _pack(clip: Clip) -> bytes:
    head = {
        "codec": clip.codec,
        "sets": [data.hex() for data in clip.sets],
        "units": [[unit.time, unit.key, [len(nal) for nal in unit.nals]] for unit in clip.units],
    }
    return b"".join([json.dumps(head).encode(), b"\n", *(nal for unit in clip.units for nal in unit.nals)])


def _unpack(data: bytes) -> Clip:
    line, _, body = data.partition(b"\n")
    head = json.loads(line)
    units, at = [], 0
    for time, key, sizes in head["units"]:
        nals = []
        for size in sizes:
            nals.append(body[at : at + size])
            at += size
        units.append(Unit(time, key, tuple(nals)))
    return Clip(head["codec"], tuple(bytes.fromhex(text) for text in head["sets"]), tuple(units))


def _encode(shot: Shot) -> Clip:
    video = shot.video
    context = av.CodecContext.create("libx264" if video.codec == "h264" else "libx265", "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = video.width, video.height, "yuv420p"
    context.framerate, context.time_base = Fraction(video.fps), Fraction(1, video.fps)
    context.bit_rate = video.kbps * 1000
    context.thread_count = 1
    coder: dict[str, int | str] = {
        "keyint": video.gop,
        "min-keyint": video.gop,
        "scenecut": 0,
        "open-gop": 0,
        "bframes": video.b_frames,
        "b-adapt": 0,
        "rc-lookahead": max(1, video.b_frames + 1),
        "repeat-headers": 1,
        "vbv-maxrate": video.kbps,
        "vbv-bufsize": video.kbps,
    }
    if video.codec == "h265":
        coder |= {"log-level": "error", "pools": "none", "frame-threads": 1, "info": 0}
    name = "x264-params" if video.codec == "h264" else "x265-params"
    context.options = {
        "preset": "veryfast" if video.codec == "h264" else "ultrafast",
        name: ":".join(f"{key}={value}" for key, value in coder.items()),
    }
    scene = Scene(shot.scene, video.width, video.height, video.fps, video.frames)
    units: list[Unit] = []
    sets: dict[bytes, None] = {}
    packets: list[av.Packet[av.VideoStream]] = []
    for number in range(shot.frames):
        picture = scene.draw(number if shot.still is None else shot.still, shot.view)
        frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts = number
        packets += context.encode(frame)
    packets += context.encode(None)
    for packet in packets:
        slices = []
        for nal in split(bytes(packet)):
            match kind(video.codec, nal):
                case "set":
                    sets[nal] = None
                case "slice":
                    slices.append(nal)
        assert packet.pts is not None
        units.append(Unit(packet.pts, packet.is_keyframe, tuple(slices)))
    return Clip(video.codec, tuple(sets), tuple(units))


def split(stream: bytes) -> Iterator[bytes]:
    """The NAL units of an Annex B byte stream."""
    at = stream.find(b"\0\0\1")
    while at >= 0:
        end = stream.find(b"\0\0\1", at + 3)
        nal = stream[at + 3 : end if end >= 0 else None]
        yield nal.rstrip(b"\0") if end >= 0 else nal
        at = end


def kind(codec: VideoCodec, nal: bytes) -> str:
    """What a NAL unit is: "set" (VPS, SPS, PPS), "slice" or "other" (SEI, delimiters)."""
    if codec == "h264":
        number = nal[0] & 0x1F
        return "set" if number in (7, 8) else "slice" if number in (1, 5) else "other"
    number = nal[0] >> 1 & 0x3F
    return "set" if number in (32, 33, 34) else "slice" if number < 32 else "other"


def audio(codec: AudioCodec, seconds: int = 8) -> AudioClip:
    """A tone that wanders up and down, the same for every camera."""
    rate, samples = (16_000, 1024) if codec == "aac" else (8_000, 160)
    count = seconds * rate // samples
    time = np.arange(count * samples) / rate
    tone = np.sin(2 * np.pi * 440 * time + 40 * np.sin(2 * np.pi * time / seconds))
    wave = (tone * 6000).astype(np.int16)
    encoder = {"aac": "aac", "pcma": "pcm_alaw", "pcmu": "pcm_mulaw"}[codec]
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout = rate, "mono"
    context.format = "fltp" if codec == "aac" else "s16"
    coded: list[bytes] = []
    for number in range(count):
        part = wave[number * samples : (number + 1) * samples]
        if codec == "aac":
            frame = av.AudioFrame.from_ndarray((part / 32768).astype(np.float32)[None], format="fltp", layout="mono")
        else:
            frame = av.AudioFrame.from_ndarray(part[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, number * samples
        coded += [bytes(packet) for packet in context.encode(frame)]
    coded += [bytes(packet) for packet in context.encode(None)]
    units = tuple(Unit(number, True, (data,)) for number, data in enumerate(coded[:count]))
    return AudioClip(codec, rate, samples, bytes(context.extradata or b"")[:2], units)
