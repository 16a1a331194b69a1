"""Promise I9: every password works everywhere, and after every fault nothing that people or programs see holds one.

Each password has letters and digits of its own at both ends: they stay as they are however a password is encoded, so
looking for them finds it raw, in percents, in JSON and in XML; Base64 is looked for besides.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Iterator
import json
import logging
from pathlib import Path
import socket
import stat
from typing import Any
from urllib.parse import quote

from homeassistant.components.camera.helper import get_camera_from_entity_id
from homeassistant.config_entries import SOURCE_RECONFIGURE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er, issue_registry as ir
from homeassistant.setup import async_setup_component
import psutil
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import get_diagnostics_for_config_entry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
import yarl

from custom_components.facility_cameras.engine_process import EnginePaths
from tests.hub.conftest import simulate
from tests.hub.stage import (
    SimulatedCamera,
    Simulator,
    camera_id,
    engines,
    entity_id,
    hub_of,
    state,
    until,
    until_online,
)

type Make = Callable[..., MockConfigEntry]

_SIGNS = [
    "/", "@", ":", "#", "%", "?", "&", " ", "ü", "₫", '"', "'", "\\", "<xml>", "%2F%41", "+=", "$(id)`|;", "{{ x }}",
    "://a@b/", "m" * 116,
]  # fmt: skip
PASSWORDS = [f"Zq{number:02}k{sign}Zq{number:02}k" for number, sign in enumerate(_SIGNS)]
#: A login inside the path (CAMERAS.md R30).
PATH_PASSWORD = "Zq97k-Zq97k"
PATH = f"user=admin_password={PATH_PASSWORD}_channel=1_stream=0.sdp"
#: Wrong ones, typed into flows.
TYPED = ["Zq98k/@:#%?& ü₫\"'\\Zq98k", "Zq99k-Zq99k"]
_VIDEO = {"codec": "h264", "width": 320, "height": 180, "fps": 5, "kbps": 100, "gop": 5, "seconds": 2}
_SCHEMES = (["md5"], ["basic"], ["sha-256"], ["basic", "md5", "sha-256"])


@pytest.fixture(scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    cameras: list[dict[str, Any]] = [
        {"name": f"C{number:02}", "password": password, "schemes": _SCHEMES[number % len(_SCHEMES)]}
        for number, password in enumerate(PASSWORDS)
    ]
    cameras.append({"name": "Path", "schemes": [], "streams": [{"name": "main", "path": PATH, "video": _VIDEO}]})
    defaults = {
        "http_port": 0, "scene": "one", "lock_after": 0, "streams": [{"name": "main", "path": "main", "video": _VIDEO}],
    }  # fmt: skip
    with simulate(tmp_path_factory.mktemp("secrets"), {"defaults": defaults, "cameras": cameras}) as simulator:
        yield simulator


@pytest.fixture
def site(_site: Simulator) -> Iterator[Simulator]:
    """A camera for each password, C00 and so on, and one with a login in its path. Faults end with the test."""
    yield _site
    _site.mend()


@pytest.fixture
async def all_logs(caplog: pytest.LogCaptureFixture) -> AsyncIterator[pytest.LogCaptureFixture]:
    """Everything that Home Assistant's process logs, down to the last detail."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def in_path(camera: SimulatedCamera) -> str:
    """The address of the camera that wants its login in the path."""
    return camera.url.replace("/main", f"/{PATH}")


def hidden(*passwords: str) -> set[bytes]:
    """What must not be found of passwords."""
    found = set()
    for password in passwords:
        found |= {password[:5].encode(), password[-5:].encode()}
        for text in (password, f"admin:{password}"):
            found.add(base64.b64encode(text.encode()).rstrip(b"=")[:-1])
            found.add(base64.urlsafe_b64encode(text.encode()).rstrip(b"=")[:-1])
    return found


ALL = hidden(*PASSWORDS, *TYPED, PATH_PASSWORD)


def assert_free(where: str, content: bytes | str, secrets: set[bytes]) -> None:
    """Fail with the place around the first secret found."""
    text = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    for secret in secrets:
        place = text.find(secret)
        assert place < 0, f"{where} holds {secret!r}: …{text[max(place - 200, 0) : place + 100]!r}…"


class Flows:
    """The flow of a camera as the frontend drives it; every answer is kept, to be searched."""

    def __init__(self, client: Any, entry: MockConfigEntry) -> None:
        self._client, self._entry = client, entry
        self.answers: list[tuple[str, str]] = []

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._client.post(f"/api/config/config_entries/subentries/flow{path}", json=body)
        text = await answer.text()
        self.answers.append((f"flow{path}", text))
        assert answer.status == 200, text
        result: dict[str, Any] = json.loads(text)
        return result

    async def add(self, **given: str) -> dict[str, Any]:
        """Begin, and give an address and a login."""
        flow = await self._post("", {"handler": [self._entry.entry_id, "camera"]})
        return await self._post(f"/{flow['flow_id']}", given)

    async def go_on(self, flow: dict[str, Any], **given: Any) -> dict[str, Any]:
        """Answer the next step."""
        return await self._post(f"/{flow['flow_id']}", given)

    async def profile(self, flow: dict[str, Any]) -> dict[str, Any]:
        """Take the profile that is preselected."""
        assert flow["step_id"] == "profile", flow
        return await self.go_on(flow, profile=flow["data_schema"][0]["default"])


async def begin(home: HomeAssistant, entry: MockConfigEntry, hass_client: ClientSessionGenerator) -> Flows:
    assert await async_setup_component(home, "config", {})
    assert await async_setup_component(home, "diagnostics", {})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    return Flows(await hass_client(), entry)


async def test_every_password_works_through_every_consumer(
    home: HomeAssistant, make_facility: Make, site: Simulator, hass_client: ClientSessionGenerator
) -> None:
    cameras = [site.cameras[f"C{number:02}"] for number in range(len(PASSWORDS))]
    entry = make_facility("Trạm", {})
    flows = await begin(home, entry, hass_client)
    turns = asyncio.Semaphore(5)

    async def try_all(number: int, camera: SimulatedCamera) -> None:
        login = camera.login
        encoded = f"admin:{quote(login['password'], safe='')}@"
        async with turns:
            for given in (
                {"address": camera.url, **login},
                {"address": camera.url.replace("://", f"://{encoded}")},
                {"address": camera.url.replace("://", f"://admin:{login['password']}@")},
            ):
                if given["address"].count("%2F%41Zq"):
                    continue  # such a password cannot be told from an encoded one
                flow = await flows.add(**given)
                assert flow.get("step_id") == "confirm", (number, flow)
            flow = await flows.profile(await flows.add(address=camera.onvif, **login))
            assert flow["step_id"] == "confirm", (number, flow)
            await flows.go_on(flow, name=f"Camera {number:02}", zone="gate", audio=False)
            await home.async_block_till_done()

    await asyncio.gather(*(try_all(number, camera) for number, camera in enumerate(cameras)))
    flow = await flows.add(address=in_path(site.cameras["Path"]))
    assert flow["description_placeholders"]["url"].endswith("user&#61;&#42;&#42;&#42;")
    await flows.go_on(flow, name="Path", zone="gate", audio=False)
    await home.async_block_till_done()
    names = [f"Camera {number:02}" for number in range(len(PASSWORDS))]
    await until_online(home, entry, *names, "Path")
    kept = {camera.title: camera.data for camera in entry.subentries.values()}
    assert [kept[name]["password"] for name in names] == PASSWORDS
    assert kept["Path"]["url"] == in_path(site.cameras["Path"]), "what is hidden is not lost"
    for where, text in flows.answers:
        assert_free(where, text, ALL)


async def test_what_is_not_shown_again_is_not_lost(
    home: HomeAssistant, make_facility: Make, site: Simulator, hass_client: ClientSessionGenerator
) -> None:
    entry = make_facility("Trạm", {})
    flows = await begin(home, entry, hass_client)
    address = in_path(site.cameras["Path"])
    flow: Any = await flows.add(address=address)
    await flows.go_on(flow, name="Path", zone="gate", audio=False)
    await home.async_block_till_done()
    camera = camera_id(entry, "Path")
    manager = home.config_entries.subentries

    # The login in its path: shown without it, left as it is, twice.
    site.fault("Path", "no_stream")
    flow = await manager.async_init(
        (entry.entry_id, "camera"), context={"source": SOURCE_RECONFIGURE, "subentry_id": camera}
    )
    flow = await manager.async_configure(flow["flow_id"], {"next_step_id": "connection"})
    shown = address.partition("admin")[0] + "***"
    assert _suggested(flow) == shown
    flow = await manager.async_configure(flow["flow_id"], {"address": shown})
    assert flow["errors"] == {"base": "cause_path_not_found"}
    assert _suggested(flow) == shown
    site.mend()
    flow = await manager.async_configure(flow["flow_id"], {"address": shown})
    assert flow["step_id"] == "confirm", flow
    await manager.async_configure(flow["flow_id"], {"name": "Path", "zone": "gate", "audio": False})
    assert entry.subentries[camera].data["url"] == address

    # A login that was pasted with a wrong path.
    gate = site.cameras["C00"]
    pasted = gate.url.replace("://", f"://admin:{gate.login['password']}@").replace("/main", "/nowhere")
    failed = await flows.add(address=pasted)
    assert failed["errors"] == {"base": "cause_path_not_found"}
    assert (await flows.go_on(failed, address=gate.url, username="admin"))["step_id"] == "confirm"


def _suggested(flow: Any) -> str:
    (address, *_) = flow["data_schema"].schema
    suggested: str = address.description["suggested_value"]
    return suggested


async def test_nothing_holds_a_secret_after_every_fault(
    home: HomeAssistant,
    hass_config_dir: str,
    make_facility: Make,
    site: Simulator,
    hass_client: ClientSessionGenerator,
    all_logs: pytest.LogCaptureFixture,
) -> None:
    chosen = {name: site.cameras[name] for name in sorted(site.cameras) if name < "C15"}
    entry = make_facility("Trạm", chosen)
    flows = await begin(home, entry, hass_client)
    flow = await flows.add(address=in_path(site.cameras["Path"]))
    await flows.go_on(flow, name="Path", zone="gate", audio=False)
    await until_online(home, entry, *chosen, "Path")
    viewed = get_camera_from_entity_id(home, entity_id(home, "camera", camera_id(entry, "C10"), "camera"))
    stream = await viewed.async_create_stream()
    assert stream is not None
    stream.add_provider("hls")
    await stream.start()

    for name, fault in {
        "C00": "gone", "C01": "silent", "C02": "no_stream", "C03": "stalled", "C04": "garbage", "C05": "busy", "C06": "slow",
        "C07": "bye", "C08": "renumber", "C16": "no_stream", "Path": "no_stream",
    }.items():  # fmt: skip
        site.fault(name, fault)
    for name in ("C09", "C11", "C12", "C13", "C14"):
        site.fault(name, "password", password="another")
    site.fault("*", "cut")
    wanted = {
        "C00": "refused", "C01": "unreachable", "C02": "no_stream", "C03": "stalled", "C09": "unauthorised",
        "C12": "unauthorised", "Path": "no_stream",
    }  # fmt: skip
    await until(
        lambda: all(state(home, "sensor", camera_id(entry, name), "status") == word for name, word in wanted.items()),
        what="every fault is told",
        timeout=60,
    )
    assert any(issue_id.startswith("password_") for _, issue_id in ir.async_get(home).issues)
    await _fail_flows(flows, site, entry)
    secret = str(yarl.URL(hub_of(home).restream_url("any") or "").password)
    await _search(home, hass_config_dir, entry, hass_client, {*ALL, secret.encode()})

    (engine,) = engines(hass_config_dir)
    engine.kill()
    await until(lambda: engines(hass_config_dir) not in ([], [engine]), what="another engine")
    site.mend()
    site.fault("*", "cut")
    await until_online(home, entry, "C10", "C13")
    await home.config_entries.async_reload(entry.entry_id)
    await _search(home, hass_config_dir, entry, hass_client, {*ALL, secret.encode()})
    await stream.stop()

    assert_free("Home Assistant's log", all_logs.text, {*ALL, secret.encode()})
    for where, text in flows.answers:
        assert_free(where, text, {*ALL, secret.encode()})


async def _fail_flows(flows: Flows, site: Simulator, entry: MockConfigEntry) -> None:
    """Flows that end in every error, with a password in the place of each kind."""
    gate = site.cameras["C15"]
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        closed = found.getsockname()[1]
    errors = set()
    for password in TYPED:
        for address in (
            gate.url, gate.onvif, f"rtsp://127.0.0.1:{closed}/main", f"127.0.0.1:{closed}", site.cameras["C16"].url, site.cameras["C10"].url,
            "ftp://127.0.0.1/main", "rtsp://127.0.0.1:99999/main", "no address",
            in_path(site.cameras["Path"]), "",
        ):  # fmt: skip
            pasted = (
                address.replace("://", f"://admin:{password}@") if "://" in address else f"admin:{password}@{address}"
            )
            encoded = address.replace("://", f"://admin:{quote(password, safe='')}@")
            for given in (
                {"address": address, "username": "admin", "password": password},
                {"address": pasted},
                {"address": encoded},
            ):
                flow = await flows.add(**given)
                assert flow["type"] == "form"
                errors.add(flow["errors"].get("base"))
    # Some name servers take long to know nothing: once is enough.
    flow = await flows.add(address=f"rtsp://admin:{TYPED[0]}@no-such-camera.invalid/main")
    errors.add(flow["errors"]["base"])
    lost = site.cameras["C16"]
    errors.add((await flows.add(address=lost.url, **lost.login))["errors"]["base"])
    assert {
        "cause_password_wrong", "onvif_password_wrong", "cause_connection_refused", "onvif_connection_refused",
        "cause_path_not_found", "cause_name_not_found", "address_invalid", "onvif_address_invalid", "camera_known",
    } <= errors  # fmt: skip


async def _search(
    home: HomeAssistant,
    hass_config_dir: str,
    entry: MockConfigEntry,
    hass_client: ClientSessionGenerator,
    secrets: set[bytes],
) -> None:
    """Look for secrets everywhere but in Home Assistant's log, which is read at the end."""
    _search_processes(secrets)
    paths = EnginePaths.of(hass_config_dir)
    logs = [*paths.state.glob("engine.log*"), paths.output]
    assert len(logs) >= 2
    for path in (*logs, *_readable_by_others(Path(hass_config_dir)), *_readable_by_others(paths.socket.parent)):
        assert_free(str(path), path.read_bytes(), secrets)
    for shown in home.states.async_all():
        assert_free(shown.entity_id, json.dumps(shown.as_dict(), default=str, ensure_ascii=False), secrets)
    assert_free("diagnostics", json.dumps(await get_diagnostics_for_config_entry(home, hass_client, entry)), secrets)
    assert_free("repairs", repr(list(ir.async_get(home).issues.values())), secrets)
    assert_free("devices", repr(list(dr.async_get(home).devices)), secrets)
    assert_free("entities", repr(list(er.async_get(home).entities.values())), secrets)
    assert_free("ids of cameras", repr([camera.unique_id for camera in entry.subentries.values()]), secrets)


def _search_processes(secrets: set[bytes]) -> None:
    for process in psutil.process_iter():
        for name in ("cmdline", "environ"):
            try:
                content = Path(f"/proc/{process.pid}/{name}").read_bytes()
            except OSError:
                continue
            assert_free(f"{name} of process {process.pid}", content, secrets)


def _readable_by_others(folder: Path) -> Iterator[Path]:
    """Files below a folder that another user of the machine could read, if the folder itself let him in."""
    for path in folder.iterdir():
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode) and mode & stat.S_IXOTH and path.name != ".storage":
            yield from _readable_by_others(path)
        elif stat.S_ISREG(mode) and mode & stat.S_IROTH:
            yield path
