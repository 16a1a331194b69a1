"""How long footage is kept: settings, figures, and repairs before a promise is broken."""

from collections.abc import Callable
from pathlib import Path
import string
from typing import Any, cast

from homeassistant.config_entries import SOURCE_RECONFIGURE, SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.coordinator import facility_config
from custom_components.facility_cameras.engine.api import Cleaning, FacilityState
from custom_components.facility_cameras.footage_issues import FOOTAGE_ISSUES
from tests.hub.stage import Simulator, camera_id, hub_of, state, until, until_online
from tests.repository.source import translation

type Make = Callable[..., MockConfigEntry]

CLEANING: Cleaning = {
    "last": 1_795_564_800_000_000,
    "due_files": 0,
    "due_bytes": 0,
    "failed_since": None,
    "failed_why": "",
    "frees_nothing_since": None,
    "stuck_files": 0,
    "stuck_path": "",
    "stuck_why": "",
    "young_since": None,
    "over_quota": False,
}


async def told(home: HomeAssistant, entry: MockConfigEntry, **more: Any) -> FacilityState:
    """The engine tells this of a facility's footage."""
    coordinator = hub_of(home).coordinators[entry.entry_id]
    known = await until(lambda: coordinator.facility, what="figures of the disk")
    cleaning = {**CLEANING, **more.pop("cleaning", {})}
    new = cast("FacilityState", {**known, "days_short": False, **more, "cleaning": cleaning})
    coordinator.async_take_facility(new)
    return new


async def set_up(home: HomeAssistant, entry: MockConfigEntry, *titles: str) -> None:
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, *titles)


async def test_figures_of_footage(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry, "Gate")

    def shown(key: str) -> str | None:
        return state(home, "sensor", entry.entry_id, key)

    await told(
        home,
        entry,
        oldest=1_795_564_801_000_000,
        days_kept=12.345,
        days_possible=8.26,
        cleaning={"last": 1_795_564_800_000_000 + 700_000_000, "due_bytes": 1},
    )
    assert shown("oldest_footage") == "2026-11-25T00:00:01+00:00"
    assert shown("days_kept") == "12.0"
    assert shown("days_possible") == "8.3"
    assert shown("last_cleaning") == "2026-11-25T00:10:00+00:00"
    assert float(shown("due_footage") or 0) > 0
    await told(home, entry, oldest=None, days_kept=None, days_possible=None, cleaning={"last": None})
    assert {shown(key) for key in ("oldest_footage", "days_kept", "days_possible", "last_cleaning")} == {"unknown"}
    assert shown("due_footage") == "0.0"
    # Nothing is claimed while nobody tells.
    coordinator = hub_of(home).coordinators[entry.entry_id]
    coordinator.async_set_connected(False)
    keys = ("oldest_footage", "days_kept", "days_possible", "last_cleaning", "due_footage")
    assert {shown(key) for key in keys} == {"unavailable"}
    coordinator.async_set_connected(True)
    assert shown("due_footage") == "0.0"


SO: dict[str, dict[str, Any]] = {
    "days_not_possible": {"days_short": True, "days_possible": 29.99, "days_promised": 30},
    "cleaning_failed": {"cleaning": {"failed_since": 1_795_564_800_000_000, "failed_why": "No space left on device"}},
    "deleting_frees_nothing": {"cleaning": {"frees_nothing_since": 1_795_564_800_000_000}},
    "files_not_deleted": {"cleaning": {"stuck_files": 3, "stuck_path": "a/b.mp4", "stuck_why": "Permission denied"}},
    "only_young_footage": {"cleaning": {"young_since": 1_795_564_800_000_000}},
    "only_young_few_inodes": {"cleaning": {"young_since": 1_795_564_800_000_000}, "volume_cause": "no_inodes"},
    "quota_exceeded": {"cleaning": {"over_quota": True}},
}


async def test_what_is_wrong_with_footage_is_told_and_taken_back(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry, "Gate")
    assert {issue.key for issue in FOOTAGE_ISSUES} == SO.keys()
    for key, so in SO.items():
        await told(home, entry, days_possible=100.0, days_promised=30)
        await told(home, entry, **{"days_possible": 100.0, "days_promised": 30, **so})
        found = {issue.translation_key for (domain, _), issue in ir.async_get(home).issues.items() if domain == DOMAIN}
        assert found & SO.keys() == {key}
        issue = ir.async_get(home).async_get_issue(DOMAIN, f"{key}_{entry.entry_id}")
        assert issue is not None
        given = issue.translation_placeholders or {}
        for language in ("en", "vi"):
            for text in translation(language)["issues"][key].values():
                fields = [field for _, field, _, _ in string.Formatter().parse(text) if field]
                assert all(field in given for field in fields)
    assert given["facility"] == "Trạm 1"
    # Removed with its facility.
    await home.config_entries.async_remove(entry.entry_id)
    await home.async_block_till_done()
    assert not any(issue.translation_key in SO for issue in ir.async_get(home).issues.values())


async def test_days_that_are_short_are_not_rounded_up_and_do_not_flap(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry, "Gate")

    def issue() -> ir.IssueEntry | None:
        return ir.async_get(home).async_get_issue(DOMAIN, f"days_not_possible_{entry.entry_id}")

    await told(home, entry, days_possible=30.2, days_promised=30)
    assert issue() is None
    await told(home, entry, days_short=True, days_possible=29.99, days_promised=30)
    found = issue()
    assert found is not None
    assert (found.translation_placeholders or {})["possible"] == "29"
    await told(home, entry, days_possible=30.2, days_promised=30)
    assert issue() is not None
    await told(home, entry, days_possible=32.0, days_promised=30)
    assert issue() is None


async def test_quota_and_least_days_are_chosen_changed_and_emptied(home: HomeAssistant, tmp_path: Path) -> None:
    flow: Any = await home.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    flow = await home.config_entries.flow.async_configure(flow["flow_id"], {"name": "Trạm 1", "planned_cameras": 1})
    given = {"archive": str(tmp_path / "archive"), "days_to_keep": 7}
    flow = await home.config_entries.flow.async_configure(flow["flow_id"], {**given, "least_days": 8, "quota_gb": 250})
    assert flow["errors"] == {"least_days": "least_days_long"}
    flow = await home.config_entries.flow.async_configure(flow["flow_id"], {**given, "least_days": 7, "quota_gb": 250})
    if flow["type"] is FlowResultType.FORM:
        flow = await home.config_entries.flow.async_configure(flow["flow_id"], {})
    entry = flow["result"]
    await home.async_block_till_done()
    config = facility_config(home, entry)
    assert (config["days_to_keep"], config["least_days"], config["quota_bytes"]) == (7, 7, 250_000_000_000)
    flow = await home.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_RECONFIGURE, "entry_id": entry.entry_id}
    )
    flow = await home.config_entries.flow.async_configure(flow["flow_id"], {"name": "Trạm 1"})
    shown = {str(key): key.description for key in flow["data_schema"].schema}
    assert shown["quota_gb"] == {"suggested_value": 250}
    flow = await home.config_entries.flow.async_configure(flow["flow_id"], given)
    if flow["type"] is FlowResultType.FORM:
        flow = await home.config_entries.flow.async_configure(flow["flow_id"], {})
    assert flow["reason"] == "reconfigure_successful"
    config = facility_config(home, entry)
    assert (config["days_to_keep"], config["least_days"], config["quota_bytes"]) == (7, 0, 0)


@pytest.mark.parametrize("days", [3, None])
async def test_days_of_one_camera(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, days: int | None
) -> None:
    gate = simulator.cameras["Gate"]
    entry = make_facility("Trạm 1", {"Gate": gate}, days_to_keep=5)
    await set_up(home, entry, "Gate")
    key = camera_id(entry, "Gate")
    subentries = home.config_entries.subentries
    flow: Any = await subentries.async_init(
        (entry.entry_id, "camera"), context={"source": SOURCE_RECONFIGURE, "subentry_id": key}
    )
    flow = await subentries.async_configure(flow["flow_id"], {"next_step_id": "settings"})
    assert flow["description_placeholders"] == {"days": "7"}
    given = {"name": "Gate", "zone": "gate", "audio": False}
    await subentries.async_configure(flow["flow_id"], given | ({"days_to_keep": days} if days else {}))
    await home.async_block_till_done()
    assert facility_config(home, entry)["cameras"][0]["days_to_keep"] == (days or 0)
    # Another address leaves it as it is.
    flow = await subentries.async_init(
        (entry.entry_id, "camera"), context={"source": SOURCE_RECONFIGURE, "subentry_id": key}
    )
    flow = await subentries.async_configure(flow["flow_id"], {"next_step_id": "connection"})
    flow = await subentries.async_configure(flow["flow_id"], {"address": gate.url, **gate.login})
    await subentries.async_configure(flow["flow_id"], given)
    await home.async_block_till_done()
    assert facility_config(home, entry)["cameras"][0]["days_to_keep"] == (days or 0)
