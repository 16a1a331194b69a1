"""A recording, found by hour and by time, and played in Home Assistant's media browser."""

from datetime import datetime, timedelta
import re
from zoneinfo import ZoneInfo

from playwright.async_api import Page, expect
import pytest

from tests.browser.conftest import Visitor, plays

_WAIT = 30_000
#: What is listed, as tiles or as lines.
_ITEM = "ha-media-player-browse .child, ha-media-player-browse ha-list-item"


async def open_camera(visitor: Visitor) -> Page:
    """Go down to the days of a camera."""
    camera = next(camera for camera in visitor.demo.site.cameras if camera.codec == "h264")
    page = visitor.page
    await visitor.go("/media-browser/browser")
    for title in (re.compile("Facility Cameras|Camera cơ sở"), camera.facility, camera.name):
        await page.locator(_ITEM).filter(has_text=title).first.click(timeout=_WAIT)
    await expect(page.locator(_ITEM).first).to_contain_text(re.compile(r"\d{2}/\d{2}/\d{4}"), timeout=_WAIT)
    return page


@pytest.mark.parametrize("visitor", ["en-desktop", "vi-phone"], indirect=True)
async def test_a_recording_plays_in_the_media_browser(visitor: Visitor) -> None:
    page = await open_camera(visitor)
    await visitor.shoot("media-days")
    await page.locator(_ITEM).first.click()
    hours = page.locator(_ITEM).filter(has_text=re.compile(r"^\s*\d{2}:\d{2} – \d{2}:\d{2}\s*$"))
    await expect(hours.first).to_be_visible(timeout=_WAIT)
    await visitor.shoot("media-hours")
    await hours.last.hover()
    await hours.last.locator("ha-icon-button.play, .play").first.click()
    await plays(page)
    await visitor.shoot("playback")


@pytest.mark.parametrize("visitor", ["en-phone", "vi-desktop"], indirect=True)
async def test_a_time_is_searched_for_and_played(visitor: Visitor) -> None:
    async with visitor.demo.client() as client:
        zone = (await client.get("/api/config"))["time_zone"]
    page = await open_camera(visitor)
    # Before anything was recorded: the nearest footage is found, and it is said that this is not what was asked for.
    asked = f"{datetime.now(ZoneInfo(zone)) - timedelta(days=1):%d/%m/%Y %H:%M}"
    search = page.locator("ha-media-player-browse input").first
    await search.fill(asked)
    await search.press("Enter")
    found = page.locator(_ITEM).filter(has_text=re.compile("no footage at|không có dữ liệu lúc"))
    await expect(found.first).to_be_visible(timeout=_WAIT)
    await visitor.shoot("media-search")
    await found.first.click()
    await plays(page)
    await visitor.shoot("playback-nearest")
