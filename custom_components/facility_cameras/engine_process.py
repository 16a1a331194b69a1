"""Starts the engine, and says whether one of ours runs.

Everything here blocks: call it in the executor. The engine is started detached with `subprocess.Popen` (a child of
asyncio's would be killed when Home Assistant's interpreter ends), with a clean environment and its secrets on standard
input. Promise I9: nothing secret is in its command line or its environment.
"""

from dataclasses import dataclass
import hashlib
from io import BufferedWriter
import json
import os
from pathlib import Path
import signal
import stat
import subprocess
import sys
import tempfile

from .engine.api import LaunchRequest
from .engine.build import build_id

_LAUNCHER = Path(__file__).parent / "engine" / "launch.py"
#: What the engine may know of Home Assistant's environment. SUPERVISOR_TOKEN and the like are not its business.
_ENVIRONMENT = frozenset(
    {"HOME", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "TZ", "VIRTUAL_ENV"}
)
#: The engine's re-stream is for this machine only.
RESTREAM_HOST = "127.0.0.1"
#: How long the engine records on without a hub.
LEASH_S = 600.0


class EngineStartError(Exception):
    """The engine cannot be started; says why."""


@dataclass(frozen=True, slots=True)
class EnginePaths:
    """Where the engine of one configuration folder keeps its things."""

    state: Path
    socket: Path
    output: Path

    @classmethod
    def of(cls, config_dir: str) -> EnginePaths:
        """The socket's folder is short (a path holds 108 bytes at most) and the same for the same configuration."""
        name = hashlib.sha256(os.fsencode(Path(config_dir).resolve())).hexdigest()[:12]
        state = Path(config_dir) / "facility_cameras"
        return cls(
            state=state,
            socket=Path(tempfile.gettempdir()) / f"facility_cameras_{name}" / "engine",
            output=state / "engine-output.log",
        )


class EngineProcess:
    """The engine of one configuration folder, as a process."""

    def __init__(self, config_dir: str) -> None:
        """Nothing is read or written yet."""
        self.paths = EnginePaths.of(config_dir)
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> str:
        """Make the folders and say our engine's build. Raises `EngineStartError` if a folder is not ours."""
        try:
            self.paths.state.mkdir(mode=0o700, parents=True, exist_ok=True)
            _own_folder(self.paths.socket.parent)
            return build_id()
        except OSError as error:
            raise EngineStartError(str(error)) from error

    def start(self, secret: str) -> None:
        """Start the engine, detached; `secret` opens its re-stream."""
        request: LaunchRequest = {
            "state_dir": str(self.paths.state),
            "socket": str(self.paths.socket),
            "restream_host": RESTREAM_HOST,
            "restream_secret": secret,
            "leash_s": LEASH_S,
        }
        environment = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        try:
            _own_folder(self.paths.socket.parent)  # an engine that left took it away
            with _open_private(self.paths.output) as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", str(_LAUNCHER)],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    env=environment,
                    cwd=self.paths.state,
                    start_new_session=True,
                )
            assert self._process.stdin is not None
            with self._process.stdin as stdin:
                stdin.write(json.dumps(request).encode())
        except OSError as error:
            raise EngineStartError(str(error)) from error

    def exit_code(self) -> int | None:
        """How the engine that we started ended; None while it runs or if we started none. Reaps it."""
        return self._process.poll() if self._process else None

    def wait(self, timeout: float) -> bool:
        """Wait for the end of the engine that we started; False if it is still there after `timeout` seconds."""
        if self._process is None:
            return True
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def give_up(self) -> None:
        """End the engine that we started: it does not answer."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def kill(self, pid: int) -> None:
        """End an engine that no longer answers. Does nothing if the process is no engine of ours."""
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            if os.fsencode(_LAUNCHER) in command and Path(f"/proc/{pid}").stat().st_uid == os.geteuid():
                os.kill(pid, signal.SIGKILL)
        except OSError:
            return

    def last_words(self) -> str:
        """The end of what the engine printed: why it ended, for the log."""
        try:
            with self.paths.output.open("rb") as file:
                file.seek(max(0, self.paths.output.stat().st_size - 2000))
                lines = file.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1] if lines else ""


def _own_folder(folder: Path) -> None:
    """Make a folder that only we can enter; raise if somebody else made it, or a link in its place."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EngineStartError(f"{folder} is not a folder of this user")
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)


def _open_private(path: Path) -> BufferedWriter:
    """Open a new, empty file that only we can read."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
