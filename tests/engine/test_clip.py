"""Clips: any stretch of any footage becomes files that play, with exactly its pictures at their times."""

from collections.abc import Iterator
import itertools
from pathlib import Path
from zoneinfo import ZoneInfo

import av
from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from custom_components.facility_cameras.engine import clip_file
from custom_components.facility_cameras.engine.api_footage import Clip, ClipFile
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.clip import HOLD_US, cut, make_clip
from custom_components.facility_cameras.engine.clip_file import ClipError, Name
from custom_components.facility_cameras.engine.lane import Job, JobCancelledError
from tests.engine.archives import NOW_US, archive_in
from tests.engine.clip_samples import number_of
from tests.engine.living import wait_for
from tests.engine.recorded import SECOND, Footage, Picture, clip_of

NAME = Name("gate", ZoneInfo("Asia/Ho_Chi_Minh"))
CAMERAS = itertools.count()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with archive_in(tmp_path_factory.mktemp("archives") / "archive") as archive:
        wait_for(lambda: archive.index is not None)
        yield archive


@pytest.fixture
def footage(archive: Archive) -> Footage:
    return Footage(archive, f"c{next(CAMERAS)}", NOW_US)


def job() -> Job[Clip]:
    return Job("clip", "c", lambda _: pytest.fail("not run"), quick=True, kept=False)


def clip(footage: Footage, start_us: int, end_us: int, folder: Path) -> Clip:
    return make_clip(footage.archive, footage.camera, start_us, end_us, folder, NAME, job())


def decoded(file: ClipFile) -> list[tuple[int, float]]:
    """Number and time (seconds since the file's beginning) of each picture that a player shows."""
    with av.open(file["path"]) as container:
        return [(number_of(frame), frame.time or 0.0) for frame in container.decode(video=0)]


def agrees(made: Clip, expected: list[list[Picture]]) -> None:
    assert len(made["files"]) == len(expected)
    for file, pictures in zip(made["files"], expected, strict=True):
        shown = decoded(file)
        assert [number for number, _ in shown] == [picture.number for picture in pictures]
        assert abs(file["start"] - pictures[0].utc_us) < 500
        for (_, time), picture in zip(shown, pictures, strict=True):
            assert abs(file["start"] + time * 1e6 - picture.utc_us) < 2000
        assert file["codec"] == clip_of(pictures[0].kind).stream.video.codec
        assert abs(file["end"] - pictures[-1].end_us) < 500 + 30_000


SEGMENTS = st.lists(
    st.tuples(
        st.sampled_from(["plain", "sound", "reordered", "small", "open", "h265"]),
        st.integers(1, 4),
        st.sampled_from([0, 0, 0, 0, 300_000, 7 * SECOND, HOLD_US + SECOND]),
        st.integers(-20, 20),
        st.sampled_from([None, None, None, 0, 3]),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(recorded=SEGMENTS, window=st.tuples(st.floats(-0.1, 1.1), st.floats(0.001, 1.0)))
def test_any_stretch_of_any_footage(
    archive: Archive,
    tmp_path_factory: pytest.TempPathFactory,
    recorded: list[tuple[str, int, int, int, int | None]],
    window: tuple[float, float],
) -> None:
    footage = Footage(archive, f"c{next(CAMERAS)}", NOW_US)
    for kind, groups, hole_us, pull_ms, begin in recorded:
        footage.record(kind, groups, hole_us=hole_us, pull_us=pull_ms * 1000, begin=begin)
    length = footage.at_us - NOW_US
    # In the middle of a millisecond: on whose side a microsecond falls is another test's.
    start_us = NOW_US + round(length * window[0] / 1000) * 1000 + 500
    end_us = start_us + max(1, round(length * window[1] / 1000)) * 1000
    expected = footage.expected(start_us, end_us, HOLD_US)
    folder = tmp_path_factory.mktemp("clips")
    if not expected:
        with pytest.raises(ClipError):
            clip(footage, start_us, end_us, folder)
        assert not list(folder.iterdir())
        return
    made = clip(footage, start_us, end_us, folder)
    agrees(made, expected)
    for path in folder.iterdir():
        path.unlink()


def test_intervals_are_half_open(footage: Footage, tmp_path: Path) -> None:
    for kind in ("reordered", "reordered", "plain"):
        footage.record(kind, 2, begin=None)
    for start_ms, end_ms in ((0, 1), (1000, 2000), (2000, 2100), (1999, 2001), (900, 1900), (3900, 4000), (3950, 4100)):
        start_us, end_us = NOW_US + start_ms * 1000, NOW_US + end_ms * 1000
        agrees(clip(footage, start_us, end_us, tmp_path), footage.expected(start_us, end_us, HOLD_US))


def test_a_clip_is_called_by_camera_time_and_zone(footage: Footage, tmp_path: Path) -> None:
    footage.record("plain", 4)
    made = clip(footage, NOW_US + 1_200_000, NOW_US + 2_900_000, tmp_path)
    (path,) = tmp_path.iterdir()
    assert made["files"][0]["path"] == str(path)
    assert path.name == "gate_2026-11-25_07-00-01_UTC+07_2s.mp4"
    assert Name("x", ZoneInfo("Asia/Kathmandu")).of(NOW_US, NOW_US + 1) == "x_2026-11-25_05-45-00_UTC+0545_1s.mp4"
    assert "UTC-0330" in Name("x", ZoneInfo("America/St_Johns")).of(NOW_US, NOW_US + 1)


def test_the_header_stands_before_the_pictures(footage: Footage, tmp_path: Path) -> None:
    footage.record("reordered", 4)
    made = clip(footage, NOW_US, NOW_US + 2 * SECOND, tmp_path)
    data = Path(made["files"][0]["path"]).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert b"moof" not in data
    assert made["files"][0]["bytes"] == len(data)


def test_sound_stays_with_the_picture(footage: Footage, tmp_path: Path) -> None:
    footage.record("sound", 3)
    footage.record("sound", 3, begin=None, pull_us=10_000)
    made = clip(footage, NOW_US + 1_500_000, NOW_US + 4_500_000, tmp_path)
    with av.open(made["files"][0]["path"]) as container:
        heard = [frame.time for frame in container.decode(audio=0)]
    assert heard[0] is not None
    assert heard[-1] is not None
    assert 0 <= heard[0] < 0.07
    assert 3.35 < heard[-1] < 3.55
    assert len(heard) == pytest.approx(3.5 * 16_000 / 1024, abs=3)


def heard(file: ClipFile) -> list[float]:
    """When each piece of sound begins, seconds since the file's beginning."""
    with av.open(file["path"]) as container:
        stream = container.streams.audio[0]
        return [float(packet.pts * stream.time_base) for packet in container.demux(stream) if packet.pts is not None]


def test_sound_that_begins_later_or_ends_early_is_heard_at_its_time(footage: Footage, tmp_path: Path) -> None:
    footage.record("sound", 4, heard_s=(2.5, 1000))
    footage.record("sound", 4, heard_s=(0, 1.5))
    made = clip(footage, NOW_US + 1_200_000, NOW_US + 7 * SECOND, tmp_path)
    agrees(made, footage.expected(NOW_US + 1_200_000, NOW_US + 7 * SECOND, HOLD_US))
    frame = 1024 / 16_000
    first = [number * frame for number in range(40, 63) if number * frame >= 2.5]
    wanted = [*(time - 1 for time in first), *(number * frame + 3 for number in range(1, 24))]
    assert heard(made["files"][0]) == pytest.approx(wanted, abs=0.001)


def test_sound_of_a_key_picture_before_is_not_moved(footage: Footage, tmp_path: Path) -> None:
    footage.record("sound", 4)
    made = clip(footage, NOW_US + 1_500_000, NOW_US + 3 * SECOND, tmp_path)
    # The first that begins with or after the picture at 1 s.
    assert heard(made["files"][0])[0] == pytest.approx(16 * 1024 / 16_000 - 1, abs=0.001)


@pytest.mark.parametrize(("hole_us", "files"), [(HOLD_US, 1), (HOLD_US + 1000, 2)])
def test_a_short_hole_is_bridged_and_a_longer_one_is_not(
    footage: Footage, tmp_path: Path, hole_us: int, files: int
) -> None:
    footage.record("plain", 2)
    footage.record("plain", 2, hole_us=hole_us)
    made = clip(footage, NOW_US, footage.at_us, tmp_path)
    assert len(made["files"]) == files
    agrees(made, footage.expected(NOW_US, footage.at_us, 30 * SECOND))


def test_a_key_picture_that_begins_nothing_anew_is_put_behind_no_other_run(footage: Footage, tmp_path: Path) -> None:
    footage.record("open", 2)
    footage.record("open", 3, begin=3)
    made = clip(footage, NOW_US, footage.at_us, tmp_path)
    assert len(made["files"]) == 2
    agrees(made, footage.expected(NOW_US, footage.at_us, HOLD_US))


@pytest.mark.parametrize("begin", [0, None])
def test_pictures_behind_the_next_key_picture_are_in_it(footage: Footage, tmp_path: Path, begin: int | None) -> None:
    """Those that lead a key picture are shown before it and stand behind it, in the next fragment or the next file."""
    footage.record("open", 2)
    footage.record("open", 2, begin=None)
    end_ms = 1000 if begin == 0 else 2000
    end_us = NOW_US + end_ms * 1000
    made = clip(footage, NOW_US, end_us, tmp_path)
    assert [number for number, _ in decoded(made["files"][0])] == list(range(end_ms // 100))
    agrees(made, footage.expected(NOW_US, end_us, HOLD_US))


def test_after_our_clock_was_set_back_a_clip_goes_on_behind_what_is_there(footage: Footage, tmp_path: Path) -> None:
    footage.record("sound", 3)
    footage.record("sound", 3, hole_us=-SECOND)
    made = clip(footage, NOW_US, footage.at_us, tmp_path)
    (file,) = made["files"]
    with av.open(file["path"]) as container:
        for kind in ("video", "audio"):
            times = [packet.dts for packet in container.demux(**{kind: 0}) if packet.dts is not None]
            assert all(before < after for before, after in itertools.pairwise(times))
            container.seek(0)
    assert [number for number, _ in decoded(file)] == [*range(30), *range(30)]


def test_a_damaged_time_in_a_long_group_costs_the_rest_of_it(footage: Footage, tmp_path: Path) -> None:
    footage.record("long", 2)
    path = Path(footage.paths[0])
    data = bytearray(path.read_bytes())
    places = [found for found in range(len(data)) if data.startswith(b"tfdt", found)]
    # The third fragment says it is an hour later than it is.
    at = places[2] + 8
    data[at : at + 8] = (int.from_bytes(data[at : at + 8]) + 3600 * 90_000).to_bytes(8)
    path.write_bytes(data)
    made = clip(footage, NOW_US, footage.at_us, tmp_path)
    (file,) = made["files"]
    assert [number for number, _ in decoded(file)] == [*range(40), *(number % 256 for number in range(200, 400))]
    assert made["gaps"] == [{"start": NOW_US + 4 * SECOND, "end": NOW_US + 20 * SECOND}]


def test_gaps_are_told(footage: Footage, tmp_path: Path) -> None:
    footage.record("plain", 2)
    footage.record("plain", 2, hole_us=10 * SECOND)
    end_us = footage.at_us
    footage.record("plain", 2, hole_us=500_000)
    made = clip(footage, NOW_US - 5 * SECOND, footage.at_us + 60 * SECOND, tmp_path)
    assert made["gaps"] == [
        {"start": NOW_US - 5 * SECOND, "end": NOW_US},
        {"start": NOW_US + 2 * SECOND, "end": NOW_US + 12 * SECOND},
        {"start": footage.at_us, "end": footage.at_us + 60 * SECOND},
    ]
    assert end_us < footage.at_us


def test_where_there_is_nothing_the_nearest_is_named(footage: Footage, tmp_path: Path) -> None:
    with pytest.raises(ClipError) as refused:
        clip(footage, NOW_US, NOW_US + SECOND, tmp_path)
    assert refused.value.problem["cause"] == "no_footage_at_all"
    footage.record("plain", 2)
    footage.record("plain", 1, hole_us=100 * SECOND)
    for at_s, start_s, end_s in ((-50, 0, 2), (40, 0, 2), (60, 102, 103), (500, 102, 103)):
        with pytest.raises(ClipError) as refused:
            clip(footage, NOW_US + at_s * SECOND, NOW_US + (at_s + 1) * SECOND, tmp_path)
        assert refused.value.problem == {
            "cause": "no_footage",
            "placeholders": {"start": str(NOW_US + start_s * SECOND), "end": str(NOW_US + end_s * SECOND)},
        }


def test_a_file_that_is_gone_is_a_gap(footage: Footage, tmp_path: Path) -> None:
    footage.record("plain", 2)
    footage.record("plain", 2, begin=None)
    footage.record("plain", 2, begin=None)
    Path(footage.paths[1]).unlink()
    made = clip(footage, NOW_US, NOW_US + 6 * SECOND, tmp_path)
    assert made["gaps"] == [{"start": NOW_US + 2 * SECOND, "end": NOW_US + 4 * SECOND}]
    assert [number for number, _ in decoded(made["files"][0])] == [*range(20), *range(40, 60)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1), damage=st.binary(min_size=1, max_size=64), kind=st.sampled_from(["sound", "h265"]))
def test_damaged_footage_is_cut_or_refused(
    archive: Archive, tmp_path_factory: pytest.TempPathFactory, where: float, damage: bytes, kind: str
) -> None:
    footage = Footage(archive, f"c{next(CAMERAS)}", NOW_US)
    footage.record(kind, 4)
    path = Path(footage.paths[0])
    data = bytearray(path.read_bytes())
    place = round(where * len(data))
    data[place : place + len(damage)] = damage
    path.write_bytes(data[: len(path.read_bytes())])
    folder = tmp_path_factory.mktemp("clips")
    try:
        made = clip(footage, NOW_US, NOW_US + 4 * SECOND, folder)
    except ClipError:
        assert not list(folder.iterdir())
        return
    for file in made["files"]:
        with av.open(file["path"]) as container:
            assert list(container.demux(video=0))


def test_a_damaged_fragment_costs_its_group(footage: Footage, tmp_path: Path) -> None:
    footage.record("plain", 4)
    path = Path(footage.paths[0])
    data = path.read_bytes()
    places = [found for found in range(len(data)) if data.startswith(b"moof", found)]
    path.write_bytes(data[: places[1]] + b"free" + data[places[1] + 4 :])
    made = clip(footage, NOW_US, NOW_US + 4 * SECOND, tmp_path)
    assert [number for number, _ in decoded(made["files"][0])] == [*range(10), *range(20, 40)]
    assert made["gaps"] == [] or made["gaps"][0]["start"] == NOW_US + SECOND


def test_where_room_is_short_nothing_is_written(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    footage.record("plain", 4)
    monkeypatch.setattr(clip_file, "ROOM_BYTES", 1 << 60)
    with pytest.raises(ClipError) as refused:
        clip(footage, NOW_US, NOW_US + SECOND, tmp_path)
    assert refused.value.problem == {"cause": "no_room", "placeholders": {"folder": str(tmp_path), "needed": "0.0"}}
    assert not list(tmp_path.iterdir())


def test_all_files_of_a_clip_or_none(footage: Footage, tmp_path: Path) -> None:
    class Unwanted(Job[Clip]):
        """Cancelled once the first file is whole."""

        whole = 0

        def spend(self, size: int) -> None:
            self.whole = sum(not path.name.startswith(".") for path in tmp_path.iterdir())
            if self.whole:
                raise JobCancelledError
            super().spend(size)

    footage.record("plain", 2)
    footage.record("h265", 2)
    unwanted = Unwanted("clip", "c", lambda _: pytest.fail("not run"), quick=True, kept=False)
    with pytest.raises(JobCancelledError):
        make_clip(footage.archive, footage.camera, NOW_US, NOW_US + 4 * SECOND, tmp_path, NAME, unwanted)
    assert unwanted.whole == 1
    assert not list(tmp_path.iterdir())


def test_footage_that_is_deleted_meanwhile_is_told(footage: Footage, tmp_path: Path) -> None:
    footage.record("plain", 2)
    parts, _ = cut(footage.archive, footage.camera, NOW_US, NOW_US + SECOND, job())
    Path(footage.paths[0]).unlink()
    with pytest.raises(ClipError) as failed:
        clip_file.write(parts, tmp_path, NAME, job())
    assert failed.value.problem["cause"] == "footage_deleted"
    assert not list(tmp_path.iterdir())


def test_pictures_are_not_touched(footage: Footage, tmp_path: Path) -> None:
    """Promise I6: every byte of every sample, SEI and with it a camera's signature included, is what was recorded."""
    footage.record("sound", 4)
    made = clip(footage, NOW_US, NOW_US + 4 * SECOND, tmp_path)

    def samples(path: str) -> list[bytes]:
        with av.open(path) as container:
            return [bytes(packet) for packet in container.demux(video=0) if packet.size]

    assert samples(made["files"][0]["path"]) == samples(footage.paths[0])


def test_what_is_cancelled_leaves_nothing(footage: Footage, tmp_path: Path) -> None:
    footage.record("plain", 4)
    ended = job()
    ended.cancel()
    with pytest.raises(JobCancelledError):
        make_clip(footage.archive, footage.camera, NOW_US, NOW_US + SECOND, tmp_path, NAME, ended)
    assert not list(tmp_path.iterdir())
