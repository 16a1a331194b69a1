"""Disks that fail, and files that are not what they were: nothing is deleted, nothing invented, and it is told."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from custom_components.facility_cameras.engine.api import Standing, Status
from custom_components.facility_cameras.engine.api_ledger import LedgerProblem
from custom_components.facility_cameras.engine.ledger import ledger as module
from custom_components.facility_cameras.engine.ledger.ledger import Ledger
from custom_components.facility_cameras.engine.ledger.opening import FILE, SNAPSHOT
from custom_components.facility_cameras.engine.ledger.reading import NEVER, Reading
from custom_components.facility_cameras.engine.ledger.schema import SCHEMA
from custom_components.facility_cameras.engine.ledger.shown import verify
from tests.engine.ledgers import Machine, ask, known, ledger_in, live
from tests.engine.living import ROOT, wait_for

AWAY = Status.UNREACHABLE


def kinds(folder: Path) -> list[str]:
    with Reading(folder / FILE) as reading:
        return [one["kind"] for one in reading.notes("", 0, NEVER, 1000)]


def garbage(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)


def damaged(path: Path) -> None:
    """The pages of its tables are others."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * (size - 100))


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA + 1}")
    connection.close()


@pytest.mark.parametrize(
    ("change", "name"), [(garbage, "damaged"), (damaged, "damaged"), (newer, f"schema-{SCHEMA + 1}")]
)
def test_file_that_cannot_be_used_is_set_aside(tmp_path: Path, change: Callable[[Path], None], name: str) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, Status.ONLINE)
    for number in range(2):
        change(tmp_path / FILE)
        content = (tmp_path / FILE).read_bytes()
        (tmp_path / f"{FILE}-wal").write_bytes(b"its log of writes")
        with ledger_in(tmp_path, clock, "c1") as ledger:
            live(ledger, clock, 0.25, Status.ONLINE)
            assert not ledger.problem
            assert ledger.set_aside.startswith(f"ledger.{name}-")
            assert (tmp_path / ledger.set_aside).read_bytes() == content
            # No log of writes ever meets another's file.
            assert known(tmp_path)
        assert [one[:3] for one in known(tmp_path)] == [(100 + 0.25 * number, 100.25 + 0.25 * number, "online")]
        assert "set_aside" in kinds(tmp_path)
    # In the same second too: none is deleted.
    assert len(list(tmp_path.glob(f"ledger.{name}-*.db"))) == 2


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("change", [garbage, damaged, gone])
def test_copy_of_a_backup_takes_the_place_of_a_file_that_was_torn(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, Status.ONLINE)
        ledger.snapshot(tmp_path / SNAPSHOT)
    change(tmp_path / FILE)
    clock.offset += 500
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, AWAY)
    assert not (tmp_path / SNAPSHOT).exists()
    assert [(start, end, status) for start, end, status, _ in known(tmp_path)] == [
        (0, 100, "online"), (100, 600, "unknown"), (600, 700, "unreachable"),
    ]  # fmt: skip


def test_copy_of_a_backup_does_not_take_the_place_of_a_file_that_is_whole(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, Status.ONLINE)
        ledger.snapshot(tmp_path / SNAPSHOT)
        live(ledger, clock, 100, AWAY)
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 10, AWAY)
    assert "unreachable" in {status for _, _, status, _ in known(tmp_path)}
    assert not list(tmp_path.glob("ledger.damaged*"))


def test_file_that_turns_out_to_be_damaged_while_it_is_written(tmp_path: Path) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 100, Status.ONLINE)
        connection = ledger._writer._connection
        assert connection is not None
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with (tmp_path / FILE).open("r+b") as file:
            file.seek(100)
            file.write(b"\xff" * 100_000)
        # It looks at the disk again.
        connection.execute("PRAGMA shrink_memory")
        live(ledger, clock, 50, Status.UNREACHABLE)
        assert ledger.set_aside.startswith("ledger.damaged-")
        assert ledger.problem == LedgerProblem.NONE
        assert known(tmp_path)[-1][2:] == ("unreachable", "no_answer")
        assert "begun_again" in kinds(tmp_path)


@pytest.mark.parametrize("replaced", [False, True])
def test_file_that_is_taken_away_from_a_running_engine(tmp_path: Path, *, replaced: bool) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1", "c2") as ledger:
        live(ledger, clock, 100, Status.ONLINE)
        ledger.snapshot(tmp_path / "copy")
        ledger.tell("c2", Status.REFUSED, "connection_refused")
        live(ledger, clock, 100)
        for path in tmp_path.glob(f"{FILE}*"):
            path.unlink()
        if replaced:
            # A backup was restored.
            (tmp_path / "copy").rename(tmp_path / FILE)
        live(ledger, clock, 50)
        began = [(0, 100, "online"), (100, 200, "unknown")] if replaced else []
        found = [one[:3] for one in known(tmp_path)]
        assert found[:-1] == began
        assert found[-1][1:] == (250, "online")
        assert known(tmp_path, "c2")[-1][2] == "refused"
        assert "begun_again" in kinds(tmp_path)


def test_disk_that_is_full_or_read_only(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives no namespaces without extra rights")
    command = ["unshare", "-rm", sys.executable, "-m", "tests.engine.full_ledger", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)
    if done.returncode == 3:
        pytest.skip("a small file system cannot be mounted here")
    assert done.returncode == 0, done.stderr


def test_what_waits_for_the_disk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 20)
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1", "c2", "c3") as ledger:
        live(ledger, clock, 100, Status.ONLINE)
        ledger.tell("c2", Status.REFUSED, "connection_refused")
        ledger.gone("c3")
        # Nothing is taken.
        for turn in range(50):
            ledger.tell("c1", (Status.UNREACHABLE, Status.ONLINE)[turn % 2], "x")
            assert len(ledger._changes) <= module.KEPT
            clock.now += 1
        ledger.stand("c2", Standing.MAINTENANCE)
        live(ledger, clock, 50)
        assert ledger.dropped > 20
        found = known(tmp_path)
        lost = [one for one in found if one[3] == "lost"]
        assert sum(end - start for start, end, *_ in lost) >= 30
        assert [found[0], found[-1]] == [(0, 100, "online", "none"), (149, 200, "online", "x")]
        assert known(tmp_path, "c2")[-1][2] == "refused"
        assert [one[:2] for one in known(tmp_path, "c3")] == [(0, 100)]
        assert kinds(tmp_path).count("lost") >= 1
        with Reading(tmp_path / FILE) as reading:
            assert not list(verify(reading))
            assert reading.standings("c2", 0, NEVER)[-1].standing == "maintenance"


@pytest.mark.parametrize(("step", "trusted"), [(-60, True), (3600, True), (-60, False), (3600, False)])
def test_clock_that_is_set_while_the_disk_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, *, trusted: bool
) -> None:
    """Whatever is given up, what happened to time is not."""
    monkeypatch.setattr(module, "KEPT", 20)
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        ledger.trust(trusted=trusted)
        live(ledger, clock, 100, Status.ONLINE)
        for turn in range(50):
            ledger.tell("c1", (Status.UNREACHABLE, Status.ONLINE)[turn % 2], "x")
            clock.now += 1
            if turn == 25:
                clock.offset += step
        live(ledger, clock, 50)
        found = known(tmp_path)
        began = 0 if trusted else step
        ended = 100 + (step if not trusted else min(step + 26, 0))
        assert [found[0][:3], found[-1][1:3]] == [(began, ended, "online"), (200 + step, "online")]
        assert sum(end - start for start, end, *_ in found) == 200 + (step if trusted and step < 0 else 0)
        assert sum(end - start for start, end, _, why in found if why == "lost") >= 10
        with Reading(tmp_path / FILE) as reading:
            assert not list(verify(reading))


def test_kill_in_the_middle_of_writing(tmp_path: Path) -> None:
    """`kill -9` again and again: what is left is sound, and goes on."""
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from custom_components.facility_cameras.engine.api import Standing, Status\n"
        "from custom_components.facility_cameras.engine.clock import SystemClock\n"
        "from custom_components.facility_cameras.engine.ledger.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]), SystemClock())\n"
        "ledger.start()\n"
        "turn = 0\n"
        "while True:\n"
        "    for camera in ('c1', 'c2', 'c3'):\n"
        "        ledger.describe(camera, camera, 'f1', '')\n"
        "        ledger.stand(camera, Standing.REQUIRED)\n"
        "        ledger.tell(camera, (Status.ONLINE, Status.REFUSED)[turn % 2], 'x')\n"
        "    ledger.beat()\n"
        "    turn += 1\n"
        "    time.sleep(0.001)\n"
    )
    for _ in range(4):
        before = _rows(tmp_path)
        process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT)
        try:
            wait_for(partial(_more_than, tmp_path, before + 100), 20)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(10)
        with Reading(tmp_path / FILE) as reading:
            assert not list(verify(reading))
    clock = Machine()
    clock.offset = time.time() - clock.now
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 10, Status.ONLINE)
        assert ask(tmp_path, "SELECT count(*) FROM state WHERE end_us = 0") == [(1,)]
        assert ask(tmp_path, "SELECT count(*) FROM run") == [(5,)]


def _more_than(folder: Path, rows: int) -> bool:
    return _rows(folder) > rows


def _rows(folder: Path) -> int:
    try:
        with Reading(folder / FILE) as reading:
            return int(reading.rows("SELECT count(*) FROM state")[0][0])
    except OSError, sqlite3.Error:
        return 0


def test_its_thread_ends_and_all_is_written(tmp_path: Path) -> None:
    clock = Machine()
    ledger = Ledger(tmp_path, clock, asleep=clock.asleep, boot=clock.boot)
    ledger.start()
    ledger.describe("c1", "C1", "f1", "gate")
    ledger.stand("c1", Standing.REQUIRED)
    ledger.tell("c1", Status.ONLINE, "none")
    ledger.beat()
    clock.now += 7
    ledger.close()
    assert ledger._thread is not None
    assert not ledger._thread.is_alive()
    assert known(tmp_path) == [(0, 7, "online", "none")]
    # Nothing of it is left open.
    assert not [one for one in Path("/proc/self/fd").iterdir() if FILE in str(one.resolve())]
