"""Protected footage over the engine's API: protected, told, copied, kept over `kill -9`, released."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import subprocess
import time
from typing import Any

import pytest

from custom_components.facility_cameras.engine.api_footage import COPY_MARKER
from tests.engine.living import Engine, Site, files, rows, wait_for
from tests.engine.test_api import Events


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(2) as site:
        yield site


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as engine:
        yield engine


def wanted(cameras: list[str], *, before_s: float = 600, after_s: float = 0) -> dict[str, object]:
    now = time.time()
    span = {"start": round((now - before_s) * 1e6), "end": round((now + after_s) * 1e6)}
    return {"cameras": cameras, **span, "reason": "Mất trộm", "who": "Lan"}


def holds(engine: Engine, query: str = "") -> list[dict[str, Any]]:
    status, content = engine.call("GET", f"/v1/facilities/f1/holds{query}")
    assert status == 200, content
    found: list[dict[str, Any]] = content["holds"]
    return found


def test_protected_killed_copied_and_released(engine: Engine, site: Site, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    engine.put(site.configs(), second_copy=str(second), second_copy_id="S1")
    wait_for(lambda: engine.recorded(1) and engine.recorded(1, "camera-2"))
    events = Events(engine)
    body = wanted(["camera-1", "camera-2"], after_s=-1)
    status, content = engine.call("POST", "/v1/facilities/f1/holds", body)
    assert status == 200, content
    pair = content["holds"]
    assert {hold["camera"] for hold in pair} == {"camera-1", "camera-2"}
    assert {(hold["who"], hold["reason"], hold["released"], hold["copy"]) for hold in pair} == {
        ("Lan", "Mất trộm", None, "waiting")
    }
    assert events.next("hold")["change"] == "protected"
    (state,) = engine.call("GET", "/v1/facilities")[1]["facilities"]
    assert state["holds"] == 2
    engine.process.kill()
    engine.process.wait(10)
    # The second folder is marked only now: nothing was written there before.
    assert list(second.iterdir()) == []
    (second / COPY_MARKER).write_text(json.dumps({"id": "S1"}))
    engine.start()
    engine.ready()
    assert {hold["id"] for hold in holds(engine)} == {hold["id"] for hold in pair}
    events = Events(engine)
    copied = events.next("hold", change="copied")
    assert {hold["id"] for hold in copied["holds"]} == {hold["id"] for hold in pair}
    assert all(hold["copied"] == hold["files"] >= 1 for hold in holds(engine))
    assert {hold["copy"] for hold in holds(engine)} == {"copied"}
    # It is summed up once a minute.
    (state,) = wait_for(
        lambda: [one for one in engine.call("GET", "/v1/facilities")[1]["facilities"] if one["held_bytes"]], 90
    )
    assert state["held_bytes"] <= state["footage_bytes"]
    for sums in (second / "holds").rglob("SHA256SUMS"):
        subprocess.run(["sha256sum", "--check", "--quiet", sums.name], cwd=sums.parent, check=True)

    first, other = pair
    status, content = engine.call("POST", "/v1/facilities/f1/holds/release", {"holds": [first["id"]], "who": "Minh"})
    assert status == 200
    assert [(hold["id"], hold["released_by"]) for hold in content["holds"]] == [(first["id"], "Minh")]
    assert events.next("hold")["change"] == "released"
    assert [hold["id"] for hold in holds(engine)] == [other["id"]]
    assert [hold["id"] for hold in holds(engine, "?released=1")] == [first["id"]]
    # By the incident, what is left of it.
    engine.call("POST", "/v1/facilities/f1/holds/release", {"holds": [first["incident"]], "who": "Minh"})
    assert holds(engine) == []
    events.close()
    engine.leave()
    assert {folder for (folder,) in rows(engine.archive, "folder", table="camera")} == {
        str(path.relative_to(second).parent.parent) for path in files(second)
    }


@pytest.mark.parametrize(
    ("change", "status", "sentence"),
    [
        ({"cameras": ["none"]}, 400, "none of this facility"),
        ({"cameras": []}, 400, "cameras"),
        ({"cameras": [7]}, 400, "list of texts"),
        ({"start": 5, "end": 5}, 400, "after the start"),
        ({"start": True}, 400, "is wanted"),
        ({"start": "5"}, 400, "is wanted"),
        ({"reason": "x" * 501}, 400, "500"),
        ({"who": None}, 400, "is wanted"),
    ],
)
def test_what_is_not_accepted(
    engine: Engine, site: Site, change: dict[str, object], status: int, sentence: str
) -> None:
    engine.put(site.configs(1))
    body = {**wanted(["camera-1"]), **change}
    found, content = engine.call("POST", "/v1/facilities/f1/holds", body)
    assert found == status
    assert sentence in content["error"]
    assert engine.call("POST", "/v1/facilities/f1/holds", b"{")[0] == 400
    assert engine.call("POST", "/v1/facilities/none/holds", wanted(["camera-1"]))[0] == 404
    assert engine.call("GET", "/v1/facilities/none/holds")[0] == 404
    assert engine.call("POST", "/v1/facilities/none/holds/release", {"holds": [], "who": ""})[0] == 404
    wait_for(lambda: engine.volume() in ("ok", "low"))
    assert holds(engine) == []


def test_archive_that_is_away_takes_no_hold(engine: Engine, site: Site) -> None:
    engine.put(site.configs(1))
    wait_for(lambda: engine.volume() in ("ok", "low"))
    (engine.archive / ".facility_cameras.json").unlink()
    status, content = engine.call("POST", "/v1/facilities/f1/holds", wanted(["camera-1"]))
    assert status == 503
    assert "away" in content["error"]


@pytest.mark.parametrize("below", ["", "/copies", "/../"])
def test_second_folder_is_apart_from_the_archive(engine: Engine, below: str) -> None:
    facility = {"name": "f", "archive": str(engine.archive), "archive_id": "A1", "days_to_keep": 30, "cameras": []}
    more = {"second_copy": f"{engine.archive}{below}", "second_copy_id": "S1"}
    status, content = engine.call("PUT", "/v1/facilities/f1", {**facility, **more})
    assert status == 400
    assert "apart" in content["error"]
    assert engine.call("PUT", "/v1/facilities/f1", {**facility, "second_copy": 7})[0] == 400


def test_second_folder_that_does_not_answer_holds_up_neither_recording_nor_the_end(
    engine: Engine, site: Site, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    second.mkdir()
    # Whoever opens its marker waits until somebody writes.
    os.mkfifo(second / COPY_MARKER)
    engine.put(site.configs(1), second_copy=str(second), second_copy_id="S1")
    wait_for(lambda: engine.recorded(1))
    assert engine.call("POST", "/v1/facilities/f1/holds", wanted(["camera-1"]))[0] == 200
    before = engine.camera()["recorded_s"]
    wait_for(lambda: engine.recorded(before + 3))
    assert [hold["copy"] for hold in holds(engine)] == ["waiting"]
    engine.process.terminate()
    assert engine.process.wait(10) == 0
    assert rows(engine.archive, "state") == [(1,)]


def test_second_folder_comes_changes_and_goes(engine: Engine, site: Site, tmp_path: Path) -> None:
    engine.put(site.configs(1))
    wait_for(lambda: engine.recorded(1))
    assert engine.call("POST", "/v1/facilities/f1/holds", wanted(["camera-1"], after_s=-1))[0] == 200
    assert [hold["copy"] for hold in holds(engine)] == ["none"]
    # Its segment is closed.
    engine.put(site.configs(1, record=False))
    for name in ("S1", "S2"):
        folder = tmp_path / name
        folder.mkdir()
        # Whoever opens its marker waits until somebody else does: nothing is copied before we have looked.
        os.mkfifo(folder / COPY_MARKER)
        engine.put(site.configs(1, record=False), second_copy=str(folder), second_copy_id=name)
        assert [hold["copy"] for hold in holds(engine)] == ["waiting"]
        marker = tmp_path / f"{name}.json"
        marker.write_text(json.dumps({"id": name}))
        with (folder / COPY_MARKER).open("w"):
            # Who waited learns nothing and looks again: at this.
            marker.rename(folder / COPY_MARKER)
        wait_for(lambda: [hold["copy"] for hold in holds(engine)] == ["copied"], 90)
        # Not said because the one before has it.
        assert len(files(folder)) == 1
    engine.put(site.configs(1))
    assert [hold["copy"] for hold in holds(engine)] == ["none"]
