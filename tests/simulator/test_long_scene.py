"""Long scenes show what they say, from the second they say on, and are coded as a camera codes."""

from pathlib import Path

import av
import numpy as np
import pytest

from simulator.film_coder import FilmCoder, Key, camera
from simulator.film_kinds import FAULTS, HARMLESS, KINDS
from simulator.film_optics import Pixels
from simulator.long_scene import Film

HOUR = 3600.0
SMALL = 320, 180


def film(seed: int, kind: str) -> Film:
    return Film(seed, kind, *SMALL)


def fault_at(one: Film) -> float:
    assert one.fault_at is not None
    return one.fault_at


def luma(one: Film, second: float) -> Pixels:
    """Brightness without the rows of clock and name."""
    return one.picture(second)[one.height // 8 : one.height * 7 // 8]


def decoded(key: Key) -> Pixels:
    """The brightness of a key picture, as a decoder gives it that knows nothing else."""
    context = av.VideoCodecContext.create("h264" if key.codec == "h264" else "hevc", "r")
    data, at = b"", 0
    whole = key.sets + key.nals
    while at < len(whole):
        length = int.from_bytes(whole[at : at + 4])
        data += b"\0\0\0\1" + whole[at + 4 : at + 4 + length]
        at += 4 + length
    frames = [frame for packet in (av.Packet(data), None) for frame in context.decode(packet)]
    assert len(frames) == 1
    return frames[0].to_ndarray()[: frames[0].height].astype(np.uint8)


def difference(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_picture_any_second_first(kind: str) -> None:
    one, two = film(3, kind), film(3, kind)
    seconds = (fault_at(one) + 60, 20 * HOUR, 9 * HOUR) if one.fault_at is not None else (20 * HOUR, 9 * HOUR, 3 * HOUR)
    forth = [one.picture(second) for second in seconds]
    back = [two.picture(second) for second in reversed(seconds)]
    assert all(np.array_equal(a, b) for a, b in zip(forth, reversed(back), strict=True))


def test_other_seeds_and_kinds_are_other_places() -> None:
    assert difference(luma(film(1, "no_clock"), 10 * HOUR), luma(film(2, "no_clock"), 10 * HOUR)) > 8
    assert difference(luma(film(1, "rain"), 10 * HOUR), luma(film(1, "wind"), 10 * HOUR)) > 8


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_coded_and_decoded(kind: str, codec: str) -> None:
    one = film(5, kind)
    coder = FilmCoder(one, "h264" if codec == "h264" else "h265", 24)
    second = fault_at(one) + 30 if one.fault_at is not None else 11 * HOUR
    key = coder.key_picture(second)
    assert key == FilmCoder(film(5, kind), coder.codec, 24).key_picture(second)
    # A decoder sees the picture that was drawn.
    assert difference(decoded(key), one.picture(one.shown(second))[: one.height]) < 8
    sizes = coder.sizes(second)
    assert len(sizes) == coder.gop
    assert sizes[0] == len(key.nals)
    assert all(0 < size <= 2 * sizes[0] for size in sizes[1:])


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_begins_when_told_and_not_before(kind: str, seed: int) -> None:
    one = film(seed, kind)
    at = fault_at(one)
    assert not one.failed(at - 0.01)
    assert one.failed(at)
    if one.kind.truth == "frozen":
        return
    # People come and go all the time: what changes is the view without them.
    before = np.median([luma(one, at - ago) for ago in (0.1, 20, 40, 60, 80)], axis=0).astype(np.uint8)
    after = np.median([luma(one, at + later) for later in (10, 30, 50, 70, 90)], axis=0).astype(np.uint8)
    ordinary = difference(luma(one, at - 100), before)
    assert difference(luma(one, at - 0.1), before) < 6
    assert difference(after, before) > 2 * ordinary + 2


@pytest.mark.parametrize("kind", ["frozen_exact", "frozen_recoded"])
def test_a_frozen_picture_repeats_with_its_clock(kind: str) -> None:
    coder = FilmCoder(film(2, kind))
    one, at = coder.film, fault_at(coder.film)
    assert not np.array_equal(one.picture(at - 2), one.picture(at - 4))
    assert all(np.array_equal(one.picture(at + later), one.picture(at)) for later in (1, 100, 4 * HOUR))
    coded = {coder.key_picture(at + later * coder.distance_s).nals for later in range(20)}
    assert len(coded) == 1 if kind == "frozen_exact" else 1 < len(coded) < 4
    assert len({coder.key_picture(at - 1 - later * coder.distance_s).nals for later in range(5)}) == 5


def test_an_empty_corridor_never_repeats_even_without_a_clock() -> None:
    """Else no check could tell it from a frozen one, and no camera in the field could be told apart either."""
    for seed in range(1, 7):
        coder = FilmCoder(film(seed, "empty_corridor"), "h264", 30)
        keys = [coder.key_picture(3 * HOUR + later * 30).nals for later in range(6)]
        assert len(set(keys)) == len(keys)
        assert difference(luma(coder.film, 3 * HOUR), luma(coder.film, 3 * HOUR + 30)) < 1


def test_night_is_colourless_in_infrared_noisier_and_not_black() -> None:
    for seed in (1, 2, 3):
        one = film(seed, "insects")
        day, night = one.picture(12 * HOUR), one.picture(1 * HOUR)
        colours = slice(one.height, None)
        assert np.all(night[colours] == 128)
        assert np.abs(day[colours].astype(int) - 128).mean() > 3
        assert 60 < one.brightness(1 * HOUR) < 160
        noise = [difference(luma(one, hour * HOUR), luma(one, hour * HOUR + 0.04)) for hour in (12, 1)]
        assert noise[1] > 1.3 * noise[0]


@pytest.mark.parametrize("kind", ["black_cap", "black_no_light"])
def test_black_is_black_with_noise_and_overlay(kind: str) -> None:
    for seed in (1, 2, 3):
        one = film(seed, kind)
        at = fault_at(one)
        assert luma(one, at - 5).mean() > 60
        assert luma(one, at + 15).mean() < 32
        assert one.picture(at + 15)[: one.height].max() > 200
        assert not np.array_equal(luma(one, at + 15), luma(one, at + 16))


def test_a_clock_runs_where_there_is_one() -> None:
    top = slice(0, SMALL[1] // 12), slice(0, SMALL[0] // 2)
    for kind, runs in (("no_video_clock", True), ("no_video_blue", False)):
        one = film(1, kind)
        at = fault_at(one) + 60
        assert np.array_equal(one.picture(at)[top], one.picture(at + 60)[top]) != runs
    assert not film(1, "no_clock").has_clock
    assert {film(seed, "standing").has_clock for seed in range(12)} == {True, False}


def test_cameras_differ_in_codec_quality_and_distance() -> None:
    cameras = [camera(seed, HARMLESS[0], *SMALL) for seed in range(12)]
    assert {one.codec for one in cameras} == {"h264", "h265"}
    assert len({one.gop for one in cameras}) == 3


def test_another_bit_rate_makes_other_sizes_of_the_same_view() -> None:
    coder = FilmCoder(film(2, "recode"))
    sizes = [coder.sizes(hour * HOUR)[0] for hour in range(24)]
    assert max(sizes) > 2 * min(sizes)
    # A camera's stream does not begin anew for it.
    assert len({coder.key_picture(hour * HOUR).sets for hour in range(24)}) == 1


def test_every_kind_is_written_down() -> None:
    text = (Path(__file__).parents[2] / "docs" / "picture-checks.md").read_text()
    for kind in KINDS.values():
        assert kind.shows in text
        assert f"| `{kind.name}` |" in text
    assert set(HARMLESS) | set(FAULTS) == set(KINDS)
