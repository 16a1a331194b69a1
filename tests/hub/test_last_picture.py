"""What a camera showed last: the image entity, and the picture for an alert. Both say when they are from."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
import io
from pathlib import Path
import re
from typing import Any

from homeassistant.components.image import async_get_image
from homeassistant.components.image.const import DATA_COMPONENT as IMAGES
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
from PIL import Image
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator

from custom_components.facility_cameras.const import DOMAIN
from tests.hub.stage import (
    SimulatedCamera,
    Simulator,
    camera_id,
    engines,
    entity_id,
    hub_of,
    state,
    until,
    until_awaited,
    until_online,
)
from tests.hub.test_dashboard import shown

type Make = Callable[..., MockConfigEntry]

WORDS = {"en": "not live", "vi": "không trực tiếp"}
NAMES = {"en": "Gate Last picture", "vi": "Gate Hình cuối cùng"}


async def set_up(home: HomeAssistant, entry: MockConfigEntry) -> str:
    """The facility with its camera Gate, which is online; returns the camera's id."""
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Gate")
    return camera_id(entry, "Gate")


async def go_away(home: HomeAssistant, simulator: Simulator, gate: str) -> None:
    """Have the camera go away, after it sent more than the picture with which it was first seen."""
    hub, known = hub_of(home), datetime.fromisoformat(str(state(home, "image", gate, "last_picture")))

    async def more() -> bool:
        still = await hub.client.still(gate, 64, None, "")
        return still is not None and dt_util.utc_from_timestamp(still.taken / 1e6) > known

    await until_awaited(more, what="another picture")
    simulator.fault("Gate", "gone")
    await until(lambda: state(home, "camera", gate, "camera") == "unavailable", what="Gate offline")
    await home.async_block_till_done()


async def kill_engine(home: HomeAssistant, config_dir: str, gate: str) -> None:
    """Kill it; returns once another one has looked for the camera."""
    (engine,) = engines(config_dir)
    engine.kill()

    def looked() -> bool:
        info, known = hub_of(home).info, hub_of(home).coordinators
        again = hub_of(home).connected and info is not None and info["pid"] != engine.pid
        states = [one.camera(gate) for one in known.values()]
        return again and all(one and one["status"] not in ("unknown", "online") for one in states)

    await until(looked, what="another engine has looked")


def banded(jpeg: bytes) -> bool:
    """Whether the lower edge is amber from side to side."""
    picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
    strip = [picture.getpixel((x, picture.height - 2)) for x in range(0, picture.width, 7)]
    return all(isinstance(one, tuple) and one[0] > 200 and one[2] < 90 for one in strip)


def rows(home: HomeAssistant, entity: str) -> list[str]:
    """Every state of an entity from now on, as the recorder would write them."""
    found: list[str] = []

    @callback
    def take(event: Event[EventStateChangedData]) -> None:
        if event.data["entity_id"] == entity and event.data["new_state"] is not None:
            found.append(event.data["new_state"].state)

    home.bus.async_listen("state_changed", take)
    return found


@pytest.mark.parametrize("language", ["en", "vi"])
async def test_it_is_what_was_seen_before_the_camera_went_away(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, language: str
) -> None:
    await home.config.async_update(language=language)
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    gate = await set_up(home, entry)
    image = entity_id(home, "image", gate, "last_picture")
    shown = home.states.get(image)
    assert shown is not None
    assert shown.name == NAMES[language]
    first = datetime.fromisoformat(shown.state)
    assert abs((dt_util.utcnow() - first).total_seconds()) < 60, "when the camera is first seen it has one"

    written = rows(home, image)
    await go_away(home, simulator, gate)
    assert len(written) == 1
    taken = datetime.fromisoformat(written[0])
    assert first < taken < dt_util.utcnow()
    picture = await async_get_image(home, image)
    assert picture.content_type == "image/jpeg"
    assert banded(picture.content)
    said = await hub_of(home).client.last_picture(gate, WORDS[language])
    assert said is not None
    assert said.jpeg == picture.content
    assert dt_util.utc_from_timestamp(said.taken / 1e6) == taken

    # Back, it is still that one: the state is its time.
    simulator.mend()
    await home.services.async_call(
        "button", "press", {"entity_id": entity_id(home, "button", gate, "retry")}, blocking=True
    )
    await until_online(home, entry, "Gate")
    assert len(written) == 1
    assert (await async_get_image(home, image)).content == picture.content


async def test_it_is_the_same_after_home_assistant_or_the_engine_was_restarted(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_config_dir: str
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    gate = await set_up(home, entry)
    await go_away(home, simulator, gate)
    image = entity_id(home, "image", gate, "last_picture")
    taken, picture = state(home, "image", gate, "last_picture"), (await async_get_image(home, image)).content
    assert await home.config_entries.async_reload(entry.entry_id)
    await home.async_block_till_done()
    assert state(home, "image", gate, "last_picture") == taken
    await kill_engine(home, hass_config_dir, gate)
    assert state(home, "image", gate, "last_picture") == taken
    assert (await async_get_image(home, image)).content == picture


async def test_without_the_engine_there_is_none(
    home: HomeAssistant,
    simulator: Simulator,
    make_facility: Make,
    hass_config_dir: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    gate = await set_up(home, entry)
    monkeypatch.setattr("custom_components.facility_cameras.engine_process._LAUNCHER", "/nowhere/launch.py")
    engines(hass_config_dir)[0].kill()
    await until(lambda: state(home, "image", gate, "last_picture") == "unavailable", what="unavailable")
    with pytest.raises(HomeAssistantError):
        await async_get_image(home, entity_id(home, "image", gate, "last_picture"))


async def test_an_hour_writes_nothing_of_it(
    home: HomeAssistant,
    simulator: Simulator,
    make_facility: Make,
    hass_client_no_auth: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Home Assistant changes the tokens of pictures every five minutes: each would be a row in the recorder."""
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    gate = await set_up(home, entry)
    image = entity_id(home, "image", gate, "last_picture")
    written = rows(home, image)
    shown, entity = home.states.get(image), home.data[IMAGES].get_entity(image)
    assert shown is not None
    assert entity is not None

    async def five_minutes() -> None:
        entity.async_update_token()
        entity.async_write_ha_state()
        await home.async_block_till_done()

    for _ in range(12):
        await five_minutes()
    assert written == []
    # The address that a dashboard shows is still the right one, and a wrong one is not.
    client = await hass_client_no_auth()
    address = shown.attributes["entity_picture"]
    assert (await client.get(address)).status == HTTPStatus.OK
    assert (await client.get(address[:-4] + "0000")).status == HTTPStatus.FORBIDDEN
    # Not for ever.
    monkeypatch.setattr("custom_components.facility_cameras.image._TOKEN_S", 0.0)
    await five_minutes()
    await five_minutes()
    assert (await client.get(address)).status == HTTPStatus.FORBIDDEN


async def snapshot(home: HomeAssistant, gate: str, **more: Any) -> tuple[dict[str, Any], bytes]:
    """The answer of the action, and the file."""
    target = entity_id(home, "binary_sensor", gate, "connectivity")
    answer = await home.services.async_call(
        DOMAIN, "snapshot", {"entity_id": target, **more}, blocking=True, return_response=True
    )
    assert answer is not None
    path = Path(str(answer["path"]))
    assert path.is_relative_to(home.config.media_dirs["local"])
    return dict(answer), await home.async_add_executor_job(path.read_bytes)


async def test_the_picture_for_an_alert(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    """Live it is as it is; of a camera that is away it is the last one, which says so."""
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    gate = await set_up(home, entry)
    answer, jpeg = await snapshot(home, gate)
    assert answer["live"] is True
    assert abs((datetime.fromisoformat(str(answer["taken"])) - dt_util.utcnow()).total_seconds()) < 15
    assert not banded(jpeg)
    await go_away(home, simulator, gate)
    answer, jpeg = await snapshot(home, gate, width=320)
    assert answer["live"] is False
    assert answer["taken"] == state(home, "image", gate, "last_picture")
    assert banded(jpeg)
    assert Image.open(io.BytesIO(jpeg)).width == 320


async def test_the_picture_for_an_alert_after_the_engine_was_killed(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_config_dir: str
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    gate = await set_up(home, entry)
    await go_away(home, simulator, gate)
    taken = state(home, "image", gate, "last_picture")
    # It is kept some moments after the camera went away; whoever asks waits for that.
    await async_get_image(home, entity_id(home, "image", gate, "last_picture"))
    await kill_engine(home, hass_config_dir, gate)
    answer, jpeg = await snapshot(home, gate, width=320)
    assert (answer["live"], answer["taken"]) == (False, taken)
    assert banded(jpeg)


async def test_the_dashboard_shows_it_of_a_camera_that_is_away(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_ws_client: WebSocketGenerator
) -> None:
    """Of one that is online, and of one that was never seen, it shows none."""
    never = SimulatedCamera({**simulator.cameras["Yard"].about, "rtsp_port": 1})
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"], "Never": never})
    gate = await set_up(home, entry)
    client = await hass_ws_client()

    async def pictures() -> set[str]:
        found = re.findall(r"'type': 'picture-entity', 'entity': '([^']*)'", str(await shown(client)))
        return set(found)

    camera, image = (
        entity_id(home, kind, gate, key) for kind, key in (("camera", "camera"), ("image", "last_picture"))
    )
    assert await pictures() == {camera}
    await go_away(home, simulator, gate)
    assert await pictures() == {image}
