"""AAC: what its configuration says (ISO/IEC 14496-3), and RTP payloads (RFC 3640, mode AAC-hbr)."""

from collections.abc import Callable
from dataclasses import dataclass

from ..media import AudioFormat, Buffer, Sample
from .bits import BitReader

_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
#: Samples in one AAC frame.
FRAME = 1024
#: Largest frame of one packet train: 6144 bits a channel, 8 channels.
FRAME_BYTES = 8192
#: A configuration has two bytes, with extensions a dozen.
CONFIG_BYTES = 64


def parse_config(config: bytes) -> AudioFormat:
    """The format an AudioSpecificConfig describes (1.6.2.1). Raises ValueError."""
    if len(config) > CONFIG_BYTES:
        raise ValueError("audio configuration not usable")
    reader = BitReader(config)
    kind = reader.bits(5)
    if kind == 31:
        kind = 32 + reader.bits(6)
    index = reader.bits(4)
    rate = reader.bits(24) if index == 15 else _RATES[index] if index < len(_RATES) else 0
    channels = reader.bits(4)
    if kind not in (2, 5, 29) or not rate or not 1 <= channels <= 7:
        raise ValueError("audio configuration not usable")
    return AudioFormat("aac", config, rate, 8 if channels == 7 else channels)


@dataclass(frozen=True, slots=True)
class HeaderLengths:
    """Bits of the fields before each frame; the defaults are those of AAC-hbr (S11)."""

    size: int = 13
    index: int = 3
    delta: int = 3


class AacFrames:
    """Takes RTP payloads in order and calls `on_frame` for each whole frame, its time in samples as given."""

    def __init__(self, on_frame: Callable[[Sample], None], lengths: HeaderLengths) -> None:
        """Begin between two frames."""
        self._on_frame = on_frame
        self._lengths = lengths
        self._parts: list[Buffer] = []
        self._missing = 0

    def lost(self) -> None:
        """Packets are missing: drop the frame under way."""
        self._parts = []
        self._missing = 0

    def check_bounds(self) -> None:
        """Nothing to do: a frame is bounded by its header."""

    def packet(self, data: bytes, view: memoryview, start: int, end: int, time: int, marker: bool, now: float) -> None:
        """Take the payload of the next RTP packet (RFC 3640 section 3.2)."""
        del marker
        if self._missing:
            self._continue(view[start:end], time, now)
            return
        if end - start > 7 and data[start] == 0xFF and data[start + 1] & 0xF6 == 0xF0:
            self._frame([self._without_adts(data, view, start, end)], time, now)  # S12: ADTS in the place of RFC 3640
            return
        if end - start < 3:
            return
        header_bits = data[start] << 8 | data[start + 1]
        position = start + 2 + (header_bits + 7) // 8
        if position > end:
            return
        reader = BitReader(data[start + 2 : position])
        number = 0
        while header_bits >= self._lengths.size + (self._lengths.delta if number else self._lengths.index):
            used = self._lengths.size + (self._lengths.delta if number else self._lengths.index)
            size = reader.bits(self._lengths.size)
            reader.skip(used - self._lengths.size)
            header_bits -= used
            if not 0 < size <= FRAME_BYTES:
                return
            if position + size > end:
                if number == 0:
                    self._parts, self._missing = [view[position:end]], size - (end - position)
                return
            part = view[position : position + size]
            if size > 7 and part[0] == 0xFF and part[1] & 0xF6 == 0xF0:
                part = self._without_adts(data, view, position, position + size)
            self._frame([part], time + number * FRAME, now)
            position += size
            number += 1

    @staticmethod
    def _without_adts(data: bytes, view: memoryview, start: int, end: int) -> memoryview:
        return view[start + (7 if data[start + 1] & 1 else 9) : end]

    def _continue(self, part: memoryview, time: int, now: float) -> None:
        """A frame in several packets: each repeats the header with the whole size (RFC 3640 section 3.2.3)."""
        header = 2 + (self._lengths.size + self._lengths.index + 7) // 8
        part = part[header:]
        self._parts.append(part[: self._missing])
        self._missing -= min(self._missing, len(part))
        if not self._missing:
            parts, self._parts = self._parts, []
            self._frame(parts, time, now)

    def _frame(self, parts: list[Buffer], time: int, now: float) -> None:
        size = sum(map(len, parts))
        if size:
            self._on_frame(Sample(time=time, received=now, size=size, parts=[b"".join(parts)], audio=True))
