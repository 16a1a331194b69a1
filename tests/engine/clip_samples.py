"""Clips for tests, encoded with PyAV and cut into samples as the receiver would hand them on.

Each picture carries its number as eight blocks, black or white, so that a test can tell which ones it got back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
import re

import av
from av.video.frame import PictureType
import numpy as np

from custom_components.facility_cameras.engine.media import VIDEO_CLOCK, AudioFormat, Sample, StreamFormat, VideoFormat

_START_CODE = re.compile(rb"\x00\x00\x00?\x01")
_BLOCK = 16


@dataclass(frozen=True)
class Clip:
    """A format, its samples in decode order, and the video samples' own order of presentation times."""

    stream: StreamFormat
    samples: list[Sample]
    fps: int | Fraction

    @property
    def video(self) -> list[Sample]:
        return [sample for sample in self.samples if not sample.audio]

    @property
    def key(self) -> Sample:
        return next(sample for sample in self.samples if sample.key)


def number_of(frame: av.VideoFrame, scale: float = 1.0) -> int:
    """The number painted into a decoded picture; `scale` is its width over the clip's."""
    plane = frame.reformat(format="gray").to_ndarray()
    middle = _BLOCK / 2
    bits = (int(plane[int(middle * scale), int((bit * _BLOCK + middle) * scale)]) > 128 for bit in range(8))
    return sum(1 << bit for bit, white in enumerate(bits) if white)


def paint(number: int, width: int, height: int) -> np.ndarray:
    """An RGB picture: a moving bar on a coloured ground, with the number in the top left corner."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, :, 0] = np.linspace(40, 200, width, dtype=np.uint8)
    picture[:, :, 2] = np.linspace(200, 40, height, dtype=np.uint8)[:, None]
    left = (number * 4) % max(1, width - 20)
    picture[height // 2 :, left : left + 20] = 255
    for bit in range(8):
        picture[:_BLOCK, bit * _BLOCK : (bit + 1) * _BLOCK] = 255 if number >> bit & 1 else 0
    return picture


def make_clip(
    codec: str = "h264",
    *,
    frames: int = 50,
    fps: int | Fraction = 25,
    gop: int = 25,
    size: tuple[int, int] = (320, 240),
    b_frames: int = 0,
    pixels: str = "yuv420p",
    audio: bool = False,
    full_range: bool = False,
    open_groups: bool = False,
) -> Clip:
    """Encode and cut. The first picture's presentation time is 0; `received` rises by 1/fps from 100.0 s.

    `open_groups`: pictures that lead an H.265 key picture need the group before it.
    """
    packets = list(_encode(codec, frames, fps, gop, size, b_frames, pixels, full_range, open_groups))
    first = min(pts for pts, _, _ in packets)
    samples: list[Sample] = []
    sets: dict[int, tuple[bytes, ...]] = {}
    for index, (pts, key, data) in enumerate(packets):
        parts: list[bytes] = []
        disposable = False
        for nal in (piece for piece in _START_CODE.split(data) if piece):
            kind = nal[0] & 0x1F if codec == "h264" else nal[0] >> 1 & 0x3F
            if kind in ((7, 8) if codec == "h264" else (32, 33, 34)):
                if nal not in sets.get(kind, ()):
                    sets[kind] = (*sets.get(kind, ()), nal)
            elif kind != (9 if codec == "h264" else 35):
                parts += (len(nal).to_bytes(4), nal)
                disposable |= codec == "h265" and kind in (8, 9)
        samples.append(
            Sample(
                time=(pts - first) * VIDEO_CLOCK // fps,
                received=100 + float(index / fps),
                size=sum(len(part) for part in parts),
                parts=parts,
                key=key,
                disposable=disposable,
            )
        )
    video = VideoFormat(
        codec=codec,
        width=size[0],
        height=size[1],
        codec_string="avc1.640028" if codec == "h264" else "hvc1.1.6.L120.90",
        sps=sets[7 if codec == "h264" else 33],
        pps=sets[8 if codec == "h264" else 34],
        vps=() if codec == "h264" else sets[32],
    )
    sound = None
    if audio:
        sound, heard = _tone(float(frames / fps))
        samples = sorted([*samples, *heard], key=lambda sample: sample.received)
    return Clip(StreamFormat(video, sound), samples, fps)


def _encode(
    codec: str,
    frames: int,
    fps: int | Fraction,
    gop: int,
    size: tuple[int, int],
    b_frames: int,
    pixels: str,
    full_range: bool,
    open_groups: bool,
) -> Iterator[tuple[int, bool, bytes]]:
    """Presentation number, key or not, Annex B."""
    encoder = av.CodecContext.create("libx264" if codec == "h264" else "libx265", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height = size
    encoder.pix_fmt = pixels
    encoder.time_base = 1 / Fraction(fps)
    encoder.framerate = Fraction(fps)
    encoder.gop_size = gop
    encoder.max_b_frames = b_frames
    encoder.thread_count = 1
    if full_range:
        encoder.color_range = 2
    if codec == "h264":
        encoder.options = {
            "preset": "ultrafast",
            "sc_threshold": "0",
            "x264-params": f"keyint={gop}:bframes={b_frames}",
        }
    else:
        parameters = (
            f"keyint={gop}:min-keyint={gop}:bframes={b_frames}:scenecut=0:log-level=none:pools=none:frame-threads=1"
        )
        encoder.options = {"preset": "ultrafast", "x265-params": parameters}
    for number in range(frames):
        frame = av.VideoFrame.from_ndarray(paint(number, *size), format="rgb24").reformat(
            format=pixels, dst_color_range=2 if full_range else 1
        )
        frame.pts = number
        frame.time_base = encoder.time_base
        frame.pict_type = PictureType.I if number % gop == 0 and not open_groups else PictureType.NONE
        for packet in encoder.encode(frame):
            assert packet.pts is not None
            yield packet.pts, packet.is_keyframe, bytes(packet)
    for packet in encoder.encode(None):
        assert packet.pts is not None
        yield packet.pts, packet.is_keyframe, bytes(packet)


def _tone(seconds: float) -> tuple[AudioFormat, list[Sample]]:
    """A tone in AAC-LC, mono, 16 kHz."""
    rate = 16_000
    encoder = av.CodecContext.create("aac", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate = rate
    encoder.layout = "mono"
    encoder.format = "fltp"
    encoder.time_base = Fraction(1, rate)
    encoder.open()
    samples = []
    for start in range(0, int(seconds * rate), 1024):
        wave = np.sin(np.arange(start, start + 1024, dtype=np.float32) * 0.2).astype(np.float32)[None, :] * 0.3
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        frame.sample_rate = rate
        frame.pts = start
        for packet in encoder.encode(frame):
            data = bytes(packet)
            samples.append(
                Sample(time=start, received=100 + start / rate, size=len(data), parts=[data], key=False, audio=True)
            )
    assert encoder.extradata is not None
    return AudioFormat("aac", bytes(encoder.extradata), rate, 1), samples
