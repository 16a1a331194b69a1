"""The dashboard and the live view, as people in both languages see them on a desk and on a phone."""

from playwright.async_api import expect
import pytest

from tests.browser.conftest import Visitor, plays

EVERYBODY = ["en-desktop", "en-phone", "vi-desktop", "vi-phone"]
DASHBOARD = "/facility-cameras/cameras"


@pytest.mark.parametrize("visitor", EVERYBODY, indirect=True)
async def test_every_camera_is_shown_with_its_picture(visitor: Visitor) -> None:
    await visitor.go(DASHBOARD)
    cards = visitor.page.locator("hui-picture-entity-card")
    await expect(cards).to_have_count(len(visitor.demo.site.cameras), timeout=60_000)
    for number in range(await cards.count()):
        card = cards.nth(number)
        await card.scroll_into_view_if_needed()
        picture = card.locator("img").first
        await expect(picture).to_be_visible(timeout=30_000)
        await visitor.page.wait_for_function("image => image.naturalWidth > 0", arg=await picture.element_handle())
    await cards.first.scroll_into_view_if_needed()
    await visitor.shoot("dashboard")
    overflow = await visitor.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0, "the page is wider than the screen"


@pytest.mark.parametrize("visitor", ["en-desktop", "vi-phone"], indirect=True)
async def test_live_view_plays(visitor: Visitor) -> None:
    camera = next(camera for camera in visitor.demo.site.cameras if camera.codec == "h264")
    await visitor.go(DASHBOARD)
    card = visitor.page.locator("hui-picture-entity-card").filter(has_text=camera.name)
    await card.click(timeout=60_000)
    await plays(visitor.page)
    await visitor.shoot("live")
