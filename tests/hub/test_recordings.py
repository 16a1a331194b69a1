"""The action that tells what footage there is, in the facility's own zone, to who may see it."""

from datetime import UTC, timedelta
from typing import Any

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ServiceValidationError, Unauthorized
from homeassistant.helpers import device_registry as dr
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser

from custom_components.facility_cameras.const import DOMAIN
from tests.hub.past import DAY, at
from tests.hub.stage import camera_id, entity_id


async def ask(home: HomeAssistant, context: Context | None = None, **data: Any) -> list[Any]:
    answer = await home.services.async_call(
        DOMAIN, "recordings", data, blocking=True, return_response=True, context=context
    )
    assert answer is not None
    cameras = answer["cameras"]
    assert isinstance(cameras, list)
    return cameras


async def test_what_there_is_of_a_facility(home: HomeAssistant, past: MockConfigEntry) -> None:
    facility = dr.async_get(home).async_get_device_by_identifier((DOMAIN, past.entry_id), past.entry_id)
    assert facility is not None
    # Without a zone: what the facility's clocks show, though Home Assistant is elsewhere.
    gate, lobby = await ask(
        home, device_id=facility.id, start=f"{DAY:%Y-%m-%d} 14:01:00", end=f"{DAY:%Y-%m-%d} 15:00:00"
    )
    assert {key: gate[key] for key in gate if key not in ("bytes", "spans")} == {
        "entity_id": entity_id(home, "camera", camera_id(past, "Gate"), "camera"),
        "camera": "Gate",
        "facility": "Trạm 1",
        "time_zone": "Asia/Ho_Chi_Minh",
        "start": f"{DAY:%Y-%m-%d}T14:01:00.000+07:00",
        "end": f"{DAY:%Y-%m-%d}T15:00:00.000+07:00",
        "gaps": [],
        "protected": [],
        "more": False,
        "recorded_seconds": 12 * 60,
        "files": 12,
        "completeness": None,
    }
    assert gate["spans"] == [
        {
            "start": f"{DAY:%Y-%m-%d}T14:{start}:00.000+07:00",
            "end": f"{DAY:%Y-%m-%d}T14:{end}:00.000+07:00",
            "codec": "h264",
        }
        for start, end in (("01", "05"), ("12", "20"))
    ]
    assert gate["bytes"] > 0
    assert lobby["camera"] == "Lobby"
    assert [span["codec"] for span in lobby["spans"]] == ["h265"]


async def test_times_with_a_zone_and_up_to_now(home: HomeAssistant, past: MockConfigEntry) -> None:
    lobby = entity_id(home, "camera", camera_id(past, "Lobby"), "camera")
    (found,) = await ask(home, entity_id=lobby, start=at(14, 2).astimezone(UTC).isoformat())
    assert found["start"] == at(14, 2).isoformat(timespec="milliseconds")
    assert found["recorded_seconds"] == 60


async def test_what_is_refused(home: HomeAssistant, past: MockConfigEntry, hass_read_only_user: MockUser) -> None:
    gate = entity_id(home, "camera", camera_id(past, "Gate"), "camera")
    for start, end in ((at(14), at(14)), (at(14), at(13)), (at(0), at(0) + timedelta(days=31, seconds=1))):
        with pytest.raises(ServiceValidationError, match="31 days"):
            await ask(home, entity_id=gate, start=start.isoformat(), end=end.isoformat())
    with pytest.raises(ServiceValidationError, match="No camera"):
        await ask(home, entity_id="camera.other", start=at(14).isoformat())
    hass_read_only_user.mock_policy({"entities": {"entity_ids": {"camera.another": True}}})
    with pytest.raises(Unauthorized):
        await ask(home, Context(user_id=hass_read_only_user.id), entity_id=gate, start=at(14).isoformat())
