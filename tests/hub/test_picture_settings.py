"""How a camera's picture is looked at is chosen in its settings, and told to the engine."""

from collections.abc import Callable

from homeassistant.config_entries import SOURCE_RECONFIGURE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.facility_cameras.const import SUBENTRY_CAMERA
from custom_components.facility_cameras.coordinator import facility_config
from tests.hub.stage import Simulator, camera_id

type Make = Callable[..., MockConfigEntry]


async def test_how_the_picture_is_looked_at(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    gate = camera_id(entry, "Gate")
    flow = await home.config_entries.subentries.async_init(
        (entry.entry_id, SUBENTRY_CAMERA), context={"source": SOURCE_RECONFIGURE, "subentry_id": gate}
    )
    flow = await home.config_entries.subentries.async_configure(flow["flow_id"], {"next_step_id": "picture"})
    assert flow["type"] is FlowResultType.FORM
    done = await home.config_entries.subentries.async_configure(
        flow["flow_id"], {"sensitivity": "low", "changing_areas": ["top_right"]}
    )
    assert (done["type"], done["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    assert entry.subentries[gate].data["sensitivity"] == "low"
    wanted = facility_config(home, entry)["cameras"][0]
    assert wanted.get("sensitivity") == "low"
    assert wanted.get("mask") == [[0.5, 0.0, 0.5, 0.1]]
