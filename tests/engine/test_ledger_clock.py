"""Promise I5: a machine that slept, an engine that stood still, a clock that was set neither overlap nor invent time."""

from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.api import Standing, Status
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


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_machine_whose_clock_is_set_while_it_slept(tmp_path: Path, step: int) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        clock.sleep(3 * HOUR)
        clock.offset += step
        clock.now += 1
        live(ledger, clock, 99)
    asleep_until = 101 + 3 * HOUR + min(step, 0)
    assert known(tmp_path) == [
        (0, 101, "online", "none"),
        (101, asleep_until, UNKNOWN, "suspended"),
        (101 + 3 * HOUR + step, 200 + 3 * HOUR + step, "online", "none"),
    ]
    assert sound(tmp_path)


def test_clocks_that_are_not_read_at_once(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        for jitter in (0.4, -0.4, 0.2):
            clock.slept += jitter
            live(ledger, clock, 10)
    assert known(tmp_path) == [(0, 130, "online", "none")]
    assert ask(tmp_path, "SELECT kind FROM note") == []


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


@pytest.mark.parametrize("epoch", [None, -40 * 365 * 24 * HOUR], ids=["behind", "1986"])
def test_machine_whose_clock_nobody_ever_sets(tmp_path: Path, epoch: int | None) -> None:
    """It begins each boot in the past, and there is nobody to ask: what was known is not cut away, also if the engine
    begins again later.
    """
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 1000, ONLINE)
    clock.now, clock.boot = 20.0, "boot 2"
    clock.offset = NOW_US / 1e6 + (400 if epoch is None else epoch) - clock.now
    for _ in range(2):
        with ledger_in(tmp_path, clock, "c1") as ledger:
            live(ledger, clock, 1000, AWAY)
        clock.now += 100
    assert [one[:3] for one in known(tmp_path)] == [
        (0, 1000, "online"), (1000, 2000, "unreachable"), (2000, 2100, UNKNOWN), (2100, 3100, "unreachable"),
    ]  # fmt: skip
    assert sound(tmp_path)
    assert not list(tmp_path.glob("ledger.before-clock-*"))
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


def test_only_the_boot_whose_clock_is_set_is_dated_again(tmp_path: Path) -> None:
    """Of the one before it nobody knows better."""
    clock = Machine()
    for boot in range(2):
        clock.boot = f"boot {boot}"
        with ledger_in(tmp_path, clock, "c1") as ledger:
            ledger.trust(trusted=False)
            live(ledger, clock, 100, AWAY)
            if boot:
                clock.offset += 1000
                live(ledger, clock, 100)
    assert [one[:3] for one in known(tmp_path)] == [
        (0, 100, "unreachable"), (100, 1100, UNKNOWN), (1100, 1300, "unreachable"),
    ]  # fmt: skip
    assert [dated for (dated,) in ask(tmp_path, "SELECT dated FROM run ORDER BY id")] == [0, 1]


def test_nobody_takes_history_away_by_setting_the_clock(tmp_path: Path) -> None:
    """What is cut away because our clock was set back lies in a copy; a few are kept."""
    clock, day = Machine(), 24 * HOUR
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 2 * day, AWAY)
        live(ledger, clock, 100, ONLINE)
        clock.offset -= day - 100
        live(ledger, clock, 100)
        assert not list(tmp_path.glob("ledger.before-clock-*"))
        live(ledger, clock, day)
        clock.offset -= 2 * day
        live(ledger, clock, 100)
        (copy,) = tmp_path.glob("ledger.before-clock-*.db")
        assert notes(tmp_path, "copied") == [{"file": copy.name}]
        assert sum(end - start for start, end, *_ in known(tmp_path)) < 10_000
    before = sum(end - start for start, end in ask(copy, "SELECT start_us, end_us FROM state WHERE end_us > 0"))
    assert before == (day + 200) * SECOND_US
    # While no engine ran, too.
    for _ in range(4):
        clock.now += 3 * day
        with ledger_in(tmp_path, clock, "c1") as ledger:
            live(ledger, clock, 10, ONLINE)
        clock.offset -= 2 * day
        with ledger_in(tmp_path, clock, "c1") as ledger:
            live(ledger, clock, 10, ONLINE)
        clock.offset += 0.5
    assert len(list(tmp_path.glob("ledger.before-clock-*.db"))) == 3
    assert not copy.exists()
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("by", [100, -100])
def test_rows_that_lie_as_far_apart_as_the_clock_is_set(tmp_path: Path, by: int) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        ledger.trust(trusted=False)
        for turn in range(6):
            ledger.stand("c1", (Standing.REQUIRED, Standing.MAINTENANCE)[turn % 2])
            ledger.describe("c1", f"{turn}", "f1", "gate")
            live(ledger, clock, 100, (AWAY, ONLINE)[turn % 2])
        clock.offset += by
        live(ledger, clock, 100)
    assert [(start, end) for start, end, *_ in known(tmp_path)] == [
        *((by + 100 * turn, by + 100 * turn + 100) for turn in range(5)), (by + 500, by + 700),
    ]  # fmt: skip


def test_unstable_camera_was_not_connected_while_the_machine_slept(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, ONLINE)
        for second in range(0, 201, 10):
            ledger.tell("c1", Status.UNSTABLE, "lost", connected_us=second * 500_000)
            if second == 100:
                clock.sleep(1000)
            live(ledger, clock, 10 if second < 200 else 0)
    found = tally(tmp_path)
    assert found.statuses == {"online": 100_000_000, "unstable": 200_000_000, "unknown": 1_000_000_000}
    assert found.online_us == pytest.approx(200_000_000, abs=10)
