"""A recording, found and played in Home Assistant's media browser."""

import re

from playwright.async_api import expect
import pytest

from tests.browser.conftest import Visitor, plays

_WAIT = 30_000


@pytest.mark.parametrize("visitor", ["en-desktop", "vi-phone"], indirect=True)
async def test_a_recording_plays_in_the_media_browser(visitor: Visitor) -> None:
    camera = next(camera for camera in visitor.demo.site.cameras if camera.codec == "h264")
    page = visitor.page
    await visitor.go("/media-browser/browser")
    for title in (re.compile("Facility Cameras|Camera cơ sở"), camera.facility, camera.name):
        await page.locator("ha-media-player-browse .child").filter(has_text=title).first.click(timeout=_WAIT)
    days = page.locator("ha-media-player-browse .child")
    await expect(days.first).to_contain_text(re.compile(r"\d{2}/\d{2}/\d{4}"), timeout=_WAIT)
    await visitor.shoot("media-days")
    await days.first.click()
    hours = page.locator("ha-media-player-browse .child").filter(has_text=re.compile(r"^\s*\d{2}:\d{2} – \d{2}:\d{2}"))
    await expect(hours.first).to_be_visible(timeout=_WAIT)
    await visitor.shoot("media-hours")
    await hours.last.hover()
    await hours.last.locator("ha-icon-button.play, .play").first.click()
    await plays(page)
    await visitor.shoot("playback")
