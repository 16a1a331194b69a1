"""What the tests of the integration stand on: simulated cameras, waiting for conditions, finding entities."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
import http.client
import json
from types import MappingProxyType
from typing import Any
import urllib.parse
import uuid

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import psutil
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.engine_process import EnginePaths
from custom_components.facility_cameras.hub import HUB, Hub


@dataclass(frozen=True)
class SimulatedCamera:
    """A camera of the simulator, as it describes itself."""

    about: dict[str, Any]

    @property
    def url(self) -> str:
        """Address of its main stream, without a log-in."""
        return f"rtsp://{self.about['host']}:{self.about['rtsp_port']}/main"

    @property
    def login(self) -> dict[str, str]:
        """The right user and password."""
        return {"username": self.about["username"], "password": self.about["password"]}

    @property
    def onvif(self) -> str:
        """Where its ONVIF service answers."""
        return f"{self.about['host']}:{self.about['http_port']}"


class Simulator:
    """Commands the simulated cameras."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self._address = urllib.parse.urlsplit(ready["control"]).netloc
        self.cameras = {about["name"]: SimulatedCamera(about) for about in ready["cameras"]}

    def fault(self, camera: str, name: str, **settings: str | float) -> None:
        """Begin a fault."""
        self._call("POST", f"/cameras/{camera}/faults/{name}", settings)

    def mend(self) -> None:
        """End every fault of every camera."""
        self._call("DELETE", "/cameras/*/faults", {})

    def about(self, camera: str) -> dict[str, Any]:
        """A camera as it is now."""
        return self._call("GET", f"/cameras/{camera}", None)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._address, timeout=20)
        try:
            connection.request(
                method, path, None if body is None else json.dumps(body), {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, text
        result: dict[str, Any] = json.loads(text)
        return result


def engines(config_dir: str) -> list[psutil.Process]:
    """Every engine that runs for a configuration folder."""
    state = EnginePaths.of(config_dir).state
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command = process.info["cmdline"] or []
        if process.info["cwd"] == str(state) and any(part.endswith("engine/launch.py") for part in command):
            found.append(process)
    return found


def end_engines(config_dir: str) -> None:
    """A test that failed half-way leaves nothing behind."""
    for process in engines(config_dir):
        with suppress(psutil.NoSuchProcess):
            process.kill()
            process.wait(10)


async def until(condition: Callable[[], Any], *, what: str, timeout: float = 20.0) -> Any:
    """Wait until `condition` is true and return what it returned."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while not (result := condition()):
        assert loop.time() < deadline, f"not within {timeout:.0f} s: {what}"
        await asyncio.sleep(0.05)
    return result


async def until_awaited(condition: Callable[[], Awaitable[Any]], *, what: str, timeout: float = 20.0) -> Any:
    """The same for a condition that has to be awaited."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while not (result := await condition()):
        assert loop.time() < deadline, f"not within {timeout:.0f} s: {what}"
        await asyncio.sleep(0.1)
    return result


def camera_data(camera: SimulatedCamera, **more: Any) -> dict[str, Any]:
    """A camera's configuration as its flow saves it."""
    return {"url": camera.url, "audio": False, "record": True, "zone": "gate", "device": {}, **camera.login, **more}


def add_camera(hass: HomeAssistant, entry: MockConfigEntry, title: str, camera: SimulatedCamera) -> str:
    """Add a camera to a facility that runs, as the flow does; returns its id."""
    subentry = ConfigSubentry(
        data=MappingProxyType(camera_data(camera)), subentry_type="camera", title=title, unique_id=uuid.uuid4().hex
    )
    hass.config_entries.async_add_subentry(entry, subentry)
    return subentry.subentry_id


def camera_id(entry: MockConfigEntry, title: str) -> str:
    """The id of a camera by its name."""
    found: str = next(key for key, camera in entry.subentries.items() if camera.title == title)
    return found


def entity_id(hass: HomeAssistant, domain: str, owner: str, key: str) -> str:
    """An entity by what it belongs to and what it tells."""
    found: str | None = er.async_get(hass).async_get_entity_id(domain, DOMAIN, f"{owner}_{key}")
    assert found, f"no {domain} {key} of {owner}"
    return found


def state(hass: HomeAssistant, domain: str, owner: str, key: str) -> str | None:
    """Its state, None if it has none."""
    found = hass.states.get(entity_id(hass, domain, owner, key))
    return found.state if found else None


def hub_of(hass: HomeAssistant) -> Hub:
    """The hub."""
    return hass.data[HUB]


async def until_online(hass: HomeAssistant, entry: MockConfigEntry, *titles: str) -> None:
    """Wait until cameras are online and recorded."""
    wanted = {camera_id(entry, title): title for title in titles}

    def recorded() -> bool:
        return all(
            state(hass, "binary_sensor", key, "connectivity") == "on"
            and state(hass, "camera", key, "camera") == "recording"
            for key in wanted
        )

    await until(recorded, what=f"{', '.join(titles)} online and recording", timeout=30)


async def set_up(home: HomeAssistant, entry: MockConfigEntry) -> None:
    """Have a facility set up, and all its cameras online."""
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, *(camera.title for camera in entry.subentries.values()))
