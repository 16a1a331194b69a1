"""Home Assistant's own ONVIF integration adds a simulated camera: flow, entry, device, entities, still, stream."""

from homeassistant.components.camera import async_get_image, async_get_stream_source
from homeassistant.components.onvif.const import DOMAIN
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
import pytest

from tests.onvif_cameras import JPEG, RTSP_PORT, StartCamera, Started


async def add(hass: HomeAssistant, started: Started, password: str | None = None) -> dict[str, object]:
    """What a person does in the UI; the flow's last answer."""
    assert await async_setup_component(hass, "camera", {})
    flow = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {"auto": False})
    answer = await hass.config_entries.flow.async_configure(
        flow["flow_id"],
        {
            "name": "Gate",
            "host": started.service.host,
            "port": started.service.port,
            "username": started.camera.spec.username,
            "password": password or started.camera.password,
        },
    )
    await hass.async_block_till_done()
    return dict(answer)


# Home Assistant knows WS-Security alone, corrects no clock, believes the addresses it is told and wants XML by the
# book: other quirks are too much for it.
@pytest.mark.parametrize("quirks", [(), ("O1",), ("O2",), ("O9",), ("O9-html",), ("O14",), ("O6-hidden",)])
async def test_home_assistant_adds_a_camera(
    hass: HomeAssistant, start_camera: StartCamera, quirks: tuple[str, ...]
) -> None:
    started = await start_camera(*quirks)
    assert (await add(hass, started))["type"] is FlowResultType.CREATE_ENTRY
    entry = hass.config_entries.async_entries(DOMAIN)[0]
    assert entry.state is ConfigEntryState.LOADED, entry.reason
    assert entry.unique_id == started.camera.spec.mac
    [device] = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert (device.manufacturer, device.model) == (started.camera.spec.maker, started.camera.spec.model)
    assert (await async_get_image(hass, "camera.gate_main")).content == JPEG
    source = await async_get_stream_source(hass, "camera.gate_main")
    assert source == f"rtsp://admin:Sim-cam3ra@127.0.0.1:{RTSP_PORT}/main"
    assert ("CreatePullPointSubscription", "") in started.service.asked
    assert started.service.lock.failures == 0


async def test_home_assistant_is_told_that_the_password_is_wrong(
    hass: HomeAssistant, start_camera: StartCamera
) -> None:
    answer = await add(hass, await start_camera(), "not the one")
    assert answer["errors"] == {"password": "auth_failed"}


async def test_home_assistant_needs_media1(hass: HomeAssistant, start_camera: StartCamera) -> None:
    answer = await add(hass, await start_camera("O6-media2"))
    assert answer["type"] is FlowResultType.FORM
