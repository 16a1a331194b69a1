"""Thumbnails of recorded footage: which picture, how large, kept within a bound, gone with its footage."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
import io
import itertools
from pathlib import Path

import av
import psutil
import pytest

from custom_components.facility_cameras.engine import thumbnails as module
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.lane import Lane
from custom_components.facility_cameras.engine.picture.stills import PictureError
from custom_components.facility_cameras.engine.thumbnails import NEAR_US, Thumbnail, Thumbnails
from tests.engine.archives import NOW_US, archive_in
from tests.engine.clip_samples import number_of
from tests.engine.living import wait_for
from tests.engine.recorded import SECOND, Footage

CAMERAS = itertools.count()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with archive_in(tmp_path_factory.mktemp("archives") / "archive") as archive:
        wait_for(lambda: archive.index is not None)
        yield archive


@pytest.fixture
def footage(archive: Archive) -> Footage:
    return Footage(archive, f"t{next(CAMERAS)}", NOW_US)


@pytest.fixture
async def thumbnails() -> AsyncIterator[Thumbnails]:
    lane = Lane()
    thumbnails = Thumbnails(lane)
    yield thumbnails
    await thumbnails.close()
    await lane.close()


def picture(thumbnail: Thumbnail) -> av.VideoFrame:
    with av.open(io.BytesIO(thumbnail.jpeg), "r") as container:
        return next(container.decode(video=0))


def workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "worker.py" in " ".join(child.cmdline())]


@pytest.mark.parametrize("kind", ["plain", "reordered", "h265", "open"])
async def test_the_key_picture_at_or_before_the_time(thumbnails: Thumbnails, footage: Footage, kind: str) -> None:
    footage.record(kind, 3)
    footage.record(kind, 3, begin=None)
    for at_ms, number in ((0, 0), (999, 0), (1000, 10), (3500, 30), (5999, 50)):
        found = await thumbnails.picture(footage.archive, footage.camera, NOW_US + at_ms * 1000, 320)
        assert found is not None
        frame = picture(found)
        assert (number_of(frame), frame.width, frame.height) == (number, 320, 240)
        assert found.taken_us == NOW_US + number * 100_000


async def test_where_there_is_none_the_nearest_within_an_hour(thumbnails: Thumbnails, footage: Footage) -> None:
    footage.record("plain", 2)
    footage.record("plain", 1, hole_us=1000 * SECOND)
    for at_us, taken_us in (
        (NOW_US - 10, NOW_US),
        (NOW_US + 400 * SECOND, NOW_US + SECOND),
        (NOW_US + 700 * SECOND, NOW_US + 1002 * SECOND),
        (NOW_US + 1500 * SECOND, NOW_US + 1002 * SECOND),
        (NOW_US - NEAR_US, NOW_US),
    ):
        found = await thumbnails.picture(footage.archive, footage.camera, at_us, 320)
        assert found is not None
        assert found.taken_us == taken_us
    for at_us in (NOW_US - NEAR_US - 1, NOW_US + 1003 * SECOND + NEAR_US):
        assert await thumbnails.picture(footage.archive, footage.camera, at_us, 320) is None


async def test_it_is_as_wide_as_asked(thumbnails: Thumbnails, footage: Footage) -> None:
    footage.record("plain", 1)
    for asked, width in ((160, 160), (1920, 320)):
        found = await thumbnails.picture(footage.archive, footage.camera, NOW_US, asked)
        assert found is not None
        assert picture(found).width == width


async def test_one_picture_is_decoded_once_and_not_shown_when_its_footage_is_gone(
    thumbnails: Thumbnails, footage: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    footage.record("plain", 2)
    first = await thumbnails.picture(footage.archive, footage.camera, NOW_US, 320)
    (worker,) = workers()
    worker.kill()
    worker.wait(10)
    assert await thumbnails.picture(footage.archive, footage.camera, NOW_US + SECOND // 2, 320) == first
    assert not workers()
    # Within a bound.
    monkeypatch.setattr(module, "CACHE_BYTES", 1)
    assert await thumbnails.picture(footage.archive, footage.camera, NOW_US + SECOND, 320) is not None
    (worker,) = workers()
    worker.kill()
    worker.wait(10)
    assert await thumbnails.picture(footage.archive, footage.camera, NOW_US, 320) == first
    assert workers(), "it had to be decoded again"
    # Gone from the index: not shown, though it may be kept.
    index = footage.archive.index
    assert index is not None
    index.remove(index.overlapping(footage.camera, NOW_US, NOW_US + 1), "test", NOW_US)
    assert await thumbnails.picture(footage.archive, footage.camera, NOW_US, 320) is None


async def test_what_cannot_be_read_is_told(thumbnails: Thumbnails, footage: Footage) -> None:
    footage.record("plain", 2)
    damage(footage, lambda data: data.replace(b"moof", b"free"))
    with pytest.raises(PictureError, match="cannot be read"):
        await thumbnails.picture(footage.archive, footage.camera, NOW_US, 320)
    damage(footage, lambda data: data[: len(data) // 8])
    with pytest.raises(PictureError):
        await thumbnails.picture(footage.archive, footage.camera, NOW_US + SECOND, 320)
    await asyncio.to_thread(Path(footage.paths[0]).unlink)
    with pytest.raises(PictureError, match="No such file"):
        await thumbnails.picture(footage.archive, footage.camera, NOW_US, 320)


def damage(footage: Footage, change: Callable[[bytes], bytes]) -> None:
    path = Path(footage.paths[0])
    path.write_bytes(change(path.read_bytes()))


async def test_the_worker_rests_when_nobody_asks(
    thumbnails: Thumbnails, footage: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.0)
    footage.record("plain", 1)
    assert await thumbnails.picture(footage.archive, footage.camera, NOW_US, 320) is not None
    for _ in range(1000):
        if not workers():
            break
        await asyncio.sleep(0.01)
    assert not workers()
    # And begins anew.
    assert await thumbnails.picture(footage.archive, footage.camera, NOW_US, 160) is not None
