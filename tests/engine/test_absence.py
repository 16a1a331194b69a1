"""A camera that is gone for a minute, or for a month: nothing piles up, and it is back as after a minute."""

import asyncio
from collections.abc import Callable, Iterator
import gc
import json
import logging
from pathlib import Path
import sys
from typing import cast

import pytest

from custom_components.facility_cameras.engine.api import CameraConfig, CameraState
from custom_components.facility_cameras.engine.archive.volume import MARKER
from custom_components.facility_cameras.engine.camera import BACK_OFF_S
from custom_components.facility_cameras.engine.camera_log import AGAIN_S, LINES_AN_HOUR, CameraLog
from custom_components.facility_cameras.engine.supervisor import Supervisor
from tests.engine.living import Site
from tests.engine.skipping import SkippingLoop

MINUTE, MONTH = 60.0, 30 * 86_400.0
#: A camera that answers again is back within 10 s (DESIGN); some room for a busy machine.
BACK_S = 14.0


class Tries:
    """The waits between tries, without remembering each."""

    def __init__(self) -> None:
        self.count = 0
        self.least, self.most = float("inf"), 0.0
        self._last = 0.0

    def take(self, now: float) -> None:
        """A connection is tried."""
        self.count += 1
        # The first ones come sooner: the camera may only have stumbled.
        if self.count > len(BACK_OFF_S) + 2:
            self.least = min(self.least, now - self._last)
        if self.count > 1:
            self.most = max(self.most, now - self._last)
        self._last = now


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(1) as site:
        yield site


@pytest.mark.parametrize("absence", [MINUTE, MONTH], ids=["minute", "month"])
def test_a_camera_that_was_gone_is_back_by_itself(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture, absence: float
) -> None:
    caplog.set_level(logging.INFO)
    (config,) = site.configs(1)
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, SkippingLoop)
        runner.run(_absence(loop, site, cast("CameraConfig", config), tmp_path, absence))
    lines = [line for line in caplog.messages if line.startswith("camera ")]
    assert len(lines) <= 4 + absence / AGAIN_S, lines[:20]


async def _absence(loop: SkippingLoop, site: Site, config: CameraConfig, folder: Path, absence: float) -> None:
    supervisor, states = _supervisor(folder, loop)
    await supervisor.put_facility(
        {
            "id": "facility",
            "name": "Facility",
            "archive": str(folder / "footage"),
            "archive_id": "ours",
            "days_to_keep": 15,
            "quota_bytes": 0,
            "least_days": 0,
            "zone": "UTC",
            "cameras": [config],
        }
    )
    camera = supervisor.camera(config["id"])
    assert camera is not None

    async def until(condition: Callable[[], bool], what: str) -> None:
        began = loop.time()
        while not condition():
            assert loop.time() - began < BACK_S, f"not {what} within {BACK_S} s: {states[-1]}"
            await asyncio.sleep(0.02)

    try:
        await until(lambda: states[-1]["status"] == "online", "online")
        site.fault(config["id"], "gone")
        await until(lambda: states[-1]["status"] == "refused", "refused")
        told, tries = len(states), Tries()
        loop.on_connect = tries.take
        with loop.leaping():
            await asyncio.sleep(MINUTE / 2)
            gc.collect()
            before = sys.getallocatedblocks()
            await asyncio.sleep(absence - MINUTE / 2)
            gc.collect()
            grown = sys.getallocatedblocks() - before
        assert len(states) == told, "something was told although nothing changed"
        assert tries.count > absence / (BACK_OFF_S[-1] + 0.5)
        assert tries.least > 0.6 * BACK_OFF_S[-1]
        assert tries.most < BACK_OFF_S[-1] + 0.5
        assert grown < 2_000, "memory grows with the absence"

        site.heal(config["id"])
        await until(lambda: states[-1]["status"] == "online", "online")
        assert camera.feed.group, "online before a key picture came"
        assert camera.feed.group[0].key
        assert [state["status"] for state in states[told:]] == ["online"]
        recorded = states[-1]["recorded_s"]
        await until(lambda: camera.state()["recorded_s"] > recorded, "recorded")
    finally:
        site.heal(config["id"])
        await supervisor.close()


def _supervisor(folder: Path, loop: SkippingLoop) -> tuple[Supervisor, list[CameraState]]:
    """An engine's supervisor on simulated time, and what it tells."""
    for name in ("footage", "state"):
        (folder / name).mkdir()
    (folder / "footage" / MARKER).write_text(json.dumps({"id": "ours"}))
    supervisor = Supervisor(folder / "state", loop)
    states: list[CameraState] = []
    supervisor.on_changed = states.append
    return supervisor, states


def test_a_camera_that_fails_in_turns_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = CameraLog("gate")
    hours = 5
    for second in range(0, hours * 3600, 5):
        log.tell("refused" if second % 10 else "no_answer", float(second))
    assert len(caplog.records) == hours * LINES_AN_HOUR
    counted = sum(int(line.partition("(")[2].split()[0]) for line in caplog.messages if "(" in line)
    assert counted + len(caplog.records) > (hours - 1) * 720, "what is left out is counted"


def test_the_same_for_days_is_said_once_a_day(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    log = CameraLog("gate")
    for minute in range(3 * 24 * 60):
        log.tell("no_answer host=192.0.2.1", minute * MINUTE)
    assert caplog.messages == [
        "camera gate: no_answer host=192.0.2.1",
        "camera gate: no_answer host=192.0.2.1 (1439 more since the last line)",
        "camera gate: no_answer host=192.0.2.1 (1439 more since the last line)",
    ]
