"""Whatever stretch is asked for, at its edges: playlists and clips are what the timeline says, give or take a picture."""

from collections.abc import Iterator
import io
from pathlib import Path
import re
from zoneinfo import ZoneInfo

import av
import pytest

from custom_components.facility_cameras.engine.api_footage import Clip
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.clip import HOLD_US, make_clip
from custom_components.facility_cameras.engine.clip_file import ClipError, Name
from custom_components.facility_cameras.engine.lane import Job
from custom_components.facility_cameras.engine.playback import PlaySegment, playlist
from custom_components.facility_cameras.engine.sources import init_of, sources
from tests.engine.archives import NOW_US, archive_in
from tests.engine.clip_samples import number_of
from tests.engine.living import wait_for
from tests.engine.recorded import SECOND, Footage, Picture, clip_of

#: Of each kind of footage: how long a picture lasts.
KINDS = {"plain": 100_000, "reordered": 100_000, "odd": 120_000, "long": 100_000, "sound": 100_000}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with archive_in(tmp_path_factory.mktemp("archives") / "archive") as archive:
        wait_for(lambda: archive.index is not None)
        yield archive


@pytest.fixture(scope="module", params=KINDS)
def footage(request: pytest.FixtureRequest, archive: Archive) -> Footage:
    """Files of one group, a gap, another codec, a long gap; the sound ends early."""
    footage = Footage(archive, request.param, NOW_US)
    kind: str = request.param
    footage.record(kind, 1, heard_s=(0, 0.5))
    footage.record(kind, 1, begin=None, heard_s=(0, 1.2))
    footage.record(kind, 2, hole_us=5 * SECOND, heard_s=(0, 0.5))
    footage.record("h265", 3)
    footage.record(kind, 2, hole_us=HOLD_US + SECOND)
    return footage


def spans(footage: Footage) -> list[tuple[int, int]]:
    """What the timeline shows: the files, those that touch joined."""
    found: list[tuple[int, int]] = []
    for source in sources(footage.archive, footage.camera, 0, 1 << 62):
        if found and found[-1][1] == source.start_us:
            found[-1] = found[-1][0], source.end_us
        else:
            found.append((source.start_us, source.end_us))
    return found


def asked(footage: Footage) -> dict[str, tuple[int, int]]:
    """Stretches that lie at an edge, by what is special about them."""
    (first, first_end), (second, second_end), (third, third_end) = spans(footage)
    frame = KINDS[footage.camera]
    files = sources(footage.archive, footage.camera, 0, 1 << 62)
    return {
        "1 ms before a file": (files[1].start_us - 1000, files[1].start_us + SECOND // 2),
        "1 ms before a file, and no more": (files[1].start_us - 1000, files[1].start_us),
        "up to 1 ms into a file": (first, files[1].start_us + 1000),
        "1 ms before footage": (second - 1000, second + SECOND // 2),
        "inside the last picture": (first_end - frame // 2, first_end - frame // 4),
        "from inside the last picture": (first_end - frame // 2, second + SECOND),
        "over a gap": (first_end - SECOND // 2, second + SECOND // 2),
        "over the change of codec": (second, second_end),
        "1 ms before the change of codec": (files[3].start_us - 1000, files[3].start_us + SECOND),
        "over the long gap": (second_end - SECOND, third + SECOND // 2),
        "inside the last picture of all": (third_end - frame // 2, third_end),
        "late in a group": (third + (third_end - third) * 45 // 100, third + (third_end - third) * 49 // 100),
        "everything": (first - SECOND, third_end + SECOND),
    }


EDGES = [
    "1 ms before a file", "1 ms before a file, and no more", "up to 1 ms into a file", "1 ms before footage",
    "inside the last picture", "from inside the last picture", "over a gap", "over the change of codec",
    "1 ms before the change of codec", "over the long gap", "inside the last picture of all", "late in a group",
    "everything",
]  # fmt: skip


def clip(footage: Footage, start_us: int, end_us: int, folder: Path) -> Clip:
    job = Job[Clip]("clip", "c", lambda _: pytest.fail("not run"), quick=True, kept=False)
    return make_clip(footage.archive, footage.camera, start_us, end_us, folder, Name("gate", ZoneInfo("UTC")), job)


@pytest.mark.parametrize("edge", EDGES)
def test_a_clip_is_what_the_timeline_says(footage: Footage, tmp_path: Path, edge: str) -> None:
    start_us, end_us = asked(footage)[edge]
    made = clip(footage, start_us, end_us, tmp_path)
    expected = footage.expected(start_us, end_us, HOLD_US)
    assert len(made["files"]) == len(expected)
    for file, pictures in zip(made["files"], expected, strict=True):
        frame_us = 1e6 / clip_of(pictures[0].kind).fps
        with av.open(file["path"]) as container:
            shown = [(number_of(picture), picture.time or 0.0) for picture in container.decode(video=0)]
            lasts_us = float((container.streams.video[0].duration or 0) * container.streams.video[0].time_base) * 1e6
        assert [number for number, _ in shown] == [picture.number for picture in pictures]
        assert all(
            abs(file["start"] + time * 1e6 - picture.utc_us) < 2000
            for (_, time), picture in zip(shown, pictures, strict=True)
        )
        # As long as the timeline says, give or take a picture.
        until_us = min(end_us, max(picture.end_us for picture in pictures))
        assert abs(file["end"] - until_us) <= frame_us + 1
        assert abs(lasts_us - (until_us - file["start"])) <= frame_us + 1
    told = sum(gap["end"] - gap["start"] for gap in made["gaps"])
    there = sum(max(0, min(end, end_us) - max(start, start_us)) for start, end in spans(footage))
    assert abs(end_us - start_us - there - told) <= 2 * SECOND  # gaps of less than a second are not told


@pytest.mark.parametrize("edge", EDGES)
def test_a_playlist_is_what_the_timeline_says(footage: Footage, edge: str) -> None:
    """Played run by run, as a player does: each part of the list decodes from its first picture on."""
    start_us, end_us = asked(footage)[edge]
    found = sources(footage.archive, footage.camera, start_us, end_us)
    runs = sorted({source.run for source in found})
    segments = [
        PlaySegment(
            number, runs.index(source.run), source.format, source.start_us, source.end_us, source.open,
            source.first_byte, source.fragments,
        )
        for number, source in enumerate(found)
    ]  # fmt: skip
    text = playlist(segments, start_us, end_us)
    assert text is not None
    late = re.search(r"START:TIME-OFFSET=([\d.]+)", text)
    listed = re.findall(r"EXTINF:([\d.]+),\n#EXT-X-BYTERANGE:(\d+)@(\d+)\nsegment-(\d+)", text)
    lasts_us = sum(round(float(seconds) * 1e6) for seconds, *_ in listed)
    parts: list[tuple[int, bytes, int]] = []
    for seconds, size, offset, number in listed:
        with found[int(number)].path.open("rb") as file:
            file.seek(int(offset))
            parts.append((int(number), file.read(int(size)), round(float(seconds) * 1e6)))
    shown: list[int] = []
    for number in dict.fromkeys(number for number, *_ in parts):
        source = found[number]
        data = init_of(footage.archive, source.format) + b"".join(data for one, data, _ in parts if one == number)
        with av.open(io.BytesIO(data), "r") as container:
            pictures = [number_of(picture) for picture in container.decode(video=0)]
        frame_us = float(1e6 / clip_of(_kind(footage, source.start_us)).fps)
        assert abs(sum(us for one, _, us in parts if one == number) - len(pictures) * frame_us) <= frame_us + 1
        shown += pictures
    # All that the timeline shows of it is in it, from the picture on that is shown when it begins.
    wanted = [one for one in _ordered(footage) if one.utc_us < end_us and one.end_us > start_us]
    assert _contains(shown, [one.number for one in wanted])
    there = sum(max(0, min(end, end_us) - max(start, start_us)) for start, end in spans(footage))
    begins_late_us = round(float(late[1]) * 1e6) if late else 0
    assert lasts_us - begins_late_us >= there - 1


def _ordered(footage: Footage) -> list[Picture]:
    return sorted(footage.pictures, key=lambda picture: picture.utc_us)


def _kind(footage: Footage, start_us: int) -> str:
    return next(picture.kind for picture in _ordered(footage) if picture.utc_us >= start_us - 1)


def _contains(row: list[int], wanted: list[int]) -> bool:
    """Whether one stands in the other, without a break."""
    return any(row[place : place + len(wanted)] == wanted for place in range(len(row) - len(wanted) + 1))


def test_where_there_is_nothing_the_nearest_footage_is_named(footage: Footage, tmp_path: Path) -> None:
    (first, first_end), (second, _), (_, third_end) = spans(footage)
    files = [(source.start_us, source.end_us) for source in sources(footage.archive, footage.camera, 0, 1 << 62)]
    nearest = {
        (first_end + SECOND, first_end + 2 * SECOND): files[1],
        (second - 2 * SECOND, second - SECOND): files[2],
        (first - 3600 * SECOND, first - 3500 * SECOND): files[0],
        (first - 2, first): files[0],
        (third_end, third_end + SECOND): files[-1],
        (third_end + 3600 * SECOND, third_end + 3601 * SECOND): files[-1],
        (second - SECOND, second - SECOND): files[2],
    }
    for (start_us, end_us), span in nearest.items():
        with pytest.raises(ClipError) as refused:
            clip(footage, start_us, end_us, tmp_path)
        assert refused.value.problem == {
            "cause": "no_footage",
            "placeholders": {"start": str(span[0]), "end": str(span[1])},
        }
        assert playlist([], start_us, end_us) is None
    assert not list(tmp_path.iterdir())
