"""The simulator as a process of its own: started, commanded over HTTP and from the command line, ended."""

import asyncio
from collections.abc import AsyncIterator
import contextlib
from dataclasses import dataclass
import json
from pathlib import Path
import signal
import sys
from typing import Any

import aiohttp
import pytest

from simulator import barcode
from tests.simulator.dialogue import Client
from tests.simulator.pictures import play

_SMALL = ("--size", "320x240", "--fps", "20", "--gop", "10", "--kbps", "200", "--seconds", "1", "--no-sub")


@dataclass
class Running:
    """A simulator that said it is ready."""

    process: asyncio.subprocess.Process
    control: str
    cameras: list[dict[str, Any]]


@contextlib.asynccontextmanager
async def running(*options: str) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "simulator", "--json", *options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            ready = json.loads(await process.stdout.readline())
        yield Running(process, ready["control"], ready["cameras"])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a command."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_cameras_of_a_process_are_played_and_commanded() -> None:
    async with running("--cameras", "2", *_SMALL) as simulator, aiohttp.ClientSession(simulator.control) as http:
        first, second = simulator.cameras
        assert first["name"] == "camera-1"
        (stream,) = first["streams"]
        numbers = [picture.number for picture in await asyncio.to_thread(play, stream["url"], 5)]
        assert barcode.check(numbers, stream["frames"]).complete

        async with http.post("/cameras/camera-1/faults/gone") as answer:
            entry = (await answer.json())["entries"][0]
            assert entry["fault"] == "gone"
            assert entry["ended_utc"] is None
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", first["rtsp_port"])
        async with Client(second["rtsp_port"]) as client:
            assert (await client.login()).status == 200
        async with http.get("/cameras/camera-1") as answer:
            assert (await answer.json())["faults"] == ["gone"]
        async with http.delete("/cameras/camera-1/faults") as answer:
            assert answer.status == 200
        async with Client(first["rtsp_port"]) as client:
            assert (await client.login()).status == 200

        async with http.post("/cameras/*/faults/stalled", json={"seconds": 60}) as answer:
            assert [entry["camera"] for entry in (await answer.json())["entries"]] == ["camera-1", "camera-2"]
        async with http.get("/truth") as answer:
            truth = await answer.json()
        assert [entry["fault"] for entry in truth["entries"]] == ["gone", "stalled", "stalled"]
        gone = truth["entries"][0]
        assert gone["began_monotonic"] <= gone["ended_monotonic"] <= truth["now"]["monotonic"]
        assert gone["began_utc"] <= gone["ended_utc"] <= truth["now"]["utc"]


async def test_wrong_commands_are_told() -> None:
    async with running("--cameras", "1", *_SMALL) as simulator, aiohttp.ClientSession(simulator.control) as http:
        for path, body, status, word in (
            ("/cameras/nobody/faults/gone", {}, 404, "camera-1"),
            ("/cameras/camera-1/faults/nonsense", {}, 400, "nonsense"),
            ("/cameras/camera-1/faults/leap", {"speed": 3}, 400, "speed"),
            ("/cameras/camera-1/faults/leap", {"by": "far"}, 400, "far"),
            ("/cameras/camera-1/faults/gone", {"seconds": "long"}, 400, "long"),
            ("/cameras/camera-1/faults/gone", [1], 400, "settings"),
        ):
            async with http.post(path, json=body) as answer:
                assert (answer.status, word in await answer.text()) == (status, True), path
        async with http.post("/cameras/camera-1/faults/gone", data=b"{") as answer:
            assert answer.status == 400


async def test_command_line() -> None:
    async with running("--cameras", "1", *_SMALL) as simulator:
        control = ("--control", simulator.control)
        assert await run("fault", "leap", "camera-1", "by=20", *control) == (0, "camera-1: leap\n", "")
        assert (await run("fault", "stalled", "*", "--for", "60", *control))[0] == 0
        assert (await run("end", "all", "camera-1", *control))[0] == 0
        _, out, _ = await run("truth", *control)
        assert [entry["fault"] for entry in json.loads(out)["entries"]] == ["leap", "stalled"]
        _, out, _ = await run("list", *control)
        assert json.loads(out)["cameras"][0]["name"] == "camera-1"
        code, _, error = await run("fault", "gone", "nobody", *control)
        assert (code, "camera-1" in error) == (1, True)


async def test_what_there_is_is_listed() -> None:
    assert "frozen" in (await run("faults"))[1]
    assert "R14-fatal" in (await run("quirks"))[1]
    code, _, error = await run("list", "--control", "http://127.0.0.1:9")
    assert (code, "no simulator answers" in error) == (1, True)


@pytest.mark.parametrize("how", ["stdin", "SIGTERM", "SIGINT"])
async def test_ends_when_told(how: str) -> None:
    async with running("--cameras", "1", *_SMALL) as simulator:
        if how == "stdin":
            assert simulator.process.stdin is not None
            simulator.process.stdin.close()
        else:
            simulator.process.send_signal(signal.Signals[how])
        async with asyncio.timeout(10):
            assert await simulator.process.wait() == 0


async def test_site_file(tmp_path: Path) -> None:
    small = {"width": 320, "height": 240, "fps": 20, "gop": 10, "kbps": 200, "seconds": 1}
    site = {
        "defaults": {"schemes": ["basic"], "streams": [{"video": small}]},
        "cameras": [{"name": "Cổng chính", "password": "b:@/ c"}, {"name": "Sân", "quirks": ["R20"], "maker": "X"}],
    }
    path = tmp_path / "site.json"
    path.write_text(json.dumps(site), "utf-8")
    async with running("--site", str(path)) as simulator:
        gate, yard = simulator.cameras
        assert (gate["name"], gate["password"], yard["maker"]) == ("Cổng chính", "b:@/ c", "X")
        assert len(await asyncio.to_thread(play, gate["streams"][0]["url"], 3)) == 3
        async with Client(yard["rtsp_port"]) as client:
            assert (await client.setup()).status == 401


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{", "not JSON"),
        ("[]", "cameras"),
        ('{"cameras": [{}]}', "name"),
        ('{"cameras": [{"name": "a", "colour": 1}]}', "colour"),
        ('{"cameras": [{"name": "a", "streams": [{"video": {"codec": "vp9"}}]}]}', "vp9"),
        ('{"cameras": [{"name": "a"}, {"name": "a"}]}', "two cameras"),
        ('{"cameras": [{"name": "a", "quirks": ["X1"]}]}', "X1"),
        ('{"cameras": [{"name": "a", "schemes": ["md4"]}]}', "md4"),
    ],
)
async def test_faulty_site_file_is_told(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "site.json"
    path.write_text(text, "utf-8")
    code, _, error = await run("--site", str(path))
    assert code == 1
    assert word in error
    assert "Traceback" not in error
