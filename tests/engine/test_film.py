"""A day in two minutes: key pictures only, evenly chosen, for about two minutes."""

from collections.abc import Iterator
import itertools
from pathlib import Path
from zoneinfo import ZoneInfo

import av
import psutil
import pytest

from custom_components.facility_cameras.engine import film as module
from custom_components.facility_cameras.engine.api_footage import Clip
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.clip import make_clip
from custom_components.facility_cameras.engine.clip_file import ClipError, Name
from custom_components.facility_cameras.engine.film import make_film
from custom_components.facility_cameras.engine.lane import Job, JobCancelledError
from custom_components.facility_cameras.engine.preview import make_preview
from tests.engine.archives import NOW_US, archive_in
from tests.engine.clip_samples import number_of
from tests.engine.living import wait_for
from tests.engine.recorded import SECOND, Footage

CAMERAS = itertools.count()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with archive_in(tmp_path_factory.mktemp("archives") / "archive") as archive:
        wait_for(lambda: archive.index is not None)
        yield archive


@pytest.fixture
def footage(archive: Archive) -> Footage:
    return Footage(archive, f"f{next(CAMERAS)}", NOW_US)


def job() -> Job[Clip]:
    return Job("film", "c", lambda _: pytest.fail("not run"), quick=True, kept=False)


def film(footage: Footage, start_us: int, end_us: int, folder: Path) -> Clip:
    name = Name("gate", ZoneInfo("Asia/Ho_Chi_Minh"))
    return make_film(footage.archive, footage.camera, start_us, end_us, folder, name, job())


def shown(path: str) -> list[tuple[int, float]]:
    with av.open(path) as container:
        return [(number_of(frame), round(frame.time or 0.0, 3)) for frame in container.decode(video=0)]


@pytest.mark.parametrize("kind", ["plain", "reordered", "h265", "open", "sound"])
def test_every_key_picture_of_a_short_stretch(footage: Footage, tmp_path: Path, kind: str) -> None:
    footage.record(kind, 4)
    footage.record(kind, 4, begin=None)
    footage.record(kind, 2, hole_us=100 * SECOND)
    made = film(footage, NOW_US, footage.at_us, tmp_path)
    (file,) = made["files"]
    # Five pictures a second: a film of few pictures is short rather than slow.
    assert shown(file["path"]) == [(number % 80, place / 5) for place, number in enumerate([*range(0, 80, 10), 0, 10])]
    assert (file["start"], file["end"]) == (NOW_US, NOW_US + 110 * SECOND)
    assert made["gaps"] == [{"start": NOW_US + 8 * SECOND, "end": NOW_US + 108 * SECOND}]
    assert Path(file["path"]).name.endswith("_film.mp4")
    with av.open(file["path"]) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_a_long_stretch_is_thinned_evenly(footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILM_S", 1)
    for _ in range(10):
        footage.record("plain", 8)
    made = film(footage, NOW_US, footage.at_us, tmp_path)
    pictures = shown(made["files"][0]["path"])
    assert len(pictures) == 25
    assert pictures[-1][1] == pytest.approx(24 / 25)
    # 80 key pictures: every third, or the fourth.
    assert [number for number, _ in pictures][:6] == [0, 30, 60, 10, 40, 0]


def test_a_part_of_it(footage: Footage, tmp_path: Path) -> None:
    footage.record("plain", 6)
    made = film(footage, NOW_US + 2_500_000, NOW_US + 4 * SECOND, tmp_path)
    assert [number for number, _ in shown(made["files"][0]["path"])] == [20, 30]


def test_another_format_is_another_file(footage: Footage, tmp_path: Path) -> None:
    footage.record("plain", 2)
    footage.record("h265", 2)
    footage.record("plain", 1)
    made = film(footage, NOW_US, footage.at_us, tmp_path)
    assert [[number for number, _ in shown(file["path"])] for file in made["files"]] == [[0, 10], [0, 10], [0]]
    assert [file["codec"] for file in made["files"]] == ["h264", "h265", "h264"]
    assert len({file["path"] for file in made["files"]}) == 3


def test_what_cannot_be_read_is_left_out(footage: Footage, tmp_path: Path) -> None:
    footage.record("plain", 3)
    footage.record("plain", 3, begin=None)
    path = Path(footage.paths[0])
    data = path.read_bytes()
    places = [found for found in range(len(data)) if data.startswith(b"moof", found)]
    path.write_bytes(data[: places[1]] + b"free" + data[places[1] + 4 :])
    made = film(footage, NOW_US, footage.at_us, tmp_path)
    assert [number for number, _ in shown(made["files"][0]["path"])] == [0, 20, 30, 40, 50]
    path.unlink()
    made = film(footage, NOW_US, footage.at_us, tmp_path)
    assert [number for number, _ in shown(made["files"][0]["path"])] == [30, 40, 50]


def test_every_file_is_closed_again(footage: Footage, tmp_path: Path) -> None:
    for _ in range(5):
        footage.record("plain", 1)
    film(footage, NOW_US, footage.at_us, tmp_path)
    assert {file.path for file in psutil.Process().open_files()}.isdisjoint(footage.paths)


def test_an_archive_that_is_away_is_said(tmp_path: Path) -> None:
    with archive_in(tmp_path / "archive") as archive:
        wait_for(lambda: archive.index is not None)
        footage = Footage(archive, "away", NOW_US)
        footage.record("plain", 1)
    for make in (make_film, make_clip, make_preview):
        with pytest.raises(ClipError) as refused:
            make(archive, "away", NOW_US, NOW_US + SECOND, tmp_path, Name("c", ZoneInfo("UTC")), job())
        assert refused.value.problem["cause"] == "archive_away"


def test_no_footage_and_no_interest(footage: Footage, tmp_path: Path) -> None:
    with pytest.raises(ClipError):
        film(footage, NOW_US, NOW_US + SECOND, tmp_path)
    footage.record("plain", 3)
    with pytest.raises(ClipError):
        film(footage, NOW_US + 10 * SECOND, NOW_US + 11 * SECOND, tmp_path)
    unwanted = job()
    unwanted.cancel()
    with pytest.raises(JobCancelledError):
        make_film(
            footage.archive, footage.camera, NOW_US, NOW_US + SECOND, tmp_path, Name("c", ZoneInfo("UTC")), unwanted
        )
    assert not list(tmp_path.iterdir())
