"""The engine's life: how it starts, what it keeps, and everything that ends it."""

from collections.abc import Iterator
import hashlib
import itertools
import json
from pathlib import Path
import random
import signal
import stat
import time

import pytest

from tests.engine.living import Engine, Site, files, judge, rows, wait_for


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(2) as site:
        yield site


def test_starts_with_nothing_but_its_request(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        status, info = engine.call("GET", "/v1/info")
        assert (status, info["api"], info["pid"], info["cameras"]) == (200, 1, engine.process.pid, 0)
        assert stat.S_IMODE(engine.socket.stat().st_mode) == 0o600
        line = Path(f"/proc/{engine.process.pid}/cmdline").read_bytes()
        assert b"sEcr3t" not in line
        assert b"homeassistant" not in Path(f"/proc/{engine.process.pid}/maps").read_bytes()
        engine.leave()
        assert (tmp_path / "output").read_text() == ""


def test_second_engine_of_a_hub_ends_with_3(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        first = engine.process
        second = engine.start()
        assert second.wait(10) == 3
        engine.process = first
        assert engine.answers()


def test_request_that_cannot_be_read_ends_with_1(tmp_path: Path) -> None:
    engine = Engine.__new__(Engine)
    engine.folder, engine.state, engine.socket, engine.leash_s = tmp_path, tmp_path / "none", tmp_path / "s", 1
    assert engine.start().wait(10) == 1


def test_socket_that_cannot_be_made_ends_with_1_and_is_logged(tmp_path: Path) -> None:
    engine = Engine.__new__(Engine)
    engine.folder, engine.state, engine.socket, engine.leash_s = tmp_path, tmp_path, tmp_path / "none" / "s", 1
    assert engine.start().wait(10) == 1
    assert "the engine failed" in (tmp_path / "engine.log").read_text()


@pytest.mark.parametrize("content", ["", "[]", '{"facilities": 5, "logins": [], "restream_port": "x"}',
    '{"facilities": [5, {"id": "a"}], "logins": {"a": {}}}', "\x00\xff"])  # fmt: skip
def test_saved_list_that_is_damaged_does_not_keep_it_from_starting(tmp_path: Path, content: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "engine.json").write_text(content)
    with Engine(tmp_path) as engine:
        assert engine.cameras() == {}


def test_leash(tmp_path: Path) -> None:
    with Engine(tmp_path, leash_s=1) as engine:
        assert engine.process.wait(10) == 0
        assert "no hub for" in engine.log()


@pytest.mark.parametrize("ending", ["leave", "term"])
def test_ends_within_2_s_with_every_segment_closed(tmp_path: Path, site: Site, ending: str) -> None:
    with Engine(tmp_path) as engine:
        engine.put(site.configs())
        wait_for(lambda: engine.recorded(2) and engine.recorded(2, "camera-2"))
        began = time.monotonic()
        if ending == "leave":
            engine.leave()
        else:
            engine.process.send_signal(signal.SIGTERM)
            assert engine.process.wait(10) == 0
        # Generous on a machine that does other things too; the figure is a benchmark's.
        assert time.monotonic() - began < 5
    assert {state for (state,) in rows(engine.archive, "state")} == {1}
    for camera in ("camera-1", "camera-2"):
        found = rows(engine.archive, "folder || '/' || path, pictures, segment.bytes", f"uid = '{camera}'")
        assert judge(engine.archive / path for path, _, _ in found).complete
        for path, _pictures, size in found:
            assert (engine.archive / path).stat().st_size == size
    assert len(files(engine.archive)) == len(rows(engine.archive))
    wait_for(lambda: site.sessions("camera-1")[0] == 0, 5, "the session was torn down")


def test_starts_again_from_its_saved_list(tmp_path: Path, site: Site) -> None:
    with Engine(tmp_path) as engine:
        engine.put(site.configs())
        saved = engine.state / "engine.json"
        assert stat.S_IMODE(saved.stat().st_mode) == 0o600
        wait_for(lambda: engine.recorded(1))
        engine.leave()
        port = json.loads(saved.read_text())["restream_port"]
        engine.start()
        engine.ready()
        wait_for(lambda: engine.camera()["status"] == "online", 5)
        wait_for(lambda: engine.recorded(1) and engine.camera()["recording"])
        assert engine.call("GET", "/v1/info")[1]["restream_port"] == port
        assert site.cameras[0]["password"] not in engine.log()


def test_folder_that_was_replaced_ends_it_and_is_not_written_over(tmp_path: Path, site: Site) -> None:
    with Engine(tmp_path) as engine:
        engine.put(site.configs(1))
        wait_for(lambda: engine.recorded(1))
        engine.state.rename(tmp_path / "old")
        engine.state.mkdir()
        (engine.state / "engine.json").write_text('{"facilities": []}')
        assert engine.process.wait(10) == 0
        assert (engine.state / "engine.json").read_text() == '{"facilities": []}'
        assert {state for (state,) in rows(engine.archive, "state")} == {1}


def at_random(chance: random.Random) -> None:
    """Not a wait for something: a moment that nothing in the engine decides."""
    moment = time.monotonic() + chance.uniform(0.2, 1.5)
    wait_for(lambda: time.monotonic() > moment)


def test_kill_at_random_moments_loses_nothing_before_the_last_fragment(tmp_path: Path, site: Site) -> None:
    chance = random.Random(7)
    known: dict[str, int] = {}
    with Engine(tmp_path) as engine:
        engine.put(site.configs())
        for _ in range(10):
            wait_for(lambda: engine.cameras()["camera-1"]["recording"], 10, "recording again")
            at_random(chance)
            # What the engine says is on the disk now is to be playable for ever.
            for camera in ("camera-1", "camera-2"):
                for segment in engine.segments(camera):
                    known[segment["path"]] = segment["bytes"]
            engine.process.kill()
            engine.process.wait(10)
            engine.start()
            engine.ready()
        wait_for(lambda: engine.recorded(1))
        engine.leave()
    assert len(known) >= 15
    for path, size in known.items():
        assert Path(path).stat().st_size >= size
    states = rows(
        engine.archive, "state, folder || '/' || path, segment.bytes, pictures, sha256, end_us - segment.start_us"
    )
    assert {state for state, *_ in states} == {1, 2}
    for _, path, size, pictures, digest, duration_us in states:
        content = (engine.archive / path).read_bytes()
        assert len(content) == size
        assert digest == hashlib.sha256(content).digest()
        found = judge([engine.archive / path])
        assert found.complete
        assert found.read == pictures
        assert abs(duration_us - pictures * 100_000) <= 100_000
    assert {str(path.relative_to(engine.archive)) for path in files(engine.archive)} == {path for _, path, *_ in states}
    for camera in ("camera-1", "camera-2"):
        times = rows(engine.archive, "segment.start_us, end_us", f"uid = '{camera}'")
        for (_, end), (start, _) in itertools.pairwise(times):
            assert start >= end
