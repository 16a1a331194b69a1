"""The dashboard whatever there is to show: nothing, much, and names that mean something to a template or to Markdown."""

from collections.abc import Callable, Iterator
import html
import re
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from tests.hub.stage import camera_id, state, until

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
