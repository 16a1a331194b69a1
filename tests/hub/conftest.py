"""The integration is tested with the real engine process and simulated cameras in a process of their own."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
import json
from pathlib import Path
import subprocess
import sys
from typing import Any
import uuid

from homeassistant.config_entries import ConfigSubentryData
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.volumes import claim
from tests.hub.past import SAIGON, at, put_footage
from tests.hub.stage import SimulatedCamera, Simulator, camera_data, end_engines, hub_of

ROOT = Path(__file__).parent.parent.parent
_VIDEO = {"width": 640, "height": 360, "fps": 10, "kbps": 400, "gop": 10, "seconds": 4}
_SITE = {
    "cameras": [
        {
            "name": name,
            "http_port": 0,
            "streams": [
                {"name": "main", "path": "main", "video": {**_VIDEO, "codec": codec}},
                {"name": "sub", "path": "sub", "video": {**_VIDEO, "width": 320, "height": 180, "codec": "h264"}},
            ],
        }
        for name, codec in (("Gate", "h264"), ("Lobby", "h265"), ("Yard", "h264"))
    ]
}


@contextmanager
def simulate(folder: Path, cameras: dict[str, Any]) -> Iterator[Simulator]:
    """Simulated cameras in a process of their own, as a site file describes them."""
    site = folder / "site.json"
    site.write_text(json.dumps(cameras))
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", "--site", str(site), "--json"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin and process.stdout
    line = process.stdout.readline()
    assert line, "the simulator did not start"
    yield Simulator(json.loads(line))
    process.stdin.close()
    process.stdout.close()
    process.wait(20)


@pytest.fixture(scope="session")
def _simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with simulate(tmp_path_factory.mktemp("simulator"), _SITE) as simulator:
        yield simulator


@pytest.fixture
def simulator(_simulator: Simulator) -> Iterator[Simulator]:
    """Three cameras: Gate and Yard with H.264, Lobby with H.265. Faults end with the test."""
    yield _simulator
    _simulator.mend()


@pytest.fixture(autouse=True)
def _custom_integrations(recorder_db_url: str, enable_custom_integrations: None) -> None:
    """Ours is found."""


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """A configuration folder of its own for every test: the engine is one per folder."""
    (tmp_path / "media").mkdir()
    return str(tmp_path)


@pytest.fixture
async def home(hass: HomeAssistant, hass_config_dir: str) -> AsyncIterator[HomeAssistant]:
    """Home Assistant with what we depend on; whatever engine it started is gone afterwards."""
    hass.config.media_dirs = {"local": str(Path(hass_config_dir) / "media")}
    for component in ("http", "blueprint", "frontend", "lovelace", "media_source", "repairs", "stream"):
        assert await async_setup_component(hass, component, {})
    await hass.async_block_till_done()
    yield hass
    for entry in hass.config_entries.async_entries(DOMAIN):
        await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    end_engines(hass_config_dir)


@pytest.fixture
def make_facility(home: HomeAssistant, tmp_path: Path) -> Callable[..., MockConfigEntry]:
    """Build a facility's entry with these cameras; not set up yet."""

    def make(name: str, cameras: dict[str, SimulatedCamera], **more: Any) -> MockConfigEntry:
        archive = tmp_path / "archive"
        entry = MockConfigEntry(
            domain=DOMAIN,
            title=name,
            data={
                "archive": str(archive),
                "archive_id": claim(str(archive)),
                "days_to_keep": 7,
                "username": "",
                "password": "",
            },
            subentries_data=[
                ConfigSubentryData(
                    data=camera_data(camera, **more), subentry_type="camera", title=title, unique_id=uuid.uuid4().hex
                )
                for title, camera in cameras.items()
            ],
        )
        entry.add_to_hass(home)
        return entry

    return make


@pytest.fixture
async def past(
    home: HomeAssistant, simulator: Simulator, make_facility: Callable[..., MockConfigEntry]
) -> MockConfigEntry:
    """A facility in Viet Nam on a hub whose clock shows Pacific time, with footage of days ago. It records no more."""
    cameras = {title: simulator.cameras[title] for title in ("Gate", "Lobby")}
    entry = make_facility("Trạm 1", cameras, record=False)
    home.config_entries.async_update_entry(entry, data={**entry.data, "time_zone": str(SAIGON)})

    def put() -> None:
        put_footage(entry, "Gate", (at(14, 0), at(14, 5)), (at(14, 12), at(14, 20)), (at(23, 55), at(24, 5)))
        put_footage(entry, "Gate", (at(9, 0, days=-3), at(9, 5, days=-3)))
        put_footage(entry, "Lobby", (at(14, 0), at(14, 3)), codec="h265")

    await home.async_add_executor_job(put)
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    assert await hub_of(home).async_ready(20)
    return entry
