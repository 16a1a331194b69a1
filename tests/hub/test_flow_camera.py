"""A camera is tried before it is saved, told what is wrong in its own words, shown, and never saved twice."""

import asyncio
from collections.abc import Callable
import html
import json
from pathlib import Path
import re
import socket
from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.facility_cameras import wording
from custom_components.facility_cameras.const import DOMAIN
from tests.hub.conftest import simulate
from tests.hub.stage import SimulatedCamera, Simulator, camera_id, state, until, until_online

ENGLISH = Path(wording.__file__).parent / "translations" / "en.json"

MAIN = {"name": "main", "path": "main", "video": {"width": 320, "height": 180, "fps": 5, "gop": 5, "kbps": 100}}

type Make = Callable[..., MockConfigEntry]


@pytest.fixture
async def facility(home: HomeAssistant, make_facility: Make) -> MockConfigEntry:
    """A facility without cameras, running."""
    entry = make_facility("Trạm 1", {})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    return entry


async def begin(home: HomeAssistant, entry: MockConfigEntry, **given: str) -> Any:
    flow = await home.config_entries.subentries.async_init((entry.entry_id, "camera"), context={"source": SOURCE_USER})
    assert flow["step_id"] == "user"
    return await home.config_entries.subentries.async_configure(flow["flow_id"], given)


async def confirm(home: HomeAssistant, flow: Any, name: str = "Cổng chính") -> Any:
    assert flow["type"] is FlowResultType.FORM, flow
    assert flow["step_id"] == "confirm", flow.get("errors")
    return await home.config_entries.subentries.async_configure(
        flow["flow_id"], {"name": name, "zone": "gate", "audio": False}
    )


async def test_an_rtsp_address_with_a_log_in_inside(
    home: HomeAssistant,
    facility: MockConfigEntry,
    simulator: Simulator,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    gate = simulator.cameras["Gate"]
    client = await hass_client_no_auth()
    address = gate.url.replace("rtsp://", f"rtsp://{gate.login['username']}:{gate.login['password']}@")
    flow = await begin(home, facility, address=address)
    told = flow["description_placeholders"]
    assert told["codec"] == "H.264"
    assert told["size"] == "640 × 360"
    assert gate.login["password"] not in str(told)
    picture = re.search(r"\((/api/facility_cameras/picture/.+)\)", told["picture"])
    assert picture, "what the camera sees is shown"
    answer = await client.get(picture.group(1))
    assert answer.status == 200
    assert (await answer.read())[:2] == b"\xff\xd8"
    assert (await client.get("/api/facility_cameras/picture/guessed.jpg")).status == 404

    result = await confirm(home, flow)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await home.async_block_till_done()
    camera = facility.subentries[camera_id(facility, "Cổng chính")]
    assert camera.data["url"] == gate.url
    assert camera.data["password"] == gate.login["password"]
    await until_online(home, facility, "Cổng chính")
    assert home.states.get("camera.cong_chinh") is not None


async def test_the_facilitys_log_in_is_used_and_not_copied(
    home: HomeAssistant, facility: MockConfigEntry, simulator: Simulator
) -> None:
    gate = simulator.cameras["Gate"]
    home.config_entries.async_update_entry(facility, data={**facility.data, **gate.login})
    result = await confirm(home, await begin(home, facility, address=gate.url))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert "password" not in facility.subentries[camera_id(facility, "Cổng chính")].data


def closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _wrong_password(camera: SimulatedCamera) -> dict[str, str]:
    return {"address": camera.url, "username": "admin", "password": "wrong"}


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (lambda camera: {"address": f"rtsp://127.0.0.1:{closed_port()}/main"}, "cause_connection_refused"),
        (lambda camera: {"address": "rtsp://no-such-camera.invalid/main"}, "cause_name_not_found"),
        (_wrong_password, "cause_password_wrong"),
        (lambda camera: {"address": camera.url}, "cause_password_missing"),
        (lambda camera: {"address": camera.url.replace("/main", "/nowhere"), **camera.login}, "cause_path_not_found"),
        (lambda camera: {"address": "rtsp://"}, "address_invalid"),
        (lambda camera: {"address": "rtsp://127.0.0.1:99999/main"}, "address_invalid"),
        (lambda camera: {"address": "ftp://127.0.0.1/main"}, "address_invalid"),
        (lambda camera: {"address": f"127.0.0.1:{closed_port()}", **camera.login}, "onvif_connection_refused"),
    ],
)
async def test_each_mistake_has_its_own_sentence(
    home: HomeAssistant,
    facility: MockConfigEntry,
    simulator: Simulator,
    given: Callable[[SimulatedCamera], dict[str, str]],
    error: str,
) -> None:
    flow = await begin(home, facility, **given(simulator.cameras["Gate"]))
    assert flow["type"] is FlowResultType.FORM
    assert flow["errors"] == {"base": error}
    sentence = json.loads(ENGLISH.read_text())["config_subentries"]["camera"]["error"][error]
    told: Any = flow["description_placeholders"]
    assert all(told[name] for name in re.findall(r"{(\w+)}", sentence)), "nothing in it stays empty"
    # Corrected in the same form, it goes on.
    gate = simulator.cameras["Gate"]
    flow = await home.config_entries.subentries.async_configure(flow["flow_id"], {"address": gate.url, **gate.login})
    assert flow["step_id"] == "confirm"


async def test_a_busy_camera_says_so(home: HomeAssistant, facility: MockConfigEntry, simulator: Simulator) -> None:
    gate = simulator.cameras["Gate"]
    simulator.fault("Gate", "busy")
    flow = await begin(home, facility, address=gate.url, **gate.login)
    assert flow["errors"] == {"base": "cause_camera_busy"}
    assert flow["description_placeholders"]["status"] == "453"


async def test_a_codec_that_is_not_recorded_is_named(home: HomeAssistant, facility: MockConfigEntry) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in (1, 2):
            await reader.readuntil(b"\r\n\r\n")
            body = b"m=video 0 RTP/AVP 96\r\na=rtpmap:96 JPEG/90000\r\n"
            head = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
        await reader.read()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        flow = await begin(home, facility, address=f"rtsp://127.0.0.1:{server.sockets[0].getsockname()[1]}/main")
    assert flow["errors"] == {"base": "cause_codec_unsupported"}
    assert flow["description_placeholders"]["host"] == "127.0.0.1"
    assert flow["description_placeholders"]["codec"] == "JPEG"


async def test_what_a_camera_says_of_itself_is_text_and_nothing_else(
    home: HomeAssistant, facility: MockConfigEntry, tmp_path: Path
) -> None:
    model = "![](http://127.0.0.1/x) <b>{{ 1 }}"
    camera = {"name": "Evil", "http_port": 0, "model": model, "maker": "[a](http://b)", "streams": [MAIN]}
    with simulate(tmp_path, {"cameras": [camera]}) as simulator:
        evil = simulator.cameras["Evil"]
        flow = await begin(home, facility, address=evil.onvif, **evil.login)
    told: Any = flow["description_placeholders"]
    for name in ("maker", "model", "serial", "mac", "name"):
        assert not set("![](){}<>*_`:/") & set(told[name])
    assert html.unescape(told["model"]) == model


async def test_a_service_that_is_no_camera(
    home: HomeAssistant, facility: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator
) -> None:
    client = await hass_client_no_auth()
    flow = await begin(home, facility, address=f"rtsp://127.0.0.1:{client.server.port}/main")
    assert flow["errors"]["base"] in ("cause_not_rtsp", "cause_bad_answer", "cause_camera_error")


async def test_nothing_is_saved_twice(home: HomeAssistant, make_facility: Make, simulator: Simulator) -> None:
    gate = simulator.cameras["Gate"]
    first = make_facility("Trạm 1", {"Cổng": gate})
    second = make_facility("Trạm 2", {})
    assert await home.config_entries.async_setup(first.entry_id)
    await home.async_block_till_done()
    flow = await begin(home, second, address=gate.url, **gate.login)
    assert flow["errors"] == {"base": "camera_known"}
    assert flow["description_placeholders"]["camera"] == "Cổng"
    assert flow["description_placeholders"]["facility"] == "Trạm 1"


async def change(home: HomeAssistant, entry: MockConfigEntry, camera: str, step: str) -> Any:
    flow = await home.config_entries.subentries.async_init(
        (entry.entry_id, "camera"), context={"source": SOURCE_RECONFIGURE, "subentry_id": camera}
    )
    assert flow["type"] is FlowResultType.MENU
    return await home.config_entries.subentries.async_configure(flow["flow_id"], {"next_step_id": step})


async def test_settings_change_without_asking_the_camera(
    home: HomeAssistant, make_facility: Make, simulator: Simulator
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Gate")
    gate = camera_id(entry, "Gate")
    flow = await change(home, entry, gate, "settings")
    for name, error in (("x" * 61, "name_long"), (" ", "name_missing")):
        given = {"name": name, "zone": "yard", "audio": False}
        flow = await home.config_entries.subentries.async_configure(flow["flow_id"], given)
        assert flow["errors"] == {"name": error}
    result = await home.config_entries.subentries.async_configure(
        flow["flow_id"], {"name": "Cổng sau", "zone": "yard", "audio": False}
    )
    assert result["type"] is FlowResultType.ABORT
    await home.async_block_till_done()
    shown = home.states.get(home.states.async_entity_ids("binary_sensor")[0])
    assert shown is not None
    assert shown.attributes["zone"] == "Yard"
    assert shown.attributes["friendly_name"].startswith("Cổng sau")
    assert state(home, "sensor", gate, "reconnects") == "0"
    assert simulator.about("Gate")["sessions"] == 1


async def test_a_changed_password_is_given_and_an_empty_one_kept(
    home: HomeAssistant, make_facility: Make, simulator: Simulator
) -> None:
    gate = simulator.cameras["Gate"]
    entry = make_facility("Trạm 1", {"Gate": gate})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Gate")
    key = camera_id(entry, "Gate")
    simulator.fault("Gate", "password", password="N3w pass:/@")
    simulator.fault("Gate", "cut")
    await until(lambda: state(home, "sensor", key, "status") == "unauthorised", what="refused", timeout=40)

    flow = await change(home, entry, key, "connection")
    flow = await home.config_entries.subentries.async_configure(
        flow["flow_id"], {"address": gate.url, "username": gate.login["username"]}
    )
    assert flow["errors"] == {"base": "cause_password_wrong"}, "the one that is stored was tried"
    flow = await home.config_entries.subentries.async_configure(
        flow["flow_id"], {"address": gate.url, "username": gate.login["username"], "password": "N3w pass:/@"}
    )
    result = await confirm(home, flow, "Gate")
    assert result["type"] is FlowResultType.ABORT
    await home.async_block_till_done()
    assert entry.subentries[key].data["password"] == "N3w pass:/@"
    await until_online(home, entry, "Gate")


async def test_through_onvif(home: HomeAssistant, facility: MockConfigEntry, simulator: Simulator) -> None:
    gate = simulator.cameras["Gate"]
    flow = await begin(home, facility, address=gate.onvif, **gate.login)
    assert flow["step_id"] == "profile"
    told: Any = flow["description_placeholders"]
    assert told["maker"] == gate.about["maker"]
    assert told["serial"] == gate.about["serial"]
    (field,) = flow["data_schema"].schema
    flow = await home.config_entries.subentries.async_configure(flow["flow_id"], {"profile": field.default()})
    told = flow["description_placeholders"]
    assert told["size"] == "640 × 360", "the largest was chosen already"
    assert (await confirm(home, flow))["type"] is FlowResultType.CREATE_ENTRY
    await home.async_block_till_done()
    key = camera_id(facility, "Cổng chính")
    device = dr.async_get(home).async_get_device_by_identifier((DOMAIN, key), facility.entry_id)
    assert device is not None
    assert device.manufacturer == gate.about["maker"]
    assert device.serial_number == gate.about["serial"]
    assert (dr.CONNECTION_NETWORK_MAC, gate.about["mac"].lower()) in device.connections
    await until_online(home, facility, "Cổng chính")

    # The same camera again, by its other stream.
    flow = await begin(home, facility, address=gate.onvif, **gate.login)
    sub = next(option["value"] for option in profile_options(flow) if option["label"].startswith("sub"))
    flow = await home.config_entries.subentries.async_configure(flow["flow_id"], {"profile": sub})
    assert flow["errors"] == {"base": "camera_known"}

    # Its address is offered again when it is changed.
    flow = await change(home, facility, key, "connection")
    (address, *_) = flow["data_schema"].schema
    assert address.description["suggested_value"] == gate.onvif


def profile_options(flow: Any) -> list[dict[str, str]]:
    (selector,) = flow["data_schema"].schema.values()
    options: list[dict[str, str]] = selector.config["options"]
    return options


async def test_onvif_says_what_is_wrong(home: HomeAssistant, facility: MockConfigEntry, simulator: Simulator) -> None:
    yard = simulator.cameras["Yard"]
    flow = await begin(home, facility, address=yard.onvif, username="admin", password="wrong")
    assert flow["errors"] == {"base": "onvif_password_wrong"}
    assert flow["description_placeholders"]["user"] == "admin"
    assert "wrong" not in str(flow["description_placeholders"])
    flow = await home.config_entries.subentries.async_configure(flow["flow_id"], {"address": "no spaces here"})
    assert flow["errors"] == {"base": "onvif_address_invalid"}
