"""Gaps and completeness of a real engine with real cameras: what is done to them is told as what it was."""

from collections.abc import Iterator
import json
from pathlib import Path
import time
from typing import Any

import pytest

from custom_components.facility_cameras.engine.api import Duty, Problem, Status
from custom_components.facility_cameras.engine.archive.backlog import Memory
from custom_components.facility_cameras.engine.watch import NO_PROBLEM
from tests.engine.archives import HandClock
from tests.engine.clip_samples import make_clip
from tests.engine.duties import hand_run
from tests.engine.living import Engine, Site, mark, rows, wait_for
from tests.engine.receiving import Rig, spec
from tests.engine.test_gate import Stage

ALWAYS = 1 << 61


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(1) as site:
        yield site


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as engine:
        yield engine


def gaps(engine: Engine) -> dict[str, Any]:
    status, found = engine.call("GET", f"/v1/cameras/camera-1/gaps?start=0&end={ALWAYS}")
    assert status == 200
    assert isinstance(found, dict)
    return found


def duty(engine: Engine) -> str:
    return str(engine.camera()["duty"])


def test_what_is_done_to_a_camera_is_told(engine: Engine, site: Site) -> None:
    engine.put(site.configs())
    wait_for(lambda: engine.recorded(2))
    assert duty(engine) == "record"
    site.fault("camera-1", "gone")
    wait_for(lambda: duty(engine) == "offline", 30)
    site.heal("camera-1")
    wait_for(lambda: duty(engine) == "record", 30)
    recorded = engine.camera()["recorded_s"]
    wait_for(lambda: engine.recorded(recorded + 3))
    (engine.archive / ".facility_cameras.json").unlink()
    wait_for(lambda: duty(engine) == "volume", 30)
    assert not engine.camera()["recording"]
    mark(engine.archive)
    wait_for(lambda: duty(engine) == "record" and engine.camera()["recording"], 30)
    recorded = engine.camera()["recorded_s"]
    wait_for(lambda: engine.recorded(recorded + 3))
    engine.process.kill()
    engine.process.wait(10)
    killed = time.monotonic()
    wait_for(lambda: time.monotonic() > killed + 3)
    engine.start()
    engine.ready()
    wait_for(lambda: engine.recorded(2))
    engine.put(site.configs(record=False))
    wait_for(lambda: duty(engine) == "off")
    # The newest ten seconds are not told yet; then all of it is.
    until = engine.camera()["last_frame"]
    wait_for(lambda: gaps(engine)["until"] > until, 30)
    found = gaps(engine)
    told = [gap["reason"] for gap in found["gaps"]]
    # What came while the volume was away was kept in memory, and is no gap.
    assert [reason for reason in told if reason not in ("starting", "interrupted")] == ["offline", "down"]
    missing = sum(gap["end"] - gap["start"] for gap in found["gaps"]) / 1e6
    assert found["wanted_s"] - found["footage_s"] == pytest.approx(missing, abs=1.0 * (len(told) + 1))
    held = sum(segment["end"] - segment["start"] for segment in engine.segments()) / 1e6
    assert found["footage_s"] == pytest.approx(held, abs=1.5)
    (counted,) = engine.call("GET", "/v1/facilities/f1/completeness")[1]["cameras"]
    assert counted["week_wanted_s"] == pytest.approx(found["wanted_s"], abs=0.1)
    assert counted["week_footage_s"] == pytest.approx(found["footage_s"], abs=0.1)
    assert counted["last_gap"] == found["gaps"][-1]
    # Switched off is no gap, however long.
    wanted = found["wanted_s"]
    later = found["until"] + 3_000_000
    wait_for(lambda: gaps(engine)["until"] > later, 10)
    assert gaps(engine)["wanted_s"] == wanted
    engine.leave()
    # At the start nobody had looked at the disk yet: that is no trouble of the disk's.
    assert rows(engine.archive, "kind, reason", table="duty")[0] == ("offline", "starting")


def test_wanted_by_call(engine: Engine, site: Site) -> None:
    engine.put(site.configs(before_s=2, after_s=0.5))
    wait_for(lambda: engine.recorded(1))
    assert engine.call("PUT", "/v1/cameras/camera-1/wanted", {"wanted": False}) == (200, {})
    wait_for(lambda: duty(engine) == "idle")
    assert not engine.camera()["recording_wanted"]
    saved = engine.state / "engine.json"
    wait_for(lambda: '"wanted": false' in saved.read_text(), 5)
    # A hub that does not know yet changes nothing.
    engine.put(site.configs(before_s=2, after_s=0.5, wanted=None))
    assert duty(engine) == "idle"
    engine.leave()
    engine.start()
    engine.ready()
    wait_for(lambda: duty(engine) == "idle")
    assert engine.call("PUT", "/v1/cameras/camera-1/wanted", {"wanted": True}) == (200, {})
    assert duty(engine) in ("record", "offline")
    wait_for(lambda: engine.recorded(1))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/cameras/camera-1/wanted", {"wanted": "yes"}, 400),
        ("/v1/cameras/camera-1/wanted", {}, 400),
        ("/v1/cameras/camera-1/wanted", b"{", 400),
        ("/v1/cameras/nobody/wanted", {"wanted": True}, 404),
    ],
)
def test_calls_that_are_not_understood(engine: Engine, site: Site, path: str, body: object, status: int) -> None:
    engine.put(site.configs())
    assert engine.call("PUT", path, body)[0] == status


def test_what_is_asked_is_bounded(engine: Engine, site: Site) -> None:
    engine.put(site.configs())
    for query, status in (
        ("", 200),
        ("?start=5&end=1", 200),
        (f"?start={'9' * 19}&end={'9' * 19}", 200),
        ("?start=-1", 400),
        ("?end=x", 400),
    ):
        assert engine.call("GET", f"/v1/cameras/camera-1/gaps{query}")[0] == status
    assert engine.call("GET", "/v1/cameras/nobody/gaps")[0] == 404
    assert engine.call("GET", "/v1/facilities/nobody/completeness")[0] == 404
    facility = {"name": "f", "archive": str(engine.archive), "archive_id": "A1", "days_to_keep": 30}
    for wrong in ({"before_s": -1}, {"after_s": 1e9}, {"before_s": "x"}, {"wanted": 1}):
        cameras = site.configs(1, **wrong)
        assert engine.call("PUT", "/v1/facilities/f1", {**facility, "cameras": cameras})[0] == 400
    # A zone that this machine does not know stops no recording.
    engine.put(site.configs(), zone="../../etc/passwd")
    assert engine.call("GET", "/v1/facilities/f1/completeness")[0] == 200


async def test_a_list_that_an_earlier_engine_saved_is_recorded(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one")]) as rig:
        await rig.watch("one")
        await rig.stop()
        saved = tmp_path / "state" / "engine.json"
        content = json.loads(saved.read_text())
        (facility,) = content["facilities"]
        (camera,) = facility["cameras"]
        for known, keys in (
            (facility, ("zone",)),
            (camera, ("wanted", "before_s", "after_s", "place", "connect", "retired", "required")),
        ):
            for key in keys:
                del known[key]
        content["maintenance"] = ["what cannot be meant"]
        saved.write_text(json.dumps(content))
        await rig.restart()
        await rig.recorded("one", 1)
        assert rig.state("one")["duty"] == "record"


async def test_an_outage_that_was_over_at_once_is_told(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one")]) as rig:
        await rig.watch("one")
        await rig.recorded("one", 1)
        camera = rig.supervisor.camera("one")
        assert camera is not None and camera.archive.index is not None
        problem: Problem = {"cause": "no_answer", "placeholders": {}}
        camera._set(Status.UNREACHABLE, problem)
        camera._set(Status.ONLINE, NO_PROBLEM)
        camera.check()
        told = camera.archive.duties.intervals(camera.archive.index, "one", 0, 1 << 62)
        assert (told[-1].kind, told[-1].reason) == (Duty.OFFLINE, "no_answer")


def test_a_disk_that_is_too_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_clip(frames=40, fps=10, gop=20, size=(160, 128))
    clock = HandClock()
    with hand_run(tmp_path / "archive", clock) as archive:
        stage = Stage(archive, clock)
        stage.want(wanted=True)
        stage.begin(clip)
        stage.play(10)
        recorder = stage.gate._recorder
        assert recorder.overloaded == 0
        monkeypatch.setattr("custom_components.facility_cameras.engine.archive.backlog.QUEUE_BYTES", 10)
        monkeypatch.setattr(archive._backlog, "_memory", Memory(10))
        stage.play(5)
        assert clock.now - recorder.overloaded < 5
