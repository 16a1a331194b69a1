"""A real Home Assistant in a configuration folder of its own, on this machine's loopback address only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
import os
from pathlib import Path
import sys
from typing import Any

import aiohttp

from .problem import DemoError
from .process import Program, start

HOST = "127.0.0.1"
_ROOT = Path(__file__).parent.parent
#: Set up by hand, since `default_config` also brings what looks for hardware and the Internet.
_CONFIGURATION = """\
# Written by script/demo when this folder was made; yours to change.
homeassistant:
  name: Facility Cameras
  country: VN
  language: en
  time_zone: Asia/Ho_Chi_Minh
  unit_system: metric
config:
frontend:
history:
logbook:
media_source:
my:
stream:
sun:
automation: !include automations.yaml
logger:
  default: warning
  logs:
    custom_components.facility_cameras: info
"""
#: Home Assistant asks to be started again with this exit code.
_RESTART = 100
_START_S = 180.0
_STOP_S = 60.0


class HomeAssistant:
    """Home Assistant as a program: where it lies, where it answers, and that it runs."""

    def __init__(self, folder: Path, port: int) -> None:
        """Nothing is written or started yet."""
        self.folder, self.port = folder, port
        self.url = f"http://{HOST}:{port}"
        self.log = folder / "demo-output.log"
        self._program: Program | None = None
        self._keeper: asyncio.Task[None] | None = None

    def prepare(self) -> None:
        """Make the configuration folder, if it is not there, with this checkout's integration in it."""
        (self.folder / ".storage").mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        configuration = self.folder / "configuration.yaml"
        if not configuration.exists():
            configuration.write_text(_CONFIGURATION, encoding="utf-8")
            (self.folder / "automations.yaml").write_text("[]\n", encoding="utf-8")
            # The place is in the file above. Asked for it, Home Assistant would also add a weather forecast, a speaking
            # service, radio stations and a shopping list, which want the Internet and have nothing to do with cameras.
            self._store("onboarding", 4, {"done": ["core_config"]})
        components = self.folder / "custom_components"
        components.mkdir(exist_ok=True)
        link = components / "facility_cameras"
        link.unlink(missing_ok=True)
        link.symlink_to(_ROOT / "custom_components" / "facility_cameras")
        # Where it listens is kept in its storage; in YAML it would be reported as outdated.
        stable = {
            "server_host": [HOST],
            "server_port": self.port,
            "cors_allowed_origins": [],
            "login_attempts_threshold": -1,
            "ip_ban_enabled": True,
            "ssl_profile": "modern",
            "use_x_frame_options": True,
        }
        self._store("http", 2, {"stable": stable, "pending": None, "yaml_migration_done": True})

    def _store(self, key: str, version: int, data: dict[str, Any]) -> None:
        stored = {"version": version, "minor_version": 1, "key": key, "data": data}
        (self.folder / ".storage" / key).write_text(json.dumps(stored), encoding="utf-8")

    async def _start(self) -> Program:
        # Everything it needs is installed: --skip-pip keeps a start from looking for it on the Internet.
        command = [sys.executable, "-m", "homeassistant", "--config", str(self.folder), "--skip-pip"]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return await start("Home Assistant", command, self.log, environment, self.folder)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Runs for as long as the block lasts; started again when it asks for that (Settings → Restart)."""
        self._program = await self._start()
        self._keeper = asyncio.create_task(self._keep())
        try:
            await self._answering()
            yield
        finally:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            await self.end(_STOP_S)

    async def end(self, patience_s: float) -> None:
        """Ask it to end, and make it end after `patience_s` seconds. Does nothing if it has ended."""
        assert self._program
        await self._program.end(patience_s)

    async def _keep(self) -> None:
        while True:
            assert self._program
            if await self._program.wait() != _RESTART:
                return
            self._program = await self._start()

    async def _answering(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            try:
                async with asyncio.timeout(_START_S):
                    while True:
                        self.check()
                        try:
                            async with session.get(f"{self.url}/manifest.json") as response:
                                if response.status == 200:
                                    return
                        except aiohttp.ClientError, TimeoutError:
                            pass  # not yet
                        await asyncio.sleep(0.2)
            except TimeoutError:
                raise DemoError(f"Home Assistant did not answer within {_START_S:.0f} s; see {self.log}.") from None

    def check(self) -> None:
        """Raises `DemoError` if it has ended for good."""
        if self._program and self._program.exit_code != _RESTART:
            self._program.check()

    async def ended(self) -> None:
        """Wait until it ends for good (a person stopped it, or it failed)."""
        assert self._keeper
        await asyncio.wait([self._keeper])
