"""The engine's API over its socket: answers, errors, the event stream, and what changes when the hub changes something."""

from collections.abc import Iterator
import functools
import itertools
import json
import os
from pathlib import Path
import socket
import subprocess
import sys
from typing import Any

import pytest

from tests.engine.living import Engine, Site, files, judge, rows, wait_for


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(3) as site:
        yield site


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as engine:
        yield engine


class Events:
    """A reader of the event stream."""

    def __init__(self, engine: Engine) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20)
        self._socket.connect(str(engine.socket))
        # HTTP/1.0: no chunks, a line is a line.
        self._socket.sendall(b"GET /v1/events HTTP/1.0\r\n\r\n")
        self._lines = self._socket.makefile("rb")
        while self._lines.readline().strip():
            pass

    def next(self, kind: str, **wanted: object) -> dict[str, Any]:
        """The next event of this kind whose camera has these fields."""
        while True:
            event: dict[str, Any] = json.loads(self._lines.readline())
            if event["event"] == kind and wanted.items() <= event.get("camera", event).items():
                return event

    def close(self) -> None:
        self._lines.close()
        self._socket.close()


GOOD = {"name": "f", "archive": "/tmp/none", "archive_id": "x", "days_to_keep": 1, "cameras": []}
CAMERA = {
    "id": "c",
    "name": "c",
    "url": "rtsp://127.0.0.1:9/",
    "username": "",
    "password": "",
    "audio": False,
    "record": True,
}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", None, 404),
        ("GET", "/v1/nothing", None, 404),
        ("DELETE", "/v1/info", None, 405),
        *(("GET", f"/v1/cameras/none/{call}", None, 404) for call in ("still", "spans", "segments", "playlist")),
        ("GET", "/v1/cameras/none/segments/1", None, 404),
        ("GET", "/v1/cameras/none/formats/1", None, 404),
        ("POST", "/v1/cameras/none/retry", None, 404),
        ("PUT", "/v1/facilities/f", b"{", 400),
        ("PUT", "/v1/facilities/f", b"\xff\xfe", 400),
        ("PUT", "/v1/facilities/f", [], 400),
        ("PUT", "/v1/facilities/f", {**GOOD, "days_to_keep": "30"}, 400),
        ("PUT", "/v1/facilities/f", {**GOOD, "days_to_keep": 0}, 400),
        ("PUT", "/v1/facilities/f", {**GOOD, "days_to_keep": 40_000}, 400),
        ("PUT", "/v1/facilities/f", {**GOOD, "quota_bytes": -1}, 400),
        ("PUT", "/v1/facilities/f", {**GOOD, "quota_bytes": 1.5}, 400),
        ("PUT", "/v1/facilities/f", {**GOOD, "least_days": -1}, 400),
        ("PUT", "/v1/facilities/f", {**GOOD, "cameras": [{**CAMERA, "days_to_keep": -1}]}, 400),
        ("PUT", "/v1/facilities/f", {**GOOD, "archive": "footage"}, 400),
        ("PUT", "/v1/facilities/f", {**GOOD, "cameras": [{"id": "c"}]}, 400),
        ("PUT", "/v1/facilities/f", {**GOOD, "cameras": [CAMERA, {**CAMERA, "id": "d", "url": "gopher://h"}]}, 400),
        ("PUT", "/v1/facilities/f", b" " * (5 << 20), 413),
        ("POST", "/v1/probe", {"url": "rtsp://127.0.0.1:9/"}, 400),
        ("POST", "/v1/probe", {"url": "http:", "username": "", "password": ""}, 400),
    ],
)
def test_error_is_a_status_with_a_sentence(engine: Engine, method: str, path: str, body: object, status: int) -> None:
    answered, content = engine.call(method, path, body)
    assert answered == status
    assert isinstance(content["error"], str)
    # Nothing of what was refused is taken over.
    assert engine.cameras() == {}
    assert engine.call("GET", "/v1/facilities") == (200, {"facilities": []})


def test_facility_that_is_not_there_is_deleted_already(engine: Engine) -> None:
    assert engine.call("DELETE", "/v1/facilities/none") == (200, {})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_answers_nobody_else(engine: Engine) -> None:
    ask = (
        "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); os.setuid(65534);"
        "s.sendall(b'GET /v1/info HTTP/1.0\\r\\n\\r\\n'); print(s.recv(12))"
    )
    # Whoever got hold of the socket before dropping root was root: the kernel remembers who connected.
    asked = subprocess.run([sys.executable, "-c", ask, str(engine.socket)], capture_output=True, check=False)
    assert b"200" in asked.stdout
    other = ask.replace("s = socket.socket(socket.AF_UNIX)", "s = socket.socket(socket.AF_UNIX); os.setuid(65534)", 1)
    other = other.replace("os.setuid(65534);s.send", "s.send")
    refused = subprocess.run([sys.executable, "-c", other, str(engine.socket)], capture_output=True, check=False)
    assert b"PermissionError" in refused.stderr
    engine.socket.chmod(0o777)
    for folder in (engine.folder, *engine.folder.parents):
        if folder.stat().st_uid == 0 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    refused = subprocess.run([sys.executable, "-c", other, str(engine.socket)], capture_output=True, check=False)
    assert b"403" in refused.stdout, refused.stderr


def test_event_stream_tells_everything_from_its_snapshot_on(engine: Engine, site: Site) -> None:
    events = Events(engine)
    snapshot = events.next("snapshot")
    assert (snapshot["cameras"], snapshot["facilities"], snapshot["engine"]["api"]) == ([], [], 1)
    engine.put(site.configs(1))
    events.next("camera", id="camera-1", status="unknown")
    events.next("camera", id="camera-1", status="online")
    events.next("camera", id="camera-1", recording=True)
    figures = events.next("figures")
    assert figures["facilities"][0]["volume"] in ("ok", "low")
    assert figures["cameras"][0]["fps"] == pytest.approx(10, rel=0.5)
    late = Events(engine)
    assert late.next("snapshot")["cameras"][0]["status"] == "online"
    late.close()
    site.fault("camera-1", "gone")
    away = events.next("camera", status="refused")
    site.heal("camera-1")
    assert away["camera"]["problem"]["cause"] == "connection_refused"
    events.next("camera", id="camera-1", status="online")
    assert engine.call("DELETE", "/v1/facilities/f1") == (200, {})
    assert events.next("removed")["id"] == "camera-1"
    assert engine.cameras() == {}
    events.close()
    wait_for(lambda: site.sessions("camera-1")[0] == 0, 5)


def sends_on(site: Site, name: str, packets: int) -> bool:
    """Whether the one session of before goes on: another would count its packets anew."""
    sessions, sent = site.sessions(name)
    return sessions == 1 and sent > packets


def test_changing_one_camera_touches_no_other(engine: Engine, site: Site) -> None:
    configs = site.configs()
    engine.put(configs)
    wait_for(lambda: all(engine.recorded(1, camera["id"]) for camera in configs))
    before = {name: site.sessions(name) for name in ("camera-1", "camera-2")}
    configs[2] = {**configs[2], "url": configs[2]["url"] + "-none"}
    engine.put(configs)
    wait_for(lambda: engine.camera("camera-3")["status"] == "no_stream")
    engine.put(configs[:2], name="another name", days_to_keep=7)
    wait_for(lambda: "camera-3" not in engine.cameras())
    engine.put([{**configs[0], "name": "new name"}, configs[1]])
    for name, (sessions, packets) in before.items():
        assert sessions == 1
        # A new session would begin to count anew.
        wait_for(functools.partial(sends_on, site, name, packets), 5)
        assert engine.camera(name)["reconnects"] == 0
    engine.leave()
    for name in before:
        assert len(rows(engine.archive, "run", f"uid = '{name}'")) == 1


def test_recording_is_switched_without_touching_the_session(engine: Engine, site: Site) -> None:
    engine.put(site.configs(1, record=False))
    wait_for(lambda: engine.camera()["status"] == "online")
    # A group is buffered by now, and nothing is recorded of it.
    wait_for(lambda: (engine.camera()["last_frame"] or 0) > engine.camera()["since"] + 1_500_000)
    assert not files(engine.archive)
    engine.put(site.configs(1))
    wait_for(lambda: engine.camera()["recording"])
    wait_for(lambda: engine.recorded(3))
    engine.put(site.configs(1, record=False))
    off = engine.camera()
    assert not off["recording"]
    assert not off["recording_wanted"]
    first = wait_for(lambda: [s for s in engine.segments() if not s["open"]], 5)[0]
    # A while later in the same session: the while between is no footage.
    wait_for(lambda: engine.camera()["last_frame"] > first["end"] + 3_000_000)
    engine.put(site.configs(1))
    wait_for(lambda: len(engine.segments()) == 2)
    wait_for(lambda: engine.segments()[1]["end"] - engine.segments()[1]["start"] > 2_000_000)
    assert engine.camera()["reconnects"] == 0
    assert engine.segments()[1]["start"] >= first["end"] + 1_500_000
    assert len(engine.call("GET", "/v1/cameras/camera-1/spans")[1]["spans"]) == 2
    engine.leave()
    assert len(set(rows(engine.archive, "run"))) == 1
    assert all(judge([path]).complete for path in files(engine.archive))


def test_recording_switched_off_and_on_at_once_records_nothing_twice(engine: Engine, site: Site) -> None:
    engine.put(site.configs(1))
    wait_for(lambda: engine.recorded(2))
    for _ in range(3):
        engine.put(site.configs(1, record=False))
        engine.put(site.configs(1, record=True))
    wait_for(lambda: engine.recorded(5))
    engine.leave()
    assert not judge(files(engine.archive)).duplicate
    assert not judge(files(engine.archive)).out_of_order
    times = rows(engine.archive, "segment.start_us, end_us")
    for (_, end), (start, _) in itertools.pairwise(times):
        assert start >= end


def test_flush_puts_everything_received_on_the_disk(engine: Engine, site: Site) -> None:
    engine.put(site.configs(1))
    wait_for(lambda: engine.recorded(1))
    newest = engine.camera()["last_frame"]
    assert engine.call("POST", "/v1/flush") == (200, {})
    (segment,) = engine.segments()
    assert segment["end"] >= newest - 250_000
    engine.process.kill()
    engine.process.wait(5)
    assert judge(files(engine.archive)).complete
    assert Path(segment["path"]).stat().st_size >= segment["bytes"]


def test_footage_is_told_while_it_is_written(engine: Engine, site: Site) -> None:
    engine.put(site.configs(1))
    wait_for(lambda: engine.recorded(6))
    (segment,) = engine.segments()
    assert segment["open"]
    assert engine.call("GET", f"/v1/cameras/camera-1/segments/{segment['id']}")[1]["path"] == segment["path"]
    (span,) = engine.call("GET", "/v1/cameras/camera-1/spans")[1]["spans"]
    assert span["start"] == segment["start"]
    assert span["end"] >= segment["end"]
    text = engine.call("GET", f"/v1/cameras/camera-1/playlist?start={segment['start']}")[1].decode()
    assert "EVENT" in text
    assert "ENDLIST" not in text
    assert f"segment-{segment['id']}.mp4" in text
    past = f"start={segment['start'] - 9_000_000}&end={segment['start'] - 1}"
    assert engine.call("GET", f"/v1/cameras/camera-1/segments?{past}") == (200, {"segments": []})
    assert engine.call("GET", f"/v1/cameras/camera-1/playlist?{past}")[0] == 404
    for query in ("start=x", "start=-1", "end=99999999999999999999", "start=1.5"):
        assert engine.call("GET", f"/v1/cameras/camera-1/spans?{query}")[0] == 400
    init = engine.call("GET", "/v1/cameras/camera-1/formats/1")[1]
    assert Path(segment["path"]).read_bytes().startswith(init)
    assert engine.call("GET", "/v1/cameras/camera-1/formats/999")[0] == 404
    engine.put(site.configs(1, record=False))
    ended = wait_for(lambda: [s for s in engine.segments() if not s["open"]], 5)[0]
    text = engine.call("GET", f"/v1/cameras/camera-1/playlist?start={segment['start']}")[1].decode()
    assert "ENDLIST" in text
    told = sum(float(line[8:-1]) for line in text.splitlines() if line.startswith("#EXTINF:"))
    assert told == pytest.approx((ended["end"] - ended["start"]) / 1e6, abs=0.1)
