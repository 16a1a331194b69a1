"""Exports over the engine's socket: of what it records now, through kills, disks that are away, and people who change
their minds.
"""

from collections.abc import Iterator
import json
from pathlib import Path
import socket
from typing import Any

import pytest

from tests.engine.exporting import checked, content, manifest
from tests.engine.living import Engine, Site, judge, rows, wait_for


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(1) as site:
        yield site


@pytest.fixture
def engine(site: Site, tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "engine") as engine:
        engine.put(site.configs())
        yield engine


def asked(folder: Path, /, **changes: object) -> dict[str, Any]:
    return {
        "cameras": [{"id": "camera-1", "name": "Cổng", "make": "", "model": ""}],
        "start": 1,
        "end": 2,
        "folder": str(folder),
        "form": "folder",
        "name": "Cơ sở 1",
        "zone": "Asia/Ho_Chi_Minh",
        "who": "A",
        "reason": "",
        "product": "1",
        **changes,
    }


def begin(engine: Engine, folder: Path, /, **changes: object) -> dict[str, Any]:
    """Begin an export of everything recorded so far."""
    wait_for(lambda: engine.recorded(4), 40)
    segments = engine.segments()
    span = {"start": segments[0]["start"], "end": segments[-1]["end"]}
    status, state = engine.call("POST", "/v1/facilities/f1/exports", asked(folder, **{**span, **changes}))
    assert status == 200, state
    found: dict[str, Any] = state
    return found


def becomes(engine: Engine, identity: str, state: str) -> dict[str, Any]:
    """Its state once that is `state`."""

    def found() -> dict[str, Any] | None:
        export: dict[str, Any] = engine.call("GET", f"/v1/exports/{identity}")[1]
        return export if export["state"] == state else None

    told = wait_for(found, 30, f"the export becomes {state}")
    assert told is not None
    return told


def test_what_is_recorded_now(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    listening = socket.socket(socket.AF_UNIX)
    listening.connect(str(engine.socket))
    listening.sendall(b"GET /v1/events HTTP/1.1\r\nHost: e\r\n\r\n")
    export = becomes(engine, begin(engine, folder)["id"], "done")
    done = Path(export["path"])
    wait_for(lambda: list(folder.iterdir()) == [done] and not (done / ".state").exists(), 10)
    assert (export["progress"], export["missed"], export["problem"], export["gaps"]) == (1.0, [], None, 0)
    assert sorted([*checked(done), "SHA256SUMS"]) == content(done)
    found = manifest(done)
    assert not judge(done / file["name"] for file in found["files"]).missing
    assert found["cameras"][0]["clock_offset_seconds"] is not None
    assert engine.call("GET", "/v1/exports")[1]["exports"] == [export]
    # Told as it happened.
    told = b""
    listening.settimeout(10)
    while b'"state":"done"' not in told:
        told += listening.recv(1 << 16)
    listening.close()
    # Over is over.
    assert engine.call("DELETE", f"/v1/exports/{export['id']}")[1] == export
    assert done.exists()


def test_gone_on_with_after_a_kill_and_a_disk_that_was_away(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    export = begin(engine, folder, form="tar")
    paused = becomes(engine, export["id"], "paused")
    assert paused["problem"] == {"cause": "destination_away", "placeholders": {"folder": str(folder)}}
    engine.process.kill()
    engine.process.wait(10)
    # Nothing is held back from retention for one that has nowhere to go.
    assert rows(engine.archive, "camera", table="hold") == []
    engine.start()
    engine.ready()
    wait_for(
        lambda: engine.call("GET", f"/v1/exports/{export['id']}")[1]["problem"] == paused["problem"], 20, "paused again"
    )
    folder.mkdir()
    assert engine.call("POST", f"/v1/exports/{export['id']}/resume")[0] == 200
    done = becomes(engine, export["id"], "done")
    wait_for(lambda: [str(path) for path in folder.iterdir()] == [done["path"]], 10)
    engine.leave()
    engine.start()
    engine.ready()
    assert engine.call("GET", "/v1/exports")[1]["exports"] == [done]
    engine.leave()
    assert rows(engine.archive, table="hold") == []


def test_cancelled(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    export = begin(engine, folder)
    becomes(engine, export["id"], "paused")
    status, state = engine.call("DELETE", f"/v1/exports/{export['id']}")
    assert (status, state["state"]) == (200, "cancelled")
    assert not folder.exists()
    assert json.loads((engine.state / "exports.json").read_text())[0]["told"]["state"] == "cancelled"


def test_a_facility_that_is_removed_ends_its_exports(engine: Engine, tmp_path: Path) -> None:
    export = begin(engine, tmp_path / "exports")
    becomes(engine, export["id"], "paused")
    assert engine.call("DELETE", "/v1/facilities/f1")[0] == 200
    engine.call("POST", f"/v1/exports/{export['id']}/resume")
    failed = becomes(engine, export["id"], "failed")
    assert failed["problem"] == {"cause": "facility_gone", "placeholders": {}}


def test_too_many(engine: Engine, tmp_path: Path) -> None:
    exports = [begin(engine, tmp_path / "exports") for _ in range(20)]
    assert engine.call("POST", "/v1/facilities/f1/exports", asked(tmp_path))[0] == 503
    assert engine.call("DELETE", f"/v1/exports/{exports[0]['id']}")[1]["state"] == "cancelled"
    begin(engine, tmp_path / "exports")


_CAMERA = {"id": "camera-1", "name": "", "make": "", "model": ""}
_WRONG: tuple[dict[str, object], ...] = (
    {"start": 2},
    {"start": -1},
    {"start": True},
    {"end": 1 << 62},
    {"end": 401 * 86_400_000_000},
    {"folder": "exports"},
    {"folder": "/a\0b"},
    {"folder": 1},
    {"form": "zip"},
    {"zone": "../../etc/passwd"},
    {"zone": ""},
    {"cameras": []},
    {"cameras": [_CAMERA, _CAMERA]},
    {"cameras": [{"id": "camera-1"}]},
    {"cameras": [{**_CAMERA, "id": str(number)} for number in range(1001)]},
    {"name": "x" * 201},
    {"reason": None},
)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("facilities/none/exports", asked(Path("/tmp")), 404),
        ("facilities/f1/exports", b"{", 400),
        ("facilities/f1/exports", [], 400),
        ("exports/none/resume", None, 404),
        *(("facilities/f1/exports", asked(Path("/tmp"), **change), 400) for change in _WRONG),
    ],
)
def test_what_is_not_understood(engine: Engine, path: str, body: object, status: int) -> None:
    assert engine.call("POST", f"/v1/{path}", body)[0] == status
