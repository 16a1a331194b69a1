"""Calls about the picture checks: what is asked and what is set is bounded."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.living import Engine, Site
from tests.engine.receiving import Rig, spec


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(1) as made:
        yield made


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as made:
        yield made


def test_what_is_asked_and_set_is_bounded(engine: Engine, site: Site) -> None:
    engine.put(site.configs(sensitivity="high", mask=[[0, 0, 0.5, 0.1]]))
    assert engine.call("POST", "/v1/cameras/camera-1/new_view")[0] == 200
    assert engine.call("POST", "/v1/cameras/nobody/new_view")[0] == 404
    for path in (f"{'0' * 24}/before", f"{'0' * 24}/between", "%2e%2e%2fengine.json/after"):
        assert engine.call("GET", f"/v1/evidence/{path}")[0] == 404
    status, figures = engine.call("GET", "/v1/picture_checks")
    assert status == 200
    assert figures["cameras"] == 1
    facility = {"name": "f", "archive": str(engine.archive), "archive_id": "A1", "days_to_keep": 30}
    for wrong in (
        {"sensitivity": "very"},
        {"sensitivity": 1},
        {"mask": "x"},
        {"mask": [[0, 0, 1]]},
        {"mask": [[0, 0, 1, 2]]},
        {"mask": [[0, 0, 1, "1"]]},
        {"mask": [[0, 0, 1, 1]] * 17},
    ):
        assert engine.call("PUT", "/v1/facilities/f1", {**facility, "cameras": site.configs(1, **wrong)})[0] == 400
    engine.put(site.configs(sensitivity="off"))
    assert engine.call("GET", "/v1/picture_checks")[1]["cameras"] == 0


async def test_a_camera_is_looked_at_while_it_is_ours(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one"), spec("two")]) as rig:
        examiner = rig.supervisor.examiner
        await rig.watch()
        assert examiner.figures()["cameras"] == 2
        await rig.supervisor.delete_facility("facility")
        assert examiner.figures()["cameras"] == 0
