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


@pytest.mark.parametrize("hours", [3, 24 * 365])
def test_suspended_machine_is_unknown_for_as_long_as_it_slept(tmp_path: Path, hours: int) -> None:
    clock, slept = Machine(), hours * HOUR
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        clock.sleep(slept)
        clock.now += 1
        live(ledger, clock, 100)
        assert known(tmp_path) == [
            (0, 101, "online", "none"),
            (101, 101 + slept, UNKNOWN, "suspended"),
            (101 + slept, 201 + slept, "online", "none"),
        ]
        assert tally(tmp_path).statuses == {"online": 201 * SECOND_US, "unknown": slept * SECOND_US}
    assert notes(tmp_path, "suspended")
    assert not notes(tmp_path, "clock")


def test_engine_that_stood_still_watched_nothing(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        clock.now += 29
        live(ledger, clock, 1)
        clock.now += 300
        live(ledger, clock, 100)
    assert known(tmp_path) == [
        (0, 130, "online", "none"),
        (130, 430, UNKNOWN, "stalled"),
        (430, 530, "online", "none"),
    ]


@pytest.mark.parametrize("step", [HOUR, 365 * 24 * HOUR])
def test_clock_set_forward_invents_no_time(tmp_path: Path, step: int) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        clock.offset += step
        clock.now += 1
        live(ledger, clock, 99)
    assert known(tmp_path) == [(0, 101, "online", "none"), (101 + step, 200 + step, "online", "none")]
    assert tally(tmp_path).statuses == {"online": 200 * SECOND_US}
    assert notes(tmp_path, "clock") == [
        {"before": NOW_US + 101 * SECOND_US, "after": NOW_US + (101 + step) * SECOND_US, "how": "forward"}
    ]
    assert sound(tmp_path)


@pytest.mark.parametrize("step", [HOUR, 365 * 24 * HOUR])
def test_clock_set_back_is_believed(tmp_path: Path, step: int) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 2 * HOUR, ONLINE)
        live(ledger, clock, 1000, AWAY)
        clock.offset -= step
        clock.now += 10
        live(ledger, clock, 90)
        back = 2 * HOUR + 1010 - step
        before = [(0, back, "online", "none")] if step == HOUR else []
        assert known(tmp_path) == [*before, (back, back + 90, "unreachable", "no_answer")]
        (note,) = notes(tmp_path, "clock")
        assert note["how"] == "back"
        assert sound(tmp_path)
    clock.now += 10
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 10, ONLINE)
    assert [one[:3] for one in known(tmp_path)][len(before) :] == [
        (back, back + 90, "unreachable"), (back + 90, back + 100, UNKNOWN), (back + 100, back + 110, "online"),
    ]  # fmt: skip


def test_clock_set_forward_by_mistake_and_back(tmp_path: Path) -> None:
    """That time was, after all; what was seen in it is told of another, and cut away: unknown."""
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        clock.offset += 365 * 24 * HOUR
        live(ledger, clock, HOUR)
        clock.offset -= 365 * 24 * HOUR
        live(ledger, clock, 50)
    assert known(tmp_path) == [
        (0, 100, "online", "none"),
        (100, 100 + HOUR, UNKNOWN, "clock_back"),
        (100 + HOUR, 150 + HOUR, "online", "none"),
    ]


def test_clock_set_back_while_no_engine_ran(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 2 * HOUR, ONLINE)
    clock.offset -= HOUR
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, AWAY)
    assert [one[:3] for one in known(tmp_path)] == [(0, HOUR, "online"), (HOUR, HOUR + 100, "unreachable")]
    assert [one["how"] for one in notes(tmp_path, "clock")] == ["down"]
    assert sound(tmp_path)


@pytest.mark.parametrize("told", [True, False], ids=["told", "just booted"])
@pytest.mark.parametrize("behind", [500, -500], ids=["behind", "ahead"])
def test_machine_without_a_clock_is_dated_again(tmp_path: Path, behind: int, *, told: bool) -> None:
    """Power comes back after two hours; until the network tells the time, the clock says something of before, or after."""
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1", "c2") as ledger:
        live(ledger, clock, 1000, ONLINE)
    began = 1000 + 2 * HOUR
    clock.now, clock.boot = 5000.0 if told else 20.0, "boot 2"
    clock.offset = NOW_US / 1e6 + (1000 - behind if behind > 0 else began - behind) - clock.now
    with ledger_in(tmp_path, clock, "c1", "c2") as ledger:
        if told:
            ledger.trust(trusted=False)
        ledger.stand("c2", Standing.MAINTENANCE, "paint", "An")
        live(ledger, clock, 60, AWAY)
        live(ledger, clock, 40, ONLINE)
        # What was known before is not touched by a clock that nobody trusts.
        assert known(tmp_path)[0] == (0, 1000, "online", "none")
        clock.offset = NOW_US / 1e6 + began + 100 - clock.now
        live(ledger, clock, 100)
        assert known(tmp_path) == [
            (0, 1000, "online", "none"),
            (1000, began, UNKNOWN, "not_watched"),
            (began, began + 60, "unreachable", "no_answer"),
            (began + 60, began + 200, "online", "none"),
        ]
        with Reading(tmp_path / FILE) as reading:
            (_, paint) = reading.standings("c2", 0, NEVER)
        assert paint.start_us == NOW_US + began * SECOND_US
        assert [one["how"] for one in notes(tmp_path, "clock")] == ["dated_again"]
        assert sound(tmp_path)
        # From then on it is believed.
        if told:
            ledger.trust(trusted=True)
            ledger.trust(trusted=False)
            clock.offset += 50
            live(ledger, clock, 10)
            assert known(tmp_path)[-1] == (began + 250, began + 260, "online", "none")


def test_clock_that_is_trusted_late_without_a_step(tmp_path: Path) -> None:
    """It was behind what is written because that was wrong: it is believed."""
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 1000, ONLINE)
    clock.boot = "boot 2"
    clock.offset -= 500
    with ledger_in(tmp_path, clock, "c1") as ledger:
        ledger.trust(trusted=False)
        live(ledger, clock, 100, AWAY)
        assert known(tmp_path)[-1] == (1000, 1100, "unreachable", "no_answer")
        ledger.trust(trusted=True)
        live(ledger, clock, 100)
        assert [one[:3] for one in known(tmp_path)] == [(0, 500, "online"), (500, 700, "unreachable")]
        assert sound(tmp_path)


def test_engine_that_is_killed_before_the_clock_is_set(tmp_path: Path) -> None:
    """All of the boot is dated again, not only what the newest engine told."""
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 1000, ONLINE)
    clock.boot = "boot 2"
    clock.offset -= 500
    for killed in (False, True):
        with ledger_in(tmp_path, clock, "c1") as ledger:
            ledger.trust(trusted=False)
            live(ledger, clock, 100, AWAY)
            clock.now += 50
            if killed:
                live(ledger, clock, 0)
                clock.offset += 10_000
                live(ledger, clock, 50, ONLINE)
    first = 1000 - 500 + 10_000
    assert [one[:3] for one in known(tmp_path)] == [
        (0, 1000, "online"),
        (1000, first, UNKNOWN),
        (first, first + 100, "unreachable"),
        (first + 100, first + 150, UNKNOWN),
        (first + 150, first + 250, "unreachable"),
        (first + 250, first + 300, UNKNOWN),
        (first + 300, first + 350, "online"),
    ]
    assert sound(tmp_path)


def test_machine_whose_clock_nobody_ever_sets(tmp_path: Path) -> None:
    """It begins each boot in the past, and there is nobody to ask: what was known is not cut away, also if the engine
    begins again later.
    """
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 1000, ONLINE)
    clock.now, clock.boot = 20.0, "boot 2"
    clock.offset = NOW_US / 1e6 + 400 - clock.now
    for _ in range(2):
        with ledger_in(tmp_path, clock, "c1") as ledger:
            live(ledger, clock, 1000, AWAY)
        clock.now += 100
    assert [one[:3] for one in known(tmp_path)] == [
        (0, 1000, "online"), (1000, 2000, "unreachable"), (2000, 2100, UNKNOWN), (2100, 3100, "unreachable"),
    ]  # fmt: skip
    assert sound(tmp_path)
    # And after hours somebody does. (Since the last heartbeat it was 100 s.)
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 1000, ONLINE)
        clock.offset = NOW_US / 1e6 + 20_000 - clock.now
        live(ledger, clock, 10)
    assert [one[:3] for one in known(tmp_path)] == [
        (0, 1000, "online"), (1000, 16_800, UNKNOWN), (16_800, 17_800, "unreachable"), (17_800, 17_900, UNKNOWN),
        (17_900, 18_900, "unreachable"), (18_900, 19_000, UNKNOWN), (19_000, 20_010, "online"),
    ]  # fmt: skip
    assert sound(tmp_path)


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


def test_camera_that_is_unstable_while_the_clock_is_set_back(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        for second in range(201):
            ledger.tell("c1", Status.UNSTABLE, "lost", connected_us=second * 800_000)
            clock.now += second < 200
            ledger.beat()
        clock.offset -= 50
        settle(ledger)
        for second in range(200, 301):
            ledger.tell("c1", Status.UNSTABLE, "lost", connected_us=second * 800_000)
            clock.now += second < 300
            ledger.beat()
        settle(ledger)
    rows = ask(tmp_path, "SELECT start_us, end_us, connected_us FROM state WHERE status = 'unstable'")
    assert rows == [
        (NOW_US + 100 * SECOND_US, NOW_US + 250 * SECOND_US, 120_000_000),
        (NOW_US + 250 * SECOND_US, 0, 80_000_000),
    ]


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
