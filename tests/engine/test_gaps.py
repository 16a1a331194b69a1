"""A gap is what was to be recorded and is not there; its reason is the true one."""

from pathlib import Path
import random

import pytest

from custom_components.facility_cameras.engine import gaps as gaps_module
from custom_components.facility_cameras.engine.api import Duty
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.duty import Interval
from custom_components.facility_cameras.engine.gaps import deleted, explained, gaps, length, merged, without
from tests.engine.archives import NOW_US, HandClock, begin, put
from tests.engine.duties import SECOND_US, hand_run, index_of, live, record, run, settle

type Found = list[tuple[int, int, str, str]]


def told(archive: Archive, start: int = 0, end: int = 1 << 40) -> tuple[Found, float, float]:
    """Gaps in seconds since NOW_US, and the totals."""
    found = gaps(archive, "c1", NOW_US + start * SECOND_US, NOW_US + end * SECOND_US)
    listed = [
        ((gap["start"] - NOW_US) // SECOND_US, (gap["end"] - NOW_US) // SECOND_US, gap["reason"], gap["cause"])
        for gap in found["gaps"]
    ]
    return listed, found["wanted_s"], found["footage_s"]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def test_reasons(tmp_path: Path, clock: HandClock) -> None:
    with hand_run(tmp_path / "a", clock) as archive:
        live(
            archive,
            clock,
            (Duty.OFFLINE, "starting", 4, None),
            (Duty.RECORD, "", 3600, (2, 3590)),
            (Duty.OFFLINE, "no_answer", 300, None),
            (Duty.RECORD, "", 3600, (5, 3600)),
            (Duty.VOLUME, "full", 200, None),
            (Duty.RECORD, "", 3600, (0, 3600)),
            (Duty.OVERLOAD, "", 100, (50, 100)),
            (Duty.RECORD, "", 3600, (0, 1800)),
            (Duty.OFFLINE, "no_packets", 100, None),
            (Duty.OFF, "", 4900, None),
            (Duty.RECORD, "", 100, (3, 100)),
            (Duty.IDLE, "", 5000, None),
            (Duty.RECORD, "", 100, (0, 50)),
            (Duty.OFF, "", 500, None),
        )
        found, wanted, footage = told(archive)
    assert found == [
        (0, 6, "starting", ""),
        (3594, 3909, "offline", "no_answer"),
        (7504, 7704, "volume", "full"),
        (11304, 11354, "overload", ""),
        # Long in the midst of recording: nobody knows more.
        (13204, 15004, "interrupted", ""),
        (15004, 15104, "offline", "no_packets"),
        (20004, 20007, "starting", ""),
        (25154, 25204, "interrupted", ""),
    ]
    assert wanted == 25204 - 9_900
    assert footage == wanted - sum(end - start for start, end, *_ in found)


def test_engine_down_is_told_as_that_up_to_the_first_picture(tmp_path: Path, clock: HandClock) -> None:
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        record(archive, NOW_US, NOW_US + 95 * SECOND_US)
        for _ in range(10):
            settle(archive)
            clock.now += 10
    clock.now += 100
    with hand_run(tmp_path / "a", clock) as archive:
        live(archive, clock, (Duty.OFFLINE, "starting", 3, None), (Duty.RECORD, "", 100, (2, 100)))
        assert told(archive)[0] == [(95, 200, "down", ""), (200, 205, "starting", "")]


def test_off_and_idle_are_never_gaps(tmp_path: Path, clock: HandClock) -> None:
    with hand_run(tmp_path / "a", clock) as archive:
        live(archive, clock, (Duty.OFF, "", 100_000, None), (Duty.IDLE, "", 100_000, (1000, 2000)))
        assert told(archive) == ([], 0.0, 0.0)


def test_nothing_was_wanted_before_a_camera_was_known_and_after_it_was_removed(
    tmp_path: Path, clock: HandClock
) -> None:
    with hand_run(tmp_path / "a", clock) as archive:
        clock.now += 1000
        archive.duties.tell("c1", Duty.OFFLINE, "no_answer")
        clock.now += 100
        archive.duties.gone("c1")
        settle(archive)
        clock.now += 1000
        settle(archive)
        archive.duties.beat()
        assert told(archive, -100_000) == ([(1000, 1100, "offline", "no_answer")], 100.0, 0.0)
        assert told(archive, 0, 500) == ([], 0.0, 0.0)


def test_clock_set_forward_is_no_gap(tmp_path: Path, clock: HandClock) -> None:
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        record(archive, NOW_US, NOW_US + 100 * SECOND_US)
        clock.now += 100
        settle(archive)
        clock.offset += 3600
        live(archive, clock, (Duty.RECORD, "", 100, (0, 100)))
        assert told(archive) == ([], 200.0, 200.0)


def test_deleted_and_lost(tmp_path: Path, clock: HandClock) -> None:
    with hand_run(tmp_path / "a", clock) as archive:
        numbers = [
            record(archive, NOW_US + at * SECOND_US, NOW_US + (at + 60) * SECOND_US) for at in range(0, 1200, 60)
        ]
        live(archive, clock, (Duty.RECORD, "", 1200, None))
        index = index_of(archive)
        assert told(archive) == ([], 1200.0, 1200.0)
        for reason, which in (
            ("days", slice(0, 3)),
            ("space", slice(3, 5)),
            ("quota", slice(7, 8)),
            ("lost", slice(10, 11)),
            ("empty", slice(12, 13)),
        ):
            rows = [row for row in map(index.segment, numbers[which]) if row is not None]
            index.remove(rows, reason, NOW_US)
        found, wanted, footage = told(archive)
        # One at a time too: a period that begins inside a deletion.
        assert told(archive, 30, 90)[0] == [(30, 90, "deleted", "days")]
    assert found == [
        (0, 300, "deleted", "days"),
        (420, 480, "deleted", "quota"),
        (600, 660, "lost", ""),
        (720, 780, "interrupted", ""),
    ]
    assert (wanted, footage) == (1200.0, 1200.0 - 480)


def test_footage_that_began_before_the_asked_time_counts(tmp_path: Path, clock: HandClock) -> None:
    with hand_run(tmp_path / "a", clock) as archive:
        record(archive, NOW_US, NOW_US + 100 * SECOND_US)
        live(archive, clock, (Duty.RECORD, "", 120, None))
        assert told(archive, 30, 90) == ([], 60.0, 60.0)


def test_deletions_that_overlap_are_told_once(tmp_path: Path, clock: HandClock) -> None:
    """Our clock was set back while it recorded; and a reason that is none of the policy's is no cause."""
    with hand_run(tmp_path / "a", clock) as archive:
        index = index_of(archive)
        for begin_s, end_s, reason in ((0, 60, "days"), (10, 20, "lost"), (30, 90, "lost"), (90, 100, "somebody")):
            number = record(archive, NOW_US + begin_s * SECOND_US, NOW_US + end_s * SECOND_US)
            row = index.segment(number)
            assert row is not None
            index.remove([row], reason, NOW_US)
        found = deleted(index, "c1", NOW_US, NOW_US + 200 * SECOND_US)
        assert [((start - NOW_US) // SECOND_US, (end - NOW_US) // SECOND_US, *why) for start, end, *why in found] == [
            (0, 60, "deleted", "days"),
            (60, 90, "lost", ""),
            (90, 100, "deleted", ""),
        ]


def test_slivers_count_and_are_not_listed(tmp_path: Path, clock: HandClock) -> None:
    with hand_run(tmp_path / "a", clock) as archive:
        for at in range(10):
            record(archive, NOW_US + at * 60 * SECOND_US, NOW_US + (at * 60 + 60) * SECOND_US - 900_000)
        live(archive, clock, (Duty.RECORD, "", 600, None))
        assert told(archive) == ([], 600.0, 591.0)


def test_a_hole_of_slivers_is_a_gap(tmp_path: Path, clock: HandClock) -> None:
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        record(archive, NOW_US, NOW_US + 20 * SECOND_US)
        settle(archive)
        clock.now += 20
        settle(archive)
    clock.now += 0.5
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.OFFLINE, "starting")
        clock.now += 0.7
        record(archive, NOW_US + 21_200_000, NOW_US + 100 * SECOND_US)
        archive.duties.tell("c1", Duty.RECORD)
        settle(archive)
        clock.now += 50
        settle(archive)
        found = gaps(archive, "c1", 0, 1 << 62)["gaps"]
        assert [(gap["start"], gap["end"], gap["reason"]) for gap in found] == [
            (NOW_US + 20 * SECOND_US, NOW_US + 21_200_000, "down")
        ]


def test_a_sliver_belongs_to_the_longer_beside_it_and_the_longest_cause_is_told() -> None:
    at = 0
    duties = []
    for kind, reason, lasts_us in (
        (Duty.OFFLINE, "no_answer", 5 * SECOND_US),
        (Duty.OFFLINE, "no_packets", 50 * SECOND_US),
        (Duty.OVERLOAD, "", SECOND_US // 2),
        (Duty.VOLUME, "full", 200 * SECOND_US),
    ):
        duties.append(Interval("c1", at, at + lasts_us, kind, reason))
        at += lasts_us
    assert explained([(0, at)], [], duties) == [
        {"start": 0, "end": 55 * SECOND_US, "reason": "offline", "cause": "no_packets"},
        {"start": 55 * SECOND_US, "end": at, "reason": "volume", "cause": "full"},
    ]


def test_the_file_that_is_written_counts_as_far_as_it_is_on_the_disk(tmp_path: Path, clock: HandClock) -> None:
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.RECORD)
        recording = begin(archive)
        for _ in range(15):
            put(recording)
        run(archive)
        clock.now += 60
        settle(archive)
        assert told(archive) == ([(30, 50, "interrupted", "")], 50.0, 30.0)
        recording.close(NOW_US, NOW_US + 30 * SECOND_US)
        run(archive)
        assert told(archive)[2] == 30.0


def test_the_newest_seconds_are_not_judged(tmp_path: Path, clock: HandClock) -> None:
    with hand_run(tmp_path / "a", clock) as archive:
        archive.duties.tell("c1", Duty.OFFLINE, "no_answer")
        settle(archive)
        clock.now += 30
        settle(archive)
        found = gaps(archive, "c1", 0, 1 << 62)
        assert found["until"] == NOW_US + 20 * SECOND_US
        assert found["wanted_s"] == 20.0
        assert found["gaps"] == [{"start": NOW_US, "end": found["until"], "reason": "offline", "cause": "no_answer"}]


def test_bounds(tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps_module, "LISTED", 3)
    with hand_run(tmp_path / "a", clock) as archive:
        for at in range(10):
            record(archive, NOW_US + at * 60 * SECOND_US, NOW_US + (at * 60 + 50) * SECOND_US)
        live(archive, clock, (Duty.RECORD, "", 600, None), (Duty.OFF, "", 200 * 86_400, None))
        found = gaps(archive, "c1", 0, 1 << 62)
        assert (len(found["gaps"]), found["more"], found["footage_s"]) == (3, True, 500.0)
        assert found["until"] == NOW_US + gaps_module.MOST_US
    with hand_run(tmp_path / "b", clock) as empty:
        assert gaps(empty, "c1", 0, 1 << 62)["gaps"] == []


def test_arithmetic_of_spans() -> None:
    chance = random.Random(7)
    for _ in range(300):
        some, others = (
            merged(sorted((start, start + chance.randrange(12)) for start in (chance.randrange(100) for _ in range(9))))
            for _ in range(2)
        )
        left = without(some, others)
        seconds = {at for start, end in some for at in range(start, end)}
        taken = {at for start, end in others for at in range(start, end)}
        assert {at for start, end in left for at in range(start, end)} == seconds - taken
        assert length(left) == len(seconds - taken)
        assert left == merged(left)
