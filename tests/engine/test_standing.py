"""What is asked of a camera: decided in one place, and planned work ends whatever the clock does."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from custom_components.facility_cameras.engine.api import CameraConfig, Cause, Maintenance, Standing
from custom_components.facility_cameras.engine.ledger.ledger import Ledger
from custom_components.facility_cameras.engine.ledger.reading import NEVER, Reading
from custom_components.facility_cameras.engine.standing import (
    LONGEST_MAINTENANCE_US,
    connects,
    readable,
    said,
    standing,
    why_off,
)
from custom_components.facility_cameras.engine.standings import Standings
from tests.engine.ledgers import Machine, ledger_in, settle
from tests.engine.receiving import config, spec

DAY_S = 86_400
WORK: Maintenance = {"since": 0, "until": 10, "reason": "lens", "who": "An"}


def camera(**changes: object) -> CameraConfig:
    return cast("CameraConfig", {**config(spec("c1"), "rtsp://127.0.0.1/main"), "connect_who": "Bình", **changes})


@pytest.mark.parametrize(
    ("changes", "maintenance", "asked", "words"),
    [
        ({}, None, Standing.REQUIRED, ("", "")),
        ({"required": None}, None, Standing.REQUIRED, ("", "")),
        ({"required": False}, None, Standing.NOT_REQUIRED, ("", "")),
        ({"required": False}, WORK, Standing.MAINTENANCE, ("lens", "An")),
        ({"connect": False}, WORK, Standing.DISCONNECTED, ("", "Bình")),
        ({"connect": False, "retired": True}, WORK, Standing.RETIRED, ("", "Bình")),
    ],
)
def test_what_is_asked(
    changes: dict[str, object], maintenance: Maintenance | None, asked: Standing, words: tuple[str, str]
) -> None:
    wanted = camera(**changes)
    assert standing(wanted, maintenance) is asked
    assert said(wanted, maintenance) == words
    assert connects(wanted) is (asked not in (Standing.DISCONNECTED, Standing.RETIRED))


def test_why_a_camera_is_left_in_peace() -> None:
    assert why_off(camera(connect=False)) is Cause.SWITCHED_OFF
    assert why_off(camera(connect=False, retired=True)) is Cause.RETIRED


@pytest.mark.parametrize(
    "found",
    [
        None,
        [],
        {},
        {**WORK, "until": 0},
        {**WORK, "until": LONGEST_MAINTENANCE_US + 1},
        {**WORK, "since": "0"},
        {**WORK, "who": None},
    ],
)
def test_what_was_saved_and_cannot_be_meant(found: object) -> None:
    assert readable(found) is None
    assert readable({**WORK, "more": 1}) == WORK


class Stage:
    """What is planned for one camera, and what the ledger was told."""

    def __init__(self, folder: Path, clock: Machine, ledger: Ledger) -> None:
        self.folder, self.clock, self.ledger = folder, clock, ledger
        self.told: list[str] = []
        self.standings = self.begin({})

    def begin(self, kept: dict[str, Maintenance]) -> Standings:
        self.standings = Standings(self.ledger, self.clock, kept, self.told.append)
        self.standings.put(camera(), "f1")
        return self.standings

    def plan(self, seconds: float) -> None:
        self.clock.now += 1
        self.standings.begin("c1", round((self.clock.utc() + seconds) * 1e6), "lens", "An")

    def under_way(self) -> bool:
        self.standings.tick()
        return self.standings.maintenance("c1") is not None

    def asked(self) -> list[tuple[str, str, str]]:
        settle(self.ledger)
        with Reading(self.folder / "ledger.db") as reading:
            return [(row.standing, row.reason, row.who) for row in reading.standings("c1", 0, NEVER)]

    def notes(self) -> list[tuple[str, object]]:
        settle(self.ledger)
        with Reading(self.folder / "ledger.db") as reading:
            return [(note["kind"], note["content"]) for note in reading.notes("f1", 0, NEVER, 100)]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    clock = Machine()
    with ledger_in(tmp_path, clock) as ledger:
        yield Stage(tmp_path, clock, ledger)


def test_maintenance_ends_by_itself_and_is_counted_apart(stage: Stage) -> None:
    stage.plan(3600)
    assert stage.told == ["c1"]
    stage.clock.now += 3599
    assert stage.under_way()
    stage.clock.now += 1
    assert not stage.under_way()
    assert stage.told == ["c1", "c1"]
    assert stage.asked() == [("required", "", ""), ("maintenance", "lens", "An"), ("required", "", "")]


def test_a_clock_that_is_set_back_does_not_prolong_it(stage: Stage) -> None:
    stage.plan(3600)
    stage.clock.offset -= 100 * DAY_S
    stage.clock.now += 3599
    assert stage.under_way()
    stage.clock.now += 1
    assert not stage.under_way()


def test_while_the_machine_is_suspended_the_wall_clock_counts(stage: Stage) -> None:
    stage.plan(3600)
    stage.clock.sleep(3600)
    assert not stage.under_way()


def test_a_restart_keeps_it(stage: Stage) -> None:
    stage.plan(3600)
    stage.clock.now += 600
    stage.begin(stage.standings.kept)
    assert stage.under_way()
    stage.clock.now += 3000
    assert not stage.under_way()
    assert stage.standings.kept == {}


def test_a_restart_with_a_clock_of_long_ago_keeps_it_no_longer_than_planned(stage: Stage) -> None:
    stage.plan(3600)
    kept = stage.standings.kept
    stage.clock.offset -= 1000 * DAY_S
    stage.begin(kept)
    stage.clock.now += 3599
    assert stage.under_way()
    stage.clock.now += 1
    assert not stage.under_way()


def test_it_ends_sooner(stage: Stage) -> None:
    stage.plan(3600)
    assert stage.standings.end("c1", "Chi")
    assert not stage.standings.end("c1", "Chi")
    assert not stage.under_way()
    assert stage.asked()[-1] == ("required", "", "")
    kind, content = stage.notes()[0]
    assert kind == "maintenance_ended"
    assert isinstance(content, dict)
    assert content["who"] == "Chi"


@pytest.mark.parametrize("seconds", [-1, 0, 30 * DAY_S + 1])
def test_an_end_that_cannot_be_meant(stage: Stage, seconds: float) -> None:
    with pytest.raises(ValueError, match="30 days"):
        stage.plan(seconds)
    assert not stage.under_way()


def test_who_switched_stands_in_the_ledger(stage: Stage) -> None:
    stage.clock.now += 1
    stage.standings.put(camera(connect=False), "f1")
    stage.standings.put(camera(connect=False), "f1")
    stage.standings.put(camera(connect=False, record=False, record_who="Dũng"), "f1")
    assert stage.asked() == [("required", "", ""), ("disconnected", "", "Bình")]
    assert [content for kind, content in stage.notes() if kind == "switched"] == [
        {"switch": "record", "on": False, "who": "Dũng"},
        {"switch": "connect", "on": False, "who": "Bình"},
    ]


def test_a_camera_that_was_removed_has_no_maintenance(stage: Stage) -> None:
    stage.plan(3600)
    stage.standings.forget("c1")
    assert not stage.under_way()
    assert stage.standings.kept == {}
