"""Playlists: what they promise holds for any footage, and a player plays them."""

import asyncio
from dataclasses import dataclass, replace
import io
from itertools import pairwise
from pathlib import Path
import re

from aiohttp import web
from aiohttp.test_utils import TestServer
import av
from hypothesis import given, settings, strategies as st

from custom_components.facility_cameras.engine import fmp4
from custom_components.facility_cameras.engine.playback import GROUP_US, Fragment, PlaySegment, playlist
from tests.engine.clip_samples import Clip, make_clip, number_of

SECOND = 1_000_000
START = 1_764_000_000 * SECOND


def segment(
    number: int,
    start_s: float,
    durations_s: list[float],
    *,
    keys: str = "",
    format_id: int = 1,
    run: int = 1,
    still_open: bool = False,
) -> PlaySegment:
    """A file of fragments of 1,000 bytes; `keys` has a k for each that begins with a key picture, all if empty."""
    fragments = tuple(
        Fragment(1000, round(duration * SECOND), not keys or keys[index] == "k")
        for index, duration in enumerate(durations_s)
    )
    start_us = START + round(start_s * SECOND)
    end_us = start_us + sum(fragment.duration_us for fragment in fragments)
    return PlaySegment(number, run, format_id, start_us, end_us, still_open, 700, fragments)


@dataclass
class Piece:
    """A media segment as a player reads it."""

    uri: str
    init: str
    offset: int
    length: int
    duration_us: int
    discontinuity: bool
    time: str | None


def read(text: str) -> list[Piece]:
    """What a player takes from the list."""
    pieces: list[Piece] = []
    init, time, broken, duration_us, span = "", None, False, 0, (0, 0)
    for line in text.splitlines():
        if line.startswith("#EXT-X-MAP"):
            init = line.split('"')[1]
        elif line == "#EXT-X-DISCONTINUITY":
            broken = True
        elif line.startswith("#EXT-X-PROGRAM-DATE-TIME:"):
            time = line.partition(":")[2]
        elif line.startswith("#EXTINF:"):
            duration_us = round(float(line[8:-1]) * SECOND)
        elif line.startswith("#EXT-X-BYTERANGE:"):
            length, _, offset = line.partition(":")[2].partition("@")
            span = int(offset), int(length)
        elif not line.startswith("#"):
            pieces.append(Piece(line, init, *span, duration_us, broken, time))
            broken, time = False, None
    return pieces


def target(text: str) -> int:
    found = re.search(r"^#EXT-X-TARGETDURATION:(\d+)$", text, re.MULTILINE)
    assert found
    return int(found[1])


def listed(segments: list[PlaySegment], start_s: float = -1e6, end_s: float = 1e6) -> str:
    text = playlist(segments, START + round(start_s * SECOND), START + round(end_s * SECOND))
    assert text is not None
    return text


def test_a_list_as_it_is_written() -> None:
    text = listed([segment(7, 0, [2, 2, 2]), segment(8, 6, [2, 2.5]), segment(9, 60.25, [3], format_id=2)])
    assert text.splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:5",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        '#EXT-X-MAP:URI="init-1.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2025-11-24T16:00:00.000Z",
        "#EXTINF:4.000000,",
        "#EXT-X-BYTERANGE:2000@700",
        "segment-7.mp4",
        "#EXTINF:2.000000,",
        "#EXT-X-BYTERANGE:1000@2700",
        "segment-7.mp4",
        "#EXT-X-PROGRAM-DATE-TIME:2025-11-24T16:00:06.000Z",
        "#EXTINF:4.500000,",
        "#EXT-X-BYTERANGE:2000@700",
        "segment-8.mp4",
        "#EXT-X-DISCONTINUITY",
        '#EXT-X-MAP:URI="init-2.mp4"',
        "#EXT-X-PROGRAM-DATE-TIME:2025-11-24T16:01:00.250Z",
        "#EXTINF:3.000000,",
        "#EXT-X-BYTERANGE:1000@700",
        "segment-9.mp4",
        "#EXT-X-ENDLIST",
    ]


def test_nothing_is_none() -> None:
    assert playlist([], START, START + SECOND) is None
    assert playlist([segment(1, 0, [2, 2])], START + 10 * SECOND, START + 20 * SECOND) is None
    assert playlist([segment(1, 0, [], still_open=True)], START, START + 60 * SECOND) is None


def test_only_what_was_asked_for() -> None:
    pieces = read(listed([segment(1, 0, [2] * 30)], start_s=21, end_s=33))
    assert [piece.offset for piece in pieces] == [700 + 1000 * number for number in (10, 12, 14, 16)]
    assert pieces[0].time == "2025-11-24T16:00:20.000Z"


def test_a_list_of_what_is_still_recorded_only_grows() -> None:
    durations = [1.0, 2.0, 1.0, 0.5, 4.0, 1.0, 1.0, 5.0, 2.0]
    texts = [listed([segment(1, 0, durations[:count], still_open=True)]) for count in range(4, len(durations) + 1)]
    for text, later in pairwise(texts):
        assert later.startswith(text)
        assert "#EXT-X-PLAYLIST-TYPE:EVENT" in text
        assert "#EXT-X-ENDLIST" not in text
    closed = listed([segment(1, 0, durations)])
    assert closed.endswith("#EXT-X-ENDLIST\n")
    assert read(closed)[: len(read(texts[-1]))] == read(texts[-1])


def test_what_was_only_just_begun_plays_up_to_its_newest_fragment() -> None:
    text = listed([segment(1, 0, [2, 1], still_open=True)])
    assert text.endswith("#EXT-X-ENDLIST\n"), "nothing of it is final: a list that grows would be empty"
    assert [(piece.length, piece.duration_us) for piece in read(text)] == [(2000, 3 * SECOND)]


def test_a_past_hour_of_an_open_file_is_finished() -> None:
    assert "#EXT-X-ENDLIST" in listed([segment(1, 0, [2, 2, 2, 2], still_open=True)], end_s=7)


def test_a_player_begins_where_it_was_asked_to() -> None:
    text = listed([segment(1, 0, [2] * 30)], start_s=21.5, end_s=33)
    assert "#EXT-X-START:TIME-OFFSET=1.500000,PRECISE=YES" in text.splitlines()
    assert "#EXT-X-START" not in listed([segment(1, 0, [2] * 30)], start_s=-3, end_s=33)


def test_what_was_only_just_begun_is_read_once() -> None:
    newest = segment(2, 2, [2], still_open=True)
    once = replace(newest, fragments=iter(tuple(newest.fragments)))
    text = listed([once], 0, 60)
    assert [piece.uri for piece in read(text)] == ["segment-2.mp4"]


def test_a_list_that_grows_is_played_from_its_beginning() -> None:
    assert "#EXT-X-START:TIME-OFFSET=0.000000,PRECISE=YES" in listed([segment(1, 0, [4, 4], still_open=True)], 0, 60)


def test_footage_of_a_moment_is_a_list_too() -> None:
    assert target(listed([segment(1, 0, [0.1])])) == 1


def test_a_file_that_is_pulled_by_more_than_its_last_picture_lasts() -> None:
    pulled = segment(1, 0, [4, 0.02])
    pieces = read(listed([replace(pulled, end_us=pulled.end_us - 30_000)]))
    assert [piece.duration_us for piece in pieces] == [4 * SECOND, 1]


def test_what_is_pulled_to_our_clock_does_not_add_up() -> None:
    """Files of a camera whose clock is slow: each lasts 30 ms longer in the index than its pictures do."""
    files = [
        replace(segment(n, n * 60.03, [2] * 30), end_us=START + round((n + 1) * 60.03 * SECOND)) for n in range(60)
    ]
    pieces = read(listed(files))
    assert sum(piece.duration_us for piece in pieces) == round(3601.8 * SECOND)
    assert not any(piece.discontinuity for piece in pieces)


def test_a_clock_set_back_plays_one_recording_after_the_other() -> None:
    before = [segment(n, n * 60, [4] * 15) for n in range(3)]
    after = [segment(10 + n, 30 + n * 60, [4] * 15) for n in range(3)]
    mixed = sorted([*before, *after], key=lambda file: file.start_us)
    pieces = read(listed(mixed))
    assert list(dict.fromkeys(piece.uri for piece in pieces)) == [f"segment-{n}.mp4" for n in (0, 1, 2, 10, 11, 12)]
    assert [piece.uri for piece in pieces if piece.discontinuity] == ["segment-10.mp4"]
    # What is being written grows at the end, also where the clock was set back to before all else.
    newest = segment(20, -100, [4, 4], still_open=True)
    assert read(listed([newest, *mixed]))[-1].uri == "segment-20.mp4"


def test_long_groups_of_pictures_are_cut_at_key_pictures_only() -> None:
    text = listed([segment(1, 0, [2, 2, 2, 2, 2, 2, 2], keys="k--k---")])
    assert [(piece.offset, piece.length) for piece in read(text)] == [(700, 3000), (3700, 4000)]
    assert target(text) == 8


FRAGMENTS = st.lists(
    st.builds(Fragment, st.integers(1, 10**7), st.integers(1, 30 * SECOND), st.booleans()), min_size=1, max_size=20
)


@settings(max_examples=300, deadline=None)
@given(
    files=st.lists(
        st.tuples(
            FRAGMENTS, st.sampled_from([0, 0, 0, 1, SECOND, 3600 * SECOND]), st.integers(1, 2), st.integers(1, 2)
        ),
        min_size=1,
        max_size=8,
    ),
    still_open=st.booleans(),
    window=st.tuples(st.integers(0, 2000), st.integers(1, 20_000)),
)
def test_any_footage(
    files: list[tuple[list[Fragment], int, int, int]], still_open: bool, window: tuple[int, int]
) -> None:
    segments: list[PlaySegment] = []
    at = START
    for number, (fragments, hole_us, format_id, run) in enumerate(files):
        at += hole_us
        end = at + sum(fragment.duration_us for fragment in fragments)
        is_open = still_open and number == len(files) - 1
        segments.append(PlaySegment(number, run, format_id, at, end, is_open, 500 + number, fragments))
        at = end
    start_us = START + window[0] * SECOND
    text = playlist(segments, start_us, start_us + window[1] * SECOND)
    if text is None:
        return
    pieces = read(text)
    growing = "#EXT-X-ENDLIST" not in text
    before: Piece | None = None
    for piece in pieces:
        file = segments[int(piece.uri.removeprefix("segment-").removesuffix(".mp4"))]
        assert piece.init == f"init-{file.format_id}.mp4"
        starts = [file.init_bytes]
        fragments = [Fragment(*fragment) for fragment in file.fragments]
        for fragment in fragments:
            starts.append(starts[-1] + fragment.bytes)
        first, last = starts.index(piece.offset), starts.index(piece.offset + piece.length)
        held = fragments[first:last]
        assert first == 0 or held[0].key
        assert piece.duration_us == sum(fragment.duration_us for fragment in held)
        assert piece.duration_us <= (target(text) + 0.5) * SECOND
        if last < len(fragments):
            assert piece.duration_us >= GROUP_US
        if before is not None and before.uri == piece.uri:
            assert before.offset + before.length == piece.offset
            assert not piece.discontinuity
        elif before is not None:
            old = segments[int(before.uri.removeprefix("segment-").removesuffix(".mp4"))]
            same = old.end_us == file.start_us and old.format_id == file.format_id and old.run == file.run
            assert piece.discontinuity is not same
            assert piece.time is not None
        begins = file.start_us + sum(fragment.duration_us for fragment in fragments[:first])
        assert begins < start_us + window[1] * SECOND
        assert begins + piece.duration_us > start_us
        before = piece
    assert pieces[0].time is not None
    assert not pieces[0].discontinuity
    if growing:
        assert segments[-1].open


# A player ------------------------------------------------------------------------------------------------------------


def record(
    clip: Clip, number: int, format_id: int, start_us: int, groups: slice, maker: fmp4.Fragmenter, run: int = 1
) -> tuple[PlaySegment, bytes]:
    """A file of some of the clip's groups of pictures, as the recorder writes it."""
    starts = [index for index, sample in enumerate(clip.samples) if sample.key]
    cut = [clip.samples[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]
    file = fmp4.init_segment(clip.stream) + fmp4.identity_box("camera", "run")
    init_bytes = len(file)
    fragments = []
    for group in cut[groups]:
        made = maker.build(list(group), [], None, start_us)
        file += b"".join(made.parts)
        fragments.append(Fragment(made.size, (made.end - made.first) * SECOND // 90_000, made.key))
    end_us = start_us + sum(fragment.duration_us for fragment in fragments)
    return PlaySegment(number, run, format_id, start_us, end_us, False, init_bytes, fragments), file


async def test_a_player_plays_across_files(tmp_path: Path) -> None:
    first = make_clip(frames=200, gop=25, b_frames=2)
    second = make_clip("h265", frames=100, gop=50)
    run = fmp4.Fragmenter()
    one, one_file = record(first, 1, 1, START, slice(4), run)
    two, two_file = record(first, 2, 1, one.end_us, slice(4, 8), run)
    later, later_file = record(first, 3, 1, two.end_us + 60 * SECOND, slice(4), fmp4.Fragmenter())
    other, other_file = record(second, 4, 2, later.end_us, slice(2), fmp4.Fragmenter())
    files = {
        "segment-1.mp4": one_file,
        "segment-2.mp4": two_file,
        "segment-3.mp4": later_file,
        "segment-4.mp4": other_file,
        "init-1.mp4": fmp4.init_segment(first.stream),
        "init-2.mp4": fmp4.init_segment(second.stream),
        "h264.m3u8": listed([one, two]).encode(),
        "later.m3u8": listed([later]).encode(),
        "h265.m3u8": listed([other]).encode(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    app = web.Application()
    app.router.add_static("/", tmp_path)
    http = TestServer(app, host="127.0.0.1")
    await http.start_server()

    def play(name: str) -> list[int]:
        with av.open(str(http.make_url(f"/{name}.m3u8")), "r", timeout=10) as container:
            return [number_of(frame) for frame in container.decode(video=0)]

    try:
        assert await asyncio.to_thread(play, "h264") == list(range(200))
        assert await asyncio.to_thread(play, "later") == list(range(100))
        assert await asyncio.to_thread(play, "h265") == list(range(100))
    finally:
        await http.close()


def decoded(pieces: list[Piece], files: dict[str, bytes]) -> list[list[int]]:
    """The pictures a player shows, by their numbers, one list for each part without a discontinuity.

    As players do it, each part is a stream of its own: its init segment and all of its media segments.
    """
    parts: list[bytes] = []
    for piece in pieces:
        if piece.discontinuity or not parts:
            parts.append(files[piece.init])
        parts[-1] += files[piece.uri][piece.offset : piece.offset + piece.length]
    shown = []
    for part in parts:
        with av.open(io.BytesIO(part), "r") as container:
            frames = list(container.decode(video=0))
        times = [frame.pts for frame in frames if frame.pts is not None]
        assert times == sorted(set(times)), "time goes on inside a part"
        shown.append([number_of(frame) for frame in frames])
    return shown


def test_every_picture_plays_across_runs_sizes_codecs_and_clock_steps() -> None:
    small = make_clip(frames=100, gop=25, b_frames=2)
    large = make_clip(frames=100, gop=25, size=(640, 360))
    other = make_clip("h265", frames=100, gop=50)
    run, next_run = fmp4.Fragmenter(), fmp4.Fragmenter()
    made = [record(small, 1, 1, START, slice(2), run)]
    made.append(record(small, 2, 1, made[-1][0].end_us, slice(2, 4), run))
    # The session broke off, the next one's first picture is where the last one's footage ended.
    made.append(record(small, 3, 1, made[-1][0].end_us, slice(4), next_run, 2))
    # The same session changes the size of its picture, then the codec.
    made.append(record(large, 4, 2, made[-1][0].end_us, slice(4), next_run, 2))
    made.append(record(other, 5, 3, made[-1][0].end_us, slice(2), next_run, 2))
    # Our clock is set back by ten seconds, which ends the run.
    made.append(record(other, 6, 3, START + 2 * SECOND, slice(2), fmp4.Fragmenter(), 3))
    files = {f"segment-{segment.id}.mp4": data for segment, data in made}
    files |= {
        f"init-{number}.mp4": fmp4.init_segment(clip.stream) for number, clip in enumerate((small, large, other), 1)
    }
    pieces = read(listed(sorted((segment for segment, _ in made), key=lambda segment: segment.start_us)))
    whole = list(range(100))
    assert decoded(pieces, files) == [whole, whole, whole, whole, whole]


def test_a_missing_key_at_the_beginning_of_a_file_still_plays_from_it() -> None:
    torn = segment(1, 0, [2, 2, 2], keys="-kk")
    assert read(listed([torn]))[0].offset == 700
    assert read(listed([replace(torn, fragments=tuple(torn.fragments)[1:])]))[0].offset == 700
