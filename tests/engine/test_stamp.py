"""A picture that is old says so in its pixels: what the worker draws, where, and when it is asked to."""

from collections.abc import AsyncIterator
from datetime import UTC
import io
from itertools import pairwise
from zoneinfo import ZoneInfo

import av
import numpy as np
import pytest

from custom_components.facility_cameras.engine.feed import Feed
from custom_components.facility_cameras.engine.media import Sample
from custom_components.facility_cameras.engine.picture.age import FRESH_S, WORDS_SIGNS, is_old, told
from custom_components.facility_cameras.engine.picture.stills import Stills
from tests.engine.clip_samples import make_clip

SAIGON = ZoneInfo("Asia/Ho_Chi_Minh")
VIETNAMESE = "không trực tiếp · 14:03 25/11/2026"
#: 2026-11-25 14:03:20 in Viet Nam.
TAKEN = 1_795_590_200_000_000
MINUTE = 60_000_000


@pytest.fixture
async def stills() -> AsyncIterator[Stills]:
    made = Stills()
    yield made
    await made.close()


def opened(jpeg: bytes) -> np.ndarray:
    """The luma of a JPEG."""
    with av.open(io.BytesIO(jpeg), "r") as container:
        frame = next(container.decode(video=0))
        plane = frame.planes[0]
        return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width].astype(int)


def band_of(plain: np.ndarray, stamped: np.ndarray) -> int:
    """Where the band begins: the first row that is another picture from side to side."""
    differs = (np.abs(plain - stamped) > 24).mean(axis=1) > 0.5
    assert differs[-1]
    return len(differs) - int(np.argmin(differs[::-1]))


@pytest.mark.parametrize(
    "size", [(320, 180), (320, 240), (640, 1138), (1920, 1080), (3840, 1080), (3840, 2160)], ids=str
)
async def test_the_band_is_legible_and_nothing_else_is_touched(stills: Stills, size: tuple[int, int]) -> None:
    clip = make_clip(frames=1, size=size)
    plain = opened(await stills.picture("one", clip.stream, clip.key))
    stamped = opened(await stills.picture("one", clip.stream, clip.key, old=VIETNAMESE))
    top = band_of(plain, stamped)
    # JPEG's blocks are 16 rows high: those above the band's first are the same to the bit.
    untouched = top // 16 * 16
    assert (plain[:untouched] == stamped[:untouched]).all()
    height = size[1] - top
    assert 0.03 < height / size[1] < 0.2
    letters = stamped[top + height // 4 : -height // 4]
    assert letters.min() < 50
    assert letters.max() > 170
    # As high as a person reads, at the size it is asked for: from a letter's foot to its mark.
    inked = np.flatnonzero((stamped[top:] < 110).any(axis=1))
    assert inked[-1] - inked[0] >= 12
    # All of it is there, in the middle.
    columns = np.flatnonzero((stamped[top:] < 110).any(axis=0))
    assert columns[0] > 2
    assert abs((size[0] - 1 - columns[-1]) - columns[0]) < size[0] // 40 + 8


async def test_it_says_what_it_is_told_in_vietnamese_too(stills: Stills) -> None:
    """Every letter with a mark looks different from the one without, and from the others."""
    clip = make_clip(frames=1, size=(1280, 720))
    pictures = [
        opened(await stills.picture("one", clip.stream, clip.key, old=text))[-96:]
        for text in (
            "trưc",
            "truc",
            "trực",
            "trúc",
            "trùc",
            "trủc",
            "trũc",
            "đuc",
            "duc",
            "Đuc",
            "tôc",
            "tốc",
            "tăc",
            "?",
        )
    ]
    for one, other in pairwise(pictures):
        assert (np.abs(one - other) > 100).sum() > 3, "two texts look the same"


async def test_too_narrow_for_its_words_it_is_smaller_not_cut(stills: Stills) -> None:
    clip = make_clip(frames=1, size=(640, 480))
    stamped = opened(await stills.picture("one", clip.stream, clip.key, 160, old=VIETNAMESE))
    columns = np.flatnonzero((stamped[-6:] < 140).any(axis=0))
    assert 0 < columns[0] < columns[-1] < 159


async def test_a_fresh_picture_is_bit_for_bit_what_it_was(stills: Stills) -> None:
    clip = make_clip(frames=1)
    fresh = await stills.picture("one", clip.stream, clip.key)
    stamped = await stills.picture("one", clip.stream, clip.key, old="not live · 14:03")
    assert stamped != fresh
    assert await stills.picture("one", clip.stream, clip.key) == fresh
    assert await stills.decode("h264", clip.stream.video.sps + clip.stream.video.pps, clip.key.parts, (0, 0)) == fresh


async def test_a_picture_that_is_kept_is_stamped_when_it_is_shown(stills: Stills) -> None:
    clip = make_clip(frames=1)
    kept = await stills.picture("one", clip.stream, clip.key)
    plain, stamped = opened(kept), opened(await stills.decode("jpeg", (), (kept,), (0, 0), old="not live · 14:03"))
    assert band_of(plain, stamped) > 200
    assert np.abs(plain[:192] - stamped[:192]).mean() < 3


def test_what_is_written_is_the_facilitys_time() -> None:
    assert told("not live", TAKEN, TAKEN + MINUTE, SAIGON) == "not live · 14:03"
    assert told("không trực tiếp", TAKEN, TAKEN + 12 * 60 * MINUTE, SAIGON) == "không trực tiếp · 14:03 25/11/2026"
    assert told("not live", TAKEN, None, SAIGON) == "not live · 14:03 25/11/2026"
    assert told("", TAKEN, TAKEN, UTC) == "07:03"
    assert told("a\nb\x00", TAKEN, TAKEN, UTC) == "a b · 07:03"
    assert len(told("x" * 1000, TAKEN, TAKEN, UTC)) == WORDS_SIGNS + len(" · 07:03")


def feed_of(*keys_at: float) -> Feed:
    """A feed that received key pictures at these times."""
    clip, feed = make_clip(frames=1), Feed()
    feed.begin(clip.stream)
    for at in keys_at:
        feed.push(Sample(round(at * 90_000), at, clip.key.size, clip.key.parts, key=True))
        feed.push(Sample(round(at * 90_000) + 3600, at + 0.04, 4, [b"\0\0\0\0"]))
    return feed


def test_how_old_is_old() -> None:
    often, seldom = feed_of(100, 102, 104), feed_of(100, 102, 122, 124)
    assert not is_old(often, 104, 104 + FRESH_S)
    assert is_old(often, 104, 104.1 + FRESH_S)
    # Every 20 s while nothing moves, more often now: twice its longest distance.
    assert not is_old(seldom, 124, 164)
    assert is_old(seldom, 124, 164.1)


def test_a_camera_that_went_away_has_no_distance_any_more() -> None:
    seldom = feed_of(100, 120, 140)
    seldom.end()
    assert is_old(seldom, 140, 140.1 + FRESH_S)
    # Nor is the time that it was away one.
    seldom.begin(make_clip(frames=1).stream)
    clip = make_clip(frames=1)
    seldom.push(Sample(0, 1000.0, clip.key.size, clip.key.parts, key=True))
    assert not is_old(seldom, 1000, 1000 + 2 * 20)
    assert is_old(seldom, 1000, 1000.1 + 2 * 20)
