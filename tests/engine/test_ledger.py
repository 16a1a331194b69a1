"""Promise I5: every change is an interval, what nobody watched is unknown, and a clock step neither overlaps nor invents."""

import json
from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.api import Standing, Status
from custom_components.facility_cameras.engine.ledger import ledger as module
from custom_components.facility_cameras.engine.ledger.opening import FILE
from custom_components.facility_cameras.engine.ledger.reading import NEVER, Reading
from custom_components.facility_cameras.engine.ledger.shown import verify
from tests.engine.archives import NOW_US
from tests.engine.ledgers import HOUR, SECOND_US, Machine, ask, known, ledger_in, live, settle, tally

ONLINE, AWAY, UNKNOWN = Status.ONLINE, Status.UNREACHABLE, "unknown"


def notes(folder: Path, kind: str) -> list[dict[str, object]]:
    with Reading(folder / FILE) as reading:
        return [one["content"] for one in reading.notes("", 0, NEVER, 1000) if one["kind"] == kind]


def sound(folder: Path) -> bool:
    """Nothing overlaps, nothing is told of a time in which no watch ran."""
    with Reading(folder / FILE) as reading:
        return not list(verify(reading))


def test_changes_are_rows_and_telling_again_costs_nothing(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        for seconds, status, detail in ((60, ONLINE, ""), (100, AWAY, ""), (50, AWAY, "camera"), (30, ONLINE, "")):
            for _ in range(seconds):
                ledger.tell("c1", status, "none" if status == ONLINE else "no_answer", detail)
                ledger.tell("c1", status, "none" if status == ONLINE else "no_answer")
                settle(ledger)
                clock.now += 1
        settle(ledger)
        assert known(tmp_path) == [
            (0, 60, "online", "none"),
            (60, 210, "unreachable", "no_answer"),
            (210, 240, "online", "none"),
        ]
        rows = ask(tmp_path, "SELECT start_us, end_us, detail FROM state")
        assert [((start - NOW_US) // SECOND_US, detail) for start, _, detail in rows] == [
            (0, ""), (60, ""), (160, "camera"), (210, ""),
        ]  # fmt: skip
        assert [end for _, end, _ in rows] == [*(start for start, *_ in rows[1:]), 0]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_heartbeat_is_written_every_ten_seconds_and_nothing_else(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 1, ONLINE)
        ledger._wake.clear()
        asked = 0
        for _ in range(100):
            clock.now += 1
            ledger.tell("c1", ONLINE, "none")
            ledger.beat()
            asked += ledger._wake.is_set()
            ledger._wake.clear()
        assert asked == 10


def test_after_a_crash_a_row_ends_at_the_last_heartbeat(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        clock.now += 7
    clock.now += 200
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 50, AWAY)
        assert known(tmp_path) == [
            (0, 100, "online", "none"),
            (100, 307, UNKNOWN, "not_watched"),
            (307, 357, "unreachable", "no_answer"),
        ]
        assert ask(tmp_path, "SELECT count(*) FROM state WHERE end_us = 0") == [(1,)]
    # Nothing is required twice, nor asked anew, because an engine began.
    assert ask(tmp_path, "SELECT count(*) FROM standing") == [(1,)]
    assert ask(tmp_path, "SELECT count(*) FROM belonging") == [(1,)]
    assert sound(tmp_path)


def test_camera_that_was_removed_while_no_engine_ran(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1", "c2") as ledger:
        live(ledger, clock, 100, ONLINE)
    clock.now += 200
    with ledger_in(tmp_path, clock, "c1") as ledger:
        ledger.only()
        live(ledger, clock, 100, ONLINE)
    assert [one[:3] for one in known(tmp_path)] == [(0, 100, "online"), (100, 300, UNKNOWN), (300, 400, "online")]
    assert [one[:3] for one in known(tmp_path, "c2")] == [(0, 100, UNKNOWN)]


def test_camera_that_is_removed_and_comes_back(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        ledger.gone("c1")
        live(ledger, clock, 100)
        ledger.describe("c1", "C1", "f1", "gate")
        ledger.stand("c1", Standing.REQUIRED)
        live(ledger, clock, 50, ONLINE)
    assert [one[:3] for one in known(tmp_path)] == [(0, 100, "online"), (200, 250, "online")]


def test_hub_itself_was_the_reason(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1", "c2") as ledger:
        live(ledger, clock, 100, ONLINE)
        live(ledger, clock, 100, AWAY)
        live(ledger, clock, 100, ONLINE)
        # What is to come is not known, whoever says so.
        for start, end in ((90, 150), (140, 210), (400, 300), (295, 9999)):
            ledger.hub_away(NOW_US + start * SECOND_US, NOW_US + end * SECOND_US, "own_network")
        live(ledger, clock, 1)
        with pytest.raises(ValueError, match="never was"):
            ledger.hub_away(NOW_US, NOW_US + 1, "clock")
    assert known(tmp_path) == [
        (0, 90, "online", "none"),
        (90, 210, UNKNOWN, "own_network"),
        (210, 295, "online", "none"),
        (295, 300, UNKNOWN, "own_network"),
        (300, 301, "online", "none"),
    ]
    assert tally(tmp_path).outages == 0
    assert ask(tmp_path, "SELECT count(*), min(end_us - start_us) FROM away") == [(3, 5 * SECOND_US)]


def test_unstable_counts_pro_rata(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        for at in range(3 * HOUR):
            ledger.tell("c1", Status.UNSTABLE, "connection_lost", connected_us=at * 750_000)
            clock.now += 1
            ledger.beat()
        ledger.tell("c1", Status.UNSTABLE, "connection_lost", connected_us=3 * HOUR * 750_000)
        live(ledger, clock, 100, ONLINE)
    # A row an hour, so that what is over is over.
    assert ask(tmp_path, "SELECT count(*) FROM state WHERE status = 'unstable'") == [(4,)]
    found = tally(tmp_path)
    assert found.online_us == pytest.approx((200 + 3 * HOUR * 0.75) * 1e6, abs=2)
    assert found.outages == 1
    assert found.outage_us == pytest.approx(3 * HOUR * 0.25 * 1e6, abs=2)
    assert found.observed_us == found.online_us + found.outage_us
    half = tally(tmp_path, 100 + HOUR / 2, 100 + HOUR)
    assert half.online_us == pytest.approx(HOUR / 2 * 0.75e6, rel=1e-6)


def test_camera_that_is_unstable_twice_over_an_hours_end(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        for _ in range(2):
            live(ledger, clock, HOUR - 600, ONLINE)
            for second in range(0, 1201, 100):
                ledger.tell("c1", Status.UNSTABLE, "lost", connected_us=second // 2 * SECOND_US)
                live(ledger, clock, 100 if second < 1200 else 0)
            live(ledger, clock, HOUR - 600, Status.REFUSED)
    rows = ask(tmp_path, "SELECT connected_us / 1000000 FROM state WHERE status = 'unstable' ORDER BY start_us")
    assert rows == [(300,)] * 4


def test_who_asked_what_when(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 10, ONLINE)
        ledger.stand("c1", Standing.MAINTENANCE, "paint", "An")
        live(ledger, clock, 10)
    clock.now += 10
    with ledger_in(tmp_path, clock) as ledger:
        # An engine that begins says again what is so.
        ledger.describe("c1", "C1", "f1", "gate")
        ledger.stand("c1", Standing.MAINTENANCE)
        live(ledger, clock, 10, ONLINE)
        ledger.stand("c1", Standing.DISCONNECTED, "", "Binh")
        ledger.note("switch", "f1", "c1", {"who": "Binh", "how": "person"})
        live(ledger, clock, 10)
    rows = ask(tmp_path, "SELECT standing, reason, who FROM standing")
    assert rows == [("required", "", ""), ("maintenance", "paint", "An"), ("disconnected", "", "Binh")]
    assert notes(tmp_path, "switch") == [{"who": "Binh", "how": "person"}]
    found = tally(tmp_path)
    assert {name: us // SECOND_US for name, us in found.standings.items()} == {
        "required": 10, "maintenance": 30, "disconnected": 10,
    }  # fmt: skip


def test_notes_and_texts_are_bounded(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        with pytest.raises(ValueError, match="at most"):
            ledger.note("x", "", "", {"x": "y" * module.CONTENT})
        ledger.tell("c1", AWAY, "c" * 9999, "d" * 9999, "e" * 9999)
        ledger.tell("c1", AWAY, "c" * 9999, "d" * 9999, "e" * 9999)
        settle(ledger)
    ((cause, detail, evidence),) = ask(tmp_path, "SELECT cause, detail, evidence FROM state")
    assert (len(cause), len(detail), len(evidence)) == (module.SHORT, module.LONG, module.SHORT)


def test_snapshot_is_one_whole_file(tmp_path: Path) -> None:
    clock = Machine()
    copy = tmp_path / "ledger-snapshot.db"
    with ledger_in(tmp_path / "state", clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        copy.write_bytes(b"an older one")
        ledger.snapshot(copy)
        live(ledger, clock, 100)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["state", copy.name] or len(list(tmp_path.iterdir())) == 2
    copy.rename(tmp_path / FILE)
    assert known(tmp_path) == [(0, 100, "online", "none")]
    assert json.dumps(notes(tmp_path, "clock")) == "[]"
