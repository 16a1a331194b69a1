"""The dashboard and the live view, as people in both languages see them on a desk and on a phone."""

from playwright.async_api import expect
import pytest

from tests.browser.conftest import Visitor, plays

EVERYBODY = ["en-desktop", "en-phone", "vi-desktop", "vi-phone"]
DASHBOARD = "/facility-cameras/cameras"
#: True once so many cards show a picture. Scrolls to one that does not: pictures out of sight are not loaded.
_ALL_PICTURES = """wanted => {
    const below = root => [...root.querySelectorAll("*")].flatMap(
        node => [node, ...(node.shadowRoot ? below(node.shadowRoot) : [])]);
    const cards = below(document).filter(node => node.localName === "hui-picture-entity-card");
    const empty = cards.filter(card => !below(card.shadowRoot).some(node => node.naturalWidth > 0));
    empty[0]?.scrollIntoView();
    return cards.length === wanted && !empty.length;
}"""


@pytest.mark.parametrize("visitor", EVERYBODY, indirect=True)
async def test_every_camera_is_shown_with_its_picture(visitor: Visitor) -> None:
    await visitor.go(DASHBOARD)
    cameras = len(visitor.demo.site.cameras)
    await expect(visitor.page.locator("hui-picture-entity-card")).to_have_count(cameras, timeout=60_000)
    # Looked for anew each time: the dashboard is built again when a camera comes, goes, or is renamed.
    await visitor.page.wait_for_function(_ALL_PICTURES, arg=cameras, timeout=60_000, polling=500)
    await visitor.page.locator("hui-heading-card").first.scroll_into_view_if_needed()
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
