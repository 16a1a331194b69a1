"""Home Assistant's own ONVIF integration sets up a simulated camera: flow, entry, camera entities, still."""

import pytest
from homeassistant.components.onvif.const import DOMAIN
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component

from tests.onvif_cameras import JPEG, StartCamera


@pytest.mark.parametrize("quirks", [(), ("O9",), ("O14",), ("O2",)], ids=lambda quirks: "-".join(quirks) or "decent")
async def test_home_assistant_sets_up_a_camera(
    hass: HomeAssistant, start_camera: StartCamera, quirks: tuple[str, ...]
) -> None:
    assert await async_setup_component(hass, "camera", {})
    camera, service = await start_camera(*quirks)
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"auto": False})
    flow = await hass.config_entries.flow.async_configure(
        flow["flow_id"],
        {
            "name": "Gate",
            "host": "127.0.0.1",
            "port": service.port,
            "username": camera.spec.username,
            "password": camera.password,
        },
    )
    assert flow["type"] is FlowResultType.CREATE_ENTRY, flow
    await hass.async_block_till_done()
    entry = hass.config_entries.async_entries(DOMAIN)[0]
    assert entry.state is ConfigEntryState.LOADED, entry.reason
    print(service.asked, hass.states.async_entity_ids())
