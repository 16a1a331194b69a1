"""Online rates and outages as entities: what the ledger knows, told once and in steps that tell something."""

import asyncio
from collections.abc import Callable
from copy import deepcopy
from datetime import datetime, timedelta
import math
from typing import Any

from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.facility_cameras.engine.api_ledger import FacilityRates, Outage
from custom_components.facility_cameras.engine_client import EngineClient
from tests.hub.stage import (
    Simulator,
    camera_id,
    entity_id,
    hub_of,
    set_up,
    state,
    until,
    until_awaited,
)

type Make = Callable[..., MockConfigEntry]


async def known_rates(home: HomeAssistant, entry: MockConfigEntry) -> FacilityRates:
    """What the engine tells of the facility, once it has observed it."""
    found: FacilityRates

    async def observed() -> bool:
        nonlocal found
        found = await hub_of(home).client.facility_rates(entry.entry_id)
        return all(one["today"]["observed_s"] > 0 for one in found["cameras"])

    await until_awaited(observed, what="something observed")
    return found


def told(home: HomeAssistant, entity: str) -> list[dict[str, Any]]:
    """Every state that an entity writes from now on: its attributes."""
    found: list[dict[str, Any]] = []

    @callback
    def take(event: Event[EventStateChangedData]) -> None:
        if event.data["entity_id"] == entity and event.data["new_state"] is not None:
            found.append(dict(event.data["new_state"].attributes))

    home.bus.async_listen("state_changed", take)
    return found


async def test_an_outage_is_in_the_figures_and_told_once_as_begun_and_as_ended(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"], "Yard": simulator.cameras["Yard"]})
    await set_up(home, entry)
    gate, yard = camera_id(entry, "Gate"), camera_id(entry, "Yard")
    await until(lambda: state(home, "sensor", yard, "online_rate_today") not in ("unknown", None), what="a rate")
    outages, others = (told(home, entity_id(home, "event", one, "outage")) for one in (gate, yard))
    simulator.fault("Gate", "gone")
    await until(lambda: outages, what="the outage began")
    began = outages[0]
    assert began["event_type"] == "began"
    assert began["to"] is None
    assert "127.0.0.1" in began["problem"]
    simulator.mend()
    await until(lambda: len(outages) > 1, what="the outage ended", timeout=40)
    ended = outages[1]
    assert ended["event_type"] == "ended"
    assert ended["from"] == began["from"]
    assert ended["problem"] == began["problem"]
    assert ended["cause"] == ended["causes"][0] == began["cause"]
    lasted = (datetime.fromisoformat(ended["to"]) - datetime.fromisoformat(ended["from"])).total_seconds()
    assert abs(ended["seconds"] + ended["unknown_seconds"] - lasted) <= 2

    def longest() -> float:
        shown = home.states.get(entity_id(home, "sensor", gate, "longest_outage"))
        assert shown is not None
        assert shown.attributes["unit_of_measurement"] == "min"
        return float(shown.state) * 60 if shown.state != "unknown" else 0.0

    assert abs(longest() - ended["seconds"]) <= 1.5
    found = await known_rates(home, entry)
    rate = math.floor(found["cameras"][0]["today"]["online_s"] / found["cameras"][0]["today"]["observed_s"] * 1000) / 10
    assert rate < 100
    assert float(str(state(home, "sensor", gate, "online_rate_today"))) == pytest.approx(rate, abs=15)
    assert state(home, "sensor", yard, "online_rate_today") == "100.0"
    assert state(home, "sensor", yard, "longest_outage") == "0.0"
    assert float(str(state(home, "sensor", entry.entry_id, "online_rate_week"))) < 100
    assert not others
    await home.async_block_till_done()
    assert len(outages) == 2


def outage(start: int, *, lasts: bool, end: int = 0) -> Outage:
    """One as the ledger tells it; whole seconds."""
    return {
        "start": start * 1_000_000,
        "end": (end or start + 60) * 1_000_000,
        "lasts": lasts,
        "away_s": float((end or start + 60) - start),
        "unknown_s": 0.0,
        "statuses": ["unreachable"],
        "causes": ["no_answer", "connection_refused"],
        "details": [],
        "evidence": [],
    }


async def test_the_rate_is_cut_and_what_is_unknown_is_rounded_up(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    found = await known_rates(home, entry)
    coordinator = hub_of(home).coordinators[entry.entry_id]

    def show(online_s: float, observed_s: float, required_s: float) -> tuple[str | None, dict[str, Any]]:
        told = deepcopy(found)
        today = told["cameras"][0]["today"]
        today["online_s"], today["observed_s"] = online_s, observed_s
        today["required_s"], today["unknown_s"] = required_s, required_s - observed_s
        coordinator.async_take_rates(told)
        shown = home.states.get(entity_id(home, "sensor", gate, "online_rate_today"))
        assert shown is not None
        return shown.state, dict(shown.attributes)

    assert show(9_999.0, 10_000.0, 10_000.0)[0] == "99.9", "100 is only what is whole"
    assert show(10_000.0, 10_000.0, 10_000.0)[0] == "100.0"
    value, attributes = show(9_000.0, 9_000.0, 9_000.5)
    assert (value, attributes["unknown"]) == ("100.0", 0.1), "none is only what is none"
    assert show(9_000.0, 9_000.0, 9_000.0)[1]["unknown"] == 0.0
    value, attributes = show(0.0, 0.0, 500.0)
    assert (value, attributes["unknown"]) == ("unknown", 100.0), "nothing is told of what nobody observed"
    told = deepcopy(found)
    told["cameras"][0]["today"]["collecting"] = True
    coordinator.async_take_rates(told)
    shown = home.states.get(entity_id(home, "sensor", gate, "online_rate_today"))
    assert shown is not None
    assert shown.attributes["collecting"] is True
    coordinator.async_set_connected(False)
    assert state(home, "sensor", gate, "online_rate_today") == "unknown"
    assert state(home, "sensor", entry.entry_id, "online_rate_today") == "unknown"
    assert state(home, "sensor", entry.entry_id, "worst_camera") == "unknown"
    assert state(home, "sensor", gate, "longest_outage") == "unknown"
    coordinator.async_set_connected(True)
    assert state(home, "sensor", gate, "online_rate_today") == "unknown", "not before it was asked again"
    assert state(home, "sensor", entry.entry_id, "online_rate_today") == "unknown"


async def test_what_would_be_noise_is_told_in_steps_or_disabled(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    month = er.async_get(home).async_get(entity_id(home, "sensor", gate, "online_rate_month"))
    assert month is not None
    assert month.disabled
    assert state(home, "sensor", entry.entry_id, "online_rate_month") is not None
    found = await known_rates(home, entry)
    coordinator = hub_of(home).coordinators[entry.entry_id]
    written = told(home, entity_id(home, "sensor", gate, "longest_outage"))
    for minute in range(1, 12 * 60):
        lasting = deepcopy(found)
        lasting["cameras"][0]["week"]["longest_outage_s"] = minute * 60.0
        lasting["cameras"][0]["last_outage"] = outage(1_000, lasts=True)
        coordinator.async_take_rates(lasting)
    await home.async_block_till_done()
    assert len(written) < 150, "twelve hours"
    over = deepcopy(found)
    over["cameras"][0]["week"]["longest_outage_s"] = 43_211.0
    over["cameras"][0]["last_outage"] = outage(1_000, lasts=False)
    coordinator.async_take_rates(over)
    assert float(str(state(home, "sensor", gate, "longest_outage"))) * 60 == pytest.approx(43_211, abs=0.1), "exactly"


async def test_the_worst_cameras_of_a_facility(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"], "Yard": simulator.cameras["Yard"]})
    await set_up(home, entry)
    found = await known_rates(home, entry)
    coordinator = hub_of(home).coordinators[entry.entry_id]
    coordinator.async_take_rates({**found, "worst": []})
    assert state(home, "sensor", entry.entry_id, "worst_camera") == "none"
    told = deepcopy(found)
    for one in told["cameras"]:
        share = 0.5 if one["id"] == camera_id(entry, "Yard") else 0.75
        one["week"]["online_s"], one["week"]["observed_s"] = share * 1_000, 1_000.0
    told["worst"] = [camera_id(entry, "Yard"), camera_id(entry, "Gate"), "removed meanwhile"]
    coordinator.async_take_rates(told)
    shown = home.states.get(entity_id(home, "sensor", entry.entry_id, "worst_camera"))
    assert shown is not None
    assert shown.state == "Yard"
    assert shown.attributes["worst"] == [
        {"camera": "Yard", "online_rate": 50.0},
        {"camera": "Gate", "online_rate": 75.0},
    ]


async def test_what_was_told_of_an_outage_is_remembered(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    found = await known_rates(home, entry)
    event = entity_id(home, "event", gate, "outage")
    written = told(home, event)

    def take(last: Outage | None) -> list[str]:
        told = deepcopy(found)
        told["cameras"][0]["last_outage"] = last
        before = len(written)
        hub_of(home).coordinators[entry.entry_id].async_take_rates(told)
        return [one["event_type"] for one in written[before:]]

    assert take(outage(1_000, lasts=True)) == ["began"]
    assert take(outage(1_000, lasts=True, end=1_090)) == []
    await home.config_entries.async_reload(entry.entry_id)
    await home.async_block_till_done()
    shown = home.states.get(event)
    assert shown is not None
    assert shown.attributes["event_type"] == "began"
    assert take(outage(1_000, lasts=True, end=1_100)) == [], "told before Home Assistant began anew"
    assert take(outage(1_000, lasts=False, end=1_150)) == ["ended"]
    assert written[-1]["seconds"] == 150
    assert written[-1]["causes"] == ["no_answer", "connection_refused"]
    assert take(outage(1_000, lasts=False, end=1_150)) == []
    assert take(outage(2_000, lasts=False)) == ["ended"], "began and ended between two looks: once, whole"
    assert take(outage(3_000, lasts=True)) == ["began"]


async def test_an_outage_that_was_over_before_anybody_looked_is_not_told(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    asked = EngineClient.facility_rates

    async def with_an_outage(client: EngineClient, facility_id: str) -> FacilityRates:
        found = await asked(client, facility_id)
        found["cameras"][0]["last_outage"] = outage(1_000, lasts=False)
        return found

    monkeypatch.setattr(EngineClient, "facility_rates", with_an_outage)
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    coordinator = hub_of(home).coordinators[entry.entry_id]
    await until(lambda: coordinator.rates is not None, what="asked")
    await home.async_block_till_done()
    assert state(home, "event", gate, "outage") == "unknown"
    found = await known_rates(home, entry)
    found["cameras"][0]["last_outage"] = outage(2_000, lasts=False)
    coordinator.async_take_rates(found)
    assert state(home, "event", gate, "outage") != "unknown"


@pytest.mark.parametrize("language", ["en", "vi"])
async def test_the_status_says_what_is_wrong(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, language: str
) -> None:
    await home.config.async_update(language=language)
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    shown = home.states.get(entity_id(home, "sensor", gate, "status"))
    assert shown is not None
    assert (shown.attributes["cause"], shown.attributes["problem"]) == ("none", "")
    assert shown.attributes["since"]
    simulator.fault("Gate", "gone")
    await until(lambda: state(home, "binary_sensor", gate, "connectivity") == "off", what="Gate offline")
    shown = home.states.get(entity_id(home, "sensor", gate, "status"))
    assert shown is not None
    assert "127.0.0.1" in shown.attributes["problem"]
    words = {"en": "check", "vi": "kiểm tra"}
    assert words[language] in shown.attributes["problem"].casefold()


async def test_asked_again_and_again_but_never_while_the_engine_is_away(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    gate = camera_id(entry, "Gate")
    found = await known_rates(home, entry)
    coordinator = hub_of(home).coordinators[entry.entry_id]
    asked: list[str] = []
    waiting = asyncio.Event()

    async def answer(_client: EngineClient, facility_id: str) -> FacilityRates:
        asked.append(facility_id)
        await waiting.wait()
        return found

    async def minute(number: int) -> int:
        before = len(asked)
        async_fire_time_changed(home, dt_util.utcnow() + timedelta(seconds=61 * number))
        # What is under way is not waited for.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return len(asked) - before

    monkeypatch.setattr(EngineClient, "facility_rates", answer)
    # The fired time ends the connection to the engine too: what is known then is told here.
    monkeypatch.setattr(type(coordinator), "async_set_connected", lambda *_: None)
    assert await minute(1) == 1
    assert await minute(2) == 0, "the first has no answer yet"
    waiting.set()
    await home.async_block_till_done()
    assert await minute(3) == 1
    assert state(home, "sensor", gate, "online_rate_today") != "unknown"
    coordinator.connected = False
    assert await minute(4) == 0


async def test_space_on_large_disks_is_told_in_thousandths(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    await set_up(home, entry)
    coordinator = hub_of(home).coordinators[entry.entry_id]
    known = await until(lambda: coordinator.facility, what="figures of the disk")
    written = told(home, entity_id(home, "sensor", entry.entry_id, "free_space"))
    for gigabytes in range(5_000, 4_900, -1):
        state = known.copy()
        state["total_bytes"], state["free_bytes"] = 10_000_000_000_000, gigabytes * 1_000_000_000
        coordinator.async_take_facility(state)
    assert 10 <= len(written) <= 12
