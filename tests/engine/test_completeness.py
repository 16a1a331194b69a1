"""Recording completeness is true to a second, whatever happens to footage afterwards, and on days of any length."""

from datetime import datetime, timedelta
from pathlib import Path
import random
from zoneinfo import ZoneInfo

import pytest

from custom_components.facility_cameras.engine import completeness, gaps as gaps_module
from custom_components.facility_cameras.engine.api import Duty
from custom_components.facility_cameras.engine.api_footage import CameraCompleteness
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.index import Closing
from custom_components.facility_cameras.engine.completeness import Completeness
from custom_components.facility_cameras.engine.gaps import gaps
from tests.engine.archives import NOW_US, HandClock
from tests.engine.duties import HOUR_US, SECOND_US, hand_run, index_of, record, settle

DAY_US = 24 * HOUR_US


def at(clock: HandClock, moment: datetime) -> int:
    """Set the clock, which has not been used yet."""
    clock.offset = moment.timestamp() - clock.now
    return round(moment.timestamp()) * SECOND_US


def ask(counted: Completeness, zone: str = "UTC") -> CameraCompleteness:
    (found,) = counted.of(["c1"], zone)
    return found


def numbers(found: CameraCompleteness) -> tuple[float, float, float, float]:
    return found["today_wanted_s"], found["today_footage_s"], found["week_wanted_s"], found["week_footage_s"]


def true(archive: Archive, zone: str) -> tuple[float, float, float, float]:
    """The same from the gaps of the whole time."""
    now = datetime.fromtimestamp(archive.duties.now_us / 1e6 - 10, ZoneInfo(zone))
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    totals: list[float] = []
    for start in (day, day - timedelta(days=6)):
        found = gaps(archive, "c1", round(start.timestamp()) * SECOND_US, 1 << 62)
        totals += [found["wanted_s"], found["footage_s"]]
    return totals[0], totals[1], totals[2], totals[3]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Asia/Ho_Chi_Minh", (2026, 11, 25), 24),
        ("Europe/Berlin", (2026, 3, 29), 23),
        ("Europe/Berlin", (2026, 10, 25), 25),
        ("Asia/Kathmandu", (2026, 11, 25), 24),
    ],
)
def test_days_of_the_facilitys_zone(tmp_path: Path, zone: str, day: tuple[int, int, int], hours: int) -> None:
    midnight = datetime(*day, tzinfo=ZoneInfo(zone))
    clock = HandClock()
    start_us = at(clock, midnight - timedelta(days=2))
    with hand_run(tmp_path / "a", clock) as archive:
        counted = Completeness(archive)
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
        midnight_us = round(midnight.timestamp()) * SECOND_US
        clock.now += (midnight_us - start_us) / 1e6
        # All but the first hour of this day.
        for hour in range(hours):
            settle(archive)
            if hour:
                begin = midnight_us + hour * HOUR_US
                record(archive, begin, begin + HOUR_US // 2)
                record(archive, begin + HOUR_US // 2, begin + HOUR_US)
            clock.now += 3600
        settle(archive)
        today, today_footage, week, week_footage = numbers(ask(counted, zone))
        assert today == hours * 3600 - 10
        assert today_footage == (hours - 1) * 3600 - 10
        assert week == (midnight_us - start_us) / 1e6 + today
        assert week_footage == today_footage
        # Ten seconds later another day has begun.
        clock.now += 25
        settle(archive)
        today, today_footage, week_later, _ = numbers(ask(counted, zone))
        assert (today, today_footage) == (15.0, 0.0)
        assert week_later == week + 25


def test_nothing_is_told_before_there_is_something(tmp_path: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        counted = Completeness(archive)
        assert ask(counted)["today_wanted_s"] == 0.0
        (tmp_path / "a" / ".facility_cameras.json").unlink()
        clock.now += 10
        settle(archive)
        assert counted.of(["c1"], "Nowhere/There") == []


def test_a_week_that_goes_on_and_changes(tmp_path: Path) -> None:
    """Everything that may change what is there, at chance: asked again and again it is what is true."""
    chance = random.Random(11)
    clock = HandClock()
    zone = "Asia/Ho_Chi_Minh"
    with hand_run(tmp_path / "a", clock) as archive:
        counted = Completeness(archive)
        rows: list[int] = []
        for _ in range(300):
            kind = chance.choice([Duty.RECORD, Duty.RECORD, Duty.OFFLINE, Duty.OFF, Duty.IDLE])
            archive.duties.tell("c1", kind, "no_answer" if kind == Duty.OFFLINE else "")
            settle(archive)
            began = archive.duties.now_us
            seconds = chance.randrange(60, 3600)
            clock.now += seconds
            settle(archive)
            if kind is Duty.RECORD:
                rows.append(record(archive, began + 3 * SECOND_US, began + seconds * SECOND_US))
            index = index_of(archive)
            if len(rows) > 20 and chance.random() < 0.1:
                row = index.segment(rows.pop(chance.randrange(len(rows))))
                assert row is not None
                index.remove([row], "days", archive.duties.now_us)
            if chance.random() < 0.05:
                # Taken in late: it was in memory, or nobody knew of it.
                long_ago = archive.duties.now_us - chance.randrange(1, 90) * HOUR_US
                record(archive, long_ago, long_ago + 600 * SECOND_US)
            if chance.random() < 0.02:
                clock.offset += chance.choice([-5000, 5000])
                settle(archive)
            if chance.random() < 0.3:
                assert numbers(ask(counted, zone)) == pytest.approx(true(archive, zone), abs=1e-3)
        found = ask(counted, zone)
        assert numbers(found) == pytest.approx(true(archive, zone), abs=1e-3)
        assert found["last_gap"] == gaps(archive, "c1", archive.duties.now_us - 6 * DAY_US, 1 << 62)["gaps"][-1]


def test_what_is_counted_once_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        counted = Completeness(archive)
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
        for hour in range(30):
            record(archive, NOW_US + hour * HOUR_US, NOW_US + hour * HOUR_US + 3_599 * SECOND_US)
        clock.now += 30 * 3600
        settle(archive)
        ask(counted)
        asked: list[int] = []

        def noted(archive: Archive, index: object, camera: str, start_us: int, end_us: int) -> object:
            asked.append(end_us - start_us)
            return gaps_module.find(archive, index_of(archive), camera, start_us, end_us)

        monkeypatch.setattr(completeness, "find", noted)
        clock.now += 60
        settle(archive)
        ask(counted)
        # The quarters that are not over, and those of the newest file.
        assert sum(asked) <= 8 * completeness.SLOT_US


def test_the_newest_gap(tmp_path: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        counted = Completeness(archive)
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
        assert ask(counted)["last_gap"] is None
        record(archive, NOW_US, NOW_US + 1000 * SECOND_US)
        clock.now += 1000
        archive.duties.tell("c1", Duty.OFFLINE, "no_answer")
        settle(archive)
        # A gap that lasts, over days, is one gap from its beginning on.
        clock.now += 3 * 86_400
        settle(archive)
        until = archive.duties.now_us - 10 * SECOND_US
        begun = NOW_US + 1000 * SECOND_US
        assert ask(counted)["last_gap"] == {"start": begun, "end": until, "reason": "offline", "cause": "no_answer"}
        over = archive.duties.now_us
        for _ in range(70):
            archive.duties.tell("c1", Duty.RECORD)
            settle(archive)
            clock.now += 1
        record(archive, over, over + 1800 * SECOND_US)
        clock.now += 1730
        settle(archive)
        gap = ask(counted)["last_gap"]
        assert gap is not None
        assert (gap["start"], gap["end"], gap["reason"]) == (begun, over, "offline")


def test_asked_before_it_is_known_how_the_engine_before_ended(tmp_path: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.OFF)
        settle(archive)
        clock.now += 3600
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
    clock.now += 7200
    with hand_run(tmp_path / "a", clock) as archive:
        counted = Completeness(archive)
        archive.duties.tell("c1", Duty.OFF)
        assert ask(counted)["week_wanted_s"] == 7190
        settle(archive)
        assert numbers(ask(counted)) == true(archive, "UTC")
        gap = ask(counted)["last_gap"]
        assert gap is not None
        assert gap["reason"] == "down"


def test_clock_set_back_after_it_was_counted(tmp_path: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        counted = Completeness(archive)
        archive.duties.tell("c1", Duty.OFFLINE, "no_answer")
        settle(archive)
        clock.now += 3 * 3600
        settle(archive)
        ask(counted)
        clock.offset -= 2 * 3600
        clock.now += 60
        settle(archive)
        assert numbers(ask(counted)) == true(archive, "UTC")
        assert ask(counted)["week_wanted_s"] == 3600 + 60 - 10


def test_a_file_that_a_crash_left_open_counts_once_it_is_repaired(tmp_path: Path) -> None:
    clock = HandClock()
    with hand_run(tmp_path / "a", clock) as archive:
        counted = Completeness(archive)
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
        index = index_of(archive)
        index.camera_folder("c1", "f1", "f/c1")
        number = index.open_segment("c1", "run", "h264", b"init", NOW_US, "day/x.mp4")
        clock.now += 3600
        settle(archive)
        record(archive, NOW_US + HOUR_US - 60 * SECOND_US, NOW_US + HOUR_US)
        record(archive, NOW_US + HOUR_US - 120 * SECOND_US, NOW_US + HOUR_US - 60 * SECOND_US)
        assert ask(counted)["week_footage_s"] == 110
        index.close_segment(number, Closing(NOW_US, NOW_US + 60 * SECOND_US, 1000, 100, b"", b""))
        assert ask(counted)["week_footage_s"] == 170
