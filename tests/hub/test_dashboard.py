"""The dashboard whatever there is to show: nothing, much, and names that mean something to a template or to Markdown."""

from collections.abc import Callable, Iterator
from datetime import timedelta
import html
from pathlib import Path
import re
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.facility_cameras.volumes import MARKER
from tests.hub.stage import Simulator, camera_id, entity_id, state, until, until_online

type Make = Callable[..., MockConfigEntry]

STRANGE = [
    "{{ states | count }} {% raw %}",
    "<b onclick=\"x\">'quoted'</b> & &amp; &#123;",
    "![](http://127.0.0.1/x.png) [link](javascript:x)",
    "__Cam_1__ *x* `y` ~~z~~ # 1. - |",
    "Camera hành lang tầng 1 – cổng số 2, khu đón tiếp",
    "Rất dài" * 8,
    "\\ $(id) ${x} %s {0} {camera}",
]


async def shown(websocket: Any) -> dict[str, Any]:
    await websocket.send_json_auto_id({"type": "lovelace/config", "url_path": "facility-cameras"})
    (view,) = (await websocket.receive_json())["result"]["views"]
    assert isinstance(view, dict)
    return view


def markdown(card: Any) -> Iterator[str]:
    """The content of every Markdown card."""
    if isinstance(card, list):
        for one in card:
            yield from markdown(one)
    elif isinstance(card, dict):
        if card.get("type") == "markdown":
            yield card["content"]
        for value in card.values():
            yield from markdown(value)


async def test_without_cameras(home: HomeAssistant, make_facility: Make, hass_ws_client: WebSocketGenerator) -> None:
    entry = make_facility("{{ 1 }} *Trạm*", {})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    view = await shown(await hass_ws_client())
    (content,) = markdown(view)
    assert "{" not in content


async def test_sixty_cameras_with_strange_names(
    home: HomeAssistant, make_facility: Make, hass_ws_client: WebSocketGenerator
) -> None:
    entry = make_facility("{{ 1 }} *Trạm*", {})
    names = [f"{STRANGE[number % len(STRANGE)]} {number}" for number in range(60)]
    for number, name in enumerate(names):
        url = f"rtsp://127.0.0.1:1/user={number}_password={{{{ 1 }}}}"
        data = {"url": url, "audio": False, "record": True, "zone": "gate", "device": {}}
        camera = ConfigSubentry(data=MappingProxyType(data), subentry_type="camera", title=name, unique_id=str(number))
        home.config_entries.async_add_subentry(entry, camera)
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until(
        lambda: all(state(home, "sensor", camera_id(entry, name), "status") == "refused" for name in names),
        what="every camera was tried",
        timeout=60,
    )
    contents = [text for text in markdown(await shown(await hass_ws_client())) if text.startswith("**")]
    assert len(contents) == len(names)
    for content in contents:
        assert not re.search(r"[<>`\[\]]", re.sub(r"{{.*?}}", "", content)), content
        assert len(re.findall(r"{{|{%", content)) == 1, "only our own template"
    rendered = [html.unescape(str(Template(content, home).async_render(parse_result=False))) for content in contents]
    for name in names:
        assert any(f"**{' '.join(name.split())}**" in text for text in rendered), name
    assert all("refuses connections" in text for text in rendered)


def rendered(home: HomeAssistant, content: str) -> str:
    return str(Template(content, home).async_render(parse_result=False))


async def test_footage_as_an_inspector_asks(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_ws_client: WebSocketGenerator
) -> None:
    entry = make_facility("Trạm 1", {name: simulator.cameras[name] for name in ("Gate", "Yard")})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Gate", "Yard")
    summary, gaps = list(markdown(await shown(await hass_ws_client())))[:2]
    sensors = {
        key: entity_id(home, "sensor", entry.entry_id, key)
        for key in ("completeness_today", "completeness_week", "oldest_footage", "days_possible", "free_space")
    }
    for sensor in sensors.values():
        home.states.async_set(sensor, "unknown")
    last = {name: entity_id(home, "sensor", camera_id(entry, name), "last_gap") for name in ("Gate", "Yard")}
    for sensor in last.values():
        home.states.async_set(sensor, "unknown")
    assert rendered(home, summary).split(" · ")[1:] == [], "what is not known is left out"
    assert not rendered(home, gaps).strip()

    today = dt_util.start_of_local_day()
    for key, value in (
        ("completeness_today", "98.6"),
        ("completeness_week", "99.1"),
        ("oldest_footage", (today - timedelta(days=9)).isoformat()),
        ("days_possible", "12.0"),
    ):
        unit = {"unit_of_measurement": "%"} if key.startswith("completeness") else None
        home.states.async_set(sensors[key], value, unit)
    assert rendered(home, summary).split(" · ")[1:] == [
        "recorded today: 98.6 %",
        "over 7 days: 99.1 %",
        f"oldest footage: {today - timedelta(days=9):%d/%m/%Y} 00:00",
        "room for 12 days",
    ]
    lasts = {"reason": "offline", "ended": None}
    home.states.async_set(last["Gate"], (today + timedelta(hours=1)).isoformat(), lasts)
    home.states.async_set(last["Yard"], (today - timedelta(hours=1)).isoformat(), lasts)
    text = rendered(home, gaps)
    assert "- Gate: from 01:00:00, Camera offline" in text
    assert "Yard" not in text, "a gap of yesterday's"
    home.states.async_set(
        last["Yard"], today.isoformat(), {"reason": "down", "ended": (today + timedelta(minutes=7)).isoformat()}
    )
    assert "- Yard: 00:00:00 – 00:07:00, Engine not running" in rendered(home, gaps)


async def test_a_disk_that_is_away_is_told_at_each_camera(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_ws_client: WebSocketGenerator
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Gate")
    websocket = await hass_ws_client()
    told = "**Not recorded now: Disk not available.**"
    assert told not in list(markdown(await shown(websocket)))
    await home.async_add_executor_job(Path(entry.data["archive"], MARKER).unlink)
    gate = camera_id(entry, "Gate")
    await until(lambda: state(home, "sensor", gate, "recording_state") == "volume", what="the disk is missed")
    assert told in list(markdown(await shown(websocket)))
