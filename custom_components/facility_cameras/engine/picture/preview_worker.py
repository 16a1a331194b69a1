"""A process of its own that turns pictures of any codec we record into small H.264 pictures, for players without H.265.

Started as a script by preview.py; imports nothing of the engine. As in worker.py, whose ways of giving up privileges it
shares, it reads what cameras sent, which may be hostile: it is nobody, with little memory and the lowest priority, and
dies with its parent (promise I7: apart).

Standard input: batches. Standard output: one answer each, in order. Numbers are big-endian.
Batch: BATCH (codec 1 = H.264, 2 = H.265; number of pictures, 0 = there is no more; length of the parameter sets), the
parameter sets as NAL units with four bytes of length before each, then each picture in decode order: PICTURE (its time
in 1/90000 s, its length) and its NAL units, likewise.
Answer: ANSWER (1 = pictures, 0 = a sentence why there will be none; how many, or the sentence's length), then that:
each picture is CODED (its time, 1 = key picture, its length) and H.264 with start codes. The answer to the last batch is
followed by the end.
"""

import contextlib
from fractions import Fraction
import importlib.util
from pathlib import Path
import struct
import sys
from typing import TYPE_CHECKING, BinaryIO

# Here, not later: once this process is nobody it may not be able to read the files of libav.
import av
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import VideoReformatter

if TYPE_CHECKING:
    from . import worker
else:
    # By its path: this script runs alone, and nothing beside it may be found by name (`python -P`).
    _found = importlib.util.spec_from_file_location("worker", Path(__file__).with_name("worker.py"))
    worker = importlib.util.module_from_spec(_found)
    _found.loader.exec_module(worker)

BATCH = struct.Struct(">BII")
PICTURE = struct.Struct(">qI")
ANSWER = struct.Struct(">BI")
CODED = struct.Struct(">qBI")

#: The first that there is. None of them is ours: they come with PyAV, or do not.
ENCODERS = ("libopenh264", "libx264")
CLOCK = 90_000
WIDTH_MAX = 640
#: No more pictures a second than this, and a key picture at least so often.
FPS_MAX = 15
KEY_TICKS = 2 * CLOCK
KBPS = 500


class NoEncoderError(Exception):
    """PyAV came without any encoder for H.264."""


class Preview:
    """Decodes, makes small, encodes."""

    def __init__(self) -> None:
        self._decoder: av.VideoCodecContext | None = None
        self._codec = 0
        self._encoder: av.VideoCodecContext | None = None
        self._scaler = VideoReformatter()
        self._last = -CLOCK
        self._last_key = -KEY_TICKS

    def batch(
        self, codec: int, sets: memoryview, pictures: list[tuple[int, memoryview]]
    ) -> list[tuple[int, bool, bytes]]:
        """What comes out for these pictures, or, if there are none, at the end."""
        made: list[tuple[int, bool, bytes]] = []
        if self._decoder is None or (pictures and codec != self._codec):
            made += self._drained()
            self._decoder, self._codec = self._new_decoder(codec), codec
        head = worker.annex_b(sets)
        for number, (time, data) in enumerate(pictures):
            try:
                packet = av.Packet((b"" if number else head) + worker.annex_b(data))
                packet.pts = packet.dts = time
                for frame in self._decoder.decode(packet):
                    made += self._encode(frame)
            except av.FFmpegError, worker.BadPictureError, ValueError:
                continue  # a damaged picture; the next key picture begins anew
        if not pictures:
            made += self._drained()
            if self._encoder is not None:
                made += self._packets(None)
        return made

    def _drained(self) -> list[tuple[int, bool, bytes]]:
        """What the decoder still holds."""
        made: list[tuple[int, bool, bytes]] = []
        if self._decoder is not None:
            with contextlib.suppress(av.FFmpegError):
                for frame in self._decoder.decode(None):
                    made += self._encode(frame)
        return made

    def _new_decoder(self, codec: int) -> av.VideoCodecContext:
        decoder = av.CodecContext.create(worker.CODECS[codec], "r")
        assert isinstance(decoder, av.VideoCodecContext)
        decoder.thread_count = 1
        decoder.options = {"max_pixels": str(worker.PIXELS_MAX)}
        return decoder

    def _encode(self, frame: VideoFrame) -> list[tuple[int, bool, bytes]]:
        time = frame.pts
        if time is None or time - self._last < CLOCK // FPS_MAX - 1:
            return []
        if self._encoder is None:
            aspect = float((self._decoder and self._decoder.sample_aspect_ratio) or 1)
            size = worker.fitted(frame, aspect if 0.2 < aspect < 5 else 1.0, WIDTH_MAX, 0)
            self._encoder = _new_encoder(size)
        size = self._encoder.width, self._encoder.height
        small = self._scaler.reformat(frame, *size, format="yuv420p")
        small.pts, small.time_base = time, Fraction(1, CLOCK)
        key = time - self._last_key >= KEY_TICKS
        small.pict_type = PictureType.I if key else PictureType.NONE
        self._last = time
        if key:
            self._last_key = time
        return self._packets(small)

    def _packets(self, frame: VideoFrame | None) -> list[tuple[int, bool, bytes]]:
        assert self._encoder is not None
        return [(packet.pts or 0, packet.is_keyframe, bytes(packet)) for packet in self._encoder.encode(frame)]


def _new_encoder(size: tuple[int, int]) -> av.VideoCodecContext:
    for name in ENCODERS:
        try:
            encoder = av.CodecContext.create(name, "w")
        except av.codec.codec.UnknownCodecError:
            continue
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height = size
        encoder.pix_fmt = "yuv420p"
        encoder.time_base = Fraction(1, CLOCK)
        encoder.framerate = Fraction(FPS_MAX)
        encoder.bit_rate = KBPS * 1000
        encoder.gop_size = 10 * FPS_MAX
        encoder.max_b_frames = 0
        encoder.thread_count = 1
        if name == "libx264":
            encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1", "profile": "baseline"}
        return encoder
    raise NoEncoderError


def _read(source: BinaryIO, length: int) -> memoryview:
    data = source.read(length)
    if len(data) < length:
        sys.exit(0)
    return memoryview(data)


def main() -> None:
    """Serve until the last batch, or until standard input ends. The only argument is the parent's process id."""
    worker.give_up_privileges(int(sys.argv[1]))
    av.logging.set_level(av.logging.PANIC)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    preview = Preview()
    count = 1
    while count:
        codec, count, sets_length = BATCH.unpack(_read(source, BATCH.size))
        sets = _read(source, sets_length)
        pictures = []
        for _ in range(count):
            time, length = PICTURE.unpack(_read(source, PICTURE.size))
            pictures.append((time, _read(source, length)))
        try:
            made = preview.batch(codec, sets, pictures)
        except NoEncoderError:
            sentence = b"no encoder"
            sink.write(ANSWER.pack(0, len(sentence)) + sentence)
            break
        sink.write(ANSWER.pack(1, len(made)))
        for time, key, data in made:
            sink.write(CODED.pack(time, key, len(data)))
            sink.write(data)
        sink.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
