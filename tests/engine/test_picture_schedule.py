"""When cameras are looked at: often enough, never in step, and within the budget. On a simulated clock."""

from collections import Counter
from dataclasses import replace
import itertools

from custom_components.facility_cameras.engine.media import Sample
from custom_components.facility_cameras.engine.picture.groups import Groups
from custom_components.facility_cameras.engine.picture.schedule import EVERY_S, LONGEST_S, SHARE, SOON_S, Schedule
from tests.engine.looking import HandClock


def looked_at(cameras: int, cost_s: float, seconds: float) -> dict[str, list[float]]:
    """When each of so many cameras is looked at if a look costs so much."""
    schedule = Schedule()
    for number in range(cameras):
        schedule.add(f"camera-{number}", 0.0)
    found: dict[str, list[float]] = {f"camera-{number}": [] for number in range(cameras)}
    now = 0.0
    while (due := schedule.next()) is not None and max(due[1], now) < seconds:
        camera, at = due
        now = max(now, at) + cost_s
        found[camera].append(now)
        schedule.looked(camera, now, cost_s, soon=False)
    return found


def distances(times: list[float], after: float = 300) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(times) if earlier > after]


def test_each_camera_about_every_half_minute_and_never_in_step() -> None:
    found = looked_at(64, 0.01, 3600)
    for times in found.values():
        assert max(distances(times)) <= EVERY_S + 1
        assert min(distances(times)) > EVERY_S / 2
    seconds = Counter(int(at) for times in found.values() for at in times if at > 300)
    # 64 looks in 30 s are two or three a second.
    assert max(seconds.values()) <= 12


def test_expensive_looks_come_less_often_so_that_the_budget_holds() -> None:
    cost_s = 0.07
    found = looked_at(64, cost_s, 3600)
    every = [one for times in found.values() for one in distances(times)]
    assert max(every) <= LONGEST_S + 5
    assert sum(len(distances(times)) for times in found.values()) * cost_s / 3300 <= SHARE * 1.1


def test_what_no_budget_can_pay_is_still_looked_at_each_minute() -> None:
    found = looked_at(64, 0.5, 3600)
    assert all(max(distances(times)) <= LONGEST_S + 5 for times in found.values())


def test_a_suspicion_is_looked_at_soon_and_a_hurry_does_not_starve_the_others() -> None:
    schedule = Schedule()
    schedule.add("a", 0.0)
    schedule.looked("a", 10.0, 0.01, soon=True)
    assert schedule.next() == ("a", 10.0 + SOON_S)
    schedule.looked("a", 20.0, 0.01, soon=False)
    schedule.hurry("a", 21.0)
    assert schedule.next() == ("a", 21.0)
    schedule.looked("a", 21.0, 0.01, soon=False)
    schedule.hurry("a", 22.0)
    due = schedule.next()
    assert due is not None
    assert due[1] > 22.0
    schedule.remove("a")
    schedule.hurry("a", 40.0)
    schedule.looked("a", 40.0, 0.01, soon=False)
    assert schedule.next() is None


def groups_of(sizes: list[int]) -> tuple[Groups, list[float]]:
    """Groups of a key picture and three more, the key picture of so many bytes; and when a fall was told."""
    clock, fallen = HandClock(), list[float]()
    groups = Groups(clock.monotonic, lambda: fallen.append(clock.now))
    sample = Sample(0, 0.0, 0, [b""])
    for number, size in enumerate(sizes):
        clock.now = 1000.0 + number
        parts = [(size - 4).to_bytes(4), bytes(size - 5), bytes([number % 256])]
        groups.on_sample(replace(sample, size=size, parts=parts, key=True))
        for _ in range(3):
            groups.on_sample(replace(sample, size=size // 5, parts=[bytes(size // 5)]))
        groups.on_sample(replace(sample, size=900, parts=[bytes(900)], audio=True))
    return groups, fallen


def test_a_fall_of_what_comes_is_told_once_it_is_known_what_is_usual() -> None:
    groups, fallen = groups_of([5000] * 20 + [1000] * 3)
    assert fallen
    assert min(fallen) >= 1020
    assert [(one.key_bytes, one.pictures, one.bytes) for one in groups.newest][-1] == (1000, 3, 600)
    assert len({one.key_sum for one in groups.newest}) == len(groups.newest)
    assert groups_of([5000, 4000] * 20)[1] == []
    assert groups_of([5000] * 3 + [100] * 3)[1] == []


def test_another_run_begins_anew() -> None:
    groups, _ = groups_of([5000] * 5)
    run = groups.run
    groups.on_gap()
    assert not groups.newest
    assert groups.run > run
