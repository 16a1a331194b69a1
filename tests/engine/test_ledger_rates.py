"""Rates of cameras, places, facilities and the hub, of any time in any zone: computed from raw intervals alone."""

from collections import Counter
from datetime import UTC, datetime, timedelta
import itertools
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from custom_components.facility_cameras.engine.api import Standing, Status
from custom_components.facility_cameras.engine.api_ledger import Rate
from custom_components.facility_cameras.engine.ledger import rates as module
from custom_components.facility_cameras.engine.ledger.opening import FILE
from custom_components.facility_cameras.engine.ledger.rates import rate, rates
from custom_components.facility_cameras.engine.ledger.reading import NEVER, Reading
from custom_components.facility_cameras.engine.ledger.sensors import sensors
from custom_components.facility_cameras.engine.ledger.spans import PERS, spans, zone_of
from tests.engine.archives import NOW_US
from tests.engine.ledgers import HOUR, SECOND_US, Machine, ledger_in, live

ONLINE, AWAY = Status.ONLINE, Status.UNREACHABLE
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


def given(folder: Path, start: float = 0, end: float = 1 << 40, **how: object) -> list[Rate]:
    with Reading(folder / FILE) as reading:
        found = rates(reading, *(NOW_US + round(at * 1e6) for at in (start, end)), **how)  # type: ignore[arg-type]
        return [rate(one) for one in found]


def test_definition(tmp_path: Path) -> None:
    """Observed-online time / observed time required; everything else stands beside it."""
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 500, ONLINE)
        live(ledger, clock, 100, AWAY)
        live(ledger, clock, 50, Status.REFUSED)
        for status in (Status.FROZEN, Status.BLACK, Status.COVERED, Status.MOVED):
            live(ledger, clock, 25, status)
        live(ledger, clock, 250, ONLINE)
        live(ledger, clock, 200, AWAY)
        live(ledger, clock, 30, Status.UNKNOWN)
        for standing, seconds in ((Standing.MAINTENANCE, 70), (Standing.DISCONNECTED, 80), (Standing.NOT_REQUIRED, 90)):
            ledger.stand("c1", standing)
            live(ledger, clock, seconds, AWAY)
    (found,) = given(tmp_path)
    assert found["seconds"] == {
        "online": 750, "unreachable": 300, "refused": 50, "frozen": 25, "black": 25, "covered": 25, "moved": 25,
        "unknown": 30,
    }  # fmt: skip
    wanted = {
        "required_s": 1230, "observed_s": 1200, "online_s": 850, "picture_trouble_s": 100, "unknown_s": 30,
        "maintenance_s": 70, "disconnected_s": 80, "not_required_s": 90, "rate": 850 / 1200, "collecting": False,
        "outages": 2, "outage_s": 350, "longest_outage_s": 200, "mtbf_s": 425, "mttr_s": 175, "cameras": 1,
        "camera": "c1", "facility": None, "place": None, "name": "C1",
    }  # fmt: skip
    assert {name: found[name] for name in wanted} == wanted  # type: ignore[literal-required]
    assert (found["start"], found["end"]) == (NOW_US, NOW_US + 1470 * SECOND_US)


def test_too_little_was_observed_to_judge_by(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 101, Status.UNKNOWN)
        live(ledger, clock, 100, ONLINE)
        assert given(tmp_path)[0]["collecting"]
        live(ledger, clock, 1)
    assert not given(tmp_path)[0]["collecting"]
    assert given(tmp_path, 0, 100)[0]["rate"] is None
    assert given(tmp_path, 0, 100)[0]["collecting"]


def test_places_facilities_and_hub_are_sums_of_their_cameras(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock) as ledger:
        for number, (facility, place) in enumerate((("f1", "gate"), ("f1", "yard"), ("f1", "gate"), ("f2", "gate"))):
            ledger.describe(f"c{number}", f"C{number}", facility, place)
            ledger.stand(f"c{number}", Standing.REQUIRED)
        for turn in range(40):
            for number in range(4):
                ledger.tell(f"c{number}", ONLINE if turn % (number + 2) else AWAY, "x")
            live(ledger, clock, 10)
    cameras = given(tmp_path)
    places = {(one["facility"], one["place"]): one for one in given(tmp_path, by="place")}
    facilities = {one["facility"]: one for one in given(tmp_path, by="facility")}
    (hub,) = given(tmp_path, by="hub")
    assert set(places) == {("f1", "gate"), ("f1", "yard"), ("f2", "gate")}
    for group, members in (
        (places["f1", "gate"], (0, 2)),
        (places["f1", "yard"], (1,)),
        (facilities["f1"], (0, 1, 2)),
        (facilities["f2"], (3,)),
        (hub, (0, 1, 2, 3)),
    ):
        of = [cameras[number] for number in members]
        assert group["cameras"] == len(of)
        assert group["required_s"] == 400 * len(of)
        assert group["outages"] == sum(one["outages"] for one in of)
        assert group["online_s"] == sum(one["online_s"] for one in of)
        assert group["rate"] == sum(one["online_s"] for one in of) / sum(one["observed_s"] for one in of)
        assert group["longest_outage_s"] == max(one["longest_outage_s"] for one in of)
    assert [one["camera"] for one in given(tmp_path, facility="f2")] == ["c3"]
    assert given(tmp_path, by="hub", facility="f1")[0]["online_s"] == facilities["f1"]["online_s"]
    assert given(tmp_path, by="place", facility="f2") == [places["f2", "gate"]]
    assert not given(tmp_path, facility="f3")


def test_camera_that_moves_counts_where_it_was(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, AWAY)
        # Another name is no move: its outage stays one.
        ledger.describe("c1", "Cổng", "f1", "gate")
        live(ledger, clock, 100)
        ledger.describe("c1", "Cổng", "f1", "yard")
        live(ledger, clock, 50, ONLINE)
        ledger.describe("c1", "Cổng", "f2", "yard")
        live(ledger, clock, 25)
        ledger.describe("c1", "Cổng", "f1", "yard")
        live(ledger, clock, 5)
    places = {(one["facility"], one["place"]): one for one in given(tmp_path, by="place")}
    assert {key: one["required_s"] for key, one in places.items()} == {
        ("f1", "gate"): 200, ("f1", "yard"): 55, ("f2", "yard"): 25,
    }  # fmt: skip
    assert places["f1", "gate"]["outages"] == 1
    facilities = {one["facility"]: one for one in given(tmp_path, by="facility")}
    assert {key: (one["cameras"], one["required_s"]) for key, one in facilities.items()} == {
        "f1": (1, 255), "f2": (1, 25),
    }  # fmt: skip
    (camera,) = given(tmp_path)
    assert (camera["name"], camera["required_s"], camera["outages"]) == ("Cổng", 280, 1)


def test_cameras_that_are_gone_leave_today_and_stay_in_the_past(tmp_path: Path) -> None:
    clock = Machine()
    cameras = ["c1", "c2", "c3"]
    with ledger_in(tmp_path, clock, *cameras) as ledger:
        for camera in cameras:
            ledger.tell(camera, AWAY if camera != "c1" else ONLINE, "x")
        live(ledger, clock, 20 * HOUR)
        ledger.gone("c2")
        ledger.stand("c3", Standing.RETIRED, "sold", "An")
        live(ledger, clock, 3 * HOUR)
        with Reading(tmp_path / FILE) as reading:
            today = sensors(reading, "f1", ["c1", "c3"], "UTC")
        live(ledger, clock, 11 * HOUR)
    # NOW_US is midnight.
    yesterday, now = given(tmp_path, per="day", by="hub")
    assert (yesterday["cameras"], yesterday["rate"]) == (3, 24 / (24 + 20 + 20))
    assert (now["cameras"], now["rate"]) == (1, 1.0)
    assert len(given(tmp_path, 24 * HOUR)) == 1
    assert (today["today"]["cameras"], today["today"]["rate"]) == (1, 1.0)
    assert today["week"]["cameras"] == 3
    assert today["worst"] == []


def test_what_the_sensors_show(tmp_path: Path) -> None:
    clock = Machine()
    cameras = ["c1", "c2", "c3", "c4"]
    with ledger_in(tmp_path, clock, *cameras) as ledger:
        # Hanoi's day begins at 17:00 UTC.
        for camera in cameras:
            ledger.tell(camera, ONLINE, "none")
        live(ledger, clock, 16 * HOUR)
        ledger.tell("c2", AWAY, "no_answer", evidence="e1")
        live(ledger, clock, 2 * HOUR)
        ledger.tell("c2", ONLINE, "none")
        ledger.tell("c3", Status.REFUSED, "connection_refused")
        live(ledger, clock, HOUR)
        with Reading(tmp_path / FILE) as reading:
            found = sensors(reading, "f1", ["c1", "c2", "c3", "new"], "Asia/Ho_Chi_Minh")
            nowhere = sensors(reading, "f1", ["c1"], "Mars/Olympus")
    c1, c2, c3, new = found["cameras"]
    assert (c1["today"]["rate"], c1["last_outage"]) == (1.0, None)
    assert (c2["today"]["outages"], c2["today"]["outage_s"], c2["today"]["required_s"]) == (1, HOUR, 2 * HOUR)
    assert (c2["week"]["outage_s"], c2["month"]["longest_outage_s"]) == (2 * HOUR, 2 * HOUR)
    assert c2["last_outage"] is not None
    assert (c2["last_outage"]["away_s"], c2["last_outage"]["lasts"], c2["last_outage"]["evidence"]) == (
        2 * HOUR,
        False,
        ["e1"],
    )
    assert c3["last_outage"] is not None
    assert (c3["last_outage"]["lasts"], c3["today"]["rate"]) == (True, 0.5)
    assert (new["today"]["rate"], new["today"]["required_s"], new["last_outage"]) == (None, 0, None)
    assert found["worst"] == ["c2", "c3"]
    assert found["today"]["cameras"] == 3
    assert nowhere["cameras"][0]["today"]["required_s"] == 19 * HOUR


def test_too_many_figures_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1", "c2") as ledger:
        live(ledger, clock, 1, ONLINE)
        clock.sleep(100 * HOUR)
        live(ledger, clock, 10)
    monkeypatch.setattr(module, "MOST", 100)
    assert given(tmp_path, per="day")
    # The hours before there was a ledger are none.
    assert len(given(tmp_path, -1_000_000_000, 90 * HOUR, per="hour", by="hub", zone=HANOI)) == 90
    with pytest.raises(ValueError, match="more than 100"):
        given(tmp_path, per="hour")


@pytest.mark.parametrize(
    "name",
    ["Asia/Ho_Chi_Minh", "Europe/Berlin", "America/Havana", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu",
     "America/Santiago", "Pacific/Apia", "UTC"],
)  # fmt: skip
@pytest.mark.parametrize("per", PERS)
def test_calendar_of_a_zone(name: str, per: str) -> None:
    """Every quarter of an hour lies in the span of its own local hour, day, week or month, and spans leave none out."""
    zone = zone_of(name)
    # Pacific/Apia left out a whole day at the end of 2011.
    start = datetime(2011, 11, 28, 6, 15, tzinfo=UTC)
    start_us = round(start.timestamp()) * SECOND_US
    end_us = start_us + 400 * 24 * HOUR * SECOND_US
    found = list(spans(start_us, end_us, per, zone))
    assert (found[0][0], found[-1][1]) == (start_us, end_us)
    assert all(before[1] == after[0] and before[0] < before[1] for before, after in itertools.pairwise(found))
    if per == "span":
        assert len(found) == 1
        return
    labels = []
    for begin_us, stop_us in found:
        inside = set()
        for at_us in range(-(-begin_us // (900 * SECOND_US)) * 900 * SECOND_US, stop_us, 900 * SECOND_US):
            local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).astimezone(zone)
            inside.add(_label(local, per))
        assert len(inside) == 1, (begin_us, inside)
        labels.append(inside.pop())
    if per != "hour":
        assert labels == sorted(set(labels))
    else:
        # Where clocks are put back, one hour's name is two spans.
        assert sum(count - 1 for count in Counter(labels).values()) <= 4


def _label(local: datetime, per: str) -> tuple[int, ...]:
    match per:
        case "hour":
            return local.year, local.month, local.day, local.hour
        case "day":
            return local.year, local.month, local.day
        case "week":
            return tuple(local.isocalendar())[:2]
    return local.year, local.month


def test_days_of_23_and_25_hours(tmp_path: Path) -> None:
    clock = Machine()
    # 2026-10-24 00:00 in Berlin; clocks are put back on the 25th.
    clock.offset = datetime(2026, 10, 24, tzinfo=ZoneInfo("Europe/Berlin")).timestamp() - clock.now
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 3 * 24 * HOUR, ONLINE)
        clock.sleep(150 * 24 * HOUR)
        live(ledger, clock, 3 * 24 * HOUR)
    with Reading(tmp_path / FILE) as reading:
        found = rates(reading, 0, NEVER, per="day", zone=ZoneInfo("Europe/Berlin"))
    hours = [sum(one.tally.statuses.values()) / 3600e6 for one in found]
    assert hours[:4] == [24, 25, 24, 24]
    assert hours.count(23) == 1
    assert sum(hours) == 156 * 24
