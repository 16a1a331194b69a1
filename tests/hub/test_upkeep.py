"""Repairs, diagnostics, system health and the dashboard."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.template import Template
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry, get_system_health_info
from pytest_homeassistant_custom_component.components.diagnostics import get_diagnostics_for_config_entry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator
import yarl

from custom_components.facility_cameras.const import DOMAIN
from tests.hub.stage import Simulator, camera_id, entity_id, hub_of, state, until, until_online

type Make = Callable[..., MockConfigEntry]


async def set_up(home: HomeAssistant, entry: MockConfigEntry, *titles: str) -> None:
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, *titles)


async def test_a_wrong_password_leads_to_the_cameras_flow(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_client: ClientSessionGenerator
) -> None:
    gate = simulator.cameras["Gate"]
    entry = make_facility("Trạm 1", {"Gate": gate}, password="wrong")
    assert await async_setup_component(home, DOMAIN, {})
    client = await hass_client()
    key = camera_id(entry, "Gate")
    issue = await until(lambda: ir.async_get(home).async_get_issue(DOMAIN, f"password_{key}"), what="people are asked")
    assert issue.is_fixable
    assert issue.translation_placeholders == {"camera": "Gate", "facility": "Trạm 1"}
    answer = await client.post("/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": f"password_{key}"})
    flow = await answer.json()
    assert flow.get("step_id") == "confirm", flow
    answer = await client.post(f"/api/repairs/issues/fix/{flow['flow_id']}", json={})
    done = await answer.json()
    assert done["next_flow"][0] == "config_subentries_flow"
    (camera_flow,) = home.config_entries.subentries.async_progress()
    assert camera_flow["flow_id"] == done["next_flow"][1]
    manager = home.config_entries.subentries
    await manager.async_configure(camera_flow["flow_id"], {"next_step_id": "connection"})
    await manager.async_configure(camera_flow["flow_id"], {"address": gate.url, **gate.login})
    await manager.async_configure(camera_flow["flow_id"], {"name": "Gate", "zone": "gate", "audio": False})
    await home.async_block_till_done()
    await until_online(home, entry, "Gate")
    assert ir.async_get(home).async_get_issue(DOMAIN, f"password_{key}") is None


async def test_a_lost_archive_is_told(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, tmp_path: Path
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry, "Gate")
    coordinator = hub_of(home).coordinators[entry.entry_id]
    await until(lambda: coordinator.facility, what="figures of the disk")
    assert coordinator.facility is not None
    for volume, key in (("low", "disk_nearly_full"), ("missing", "archive_missing")):
        coordinator.async_take_facility({**coordinator.facility, "volume": volume})
        issue = ir.async_get(home).async_get_issue(DOMAIN, f"archive_{entry.entry_id}")
        assert issue is not None
        assert issue.translation_key == key
    coordinator.async_take_facility({**coordinator.facility, "volume": "ok"})
    assert ir.async_get(home).async_get_issue(DOMAIN, f"archive_{entry.entry_id}") is None


async def test_diagnostics_hold_no_secret(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_client: ClientSessionGenerator
) -> None:
    gate = simulator.cameras["Gate"]
    entry = make_facility(
        "Trạm 1", {"Gate": gate}, device={"serial": "SERIAL-1", "mac": "02:00:00:00:00:01", "maker": "Simulated"}
    )
    assert await async_setup_component(home, "diagnostics", {})
    await set_up(home, entry, "Gate")
    told = await get_diagnostics_for_config_entry(home, hass_client, entry)
    text = json.dumps(told)
    secret = str(yarl.URL(hub_of(home).restream_url("camera") or "").password)
    for hidden in (gate.login["password"], secret, "127.0.0.1", "SERIAL-1", "02:00:00:00:00:01"):
        assert hidden not in text
    cameras: Any = told["cameras"]
    assert cameras[0]["config"]["device"]["maker"] == "Simulated"
    assert cameras[0]["state"]["status"] == "online"
    assert cameras[0]["config"]["url"] == "rtsp://**REDACTED**/main"


async def test_system_health(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    assert await async_setup_component(home, "system_health", {})
    await set_up(home, make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]}), "Gate")
    told = await get_system_health_info(home, DOMAIN)
    assert told["engine"] == "running"
    assert (told["facilities"], told["cameras"], told["cameras_online"], told["cameras_recording"]) == (1, 1, 1, 1)


async def test_dashboard_builds_itself(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_ws_client: WebSocketGenerator
) -> None:
    name = "Trạm {{ 7 * 7 }}"
    entry = make_facility(name, {"Gate": simulator.cameras["Gate"], "Lobby": simulator.cameras["Lobby"]})
    assert await async_setup_component(home, DOMAIN, {})
    await home.async_block_till_done()
    websocket = await hass_ws_client()
    await until_online(home, entry, "Gate", "Lobby")

    async def ask(kind: str, **more: str) -> Any:
        await websocket.send_json_auto_id({"type": kind, **more})
        return (await websocket.receive_json())["result"]

    assert (await ask("get_panels"))["facility-cameras"]["title"] == "Cameras"
    (view,) = (await ask("lovelace/config", url_path="facility-cameras"))["views"]
    (section,) = view["sections"]
    heading, summary, gaps, *cards = section["cards"]
    assert heading["heading"] == name
    template = Template(summary["content"], home)
    # Figures follow as they become known.
    await until(lambda: template.async_render().endswith(" GB free"), what="figures on the dashboard")
    assert template.async_render().startswith("2 of 2 cameras online · ")
    assert "last_gap" in json.dumps(gaps)
    assert len(cards) == 2
    gate, lobby = camera_id(entry, "Gate"), camera_id(entry, "Lobby")
    text = json.dumps(view)
    for key in (gate, lobby):
        for domain, what in (("camera", "camera"), ("sensor", "status"), ("switch", "recording")):
            assert entity_id(home, domain, key, what) in text
    assert "H.265" in json.dumps(cards[1])
    assert "H.265" not in json.dumps(cards[0])

    simulator.fault("Gate", "gone")
    await until(lambda: state(home, "binary_sensor", gate, "connectivity") == "off", what="offline")
    (view,) = (await ask("lovelace/config", url_path="facility-cameras"))["views"]
    first, second = view["sections"]
    assert first["cards"][0]["heading"] == "Not connected: 1"
    told = Template(first["cards"][1]["cards"][0]["content"], home).async_render()
    assert "**Gate**" in told
    assert "Trạm 49" not in told, "a name is no template"
    assert len(second["cards"]) == 4

    await home.config.async_update(language="vi")
    await home.async_block_till_done()
    assert (await ask("get_panels"))["facility-cameras"]["title"] == "Camera cơ sở"
    (view,) = (await ask("lovelace/config", url_path="facility-cameras"))["views"]
    assert view["sections"][0]["cards"][0]["heading"] == "Mất kết nối: 1"
    await home.config_entries.async_unload(entry.entry_id)
    assert "facility-cameras" not in await ask("get_panels")
