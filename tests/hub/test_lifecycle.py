"""The engine: started, attached to, replaced, started again, told to leave. Recording goes on through all of it."""

from collections.abc import Callable
import os
from pathlib import Path
import signal

from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import EVENT_HOMEASSISTANT_STOP
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import psutil
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import yarl

from custom_components.facility_cameras import engine_process
from custom_components.facility_cameras.engine_client import EngineAwayError, EngineClient
from custom_components.facility_cameras.engine_process import EngineProcess
from custom_components.facility_cameras.hub import Hub
from tests.hub.stage import (
    Simulator,
    add_camera,
    camera_id,
    engines,
    hub_of,
    state,
    until,
    until_awaited,
    until_online,
)

type Make = Callable[..., MockConfigEntry]


async def set_up(home: HomeAssistant, entry: MockConfigEntry, *titles: str) -> None:
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, *titles)


async def test_starts_detached_without_secrets(
    home: HomeAssistant,
    simulator: Simulator,
    make_facility: Make,
    hass_config_dir: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SUPERVISOR_TOKEN", "supervisor-token-of-this-test")
    await set_up(home, make_facility("A", {"Gate": simulator.cameras["Gate"]}), "Gate")
    (engine,) = engines(hass_config_dir)
    assert os.getsid(engine.pid) == engine.pid, "a session of its own: it outlives Home Assistant's"
    told = " ".join([*engine.cmdline(), *(f"{name}={value}" for name, value in engine.environ().items())])
    assert "supervisor-token-of-this-test" not in told
    hub = hub_of(home)
    url = hub.restream_url("camera")
    assert url is not None
    assert str(yarl.URL(url).password) not in told
    assert simulator.cameras["Gate"].login["password"] not in told
    assert hub.process.paths.socket.parent.stat().st_mode & 0o777 == 0o700


async def test_reload_leaves_recording_alone(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_config_dir: str
) -> None:
    entry = make_facility("A", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry, "Gate")
    before = (engines(hass_config_dir)[0].pid, simulator.about("Gate")["packets_sent"])
    await home.config_entries.async_reload(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Gate")
    assert engines(hass_config_dir)[0].pid == before[0]
    await until(lambda: simulator.about("Gate")["packets_sent"] > before[1], what="the same session goes on")
    assert state(home, "sensor", camera_id(entry, "Gate"), "reconnects") == "0"


async def test_adding_and_changing_one_camera_touches_no_other(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("A", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry, "Gate")
    sent = simulator.about("Gate")["packets_sent"]
    yard = add_camera(home, entry, "Yard", simulator.cameras["Yard"])
    await home.async_block_till_done()
    await until_online(home, entry, "Gate", "Yard")
    home.config_entries.async_update_subentry(entry, entry.subentries[yard], title="Sân sau")
    await home.async_block_till_done()
    camera = home.states.get(next(iter(home.states.async_entity_ids("camera"))))
    assert camera is not None
    await until_online(home, entry, "Gate", "Sân sau")
    home.config_entries.async_remove_subentry(entry, yard)
    await home.async_block_till_done()
    await until(lambda: simulator.about("Yard")["sessions"] == 0, what="the removed camera is left alone")
    about = simulator.about("Gate")
    assert about["sessions"] == 1
    assert about["packets_sent"] > sent


async def test_last_facility_disabled_ends_the_engine(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_config_dir: str
) -> None:
    first = make_facility("A", {"Gate": simulator.cameras["Gate"]})
    second = make_facility("B", {"Yard": simulator.cameras["Yard"]})
    await set_up(home, first, "Gate")
    await home.async_block_till_done()
    await until_online(home, second, "Yard")
    await home.config_entries.async_set_disabled_by(first.entry_id, ConfigEntryDisabler.USER)
    await until(lambda: simulator.about("Gate")["sessions"] == 0, what="its camera is left alone")
    assert len(engines(hass_config_dir)) == 1
    assert state(home, "binary_sensor", camera_id(second, "Yard"), "connectivity") == "on"
    await home.config_entries.async_remove(second.entry_id)
    await until(lambda: not engines(hass_config_dir), what="the engine left")
    await home.config_entries.async_set_disabled_by(first.entry_id, None)
    await home.async_block_till_done()
    await until_online(home, first, "Gate")


async def test_killed_engine_is_started_again(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_config_dir: str
) -> None:
    entry = make_facility("A", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry, "Gate")
    hub = hub_of(home)
    gate = camera_id(entry, "Gate")
    url = hub.restream_url(gate)
    (engine,) = engines(hass_config_dir)
    engine.send_signal(signal.SIGKILL)
    await until(lambda: hub.starts == 2 and hub.connected, what="started again")
    await until_online(home, entry, "Gate")
    assert hub.restream_url(gate) == url, "viewers keep their address"


async def test_engine_outlives_home_assistant_and_is_attached_to(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_config_dir: str
) -> None:
    entry = make_facility("A", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry, "Gate")
    gate = camera_id(entry, "Gate")
    hub = hub_of(home)
    url = hub.restream_url(gate)
    home.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    await home.async_block_till_done()
    (engine,) = engines(hass_config_dir)
    sent = simulator.about("Gate")["packets_sent"]
    again = Hub(home)
    assert await again.async_ready(20)
    assert again.starts == 0
    assert again.info is not None
    assert again.info["pid"] == engine.pid
    assert again.restream_url(gate) != url, "a secret of its own"
    assert simulator.about("Gate")["packets_sent"] >= sent
    await again.client.leave()
    await again.async_stop()


async def test_another_build_is_replaced(
    home: HomeAssistant,
    simulator: Simulator,
    make_facility: Make,
    hass_config_dir: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = make_facility("A", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry, "Gate")
    await hub_of(home).async_stop()
    (old,) = engines(hass_config_dir)
    monkeypatch.setattr(engine_process, "build_id", lambda: "a newer build")
    again = Hub(home)
    # The engine's own answer stays what it is, so this hub never takes it for its own: one replacement is what counts.
    again.async_start()
    await until(lambda: again.starts == 1 and again.connected, what="replaced")
    assert not old.is_running() or old.status() == psutil.STATUS_ZOMBIE
    await again.async_stop()


async def test_facilities_removed_meanwhile_are_dropped(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("A", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry, "Gate")
    client = hub_of(home).client
    await client.put_facility(
        {
            "id": "gone",
            "name": "Gone",
            "archive": entry.data["archive"],
            "archive_id": entry.data["archive_id"],
            "days_to_keep": 7,
            "quota_bytes": 0,
            "least_days": 0,
            "zone": "UTC",
            "cameras": [],
        }
    )
    await hub_of(home).async_stop()
    again = Hub(home)
    again.coordinators.update(hub_of(home).coordinators)
    assert await again.async_ready(20)

    async def dropped() -> bool:
        return [facility["id"] for facility in await again.client.facilities()] == [entry.entry_id]

    await until_awaited(dropped, what="only what has an entry is left")
    await again.client.leave()
    await again.async_stop()


async def test_engine_that_cannot_start_is_told(
    home: HomeAssistant, make_facility: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "launch.py"
    broken.write_text("raise SystemExit('no engine here')")
    monkeypatch.setattr(engine_process, "_LAUNCHER", broken)
    monkeypatch.setattr("custom_components.facility_cameras._READY_S", 3.0)
    entry = make_facility("A", {})
    await home.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    await until(
        lambda: ir.async_get(home).async_get_issue("facility_cameras", "engine_not_running"), what="people are told"
    )


async def test_a_foreign_folder_is_refused(home: HomeAssistant, tmp_path: Path) -> None:
    process = EngineProcess(str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = process.paths.socket.parent
    folder.symlink_to(elsewhere)
    try:
        with pytest.raises(engine_process.EngineStartError):
            process.prepare()
    finally:
        folder.unlink()
    assert len(os.fsencode(process.paths.socket)) < 108
    client = EngineClient(process.paths.socket)
    with pytest.raises(EngineAwayError):
        await client.info()
    await client.close()


async def test_a_mistake_of_ours_does_not_end_the_watch(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, caplog: pytest.LogCaptureFixture
) -> None:
    entry = make_facility("A", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry, "Gate")
    hub = hub_of(home)

    def fails() -> None:
        stop()
        raise RuntimeError("a listener's mistake")

    stop = hub.coordinators[entry.entry_id].async_listen(camera_id(entry, "Gate"), fails)
    simulator.fault("Gate", "gone")
    await until(lambda: "a listener's mistake" in caplog.text, what="the mistake is logged")
    caplog.clear()
    simulator.mend()
    await until_online(home, entry, "Gate")
    assert hub.starts == 1
