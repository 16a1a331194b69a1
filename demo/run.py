"""Starts everything in order, waits until it is true, and ends everything in the opposite order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
import os
from pathlib import Path
import shutil
import sys
import time

import aiohttp

from . import engine, login
from .check import Finding, check
from .client import Client
from .home_assistant import HomeAssistant
from .problem import DemoError
from .process import Program, running
from .set_up import Added, added, set_up
from .site import HOST, MOST_CAMERAS, Site, port_is_free, site_of
from .table import table

_ROOT = Path(__file__).parent.parent
#: Less than this, and recording would soon pause.
_LEAST_BYTES = 2_000_000_000
_SIMULATOR_S = 300.0
_ONLINE_S = 120.0
_DASHBOARD = "facility-cameras"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    folder: Path
    port: int
    cameras: int | None
    reset: bool
    keep_footage: bool
    check: bool


def say(text: str) -> None:
    """Tell the person who started the demo."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Folder:
    """The demo's own folder and what lies where in it."""

    def __init__(self, root: Path) -> None:
        """`root` need not exist."""
        self.root = root
        self.config = root / "home_assistant"
        self.footage = root / "footage"
        self.site = root / "site.json"
        self.tokens = root / "tokens.json"

    async def reset(self, *, keep_footage: bool) -> None:
        """Delete what an earlier demo left. Raises `DemoError` if the folder holds anything else."""
        if not self.root.exists():
            return
        ours = {"home_assistant", "footage", "site.json", "cameras.json", "tokens.json"}
        strangers = [path.name for path in self.root.iterdir() if path.name not in ours and path.suffix != ".log"]
        strangers = [name for name in strangers if not name.endswith(".log.1")]
        if strangers:
            raise DemoError(f"{self.root} holds {strangers[0]}, which no demo made; nothing was deleted.")
        await engine.end(self.config)
        for path in self.root.iterdir():
            if path == self.footage and keep_footage:
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def prepare(self) -> None:
        """Make it, and see that there is room. Raises `DemoError`."""
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            free = shutil.disk_usage(self.root).free
        except OSError as error:
            raise DemoError(f"The folder {self.root} cannot be used: {error.strerror}.") from error
        if free < _LEAST_BYTES:
            raise DemoError(
                f"Only {free / 1e9:.1f} GB are free where {self.root} lies; the demo records and needs"
                f" {_LEAST_BYTES / 1e9:.0f} GB. Choose another place with --folder."
            )


async def demo(options: Options) -> list[Finding]:
    """Run the demo until it is cancelled; with --check once through, returning what was found. Raises `DemoError`."""
    if options.cameras is not None and not 1 <= options.cameras <= MOST_CAMERAS:
        raise DemoError(f"--cameras is a number from 1 to {MOST_CAMERAS}.")
    folder = Folder(options.folder)
    if options.reset:
        await folder.reset(keep_footage=options.keep_footage)
    folder.prepare()
    if not port_is_free(options.port):
        raise DemoError(f"Port {options.port} is used by another program. Choose another one with --port.")
    site = site_of(folder.site, options.cameras)
    site.check_ports()
    begun = time.monotonic()
    home_assistant = HomeAssistant(folder.config, options.port)
    try:
        async with _simulator(folder, site) as simulator, _home_assistant(home_assistant):
            tokens = await login.log_in(home_assistant.url)
            login.save(tokens, folder.tokens)
            async with Client(home_assistant.url, tokens["access_token"]) as client:
                await _until(lambda: _is_running(client), "Home Assistant has started", home_assistant.check)
                await login.finish_onboarding(client)
                say(f"Setting up {len(site.facilities())} facilities and {len(site.cameras)} cameras …")
                await set_up(client, site, folder.footage)
                cameras = await _ready(client, site, folder, home_assistant, simulator)
                say("")
                say(table(cameras, await engine.cameras(folder.config)))
                say("")
                if options.check:
                    return await _look(client, cameras)
            say(f"Ready after {time.monotonic() - begun:.0f} s:  {home_assistant.url}/{_DASHBOARD}/cameras")
            say(f"Log in as {login.USERNAME} with the password {login.PASSWORD}.")
            say(f'Try a fault: .venv/bin/python -m simulator fault silent "{site.cameras[0].spec()["name"]}"')
            say(
                f"             --control http://{HOST}:{site.control_port} --for 60   (faults: python -m simulator faults)"
            )
            say("End with Ctrl-C.")
            await _ended(home_assistant, simulator)
            raise DemoError(f"Home Assistant or the simulated cameras ended by themselves; see {folder.root}.")
    finally:
        # Also after a failure half way: whatever was started is gone when this returns.
        await engine.end(folder.config)


@asynccontextmanager
async def _simulator(folder: Folder, site: Site) -> AsyncIterator[Program]:
    """The simulated cameras, answering."""
    specs = folder.root / "cameras.json"
    site.write_specs(specs)
    say("Starting the simulated cameras (the first time their pictures are drawn, which takes a minute or two) …")
    command = [sys.executable, "-m", "simulator", "--site", str(specs), "--port", str(site.control_port), "--json"]
    log = folder.root / "simulator.log"
    async with running("The simulator", command, log, os.environ, _ROOT, patience_s=10) as simulator:
        deadline = time.monotonic() + _SIMULATOR_S
        while not await _answers(f"http://{HOST}:{site.control_port}/cameras"):
            simulator.check()
            if time.monotonic() > deadline:
                raise DemoError(f"The simulated cameras were not ready after {_SIMULATOR_S:.0f} s; see {log}.")
            await asyncio.sleep(0.2)
        yield simulator


@asynccontextmanager
async def _home_assistant(home_assistant: HomeAssistant) -> AsyncIterator[None]:
    say("Starting Home Assistant …")
    home_assistant.prepare()
    async with home_assistant.running():
        try:
            yield
        finally:
            say("Ending …")


async def _answers(url: str) -> bool:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(url) as response,
        ):
            return response.status == 200
    except aiohttp.ClientError, TimeoutError:
        return False


async def _is_running(client: Client) -> bool:
    return bool((await client.get("/api/config"))["state"] == "RUNNING")


async def _until(condition: Callable[[], Awaitable[bool]], what: str, alive: Callable[[], None]) -> None:
    """Wait until a condition holds. Raises `DemoError` naming it if it takes too long."""
    deadline = time.monotonic() + _ONLINE_S
    while not await condition():
        alive()
        if time.monotonic() > deadline:
            raise DemoError(f"Waited {_ONLINE_S:.0f} s in vain until {what}.")
        await asyncio.sleep(0.3)


async def _ready(
    client: Client, site: Site, folder: Folder, home_assistant: HomeAssistant, simulator: Program
) -> list[Added]:
    """Wait until every camera is online, recording, and on the dashboard."""
    say("Waiting until every camera is online, recording and on the dashboard …")
    deadline = time.monotonic() + _ONLINE_S
    while True:
        home_assistant.check()
        simulator.check()
        cameras = await added(client, site)
        waiting = await _waiting_for(client, cameras)
        if not waiting:
            return cameras
        if time.monotonic() > deadline:
            say(table(cameras, await engine.cameras(folder.config)))
            raise DemoError(f"After {_ONLINE_S:.0f} s: {waiting[0]} (and {len(waiting) - 1} more). See {folder.root}.")
        await asyncio.sleep(0.5)


async def _waiting_for(client: Client, cameras: list[Added]) -> list[str]:
    """What is not so yet, in words."""
    states = {state["entity_id"]: state["state"] for state in await client.get("/api/states")}
    waiting = []
    for each in cameras:
        name = f"{each.camera.facility}: {each.camera.name}"
        if states.get(each.entities.get("connectivity", "")) != "on":
            waiting.append(f"{name} is not online")
        elif states.get(each.entities.get("camera", "")) != "recording":
            waiting.append(f"{name} is not recording")
    if waiting:
        return waiting
    try:
        shown = json.dumps(await client.call("lovelace/config", url_path=_DASHBOARD))
    except DemoError as error:
        return [f"there is no dashboard: {error}"]
    return [
        f"{each.camera.facility}: {each.camera.name} is not on the dashboard"
        for each in cameras
        if f'"{each.entities["camera"]}"' not in shown
    ]


async def _look(client: Client, cameras: list[Added]) -> list[Finding]:
    """Look at every camera and tell."""
    say("Looking at every camera: live, still, recorded, played back …")
    findings = await check(client, cameras)
    for finding in findings:
        told = f"FAILED  {finding.camera}: {finding.what}: {finding.problem}"
        say(told if finding.problem else f"passed  {finding.camera}: {finding.what}")
    return findings


async def _ended(home_assistant: HomeAssistant, simulator: Program) -> None:
    """Wait until one of the two ends by itself."""
    tasks = [asyncio.create_task(home_assistant.ended()), asyncio.create_task(simulator.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
