"""Fragmented MP4 (ISO/IEC 14496-12, -15) written by hand: an init segment, then one fragment after the other.

Every fragment stands for itself: after `kill -9` everything up to the last whole one plays. Video is track 1 in 90 kHz,
audio track 2 in its sample rate. Decode times are the sorted presentation times of the fragment, so B-frames get signed
composition offsets and no sample is moved (C4). Each fragment begins with its UTC time (`prft`), and a box behind the
init segment says whose footage it is, so that the index can be made anew from the files.
"""

from dataclasses import dataclass
import json
import struct
import uuid

from .clock import NTP_EPOCH
from .codec import h265
from .media import VIDEO_CLOCK, AudioFormat, Sample, StreamFormat, VideoFormat

#: The box that says whose footage a file is: JSON.
IDENTITY = uuid.UUID("6f0c2d1e-7f1b-4a55-9a3e-0fac11cafe01").bytes
_KEY, _OTHER = 0x02000000, 0x01010000
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def box(name: bytes, *parts: bytes) -> bytes:
    """A box: its size, its name, its content."""
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), name) + body


def full_box(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box with version and flags."""
    return box(name, struct.pack(">I", version << 24 | flags), *parts)


def _avc_config(video: VideoFormat) -> bytes:
    """The avcC box (ISO/IEC 14496-15 section 5.3.3.1)."""
    first = video.sps[0]
    body = bytes((1, first[1], first[2], first[3], 0xFF, 0xE0 | len(video.sps)))
    for unit in video.sps:
        body += struct.pack(">H", len(unit)) + unit
    body += bytes((len(video.pps),))
    for unit in video.pps:
        body += struct.pack(">H", len(unit)) + unit
    if first[1] in (100, 110, 122, 144, 244):
        # Chroma and depth: 4:2:0 with 8 bits unless the profile says more; decoders read the SPS anyhow.
        depth = 0xFA if first[1] == 110 else 0xF8
        body += bytes((0xFD, depth, depth, 0))
    return box(b"avcC", body)


def _hevc_config(video: VideoFormat) -> bytes:
    """The hvcC box (ISO/IEC 14496-15 section 8.3.3.1)."""
    sps = h265.parse_sps(video.sps[0])
    body = b"\x01" + sps.profile
    body += struct.pack(
        ">HBBBBH", 0xF000, 0xFC, 0xFC | sps.chroma, 0xF8 | sps.luma_depth - 8, 0xF8 | sps.chroma_depth - 8, 0
    )
    body += bytes((sps.sub_layers << 3 | sps.temporal_nesting << 2 | 3, 3))
    for kind, units in ((h265.VPS, video.vps), (h265.SPS, video.sps), (h265.PPS, video.pps)):
        body += struct.pack(">BH", 0x80 | kind, len(units))
        for unit in units:
            body += struct.pack(">H", len(unit)) + unit
    return box(b"hvcC", body)


def _video_entry(video: VideoFormat) -> bytes:
    h264 = video.codec == "h264"
    head = struct.pack(">6xH16xHHIIIH32sHh", 1, video.width, video.height, 0x480000, 0x480000, 0, 1, b"", 24, -1)
    config = _avc_config(video) if h264 else _hevc_config(video)
    aspect = b"" if video.sample_aspect == (1, 1) else box(b"pasp", struct.pack(">II", *video.sample_aspect))
    return box(b"avc1" if h264 else b"hvc1", head, config, aspect)


def _descriptor(tag: int, body: bytes) -> bytes:
    return bytes((tag, 0x80, 0x80, 0x80, len(body))) + body


def _audio_entry(audio: AudioFormat) -> bytes:
    """An mp4a entry with its esds (ISO/IEC 14496-14 section 5.6, 14496-1 section 7.2.6)."""
    decoder = struct.pack(">BBBHII", 0x40, 0x15, 0, 0, 0, 0) + _descriptor(5, audio.config)
    stream = struct.pack(">HB", 2, 0) + _descriptor(4, decoder) + _descriptor(6, b"\x02")
    head = struct.pack(">6xH8xHHIHH", 1, audio.channels, 16, 0, min(audio.sample_rate, 65535), 0)
    return box(b"mp4a", head, full_box(b"esds", 0, 0, _descriptor(3, stream)))


def _track(number: int, clock: int, entry: bytes, video: VideoFormat | None) -> bytes:
    width, height = (video.width, video.height) if video else (0, 0)
    if video and video.sample_aspect[1]:
        width = min(width * video.sample_aspect[0] // video.sample_aspect[1], 0xFFFF)
    header = full_box(
        b"tkhd", 0, 3,
        struct.pack(">IIIII8xhhhH", 0, 0, number, 0, 0, 0, 0, 0 if video else 0x100, 0),
        _MATRIX, struct.pack(">II", width << 16, height << 16),
    )  # fmt: skip
    handler = (b"vide", b"VideoHandler\0", full_box(b"vmhd", 0, 1, bytes(8)))
    if video is None:
        handler = (b"soun", b"SoundHandler\0", full_box(b"smhd", 0, 0, bytes(4)))
    table = box(
        b"stbl",
        full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry),
        full_box(b"stts", 0, 0, bytes(4)), full_box(b"stsc", 0, 0, bytes(4)),
        full_box(b"stsz", 0, 0, bytes(8)), full_box(b"stco", 0, 0, bytes(4)),
    )  # fmt: skip
    media = box(
        b"mdia",
        full_box(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, clock, 0, 0x55C4, 0)),
        full_box(b"hdlr", 0, 0, struct.pack(">4x4s12x", handler[0]), handler[1]),
        box(
            b"minf", handler[2],
            box(b"dinf", full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1))),
            table,
        ),
    )  # fmt: skip
    return box(b"trak", header, media)


def init_segment(stream: StreamFormat) -> bytes:
    """Ftyp and moov for this format. Raises ValueError if its parameter sets cannot be written."""
    video = stream.video
    if len(video.sps) > 31 or len(video.pps) > 255:
        raise ValueError("too many parameter sets")
    tracks = [_track(1, VIDEO_CLOCK, _video_entry(video), video)]
    extends = [full_box(b"trex", 0, 0, struct.pack(">IIIII", 1, 1, 0, 0, 0))]
    if stream.audio is not None:
        tracks.append(_track(2, stream.audio.sample_rate, _audio_entry(stream.audio), None))
        extends.append(full_box(b"trex", 0, 0, struct.pack(">IIIII", 2, 1, 0, 0, 0)))
    header = full_box(
        b"mvhd", 0, 0,
        struct.pack(">IIIIIH10x", 0, 0, 1000, 0, 0x10000, 0x100), _MATRIX, bytes(24), struct.pack(">I", 3),
    )  # fmt: skip
    return box(b"ftyp", b"iso6\0\0\0\0iso6mp41") + box(b"moov", header, *tracks, box(b"mvex", *extends))


def identity_box(camera: str, run: str) -> bytes:
    """Whose footage this is, behind the init segment."""
    return box(b"uuid", IDENTITY, json.dumps({"camera": camera, "run": run}).encode())


@dataclass(frozen=True, slots=True)
class Fragment:
    """One fragment, ready to be written: `parts` joined are its `size` bytes. Times in 90 kHz ticks of the run; `first` is its earliest picture's."""

    parts: list[bytes]
    size: int
    first: int
    end: int
    pictures: int
    key: bool


class Fragmenter:
    """Makes fragments of one run. Decode times rise over all its fragments."""

    def __init__(self) -> None:
        """Begin a run."""
        self._number = 0
        self._decoded = 0
        self._audio_decoded = 0
        self._usual = 0

    def build(self, pictures: list[Sample], audio: list[Sample], end: int | None, utc_us: int) -> Fragment:
        """A fragment of these samples (at least one picture), in decode order.

        `end` is the time of the first picture after them, None if it is not known. `utc_us` is the UTC time, in
        microseconds, of the earliest picture.
        """
        self._number += 1
        shown = sorted([sample.time for sample in pictures])
        decode = []
        last = self._decoded
        for time in shown:
            last = max(time, last)
            decode.append(last)
            last += 1
        if end is None:
            # The last picture of a run lasts as long as pictures usually do: its neighbours may never have come.
            end = decode[-1] + (self._usual or (decode[-1] - decode[0]) // max(len(decode) - 1, 1) or VIDEO_CLOCK // 25)
        end = max(decode[-1] + 1, end)
        self._usual = (end - decode[0]) // len(decode)
        self._decoded = end
        durations = [following - time for time, following in zip(decode, (*decode[1:], end), strict=True)]
        entries: list[int] = []
        for sample, time, duration in zip(pictures, decode, durations, strict=True):
            entries += (duration, sample.size, _KEY if sample.key else _OTHER, sample.time - time)
        video_entries = struct.pack(">" + "IIIi" * len(pictures), *entries)
        audio_part = self._audio_entries(audio) if audio else None
        parts = self._parts(pictures, audio, decode[0], video_entries, audio_part, utc_us)
        return Fragment(
            parts=parts,
            size=sum(map(len, parts)),
            first=shown[0],
            end=end,
            pictures=len(pictures),
            key=pictures[0].key,
        )

    def _audio_entries(self, audio: list[Sample]) -> tuple[int, bytes]:
        """Start time and trun entries of the audio frames: a gap between them lengthens the frame before it."""
        start = max(audio[0].time, self._audio_decoded)
        entries: list[int] = []
        time = start
        for sample, following in zip(audio, (*audio[1:], None), strict=True):
            until = max(following.time if following else sample.time + 1024, time + 1)
            entries += (until - time, sample.size)
            time = until
        self._audio_decoded = time
        return start, struct.pack(">" + "II" * len(audio), *entries)

    def _parts(
        self,
        pictures: list[Sample],
        audio: list[Sample],
        decode: int,
        video_entries: bytes,
        audio_part: tuple[int, bytes] | None,
        utc_us: int,
    ) -> list[bytes]:
        seconds, rest = divmod(utc_us, 1_000_000)
        stamp = full_box(
            b"prft", 1, 0, struct.pack(">IIIQ", 1, seconds + NTP_EPOCH & 0xFFFFFFFF, (rest << 32) // 1_000_000, decode)
        )
        video_bytes = sum([sample.size for sample in pictures])
        audio_bytes = sum([sample.size for sample in audio])
        # The sizes of all boxes are known beforehand: the data's offset is counted from the moof's first byte.
        video_size = 8 + 16 + 20 + 20 + len(video_entries)
        audio_size = 8 + 16 + 20 + 20 + len(audio_part[1]) if audio_part else 0
        moof_size = 8 + 16 + video_size + audio_size
        head = [
            stamp,
            struct.pack(">I4sI4sIII4s", moof_size, b"moof", 16, b"mfhd", 0, self._number, video_size, b"traf"),
            struct.pack(">I4sIII4sIQ", 16, b"tfhd", 0x020000, 1, 20, b"tfdt", 1 << 24, decode),
            struct.pack(">I4sIIi", 20 + len(video_entries), b"trun", 1 << 24 | 0xF01, len(pictures), moof_size + 8),
            video_entries,
        ]
        if audio_part:
            start, entries = audio_part
            head += (
                struct.pack(">I4s", audio_size, b"traf"),
                struct.pack(">I4sIII4sIQ", 16, b"tfhd", 0x020000, 2, 20, b"tfdt", 1 << 24, start),
                struct.pack(">I4sIIi", 20 + len(entries), b"trun", 0x301, len(audio), moof_size + 8 + video_bytes),
                entries,
            )
        head.append(struct.pack(">I4s", 8 + video_bytes + audio_bytes, b"mdat"))
        parts = [b"".join(head)]
        for sample in pictures:
            parts += sample.parts
        for sample in audio:
            parts += sample.parts
        return parts
