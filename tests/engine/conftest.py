"""Tests of the engine and of the simulator run without Home Assistant."""

from collections.abc import AsyncIterator

import pytest

from custom_components.facility_cameras.engine.feed import Feed
from custom_components.facility_cameras.engine.restream import Restream
from tests.engine.clip_samples import Clip, make_clip
from tests.engine.restreaming import SECRET, Live


@pytest.fixture(autouse=True)
def verify_cleanup() -> None:
    """In the place of the test plug-in's: it knows only Home Assistant's own threads (the simulator encodes in one)."""


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    feeds = {"cam": Feed()}
    restream = Restream(feeds.get)
    port = await restream.start("127.0.0.1", 0, SECRET)
    yield Live(feeds, restream, port)
    await restream.close()


@pytest.fixture(scope="module")
def clip() -> Clip:
    return make_clip(frames=60, gop=20)
