"""A reader of the event stream that does not read is cut off, and costs the others nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.clock import SystemClock
from custom_components.facility_cameras.engine.events import QUEUED
from custom_components.facility_cameras.engine.lane import Lane
from custom_components.facility_cameras.engine.picture.stills import Stills
from custom_components.facility_cameras.engine.restream import Restream
from custom_components.facility_cameras.engine.server import Server
from custom_components.facility_cameras.engine.supervisor import Supervisor
from custom_components.facility_cameras.engine.thumbnails import Thumbnails


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    clock = SystemClock()
    supervisor, stills = Supervisor(tmp_path, clock), Stills()
    restream, lane = Restream(supervisor.feed), Lane()
    server = Server(
        supervisor, stills, restream, lane, Thumbnails(lane), clock, build="b", leash_s=1, leave=lambda: None
    )
    await server.start(tmp_path / "s")
    yield server
    await server.close()
    await supervisor.close()
    await stills.close()


async def test_reader_that_does_not_read_is_cut_off(server: Server, tmp_path: Path) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def open_stream() -> asyncio.StreamReader:
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"), limit=1 << 12)
        writers.append(writer)  # it would close with its last reference
        writer.write(b"GET /v1/events HTTP/1.0\r\n\r\n")
        await reader.readuntil(b"snapshot")
        return reader

    deaf, hears = await open_stream(), await open_stream()
    counter = Counter()
    counting = asyncio.create_task(counter.count(hears, b"removed"))
    async with asyncio.timeout(20):
        sent = 0
        while server.events.readers > 1:
            for _ in range(100):
                server.events.tell({"event": "removed", "id": "x" * 1000})
            sent += 100
            while counter.found < sent:
                counter.more.clear()
                await counter.more.wait()
        assert sent >= QUEUED
        # What the kernel held is still read, then comes the end.
        with pytest.raises(ConnectionError):
            while await deaf.read(1 << 16):
                pass
            raise ConnectionError
        server.events.close()
        await counting
        assert counter.found == sent
    assert server.events.readers == 0
    for writer in writers:
        writer.close()


class Counter:
    """How often something came so far."""

    def __init__(self) -> None:
        self.found = 0
        self.more = asyncio.Event()

    async def count(self, reader: asyncio.StreamReader, what: bytes) -> None:
        """Until the end."""
        rest = b""
        while data := await reader.read(1 << 16):
            self.found += (rest + data).count(what)
            self.more.set()
            rest = (rest + data)[-len(what) + 1 :]
