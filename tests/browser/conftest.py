"""One demo for all of these tests, and a browser that is logged in to it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
import json
import os
from pathlib import Path
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

from playwright.async_api import Browser, Page, async_playwright
import pytest
import pytest_socket

from demo.client import Client
from demo.site import Site, free_ports, site_of

_ROOT = Path(__file__).parents[2]
_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
_READY = "End with Ctrl-C."
_READY_S = 600.0
_END_S = 90.0
#: Where screenshots go if they are to be looked at; else into pytest's own folder.
_SCREENSHOTS = os.environ.get("FACILITY_CAMERAS_SCREENSHOTS")

DESKTOP, PHONE = (1440, 900), (390, 844)


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """The demo: where Home Assistant answers, the log-in as the page keeps it, and its cameras."""

    url: str
    tokens: dict[str, Any]
    site: Site

    def client(self) -> Client:
        """A client of its API."""
        return Client(self.url, self.tokens["access_token"])


@pytest.fixture(scope="session")
def running_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """`script/demo` in a folder of its own, until the last test of this folder is over."""
    if _CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    pytest_socket.enable_socket()  # this is set up before the test's own permission
    folder = tmp_path_factory.mktemp("demo")
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "demo", "--folder", str(folder), "--port", str(port)]
    log = folder / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=output, stderr=output, start_new_session=True)
    try:
        _wait_until_ready(process, log)
        tokens = json.loads((folder / "tokens.json").read_text(encoding="utf-8"))
        yield RunningDemo(tokens["hassUrl"], tokens, site_of(folder / "site.json", None))
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_END_S)
        finally:
            process.kill()
            process.wait()
    left = _processes_of(folder)
    assert not left, f"the demo left behind: {left}"
    shutil.rmtree(folder)


def _processes_of(folder: Path) -> list[str]:
    """Command lines that name the folder: Home Assistant, the simulator, the engine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has just ended
        if str(folder) in command:
            found.append(command)
    return found


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the demo says that it is ready."""
    deadline = time.monotonic() + _READY_S
    while _READY not in (said := log.read_text(encoding="utf-8")):
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.5)


@pytest.fixture
def expected_lingering_timers() -> bool:
    """HTTP clients leave time limits behind when they close; no Home Assistant runs in this process."""
    return True


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium with a profile of its own."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=_CHROMIUM, args=_FLAGS)
        yield chromium
        await chromium.close()


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is logged in, with a language and a screen."""

    page: Page
    demo: RunningDemo
    shots: Path
    name: str

    async def go(self, path: str) -> None:
        """Open a page of Home Assistant."""
        await self.page.goto(self.demo.url + path)

    async def shoot(self, what: str) -> None:
        """Keep what is seen."""
        await self.page.screenshot(path=self.shots / f"{what}-{self.name}.png")


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: never in the repository."""
    folder = Path(_SCREENSHOTS) if _SCREENSHOTS else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(params=["en-desktop"])
async def visitor(
    running_demo: RunningDemo, browser: Browser, shots: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Visitor]:
    """Logged in; the parameter says language and screen, as in "vi-phone"."""
    language, _, screen = request.param.partition("-")
    width, height = PHONE if screen == "phone" else DESKTOP
    context = await browser.new_context(viewport={"width": width, "height": height})
    stored = {"hassTokens": json.dumps(running_demo.tokens), "selectedLanguage": json.dumps(language)}
    await context.add_init_script(f"Object.assign(localStorage, {json.dumps(stored)})")
    async with running_demo.client() as client:
        await use_language(client, language)
    yield Visitor(await context.new_page(), running_demo, shots, request.param)
    await context.close()


async def use_language(client: Client, language: str) -> None:
    """Set the hub's own language, in which the integration names what it adds."""
    if (await client.get("/api/config"))["language"] == language:
        return
    await client.call("config/core/update", language=language)
    for entry in await client.get("/api/config/config_entries/entry?domain=facility_cameras"):
        await client.post(f"/api/config/config_entries/entry/{entry['entry_id']}/reload")


async def plays(page: Page, seconds: float = 2.0, patience: float = 45.0) -> None:
    """Wait until a video on the page has played for some seconds of its own time."""
    video = page.locator("video").first
    await video.wait_for(state="attached", timeout=patience * 1000)
    first: float | None = None
    deadline = time.monotonic() + patience
    now = 0.0
    while time.monotonic() < deadline:
        now, width = await video.evaluate("video => [video.currentTime, video.videoWidth]")
        if width and now > 0:
            if first is None or now < first:
                first = now
            if now - first >= seconds:
                return
        await asyncio.sleep(0.25)
    raise AssertionError(f"the video does not play: from {first} to {now} s within {patience:.0f} s")
