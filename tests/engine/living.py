"""An engine and cameras as real processes, for tests: started, asked, killed; and a judge of what was recorded."""

from collections.abc import Callable, Iterable, Mapping
import contextlib
import http.client
import json
import os
from pathlib import Path
import socket
import sqlite3
import subprocess
import sys
import time
from typing import Any, Self
import urllib.parse
import urllib.request

import av
import numpy as np

from simulator import barcode

ROOT = Path(__file__).parents[2]
LAUNCH = ROOT / "custom_components" / "facility_cameras" / "engine" / "launch.py"
#: Frames in the clip that every camera plays in a loop, and a second.
FRAMES, FPS = 300, 10


def wait_for[T](condition: Callable[[], T], seconds: float = 15.0, what: str = "") -> T:
    """What `condition` returns, once it is true. AssertionError after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < until, f"not within {seconds} s: {what or condition}"
        time.sleep(0.05)


class Site:
    """Small virtual cameras: 320x180, 10 pictures a second, a key picture a second. Ends with the block."""

    def __init__(self, cameras: int) -> None:
        options = f"--json --cameras {cameras} --size 320x180 --fps {FPS} --gop 10 --kbps 200 --no-sub --scenes 1"
        command = [sys.executable, "-m", "simulator", *options.split(), "--seconds", str(FRAMES // FPS)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self._control: str = told["control"]
        self.cameras: list[dict[str, Any]] = told["cameras"]

    def configs(self, count: int | None = None, **changes: object) -> list[dict[str, Any]]:
        """These cameras as the engine wants them."""
        return [
            {
                "id": camera["name"],
                "name": camera["name"],
                "url": f"rtsp://127.0.0.1:{camera['rtsp_port']}/main",
                "username": camera["username"],
                "password": camera["password"],
                "audio": False,
                "record": True,
                **changes,
            }
            for camera in self.cameras[:count]
        ]

    def _ask(self, method: str, path: str) -> Any:
        request = urllib.request.Request(self._control + path, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def sessions(self, name: str) -> tuple[int, int]:
        """Open sessions of a camera, and packets sent in them: both only rise while a session stays."""
        told = self._ask("GET", f"/cameras/{name}")
        return told["sessions"], told["packets_sent"]

    def fault(self, name: str, fault: str) -> None:
        self._ask("POST", f"/cameras/{name}/faults/{fault}")

    def heal(self, name: str) -> None:
        self._ask("DELETE", f"/cameras/{name}/faults")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("engine", timeout=30)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self._path)


class Engine:
    """An engine with its state and (unless told otherwise) its archive in `folder`. Killed at the end of the block."""

    def __init__(self, folder: Path, *, leash_s: float = 600, archive: Path | None = None) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.archive = archive or folder / "archive"
        self.socket = folder / "engine.sock"
        self.leash_s = leash_s
        self.state.mkdir(parents=True, exist_ok=True)
        self.archive.mkdir(exist_ok=True)
        mark(self.archive)
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Start its process (again)."""
        launch = {
            "state_dir": str(self.state),
            "socket": str(self.socket),
            "restream_host": "127.0.0.1",
            "restream_secret": "sEcr3t-of-viewers",
            "leash_s": self.leash_s,
        }
        with (self.folder / "output").open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(LAUNCH)],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                # The packages of the environment in which the tests run, and nothing else.
                env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path[1:]))},
                start_new_session=True,
            )
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(launch).encode())
            self.process.stdin.close()
        return self.process

    def answers(self) -> bool:
        try:
            return self.call("GET", "/v1/info")[0] == 200
        except OSError:
            return False

    def ready(self) -> Self:
        """Wait until it answers."""
        wait_for(self.answers, 15, "the engine answers")
        return self

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and content of one call."""
        connection = _Connection(self.socket)
        try:
            connection.request(method, path, body if isinstance(body, bytes | None) else json.dumps(body))
            answer = connection.getresponse()
            content = answer.read()
            json_answer = answer.headers.get_content_type() == "application/json"
            return answer.status, json.loads(content) if json_answer else content
        finally:
            connection.close()

    def picture(self, camera: str, kind: str, **query: object) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and content of a call for a camera's picture."""
        connection = _Connection(self.socket)
        try:
            connection.request("GET", f"/v1/cameras/{camera}/{kind}?{urllib.parse.urlencode(query)}")
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()
        finally:
            connection.close()

    def put(self, cameras: list[dict[str, Any]], identity: str = "f1", **changes: object) -> None:
        """Set the facility."""
        facility = {
            "name": "Cơ sở 1",
            "archive": str(self.archive),
            "archive_id": "A1",
            "days_to_keep": 30,
            "cameras": cameras,
            **changes,
        }
        assert self.call("PUT", f"/v1/facilities/{identity}", facility) == (200, {})

    def cameras(self) -> dict[str, dict[str, Any]]:
        return {camera["id"]: camera for camera in self.call("GET", "/v1/cameras")[1]["cameras"]}

    def camera(self, name: str = "camera-1") -> dict[str, Any]:
        return self.cameras()[name]

    def volume(self) -> str:
        return str(self.call("GET", "/v1/facilities")[1]["facilities"][0]["volume"])

    def segments(self, camera: str = "camera-1") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", f"/v1/cameras/{camera}/segments")[1]["segments"]
        return found

    def recorded(self, seconds: float, camera: str = "camera-1") -> bool:
        """Whether so much is recorded since its start."""
        return bool(self.cameras()[camera]["recorded_s"] >= seconds)

    def log(self) -> str:
        return (self.state / "engine.log").read_text() + (self.folder / "output").read_text()

    def leave(self) -> None:
        assert self.call("POST", "/v1/leave")[0] == 200
        assert self.process.wait(10) == 0

    def __enter__(self) -> Self:
        return self.ready()

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(10)


def mark(archive: Path, identity: str = "A1") -> None:
    """Write the archive's marker."""
    (archive / ".facility_cameras.json").write_text(json.dumps({"id": identity}))


def rows(archive: Path, columns: str = "*", where: str = "1", table: str = "segment") -> list[Any]:
    """Rows of the index, read while no engine holds it, oldest first."""
    connection = sqlite3.connect(archive / "index.sqlite3")
    try:
        order = "start_us" if table != "camera" else "id"
        joined = f"{table} JOIN camera ON camera.id = segment.camera" if table == "segment" else table
        return connection.execute(f"SELECT {columns} FROM {joined} WHERE {where} ORDER BY {order}").fetchall()
    finally:
        connection.close()


def files(archive: Path) -> list[Path]:
    return sorted(archive.rglob("*.mp4"))


def numbers(path: Path) -> list[int]:
    """The bar codes of all pictures in a file, as decoded."""
    with av.open(str(path)) as container:
        return [
            barcode.read(np.asarray(frame.to_ndarray(format="gray"), np.uint8)) for frame in container.decode(video=0)
        ]


def judge(paths: Iterable[Path]) -> barcode.Continuity:
    """What is missing in these files played one after the other."""
    return barcode.check((number for path in paths for number in numbers(path)), FRAMES)
