"""H.264 of any footage, made on demand for players that cannot play H.265: small, 15 pictures a second at most.

A worker process decodes and encodes; here its pictures become one growing file of fragments, and an HLS playlist that
grows with it, so that a player begins after the first seconds. Footage itself is only read. Blocks: runs in the lane.
"""

from collections.abc import Iterator
import contextlib
from dataclasses import dataclass, field
from itertools import accumulate
import os
from pathlib import Path
import re
import struct
import subprocess
import sys
import threading
from typing import Any, BinaryIO, Self, cast

from .api_footage import Clip, ClipCause, ClipFile
from .archive.archive import Archive
from .clip import Piece, missing, no_footage, pieces, read_tracks
from .clip_file import ROOM_BYTES, ClipError, Name
from .codec import h264
from .fmp4 import Fragmenter, init_segment
from .fmp4_read import BadFootageError, TrackInit, parameter_sets
from .lane import Job
from .media import VIDEO_CLOCK, Sample, StreamFormat
from .sources import NoIndexError, init_of, sources

#: As in picture/preview_worker.py, which runs alone and imports nothing from here.
_BATCH, _PICTURE, _ANSWER, _CODED = (struct.Struct(form) for form in (">BII", ">qI", ">BI", ">qBI"))

_SCRIPT = Path(__file__).parent / "picture" / "preview_worker.py"

#: A worker that takes longer for some seconds of footage is stuck.
BATCH_S = 60.0
#: No fragment of ours holds more.
_BATCH_BYTES = 64 << 20
#: Nor does the worker answer with more at once.
_CODED_BYTES = 8 << 20
#: The announced greatest duration of a part: what may come is not known, and it should not change.
_TARGET_S = 10
_HOLE = VIDEO_CLOCK
_CODECS = {"h264": 1, "h265": 2}
_START_CODE = re.compile(rb"\x00\x00\x00?\x01")
_IDR, _SPS, _PPS, _NOT_WANTED = 5, 7, 8, (6, 9)


@dataclass(slots=True)
class Preview:
    """A file that grows. Read by the event loop while the lane writes: lists only get longer."""

    path: Path
    init_bytes: int = 0
    #: Offset, bytes, duration in microseconds, and whether something is missing before it.
    parts: list[tuple[int, int, int, bool]] = field(default_factory=list)
    made: Clip | None = None

    def playlist(self) -> str | None:
        """The HLS playlist of what there is, None before there is anything; URIs are `preview.mp4`."""
        finished = self.made is not None
        if not self.parts:
            return None
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            f"#EXT-X-TARGETDURATION:{_TARGET_S}",
            "#EXT-X-MEDIA-SEQUENCE:0",
            f"#EXT-X-PLAYLIST-TYPE:{'VOD' if finished else 'EVENT'}",
            "#EXT-X-START:TIME-OFFSET=0,PRECISE=YES",
            f'#EXT-X-MAP:URI="preview.mp4",BYTERANGE="{self.init_bytes}@0"',
        ]
        for offset, size, duration_us, broken in tuple(self.parts):
            if broken:
                lines.append("#EXT-X-DISCONTINUITY")
            lines += (f"#EXTINF:{duration_us / 1e6:.6f},", f"#EXT-X-BYTERANGE:{size}@{offset}", "preview.mp4")
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if finished else []), ""])


def make_preview(
    archive: Archive, camera: str, start_us: int, end_us: int, folder: Path, _name: Name, job: Job[Any]
) -> Preview:
    """Write the preview of [start_us, end_us) as `preview-JOB.mp4` into `folder`; `job.partial` tells what there is.

    Raises ClipError, JobCancelledError, OSError.
    """
    try:
        found = sources(archive, camera, start_us, end_us)
        if not found:
            raise no_footage(archive, camera, start_us)
        volume = os.statvfs(folder)
        if volume.f_bavail * volume.f_frsize < ROOM_BYTES:
            raise ClipError(ClipCause.NO_ROOM, folder=str(folder), needed="0.3")
        preview = Preview(folder / f"preview-{job.id}.mp4")
        try:
            with preview.path.open("xb") as file, _Worker() as worker:
                writer = _Writer(preview, file, found[0].start_us, end_us)
                job.partial = preview
                for track, piece, fd in _read(archive, camera, start_us, end_us):
                    job.advance(min(0.99, (piece.begin_us - start_us) / (end_us - start_us)))
                    writer.take(worker.ask(*_batch(track, piece, fd, writer.begun_us, job)))
                writer.take(worker.ask(0, b"", []))
                writer.close()
        except BaseException:
            with contextlib.suppress(OSError):
                preview.path.unlink()
            raise
    except NoIndexError as error:
        raise ClipError(ClipCause.ARCHIVE_AWAY) from error
    gaps = missing([(source.start_us, source.end_us) for source in found], start_us, end_us)
    preview.made = {"files": [writer.told()], "gaps": gaps, "open": any(source.open for source in found)}
    return preview


def _read(archive: Archive, camera: str, start_us: int, end_us: int) -> Iterator[tuple[TrackInit, Piece, int]]:
    """The pieces of footage, each with its track and its open file."""
    for source in sources(archive, camera, start_us, end_us):
        track = read_tracks(init_of(archive, source.format))[0]
        try:
            fd = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # deleted meanwhile
        try:
            for piece in pieces(source, track.codec, fd, start_us, end_us):
                yield track, piece, fd
        finally:
            os.close(fd)


def _batch(track: TrackInit, piece: Piece, fd: int, begun_us: int, job: Job[Any]) -> tuple[int, bytes, list[bytes]]:
    """What the worker is given of a piece: codec, parameter sets, and each picture with its head."""
    pictures = piece.samples[1]
    size = sum(pictures.sizes)
    if size > _BATCH_BYTES:
        raise ClipError(ClipCause.FOOTAGE_DAMAGED)
    job.spend(size)
    data = os.pread(fd, size, pictures.offset)
    try:
        sets = b"".join(len(nal).to_bytes(4) + nal for nal in parameter_sets(track))
    except BadFootageError as error:
        raise ClipError(ClipCause.FOOTAGE_DAMAGED) from error
    first = pictures.decode + pictures.shifts[0]
    begin = (piece.begin_us - begun_us) * 9 // 100 - first
    parts: list[bytes] = []
    at = 0
    for decode, shift, length in zip(accumulate(pictures.durations, initial=pictures.decode), pictures.shifts,
                                     pictures.sizes, strict=False):  # fmt: skip
        some = data[at : at + length]
        parts += (_PICTURE.pack(begin + decode + shift, len(some)), some)
        at += length
    return _CODECS[track.codec or "h264"], sets, parts


class _Worker:
    """The process, asked in turn. Killed with the block."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_SCRIPT), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            # Nothing of our environment; only told where modules are, libav may lie anywhere.
            env={"LANG": "C.UTF-8", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )

    def ask(self, codec: int, sets: bytes, parts: list[bytes]) -> list[tuple[int, bool, bytes]]:
        """Time, key or not, and H.264 of each picture that comes out. No parts: all that is left. Raises ClipError."""
        source, sink = cast("BinaryIO", self._process.stdin), cast("BinaryIO", self._process.stdout)
        stuck = threading.Timer(BATCH_S, self._process.kill)
        stuck.start()
        try:
            source.write(_BATCH.pack(codec, len(parts) // 2, len(sets)) + sets + b"".join(parts))
            source.flush()
            good, count = _ANSWER.unpack(_exactly(sink, _ANSWER.size))
            if not good:
                raise ClipError(ClipCause.NO_ENCODER)
            made = []
            for _ in range(count):
                time, key, length = _CODED.unpack(_exactly(sink, _CODED.size))
                made.append((time, bool(key), _exactly(sink, length)))
        except (OSError, EOFError) as error:
            raise ClipError(ClipCause.NOT_DECODED) from error
        else:
            return made
        finally:
            stuck.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _exactly(source: BinaryIO, length: int) -> bytes:
    """So many bytes. Raises EOFError."""
    if length > _CODED_BYTES:
        raise EOFError("the worker answers with too much")
    data = source.read(length)
    if len(data) < length:
        raise EOFError("the worker ended")
    return data


class _Writer:
    """Puts encoded pictures into the file: a fragment from each key picture to the next."""

    def __init__(self, preview: Preview, file: BinaryIO, begun_us: int, end_us: int) -> None:
        self.begun_us = begun_us
        self._preview = preview
        self._file = file
        self._end = (end_us - begun_us) * 9 // 100
        self._maker = Fragmenter()
        self._stream: StreamFormat | None = None
        self._samples: list[Sample] = []
        self._size = 0
        self._first: int | None = None
        self._until = 0
        self._pictures = 0
        self._broken = False

    def take(self, made: list[tuple[int, bool, bytes]]) -> None:
        """The next pictures. Raises ClipError, OSError."""
        for time, key, data in made:
            if time >= self._end:
                continue
            units = [unit for unit in _START_CODE.split(data) if unit]
            if key:
                hole = bool(self._samples) and time - self._samples[-1].time > _HOLE
                self._flush(None if hole else time)
                self._broken = hole
                self._begin(units)
            if self._stream is None:
                continue
            parts: list[bytes] = []
            for unit in units:
                if unit[0] & 0x1F not in (_SPS, _PPS, *_NOT_WANTED):
                    parts += (len(unit).to_bytes(4), unit)
            self._samples.append(Sample(time, 0.0, sum(map(len, parts)), parts, key=key))

    def close(self) -> None:
        """The last fragment. Raises ClipError if there is none."""
        self._flush(None)
        if not self._pictures:
            raise ClipError(ClipCause.NOT_DECODED)
        os.fsync(self._file.fileno())

    def told(self) -> ClipFile:
        """What was made."""
        assert self._stream is not None
        return {
            "path": str(self._preview.path),
            "start": self.begun_us + (self._first or 0) * 100 // 9,
            "end": self.begun_us + self._until * 100 // 9,
            "bytes": self._size,
            "pictures": self._pictures,
            "codec": "h264",
            "width": self._stream.video.width,
            "height": self._stream.video.height,
        }

    def _begin(self, units: list[bytes]) -> None:
        """The format of the first key picture; the encoder keeps to it."""
        if self._stream is not None:
            return
        kinds: dict[int, list[bytes]] = {_SPS: [], _PPS: []}
        for unit in units:
            kinds.get(unit[0] & 0x1F, []).append(unit)
        try:
            self._stream = StreamFormat(h264.video_format(tuple(kinds[_SPS]), tuple(kinds[_PPS])))
            init = init_segment(self._stream)
        except (ValueError, IndexError) as error:
            raise ClipError(ClipCause.NOT_DECODED) from error
        self._file.write(init)
        self._size = self._preview.init_bytes = len(init)

    def _flush(self, end: int | None) -> None:
        if not self._samples:
            return
        first = self._samples[0].time
        made = self._maker.build(self._samples, [], end, self.begun_us + first * 100 // 9)
        self._file.write(b"".join(made.parts))
        # Before it is told of.
        self._file.flush()
        self._preview.parts.append((self._size, made.size, (made.end - first) * 100 // 9, self._broken))
        self._size += made.size
        self._pictures += made.pictures
        self._first = first if self._first is None else self._first
        self._until = made.end
        self._samples = []
