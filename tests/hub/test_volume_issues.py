"""What is wrong with a volume is told by its cause, and what a person decides of it is done."""

from collections.abc import Callable
import json
from pathlib import Path

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.engine.api import FacilityState, VolumeCause, VolumeState
from custom_components.facility_cameras.volume_issues import _BY_STATE, DECISIONS, _key
from tests.hub.stage import Simulator, hub_of, until, until_online

type Make = Callable[..., MockConfigEntry]

FOLDER = Path(__file__).parents[2] / "custom_components" / "facility_cameras"


@pytest.mark.parametrize("language", ["en", "vi"])
def test_every_cause_has_its_words(language: str) -> None:
    issues = json.loads((FOLDER / "translations" / f"{language}.json").read_text())["issues"]
    for state in VolumeState:
        for cause in VolumeCause:
            key = _key(state, cause)
            if (state, cause) == (VolumeState.OK, VolumeCause.NONE):
                assert key is None
            elif state is not VolumeState.OK:
                assert key is not None
                assert ("fix_flow" in issues[key]) == (key in DECISIONS)
    assert set(_BY_STATE) == set(VolumeState) - {VolumeState.OK}
    assert set(issues) >= DECISIONS


async def test_causes_are_told_and_decisions_done(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_client: ClientSessionGenerator
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await until_online(home, entry, "Gate")
    coordinator = hub_of(home).coordinators[entry.entry_id]
    await until(lambda: coordinator.facility, what="figures of the disk")
    assert coordinator.facility is not None
    well: FacilityState = {**coordinator.facility, "volume": "ok", "volume_cause": "none", "hidden_files": 0}
    registry, client = ir.async_get(home), await hass_client()

    async def fix(issue_id: str) -> str:
        answer = await client.post("/api/repairs/issues/fix", json={"handler": DOMAIN, "issue_id": issue_id})
        flow = await answer.json()
        assert flow["description_placeholders"]["folder"] == well["archive"]
        answer = await client.post(f"/api/repairs/issues/fix/{flow['flow_id']}", json={})
        return str((await answer.json())["type"])

    issue_id = f"archive_{entry.entry_id}"
    coordinator.async_take_facility({**well, "volume": "missing", "volume_cause": "share_away"})
    issue = registry.async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert (issue.translation_key, issue.is_fixable) == ("share_away", False)
    for volume, key in (("low", "disk_few_inodes"), ("full", "disk_no_inodes")):
        coordinator.async_take_facility({**well, "volume": volume, "volume_cause": "no_inodes"})
        issue = registry.async_get_issue(DOMAIN, issue_id)
        assert issue is not None
        assert issue.translation_key == key
    coordinator.async_take_facility({**well, "volume": "error", "volume_cause": "older_copy"})
    issue = registry.async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert (issue.translation_key, issue.is_fixable) == ("archive_older_copy", True)
    assert await fix(issue_id) == "create_entry"
    coordinator.async_take_facility({**well, "hidden_files": 3, "hidden_bytes": 4_000_000_000})
    assert registry.async_get_issue(DOMAIN, issue_id) is None
    hidden = registry.async_get_issue(DOMAIN, f"footage_hidden_{entry.entry_id}")
    assert hidden is not None
    assert hidden.translation_placeholders is not None
    assert (hidden.translation_placeholders["files"], hidden.translation_placeholders["size"]) == ("3", "4.0")
    assert await fix(f"footage_hidden_{entry.entry_id}") == "create_entry"
    coordinator.async_take_facility(well)
    assert registry.async_get_issue(DOMAIN, f"footage_hidden_{entry.entry_id}") is None
