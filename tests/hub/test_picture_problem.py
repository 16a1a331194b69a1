"""Whether something is wrong with a camera's picture, and the button that says that its new view is right."""

from collections.abc import Callable
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from tests.hub.stage import Simulator, camera_id, entity_id, state
from tests.hub.told import Told

type Make = Callable[..., MockConfigEntry]


def picture(status: str, cause: str) -> dict[str, Any]:
    return {"status": status, "cause": cause, "confidence": 0.93, "since": 1_763_000_000_000_000, "evidence": "e1"}


async def test_picture_problem(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    entry = make_facility("Trạm 1", {"Cổng": simulator.cameras["Gate"]})
    told = await Told.by_hand(home, entry)
    gate = camera_id(entry, "Cổng")

    def shown() -> str | None:
        return state(home, "binary_sensor", gate, "picture_problem")

    assert shown() == "off"
    for status in ("frozen", "black", "covered", "moved"):
        cause = f"picture_{status}"
        told.tell(gate, status=status, problem={"cause": cause, "placeholders": {}}, picture=picture(status, cause))
        assert shown() == "on"
        attributes = home.states.get(entity_id(home, "binary_sensor", gate, "picture_problem")).attributes  # type: ignore[union-attr]
        assert attributes["kind"] == status
        assert attributes["cause"] == cause
        assert attributes["problem"]
        assert attributes["confidence"] == 0.9
        assert attributes["since"] == "2025-11-13T02:13:20+00:00"
        assert attributes["evidence"] == "e1"
    told.offline(gate)
    assert shown() == "unknown", "nobody knows what it would show, whatever it showed before"
    told.online(gate)
    assert shown() == "off"
    plate = {"cause": "picture_plate", "placeholders": {}}
    told.tell(gate, status="no_stream", problem=plate)
    assert shown() == "on", "a recorder shows its plate"
    told.tell(gate, status="no_stream", problem={"cause": "path_not_found", "placeholders": {}})
    assert shown() == "unknown"
    told.tell(gate, status="unstable", picture=picture("black", "picture_black"))
    assert shown() == "on", "lost again and again, and black"
    told.lose_engine()
    assert shown() == "unknown"


async def test_new_view_is_said_while_the_camera_is_moved(
    home: HomeAssistant, simulator: Simulator, make_facility: Make
) -> None:
    entry = make_facility("Trạm 1", {"Cổng": simulator.cameras["Gate"]})
    told = await Told.by_hand(home, entry)
    gate = camera_id(entry, "Cổng")
    assert state(home, "button", gate, "new_view") == "unavailable"
    told.tell(gate, status="moved", problem={"cause": "picture_moved", "placeholders": {}})
    assert state(home, "button", gate, "new_view") == "unknown"
    button = {"entity_id": entity_id(home, "button", gate, "new_view")}
    await told.hub.client.delete_facility(entry.entry_id)
    with pytest.raises(HomeAssistantError) as refused:
        await home.services.async_call("button", "press", button, blocking=True)
    assert refused.value.translation_key == "new_view_refused"
    told.online(gate)
    assert state(home, "button", gate, "new_view") == "unavailable"
