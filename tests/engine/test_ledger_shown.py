"""What was shown can be computed again from raw intervals; what differs is told in words, and by the exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from custom_components.facility_cameras.engine.api import Standing, Status
from custom_components.facility_cameras.engine.command_line import main
from custom_components.facility_cameras.engine.ledger import writer
from custom_components.facility_cameras.engine.ledger.ledger import Ledger
from custom_components.facility_cameras.engine.ledger.opening import FILE
from custom_components.facility_cameras.engine.ledger.rates import BYS, rates
from custom_components.facility_cameras.engine.ledger.reading import Reading
from custom_components.facility_cameras.engine.ledger.shown import final
from tests.engine.archives import NOW_US
from tests.engine.ledgers import HOUR, SECOND_US, Machine, ask, ledger_in, live, settle

ONLINE, AWAY = Status.ONLINE, Status.UNREACHABLE


def show(ledger: Ledger, end: float = 1 << 40, **how: Any) -> int:
    """Give figures out, as the API does; returns how many of them are final."""
    with Reading(ledger.path) as reading:
        rows = final(reading, rates(reading, 0, NOW_US + round(end * 1e6), **how))
    ledger.show(rows)
    settle(ledger)
    return len(rows)


def verify(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    """Exit code, differences, and the last line."""
    capsys.readouterr()
    code = main(["ledger", "verify", str(folder), "--json"])
    *found, last = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return code, found, last


@pytest.fixture
def told(tmp_path: Path) -> tuple[Path, int]:
    """A folder with a ledger of which all kinds of figures were given out, and how many."""
    clock, count = Machine(), 0
    with ledger_in(tmp_path, clock, "c1", "c2") as ledger:
        for turn in range(6):
            for camera in ("c1", "c2"):
                ledger.tell(camera, ONLINE if turn % 3 else AWAY, "x")
            live(ledger, clock, HOUR)
        ledger.describe("c3", "C3", "f2", "yard")
        ledger.stand("c3", Standing.REQUIRED)
        live(ledger, clock, HOUR / 2)
        for by in BYS:
            for facility in (None, "f1"):
                count += show(ledger, per="hour", by=by, facility=facility)
        live(ledger, clock, HOUR)
    return tmp_path, count


def test_nothing_differs_and_the_exit_code_says_so(told: tuple[Path, int], capsys: pytest.CaptureFixture[str]) -> None:
    folder, count = told
    assert count > 40
    code, found, last = verify(folder, capsys)
    assert (code, found) == (0, [])
    # The hub's of one facility are the same as the facility's.
    assert last == {"figures": ask(folder, "SELECT count(*) FROM shown")[0][0], "differences": 0}
    assert last["figures"] > 40


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("UPDATE state SET status = 'online' WHERE status = 'unreachable' AND camera = 1", "outages: 1 was shown, it is 0"),
        ("UPDATE state SET end_us = end_us - 600000000 WHERE camera = 1 AND end_us > 0", "unknown: 0.0 s was shown, it is 600.0 s"),
        ("UPDATE state SET end_us = end_us + 1000000 WHERE camera = 2 AND end_us > 0", "an interval of state overlaps the next"),
        ("UPDATE standing SET standing = 'maintenance' WHERE camera = 1", "required: 3600.0 s was shown, it is 0.0 s"),
        ("DELETE FROM standing WHERE camera = 1", "it was shown, and nothing was asked in this time"),
        ("UPDATE run SET end_us = start_us + 3600000000", "a state is told of a time in which no watch ran"),
        ("UPDATE belonging SET facility = 'f9' WHERE camera = 1", "it was shown, and nothing was asked in this time"),
    ],
)  # fmt: skip
def test_what_differs_is_told_in_words(
    told: tuple[Path, int], capsys: pytest.CaptureFixture[str], change: str, says: str
) -> None:
    folder, _ = told
    ask(folder, change)
    code, found, last = verify(folder, capsys)
    assert code == 1
    assert says in {one["what"] for one in found}
    assert last["differences"] == len(found)
    assert main(["ledger", "verify", str(folder)]) == 1
    assert says in capsys.readouterr().out


def test_what_could_not_be_known_when_it_was_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That the hub was the reason is told afterwards; a clock that is set back takes back what was shown of that time."""
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, HOUR, ONLINE)
        live(ledger, clock, HOUR, AWAY)
        live(ledger, clock, HOUR, ONLINE)
        assert show(ledger, per="hour") == 2
        ledger.hub_away(NOW_US + HOUR * SECOND_US, NOW_US + 2 * HOUR * SECOND_US, "own_network")
        # Of what is so new it may turn out that a camera had gone already.
        live(ledger, clock, 100)
        assert show(ledger, per="hour") == 2
        live(ledger, clock, 30)
        assert verify(tmp_path, capsys)[::2] == (0, {"figures": 2, "differences": 0})
        assert show(ledger, per="hour") == 3
        assert verify(tmp_path, capsys)[::2] == (0, {"figures": 3, "differences": 0})
        clock.offset -= HOUR
        live(ledger, clock, 10, AWAY)
        live(ledger, clock, 2 * HOUR)
        assert verify(tmp_path, capsys)[::2] == (0, {"figures": 2, "differences": 0})


def test_what_was_shown_of_a_boot_that_is_dated_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        ledger.trust(trusted=False)
        live(ledger, clock, HOUR, ONLINE)
        live(ledger, clock, HOUR, AWAY)
        assert show(ledger, per="hour") == 1
        ledger.note("seen", "f1", "", {})
        clock.offset += 1800
        live(ledger, clock, HOUR)
        with Reading(tmp_path / FILE) as reading:
            (note,) = (one for one in reading.notes("f1", 0, 1 << 62, 10) if one["kind"] == "seen")
        assert note["at"] == NOW_US + (2 * HOUR + 1800) * SECOND_US
        assert verify(tmp_path, capsys)[::2] == (0, {"figures": 0, "differences": 0})


def test_only_what_will_not_change_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, HOUR / 2, ONLINE)
        # Today so far is not over.
        assert show(ledger, per="day") == 0
        assert show(ledger) == 0
        for second in range(2 * HOUR):
            if second % 20 == 0:
                ledger.tell("c1", Status.UNSTABLE, "x", connected_us=second * (500_000 if second < HOUR else 900_000))
            clock.now += 1
            ledger.beat()
            if second == 2 * HOUR - 1200:
                settle(ledger)
                # The hour before is over, the one that an unstable camera is in is not.
                assert show(ledger, per="hour") == 2
                assert show(ledger, 2.1 * HOUR) == 0
        live(ledger, clock, HOUR, ONLINE)
        assert show(ledger, per="hour") == 3
        assert verify(tmp_path, capsys)[0] == 0


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "KEPT_SHOWN", 10)
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        for _ in range(30):
            live(ledger, clock, HOUR, ONLINE)
            show(ledger, per="hour")
    rows = ask(tmp_path, "SELECT start_us FROM shown ORDER BY start_us")
    assert len(rows) == 10
    assert rows[-1] == (NOW_US + 28 * HOUR * SECOND_US,)


def test_figures_do_not_pile_up_while_the_disk_takes_nothing(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 2 * HOUR, ONLINE)
        with Reading(tmp_path / FILE) as reading:
            rows = final(reading, rates(reading, 0, NOW_US + HOUR * SECOND_US))
        for _ in range(100):
            ledger.show(rows)
        assert len(ledger._changes) < 10


def test_show_from_a_shell(told: tuple[Path, int], capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = told
    assert main(["ledger", "show", str(folder)]) == 0
    assert "c1" in capsys.readouterr().out
    assert main(["ledger", "show", str(folder), "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["camera"], one["outages"]) for one in found] == [("c1", 2), ("c2", 2), ("c3", 0)]
    arguments = [
        "--camera",
        "c1",
        "--start",
        "2026-11-25T07:30",
        "--end",
        "2026-11-25T08:30",
        "--zone",
        "Asia/Ho_Chi_Minh",
    ]
    assert main(["ledger", "show", str(folder), "--json", *arguments]) == 0
    told_of = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["status"], (one["end"] - one["start"]) / 1e6) for one in told_of] == [
        ("unreachable", 1800), ("online", 1800),
    ]  # fmt: skip


def test_folder_without_a_ledger_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        assert main(["ledger", "verify", str(folder)]) == 2
        assert str(folder) in capsys.readouterr().err
    (tmp_path / FILE).write_bytes(b"no database" * 100)
    assert main(["ledger", "verify", str(tmp_path)]) == 2
    # Looking changes nothing.
    assert (tmp_path / FILE).read_bytes() == b"no database" * 100
