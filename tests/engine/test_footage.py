"""What the timeline shows can be played, and what can be played is shown: for any footage and any question."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
import itertools
from pathlib import Path
from typing import cast

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.facility_cameras.engine import footage
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.files import FILES
from custom_components.facility_cameras.engine.archive.fragments import pack_fragments
from custom_components.facility_cameras.engine.archive.index import Closing, Index
from custom_components.facility_cameras.engine.archive.segment_file import SegmentFile
from custom_components.facility_cameras.engine.playback import Fragment
from tests.engine.archives import IDENTITY, INIT, NOW_US, HandClock
from tests.engine.test_playback import SECOND, read

MS = 1000
#: One picture at 25 a second.
FRAME_US = 40 * MS


@dataclass
class Shelf:
    """An index and the files that are being written, as an archive has them."""

    root: Path
    index: Index
    open_files: dict[int, SegmentFile] = field(default_factory=dict)
    #: Start and end of every file by its id.
    times: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def archive(self) -> Archive:
        return cast("Archive", self)

    def closed(self, camera: str, start_us: int, durations_us: list[int], codec: str = "h264", pull_us: int = 0) -> int:
        """A file of fragments of 1,000 bytes; its time in the index differs by `pull_us` from that of its pictures."""
        number = self.index.open_segment(camera, "run", codec, codec.encode(), start_us, f"day/{start_us}.mp4")
        end_us = start_us + sum(durations_us) + pull_us
        fragments = pack_fragments([Fragment(1000, duration, key=True) for duration in durations_us])
        self.index.close_segment(number, Closing(start_us, end_us, 1000 * len(durations_us), 1, bytes(32), fragments))
        self.times[number] = start_us, end_us
        return number

    def writing(self, camera: str, start_us: int, durations_us: list[int], codec: str = "h264") -> int:
        """A file that is being written."""
        number = self.index.open_segment(camera, "run", codec, codec.encode(), start_us, f"day/{start_us}.mp4")
        file = SegmentFile(
            self.index, self.root / f"{number}.mp4", number, start_us, INIT, IDENTITY, HandClock(), FILES
        )
        for duration in durations_us:
            file.write([bytes(1000)], duration, 1, key=True)
        self.open_files[number] = file
        self.times[number] = start_us, start_us + sum(durations_us)
        return number

    def finish(self) -> None:
        """Close what is open."""
        for number, file in self.open_files.items():
            file.close(*self.times[number])
        self.open_files.clear()
        self.times.clear()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    folder = tmp_path_factory.mktemp("shelf")
    index = Index(folder / "index.sqlite3")
    yield Shelf(folder, index)
    index.close()


_NUMBERS = itertools.count()


def camera_of(shelf: Shelf) -> str:
    """A camera that has no footage."""
    name = f"camera{next(_NUMBERS)}"
    shelf.index.camera_folder(name, "f1", f"f/{name}")
    return name


def shown(shelf: Shelf, camera: str, start_us: int, end_us: int) -> list[tuple[int, int]]:
    return [(span["start"], span["end"]) for span in footage.spans(shelf.archive, camera, start_us, end_us)]


def played(shelf: Shelf, camera: str, start_us: int, end_us: int) -> tuple[list[tuple[int, int]], bool]:
    """Start and end of what a player plays, and whether the list may still grow. Nothing if there is no list."""
    text = footage.media_playlist(shelf.archive, camera, start_us, end_us)
    if text is None:
        return [], False
    found: list[tuple[int, int]] = []
    uri, at = "", 0
    for piece in read(text):
        if piece.uri != uri:
            assert piece.time is not None
            uri, at = piece.uri, round(datetime.fromisoformat(piece.time).timestamp() * 1000) * 1000
        found.append((at, at + piece.duration_us))
        at += piece.duration_us
    return found, "#EXT-X-ENDLIST" not in text


def union(pieces: list[tuple[int, int]], start_us: int, end_us: int, join_us: int = 0) -> list[tuple[int, int]]:
    """Pieces within a time, joined where the hole is no larger than `join_us`."""
    found: list[tuple[int, int]] = []
    for start, end in sorted((max(start, start_us), min(end, end_us)) for start, end in pieces):
        if end <= start:
            continue
        if found and start - found[-1][1] <= join_us:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def length(pieces: list[tuple[int, int]]) -> int:
    return sum(end - start for start, end in pieces)


_DURATIONS = st.lists(st.integers(1, 30_000).map(lambda ms: ms * MS), min_size=1, max_size=8)
_FILES = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 39, 41, 900, 60_000, 7_200_000, -20_000]),  # hole before it, ms
        _DURATIONS,
        st.sampled_from(["h264", "h264", "h265"]),
        st.sampled_from([0, 0, 3, -3]),  # pulled by, ms
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=200, deadline=None)
@given(
    files=_FILES,
    still_open=st.booleans(),
    window=st.tuples(st.integers(-100_000, 400_000), st.one_of(st.integers(0, 400_000), st.just(10_000_000))),
)
def test_what_is_shown_is_what_is_played(
    shelf: Shelf,
    files: list[tuple[int, list[int], str, int]],
    still_open: bool,
    window: tuple[int, int],
) -> None:
    camera = camera_of(shelf)
    at, numbers = NOW_US, []
    for place, (hole, durations, codec, pull) in enumerate(files):
        at += hole * MS
        if still_open and place == len(files) - 1:
            numbers.append(shelf.writing(camera, at, durations, codec))
        else:
            durations[-1] += 3 * MS  # so that there is something to pull
            numbers.append(shelf.closed(camera, at, durations, codec, pull * MS))
        at = shelf.times[numbers[-1]][1]
    start_us = NOW_US + window[0] * MS
    end_us = start_us + window[1] * MS
    try:
        spans = shown(shelf, camera, start_us, end_us)
        pieces, growing = played(shelf, camera, start_us, end_us)
        end_us = max(end_us, start_us + 1)
        true = union([shelf.times[number] for number in numbers], start_us, end_us)
        assert spans == sorted(spans)
        assert all(start_us <= start < end <= end_us for start, end in spans)
        # The timeline shows what there is, but for holes of a picture.
        assert union(spans, start_us, end_us, footage.JOIN_US) == union(true, start_us, end_us, footage.JOIN_US)
        assert bool(spans) == bool(pieces), "never nothing where the timeline shows something, or the reverse"
        # What is shown is played; what else is played is there, and is what decoding has to begin with.
        of_files = union(pieces, start_us, end_us)
        if growing:
            # What is being written comes last, all but the end that may still grow.
            begun, ended = shelf.times[numbers[-1]]
            listed = max((end for start, end in pieces[-len(files[-1][1]) :] if begun <= start < ended), default=begun)
            closed = [shelf.times[number] for number in numbers[:-1]]
            assert of_files == union([*closed, (begun, listed)], start_us, end_us)
        else:
            assert of_files == true
            assert abs(length(of_files) - length(spans)) <= FRAME_US * len(files)
        assert all(end > start_us and start < end_us for start, end in pieces)
    finally:
        shelf.finish()


@settings(max_examples=100, deadline=None)
@given(files=_FILES, still_open=st.booleans(), at=st.integers(-100_000, 400_000))
def test_the_nearest_footage(
    shelf: Shelf, files: list[tuple[int, list[int], str, int]], still_open: bool, at: int
) -> None:
    camera = camera_of(shelf)
    begin = NOW_US
    for place, (hole, durations, codec, _) in enumerate(files):
        begin += abs(hole) * MS
        put = shelf.writing if still_open and place == len(files) - 1 else shelf.closed
        begin = shelf.times[put(camera, begin, durations, codec)][1]
    at_us = NOW_US + at * MS
    try:
        times = list(shelf.times.values())
        found = footage.nearest(shelf.archive, camera, at_us)
        if shown(shelf, camera, at_us, at_us):
            assert found == {"before": at_us, "after": at_us}
        else:
            assert found == {
                "before": max((end for _, end in times if end <= at_us), default=None),
                "after": min((start for start, _ in times if start > at_us), default=None),
            }
    finally:
        shelf.finish()


def test_edges_are_half_open(shelf: Shelf) -> None:
    camera = camera_of(shelf)
    shelf.closed(camera, NOW_US, [2 * SECOND] * 30)
    shelf.closed(camera, NOW_US + 120 * SECOND, [2 * SECOND] * 30)
    end_us = NOW_US + 60 * SECOND
    ms = 1000
    for start, end, there in (
        (NOW_US - ms, NOW_US, False),
        (NOW_US - ms, NOW_US + 1, True),
        (NOW_US - ms, NOW_US + ms, True),
        (NOW_US, NOW_US, True),
        (end_us - 1, end_us, True),
        (end_us - ms, end_us + ms, True),
        (end_us, end_us + ms, False),
        (end_us, end_us, False),
        (end_us + SECOND, end_us + 2 * SECOND, False),
        (end_us - ms, NOW_US + 121 * SECOND, True),
    ):
        assert bool(shown(shelf, camera, start, end)) is there, (start - NOW_US, end - NOW_US)
        assert bool(played(shelf, camera, start, end)[0]) is there, (start - NOW_US, end - NOW_US)
    assert footage.nearest(shelf.archive, camera, end_us) == {"before": end_us, "after": NOW_US + 120 * SECOND}
    assert footage.nearest(shelf.archive, camera, NOW_US - 1) == {"before": None, "after": NOW_US}
    assert footage.nearest(shelf.archive, "another", NOW_US) == {"before": None, "after": None}


def test_no_tail_where_nothing_is_written(shelf: Shelf) -> None:
    """A file that a crash left open is not footage up to now; it is none until it was read."""
    camera = camera_of(shelf)
    shelf.closed(camera, NOW_US, [2 * SECOND] * 30)
    for start_us in (NOW_US + 60 * SECOND, NOW_US + 90 * SECOND):
        shelf.index.open_segment(camera, "run", "h264", b"h264", start_us, f"day/crashed-{start_us}.mp4")
    end_us = NOW_US + 60 * SECOND
    assert footage.nearest(shelf.archive, camera, end_us) == {"before": end_us, "after": None}
    assert shown(shelf, camera, 0, 1 << 62) == [(NOW_US, NOW_US + 60 * SECOND)]
    assert not shown(shelf, camera, NOW_US + 60 * SECOND, 1 << 62)
    pieces, growing = played(shelf, camera, 0, 1 << 62)
    assert pieces[-1][1] == NOW_US + 60 * SECOND
    assert not growing


def test_codecs_are_told_apart(shelf: Shelf) -> None:
    camera = camera_of(shelf)
    shelf.closed(camera, NOW_US, [2 * SECOND] * 30)
    shelf.closed(camera, NOW_US + 60 * SECOND, [2 * SECOND] * 30, "h265")
    shelf.closed(camera, NOW_US + 120 * SECOND, [2 * SECOND] * 30, "h265")
    assert footage.spans(shelf.archive, camera, NOW_US, NOW_US + 130 * SECOND) == [
        {"start": NOW_US, "end": NOW_US + 60 * SECOND, "codec": "h264"},
        {"start": NOW_US + 60 * SECOND, "end": NOW_US + 130 * SECOND, "codec": "h265"},
    ]


def test_the_size_of_footage(shelf: Shelf) -> None:
    camera = camera_of(shelf)
    assert footage.size(shelf.archive, camera, 0, 1 << 62) == {"bytes": 0, "files": 0}
    for number in range(3):
        shelf.closed(camera, NOW_US + number * 60 * SECOND, [2 * SECOND] * 30)
    shelf.writing(camera, NOW_US + 180 * SECOND, [2 * SECOND] * 5)
    writing = 5 * 1000 + len(INIT + IDENTITY)
    try:
        assert footage.size(shelf.archive, camera, 0, 1 << 62) == {"bytes": 90_000 + writing, "files": 4}
        # Whole files, of a time that is half open.
        whole = NOW_US + 60 * SECOND, NOW_US + 120 * SECOND
        assert footage.size(shelf.archive, camera, *whole) == {"bytes": 30_000, "files": 1}
        assert footage.size(shelf.archive, camera, whole[0] - 1, whole[1] + 1) == {"bytes": 90_000, "files": 3}
    finally:
        shelf.finish()
    for number in range(3_000):
        shelf.closed(camera, NOW_US + (number + 10) * 60 * SECOND, [60 * SECOND])
    assert footage.size(shelf.archive, camera, NOW_US + 600 * SECOND, 1 << 62) == {"bytes": 3_000_000, "files": 3_000}


def test_a_timeline_is_answered_from_one_index(shelf: Shelf) -> None:
    """Else each segment of a day is a page somewhere in the file: a slow disk takes seconds for them."""
    plan = shelf.index.query(f"EXPLAIN QUERY PLAN {footage._SPANS}", "camera", 2, 1, 1)
    assert any("COVERING INDEX segment_by_time" in row[3] for row in plan), plan
