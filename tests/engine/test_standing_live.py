"""The connect switch with real cameras: off, nothing at all reaches the camera, and no other is touched."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
import json
import logging
from pathlib import Path
import time

import pytest

from custom_components.facility_cameras.engine.ledger.outages import outages
from custom_components.facility_cameras.engine.ledger.reading import NEVER, Reading
from tests.engine.living import Engine, Site, wait_for
from tests.engine.receiving import Rig, spec


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(2) as site:
        yield site


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as engine:
        yield engine


@pytest.mark.parametrize(("changes", "cause"), [({"connect": False}, "switched_off"), ({"retired": True}, "retired")])
async def test_off_is_no_session_at_all(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, bool],
    cause: str,
) -> None:
    async with Rig(tmp_path, [spec("one"), spec("two")]) as rig:
        # A session that is not torn down lives on.
        one = rig.site.camera("one")
        one.behaviour = replace(one.behaviour, haunted=True)
        await rig.watch()
        # From here on its ledger is written.
        await rig.restart()
        await rig.recorded("one", 1)
        await rig.recorded("two", 1)
        other = rig.supervisor.camera("two")
        assert other is not None
        sessions = set(rig.site.camera("two").sessions)
        came: list[asyncio.Protocol] = []
        accept = one._listener._factory

        def noted() -> asyncio.Protocol:
            came.append(accept())
            return came[-1]

        monkeypatch.setattr(one._listener, "_factory", noted)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            await rig.switch("one", **changes)
            state = rig.state("one")
            assert (state["status"], state["problem"]["cause"]) == ("disconnected", cause)
            assert state["duty"] == "off"
            assert not state["recording_wanted"]
            await rig.until(lambda: not one.connections, 5, "the session ends")
            assert not one.sessions, "TEARDOWN was not sent"
            # Whatever somebody asks of the engine: nothing is tried.
            left = rig.supervisor.camera("one")
            assert left is not None
            left.retry()
            await rig.recorded("two", 5)
            assert not [record.message for record in caplog.records if "camera one" in record.message]
        assert not came
        assert rig.supervisor.camera("two") is other
        assert set(rig.site.camera("two").sessions) == sessions
        assert rig.state("one")["reconnects"] == 0
        # Over a restart too.
        await rig.restart()
        await rig.recorded("two", 1)
        assert rig.state("one")["status"] == "disconnected"
        assert not came
        await rig.switch("one", connect=True, retired=False)
        await rig.status("one", "online", 15)
        await rig.recorded("one", 1)
        assert came
        await rig.stop()
        with Reading(tmp_path / "state" / "ledger.db") as reading:
            found = outages(reading, "one", 0, NEVER)
            asked = [row.standing for row in reading.standings("one", 0, NEVER)]
        assert not found, "in no moment was it required and switched off"
        off = "retired" if "retired" in changes else "disconnected"
        assert asked[0] == asked[-1] == "required"
        assert set(asked[1:-1]) == {off}


def test_calls(engine: Engine, site: Site) -> None:
    engine.put(site.configs())
    path = "/v1/cameras/camera-1/maintenance"
    now = round(time.time() * 1e6)
    hour = {"until": now + 3_600_000_000, "reason": "Lau ống kính", "who": "An"}
    wrongs: list[object] = [
        b"{",
        [],
        {**hour, "until": None},
        {**hour, "until": True},
        {**hour, "until": now - 1},
        {**hour, "until": now + 31 * 86_400_000_000},
        {**hour, "until": 1 << 70},
        {**hour, "reason": " "},
        {**hour, "reason": "x" * 501},
        {**hour, "who": ""},
    ]
    for wrong in wrongs:
        assert engine.call("PUT", path, wrong)[0] == 400, wrong
    assert engine.call("PUT", "/v1/cameras/nobody/maintenance", hour)[0] == 404
    assert engine.call("DELETE", path)[0] == 400
    assert engine.call("DELETE", f"{path}?who=An") == (200, {"ended": False})
    assert engine.camera()["maintenance"] is None
    status, planned = engine.call("PUT", path, hour)
    assert status == 200
    assert planned | hour == planned
    assert engine.camera()["standing"] == "maintenance"
    assert engine.camera()["maintenance"] == planned
    assert engine.camera("camera-2")["standing"] == "required"
    saved = engine.state / "engine.json"
    wait_for(lambda: json.loads(saved.read_text())["maintenance"], 5)
    engine.process.kill()
    engine.process.wait(10)
    engine.start()
    engine.ready()
    assert engine.camera()["maintenance"] == planned
    assert engine.call("DELETE", f"{path}?who=An") == (200, {"ended": True})
    assert engine.camera()["standing"] == "required"
    wait_for(lambda: not json.loads(saved.read_text())["maintenance"], 5)


def test_required_hours_by_call(engine: Engine, site: Site) -> None:
    engine.put(site.configs())
    wait_for(lambda: engine.recorded(1))
    path = "/v1/cameras/camera-1/required"
    for wrong in (b"{", {}, {"required": 1}):
        assert engine.call("PUT", path, wrong)[0] == 400
    assert engine.call("PUT", "/v1/cameras/nobody/required", {"required": True})[0] == 404
    assert engine.call("PUT", path, {"required": False}) == (200, {})
    assert engine.camera()["standing"] == "not_required"
    assert engine.camera()["status"] == "online", "the session stays as it is"
    saved = engine.state / "engine.json"
    wait_for(lambda: '"required": false' in saved.read_text(), 5)
    # A hub that does not know yet changes nothing.
    engine.put(site.configs(required=None))
    assert engine.camera()["standing"] == "not_required"
    engine.leave()
    engine.start()
    engine.ready()
    assert engine.camera()["standing"] == "not_required"
    engine.put(site.configs())
    assert engine.camera()["standing"] == "required"


def test_what_is_put_is_checked(engine: Engine, site: Site) -> None:
    engine.put(site.configs())
    facility = {"name": "f", "archive": str(engine.archive), "archive_id": "A1", "days_to_keep": 30}
    for wrong in ({"connect": 1}, {"retired": None}, {"required": "no"}, {"place": 5}, {"connect_who": "x" * 101}):
        body = {**facility, "cameras": site.configs(1, **wrong)}
        assert engine.call("PUT", "/v1/facilities/f1", body)[0] == 400, wrong
