"""How the hub itself is: sensors for who wants them, repairs for what needs somebody, a copy of the ledger for backups."""

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
import sqlite3
from typing import Any, cast

from homeassistant.components.camera.const import DATA_COMPONENT as CAMERAS
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    get_system_health_info,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.facility_cameras import backup, hub_issues
from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.diagnostics import async_get_config_entry_diagnostics
from custom_components.facility_cameras.engine.api_health import HubHealth
from custom_components.facility_cameras.engine.api_ledger import LedgerProblem, LedgerState
from custom_components.facility_cameras.engine_client import EngineClient
from custom_components.facility_cameras.engine_process import EnginePaths
from tests.hub.stage import Simulator, camera_id, engines, entity_id, hub_of, set_up, state, until
from tests.hub.test_common_causes import cause
from tests.hub.test_rates import told

type Make = Callable[..., MockConfigEntry]

FIGURES = ("engine_cpu", "engine_lag", "engine_memory", "engine_handles")


def take_health(home: HomeAssistant, **more: Any) -> None:
    """The engine tells what it told last, but for this."""
    known = hub_of(home).state
    assert known.health is not None
    known.async_take_health(cast("HubHealth", {**known.health, **more}))


async def test_disabled_until_somebody_looks_and_then_told_in_steps(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    registry = er.async_get(home)
    entities = [entity_id(home, "sensor", entry.entry_id, key) for key in FIGURES]
    clock = entity_id(home, "binary_sensor", entry.entry_id, "clock_synchronised")
    for entity in (*entities, clock):
        found = registry.async_get(entity)
        assert found is not None
        assert found.disabled
        registry.async_update_entity(entity, disabled_by=None)
    await home.config_entries.async_reload(entry.entry_id)
    await home.async_block_till_done()
    await until(lambda: state(home, "sensor", entry.entry_id, "engine_memory") not in (None, "unknown"), what="known")
    assert float(str(state(home, "sensor", entry.entry_id, "engine_memory"))) >= 10
    assert int(str(state(home, "sensor", entry.entry_id, "engine_handles"))) >= 10

    take_health(home, cpu_percent=10.0, loop_lag_ms=20.0, memory_bytes=200_000_000, handles=100)
    written = [told(home, entity) for entity in entities]
    take_health(home, cpu_percent=10.4, loop_lag_ms=24.9, memory_bytes=204_000_000, handles=104)
    await home.async_block_till_done()
    assert not any(written), "what always moves a little is no row"
    take_health(home, cpu_percent=11.0, loop_lag_ms=30.0, memory_bytes=210_000_000, handles=110)
    assert [state(home, "sensor", entry.entry_id, key) for key in FIGURES] == ["11", "30", "210.0", "110"]
    for synchronised, shown in ((True, "on"), (False, "off"), (None, "unknown")):
        take_health(home, clock_synchronised=synchronised)
        assert state(home, "binary_sensor", entry.entry_id, "clock_synchronised") == shown
    hub_of(home).state.async_take_health(None)
    assert state(home, "sensor", entry.entry_id, "engine_cpu") == "unavailable"


@pytest.mark.parametrize("problem", [problem for problem in LedgerProblem if problem])
async def test_a_ledger_that_cannot_be_written_is_told_until_it_can(
    home: HomeAssistant,
    simulator: Simulator,
    make_facility: Make,
    hass_config_dir: str,
    monkeypatch: pytest.MonkeyPatch,
    problem: LedgerProblem,
) -> None:
    await set_up(home, make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]}))
    issues, asked, watched = ir.async_get(home), EngineClient.ledger, hub_issues.HubIssues(home, hub_of(home))
    await watched.async_look()
    assert issues.async_get_issue(DOMAIN, hub_issues.ISSUE_LEDGER) is None

    async def troubled(client: EngineClient) -> LedgerState:
        return {**await asked(client), "problem": problem.value, "dropped": 3}

    monkeypatch.setattr(EngineClient, "ledger", troubled)
    await watched.async_look()
    issue = issues.async_get_issue(DOMAIN, hub_issues.ISSUE_LEDGER)
    assert issue is not None
    assert issue.translation_key == problem.value
    assert issue.translation_placeholders == {"folder": str(EnginePaths.of(hass_config_dir).state)}
    assert await async_setup_component(home, "system_health", {})
    assert (await get_system_health_info(home, DOMAIN))["ledger"] == f"{problem.value}, 3 changes lost"
    monkeypatch.undo()
    await watched.async_look()
    assert issues.async_get_issue(DOMAIN, hub_issues.ISSUE_LEDGER) is None
    assert (await get_system_health_info(home, DOMAIN))["ledger"] == "ok"


async def test_a_clock_that_nothing_keeps_right_is_told_after_ten_minutes(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    await set_up(home, make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]}))
    issues, watched = ir.async_get(home), hub_issues.HubIssues(home, hub_of(home))

    async def look(synchronised: bool | None) -> bool:
        """Whether it is told of then."""
        take_health(home, clock_synchronised=synchronised)
        await watched.async_look()
        return issues.async_get_issue(DOMAIN, hub_issues.ISSUE_CLOCK) is not None

    assert not await look(False)
    assert not await look(True)
    for _ in range(10):
        assert not await look(False), "not for more than ten minutes yet, since it was right last"
    assert await look(False)
    assert await look(False)
    assert not await look(None), "where the system does not tell, nothing is claimed"


async def test_the_hub_is_looked_at_every_minute(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(home, make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]}))

    async def troubled(_client: EngineClient) -> LedgerState:
        return {"problem": LedgerProblem.FULL.value, "dropped": 0, "set_aside": "", "until": None}

    monkeypatch.setattr(EngineClient, "ledger", troubled)
    async_fire_time_changed(home, dt_util.utcnow() + hub_issues.EVERY + timedelta(seconds=1))
    issues = ir.async_get(home)
    await until(lambda: issues.async_get_issue(DOMAIN, hub_issues.ISSUE_LEDGER), what="it is told")


async def test_what_is_sent_to_whoever_helps(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    hub_of(home).state.async_take_cause(cause(entry, "Gate"))
    found = await async_get_config_entry_diagnostics(home, entry)
    assert found["engine"]["health"]["handles"] > 0
    assert found["ledger"]["problem"] == ""
    (known,) = found["common_causes"]
    assert known["likely"] == "recorder"
    assert "192.0.2" not in str(known)
    assert await async_setup_component(home, "system_health", {})
    said = await get_system_health_info(home, DOMAIN)
    assert said["common_causes"] == 1
    assert said["engine_memory"].endswith(" MB")
    assert said["clock"] in ("synchronised", "not synchronised", "unknown")


async def test_a_backup_holds_the_ledger_whole(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_config_dir: str
) -> None:
    await set_up(home, make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]}))
    snapshot = Path(hass_config_dir) / "facility_cameras" / backup.SNAPSHOT
    await backup.async_pre_backup(home)

    def states() -> list[str]:
        ledger = sqlite3.connect(f"file:{snapshot}?mode=ro", uri=True)
        try:
            return [row[0] for row in ledger.execute("SELECT status FROM state")]
        finally:
            ledger.close()

    assert "online" in await home.async_add_executor_job(states)
    await backup.async_post_backup(home)
    assert not snapshot.exists()
    await backup.async_post_backup(home)


async def test_a_backup_is_made_also_where_the_ledger_cannot_be_copied(
    home: HomeAssistant,
    simulator: Simulator,
    make_facility: Make,
    hass_config_dir: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await backup.async_pre_backup(home)
    await backup.async_post_backup(home)
    await set_up(home, make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]}))
    snapshot = Path(hass_config_dir) / "facility_cameras" / backup.SNAPSHOT
    # What is in its way cannot be replaced.
    snapshot.mkdir()
    (snapshot / "file").touch()
    await backup.async_pre_backup(home)
    assert "could not be copied for the backup" in caplog.text
    await backup.async_post_backup(home)
    assert "could not be removed" in caplog.text
    monkeypatch.setattr("custom_components.facility_cameras.engine_process._LAUNCHER", "/nowhere/launch.py")
    engines(hass_config_dir)[0].kill()
    await backup.async_pre_backup(home)
    await until(lambda: not hub_of(home).connected, what="the engine is away")
    await backup.async_pre_backup(home)


async def test_the_camera_writes_no_row_every_five_minutes(
    home: HomeAssistant,
    simulator: Simulator,
    make_facility: Make,
    hass_client_no_auth: ClientSessionGenerator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    camera = entity_id(home, "camera", camera_id(entry, "Gate"), "camera")
    written, shown, entity = told(home, camera), home.states.get(camera), home.data[CAMERAS].get_entity(camera)
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
    client, address = await hass_client_no_auth(), shown.attributes["entity_picture"]
    assert (await client.get(address)).status == HTTPStatus.OK
    assert (await client.get(address[:-4] + "0000")).status == HTTPStatus.FORBIDDEN
    # Not for ever.
    monkeypatch.setattr("custom_components.facility_cameras.camera._TOKEN_S", 0.0)
    await five_minutes()
    await five_minutes()
    assert len(written) == 2
    assert (await client.get(address)).status == HTTPStatus.FORBIDDEN
