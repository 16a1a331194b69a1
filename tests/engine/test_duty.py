"""What a camera's recording was about is an unbroken series, whatever is killed, and however our clock is set."""

import itertools
import os
from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.api import Duty
from custom_components.facility_cameras.engine.archive import duty
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.opening import INDEX
from tests.engine.archives import NOW_US, HandClock
from tests.engine.duties import hand_run, index_of, known, run, settle

HOUR, YEAR = 3600, 365 * 86_400


def unbroken(archive: Archive, camera: str = "c1") -> bool:
    found = archive.duties.intervals(index_of(archive), camera, 0, 1 << 62)
    return all(before.end_us == after.start_us for before, after in itertools.pairwise(found))


def test_changes_are_rows_and_the_newest_lasts(tmp_path: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        for seconds, kind, reason in (
            (60, Duty.OFFLINE, "starting"),
            (600, Duty.RECORD, ""),
            (100, Duty.OFFLINE, "no_answer"),
            (200, Duty.RECORD, ""),
            (50, Duty.OFF, ""),
            (70, Duty.IDLE, ""),
            (30, Duty.RECORD, ""),
        ):
            for _ in range(seconds):
                archive.duties.tell("c1", kind, reason)
                settle(archive)
                clock.now += 1
        settle(archive)
        wanted = [
            (0, 60, "offline", "starting"),
            (60, 660, "record", ""),
            (660, 760, "offline", "no_answer"),
            (760, 960, "record", ""),
            (960, 1010, "off", ""),
            (1010, 1080, "idle", ""),
            (1080, 1110, "record", ""),
        ]
        assert known(archive) == wanted
        # Rows are these and no more; the newest is open.
        rows = index_of(archive).query("SELECT end_us FROM duty ORDER BY start_us")
        assert [end for (end,) in rows][:-1] == [NOW_US + end * 1_000_000 for _, end, *_ in wanted[:-1]]
        assert rows[-1] == (duty.OPEN,)
        assert archive.duties.intervals(index_of(archive), "c1", NOW_US + 700_000_000, NOW_US + 800_000_000) == [
            duty.Interval("c1", NOW_US + 700_000_000, NOW_US + 760_000_000, "offline", "no_answer"),
            duty.Interval("c1", NOW_US + 760_000_000, NOW_US + 800_000_000, "record", ""),
        ]


def test_one_heartbeat_for_all_cameras(tmp_path: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        cameras = [f"c{number}" for number in range(64)]
        for camera in cameras:
            archive.duties.tell(camera, Duty.RECORD)
        settle(archive)
        asked = 0
        for _ in range(100):
            clock.now += 1
            for camera in cameras:
                archive.duties.tell(camera, Duty.RECORD)
            archive.duties.beat()
            asked += archive._queue.qsize()
            run(archive)
        assert asked == 10
        assert index_of(archive).query("SELECT count(*) FROM duty") == [(64,)]


@pytest.mark.parametrize("kind", [Duty.RECORD, Duty.OFFLINE])
def test_after_a_crash_the_engine_was_down_from_its_last_heartbeat_on(tmp_path: Path, kind: Duty) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        for _ in range(35):
            archive.duties.tell("c1", kind, "x")
            settle(archive)
            clock.now += 1
    clock.now += 300
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.OFFLINE, "starting")
        clock.now += 5
        settle(archive)
        assert known(archive) == [
            (0, 30, kind, "x"),
            (30, 335, "down", ""),
            (335, 340, "offline", "starting"),
        ]
    # Once more, and nobody was told of before it.
    clock.now += 10
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
        assert [kind for *_, kind, _ in known(archive)] == [kind, "down", "offline", "down"]
        clock.now += 1
        assert unbroken(archive)


def test_an_engine_that_ends_says_until_when_it_ran(tmp_path: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
        clock.now += 7
        archive.duties.close()
        run(archive)
    clock.now += 20
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        clock.now += 1
        settle(archive)
        assert known(archive) == [(0, 7, "record", ""), (7, 27, "down", ""), (27, 28, "record", "")]


@pytest.mark.parametrize("kind", [Duty.OFF, Duty.IDLE])
def test_what_rested_when_the_engine_ended_rested_meanwhile(tmp_path: Path, kind: Duty) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", kind)
        settle(archive)
    clock.now += 300
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        clock.now += 1
        settle(archive)
        assert {kind for *_, kind, _ in known(archive)} == {kind, "record"}
        assert unbroken(archive)
        assert known(archive)[-1] == (300, 301, "record", "")


def test_a_camera_that_was_removed_and_comes_back(tmp_path: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        archive.duties.tell("c2", Duty.RECORD)
        clock.now += 100
        archive.duties.gone("c1")
        settle(archive)
    clock.now += 1000
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c2", Duty.RECORD)
        settle(archive)
        clock.now += 100
        archive.duties.tell("c1", Duty.RECORD)
        clock.now += 50
        settle(archive)
        assert known(archive) == [(0, 100, "record", ""), (1200, 1250, "record", "")]


@pytest.mark.parametrize("step", [HOUR, YEAR])
def test_clock_set_forward_invents_no_time(tmp_path: Path, step: int) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
        clock.now += 100
        settle(archive)
        clock.offset += step
        clock.now += 1
        settle(archive)
        clock.now += 99
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
        assert known(archive) == [
            (0, 101, "record", ""),
            (101, 101 + step, "clock", ""),
            (101 + step, 200 + step, "record", ""),
        ]


@pytest.mark.parametrize("step", [HOUR, YEAR])
def test_clock_set_back_is_believed_and_overlaps_nothing(tmp_path: Path, step: int) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        for kind, seconds in ((Duty.RECORD, 2 * HOUR), (Duty.OFF, 1000), (Duty.RECORD, 1000)):
            archive.duties.tell("c1", kind)
            settle(archive)
            clock.now += seconds
        settle(archive)
        clock.offset -= step
        clock.now += 10
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
        clock.now += 90
        settle(archive)
        back = 2 * HOUR + 2000 + 10 - step
        before = [(0, back, "record", "")] if step == HOUR else []
        assert known(archive) == [*before, (back, back + 90, "record", "")]
        # The engine after this one believes it too.
    with hand_run(tmp_path / "a", clock) as archive:
        assert known(archive)[-1][0] == back


def test_clock_set_while_the_engine_did_not_run(tmp_path: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        clock.now += 2 * HOUR
        settle(archive)
    clock.offset -= HOUR
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.OFF)
        clock.now += 10
        settle(archive)
        assert known(archive) == [(0, HOUR, "record", ""), (HOUR, HOUR + 10, "off", "")]


def test_a_machine_without_a_clock_of_its_own_was_off(tmp_path: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        archive.duties.tell("c2", Duty.OFF)
        clock.now += 100
        settle(archive)
    # Power comes back after two hours; until the network tells the time it is what it was.
    clock.offset += clock.now - 20
    clock.now = 20.0
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        archive.duties.tell("c2", Duty.OFF)
        clock.now += 10
        settle(archive)
        clock.offset += 2 * HOUR
        settle(archive)
        clock.now += 10
        settle(archive)
        assert [one[2] for one in known(archive)] == ["record", "record", "down", "record"]
        assert sum(end - start for start, end, kind, _ in known(archive) if kind == "down") == 2 * HOUR
        assert {one[2] for one in known(archive, "c2")} == {"off", "clock"}


def test_changes_while_the_volume_is_away_are_written_afterwards(tmp_path: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
        clock.now += 100
        marker = tmp_path / "a" / ".facility_cameras.json"
        marker.rename(tmp_path / "away")
        settle(archive)
        assert archive.index is None
        for kind in (Duty.VOLUME, Duty.OFF, Duty.VOLUME):
            archive.duties.tell("c1", kind, "missing" if kind == Duty.VOLUME else "")
            settle(archive)
            clock.now += 50
        (tmp_path / "away").rename(marker)
        clock.now += 50
        run(archive)
        settle(archive)
        wanted = [
            (0, 100, "record", ""),
            (100, 150, "volume", "missing"),
            (150, 200, "off", ""),
            (200, 300, "volume", "missing"),
        ]
        assert known(archive) == wanted
        settle(archive)
    with hand_run(tmp_path / "a", clock) as archive:
        # In the index, not only in memory.
        assert known(archive) == wanted


def test_the_journal_makes_the_table_again(tmp_path: Path) -> None:
    root, clock = tmp_path / "a", HandClock()
    with hand_run(root, clock) as archive:
        for kind, seconds in ((Duty.RECORD, 500), (Duty.OFFLINE, 100), (Duty.RECORD, 500), (Duty.OFF, 60)):
            archive.duties.tell("c1", kind)
            archive.duties.tell("c2", Duty.RECORD)
            settle(archive)
            clock.now += seconds
        archive.duties.gone("c2")
        settle(archive)
    with hand_run(root, clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        clock.now += 30
        settle(archive)
        clock.now += 10
        settle(archive)
        wanted = known(archive), known(archive, "c2")
        rows = index_of(archive).query("SELECT * FROM duty ORDER BY camera, start_us")
    for end in ("", "-wal"):
        (root / f"{INDEX}{end}").unlink(missing_ok=True)
    with hand_run(root, clock) as archive:
        found = index_of(archive).query("SELECT * FROM duty ORDER BY camera, start_us")
        assert [row[1:] for row in found] == [row[1:] for row in rows]
        assert (known(archive), known(archive, "c2")) == wanted
        # Told once more it is the same.
        duty.recall(index_of(archive), root)
        assert (known(archive), known(archive, "c2")) == wanted


def test_an_old_copy_of_the_index_that_was_put_back(tmp_path: Path) -> None:
    """What the journal knows since is taken, before it is told that nothing was."""
    root, clock = tmp_path / "a", HandClock()
    names = [f"{INDEX}{end}" for end in ("", "-wal")]
    with hand_run(root, clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
    copy = {name: (root / name).read_bytes() for name in names if (root / name).exists()}
    clock.now += 100
    with hand_run(root, clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
        clock.now += 100
        archive.duties.tell("c1", Duty.OFF)
        settle(archive)
        clock.now += 7200
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
    for name in names:
        (root / name).unlink(missing_ok=True)
        if name in copy:
            (root / name).write_bytes(copy[name])
    # The journal's file was written to at the machine's time, which is not this clock's.
    for path in (root / "journal").iterdir():
        os.utime(path, (clock.utc(), clock.utc()))
    clock.now += 50
    with hand_run(root, clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        clock.now += 10
        settle(archive)
        assert known(archive) == [
            (0, 100, "down", ""),
            (100, 200, "record", ""),
            (200, 7400, "off", ""),
            (7400, 7450, "down", ""),
            (7450, 7460, "record", ""),
        ]


def test_an_index_that_is_made_anew_under_a_running_engine(tmp_path: Path) -> None:
    root, clock = tmp_path / "a", HandClock()
    with hand_run(root, clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
        clock.now += 100
        (root / INDEX).unlink()
        clock.now += 10
        settle(archive)
        clock.now += 20
        settle(archive)
        assert known(archive) == [(0, 130, "record", "")]
        assert index_of(archive).query("SELECT start_us, end_us FROM duty") == [(NOW_US, duty.OPEN)]


def test_a_camera_that_comes_and_goes_writes_few_rows(tmp_path: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        for turn in range(200):
            for kind, reason in (
                (Duty.RECORD, ""),
                (Duty.OFFLINE, "no_answer"),
                (Duty.OFFLINE, "connection_refused" if turn % 2 else "no_answer"),
            ):
                archive.duties.tell("c1", kind, reason)
                settle(archive)
                clock.now += 5
        settle(archive)
        assert known(archive) == [(0, 5, "record", ""), (5, 3000, "offline", "no_answer")]
        for _ in range(2 * int(duty.SETTLE_S)):
            archive.duties.tell("c1", Duty.RECORD)
            settle(archive)
            clock.now += 1
        settle(archive)
        # Once it lasts, it is told from its beginning.
        assert known(archive)[-1][0] == 3000


def test_trouble_that_was_over_is_not_blamed_for_what_comes_next(tmp_path: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        for kind in (Duty.OFFLINE, Duty.RECORD, Duty.VOLUME, Duty.RECORD, Duty.OFF):
            for _ in range(20):
                archive.duties.tell("c1", kind)
                clock.now += 1
        settle(archive)
        assert known(archive) == [
            (0, 20, "offline", ""),
            (20, 40, "record", ""),
            (40, 60, "volume", ""),
            (60, 80, "record", ""),
            (80, 100, "off", ""),
        ]


def test_what_was_known_before_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duty, "KEPT", 10)
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        for turn in range(100):
            archive.duties.tell("c1", (Duty.OFF, Duty.IDLE)[turn % 2])
            clock.now += 1
        assert len(archive.duties._unwritten) == 10
        settle(archive)
        assert known(archive) == [(at, at + 1, (Duty.OFF, Duty.IDLE)[at % 2], "") for at in range(90, 100)]


def test_old_intervals_are_forgotten(tmp_path: Path) -> None:
    clock = HandClock()
    for kind in (Duty.OFF, Duty.IDLE, Duty.OFF):
        with hand_run(tmp_path / "a", clock) as archive:
            archive.duties.tell("c1", kind)
            settle(archive)
            clock.now += 2 * HOUR
            settle(archive)
            found = known(archive)
        clock.now += duty.FORGET_US / 1e6
    # What began, what was while no engine ran, and what is; not the first two hours.
    assert [kind for *_, kind, _ in found] == ["idle", "idle", "off"]
