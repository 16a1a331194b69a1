"""Footage is exported by the action and by the button, by who may, to where it may go, and its end is told."""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
import io
from pathlib import Path
import tarfile
from typing import Any

from homeassistant.components.persistent_notification import _async_get_or_create_notifications
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import Context, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser, async_capture_events
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.facility_cameras import exports
from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.engine.api_footage import COPY_MARKER
from custom_components.facility_cameras.volumes import Volume, claim
from tests.engine.exporting import checked, content, manifest
from tests.hub.stage import Simulator, camera_id, entity_id, hub_of, until, until_awaited, until_online

type Make = Callable[..., MockConfigEntry]


@pytest.fixture
async def recorded(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> MockConfigEntry:
    """A facility with some seconds of footage of two cameras."""
    entry = make_facility("Trạm 1", {name: simulator.cameras[name] for name in ("Gate", "Lobby")})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Gate", "Lobby")
    client = hub_of(home).client

    async def enough() -> bool:
        spans = [await client.spans(camera_id(entry, name), 0, 1 << 62) for name in ("Gate", "Lobby")]
        return all(found and found[-1]["end"] - found[0]["start"] > 1_500_000 for found in spans)

    await until_awaited(enough, what="some footage")
    return entry


def action(entry: MockConfigEntry, home: HomeAssistant, **changes: Any) -> dict[str, Any]:
    """Everything of the Gate in the last hour."""
    now = dt_util.utcnow()
    return {
        "entity_id": entity_id(home, "camera", camera_id(entry, "Gate"), "camera"),
        "start": now - timedelta(hours=1),
        "end": now + timedelta(minutes=1),
        "reason": "Đơn 5",
        **changes,
    }


async def call(home: HomeAssistant, data: dict[str, Any], context: Context | None = None) -> list[dict[str, Any]]:
    answer: Any = await home.services.async_call(
        DOMAIN, "export", data, blocking=True, return_response=True, context=context
    )
    found: list[dict[str, Any]] = answer["exports"]
    return found


async def test_the_action(
    home: HomeAssistant,
    recorded: MockConfigEntry,
    hass_admin_user: MockUser,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    ends = async_capture_events(home, exports.EVENT_EXPORT)
    (export,) = await call(home, action(recorded, home, form="tar"), Context(user_id=hass_admin_user.id))
    assert export["state"] == "done"
    assert export["problem"] is None and export["missed_files"] == 0
    path = Path(export["path"])
    assert path.parent == Path(recorded.data["archive"]) / ".exports"
    client = await hass_client_no_auth()
    answer = await client.get(export["url"])
    assert answer.status == HTTPStatus.OK
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{path.name}"'
    with tarfile.open(fileobj=io.BytesIO(await answer.read())) as tar:
        tar.extractall(path.parent / "out", filter="data")
    done = path.parent / "out" / path.stem
    assert sorted([*checked(done), "SHA256SUMS"]) == content(done)
    found = manifest(done)
    assert found["exported"]["by"] == hass_admin_user.name
    assert (found["exported"]["reason"], found["facility"]["name"]) == ("Đơn 5", "Trạm 1")
    assert [camera["name"] for camera in found["cameras"]] == ["Gate"]
    assert found["time_zone"] == home.config.time_zone
    # Unsigned, or something else that exists in the engine's memory: nothing.
    assert (await client.get(export["url"].partition("?")[0])).status == HTTPStatus.UNAUTHORIZED
    await until(lambda: ends, what="the event")
    assert (ends[0].data["path"], ends[0].data["state"]) == (export["path"], "done")
    told = _async_get_or_create_notifications(home)[f"{DOMAIN}_export_{export['id']}"]
    assert path.name.split("_")[0].replace("-", "&#45;") in told["message"]


async def test_who_may_not(
    home: HomeAssistant,
    recorded: MockConfigEntry,
    hass_read_only_user: MockUser,
    hass_client: ClientSessionGenerator,
    hass_read_only_access_token: str,
) -> None:
    with pytest.raises(Unauthorized):
        await call(home, action(recorded, home), Context(user_id=hass_read_only_user.id))
    (export,) = await call(home, action(recorded, home, form="tar"))
    url = export["url"].partition("?")[0]
    assert (await (await hass_client()).get(url)).status == HTTPStatus.OK
    hass_read_only_user.mock_policy({})
    client = await hass_client(hass_read_only_access_token)
    assert (await client.get(url)).status == HTTPStatus.FORBIDDEN
    assert (await client.get(url[:-16] + "0" * 16)).status == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("folder", ["/etc", "../..", "archive/../..", "", "Archive"])
async def test_where_it_may_not_go(home: HomeAssistant, recorded: MockConfigEntry, folder: str) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await call(home, action(recorded, home, folder=folder))
    assert raised.value.translation_key == "export_no_such_folder"


async def test_times_that_cannot_be(home: HomeAssistant, recorded: MockConfigEntry) -> None:
    now = dt_util.utcnow()
    for start, end in ((now, now), (now + timedelta(1), now + timedelta(2)), (now - timedelta(100), now)):
        with pytest.raises(ServiceValidationError) as raised:
            await call(home, action(recorded, home, start=start, end=end))
        assert raised.value.translation_key == "export_times"


def swap(folder: Path, name: Path) -> None:
    """A disk is pulled out, or plugged in."""
    folder.rename(name)


def is_there(folder: Path) -> bool:
    return folder.exists()


async def test_the_disk_with_the_footage_is_not_there(home: HomeAssistant, recorded: MockConfigEntry) -> None:
    archive = Path(recorded.data["archive"])
    swap(archive, archive.with_name("elsewhere"))
    try:
        with pytest.raises(HomeAssistantError) as raised:
            await call(home, action(recorded, home))
        assert raised.value.translation_key == "export_not_written"
        assert not is_there(archive)
    finally:
        swap(archive.with_name("elsewhere"), archive)


async def test_a_time_without_footage_is_told_as_that(home: HomeAssistant, recorded: MockConfigEntry) -> None:
    before = dt_util.utcnow() - timedelta(days=3)
    (export,) = await call(home, action(recorded, home, start=before, end=before + timedelta(hours=1)))
    assert (export["state"], export["files"], export["gaps"]) == ("done", 0, 1)
    told = [one["message"] for one in _async_get_or_create_notifications(home).values()]
    assert any("there is no footage of the time that was chosen" in message for message in told), told
    flow = await begin(home, recorded)
    local = dt_util.as_local(before)
    given = {
        "cameras": [camera_id(recorded, "Gate")],
        "start": f"{local:%Y-%m-%d %H:%M:%S}",
        "end": f"{local + timedelta(hours=1):%Y-%m-%d %H:%M:%S}",
        "folder": exports.PLACE_ARCHIVE,
        "form": "folder",
    }
    flow = await configure(home, flow, given)
    await home.async_block_till_done()
    flow = await configure(home, flow)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "export_done_empty")


async def test_into_the_second_folder(home: HomeAssistant, recorded: MockConfigEntry, tmp_path: Path) -> None:
    assert exports.PLACE_COPIES not in [place.key for place in await exports.async_places(home, recorded)]
    second = tmp_path / "second"
    more = {"second_copy": str(second), "second_copy_id": claim(str(second), COPY_MARKER)}
    home.config_entries.async_update_entry(recorded, data={**recorded.data, **more})
    await home.async_block_till_done()
    await until_online(home, recorded, "Gate", "Lobby")
    flow = await begin(home, recorded)
    places = flow["data_schema"].schema[exports.ATTR_FOLDER].config["options"]
    assert {"value": "second_folder", "label": f"In the second folder, with the copies: {second}/exports"} in places
    (export,) = await call(home, action(recorded, home, folder="second_folder"))
    assert export["state"] == "done"
    assert Path(export["path"]).parent == second / "exports"
    # Its share is not mounted: the folder below it is the system's.
    swap(second, tmp_path / "elsewhere")
    claim(str(second), COPY_MARKER)
    with pytest.raises(HomeAssistantError) as raised:
        await call(home, action(recorded, home, folder="second_folder"))
    assert raised.value.translation_key == "export_not_written"
    assert not is_there(second / "exports")


async def begin(home: HomeAssistant, entry: MockConfigEntry) -> Any:
    return await home.config_entries.subentries.async_init((entry.entry_id, "export"), context={"source": SOURCE_USER})


async def configure(home: HomeAssistant, flow: Any, given: dict[str, Any] | None = None) -> Any:
    return await home.config_entries.subentries.async_configure(flow["flow_id"], given)


async def test_the_button(
    home: HomeAssistant, recorded: MockConfigEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    volume = Volume(str(disk / "facility_cameras"), "disk", 10**10, 10**11)
    monkeypatch.setattr(exports, "find_volumes", lambda *_: [volume])
    flow = await begin(home, recorded)
    assert (flow["type"], flow["step_id"]) == (FlowResultType.FORM, "choose")
    gate, lobby = (camera_id(recorded, name) for name in ("Gate", "Lobby"))
    now = dt_util.now()
    given = {
        "cameras": [gate, lobby],
        "start": f"{now - timedelta(hours=1):%Y-%m-%d %H:%M:%S}",
        "end": f"{now + timedelta(minutes=1):%Y-%m-%d %H:%M:%S}",
        "folder": str(disk / "facility_cameras_exports"),
        "form": "folder",
        "reason": "Đơn 5",
    }
    for change, field, error in (
        ({"cameras": []}, "cameras", "no_cameras_chosen"),
        ({"end": given["start"]}, "end", "export_times"),
        ({"start": "0001-01-01 00:00:00"}, "end", "export_times"),
        ({"reason": "x" * 1001}, "reason", "reason_long"),
    ):
        flow = await configure(home, flow, {**given, **change})
        assert flow["errors"] == {field: error}
    flow = await configure(home, flow, given)
    assert (flow["type"], flow["progress_action"]) == (FlowResultType.SHOW_PROGRESS, "exporting")
    await home.async_block_till_done()
    flow = await configure(home, flow)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "export_done")
    (done,) = (disk / "facility_cameras_exports").iterdir()
    assert sorted([*checked(done), "SHA256SUMS"]) == content(done)
    assert {camera["name"] for camera in manifest(done)["cameras"]} == {"Gate", "Lobby"}
    assert all(camera["files"] for camera in manifest(done)["cameras"])
    assert set(recorded.subentries) == {gate, lobby}


async def test_paused_looked_after_and_cancelled(
    home: HomeAssistant, recorded: MockConfigEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setattr(
        exports, "find_volumes", lambda *_: [Volume(str(disk / "facility_cameras"), "disk", 10**10, 10**11)]
    )
    place = await exports.async_place(home, recorded, str(disk / "facility_cameras_exports"))
    now = dt_util.utcnow()
    wish = exports.Wish((camera_id(recorded, "Gate"),), now - timedelta(hours=1), now, "folder", "", "A")
    # The disk is pulled out in the moment after it was chosen.
    monkeypatch.setattr(exports, "_prepare", lambda *_: None)
    export = await exports.async_begin(home, recorded, wish, place)

    async def paused() -> bool:
        return bool((await hub_of(home).client.export(export["id"]))["state"] == "paused")

    await until_awaited(paused, what="the export is paused")
    flow = await begin(home, recorded)
    assert (flow["type"], flow["menu_options"]) == (FlowResultType.MENU, ["choose", "under_way"])
    flow = await configure(home, flow, {"next_step_id": "under_way"})
    assert flow["step_id"] == "under_way"
    flow = await configure(home, flow, {"export": export["id"], "do": "watch"})
    assert flow["type"] is FlowResultType.SHOW_PROGRESS
    # Closing the window leaves it under way.
    home.config_entries.subentries.async_abort(flow["flow_id"])
    assert [one["id"] for one in await exports.async_under_way(home, recorded)] == [export["id"]]
    flow = await begin(home, recorded)
    flow = await configure(home, flow, {"next_step_id": "under_way"})
    flow = await configure(home, flow, {"export": export["id"], "do": "cancel"})
    if flow["type"] is FlowResultType.SHOW_PROGRESS:
        await home.async_block_till_done()
        flow = await configure(home, flow)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "export_cancelled")
    assert await exports.async_under_way(home, recorded) == []
    assert list(disk.iterdir()) == []


async def test_without_cameras(home: HomeAssistant, make_facility: Make) -> None:
    entry = make_facility("Trạm 2", {})
    assert await home.config_entries.async_setup(entry.entry_id)
    flow = await begin(home, entry)
    assert (flow["type"], flow["reason"]) == (FlowResultType.ABORT, "no_cameras")
