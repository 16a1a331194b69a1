"""Protected footage from Home Assistant: by people with the right to it, by automations, told, copied, released."""

from collections.abc import Callable
from datetime import datetime, timedelta
import hashlib
from pathlib import Path
from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE
from homeassistant.core import Context, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
import voluptuous as vol

from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.engine.api_events import HoldEvent
from custom_components.facility_cameras.engine.api_footage import COPY_MARKER, HoldState
from custom_components.facility_cameras.volumes import claim
from tests.hub.stage import Simulator, camera_id, entity_id, hub_of, state, until, until_online

type Make = Callable[..., MockConfigEntry]


async def act(
    home: HomeAssistant, action: str, data: dict[str, Any], context: Context | None = None
) -> list[dict[str, Any]]:
    answer: Any = await home.services.async_call(
        DOMAIN, action, data, blocking=True, return_response=True, context=context
    )
    found: list[dict[str, Any]] = answer["holds"]
    return found


async def incident(home: HomeAssistant, entry: MockConfigEntry, kind: str, **wanted: str) -> dict[str, Any]:
    """The facility's newest incident, once it is of this kind and has these attributes."""
    wanted["event_type"] = kind
    name = entity_id(home, "event", entry.entry_id, "incident")

    def told() -> Any:
        found = home.states.get(name)
        return found if found and wanted.items() <= found.attributes.items() else None

    return dict((await until(told, what=kind, timeout=100)).attributes)


@pytest.fixture
async def facility(home: HomeAssistant, simulator: Simulator, make_facility: Make, tmp_path: Path) -> MockConfigEntry:
    """Two cameras that are recorded, with a second folder."""
    entry = make_facility("Trạm 1", {name: simulator.cameras[name] for name in ("Gate", "Yard")})
    second = str(tmp_path / "second")
    more = {"second_copy": second, "second_copy_id": claim(second, COPY_MARKER)}
    home.config_entries.async_update_entry(entry, data={**entry.data, **more})
    assert await async_setup_component(home, DOMAIN, {})
    await home.async_block_till_done()
    await until_online(home, entry, "Gate", "Yard")
    return entry


async def test_an_alarm_button_protects_the_last_minutes(
    home: HomeAssistant, facility: MockConfigEntry, tmp_path: Path
) -> None:
    (device,) = (one for one in dr.async_get(home).devices if (DOMAIN, facility.entry_id) in one.identifiers)
    automation = {
        "alias": "Nút báo động",
        "triggers": [{"trigger": "event", "event_type": "alarm_button"}],
        "actions": [
            {
                "action": "facility_cameras.protect",
                "target": {"device_id": device.id},
                "data": {"start": "{{ now() - timedelta(minutes=10) }}", "reason": "Báo động"},
            }
        ],
    }
    assert await async_setup_component(home, "automation", {"automation": automation})
    home.bus.async_fire("alarm_button")
    told = await incident(home, facility, "protected")
    assert told["cameras"] == ["Gate", "Yard"]
    assert (told["who"], told["reason"]) == ("Nút báo động", "Báo động")
    start, end = (datetime.fromisoformat(told[key]) for key in ("from", "to"))
    assert end - start == timedelta(minutes=10)
    assert len(told["holds"]) == 2
    # No longer recorded, its segments are closed, and all of it can be copied.
    for name in ("Gate", "Yard"):
        switch = entity_id(home, "switch", camera_id(facility, name), "recording")
        await home.services.async_call("switch", "turn_off", {"entity_id": switch}, blocking=True)
    told = await incident(home, facility, "copied")
    assert told["cameras"] == ["Gate", "Yard"]
    sums = list((tmp_path / "second" / "holds").rglob("SHA256SUMS"))
    assert len(sums) == 2
    for one in sums:
        # Paths in it are relative to its own folder.
        digest, path = one.read_text().splitlines()[0].split("  ")
        assert hashlib.sha256((one.parent / path).read_bytes()).hexdigest() == digest
    coordinator = hub_of(home).coordinators[facility.entry_id]
    await until(lambda: coordinator.facility and coordinator.facility["held_bytes"], what="bytes under holds")
    assert state(home, "sensor", facility.entry_id, "protected_footage") not in ("unknown", None)


async def test_times_are_of_home_assistants_zone(home: HomeAssistant, facility: MockConfigEntry) -> None:
    await home.config.async_set_time_zone("Asia/Ho_Chi_Minh")
    switch = entity_id(home, "switch", camera_id(facility, "Gate"), "recording")
    (found,) = await act(
        home, "protect", {"entity_id": switch, "start": "2026-11-20 14:00:00", "end": "2026-11-20 15:00:00"}
    )
    assert (found["from"], found["to"]) == ("2026-11-20T14:00:00+07:00", "2026-11-20T15:00:00+07:00")
    assert found["files"] == 0, "there is no footage of it"
    assert found["camera"] == "Gate"
    (known,) = await hub_of(home).client.holds(facility.entry_id)
    assert (known["start"], known["who"]) == (1_795_158_000_000_000, "Home Assistant")
    # Only what lies wholly within a time is released by it.
    time = {"start": "2026-11-20 14:00:01", "end": "2026-11-20 16:00:00"}
    with pytest.raises(ServiceValidationError) as refused:
        await act(home, "unprotect", {"entity_id": switch} | time)
    assert refused.value.translation_key == "hold_not_found"
    other = entity_id(home, "switch", camera_id(facility, "Yard"), "recording")
    with pytest.raises(ServiceValidationError):
        await act(home, "unprotect", {"entity_id": other} | time | {"start": "2026-11-20 13:00:00"})
    (ended,) = await act(home, "unprotect", {"entity_id": switch} | time | {"start": "2026-11-20 13:00:00"})
    assert ended["id"] == found["id"]
    assert (await incident(home, facility, "released"))["cameras"] == ["Gate"]
    assert await hub_of(home).client.holds(facility.entry_id) == []


async def test_a_facilitys_own_zone_goes_before_home_assistants(home: HomeAssistant, facility: MockConfigEntry) -> None:
    await home.config.async_set_time_zone("Europe/Berlin")
    home.config_entries.async_update_entry(facility, data={**facility.data, "time_zone": "Asia/Ho_Chi_Minh"})
    gate = {"entity_id": entity_id(home, "switch", camera_id(facility, "Gate"), "recording")}
    span = {"start": "2026-11-25 14:00:00", "end": "2026-11-25 15:00:00"}
    (found,) = await act(home, "protect", gate | span)
    (known,) = await hub_of(home).client.holds(facility.entry_id)
    assert (known["start"], known["end"]) == (1_795_590_000_000_000, 1_795_593_600_000_000)
    (ended,) = await act(home, "unprotect", gate | span)
    assert ended["id"] == found["id"]


async def test_what_is_not_given_is_the_last_five_minutes(home: HomeAssistant, facility: MockConfigEntry) -> None:
    gate = entity_id(home, "camera", camera_id(facility, "Gate"), "camera")
    await act(home, "protect", {"entity_id": gate})
    later = dt_util.utcnow() + timedelta(hours=1)
    await act(home, "protect", {"entity_id": gate, "end": later.isoformat()})
    longer, short = sorted(
        await hub_of(home).client.holds(facility.entry_id), key=lambda one: one["start"] - one["end"]
    )
    assert short["end"] - short["start"] == 300_000_000
    assert 3_899_000_000 < longer["end"] - longer["start"] <= 3_900_000_000


async def test_rights(home: HomeAssistant, facility: MockConfigEntry, hass_admin_user: MockUser) -> None:
    gate, yard = (camera_id(facility, name) for name in ("Gate", "Yard"))
    switches = [entity_id(home, "switch", camera, "recording") for camera in (gate, yard)]
    user = MockUser(name="Lan").add_to_hass(home)
    user.mock_policy({"entities": {"entity_ids": {switches[0]: True}}})
    context = Context(user_id=user.id)
    (found,) = await act(home, "protect", {"entity_id": switches[0]}, context)
    await incident(home, facility, "protected", who="Lan")
    with pytest.raises(Unauthorized):
        await act(home, "protect", {"entity_id": switches}, context)
    (other,) = await act(home, "protect", {"entity_id": switches[1]}, Context(user_id=hass_admin_user.id))
    for ids in ([other["id"]], [found["id"], other["incident"]]):
        with pytest.raises(Unauthorized):
            await act(home, "unprotect", {"hold_id": ids}, context)
    assert len(await hub_of(home).client.holds(facility.entry_id)) == 2
    (ended,) = await act(home, "unprotect", {"hold_id": found["id"]}, context)
    assert ended["id"] == found["id"]
    # A camera that was removed is an administrator's.
    home.config_entries.async_remove_subentry(facility, yard)
    await home.async_block_till_done()
    with pytest.raises(Unauthorized):
        await act(home, "unprotect", {"hold_id": other["id"]}, context)
    await act(home, "unprotect", {"hold_id": other["id"]}, Context(user_id=hass_admin_user.id))
    assert hass_admin_user.name
    await incident(home, facility, "released", who=hass_admin_user.name)


async def test_what_is_refused(home: HomeAssistant, facility: MockConfigEntry, tmp_path: Path) -> None:
    gate = entity_id(home, "camera", camera_id(facility, "Gate"), "camera")
    for data, key in (
        ({}, "no_camera_chosen"),
        ({"entity_id": gate, "start": "2026-11-25 15:00:00", "end": "2026-11-25 15:00:00"}, "hold_ends_before_start"),
        ({"entity_id": gate, "start": "2025-01-01 00:00:00", "end": "2026-11-25 15:00:00"}, "hold_too_long"),
    ):
        with pytest.raises(ServiceValidationError) as refused:
            await act(home, "protect", data)
        assert refused.value.translation_key == key
    with pytest.raises(vol.Invalid):
        await act(home, "protect", {"entity_id": gate, "reason": "x" * 501})
    for data in ({}, {"entity_id": gate}):
        with pytest.raises(ServiceValidationError) as refused:
            await act(home, "unprotect", data)
        assert refused.value.translation_key == "no_hold_named"
    with pytest.raises(ServiceValidationError) as refused:
        await act(home, "unprotect", {"hold_id": "5f0c8a17e3b2d946"})
    assert refused.value.translation_key == "hold_not_found"
    (tmp_path / "archive" / ".facility_cameras.json").unlink()
    with pytest.raises(HomeAssistantError) as failed:
        await act(home, "protect", {"entity_id": gate})
    assert failed.value.translation_key == "archive_away"


async def test_a_copy_that_fails_is_a_repair_until_it_works(home: HomeAssistant, facility: MockConfigEntry) -> None:
    coordinator = hub_of(home).coordinators[facility.entry_id]
    await until(lambda: coordinator.facility, what="figures of the disk")
    assert coordinator.facility is not None
    for cause in ("missing", "full", "hung"):
        coordinator.async_take_facility({**coordinator.facility, "copy_problem": cause})
        issue = ir.async_get(home).async_get_issue(DOMAIN, f"second_copy_{facility.entry_id}")
        assert issue is not None
        assert issue.translation_key == f"second_copy_{cause}"
        assert issue.translation_placeholders == {"facility": "Trạm 1", "folder": facility.data["second_copy"]}
    coordinator.async_take_facility({**coordinator.facility, "copy_problem": ""})
    assert ir.async_get(home).async_get_issue(DOMAIN, f"second_copy_{facility.entry_id}") is None
    hold: HoldState = {
        "id": "h", "incident": "i", "facility": facility.entry_id, "camera": "removed", "start": 0, "end": 1, "reason": "",
        "who": "Lan", "at": 0, "released": None, "released_by": "", "files": 2, "copied": 1, "copy": "failed",
        "copy_cause": "hung",
    }  # fmt: skip
    event: HoldEvent = {"event": "hold", "change": "copy_failed", "facility": facility.entry_id, "holds": [hold]}
    coordinator.async_take_holds(event)
    told = await incident(home, facility, "copy_failed")
    assert (told["cause"], told["cameras"]) == ("hung", ["removed"])


async def reconfigured(home: HomeAssistant, entry: MockConfigEntry, **footage: Any) -> dict[str, Any]:
    """The facility's flow, up to what it says to the form about footage."""
    flow: Any = await home.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
    )
    flow = await home.config_entries.flow.async_configure(flow["flow_id"], {"name": entry.title})
    given = {"archive": entry.data["archive"], "days_to_keep": 1, **footage}
    return dict(await home.config_entries.flow.async_configure(flow["flow_id"], given))


async def test_second_folder_is_named_changed_and_left_out(
    home: HomeAssistant, make_facility: Make, tmp_path: Path
) -> None:
    entry = make_facility("Trạm 1", {})
    other = make_facility("Trạm 2", {})
    away = str(tmp_path / "archive 2")
    home.config_entries.async_update_entry(other, data={**other.data, "archive": away, "archive_id": claim(away)})
    assert await async_setup_component(home, DOMAIN, {})
    await home.async_block_till_done()
    archive = tmp_path / "archive"
    for folder, error in (
        ("copies", "folder_not_absolute"),
        (str(archive), "folder_not_apart"),
        (str(archive / "copies"), "folder_not_apart"),
        (str(tmp_path), "folder_not_apart"),
        (f"{away}/../archive 2/copies", "folder_not_apart"),
    ):
        result = await reconfigured(home, entry, second_copy=folder)
        assert result["errors"] == {"second_copy": error}, folder
    second = tmp_path / "second"
    result = await reconfigured(home, entry, second_copy=str(second))
    # The same disk: it is said, and used all the same.
    assert result["step_id"] == "footage_confirm"
    assert "same disk" in result["description_placeholders"]["warnings"]
    result = dict(await home.config_entries.flow.async_configure(result["flow_id"], {}))
    assert result["type"] is FlowResultType.ABORT
    assert (second / COPY_MARKER).exists()
    await home.async_block_till_done()
    identity = entry.data["second_copy_id"]
    assert identity
    # Footage may not lie there, neither this facility's nor another's.
    result = await reconfigured(home, other, archive=str(second))
    assert result["errors"] == {"archive": "folder_not_apart"}
    result = await reconfigured(home, entry, archive=str(tmp_path / "new"), second_copy=str(tmp_path / "new"))
    assert result["errors"] == {"second_copy": "folder_not_apart"}

    async def confirmed(**footage: Any) -> None:
        result = await reconfigured(home, entry, **footage)
        if result["type"] is FlowResultType.FORM:
            assert result["step_id"] == "footage_confirm", result
            await home.config_entries.flow.async_configure(result["flow_id"], {})
        await home.async_block_till_done()

    # One that is away now stays named.
    second.rename(tmp_path / "unplugged")
    second.write_text("no folder")
    await confirmed(second_copy=str(second))
    assert (entry.data["second_copy"], entry.data["second_copy_id"]) == (str(second), identity)
    await confirmed()
    assert (entry.data["second_copy"], entry.data["second_copy_id"]) == ("", "")
