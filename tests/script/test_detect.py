"""What `script/bench detect` makes of a log of truth and of states that were shown. Times are made up."""

import math

from hypothesis import given, strategies as st
import pytest

from benchmarks.fault_plan import Kind, plan
from benchmarks.home_states import rows_a_day
from benchmarks.truth_and_states import Happened, Shown, entries, judge, p95

GONE = Kind("gone", "refused", "refused", (20.0, 30.0))
SILENT = Kind("silent", "unreachable", "silent", (20.0, 30.0), frozenset({"stalled"}))
CUT = Kind("cut", None, "", (0.0, 0.0))
UNTIL = 1000.0


def _shown(*states: tuple[str, float], camera: str = "a") -> list[Shown]:
    return [Shown(camera, status, at) for status, at in states]


def test_percentile_lies_between_the_measured_values() -> None:
    assert p95([3.0]) == 3.0
    assert p95([float(number) for number in range(101)]) == pytest.approx(95.0)
    assert p95([1.0, 1.0, 1.0, 9.0]) == pytest.approx(1.0 + 0.85 * 8.0)


def test_a_fault_is_found_when_its_status_is_shown_and_over_when_online_is() -> None:
    judged = judge([Happened("a", GONE, 100.0, 120.0)], _shown(("refused", 101.5), ("online", 123.0)), UNTIL)
    assert dict(judged.took) == {"refused": [1.5]}
    assert judged.recovered == [3.0]
    assert (judged.faults, judged.missed, judged.false) == (1, [], [])


def test_another_status_on_the_way_is_right_and_not_yet_the_one() -> None:
    states = _shown(("stalled", 108.0), ("unreachable", 113.0), ("online", 122.0))
    judged = judge([Happened("a", SILENT, 100.0, 120.0)], states, UNTIL)
    assert dict(judged.took) == {"silent": [13.0]}
    assert judged.false == []


def test_a_status_that_no_fault_explains_is_false() -> None:
    fault = Happened("a", GONE, 100.0, 120.0)
    before = _shown(("stalled", 50.0), ("online", 51.0))
    assert judge([fault], before, UNTIL).false == before
    another = _shown(("refused", 101.0), camera="b")
    assert judge([fault], another, UNTIL).false == another
    wrong = _shown(("stalled", 108.0), ("refused", 109.0), ("online", 121.0))
    assert judge([fault], wrong, UNTIL).false == wrong[:1]


def test_a_status_shown_twice_in_one_fault_is_false_the_second_time() -> None:
    states = _shown(("stalled", 108.0), ("unreachable", 110.0), ("stalled", 112.0), ("unreachable", 114.0))
    judged = judge([Happened("a", SILENT, 100.0, 120.0)], states, UNTIL)
    assert judged.false == states[2:]


def test_online_while_the_fault_lasts_is_false_and_so_is_going_again_after_its_end() -> None:
    states = _shown(("refused", 101.0), ("online", 110.0), ("refused", 111.0))
    judged = judge([Happened("a", GONE, 100.0, 120.0)], states, UNTIL)
    assert judged.false == states[1:]
    states = _shown(("refused", 101.0), ("online", 121.0), ("refused", 130.0), ("online", 131.0))
    judged = judge([Happened("a", GONE, 100.0, 120.0)], states, UNTIL)
    assert judged.false == states[2:]
    assert judged.recovered == [11.0]


def test_online_long_after_the_end_of_a_fault_is_not_explained_by_it() -> None:
    states = _shown(("refused", 101.0), ("online", 300.0))
    assert judge([Happened("a", GONE, 100.0, 120.0)], states, UNTIL).false == states[1:]


def test_a_fault_that_is_not_found_counts_with_the_time_it_lasted() -> None:
    fault = Happened("a", GONE, 100.0, 120.0)
    late = judge([fault], _shown(("refused", 121.0), ("online", 123.0)), UNTIL)
    never = judge([fault], [], UNTIL)
    for judged in (late, never):
        assert dict(judged.took) == {"refused": [20.0]}
        assert judged.missed == [fault]
    assert never.recovered == []
    assert late.recovered == [3.0]


def test_a_camera_that_never_came_back_counts_until_the_next_fault_or_the_end() -> None:
    faults = [Happened("a", GONE, 100.0, 120.0), Happened("a", GONE, 200.0, 220.0)]
    judged = judge(faults, _shown(("refused", 101.0), ("refused", 201.0)), UNTIL)
    assert judged.recovered == [80.0, 780.0]


def test_a_fault_that_must_show_nothing_explains_nothing_and_is_not_to_be_found() -> None:
    cut = Happened("a", CUT, 100.0, 100.0)
    assert judge([cut], [], UNTIL).faults == 0
    states = _shown(("refused", 100.5), ("online", 101.5))
    assert judge([cut], states, UNTIL).false == states


def test_truth_is_read_as_the_simulator_tells_it() -> None:
    told = [
        {"camera": "a", "fault": "gone", "began_monotonic": 1.5, "ended_monotonic": 2.5},
        {"camera": "b", "fault": "gone", "began_monotonic": 3, "ended_monotonic": None},
        {"camera": "b", "fault": "leap", "began_monotonic": 4.0, "ended_monotonic": 4.0},
    ]
    assert entries(told, [GONE, CUT]) == [Happened("a", GONE, 1.5, 2.5), Happened("b", GONE, 3.0, math.inf)]


@given(st.integers(), st.integers(1, 12), st.integers(1, 5))
def test_planned_faults_leave_every_camera_its_peace(seed: int, count: int, each: int) -> None:
    cameras = [f"camera {number}" for number in range(count)]
    kinds, seconds, rest = (GONE, SILENT, CUT), 60.0 * each, 25.0
    planned = plan(seed, cameras, kinds, each, seconds, rest)
    assert planned == plan(seed, cameras, kinds, each, seconds, rest)
    assert [fault.at_s for fault in planned] == sorted(fault.at_s for fault in planned)
    for camera in cameras:
        mine = [fault for fault in planned if fault.camera == camera]
        assert len(mine) == each
        ends = [fault.at_s + fault.seconds + rest for fault in mine]
        assert all(end <= begin.at_s for end, begin in zip(ends, mine[1:], strict=False))
        assert mine[0].at_s >= 0
        assert ends[-1] <= seconds
    shares = [sum(fault.kind is kind for fault in planned) for kind in kinds]
    assert max(shares) - min(shares) <= 1


def test_a_plan_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        plan(1, ["a"], [GONE], 3, 100.0, 25.0)


def test_rows_of_a_day_are_as_many_as_in_the_time_that_was_looked_at() -> None:
    assert rows_a_day(3, 180.0, "rising", "") == 1440.0
    assert rows_a_day(0, 180.0, "99.2", "%") == 0.0


def test_a_share_that_rises_has_only_its_steps_up_to_a_hundred_left() -> None:
    assert rows_a_day(3, 180.0, "99.2", "%") == pytest.approx(3 + 8)
    assert rows_a_day(3, 180.0, "99.25", "%") == pytest.approx(3 + 75)
    assert rows_a_day(3, 180.0, "100", "%") == pytest.approx(3)
    assert rows_a_day(1, 86_400.0, "50.0", "%") == pytest.approx(1)
    assert rows_a_day(3, 180.0, "unknown", "%") == 1440.0
