"""A process of its own that turns key pictures into JPEG. Started as a script by stills.py; imports nothing of the engine.

libav reads here what cameras sent, which may be hostile. So before the first byte is read this process has no root, no
way to gain privileges, little memory and the lowest priority, and it dies with its parent (promise I7: apart). A fault
of the decoder costs one picture.

Standard input: requests. Standard output: one answer each, in order. Numbers are big-endian.
Request: REQUEST (codec 1 = H.264, 2 = H.265, 3 = JPEG; greatest width and height, 0 = as it is; lengths), the parameter
sets and the picture, both as NAL units with four bytes of length before each (a JPEG: as it is, without sets), and in
UTF-8 what is written into the picture because it is old (stamp.py; nothing: the picture stays as it is).
Answer: ANSWER (1 = JPEG, 0 = a sentence why not; length), then that.
"""

import contextlib
import ctypes
from fractions import Fraction
import importlib.util
import os
from pathlib import Path
import resource
import signal
import struct
import sys
from typing import TYPE_CHECKING

# Here, not later: once this process is nobody it may not be able to read the files of libav.
import av
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

if TYPE_CHECKING:
    from . import stamp
elif __name__ == "__main__":
    # By its path: this script runs alone, and nothing beside it may be found by name (`python -P`). Others that borrow
    # from this file draw nothing, and need no Pillow.
    _found = importlib.util.spec_from_file_location("stamp", Path(__file__).with_name("stamp.py"))
    stamp = importlib.util.module_from_spec(_found)
    _found.loader.exec_module(stamp)

REQUEST = struct.Struct(">BHHIIH")
ANSWER = struct.Struct(">BI")

#: Room for a 4K picture of 10 bits in a decoder that keeps 16 of them, and not for more.
MEMORY_BYTES = 1 << 30
#: A picture of more pixels than this (8K) is a mistake or an attack.
PIXELS_MAX = 7680 * 4320
NOBODY = 65534
CODECS = {1: "h264", 2: "hevc", 3: "mjpeg"}
JPEG = 3
#: JPEG quality of libav, 2 (best) to 31.
QUALITY = 4

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


class BadPictureError(Exception):
    """A picture that cannot be decoded; says why."""


def give_up_privileges(parent: int) -> None:
    """Become nobody, with limits, bound to the life of process `parent`."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    libc = ctypes.CDLL(None, use_errno=True)
    # After the change of user, which clears it.
    for option, value in ((_PR_SET_PDEATHSIG, int(signal.SIGKILL)), (_PR_SET_NO_NEW_PRIVS, 1)):
        if libc.prctl(option, value, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        sys.exit(0)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(10)


def annex_b(data: memoryview) -> bytes:
    """NAL units with lengths before them, as NAL units with start codes. Raises BadPictureError."""
    pieces: list[bytes | memoryview] = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4])
        at += 4
        if not 0 < length <= len(data) - at:
            raise BadPictureError("broken off")
        pieces += (b"\x00\x00\x00\x01", data[at : at + length])
        at += length
    return b"".join(pieces)


def decode(codec: str, data: bytes, **options: str) -> tuple[VideoFrame, float]:
    """The first picture in `data`, and the width of its pixels over their height. `options` are libav's."""
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.thread_count = 1
    decoder.options = {"max_pixels": str(PIXELS_MAX), **options}
    for packet in (av.Packet(data), None):
        for frame in decoder.decode(packet):
            aspect = float(decoder.sample_aspect_ratio or 1)
            return frame, aspect if 0.2 < aspect < 5 else 1.0
    raise BadPictureError("no picture came out of the decoder")


def fitted(frame: VideoFrame, aspect: float, width_max: int, height_max: int) -> tuple[int, int]:
    """Size within the given one, never larger than the picture itself, even, with its pixels made square."""
    width, height = frame.width * aspect, float(frame.height)
    scale = min(1.0, (width_max or width) / width, (height_max or height) / height)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def jpeg(frame: VideoFrame, size: tuple[int, int], old: str = "") -> bytes:
    """JPEG as JFIF wants it: full range, ITU-R BT.601, 4:2:0. `old`: what is written into it."""
    hd = frame.height > 576
    known = {int(space): space for space in (Colorspace.ITU709, Colorspace.ITU601, Colorspace.SMPTE240M)}
    picture = VideoReformatter().reformat(
        frame,
        *size,
        format="yuv420p",
        # What most cameras leave unsaid: BT.709 for HD, BT.601 below.
        src_colorspace=known.get(int(frame.colorspace), Colorspace.ITU709 if hd else Colorspace.ITU601),
        dst_colorspace=Colorspace.ITU601,
        src_color_range=ColorRange.JPEG if int(frame.color_range) == ColorRange.JPEG else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
    )
    if old:
        stamp.stamp(picture, old)
    encoder = av.VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt = "yuv420p"
    encoder.color_range = int(ColorRange.JPEG)
    encoder.thread_count = 1
    encoder.time_base = picture.time_base = Fraction(1, 25)
    picture.pts = 0
    encoder.qmin = encoder.qmax = QUALITY
    return b"".join(bytes(packet) for one in (picture, None) for packet in encoder.encode(one))


def answer(codec: int, width: int, height: int, sets: memoryview, picture: memoryview, old: str) -> tuple[int, bytes]:
    """What one request gets."""
    try:
        data = bytes(picture) if codec == JPEG else annex_b(sets) + annex_b(picture)
        frame, aspect = decode(CODECS[codec], data)
        return 1, jpeg(frame, fitted(frame, aspect, width, height), old)
    except BadPictureError as error:
        return 0, str(error).encode()
    except (av.FFmpegError, ValueError, MemoryError, KeyError, OSError) as error:
        # OSError: Pillow without fonts. A picture that cannot say that it is old is none.
        return 0, f"{type(error).__name__} in the decoder".encode()


def main() -> None:
    """Serve until standard input ends. The only argument is the parent's process id."""
    give_up_privileges(int(sys.argv[1]))
    av.logging.set_level(av.logging.PANIC)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(REQUEST.size)) == REQUEST.size:
        codec, width, height, sets_length, picture_length, old_length = REQUEST.unpack(head)
        body = memoryview(source.read(sets_length + picture_length))
        old = source.read(old_length).decode(errors="replace")
        good, result = answer(codec, width, height, body[:sets_length], body[sets_length:], old)
        sink.write(ANSWER.pack(good, len(result)))
        sink.write(result)
        sink.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
