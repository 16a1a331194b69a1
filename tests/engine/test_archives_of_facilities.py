"""Cameras, facilities and archives that come, go and change while they are recorded."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import shutil
import signal

import pytest

from tests.engine.living import Engine, Site, files, judge, mark, rows, wait_for


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(2) as site:
        yield site


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as engine:
        yield engine


def closed_and_whole(archive: Path) -> None:
    """Index and files agree, and every file plays."""
    known = rows(archive, "folder || '/' || path, segment.bytes, pictures, state")
    assert sorted(path for path, *_ in known) == [str(path.relative_to(archive)) for path in files(archive)]
    for path, size, pictures, state in known:
        assert state > 0
        assert (archive / path).stat().st_size == size
        found = judge([archive / path])
        assert found.complete
        assert found.read == pictures


def test_camera_removed_while_it_is_written(engine: Engine, site: Site) -> None:
    engine.put(site.configs())
    wait_for(lambda: engine.recorded(1) and engine.recorded(1, "camera-2"))
    engine.put(site.configs(1))
    assert set(engine.cameras()) == {"camera-1"}
    assert engine.call("GET", "/v1/cameras/camera-2/segments")[0] == 404
    engine.leave()
    closed_and_whole(engine.archive)
    assert len(files(engine.archive)) == 2


def test_two_facilities_share_an_archive(engine: Engine, site: Site) -> None:
    first, second = site.configs()
    engine.put([first])
    engine.put([second], "f2", name="Cơ sở 2", archive=f"{engine.archive}/")
    wait_for(lambda: engine.recorded(1) and engine.recorded(1, "camera-2"))
    states = {one["id"]: one for one in engine.call("GET", "/v1/facilities")[1]["facilities"]}
    assert {one["volume"] for one in states.values()} <= {"ok", "low"}
    engine.call("DELETE", "/v1/facilities/f1")
    before = engine.cameras()["camera-2"]["recorded_s"]
    wait_for(lambda: engine.recorded(before + 2, "camera-2"))
    engine.leave()
    closed_and_whole(engine.archive)
    assert {path.relative_to(engine.archive).parts[0] for path in files(engine.archive)} == {"co-so-1-f1", "co-so-2-f2"}


def test_archive_of_a_facility_changes(engine: Engine, site: Site, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    mark(other, "A2")
    engine.put(site.configs())
    wait_for(lambda: engine.recorded(2) and engine.recorded(2, "camera-2"))
    engine.put(site.configs(), archive=str(other), archive_id="A2")
    wait_for(lambda: engine.recorded(1) and engine.recorded(1, "camera-2"))
    assert all(segment["path"].startswith(str(other)) for segment in engine.segments())
    # The old one is let go, whole.
    wait_for(lambda: not any((engine.archive / f"index.sqlite3{end}").exists() for end in ("-wal",)), 5)
    closed_and_whole(engine.archive)
    engine.leave()
    closed_and_whole(other)


def test_facility_deleted_and_set_again_at_once(engine: Engine, site: Site) -> None:
    engine.put(site.configs())
    wait_for(lambda: engine.recorded(1))
    for _ in range(2):
        assert engine.call("DELETE", "/v1/facilities/f1") == (200, {})
        engine.put(site.configs())
    wait_for(lambda: engine.recorded(1) and engine.recorded(1, "camera-2"))
    engine.leave()
    closed_and_whole(engine.archive)


def test_marker_gone_pauses_recording_while_watching_goes_on(engine: Engine, site: Site) -> None:
    engine.put(site.configs(1))
    wait_for(lambda: engine.recorded(1))
    (engine.archive / ".facility_cameras.json").unlink()
    wait_for(lambda: engine.volume() == "missing" and not engine.camera()["recording"], 30)
    paused = files(engine.archive)
    newest = engine.camera()["last_frame"]
    wait_for(lambda: engine.camera()["last_frame"] > newest)
    assert engine.camera()["status"] == "online"
    assert engine.camera()["recording_wanted"]
    assert files(engine.archive) == paused
    mark(engine.archive)
    wait_for(lambda: engine.camera()["recording"] and engine.volume() in ("ok", "low"), 15)
    assert engine.camera()["reconnects"] == 0
    engine.leave()
    closed_and_whole(engine.archive)


def test_two_engines_on_one_archive(engine: Engine, site: Site, tmp_path: Path) -> None:
    engine.put(site.configs(1))
    wait_for(lambda: engine.recorded(1))
    with Engine(tmp_path / "second", archive=engine.archive) as second:
        second.put(site.configs()[1:])
        wait_for(lambda: second.camera("camera-2")["status"] == "online")
        wait_for(lambda: second.volume() == "error")
        assert "it is held by another engine" in second.log()
        engine.leave()
        wait_for(lambda: second.recorded(1, "camera-2"))
        second.leave()
    closed_and_whole(engine.archive)


def test_what_is_kept_is_told_and_taken_from_an_older_list(engine: Engine, site: Site) -> None:
    first, second = site.configs()
    engine.put([first, {**second, "days_to_keep": 90}], quota_bytes=10**9, least_days=2)
    wait_for(lambda: engine.recorded(1))
    (told,) = engine.call("GET", "/v1/facilities")[1]["facilities"]
    assert (told["days_possible"], told["days_short"]) == (None, False)
    assert (told["cleaning"]["failed_since"], told["cleaning"]["stuck_files"]) == (None, 0)
    engine.leave()
    # As an engine saved it that knew of no quota.
    saved = engine.state / "engine.json"
    content = json.loads(saved.read_text())
    (facility,) = content["facilities"]
    assert (facility.pop("quota_bytes"), facility.pop("least_days")) == (10**9, 2)
    assert [camera.pop("days_to_keep") for camera in facility["cameras"]] == [0, 90]
    saved.write_text(json.dumps(content))
    with Engine(engine.folder) as engine:
        wait_for(lambda: engine.recorded(1))
        assert "cannot be read" not in engine.log()


def test_configuration_disk_that_cannot_be_written_stops_nothing(engine: Engine, site: Site) -> None:
    # A folder in the place of the file: every attempt to save fails.
    (engine.state / "engine.json.new").mkdir()
    (engine.state / "engine.json.new" / "x").touch()
    facility = {"name": "f", "archive": str(engine.archive), "archive_id": "A1", "days_to_keep": 30}
    status, content = engine.call("PUT", "/v1/facilities/f1", {**facility, "cameras": site.configs(1)})
    assert status == 507
    assert "could not be saved" in content["error"]
    wait_for(lambda: engine.camera()["recording"])
    wait_for(lambda: "cannot be saved" in engine.log(), 5)
    shutil.rmtree(engine.state / "engine.json.new")
    saved = engine.state / "engine.json"
    wait_for(lambda: saved.exists() and "camera-1" in saved.read_text(), 5)
    # Told once, tried every second.
    assert engine.log().count("cannot be saved") == 1


def test_volume_that_hangs_holds_up_nothing_else(engine: Engine, site: Site, tmp_path: Path) -> None:
    """A call on it that never comes back, as on a network share whose server is gone: the marker is a pipe that nobody
    writes into.
    """
    first, second = site.configs()
    other = tmp_path / "other"
    other.mkdir()
    mark(other, "A2")
    engine.put([first])
    engine.put([second], "f2", archive=str(other), archive_id="A2")
    wait_for(lambda: engine.recorded(1) and engine.recorded(1, "camera-2"))
    (other / ".facility_cameras.json").unlink()
    os.mkfifo(other / ".facility_cameras.json")

    def volumes() -> dict[str, tuple[str, str]]:
        found = engine.call("GET", "/v1/facilities")[1]["facilities"]
        return {one["id"]: (one["volume"], one["volume_cause"]) for one in found}

    wait_for(lambda: volumes()["f2"] == ("missing", "no_answer"), 40)
    # Answers, the stream's other camera and the other archive go on.
    assert engine.call("GET", "/v1/cameras/camera-2/segments") == (200, {"segments": []})
    before = engine.cameras()["camera-1"]["recorded_s"]
    wait_for(lambda: engine.recorded(before + 2))
    assert volumes()["f1"][0] in ("ok", "low")
    assert engine.cameras()["camera-2"]["status"] == "online"
    assert engine.call("POST", "/v1/flush")[0] == 504
    engine.process.send_signal(signal.SIGTERM)
    assert engine.process.wait(10) == 0
    closed_and_whole(engine.archive)
    assert "threads are left behind" in engine.log()
    # What had come before is repaired by the next.
    (other / ".facility_cameras.json").unlink()
    mark(other, "A2")
    engine.start()
    engine.ready()
    wait_for(lambda: volumes()["f2"][0] in ("ok", "low") and engine.recorded(1, "camera-2"))
    engine.leave()
    closed_and_whole(other)
