"""What a camera showed last is kept: over an outage, kill -9, and the engine's end; and what is handed out says its age."""

import asyncio
from collections.abc import Callable, Iterator
import io
from pathlib import Path
import time
from typing import Self

from PIL import Image
import pytest

from custom_components.facility_cameras.engine.feed import Feed
from custom_components.facility_cameras.engine.picture import last_picture
from custom_components.facility_cameras.engine.picture.last_picture import LastPictures
from tests.engine.archives import HandClock
from tests.engine.living import Engine, Site, wait_for
from tests.engine.test_stamp import feed_of

VIETNAMESE = "không trực tiếp"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(2) as site:
        yield site


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as engine:
        yield engine


@pytest.fixture(autouse=True)
def _healed(site: Site) -> Iterator[None]:
    yield
    for camera in ("camera-1", "camera-2"):
        site.heal(camera)


def banded(jpeg: bytes) -> bool:
    """Whether the lower edge is amber from side to side."""
    picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
    strip = [picture.getpixel((x, picture.height - 2)) for x in range(0, picture.width, 7)]
    return all(isinstance(one, tuple) and one[0] > 200 and one[2] < 90 for one in strip)


def files(engine: Engine) -> list[Path]:
    return sorted((engine.state / "last_pictures").glob("*"))


def online(engine: Engine, camera: str = "camera-1") -> None:
    wait_for(lambda: engine.cameras()[camera]["status"] == "online", what="online")


def gone(engine: Engine, site: Site, camera: str = "camera-1") -> int:
    """Have a camera go away; returns when its last picture was taken."""
    before = engine.cameras()[camera]["last_picture"]
    site.fault(camera, "gone")
    wait_for(lambda: engine.cameras()[camera]["status"] not in ("online", "unknown"), what="gone")
    taken: int = engine.cameras()[camera]["last_picture"]
    assert taken > before
    return taken


def test_a_live_picture_has_no_stamp_and_nobody_may_keep_it(engine: Engine, site: Site) -> None:
    engine.put(site.configs(1))
    online(engine)
    status, headers, jpeg = engine.picture("camera-1", "still", words=VIETNAMESE)
    assert (status, headers["Cache-Control"], headers["X-Live"]) == (200, "no-store", "1")
    assert abs(int(headers["X-Taken"]) / 1e6 - time.time()) < 10
    assert not banded(jpeg)


def test_the_last_picture_is_of_the_last_outage(engine: Engine, site: Site) -> None:
    engine.put(site.configs(1), zone="Asia/Ho_Chi_Minh")
    online(engine)
    first = engine.camera()["last_picture"]
    assert first is not None, "when it is first seen it has one"
    wait_for(lambda: engine.recorded(2))
    taken = gone(engine, site)
    status, headers, jpeg = engine.picture("camera-1", "last_picture", words=VIETNAMESE)
    assert (status, headers["Cache-Control"], headers["X-Live"]) == (200, "no-store", "0")
    assert int(headers["X-Taken"]) == taken
    assert banded(jpeg)
    # It lasts, whatever the camera does between two outages.
    site.heal("camera-1")
    engine.call("POST", "/v1/cameras/camera-1/retry")
    online(engine)
    assert engine.camera()["last_picture"] == taken
    assert int(engine.picture("camera-1", "last_picture")[1]["X-Taken"]) == taken
    assert gone(engine, site) > taken


def test_it_outlives_kill_9_and_nothing_is_claimed_to_be_live(engine: Engine, site: Site) -> None:
    engine.put(site.configs(1))
    online(engine)
    wait_for(lambda: engine.recorded(2))
    taken = gone(engine, site)
    before = engine.picture("camera-1", "last_picture", words=VIETNAMESE)
    engine.process.kill()
    engine.process.wait(10)
    engine.start()
    engine.ready()
    wait_for(lambda: engine.camera()["status"] not in ("online", "unknown"), what="still away")
    assert engine.camera()["last_picture"] == taken
    assert engine.picture("camera-1", "last_picture", words=VIETNAMESE)[2] == before[2]
    status, headers, jpeg = engine.picture("camera-1", "still", words=VIETNAMESE, width=160)
    assert (status, headers["X-Live"], int(headers["X-Taken"])) == (200, "0", taken)
    assert Image.open(io.BytesIO(jpeg)).width == 160
    assert banded(jpeg)


def test_it_is_gone_with_its_camera_and_its_owners_alone_until_then(engine: Engine, site: Site) -> None:
    engine.put(site.configs(2))
    online(engine)
    online(engine, "camera-2")
    wait_for(lambda: len(files(engine)) == 2, what="both are kept")
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files(engine))
    assert not any("camera" in path.name for path in files(engine))
    engine.put(site.configs(1))
    wait_for(lambda: len(files(engine)) == 1, what="one is removed")
    assert engine.picture("camera-2", "last_picture")[0] == 404
    assert engine.call("DELETE", "/v1/facilities/f1") == (200, {})
    wait_for(lambda: not files(engine), what="the other one too")


def test_what_is_not_understood_is_refused(engine: Engine, site: Site) -> None:
    engine.put(site.configs(1))
    for kind in ("still", "last_picture"):
        assert engine.picture("camera-1", kind, words="x" * 61)[0] == 400
        assert engine.picture("camera-1", kind, width="0")[0] == 400
        assert engine.picture("camera-9", kind)[0] == 404


def halve(folder: Path) -> None:
    """There is one file below the folder, in the place for it; it is cut off."""
    (path,) = (path for path in folder.rglob("*") if path.is_file())
    assert path.parent == folder / "kept"
    path.write_bytes(path.read_bytes()[:10])


async def test_half_a_file_is_none_and_the_next_picture_is_kept(tmp_path: Path) -> None:
    pictures, clock = LastPictures(tmp_path / "kept", HandClock()), HandClock()
    pictures.of("../evil").gone(feed_of(100))
    found = await pictures.kept("../evil")
    assert found is not None
    halve(tmp_path)
    again = LastPictures(tmp_path / "kept", clock)
    assert again.of("../evil").taken_us is None
    assert await again.kept("../evil") is None
    again.of("../evil").seen(feed_of(100))
    assert await again.kept("../evil") is not None
    await pictures.close()
    await again.close()


async def test_a_disk_that_takes_nothing_is_tried_again(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.write_text("no folder")
    pictures = LastPictures(folder, HandClock())
    one = pictures.of("c1")
    one.gone(feed_of(100))
    assert await pictures.kept("c1") is None
    folder.unlink()
    assert await pictures.kept("c1") is not None
    await pictures.close()


async def test_the_end_is_not_held_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_picture, "END_S", 0.0)
    pictures = LastPictures(tmp_path / "kept", HandClock())
    pictures.of("c1").gone(feed_of(100))
    await pictures.close()
    assert LastPictures(tmp_path / "kept", HandClock()).of("c1").taken_us is None


async def test_a_picture_that_cannot_be_decoded_is_left_out(tmp_path: Path) -> None:
    pictures, feed = LastPictures(tmp_path / "kept", HandClock()), feed_of(100)
    assert feed.newest_key is not None
    feed.newest_key[1].parts = [bytes([0, 0, 0, 4, 255, 255, 255, 255])]
    pictures.of("c1").gone(feed)
    assert await pictures.kept("c1") is None
    pictures.of("c1").gone(feed_of(200))
    kept = await pictures.kept("c1")
    assert kept is not None
    assert Image.open(io.BytesIO(kept.jpeg)).size == (320, 240)
    await pictures.close()


@pytest.mark.parametrize("another_follows", [False, True])
async def test_what_was_seen_when_the_engine_ended_is_taken_over_by_a_camera_that_does_not_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, another_follows: bool
) -> None:
    monkeypatch.setattr(last_picture, "END_S", 30.0)
    clock = HandClock()
    pictures = LastPictures(tmp_path / "kept", clock)
    for name in ("stays away", "comes back"):
        pictures.of(name).seen(feed_of(clock.now))
    first = pictures.of("stays away").taken_us
    assert first is not None
    clock.now += 60
    for name in ("stays away", "comes back"):
        pictures.of(name).seen(feed_of(clock.now))
    pictures.renew_at_end = not another_follows
    await pictures.close()
    again = LastPictures(tmp_path / "kept", clock)
    again.of("stays away").gone(Feed())
    again.of("comes back").seen(feed_of(clock.now))
    assert again.of("comes back").taken_us == first
    assert again.of("stays away").taken_us == (first if another_follows else first + 60_000_000)
    kept = await again.kept("stays away")
    assert kept is not None
    assert kept.taken_us == again.of("stays away").taken_us
    await again.close()


class Watched:
    """Last pictures that are looked after, hour by hour."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, HandClock()
        self.pictures = LastPictures(folder, self.clock)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.pictures.watch())
        # It begins at this time.
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        await self.pictures.close()

    def feed(self, ago_s: float = 1) -> Feed:
        """Of a camera that sent a key picture so long ago."""
        return feed_of(self.clock.monotonic() - ago_s)

    async def hour(self, hours: float = 1, until: Callable[[], bool] = lambda: True) -> None:
        """So many hours go by, and what is due then is done; that something else happens tells us when."""
        self.clock.now += hours * 3600 + 1
        self.pictures.of("other").gone(self.feed())
        await asyncio.to_thread(wait_for, lambda: until() and self.kept("other"), 20)

    def kept(self, camera: str, ending: str = ".jpg") -> bool:
        return (self.folder / (self.pictures.of(camera).stem + ending)).exists()


async def test_every_hour_what_a_crash_would_leave_is_renewed(tmp_path: Path) -> None:
    async with Watched(tmp_path / "kept") as watched:
        one = watched.pictures.of("c1")
        one.seen(watched.feed())
        first = one.taken_us
        await watched.hour(0)
        assert (one.spare_us, one.taken_us) == (None, first)
        one.seen(watched.feed())
        await watched.hour(until=lambda: one.spare_us is not None)
        assert one.taken_us == first
        # A crash: another engine finds both, and its camera does not come back.
        again = LastPictures(watched.folder, watched.clock)
        assert again.of("c1").taken_us == first
        again.of("c1").gone(Feed())
        assert again.of("c1").taken_us == one.spare_us
        kept = await again.kept("c1")
        assert kept is not None
        assert kept.taken_us == one.spare_us
        assert not await asyncio.to_thread(watched.kept, "c1", ".spare.jpg")


async def test_what_a_crash_would_leave_goes_with_the_outage_that_it_was_for(tmp_path: Path) -> None:
    async with Watched(tmp_path / "kept") as watched:
        one = watched.pictures.of("c1")
        one.seen(watched.feed())
        await watched.hour(0)
        one.seen(watched.feed())
        await watched.hour(until=lambda: watched.kept("c1", ".spare.jpg"))
        spare = watched.folder / f"{one.stem}.spare.jpg"
        older = await asyncio.to_thread(spare.read_bytes)
        watched.clock.now += 60
        one.gone(watched.feed())
        newest = await watched.pictures.kept("c1", newest=True)
        assert newest is not None
        assert newest.taken_us == one.taken_us
        assert not await asyncio.to_thread(spare.exists)
        # A crash in between: the newer one is the newest all the same.
        await asyncio.to_thread(spare.write_bytes, older)
        again = LastPictures(watched.folder, watched.clock)
        again.of("c1").gone(Feed())
        assert again.of("c1").taken_us == one.taken_us
        assert await again.kept("c1", newest=True) == newest


async def test_it_is_kept_no_longer_than_footage(tmp_path: Path) -> None:
    async with Watched(tmp_path / "kept") as watched:
        away, online, other = (watched.pictures.of(name) for name in ("away", "online", "facility-with-more-days"))
        watched.pictures.days = {"away": 7, "online": 7, "facility-with-more-days": 30}
        old = watched.feed()
        for one in (away, other):
            one.seen(old)
            one.gone(old)
        online.seen(watched.feed())
        await watched.hour(6 * 24)
        assert away.taken_us is not None
        online.seen(watched.feed())
        before = online.taken_us
        await watched.hour(25, until=lambda: away.taken_us is None)
        assert await watched.pictures.kept("away") is None
        assert old.newest_key is None
        assert online.taken_us is not None
        assert before is not None
        assert online.taken_us > before
        assert await watched.pictures.kept("online") is not None
        assert await watched.pictures.kept("facility-with-more-days") is not None


async def test_what_a_crash_left_of_a_removed_camera_goes(tmp_path: Path) -> None:
    before = LastPictures(tmp_path / "kept", HandClock())
    before.of("removed").gone(feed_of(100))
    await before.close()
    async with Watched(tmp_path / "kept") as watched:
        stem = before.of("removed").stem
        left = watched.folder / f"{stem}.jpg"
        assert await asyncio.to_thread(left.exists)
        watched.pictures.of("c1").seen(watched.feed())
        await watched.hour(until=lambda: not left.exists())
        assert await watched.pictures.kept("c1") is not None


async def test_an_hour_without_any_picture_ends_nothing(tmp_path: Path) -> None:
    async with Watched(tmp_path / "kept") as watched:
        watched.pictures.of("never seen")
        watched.pictures.of("removed")
        watched.clock.now += 3601
        watched.pictures.forget("removed")
        await asyncio.sleep(0)
        await watched.hour(0)
