"""Adding a facility and its first camera in Home Assistant's own dialogues."""

from pathlib import Path

from playwright.async_api import Locator, expect
import pytest

from demo.site import HOST, PASSWORD, USERNAME
from tests.browser.conftest import Visitor

_WAIT = 30_000


@pytest.mark.parametrize("visitor", ["en-desktop", "vi-phone"], indirect=True)
async def test_a_facility_and_a_camera_are_added(visitor: Visitor, tmp_path: Path) -> None:
    camera = visitor.demo.site.cameras[0 if visitor.name.startswith("en") else 1]
    page, facility = visitor.page, f"Cơ sở thử {visitor.name}"
    dialog = page.locator("dialog-data-entry-flow")

    async def go_on(shown: str) -> None:
        """Keep what is seen, and press the button."""
        await visitor.shoot(f"set-up-{shown}")
        await dialog.locator("ha-dialog-footer ha-button").last.click()

    await visitor.go("/config/integrations/dashboard/add?domain=facility_cameras")
    await page.locator("dialog-box ha-dialog-footer ha-button").last.click(timeout=_WAIT)

    inputs = dialog.locator("input")
    await expect(inputs).to_have_count(4, timeout=_WAIT)
    await inputs.nth(0).fill(facility)
    await inputs.nth(1).fill("2")
    await inputs.nth(2).fill(USERNAME)
    await inputs.nth(3).fill(PASSWORD)
    await go_on("facility")

    await _choose(dialog, str(tmp_path / "footage"))
    await go_on("footage")
    await expect(dialog.locator("ha-markdown li").first).to_be_visible(timeout=_WAIT)
    await go_on("footage-confirm")

    # An address that nobody answers at is told so, and nothing is saved.
    await expect(inputs).to_have_count(3, timeout=_WAIT)
    await inputs.nth(0).fill(f"rtsp://{HOST}:1/sub")
    await go_on("camera")
    await expect(dialog.locator("ha-alert").first).to_be_visible(timeout=_WAIT)
    await visitor.shoot("set-up-camera-refused")

    await inputs.nth(0).fill(f"rtsp://{HOST}:{camera.rtsp_port}/sub")
    await go_on("camera-again")
    picture = dialog.locator("ha-markdown img").first
    await expect(picture).to_be_visible(timeout=_WAIT)
    await page.wait_for_function("image => image.naturalWidth > 0", arg=await picture.element_handle())
    await inputs.first.fill("Camera thử")
    await go_on("camera-confirm")
    await expect(dialog.locator("step-flow-create-entry")).to_be_attached(timeout=_WAIT)
    await visitor.shoot("set-up-done")

    async with visitor.demo.client() as client:
        entries = await client.get("/api/config/config_entries/entry?domain=facility_cameras")
        (entry,) = [entry for entry in entries if entry["title"] == facility]
        cameras = await client.call("config_entries/subentries/list", entry_id=entry["entry_id"])
        assert [found["title"] for found in cameras] == ["Camera thử"]
        await client.delete(f"/api/config/config_entries/entry/{entry['entry_id']}")


async def _choose(dialog: Locator, folder: str) -> None:
    """Type a folder that is not among the offered ones."""
    await dialog.locator("ha-picker-field").click(timeout=_WAIT)
    search = dialog.locator("ha-picker-combo-box input")
    await search.fill(folder)
    await dialog.locator("ha-picker-combo-box ha-combo-box-item").filter(has_text=folder).first.click(timeout=_WAIT)
    await expect(dialog.locator("ha-picker-field")).to_contain_text(folder)
