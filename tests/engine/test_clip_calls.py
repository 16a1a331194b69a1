"""Clips over the engine's socket: of what it records now, judged picture by picture."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
import json
from pathlib import Path
import threading
from typing import Any

import pytest

from custom_components.facility_cameras.engine.api import CameraConfig
from custom_components.facility_cameras.engine.clock import SystemClock
from custom_components.facility_cameras.engine.lane import Job, JobState, Lane
from custom_components.facility_cameras.engine.picture.stills import Stills
from custom_components.facility_cameras.engine.restream import Restream
from custom_components.facility_cameras.engine.server import Server
from custom_components.facility_cameras.engine.supervisor import Supervisor
from custom_components.facility_cameras.engine.thumbnails import Thumbnails
from tests.engine.living import FPS, FRAMES, Engine, Site, numbers, wait_for

NOWHERE = {"start": 1, "end": 2, "folder": "/tmp", "zone": "UTC"}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(1) as site:
        yield site


@pytest.fixture
def engine(site: Site, tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "engine") as engine:
        engine.put(site.configs())
        yield engine


def finished(engine: Engine, answer: tuple[int, Any]) -> dict[str, Any]:
    """A job's state once it has ended."""
    status, state = answer
    while True:
        assert status == 200, state
        if state["state"] not in ("waiting", "running"):
            found: dict[str, Any] = state
            return found
        status, state = engine.call("GET", f"/v1/jobs/{state['id']}")


def test_a_clip_of_what_is_being_recorded(engine: Engine, tmp_path: Path) -> None:
    wait_for(lambda: engine.recorded(6), 40)
    (segment,) = engine.segments()
    folder = tmp_path / "clips"
    folder.mkdir()
    start = segment["start"] + 1_500_000
    body = {"start": start, "end": start + 3_000_000, "folder": str(folder), "zone": "Asia/Ho_Chi_Minh"}
    job = finished(engine, engine.call("POST", "/v1/cameras/camera-1/clip", body))
    assert (job["state"], job["kind"], job["owner"], job["problem"]) == ("done", "clip", "camera-1", None)
    (file,) = job["result"]["files"]
    assert [str(path) for path in folder.iterdir()] == [file["path"]]
    assert "_UTC+07_" in file["path"]
    shown = numbers(Path(file["path"]))
    # From the key picture before (one a second) to the picture that contains the end.
    assert 3 * FPS <= len(shown) <= 4 * FPS + 1
    assert all((after - before) % FRAMES == 1 for before, after in pairwise(shown))
    assert job["result"]["gaps"] == []
    assert job in engine.call("GET", "/v1/jobs")[1]["jobs"]
    lost = finished(
        engine, engine.call("POST", "/v1/cameras/camera-1/clip", {**body, "folder": str(tmp_path / "none")})
    )
    assert lost["problem"] == {"cause": "not_written", "placeholders": {"reason": "No such file or directory"}}
    assert (lost["state"], lost["result"]) == ("failed", None)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("cameras/none/clip", NOWHERE, 404),
        ("cameras/camera-1/clip", b"{", 400),
        ("cameras/camera-1/clip", [], 400),
        *(
            ("cameras/camera-1/clip", {**NOWHERE, **change}, 400)
            for change in (
                {"start": 2},
                {"start": -1},
                {"end": 1 << 63},
                {"end": 1 + 7 * 3600 * 1_000_000},
                {"end": 1.5},
                {"folder": "../tmp"},
                {"folder": 5},
                {"zone": "Mars/Base"},
                {"zone": "../../etc/passwd"},
                {"zone": ""},
            )
        ),
    ],
)
def test_what_is_not_understood(engine: Engine, path: str, body: object, status: int) -> None:
    assert engine.call("POST", f"/v1/{path}", body)[0] == status


def test_a_job_is_cancelled_by_its_id(engine: Engine) -> None:
    assert engine.call("DELETE", "/v1/jobs/none")[0] == 404
    assert engine.call("GET", "/v1/jobs/none")[0] == 404
    status, job = engine.call("POST", "/v1/cameras/camera-1/clip", NOWHERE)
    assert status == 200
    assert engine.call("DELETE", f"/v1/jobs/{job['id']}")[0] == 200


async def test_a_job_ends_with_the_request_that_asked(tmp_path: Path) -> None:
    clock, lane, stills = SystemClock(), Lane(), Stills()
    supervisor = Supervisor(tmp_path, clock)
    restream = Restream(supervisor.feed)
    server = Server(
        supervisor, stills, restream, lane, Thumbnails(lane), clock, build="b", leash_s=1, leave=lambda: None
    )
    await server.start(tmp_path / "s")
    camera: CameraConfig = {
        "id": "c", "name": "c", "url": "rtsp://127.0.0.1:9/", "username": "", "password": "", "audio": False, "record": False,
        "days_to_keep": 0, "wanted": True, "before_s": 0.0, "after_s": 0.0,
        "place": "", "connect": True, "retired": False, "required": True, "connect_who": "", "record_who": "",
    }  # fmt: skip
    go_on = threading.Event()
    try:
        await supervisor.put_facility(
            {
                "id": "f",
                "name": "f",
                "archive": str(tmp_path),
                "archive_id": "x",
                "days_to_keep": 1,
                "quota_bytes": 0,
                "least_days": 0,
                "zone": "UTC",
                "cameras": [camera],
            }
        )
        for _ in range(2):
            lane.submit("held", "test", lambda _: go_on.wait(10), quick=True)
        _, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
        body = json.dumps(NOWHERE).encode()
        writer.write(b"POST /v1/cameras/c/clip HTTP/1.1\r\nHost: e\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        jobs: list[Job[Any]] = []
        for _ in range(1000):
            if jobs := [job for job in lane.jobs() if job.kind == "clip"]:
                break
            await asyncio.sleep(0.01)
        assert not jobs[0].finished
        writer.close()
        assert await jobs[0].wait(10)
        assert jobs[0].state is JobState.CANCELLED
    finally:
        go_on.set()
        await asyncio.gather(lane.close(), server.close(), supervisor.close(), stills.close())
