"""The connect switch with real cameras: off, nothing at all reaches the camera, and no other is touched."""

from collections.abc import Iterator
import logging
from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.ledger.outages import outages
from custom_components.facility_cameras.engine.ledger.reading import NEVER, Reading
from tests.engine.living import Engine, Site
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
    tmp_path: Path, caplog: pytest.LogCaptureFixture, changes: dict[str, bool], cause: str
) -> None:
    async with Rig(tmp_path, [spec("one"), spec("two")]) as rig:
        await rig.watch()
        await rig.recorded("one", 1)
        await rig.recorded("two", 1)
        other = rig.supervisor.camera("two")
        assert other is not None
        sessions = set(rig.site.camera("two").sessions)
        one = rig.site.camera("one")
        caplog.clear()
        with caplog.at_level(logging.INFO):
            await rig.switch("one", **changes)
            state = rig.state("one")
            assert (state["status"], state["problem"]["cause"]) == ("disconnected", cause)
            assert state["duty"] == "off"
            assert not state["recording_wanted"]
            await rig.until(lambda: not one.connections, 5, "the session ends")
            # Whatever somebody asks of the engine: nothing is tried.
            left = rig.supervisor.camera("one")
            assert left is not None
            left.retry()
            await rig.recorded("two", 5)
            assert not one.connections
            heard = [record.message for record in caplog.records if "one" in record.message]
        assert not heard
        assert rig.supervisor.camera("two") is other
        assert set(rig.site.camera("two").sessions) == sessions
        assert rig.state("one")["reconnects"] == 0
        # Over a restart too.
        await rig.restart()
        await rig.recorded("two", 1)
        assert rig.state("one")["status"] == "disconnected"
        assert not one.connections
        await rig.switch("one", connect=True, retired=False)
        await rig.status("one", "online", 15)
        await rig.recorded("one", 1)
        await rig.stop()
        with Reading(tmp_path / "state" / "ledger.db") as reading:
            found = outages(reading, "one", 0, NEVER)
            asked = [row.standing for row in reading.standings("one", 0, NEVER)]
        assert not found, "in no moment was it required and switched off"
        off = "retired" if "retired" in changes else "disconnected"
        assert asked[0] == asked[-1] == "required"
        assert set(asked[1:-1]) == {off}
