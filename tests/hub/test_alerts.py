"""An outage is told once, with what people need to know; the blueprint is there and stays as its user left it."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from homeassistant.components.automation.const import DOMAIN as AUTOMATION
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed, async_mock_service

from custom_components.facility_cameras import blueprint_install
from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.outages import Outages
from tests.hub.stage import SimulatedCamera, Simulator, add_camera, camera_id, hub_of, state, until, until_online

type Make = Callable[..., MockConfigEntry]
OURS = Path(blueprint_install.__file__).parent / "blueprints"
BLUEPRINT = "facility_cameras/camera_offline.yaml"


def test_the_copy_that_hacs_brings_is_the_same() -> None:
    top = Path(__file__).parent.parent.parent / "blueprints"
    names = sorted(path.relative_to(OURS) for path in OURS.rglob("*.yaml"))
    assert names == sorted(path.relative_to(top) for path in top.rglob("*.yaml"))
    for name in names:
        assert (OURS / name).read_bytes() == (top / name).read_bytes()


async def test_installed_once_and_never_over_a_users_edits(home: HomeAssistant, hass_config_dir: str) -> None:
    assert await async_setup_component(home, DOMAIN, {})
    path = Path(hass_config_dir) / "blueprints" / "automation" / BLUEPRINT
    shipped = path.read_text()
    assert shipped == (OURS / "automation" / BLUEPRINT).read_text()

    path.write_text(shipped + "# mine\n")
    await blueprint_install.async_install(home)
    assert path.read_text().endswith("# mine\n")

    path.unlink()
    await blueprint_install.async_install(home)
    assert not path.exists(), "what was removed stays away"


async def test_an_older_one_of_ours_is_renewed(
    home: HomeAssistant, hass_config_dir: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = tmp_path / "older"
    source = older / "automation" / BLUEPRINT
    source.parent.mkdir(parents=True)
    source.write_text("older")
    monkeypatch.setattr(blueprint_install, "_OURS", older)
    await blueprint_install.async_install(home)
    monkeypatch.undo()
    await blueprint_install.async_install(home)
    path = Path(hass_config_dir) / "blueprints" / "automation" / BLUEPRINT
    assert path.read_text() == (OURS / "automation" / BLUEPRINT).read_text()


async def automate(home: HomeAssistant, **inputs: Any) -> None:
    config = {"use_blueprint": {"path": BLUEPRINT, "input": inputs}, "alias": "Alert", "id": "alert"}
    assert await async_setup_component(home, AUTOMATION, {AUTOMATION: [config]})
    await home.async_block_till_done()
    assert home.states.get("automation.alert") is not None


@pytest.fixture
def told(home: HomeAssistant) -> list[ServiceCall]:
    """What the automation's own action was called with."""
    calls: list[ServiceCall] = async_mock_service(home, "test", "told")
    return calls


def _is_jpeg(path: str) -> bool:
    return Path(path).read_bytes()[:2] == b"\xff\xd8"


OWN = [
    {
        "action": "test.told",
        "data": {
            "title": "{{ title }}",
            "message": "{{ message }}",
            "change": "{{ change }}",
            "picture": "{{ picture }}",
        },
    }
]


async def test_told_once_and_back_once(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, told: list[ServiceCall]
) -> None:
    entry = make_facility("Trạm 1", {"Cổng": simulator.cameras["Gate"], "Sân": simulator.cameras["Yard"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Cổng", "Sân")
    facility = dr.async_get(home).async_get_device_by_identifier((DOMAIN, entry.entry_id), entry.entry_id)
    assert facility is not None
    await automate(home, devices=[facility.id], grace=2, actions=OWN)
    gate = camera_id(entry, "Cổng")

    simulator.fault("Gate", "gone")
    await until(lambda: state(home, "binary_sensor", gate, "connectivity") == "off", what="offline")
    await home.async_block_till_done()
    assert not told, "not before the grace is over"
    began = hub_of(home).outages.began(gate)
    assert began is not None
    hub_of(home).outages._began[gate] = began - 120
    hub_of(home).coordinators[entry.entry_id].async_tell(gate)
    await until(lambda: told, what="told")
    hub_of(home).coordinators[entry.entry_id].async_tell(gate)
    await home.async_block_till_done()
    assert len(told) == 1
    data = told[0].data
    assert data["change"] == "offline"
    assert data["title"] == "Cổng is offline"
    assert "Trạm 1" in data["message"]
    assert "127.0.0.1" in data["message"]
    assert _is_jpeg(data["picture"])

    # Home Assistant's automations begin anew: what was told is not told again, what ends is.
    await home.services.async_call(AUTOMATION, "turn_off", {"entity_id": "automation.alert"}, blocking=True)
    hub_of(home).outages._started -= 1000
    await home.services.async_call(AUTOMATION, "turn_on", {"entity_id": "automation.alert"}, blocking=True)
    hub_of(home).coordinators[entry.entry_id].async_tell(gate)
    await home.async_block_till_done()
    assert len(told) == 1
    simulator.mend()
    await until(lambda: len(told) == 2, what="told that it is back", timeout=30)
    assert told[1].data["change"] == "back"


async def test_telegram_gets_names_as_they_are(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    """Half of a pair of Markdown signs makes Telegram refuse the whole message."""
    texts = async_mock_service(home, "telegram_bot", "send_message")
    photos = async_mock_service(home, "telegram_bot", "send_photo")
    entry = make_facility("Trạm*", {"Cam_1": simulator.cameras["Gate"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Cam_1")
    closed = SimulatedCamera({**simulator.cameras["Yard"].about, "rtsp_port": 1})
    add_camera(home, entry, "Never_there", closed)
    await automate(home, grace=0, telegram=["notify.chat"])
    simulator.fault("Gate", "gone")
    (text,) = await until(lambda: texts, what="told without a picture")
    (photo,) = await until(lambda: photos, what="told with a picture", timeout=30)
    for call, message in ((text, text.data["message"]), (photo, photo.data["caption"])):
        assert call.data["entity_id"] == ["notify.chat"]
        assert call.data["parse_mode"] == "plain_text"
        assert "_" in message
        assert "Trạm*" in message
    assert _is_jpeg(photo.data["file"])


async def test_an_automation_from_before_the_first_facility(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, told: list[ServiceCall], hass_config_dir: str
) -> None:
    path = Path(hass_config_dir) / "blueprints" / "automation" / BLUEPRINT
    path.parent.mkdir(parents=True)
    path.write_bytes((OURS / "automation" / BLUEPRINT).read_bytes())
    await automate(home, grace=0, actions=OWN)
    assert DOMAIN not in home.config.components
    entry = make_facility("Trạm 1", {"Cổng": simulator.cameras["Gate"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Cổng")
    simulator.fault("Gate", "gone")
    await until(lambda: told, what="told", timeout=30)


async def until_offline(home: HomeAssistant, key: str) -> None:
    await until(lambda: state(home, "binary_sensor", key, "connectivity") == "off", what="offline")


async def test_a_facility_that_was_removed_tells_nothing(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, told: list[ServiceCall]
) -> None:
    entries = [make_facility(name, {name: simulator.cameras[name]}) for name in ("Gate", "Yard")]
    assert await home.config_entries.async_setup(entries[0].entry_id)
    await home.async_block_till_done()
    for entry in entries:
        await until_online(home, entry, entry.title)
    await automate(home, grace=1, actions=OWN)
    for entry in entries:
        simulator.fault(entry.title, "gone")
        await until_offline(home, camera_id(entry, entry.title))
    await home.config_entries.async_remove(entries[0].entry_id)
    await home.config_entries.async_reload(entries[1].entry_id)
    await until_offline(home, camera_id(entries[1], "Yard"))
    outages = hub_of(home).outages
    outages._began = {key: began - 60 for key, began in outages._began.items()}
    async_fire_time_changed(home, dt_util.utcnow() + timedelta(minutes=2))
    await until(lambda: told, what="told of the one that is left")
    await home.async_block_till_done()
    assert [call.data["title"] for call in told] == ["Yard is offline"]


async def test_short_outages_are_not_told(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, told: list[ServiceCall]
) -> None:
    entry = make_facility("Trạm 1", {"Cổng": simulator.cameras["Gate"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Cổng")
    await automate(home, grace=5, actions=OWN)
    simulator.fault("Gate", "gone")
    gate = camera_id(entry, "Cổng")
    await until(lambda: state(home, "binary_sensor", gate, "connectivity") == "off", what="offline")
    simulator.mend()
    await until_online(home, entry, "Cổng")
    async_fire_time_changed(home, dt_util.utcnow() + timedelta(minutes=10))
    await home.async_block_till_done()
    assert not told


async def test_outages_are_remembered_over_a_restart(home: HomeAssistant, hass_storage: dict[str, Any]) -> None:
    assert await async_setup_component(home, DOMAIN, {})
    outages = hub_of(home).outages
    outages._began["camera"] = 1000.0
    await outages.async_stop()
    again = Outages(home)
    await again.async_load()
    assert again.began("camera") == 1000.0
    assert dt_util.utcnow().timestamp() - again.covered() < 60
