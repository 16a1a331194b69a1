"""What is known of a picture: views are compared by their edges, and what is known survives as bytes."""

import random

import numpy as np
import pytest

from custom_components.facility_cameras.engine.picture.alive import UNSURE, frozen, learn, liveness
from custom_components.facility_cameras.engine.picture.groups import Group
from custom_components.facility_cameras.engine.picture.known import CELLS, Known, UnreadableError, View
from custom_components.facility_cameras.engine.picture.seen import HEIGHT, WIDTH, Grey
from custom_components.facility_cameras.engine.picture.view import Edges, compare, edges, shift, weights

CLOCK = slice(0, 16), slice(0, 64)
NO_CELLS = np.zeros(CELLS, np.bool_)


def drawn(seed: int, left: int = 0) -> Grey:
    """A wall of boxes, seen from `left` pixels further to the right."""
    chance = np.random.default_rng(seed)
    wall = np.full((HEIGHT, WIDTH * 2), 120, np.uint8)
    for _ in range(60):
        y, x, h, w = (int(chance.integers(0, most)) for most in (HEIGHT - 20, WIDTH * 2 - 40, 50, 60))
        wall[y : y + h + 8, x : x + w + 8] = chance.integers(30, 220)
    return wall[:, left : left + WIDTH].copy()


def noisy(grey: Grey, seed: int) -> Grey:
    noise = np.random.default_rng(seed).normal(0, 2, grey.shape)
    return np.clip(grey + noise, 0, 255).astype(np.uint8)


def digits(time: int) -> Grey:
    return (np.random.default_rng(time).integers(0, 2, (16, 64)) * 200).astype(np.uint8)


def seen(grey: Grey) -> Edges:
    return edges(grey, weights([]))


def groups(seed: int | None) -> list[Group]:
    """Four key pictures: all different with a seed, each the same as the one before without."""
    chance = random.Random(seed)
    return [Group(n, 5000, 7 if seed is None else chance.getrandbits(30), 24, 24_000) for n in range(4)]


def test_the_same_view_in_another_light() -> None:
    day = drawn(1)
    for night in (day // 3 + 20, 255 - day):
        assert compare(seen(day), seen(noisy(night, 2))).same > 0.8


@pytest.mark.parametrize("pixels", [16, 40])
def test_a_turned_camera_is_found_by_how_far(pixels: int) -> None:
    before, after = seen(drawn(1)), seen(noisy(drawn(1, pixels), 2))
    found = shift(before, after)
    assert found.by == pytest.approx(pixels / WIDTH, abs=0.02)
    assert found.fit > 2 * found.fit_in_place


def test_another_view_and_a_covered_one() -> None:
    before = seen(drawn(1))
    assert compare(before, seen(drawn(9))).same < 0.2
    covered = compare(before, seen(noisy(np.full((HEIGHT, WIDTH), 90, np.uint8), 2)))
    assert covered.same < 0.2
    assert covered.lost > 0.8


def watched(known: Known, clock: bool) -> None:
    """Twelve looks at a picture that is well, with or without a clock in it."""
    for look in range(12):
        grey = noisy(drawn(1), look)
        if clock:
            grey[CLOCK] = digits(look)
        now = liveness(known, grey, groups(look), NO_CELLS, look * 30.0)
        learn(known, now, groups(look))
        known.before, known.before_at = grey, look * 30.0


def test_a_clock_that_stands_is_a_frozen_picture() -> None:
    known = Known()
    watched(known, clock=True)
    assert known.before is not None
    same = known.before.copy()
    now = liveness(known, same, groups(5), NO_CELLS, 360.0)
    assert frozen(known, now, groups(5)) == ("clock_stands", UNSURE)
    repeated = groups(None)
    now = liveness(known, same, repeated, NO_CELLS, 360.0)
    assert frozen(known, now, repeated) == ("clock_stands", 0.9)
    same[CLOCK] = digits(200)
    now = liveness(known, same, groups(5), NO_CELLS, 360.0)
    assert frozen(known, now, groups(5)) is None


def test_leaves_that_stand_still_once_the_wind_is_over_are_no_clock() -> None:
    known = Known()
    rng = np.random.default_rng(3)
    for look in range(12):
        grey = noisy(drawn(1), look)
        grey[:64, :128] = rng.integers(0, 255, (64, 128), np.uint8)
        learn(known, liveness(known, grey, groups(look), NO_CELLS, look * 30.0), groups(look))
        known.before, known.before_at = grey, look * 30.0
    assert known.before is not None
    now = liveness(known, known.before, groups(5), NO_CELLS, 360.0)
    assert frozen(known, now, groups(5)) is None


def test_repeated_key_pictures_are_a_frozen_picture_and_a_still_scene_is_none() -> None:
    known = Known()
    watched(known, clock=False)
    assert known.before is not None
    for coded, wanted in ((groups(None), ("picture_repeats", 0.95)), (groups(5), None)):
        now = liveness(known, known.before, coded, NO_CELLS, 360.0)
        assert frozen(known, now, coded) == wanted


def test_known_comes_back_from_bytes() -> None:
    known = Known()
    watched(known, clock=True)
    known.views.append(View(seen(drawn(1)), False, 120.0, 12, 12))
    again = Known.from_bytes(known.to_bytes())
    assert compare(again.views[0].edges, seen(drawn(1))).same == 1
    assert (again.pairs, again.keys, again.looks) == (known.pairs, known.keys, known.looks)
    again.begin_anew()
    assert again.before is None
    assert again.views


def test_damaged_bytes_are_one_error() -> None:
    whole = Known(views=[View(seen(drawn(1)), False, 120.0)]).to_bytes()
    for data in (b"", whole[:7], whole[:-1], b"PIC1" + bytes(40), whole.replace(b"{", b"[", 1)):
        with pytest.raises(UnreadableError):
            Known.from_bytes(data)
