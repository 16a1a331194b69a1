"""Protected footage shows as such where footage is found: in the media browser, in a search, in what an action tells."""

from pathlib import Path
from typing import Any

from homeassistant.components.media_player.browse_media import SearchMediaQuery
from homeassistant.components.media_source import async_browse_media
from homeassistant.components.media_source.helper import async_search_media
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.facility_cameras import wording
from custom_components.facility_cameras.const import DOMAIN
from tests.hub.past import at
from tests.hub.stage import camera_id, entity_id, hub_of, until_awaited

SOURCE = "media-source://facility_cameras"


@pytest.fixture
async def hold(home: HomeAssistant, past: MockConfigEntry) -> dict[str, Any]:
    """Some minutes of the Gate are protected, from the middle of one to the end of another."""
    answer: Any = await home.services.async_call(
        DOMAIN,
        "protect",
        {
            "entity_id": entity_id(home, "camera", camera_id(past, "Gate"), "camera"),
            "start": at(14, 13, 30).isoformat(),
            "end": at(14, 15).isoformat(),
            "reason": "Biên bản 7",
        },
        blocking=True,
        return_response=True,
    )
    found: dict[str, Any] = answer["holds"][0]
    return found


@pytest.mark.parametrize(("language", "word"), [("en", "protected"), ("vi", "được bảo vệ")])
@pytest.mark.usefixtures("hold")
async def test_in_the_media_browser(home: HomeAssistant, past: MockConfigEntry, language: str, word: str) -> None:
    home.config.language = language
    await wording.async_load(home)

    def marked(item: Any) -> list[str]:
        return [one.title.removesuffix(f" · {word}") for one in item.children or [] if one.title.endswith(f" · {word}")]

    gate = f"{SOURCE}/{past.entry_id}/{camera_id(past, 'Gate')}"
    days = await async_browse_media(home, gate)
    assert [title.partition(",")[0] for title in marked(days)] == [f"{at(0):%d/%m/%Y}"]
    day = await async_browse_media(home, f"{gate}/day/{at(0):%Y-%m-%d}")
    assert marked(day) == ["14:00 – 15:00"]
    start = int(at(14).timestamp())
    hour = await async_browse_media(home, f"{gate}/{start}-{start + 3600}")
    # What ends when it begins, or begins when it ends, is not of it.
    assert [title.partition(" · ")[0] for title in marked(hour)] == ["14:12:00 – 14:20:00", "14:13:00", "14:14:00"]
    lobby = await async_browse_media(home, f"{SOURCE}/{past.entry_id}/{camera_id(past, 'Lobby')}")
    assert marked(lobby) == []


@pytest.mark.usefixtures("hold")
async def test_in_a_search(home: HomeAssistant, past: MockConfigEntry) -> None:
    async def find(text: str) -> list[str]:
        found = await async_search_media(home, f"{SOURCE}/{past.entry_id}", SearchMediaQuery(search_query=text))
        return [item.title for item in found.result if item.title.endswith(" · protected")]

    # An hour is played.
    (found,) = await find(f"{at(0):%Y-%m-%d} 14:02")
    assert found.startswith("Gate: 14:02:00")
    assert await find(f"{at(0):%Y-%m-%d} 14:16") == []


async def test_in_what_the_action_tells(home: HomeAssistant, past: MockConfigEntry, hold: dict[str, Any]) -> None:
    async def told(minute: int) -> list[Any]:
        answer: Any = await home.services.async_call(
            DOMAIN,
            "recordings",
            {
                "entity_id": entity_id(home, "camera", camera_id(past, "Gate"), "camera"),
                "start": at(14, minute).isoformat(),
                "end": at(14, minute + 1).isoformat(),
            },
            blocking=True,
            return_response=True,
        )
        protected: list[Any] = answer["cameras"][0]["protected"]
        return protected

    assert await told(14) == [
        {
            "start": at(14, 13, 30).isoformat(timespec="milliseconds"),
            "end": at(14, 15).isoformat(timespec="milliseconds"),
            "reason": "Biên bản 7",
            "hold_id": hold["id"],
        }
    ]
    assert await told(15) == []


def swap(folder: Path, name: Path) -> None:
    """A disk is pulled out, or plugged in."""
    folder.rename(name)


@pytest.mark.usefixtures("hold")
async def test_while_the_archive_is_away_nothing_is_marked(home: HomeAssistant, past: MockConfigEntry) -> None:
    archive = Path(past.data["archive"])
    swap(archive, archive.with_name("away"))
    client = hub_of(home).client

    async def gone() -> bool:
        (facility,) = await client.facilities()
        return facility["volume"] == "missing"

    try:
        await until_awaited(gone, what="the archive is away")

        async def empty() -> bool:
            gate = await async_browse_media(home, f"{SOURCE}/{past.entry_id}/{camera_id(past, 'Gate')}")
            return gate.children == []

        # That it is away is told before its index is closed.
        await until_awaited(empty, what="nothing is listed")
    finally:
        swap(archive.with_name("away"), archive)
