"""The bar code survives what coding and scaling do, and continuity is judged right."""

from hypothesis import given, settings, strategies as st
import numpy as np
import pytest

from simulator import barcode
from simulator.clip import Shot, load
from simulator.packets import Style, video_loop
from simulator.spec import Video
from tests.simulator.pictures import decode


@given(number=st.integers(0, barcode.LIMIT - 1), size=st.sampled_from([(120, 160), (240, 320), (576, 704)]))
@settings(max_examples=50, deadline=None)
def test_every_number_is_read_again(number: int, size: tuple[int, int]) -> None:
    luma = np.full(size, 90, dtype=np.uint8)
    barcode.draw(luma, number)
    assert barcode.read(luma) == number
    assert barcode.read(np.repeat(luma[:, :, None], 3, axis=2)) == number
    assert barcode.read(luma[::2, ::2]) == number


def test_number_out_of_range() -> None:
    with pytest.raises(ValueError, match="65536"):
        barcode.draw(np.zeros((120, 160), dtype=np.uint8), 65536)


def test_no_bar() -> None:
    with pytest.raises(barcode.UnreadableError, match="no bar"):
        barcode.read(np.full((240, 320), 128, dtype=np.uint8))


def test_damaged_bar() -> None:
    luma = np.zeros((240, 320), dtype=np.uint8)
    barcode.draw(luma, 4711)
    luma[:, 106:120] = 255 - luma[:, 106:120]
    with pytest.raises(barcode.UnreadableError, match="damaged"):
        barcode.read(luma)


@pytest.mark.parametrize(
    "video",
    [
        Video(width=160, height=120, fps=10, gop=20, kbps=32, seconds=4),
        Video(width=320, height=240, fps=15, gop=30, kbps=64, seconds=4, b_frames=3),
        Video(codec="h265", width=320, height=240, fps=10, gop=20, kbps=48, seconds=4),
        Video(codec="h265", width=704, height=576, fps=10, gop=20, kbps=150, seconds=2, b_frames=2),
    ],
    ids=lambda video: f"{video.codec}-{video.width}-{video.kbps}k-{video.b_frames}b",
)
def test_bar_survives_coding(video: Video) -> None:
    clip = load(Shot("Gate", video))
    numbers = [barcode.read(picture) for picture in decode(clip)]
    assert numbers == list(range(video.frames))
    loop = video_loop(clip, Style())
    assert loop.units == video.frames
    assert len(loop.keys) == video.frames // video.gop


def test_continuity_over_the_loop_border() -> None:
    assert barcode.check([7, 8, 9, 0, 1, 2], 10) == barcode.Continuity(6, 0, 0, 0)
    assert barcode.check([], 10).complete


@pytest.mark.parametrize(
    ("numbers", "missing", "duplicate", "out_of_order"),
    [
        ([0, 1, 4, 5], 2, 0, 0),
        ([8, 1], 2, 0, 0),
        ([3, 3, 3, 4], 0, 2, 0),
        ([5, 4, 6], 1, 0, 1),
    ],
)
def test_what_is_wrong_is_counted(numbers: list[int], missing: int, duplicate: int, out_of_order: int) -> None:
    found = barcode.check(numbers, 10)
    assert (found.missing, found.duplicate, found.out_of_order) == (missing, duplicate, out_of_order)
    assert not found.complete
