"""An outage is one: from the first time a camera is not connected to the next time it is, whatever happened in it."""

from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.api import Standing, Status
from custom_components.facility_cameras.engine.api_ledger import Outage
from custom_components.facility_cameras.engine.ledger.opening import FILE
from custom_components.facility_cameras.engine.ledger.outages import last_outage, outages
from custom_components.facility_cameras.engine.ledger.reading import NEVER, Reading
from tests.engine.archives import NOW_US
from tests.engine.ledgers import HOUR, SECOND_US, Machine, known, ledger_in, live, tally

ONLINE, AWAY = Status.ONLINE, Status.UNREACHABLE


def found(folder: Path, start: float = 0, end: float = 1 << 40) -> list[Outage]:
    with Reading(folder / FILE) as reading:
        return outages(reading, "c1", *(NOW_US + round(at * 1e6) for at in (start, end)))


def when(told: list[Outage]) -> list[tuple[float, float]]:
    return [tuple((at - NOW_US) / SECOND_US for at in (one["start"], one["end"])) for one in told]  # type: ignore[misc]


def intervals_of(folder: Path) -> list[tuple[float, float, str]]:
    return [(start, end, status) for start, end, status, _ in known(folder)]


def test_one_outage_has_its_causes_and_pictures(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        for status, cause, detail, evidence in (
            (Status.STALLED, "no_packets", "", "before-1"),
            (AWAY, "no_answer", "gateway answers", ""),
            (AWAY, "no_answer", "gateway answers", "after-1"),
            (Status.REFUSED, "connection_refused", "", ""),
            (AWAY, "no_answer", "", ""),
        ):
            ledger.tell("c1", status, cause, detail, evidence)
            live(ledger, clock, 10)
        (one,) = found(tmp_path)
        assert one["lasts"]
        # A frozen picture comes from a camera that is connected.
        live(ledger, clock, 100, Status.FROZEN)
    assert found(tmp_path) == [
        {
            "start": NOW_US + 100 * SECOND_US,
            "end": NOW_US + 150 * SECOND_US,
            "lasts": False,
            "away_s": 50,
            "unknown_s": 0,
            "statuses": ["stalled", "unreachable", "refused"],
            "causes": ["no_packets", "no_answer", "connection_refused"],
            "details": ["gateway answers"],
            "evidence": ["before-1", "after-1"],
        }
    ]


def test_it_begins_when_the_camera_went_not_when_that_was_noticed(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        ledger.tell("c1", Status.STALLED, "no_packets", since_us=NOW_US + 88 * SECOND_US)
        live(ledger, clock, 10)
        # Another cause of the same outage is told from now on.
        ledger.tell("c1", AWAY, "no_answer", since_us=NOW_US + 88 * SECOND_US)
        live(ledger, clock, 10)
        live(ledger, clock, 5, ONLINE)
        # Gone before it was there: since it was there.
        ledger.tell("c1", AWAY, "no_answer", since_us=NOW_US + 60 * SECOND_US)
        live(ledger, clock, 10)
        live(ledger, clock, 500, ONLINE)
        # Too long ago to be meant, and yet to come.
        for wrong_us in (NOW_US + 140 * SECOND_US, NOW_US + HOUR * SECOND_US):
            ledger.tell("c1", AWAY, "no_answer", since_us=wrong_us)
            live(ledger, clock, 10)
            live(ledger, clock, 200, ONLINE)
        assert intervals_of(tmp_path)[:3] == [(0, 88, "online"), (88, 110, "stalled"), (110, 135, "unreachable")]
    assert when(found(tmp_path)) == [(88, 135), (515, 645), (845, 855)]


def test_it_begins_no_earlier_than_our_clock_was_set(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, HOUR, ONLINE)
        clock.offset += 100
        ledger.beat()
        ledger.tell("c1", AWAY, "no_answer", since_us=NOW_US + (HOUR + 10) * SECOND_US)
        live(ledger, clock, 10)
    ((start, _),) = when(found(tmp_path))
    assert start == HOUR + 100


def test_what_nobody_observed_neither_begins_nor_ends_one(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 50, Status.UNKNOWN)
        live(ledger, clock, 50, ONLINE)
        live(ledger, clock, 100, AWAY)
    clock.now += 30
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 20, Status.UNKNOWN)
        assert found(tmp_path)[0]["lasts"]
        live(ledger, clock, 100, AWAY)
        live(ledger, clock, 40, Status.UNKNOWN)
        # It may be over, for all that is known: the time is not counted.
        assert when(found(tmp_path)) == [(100, 350)]
        live(ledger, clock, 40, ONLINE)
        live(ledger, clock, 40, Status.UNKNOWN)
    (one,) = found(tmp_path)
    assert when([one]) == [(100, 350)]
    assert (one["away_s"], one["unknown_s"], one["lasts"]) == (200, 50, False)
    assert tally(tmp_path).outages == 1


@pytest.mark.parametrize("standing", [Standing.MAINTENANCE, Standing.DISCONNECTED, Standing.NOT_REQUIRED])
@pytest.mark.parametrize("repaired", [False, True])
def test_what_was_not_asked_does_not_count(tmp_path: Path, standing: Standing, *, repaired: bool) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        ledger.stand("c1", standing)
        live(ledger, clock, 100, AWAY)
        live(ledger, clock, 100, ONLINE)
        ledger.stand("c1", Standing.REQUIRED)
        assert found(tmp_path) == []
        live(ledger, clock, 100, AWAY)
        ledger.stand("c1", standing)
        live(ledger, clock, 100)
        if repaired:
            live(ledger, clock, 10, ONLINE)
        ledger.stand("c1", Standing.REQUIRED)
        live(ledger, clock, 50, AWAY)
    ends = [(300, 400), (510, 560)] if repaired else [(300, 550)]
    assert when(found(tmp_path)) == ends
    assert sum(one["away_s"] for one in found(tmp_path)) == 150
    assert tally(tmp_path).outages == len(ends)


def test_unstable_camera_is_in_one_outage_of_which_only_its_absence_counts(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        for at in range(600):
            ledger.tell("c1", Status.UNSTABLE, "connection_lost", "30 times", connected_us=at * 900_000)
            clock.now += 1
            ledger.beat()
        ledger.tell("c1", Status.UNSTABLE, "connection_lost", "30 times", connected_us=600 * 900_000)
        live(ledger, clock, 100, ONLINE)
    (one,) = found(tmp_path)
    assert when([one]) == [(100, 700)]
    assert one["away_s"] == pytest.approx(60)


def test_those_that_touch_a_time_are_told_whole(tmp_path: Path) -> None:
    clock, day = Machine(), 24 * HOUR
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, HOUR, ONLINE)
        live(ledger, clock, 10 * day, AWAY)
        live(ledger, clock, day, ONLINE)
        live(ledger, clock, HOUR, AWAY)
        live(ledger, clock, 40 * day, ONLINE)
    long, short = (HOUR, HOUR + 10 * day), (HOUR + 11 * day, 2 * HOUR + 11 * day)
    assert when(found(tmp_path)) == [long, short]
    assert when(found(tmp_path, 5 * day, 5 * day + 1)) == [long]
    assert when(found(tmp_path, long[1] - 1, short[0] + 1)) == [long, short]
    assert when(found(tmp_path, long[1], short[0])) == []
    with Reading(tmp_path / FILE) as reading:
        last = last_outage(reading, "c1")
        assert last is not None
        assert when([last]) == [short]
        assert last_outage(reading, "c2") is None


def test_outage_of_a_camera_that_was_removed_lasts_no_more(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, AWAY)
        assert found(tmp_path)[0]["lasts"]
        ledger.gone("c1")
        live(ledger, clock, 0)
        assert not found(tmp_path)[0]["lasts"]
        live(ledger, clock, 100)
    with Reading(tmp_path / FILE) as reading:
        assert when(outages(reading, "c1", 0, NEVER)) == [(0, 100)]
