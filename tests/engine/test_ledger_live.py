"""The ledger of a real engine: what is told by it, what its API answers, and what is left after a kill."""

from collections.abc import Iterator
from pathlib import Path
import time
from typing import Any

import pytest

from custom_components.facility_cameras.engine.command_line import main
from tests.engine.ledgers import ask
from tests.engine.living import Engine, Site, wait_for


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(2) as site:
        yield site


def asked(engine: Engine, path: str) -> Any:
    status, content = engine.call("GET", path)
    assert status == 200, content
    return content


def spans(engine: Engine, camera: str = "camera-1") -> list[tuple[str, str]]:
    found = asked(engine, f"/v1/cameras/{camera}/intervals")["intervals"]
    return [(one["status"], one["cause"]) for one in found]


def test_engine_tells_its_ledger(site: Site, tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        began = time.time()
        engine.put(site.configs(2, record=False), zone="Asia/Ho_Chi_Minh")
        wait_for(lambda: spans(engine)[-1:] == [("online", "none")], 15)
        assert spans(engine)[0] == ("unknown", "starting")
        site.fault("camera-1", "gone")
        wait_for(lambda: spans(engine)[-1] == ("refused", "connection_refused"), 20)
        (outage,) = asked(engine, "/v1/cameras/camera-1/outages")["outages"]
        assert (outage["lasts"], outage["causes"][-1]) == (True, "connection_refused")
        site.heal("camera-1")
        wait_for(lambda: spans(engine)[-1] == ("online", "none"), 20)
        (outage,) = asked(engine, "/v1/cameras/camera-1/outages")["outages"]
        assert not outage["lasts"]
        found = asked(engine, "/v1/rates?per=hour&by=camera&zone=Asia/Ho_Chi_Minh&facility=f1")
        totals = {
            camera: sum(one["outage_s"] for one in found["rates"] if one["camera"] == camera)
            for camera in ("camera-1", "camera-2")
        }
        assert totals == {"camera-1": pytest.approx(outage["away_s"]), "camera-2": 0}
        (standing,) = asked(engine, "/v1/cameras/camera-1/standings")["standings"]
        assert (standing["standing"], standing["lasts"], standing["who"]) == ("required", True, "")
        facility = asked(engine, "/v1/facilities/f1/rates")
        assert facility["worst"] == ["camera-1"]
        one = facility["cameras"][0]
        assert one["last_outage"] == outage
        assert one["week"]["required_s"] == pytest.approx(one["week"]["seconds"]["online"] + one["week"]["outage_s"] + one["week"]["unknown_s"])  # fmt: skip
        assert facility["month"]["cameras"] == 2
        notes = asked(engine, f"/v1/notes?start={round(began * 1e6) - 60_000_000}")["notes"]
        assert [one["kind"] for one in notes] == ["engine_start"]
        assert asked(engine, "/v1/ledger")["problem"] == ""

        copy = engine.state / "ledger-snapshot.db"
        assert engine.call("POST", "/v1/ledger/snapshot", {"path": str(copy)}) == (200, {})
        assert copy.stat().st_size > 0
        engine.process.kill()
        engine.process.wait(10)
        engine.start()
        engine.ready()
        wait_for(lambda: spans(engine)[-1] == ("online", "none"), 20)
        after = spans(engine)
        assert ("unknown", "not_watched") in after
        # A camera that is removed leaves; what was stays.
        engine.put(site.configs(1, record=False), zone="Asia/Ho_Chi_Minh")
        wait_for(lambda: len(asked(engine, "/v1/notes")["notes"]) == 2, 15)
        assert len(asked(engine, "/v1/facilities/f1/rates")["cameras"]) == 1
        assert spans(engine, "camera-2")
        engine.leave()
    assert main(["ledger", "verify", str(engine.state)]) == 0
    assert ask(engine.state, "SELECT count(*) FROM standing WHERE end_us = 0") == [(1,)]
    assert (engine.state / "ledger.db").stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_meant_is_refused(tmp_path: Path) -> None:
    cases: list[tuple[str, str, Any, int]] = [
        ("GET", "/v1/rates?by=colour", None, 400),
        ("GET", "/v1/rates?per=minute", None, 400),
        ("GET", "/v1/rates?zone=Mars/Olympus", None, 400),
        ("GET", "/v1/rates?zone=../../etc/passwd", None, 400),
        ("GET", "/v1/rates?start=-1", None, 400),
        ("GET", "/v1/rates?end=x", None, 400),
        ("GET", "/v1/facilities/none/rates", None, 404),
        ("GET", "/v1/cameras/none/intervals", None, 404),
        ("GET", "/v1/cameras/none/outages", None, 404),
        ("GET", "/v1/cameras/none/standings", None, 404),
        ("POST", "/v1/ledger/snapshot", b"x", 400),
        ("POST", "/v1/ledger/snapshot", {}, 400),
        ("POST", "/v1/ledger/snapshot", {"path": 1}, 400),
        ("POST", "/v1/ledger/snapshot", {"path": f"{tmp_path}/state/ledger.db"}, 400),
        ("POST", "/v1/ledger/snapshot", {"path": f"{tmp_path}/state/../ledger-snapshot"}, 400),
        ("POST", "/v1/ledger/snapshot", {"path": f"{tmp_path}/ledger-snapshot"}, 400),
    ]
    with Engine(tmp_path) as engine:
        wait_for(lambda: engine.call("GET", "/v1/notes")[0] == 200, 15)
        for method, path, body, status in cases:
            found, content = engine.call(method, path, body)
            assert (found, bool(content["error"])) == (status, True), path
        assert not list(tmp_path.rglob("ledger-snapshot*"))
