"""The time of a run: where pictures lie in it and where it lies in the world (DESIGN: Time)."""

from collections.abc import Iterator
import itertools

from hypothesis import given, strategies as st
import pytest

from custom_components.facility_cameras.engine.timeline import PULL, Timeline

CLOCK = 90_000
UTC = 1_790_000_000.0
#: Monotonic time at which the runs begin.
NOW = 5_000.0


def pictures(count: int, *, fps: int = 25, delay: float = 0.05, drift: float = 0.0) -> Iterator[tuple[int, float]]:
    """(RTP time, time of receipt) of pictures of a steady camera; `drift`: how much faster its clock runs."""
    for number in range(count):
        due = number / fps
        yield round(due * (1 + drift) * CLOCK), NOW + due + delay


def test_the_least_delayed_picture_says_when_the_run_began() -> None:
    timeline = Timeline(UTC - NOW)
    delays = [0.9, 0.7, 0.4, 0.05, 0.2, 0.2]
    for number, delay in enumerate(delays):
        assert timeline.place(number * 3600, NOW + number / 25 + delay) == number * 3600
    assert timeline.start_us == pytest.approx((UTC + 0.05) * 1e6, abs=2)
    assert timeline.leaps == 0


def test_a_burst_of_buffered_pictures_is_no_leap() -> None:
    timeline = Timeline(UTC - NOW)
    for number in range(100):
        assert timeline.place(number * 3600, NOW) == number * 3600
    assert timeline.leaps == 0
    assert timeline.start_us == pytest.approx((UTC - 99 / 25) * 1e6, abs=2)


@pytest.mark.parametrize("drift", [500e-6, 100e-6, -100e-6, -500e-6])
def test_a_drifting_clock_is_pulled_back(drift: float) -> None:
    timeline = Timeline(UTC - NOW)
    fps, minutes = 5, 600
    first = last_end = 0
    error = 0.0
    for rtp, received in pictures(fps * 60 * minutes, fps=fps, drift=drift):
        media = timeline.place(rtp, received)
        if media - first >= 60 * CLOCK:
            start_us, end_us = timeline.close_segment(first, media)
            assert start_us == last_end or not last_end
            seconds = (media - first) / CLOCK
            assert abs((end_us - start_us) / 1e6 - seconds) <= PULL * seconds + 1e-5
            first, last_end = media, end_us
            error = end_us / 1e6 - (received - NOW + UTC)
    assert timeline.leaps == 0
    assert abs(error) < 0.2


@given(by=st.one_of(st.integers(3, 80_000), st.integers(-40_000, -3)), fps=st.integers(5, 30))
def test_p8_a_leap_is_replaced_by_arrival(by: int, fps: int) -> None:
    timeline = Timeline(UTC - NOW)
    placed = []
    for number, (rtp, received) in enumerate(pictures(fps * 8, fps=fps)):
        leap = by * CLOCK if number >= fps * 4 else 0
        placed.append(timeline.place(rtp + leap, received))
    assert all(before < after for before, after in itertools.pairwise(placed))
    assert timeline.leaps == 1
    assert placed[-1] == pytest.approx((fps * 8 - 1) / fps * CLOCK, abs=2 * CLOCK / fps)


def test_p9_pictures_with_one_time_go_by_arrival() -> None:
    timeline = Timeline(UTC - NOW)
    placed = [timeline.place(77, NOW + number / 10) for number in range(200)]
    assert all(before < after for before, after in itertools.pairwise(placed))
    assert placed[-1] / CLOCK == pytest.approx(19.9, abs=1.5)
    assert timeline.leaps == 1


def test_p9_pairs_with_one_time_are_one_tick_apart() -> None:
    timeline = Timeline(UTC - NOW)
    placed = [timeline.place((number & ~1) * 3600, NOW + number / 25) for number in range(100)]
    assert all(before < after for before, after in itertools.pairwise(placed))
    assert timeline.leaps == 0


def test_p10_times_that_fall_behind_are_anchored_anew() -> None:
    timeline = Timeline(UTC - NOW)
    media = 0
    for number in range(10 * 120):
        media = timeline.place(number * 3600, NOW + number / 10)  # 25 told, 10 come
    assert timeline.leaps >= 1
    assert 120 - media / CLOCK < 31


def test_reordered_pictures_keep_their_times() -> None:
    timeline = Timeline(UTC - NOW)
    order = [0, 4, 2, 1, 3, 8, 6, 5, 7]
    placed = [timeline.place(number * 3600, NOW + index / 25) for index, number in enumerate(order)]
    assert placed == [number * 3600 for number in order]
    assert timeline.leaps == 0


def test_recording_that_paused_goes_on_where_it_is_in_time() -> None:
    timeline = Timeline(UTC - NOW)
    for rtp, received in pictures(25 * 10):
        media = timeline.place(rtp, received)
    _, end = timeline.close_segment(0, 10 * CLOCK)
    for rtp, received in pictures(25 * 100):
        if received > NOW + 10.1:
            media = timeline.place(rtp, received)
    start = timeline.open_segment(media)
    assert end == pytest.approx((UTC + 10.05) * 1e6, abs=1e4)
    assert start == pytest.approx((UTC + media / CLOCK + 0.05) * 1e6, abs=1e5)


def test_a_run_does_not_overlap_the_one_before() -> None:
    timeline = Timeline(UTC - NOW)
    timeline.place(0, NOW)
    timeline.place(90_000, NOW)  # the camera sent a buffered second at once
    before_us = round((UTC - 0.25) * 1e6)
    timeline.not_before(before_us)
    assert timeline.open_segment(0) == before_us
    start, end = timeline.close_segment(0, 2 * CLOCK)
    assert start == before_us
    assert timeline.open_segment(2 * CLOCK) == end


def test_after_its_first_minute_a_run_begins_where_it_did() -> None:
    timeline = Timeline(UTC - NOW)
    for rtp, received in pictures(25 * 61, delay=0.5):
        timeline.place(rtp, received)
    before = timeline.start_us
    # What comes with less delay from now on is for the pull, not for all that is written already.
    timeline.place(62 * CLOCK, NOW + 62 + 0.05)
    assert timeline.start_us == before


def test_a_leap_among_pictures_that_are_read_in_one_go_is_one_interval() -> None:
    timeline = Timeline(UTC - NOW)
    media = 0
    for rtp, received in pictures(200, fps=10):
        media = timeline.place(rtp, received)
    # A pause says nothing of the interval.
    media = timeline.place(30 * CLOCK, NOW + 30.05)
    leapt = timeline.place(9000 * CLOCK, NOW + 30.05)
    assert leapt - media == pytest.approx(CLOCK / 10, abs=CLOCK / 100)
    # One of a pair with one time, right behind the leap.
    assert timeline.place(9000 * CLOCK, NOW + 30.05) == leapt + 1


def test_p9_arrival_is_followed_closely_and_over_a_pause() -> None:
    timeline = Timeline(UTC - NOW)
    for number in range(600):
        media = timeline.place(77, NOW + number / 10)
    assert media / CLOCK == pytest.approx(59.9, abs=0.2)
    media = timeline.place(77, NOW + 90)
    assert media / CLOCK == pytest.approx(90, abs=0.2)


def test_p9_a_burst_of_pictures_never_goes_back() -> None:
    timeline = Timeline(UTC - NOW)
    placed = [timeline.place(77, NOW + number / 10) for number in range(700)]
    placed += [timeline.place(77, NOW + 70) for _ in range(1000)]
    assert all(before < after for before, after in itertools.pairwise(placed))


def test_sound_from_before_the_first_picture_begins_with_it() -> None:
    timeline = Timeline(UTC - NOW)
    timeline.place(0, NOW)
    assert timeline.audio_start(NOW - 0.3) == 0.0
    assert timeline.audio_start(NOW + 0.3) == pytest.approx(0.3)


@pytest.mark.parametrize(("ahead_s", "kept"), [(29, True), (31, False)])
def test_a_clock_that_was_set_back_far_is_believed(ahead_s: int, *, kept: bool) -> None:
    timeline = Timeline(UTC - NOW)
    timeline.place(0, NOW)
    before_us = timeline.start_us + ahead_s * 1_000_000
    timeline.not_before(before_us)
    assert timeline.open_segment(0) == (before_us if kept else timeline.start_us)


@pytest.mark.parametrize(("gap_s", "kept"), [(0.9, True), (1.1, False)])
def test_what_is_still_to_be_pulled_is_kept_over_a_short_pause_only(gap_s: float, *, kept: bool) -> None:
    timeline = Timeline(UTC - NOW)
    timeline.place(0, NOW)
    timeline.place(10 * CLOCK, NOW + 10)
    _, end_us = timeline.close_segment(0, 10 * CLOCK)
    media = round((10 + gap_s) * CLOCK)
    # All comes 0.4 s later than it did: the camera's clock is slow.
    timeline.place(media, NOW + 10.4 + gap_s)
    assert timeline.open_segment(media) == pytest.approx(end_us + (gap_s + (0 if kept else 0.4)) * 1e6, abs=2)


def test_after_a_pause_a_segment_does_not_begin_before_the_one_before_ended() -> None:
    timeline = Timeline(UTC - NOW)
    timeline.place(0, NOW)
    timeline.not_before(timeline.start_us + 20_000_000)
    _, end_us = timeline.close_segment(0, 10 * CLOCK)
    timeline.place(12 * CLOCK, NOW + 12)
    assert timeline.open_segment(12 * CLOCK) == end_us


def test_a_first_picture_that_came_sooner_than_all_others_pulls_nothing() -> None:
    timeline = Timeline(UTC - NOW)
    timeline.place(0, NOW)
    for rtp, received in pictures(251, delay=0.3):
        timeline.place(rtp, received)
    start_us, end_us = timeline.close_segment(0, 10 * CLOCK)
    assert end_us - start_us == 10_000_000


@given(
    st.lists(st.tuples(st.integers(-(1 << 40), 1 << 40), st.floats(0, 40)), min_size=2, max_size=60),
    st.integers(1, 9),
)
def test_whatever_a_camera_sends_segments_never_overlap(steps: list[tuple[int, float]], every: int) -> None:
    timeline = Timeline(UTC - NOW)
    received, rtp, first, end_us = NOW, 0, None, 0
    newest = 0
    for number, (step, wait) in enumerate(steps):
        received += wait
        rtp += step
        media = timeline.place(rtp, received)
        if first is None:
            first = newest = media
        newest = max(newest, media)
        if number % every == every - 1:
            start, end = timeline.close_segment(first, newest + 1)
            assert start >= end_us
            assert end >= start
            first, end_us = newest + 1, end
