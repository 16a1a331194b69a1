"""A facility is set up, changed, and never twice; footage does not go where it would be lost."""

import json
from pathlib import Path
from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
import pytest

from custom_components.facility_cameras import flow_facility
from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.footage_time import async_zone
from custom_components.facility_cameras.volumes import Judgement, Refusal

PASSWORD = "Ch@n/ging:1"
FACILITY = {"name": "Trạm y tế 1", "planned_cameras": 4, "username": "admin", "password": PASSWORD}


async def begin(home: HomeAssistant, **more: Any) -> dict[str, Any]:
    result: Any = await home.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["step_id"] == "user"
    result = await home.config_entries.flow.async_configure(result["flow_id"], FACILITY | more)
    return dict(result)


async def footage(home: HomeAssistant, flow: dict[str, Any], folder: str | Path, days: int = 1) -> dict[str, Any]:
    result: Any = await home.config_entries.flow.async_configure(
        flow["flow_id"], {"archive": str(folder), "days_to_keep": days}
    )
    if result["type"] is FlowResultType.FORM and result["step_id"] == "footage_confirm":
        result = await home.config_entries.flow.async_configure(result["flow_id"], {})
    return dict(result)


async def test_a_facility_is_added_and_goes_on_to_its_first_camera(home: HomeAssistant, tmp_path: Path) -> None:
    flow = await begin(home)
    assert flow["step_id"] == "footage"
    result = await footage(home, flow, tmp_path / "archive")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    entry = result["result"]
    assert entry.title == "Trạm y tế 1"
    marker = json.loads((tmp_path / "archive" / ".facility_cameras.json").read_text())
    assert entry.data["archive_id"] == marker["id"]
    assert entry.data["username"] == "admin"
    kind, flow_id = result["next_flow"]
    assert kind == "config_subentries_flow"
    (camera_flow,) = home.config_entries.subentries.async_progress()
    assert camera_flow["flow_id"] == flow_id
    assert camera_flow["step_id"] == "user"


async def test_a_folder_inside_the_configuration_is_warned_of(home: HomeAssistant, hass_config_dir: str) -> None:
    flow = await begin(home)
    result: Any = await home.config_entries.flow.async_configure(
        flow["flow_id"], {"archive": f"{hass_config_dir}/footage", "days_to_keep": 3650}
    )
    assert result["step_id"] == "footage_confirm"
    warnings = result["description_placeholders"]["warnings"]
    assert "backup" in warnings
    assert "one day" in warnings, "and of the days that do not fit"


@pytest.mark.parametrize(
    ("folder", "error"),
    [("footage", "folder_not_absolute"), ("/", "folder_is_root"), ("/proc/footage", "folder_not_writable")],
)
async def test_unsuitable_folders_are_refused(home: HomeAssistant, folder: str, error: str) -> None:
    result = await footage(home, await begin(home), folder)
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {"archive": error}


async def test_a_dead_storage_is_told(home: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = await begin(home)

    async def dead(_hass: HomeAssistant, _folder: str) -> Judgement:
        return Judgement(Refusal.NO_ANSWER)

    monkeypatch.setattr("custom_components.facility_cameras.config_flow.async_judge", dead)
    result = await footage(home, flow, "/mnt/nas")
    assert result["errors"] == {"archive": "folder_no_answer"}
    assert await flow_facility.async_volumes(home) is not None


async def test_names_are_taken_once(home: HomeAssistant, tmp_path: Path) -> None:
    await footage(home, await begin(home), tmp_path / "archive")
    assert (await begin(home))["errors"] == {"name": "name_taken"}
    assert (await begin(home, name="  "))["errors"] == {"name": "name_missing"}
    assert (await begin(home, name="x" * 61))["errors"] == {"name": "name_long"}


async def test_two_facilities_share_an_archive(home: HomeAssistant, tmp_path: Path) -> None:
    first = await footage(home, await begin(home), tmp_path / "archive")
    second = await footage(home, await begin(home, name="Trạm 2"), tmp_path / "archive")
    assert first["result"].data["archive_id"] == second["result"].data["archive_id"]


async def test_a_facility_may_have_a_time_zone_of_its_own(home: HomeAssistant, tmp_path: Path) -> None:
    entry = (await footage(home, await begin(home), tmp_path / "archive"))["result"]

    async def change(**given: str) -> None:
        result: Any = await home.config_entries.flow.async_init(
            DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
        )
        result = await home.config_entries.flow.async_configure(result["flow_id"], {"name": entry.title, **given})
        assert (await footage(home, result, tmp_path / "archive"))["reason"] == "reconfigure_successful"
        await home.async_block_till_done()

    await home.config.async_set_time_zone("Europe/Berlin")
    await change(time_zone="Asia/Ho_Chi_Minh")
    assert str(await async_zone(entry)) == "Asia/Ho_Chi_Minh"
    await change()
    assert str(await async_zone(entry)) == "Europe/Berlin", "left empty, it is Home Assistant's again"
    with pytest.raises(InvalidData):
        await change(time_zone="Mars/Phobos")


async def test_changing_a_facility_keeps_its_password(home: HomeAssistant, tmp_path: Path) -> None:
    entry = (await footage(home, await begin(home), tmp_path / "archive"))["result"]
    result: Any = await home.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
    )
    assert result["step_id"] == "reconfigure"
    shown = str(result["data_schema"].schema)
    assert PASSWORD not in shown
    result = await home.config_entries.flow.async_configure(
        result["flow_id"], {"name": "Trạm mới", "username": "viewer"}
    )
    result = await footage(home, result, tmp_path / "elsewhere", 9)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    await home.async_block_till_done()
    assert entry.title == "Trạm mới"
    assert entry.data["username"] == "viewer"
    assert entry.data["password"] == PASSWORD
    assert entry.data["days_to_keep"] == 9
    assert entry.data["archive"] == str(tmp_path / "elsewhere")
