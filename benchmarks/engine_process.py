"""An engine and a simulator as processes of their own, for benchmarks: started, asked, ended."""

import contextlib
import http.client
import json
import os
from pathlib import Path
import socket
import subprocess
import sys
import time
from typing import Any, Self

ROOT = Path(__file__).parent.parent
LAUNCH = ROOT / "custom_components" / "facility_cameras" / "engine" / "launch.py"


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("engine", timeout=30)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self._path)


class EngineProcess:
    """An engine whose state and footage lie in `folder`."""

    def __init__(self, folder: Path, *, leash_s: float = 600) -> None:
        """Start it and wait until it answers, 10 s at most."""
        self.state = folder / "state"
        self.archive = folder / "archive"
        self._socket = folder / "engine.sock"
        self.state.mkdir(parents=True, exist_ok=True)
        self.archive.mkdir(exist_ok=True)
        (self.archive / ".facility_cameras.json").write_text('{"id": "bench"}')
        launch = {
            "state_dir": str(self.state),
            "socket": str(self._socket),
            "restream_host": "127.0.0.1",
            "restream_secret": "bench",
            "leash_s": leash_s,
        }
        with (folder / "engine.out").open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-P", str(LAUNCH)],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=out,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,
            )
        if self.process.stdin is not None:
            self.process.stdin.write(json.dumps(launch).encode())
            self.process.stdin.close()
        until = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError):
                self.call("GET", "/v1/info")
                return
            if time.monotonic() > until or self.process.poll() is not None:
                raise RuntimeError((folder / "engine.out").read_text() or "the engine does not answer")
            time.sleep(0.02)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One call of the API; the answer's JSON, or its bytes where it is none. Raises OSError."""
        connection = _Connection(self._socket)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            content = answer.read()
            return json.loads(content) if answer.headers.get_content_type() == "application/json" else content
        finally:
            connection.close()

    def record(self, cameras: list[dict[str, Any]]) -> None:
        """Record these cameras (as `Simulator.cameras` gives them) as one facility."""
        self.call(
            "PUT",
            "/v1/facilities/bench",
            {
                "name": "bench",
                "archive": str(self.archive),
                "archive_id": "bench",
                "days_to_keep": 30,
                "cameras": [
                    {
                        "id": camera["name"],
                        "name": camera["name"],
                        "url": f"rtsp://{camera['host']}:{camera['rtsp_port']}/{camera['streams'][0]['name']}",
                        "username": camera["username"],
                        "password": camera["password"],
                        "audio": False,
                        "record": True,
                    }
                    for camera in cameras
                ],
            },
        )

    def close(self) -> None:
        """Tell it to leave and wait."""
        with contextlib.suppress(OSError):
            self.call("POST", "/v1/leave")
        self.process.wait(15)


class Simulator:
    """`python -m simulator` with these arguments; ends with the block."""

    def __init__(self, *arguments: str) -> None:
        """Start it and wait until its cameras answer (the first time it encodes its clips)."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "simulator", "--json", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        if self._process.stdout is None:
            raise RuntimeError("the simulator has no output")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the simulator did not start")
        told = json.loads(line)
        self.pid = self._process.pid
        self.control: str = told["control"]
        self.cameras: list[dict[str, Any]] = told["cameras"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(10)
