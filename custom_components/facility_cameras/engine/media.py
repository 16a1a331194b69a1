"""What flows through the engine: formats and samples.

A sample is one coded picture (or one audio frame), whole, in decode order, as an MP4 holds it: every NAL unit with its
length in four bytes before it, without access unit delimiters and without parameter sets (those are in the format).
"""

from dataclasses import dataclass, field

from .api import Format

type Buffer = bytes | memoryview

#: RTP clock of every video codec we record, and the time base of every video time in the engine.
VIDEO_CLOCK = 90_000


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What a decoder needs before the first picture. `vps` is empty for H.264. Sizes are after cropping;
    `sample_aspect` is (horizontal, vertical). `codec_string` is RFC 6381, such as avc1.640028 or hvc1.1.6.L120.90.
    """

    codec: str
    width: int
    height: int
    codec_string: str
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    vps: tuple[bytes, ...] = ()
    sample_aspect: tuple[int, int] = (1, 1)


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """AAC as in RFC 3640: `config` is the AudioSpecificConfig (ISO 14496-3)."""

    codec: str
    config: bytes
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """Everything one session sends that we keep."""

    video: VideoFormat
    audio: AudioFormat | None = None

    def describe(self) -> Format:
        """The same for the API."""
        return {
            "video": self.video.codec,
            "width": self.video.width,
            "height": self.video.height,
            "codec_string": self.video.codec_string,
            "audio": self.audio.codec if self.audio else None,
        }


@dataclass(slots=True)
class Sample:
    """One coded picture or audio frame.

    `time` is its presentation time in ticks of its own clock (90 kHz for video, the sample rate for audio) since the
    run's first video picture: extended, so that it never wraps. `parts` joined are its bytes, `size` their length.
    `received` is monotonic seconds. `key`: decoding can begin here. `disposable`: an H.265 picture (RASL) that cannot be
    decoded when decoding begins at the key picture before it.
    """

    time: int
    received: float
    size: int
    parts: list[bytes] = field(default_factory=list)
    key: bool = False
    audio: bool = False
    disposable: bool = False

    def bytes(self) -> bytes:
        """The sample in one piece."""
        return b"".join(self.parts)
