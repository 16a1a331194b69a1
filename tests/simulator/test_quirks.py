"""Each profile misbehaves as the catalogue says, seen on the wire; and none of them keeps a patient client from media."""

import asyncio
from collections.abc import AsyncIterator, Callable
import contextlib
from dataclasses import dataclass, replace
import itertools
import re
from typing import Any

import pytest

from simulator import Camera, CameraSpec, Site, SpecError
from simulator.quirks import QUIRKS, behaviour_of, refine
from tests.simulator.cameras import QUICK, quick
from tests.simulator.dialogue import Answer, Client, Packet
from tests.simulator.waiting import until


@dataclass
class Seen:
    """What a client saw of a camera."""

    spec: CameraSpec
    options: Answer
    describe: Answer
    setup: Answer
    play: Answer
    packets: list[Packet]
    client: Client

    @property
    def sdp(self) -> str:
        return self.describe.body.decode()

    @property
    def kinds(self) -> list[int]:
        """Types of the NAL units (H.264) that packets begin with."""
        return [packet.payload[0] & 0x1F for packet in self.packets]


@contextlib.asynccontextmanager
async def running(*quirks: str, **changes: Any) -> AsyncIterator[Camera]:
    """One camera with these quirks."""
    async with Site([quick(quirks=quirks, **changes)]) as site:
        yield site.camera("Gate")


async def look(camera: Camera) -> Seen:
    """The usual dialogue and thirty packets."""
    path = camera.spec.streams[0].path
    async with Client(camera.port, path) as client:
        options = await client.ask("OPTIONS")
        describe = await client.login()
        setup = await client.setup()
        play = await client.ask("PLAY")
        packets = await client.media(30)
        return Seen(camera.spec, options, describe, setup, play, packets, client)


def set_times(seen: Seen) -> list[tuple[int, int]]:
    """The times of each picture parameter set and of the packet after it."""
    pairs = itertools.pairwise(seen.packets)
    return [(a.time, b.time) for a, b in pairs if a.payload[0] & 0x1F == 8]


def ends(seen: Seen) -> list[int]:
    """The times of all pictures."""
    return [packet.time for packet in seen.packets if packet.marker]


ON_THE_WIRE: dict[str, Callable[[Seen], bool]] = {
    "R1": lambda seen: seen.describe.raw.startswith(b"RTSP/1.0 200\r\n"),
    "R2": lambda seen: b"\r\ncontent-base: " in seen.describe.raw,
    "R3": lambda seen: "cseq" not in seen.play.headers,
    "R4": lambda seen: b"\r\nSession:       " in seen.setup.raw,
    "R5": lambda seen: seen.describe.one("content-base").endswith("?channel=1&subtype=0"),
    "R6": lambda seen: "a=control:rtsp://10.255.255.1:554/main/trackID=0" in seen.sdp,
    "R7": lambda seen: seen.describe.one("content-base") == "/main/",
    "R8": lambda seen: f"a=control:{seen.client.url}/trackID=0" in seen.sdp,
    "R11": lambda seen: 'stale="FALSE"' in seen.client.challenge,
    "R14-unlisted": lambda seen: "GET_PARAMETER" not in seen.options.one("public"),
    "R16": lambda seen: "; timeout=20" in seen.setup.one("session") and "; timeout=30" in seen.play.one("session"),
    "R16-absent": lambda seen: ";" not in seen.setup.one("session"),
    "R19": lambda seen: "interleaved=4-5" in seen.setup.one("transport") and seen.packets[0].channel == 4,
    "R21": lambda seen: "ssrc= 4294967296x" in seen.setup.one("transport"),
    "R22": lambda seen: seen.play.one("rtp-info").endswith("seq=0;rtptime=-1;"),
    "R22-none": lambda seen: "rtp-info" not in seen.play.headers,
    "R29": lambda seen: "content-type" not in seen.describe.headers,
    "S1": lambda seen: "sprop" not in seen.sdp,
    "S1-empty": lambda seen: "sprop-parameter-sets=\r\n" in seen.sdp,
    "S2": lambda seen: "sprop-parameter-sets=AAAAAWd" in seen.sdp,
    "S6": lambda seen: seen.sdp.startswith("m=video") and seen.sdp.count("\r\n") == 3,
    "S6-cut": lambda seen: "c=IN\r\n" in seen.sdp and "o=" not in seen.sdp,
    "S8": lambda seen: "m=vana" in seen.sdp and "m=application/VENDOR" in seen.sdp,
    "S9": lambda seen: "a=control" not in seen.sdp,
    "S11": lambda seen: "mpeg4-generic/8000\r\n" in seen.sdp and "indexlength" not in seen.sdp,
    "S11-none": lambda seen: "mpeg4-generic" in seen.sdp and "config=" not in seen.sdp,
    "S13": lambda seen: "a=rtpmap:8 PCMA/8000" in seen.sdp,
    "S13-u": lambda seen: "a=rtpmap:0 PCMU/8000" in seen.sdp,
    "S16": lambda seen: "\r" not in seen.sdp,
    "P1": lambda seen: f"{seen.packets[0].source:08X}" not in seen.setup.one("transport"),
    "P6": lambda seen: any(packet.marker and packet.payload[0] & 0x1F in (7, 8) for packet in seen.packets),
    "P6-time": lambda seen: all(b - a == 90_000 // QUICK.fps for a, b in set_times(seen)) and bool(set_times(seen)),
    "P7": lambda seen: not any(packet.marker for packet in seen.packets),
    "P9": lambda seen: len(set(ends(seen))) < len(ends(seen)),
    "P12": lambda seen: any(packet.payload[:2] == b"\x5c\xc1" for packet in seen.packets),
    "P13": lambda seen: any(packet.payload.count(b"\0\0\0\1") == 2 for packet in seen.packets),
    "P14": lambda seen: seen.packets[0].payload.endswith(b"\0\0\0\4"),
    "P15": lambda seen: {packet.kind for packet in seen.packets} == {35},
    "P16": lambda seen: 28 not in seen.kinds,
    "C1": lambda seen: not {7, 8, 24} & set(seen.kinds),
    "C8": lambda seen: {9, 6} <= set(seen.kinds),
}


async def test_quirks_on_the_wire() -> None:
    async with Site([quick(), *(quick(quirk, quirks=(quirk,)) for quirk in ON_THE_WIRE)]) as site:
        decent, *all_seen = await asyncio.gather(*(look(camera) for camera in site.cameras.values()))
    for (quirk, check), seen in zip(ON_THE_WIRE.items(), all_seen, strict=True):
        assert check(seen), quirk
        assert not check(decent), f"{quirk}: the decent camera does it too"


async def test_wire_tables_know_every_profile() -> None:
    for name in QUIRKS:
        spec = replace(quick(), quirks=(name,))
        changed = behaviour_of(spec) != behaviour_of(quick()) or refine(spec) != spec
        assert changed, name
    with pytest.raises(SpecError, match="no quirk 'X1'"):
        refine(replace(quick(), quirks=("X1",)))


async def test_r9_and_r10_challenges() -> None:
    async with running("R9") as camera, Client(camera.port) as client:
        (challenge,) = (await client.ask("DESCRIBE")).headers["www-authenticate"]
        assert re.findall(r"Basic|algorithm=[\w-]+", challenge) == ["Basic", "algorithm=MD5", "algorithm=SHA-256"]
    async with running("R10") as camera, Client(camera.port) as client:
        (challenge,) = (await client.ask("DESCRIBE")).headers["www-authenticate"]
        assert "algorithm=SHA-256" in challenge
        assert (await client.login()).status == 200


async def test_r13_redirect() -> None:
    async with running("R13", schemes=()) as camera, Client(camera.port) as client:
        answer = await client.ask("DESCRIBE")
        assert (answer.status, answer.one("location")) == (301, f"rtsp://127.0.0.1:{camera.port}/moved/main")
        assert (await client.ask("DESCRIBE", answer.one("location"))).status == 200


async def test_r14_and_r15_keep_alive() -> None:
    async with running("R14") as camera, Client(camera.port) as client:
        await client.play()
        assert (await client.ask("GET_PARAMETER")).status == 501
        assert (await client.ask("OPTIONS")).status == 200
    async with running("R14-fatal") as camera, Client(camera.port) as client:
        await client.play()
        await client.send("GET_PARAMETER")
        assert await client.ended()
    async with running("R15") as camera, Client(camera.port) as client:
        await client.play()
        await client.send("GET_PARAMETER")
        answer = await client.ask("OPTIONS")
        assert answer.one("cseq") == str(client._number)
    async with running("R14-only", session_timeout=1) as camera, Client(camera.port) as client:
        await client.play()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            while True:
                await client.ask("OPTIONS")
                await client.media(5)


async def test_r17_another_session() -> None:
    async with running("R17") as camera, Client(camera.port) as client:
        await client.login()
        first = (await client.setup(0)).one("session")
        second = (await client.setup(1)).one("session")
        assert first != second
        assert (await client.ask("PLAY")).status == 200


async def test_r18_media_before_the_answer() -> None:
    async with running("R18") as camera, Client(camera.port) as client:
        await client.login()
        await client.setup()
        assert (await client.ask("PLAY")).status == 200
        assert await client.media(5)


async def test_r20_udp_only() -> None:
    async with running("R20") as camera, Client(camera.port) as client:
        await client.login()
        assert (await client.setup()).status == 461
        assert (await client.setup(transport="RTP/AVP;unicast;client_port=50000-50001")).status == 200


async def test_r23_old_sessions_haunt_the_next_connection() -> None:
    async with running("R23") as camera:
        async with Client(camera.port) as client:
            await client.play()
            old = (await client.media(1))[0].source
            await client.send("TEARDOWN")
            await client.media(10)
        await until(lambda: not camera.connections)
        async with Client(camera.port) as client:
            await client.play()
            sources: set[int] = set()
            async with asyncio.timeout(10):
                while len(sources) < 2:
                    sources |= {packet.source for packet in await client.media(1)}
            assert old in sources


@pytest.mark.parametrize(("quirk", "status"), [("R24-one", 503), ("R24-close", None)])
async def test_r24_one_session(quirk: str, status: int | None) -> None:
    async with running(quirk) as camera, Client(camera.port) as first, Client(camera.port) as second:
        await first.play()
        await second.login()
        if status is None:
            with pytest.raises(asyncio.IncompleteReadError):
                await second.setup()
        else:
            assert (await second.setup()).status == status


async def test_r25_audio() -> None:
    async with running("R25") as camera, Client(camera.port) as client:
        await client.login()
        await client.setup(0)
        assert (await client.setup(1)).status == 500
        assert (await client.ask("PLAY")).status == 200
        assert await client.media(3)
    async with running("R25-all") as camera, Client(camera.port) as client:
        await client.play()
        assert await client.quiet(1)
        await client.setup(1)
        assert await client.media(3)


async def test_r27_user_agent() -> None:
    async with running("R27", schemes=()) as camera, Client(camera.port) as client:
        assert (await client.ask("DESCRIBE")).status == 401
        assert (await client.ask("DESCRIBE", User_Agent="test")).status == 200


async def test_r28_requests_of_its_own() -> None:
    async with running("R28") as camera, Client(camera.port) as client:
        await client.play()
        async with asyncio.timeout(10):
            while not client.asked:
                await client.next()
        client._writer.write(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n")
        assert (await client.ask("GET_PARAMETER")).status == 200


async def test_r29_no_length() -> None:
    async with running("R29-length", schemes=()) as camera, Client(camera.port) as client:
        assert "content-length" not in (await client.ask("DESCRIBE")).headers


async def test_b8_no_camera_at_the_channel() -> None:
    async with running("B8", schemes=()) as camera, Client(camera.port) as client:
        await client.send("DESCRIBE")
        assert await client.quiet(0.3)
        assert (await client.ask("OPTIONS")).status == 200


async def test_p2_reports() -> None:
    async with running("P2") as camera, Client(camera.port) as client:
        await client.play()
        packets = await client.media(20)
        assert int.from_bytes(client.reports[0][4:8]) == packets[0].source ^ 1
    async with running("P2-none") as camera, Client(camera.port) as client:
        await client.play()
        await client.media(20)
        assert not client.reports


async def test_p11_numbers_and_times_wrap() -> None:
    async with running("P11") as camera, Client(camera.port) as client:
        await client.play()
        packets = await client.media(150, limit=20)
    assert {(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(packets)} == {1}
    assert any(b.sequence < a.sequence for a, b in itertools.pairwise(packets))
    assert any(b.time < a.time for a, b in itertools.pairwise(packets))


async def test_c3_joins_in_the_middle_of_a_long_group() -> None:
    async with running("C3") as camera:
        seen = await look(camera)
        assert camera.spec.streams[0].video.gop == 20 * QUICK.fps
        assert 1 in seen.kinds


async def test_c4_times_go_back_and_forth() -> None:
    async with running("C4") as camera:
        seen = await look(camera)
        assert any((b.time - a.time) & 0x80000000 for a, b in itertools.pairwise(seen.packets))


async def test_habits_are_faults_that_come_by_themselves() -> None:
    habits = {name: quirk.habits[0] for name, quirk in QUIRKS.items() if quirk.habits}
    assert {"P3", "P4", "P5", "P8", "P8-back", "P17", "C2", "B1", "B2", "B2-frozen", "B3", "B10"} == habits.keys()
    async with Site([quick(name) for name in habits]) as site:
        practising = [
            asyncio.create_task(site.camera(name).practise(replace(habit, every=0.05)))
            for name, habit in habits.items()
        ]
        await until(lambda: {entry.camera for entry in site.truth.entries} == habits.keys())
        for task in practising:
            task.cancel()
        for entry in site.truth.entries:
            assert entry.fault == habits[entry.camera].fault
