"""A picture that was live grows old while it is asked for: the call, its headers, and what is kept on the way."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
import io
from pathlib import Path
from typing import Any, cast

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from PIL import Image
import pytest

from custom_components.facility_cameras.engine.api import FACILITY_DEFAULTS, CameraConfig, FacilityConfig, Status
from custom_components.facility_cameras.engine.camera import Camera
from custom_components.facility_cameras.engine.picture.stills import Stills
from custom_components.facility_cameras.engine.server_pictures import routes
from custom_components.facility_cameras.engine.supervisor import Supervisor
from custom_components.facility_cameras.engine.watch import NO_PROBLEM
from tests.engine.archives import HandClock
from tests.engine.clip_samples import make_clip
from tests.engine.living import mark
from tests.engine.receiving import config, spec
from tests.engine.test_last_picture import banded

WORDS = "không trực tiếp"


class Asked:
    """One camera, whose pictures come when the test says so, and who asks for them."""

    def __init__(self, client: TestClient[Any, Any], camera: Camera, clock: HandClock) -> None:
        self.client, self.camera, self.clock = client, camera, clock
        self._clip = make_clip(frames=1)

    def picture(self) -> None:
        """A key picture comes now."""
        feed, now = self.camera.feed, self.clock.now
        if feed.format is None:
            feed.begin(self._clip.stream)
        feed.push(replace(self._clip.key, time=round(now * 90_000), received=now))

    async def still(self) -> tuple[Mapping[str, str], bytes]:
        async with self.client.get("/v1/cameras/c1/still", params={"words": WORDS}) as answer:
            assert answer.status == 200
            return answer.headers, await answer.read()

    async def last_picture(self) -> bytes:
        async with self.client.get("/v1/cameras/c1/last_picture", params={"words": WORDS}) as answer:
            assert answer.status == 200
            return await answer.read()


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    clock, stills = HandClock(), Stills()
    supervisor = Supervisor(tmp_path, clock)
    await asyncio.to_thread((tmp_path / "archive").mkdir)
    await asyncio.to_thread(mark, tmp_path / "archive")
    # It says nothing: what is known of the camera is what the test says.
    writers: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _reader, writer: writers.append(writer), "127.0.0.1", 0)
    url = f"rtsp://127.0.0.1:{silent.sockets[0].getsockname()[1]}/main"
    camera = cast("CameraConfig", {**config(spec("c1"), url), "id": "c1", "record": False})
    facility = {
        **FACILITY_DEFAULTS,
        "id": "f1",
        "name": "f",
        "archive": str(tmp_path / "archive"),
        "archive_id": "A1",
        "days_to_keep": 7,
        "zone": "Asia/Ho_Chi_Minh",
        "cameras": [camera],
    }
    await supervisor.put_facility(cast("FacilityConfig", facility))
    app = web.Application()
    app.add_routes(routes(supervisor, stills, clock))
    found = supervisor.camera("c1")
    assert found is not None
    async with TestClient(TestServer(app)) as client:
        found._set(Status.ONLINE, NO_PROBLEM)
        yield Asked(client, found, clock)
    silent.close()
    for writer in writers:
        writer.close()
    await asyncio.gather(supervisor.close(), supervisor.pictures.close(), stills.close())


async def test_it_is_stamped_from_its_bound_on_and_fresh_again_with_the_next(asked: Asked) -> None:
    asked.picture()
    headers, fresh = await asked.still()
    assert headers["X-Live"] == "1"
    assert not banded(fresh)
    asked.clock.now += 10
    assert (await asked.still())[1] == fresh
    asked.clock.now += 1
    later, old = await asked.still()
    assert (later["X-Live"], later["X-Taken"], later["Cache-Control"]) == ("0", headers["X-Taken"], "no-store")
    assert banded(old)
    # Tomorrow it has another stamp: with the date.
    asked.clock.now += 24 * 3600
    assert (await asked.still())[1] not in (old, fresh)
    asked.picture()
    assert (await asked.still())[0]["X-Live"] == "1"


async def test_twice_the_distance_of_key_pictures_where_that_is_longer(asked: Asked) -> None:
    for _ in range(3):
        asked.picture()
        asked.clock.now += 20
    assert (await asked.still())[0]["X-Live"] == "1"
    asked.clock.now += 21
    assert (await asked.still())[0]["X-Live"] == "0"


async def test_of_a_camera_that_is_away_nothing_is_live(asked: Asked) -> None:
    asked.picture()
    asked.camera._set(Status.REFUSED, NO_PROBLEM)
    headers, jpeg = await asked.still()
    assert headers["X-Live"] == "0"
    assert banded(jpeg)
    # The very same moment as the last picture's, which the state tells.
    assert int(headers["X-Taken"]) == asked.camera.state()["last_picture"]


async def test_the_last_picture_has_its_date_always(asked: Asked) -> None:
    """A dashboard fetches it once and leaves it there: the next day it is not of today."""
    asked.picture()
    asked.camera._set(Status.REFUSED, NO_PROBLEM)
    today = await asked.last_picture()
    assert banded(today)
    asked.clock.now += 24 * 3600
    assert await asked.last_picture() == today


async def test_without_words_it_is_stamped_all_the_same(asked: Asked) -> None:
    asked.picture()
    asked.clock.now += 3600
    async with asked.client.get("/v1/cameras/c1/still") as answer:
        jpeg = await answer.read()
    assert banded(jpeg)
    picture = Image.open(io.BytesIO(jpeg)).convert("L")
    band = picture.crop((0, picture.height - 16, picture.width, picture.height))
    assert min(band.tobytes()) < 60
