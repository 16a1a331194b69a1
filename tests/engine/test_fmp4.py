"""The boxes as PyAV reads them again: durations that add up, B-frames, audio, gaps."""

from dataclasses import dataclass
import io
import itertools

import av
from hypothesis import given, settings, strategies as st
import pytest

from custom_components.facility_cameras.engine.fmp4 import Fragment, Fragmenter, identity_box, init_segment
from custom_components.facility_cameras.engine.media import Sample, StreamFormat
from tests.engine.clip_samples import make_clip

STEP = 3600


def groups(samples: list[Sample]) -> list[list[Sample]]:
    """Samples cut before each key picture."""
    found: list[list[Sample]] = []
    for sample in samples:
        if sample.key:
            found.append([])
        found[-1].append(sample)
    return found


def write(stream: StreamFormat, parts: list[list[Sample]]) -> tuple[bytes, list[Fragment]]:
    fragmenter = Fragmenter()
    made = []
    for number, part in enumerate(parts):
        following = min(sample.time for sample in parts[number + 1]) if number + 1 < len(parts) else None
        made.append(fragmenter.build(part, [], following, 1_790_000_000_000_000))
    head = init_segment(stream) + identity_box("camera", "run")
    return head + b"".join(part for fragment in made for part in fragment.parts), made


@dataclass(frozen=True)
class Packet:
    """One picture as PyAV reads it: presentation and decode time in 90 kHz ticks."""

    shown: int
    decoded: int
    key: bool
    data: bytes


def packets(data: bytes) -> list[Packet]:
    with av.open(io.BytesIO(data), "r") as container:
        return [
            Packet(packet.pts, packet.dts, packet.is_keyframe, bytes(packet))
            for packet in container.demux(video=0)
            if packet.dts is not None and packet.pts is not None
        ]


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("b_frames", [0, 2])
def test_what_is_written_is_read_again(codec: str, b_frames: int) -> None:
    clip = make_clip(codec, b_frames=b_frames)
    parts = groups(clip.video)
    data, made = write(clip.stream, parts)
    read = packets(data)
    assert [packet.data for packet in read] == [sample.bytes() for sample in clip.video]
    assert [packet.key for packet in read] == [sample.key for sample in clip.video]
    first = read[0].shown - clip.video[0].time
    assert [packet.shown - first for packet in read] == [sample.time for sample in clip.video]
    assert all(a.decoded < b.decoded for a, b in itertools.pairwise(read))
    assert made[-1].end - made[0].first == len(clip.video) * 90_000 // clip.fps
    for before, after in itertools.pairwise(made):
        assert before.end == after.first
    with av.open(io.BytesIO(data), "r") as container:
        shown = [frame.pts or 0 for frame in container.decode(video=0)]
    assert shown == sorted(shown)
    assert len(shown) == len(clip.video)


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 100_000), min_size=1, max_size=6), min_size=1, max_size=5),
    st.integers(0, 1 << 40),
)
def test_whatever_the_times_decode_times_rise_and_durations_add_up(times: list[list[int]], start: int) -> None:
    clip = make_clip("h264")
    parts = [
        [Sample(start + time, 0.0, 5, [b"\0\0\0\1x"], key=not index) for index, time in enumerate(part)]
        for part in times
    ]
    data, made = write(clip.stream, parts)
    read = packets(data)
    assert len(read) == sum(map(len, parts))
    assert all(a.decoded < b.decoded for a, b in itertools.pairwise(read))
    for before, after in itertools.pairwise(made):
        assert before.end <= after.end


def test_a_gap_lengthens_the_picture_before_it() -> None:
    clip = make_clip("h264")
    parts = groups(clip.video)
    for part in parts[1:]:
        for sample in part:
            sample.time += 5 * 90_000
    _, made = write(clip.stream, parts)
    assert made[0].end == made[1].first == min(sample.time for sample in parts[1])
