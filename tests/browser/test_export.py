"""Footage is exported with the button of a facility, in Home Assistant's own dialogues."""

from playwright.async_api import expect
import pytest

from tests.browser.conftest import Visitor

_WAIT = 30_000
_BUTTON = {"en": "Export footage", "vi": "Xuất dữ liệu ghi hình"}
_DONE = {"en": "Exported:", "vi": "Đã xuất:"}


@pytest.mark.parametrize("visitor", ["en-desktop", "vi-phone"], indirect=True)
async def test_footage_is_exported(visitor: Visitor) -> None:
    page = visitor.page
    language = visitor.name.partition("-")[0]
    dialog = page.locator("dialog-data-entry-flow")
    await visitor.go("/config/integrations/integration/facility_cameras")
    row = page.locator("ha-config-entry-row").first
    await expect(row).to_be_visible(timeout=_WAIT)
    await row.locator("ha-dropdown ha-icon-button").first.click()
    button = row.locator("ha-dropdown-item[value=subentry_export]").first
    await expect(button).to_contain_text(_BUTTON[language], timeout=_WAIT)
    await visitor.shoot("export-menu")
    await button.click()
    await expect(dialog.locator("ha-dialog-footer ha-button").last).to_be_visible(timeout=_WAIT)
    await visitor.shoot("export-form")
    await dialog.locator("ha-dialog-footer ha-button").last.click()
    await expect(dialog.get_by_text(_DONE[language])).to_be_visible(timeout=_WAIT)
    await visitor.shoot("export-done")
