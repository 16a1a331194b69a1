"""Footage of days ago is found in the media browser by day, hour and searched time, in the facility's own zone."""

from datetime import datetime, timedelta
from http import HTTPStatus
import io
import re
from typing import Any

import av
from homeassistant.components.media_player.browse_media import SearchMediaQuery
from homeassistant.components.media_player.errors import BrowseError
from homeassistant.components.media_source import async_browse_media, async_resolve_media
from homeassistant.components.media_source.error import Unresolvable
from homeassistant.components.media_source.helper import async_search_media
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator

from custom_components.facility_cameras import wording
from custom_components.facility_cameras.engine.api_footage import Gap
from custom_components.facility_cameras.footage_gaps import reasons_of
from tests.hub.past import DAY, SAIGON, at
from tests.hub.stage import camera_id, entity_id

SOURCE = "media-source://facility_cameras"


def us(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


def path_of(entry: MockConfigEntry, title: str) -> str:
    return f"{SOURCE}/{entry.entry_id}/{camera_id(entry, title)}"


async def test_days_hours_and_gaps(home: HomeAssistant, past: MockConfigEntry) -> None:
    camera = await async_browse_media(home, path_of(past, "Gate"))
    assert camera.title == "Gate (Asia/Ho_Chi_Minh)"
    days = list(camera.children or [])
    first, last = at(0, days=-2), at(0, days=-1)
    assert [item.title.partition(",")[0] for item in days] == [
        f"{at(24):%d/%m/%Y}",
        f"{at(0):%d/%m/%Y}",
        f"{first:%d/%m/%Y} – {last:%d/%m/%Y} no footage",
        f"{at(0, days=-3):%d/%m/%Y}",
    ]
    assert [item.can_play for item in days] == [True, True, False, True]

    day = await async_browse_media(home, days[1].media_content_id)
    assert day.title.endswith("(Asia/Ho_Chi_Minh)")
    assert [item.title for item in day.children or []] == [
        "The day in two minutes",
        "00:00 – 14:00 no footage",
        "14:00 – 15:00",
        "14:05 – 14:12 no footage",
        "14:20 – 23:55 no footage",
        "23:00 – 00:00",
    ]
    hour = await async_browse_media(home, (day.children or [])[2].media_content_id)
    titles = [item.title for item in hour.children or []]
    assert titles[:4] == [
        "14:00:00 – 14:05:00",
        "14:05 – 14:12 no footage",
        "14:12:00 – 14:20:00",
        "14:20 – 15:00 no footage",
    ]
    assert [title.partition(" ")[0] for title in titles[4:]] == [
        f"14:{minute:02}:00" for minute in (*range(5), *range(12, 20))
    ]
    lobby = await async_browse_media(home, f"{path_of(past, 'Lobby')}/day/{DAY:%Y-%m-%d}")
    assert [item.title for item in lobby.children or []] == [
        "The day in two minutes",
        "14:00 – 15:00 · H.265",
        "14:03 – 00:00 no footage",
    ]


async def test_h265_is_offered_as_h264(
    home: HomeAssistant, past: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator
) -> None:
    client = await hass_client_no_auth()
    start = int(at(14).timestamp())
    hour = await async_browse_media(home, f"{path_of(past, 'Lobby')}/{start}-{start + 3600}")
    preview = (hour.children or [])[0]
    assert preview.title == "H.264, for a browser that does not play H.265"
    media = await async_resolve_media(home, preview.media_content_id, None)
    answer = await client.get(media.url)
    assert answer.status == HTTPStatus.OK
    assert (await answer.text()).startswith("#EXTM3U")
    hour = await async_browse_media(home, f"{path_of(past, 'Gate')}/{start}-{start + 3600}")
    assert not any("H.264" in item.title for item in hour.children or []), "it is H.264"


async def find(home: HomeAssistant, item: str, text: str) -> list[Any]:
    return list((await async_search_media(home, item, SearchMediaQuery(search_query=text))).result)


async def begins(home: HomeAssistant, client: Any, item: str) -> tuple[datetime, str]:
    """When the first picture of an item is of, and its playlist."""
    media = await async_resolve_media(home, item, None)
    answer = await client.get(media.url)
    assert answer.status == HTTPStatus.OK
    text = await answer.text()
    found = re.search(r"^#EXT-X-PROGRAM-DATE-TIME:(.*)$", text, re.MULTILINE)
    assert found
    late = re.search(r"^#EXT-X-START:TIME-OFFSET=([\d.]+)", text, re.MULTILINE)
    return datetime.fromisoformat(found[1]) + timedelta(seconds=float(late[1]) if late else 0), text


async def test_a_time_is_searched_for(
    home: HomeAssistant, past: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator
) -> None:
    client = await hass_client_no_auth()
    gate, lobby = await find(home, SOURCE, f"{DAY:%d/%m} 14:02:30")
    assert gate.title == f"Trạm 1 · Gate: 14:02:30 {DAY:%d/%m/%Y}"
    assert lobby.title == f"Trạm 1 · Lobby: 14:02:30 {DAY:%d/%m/%Y} · H.265"
    assert (await begins(home, client, gate.media_content_id))[0] == at(14, 2, 30)
    (gate,) = await find(home, path_of(past, "Gate"), f"{DAY:%Y-%m-%d} 14:02")
    assert (await begins(home, client, gate.media_content_id))[0] == at(14, 2)
    # Below a day, a time is that day's.
    (gate,) = await find(home, f"{path_of(past, 'Gate')}/day/{DAY:%Y-%m-%d}", "14h03")
    assert (await begins(home, client, gate.media_content_id))[0] == at(14, 3)
    with pytest.raises(BrowseError, match="23/11 14:30"):
        await find(home, SOURCE, "where is the gate")


async def test_a_time_without_footage_finds_the_nearest(
    home: HomeAssistant, past: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator
) -> None:
    client = await hass_client_no_auth()
    gate = path_of(past, "Gate")
    for asked, played in (
        (at(14, 10), at(14, 12)),
        (at(14, 6), at(14, 4)),  # the last minute before
        (at(8, 0, days=-9), at(9, 0, days=-3)),
        (datetime.now(SAIGON), at(24, 4)),
    ):
        (found,) = await find(home, gate, f"{asked:%Y-%m-%d %H:%M}")
        assert "no footage at" in found.title
        assert f"plays from {played:%H:%M:%S %d/%m/%Y}" in found.title
        assert (await begins(home, client, found.media_content_id))[0] == played
        # The same for who asks for that time by its id, also without length.
        seconds = int(asked.timestamp())
        for end in (seconds, seconds + 60):
            assert (await begins(home, client, f"{gate}/{seconds}-{end}"))[0] == played
    # Edges: 1 ms before a file begins is told in seconds here, so: the second before it, and the last second of one.
    start, end = int(at(14, 12).timestamp()), int(at(14, 20).timestamp())
    for first, last, played in ((start - 1, start + 5, at(14, 12)), (end - 1, end + 5, at(14, 19, 59))):
        assert (await begins(home, client, f"{gate}/{first}-{last}"))[0] == played


async def test_a_gap_tells_that_it_is_one(home: HomeAssistant, past: MockConfigEntry) -> None:
    day = await async_browse_media(home, f"{path_of(past, 'Gate')}/day/{DAY:%Y-%m-%d}")
    gap = next(item for item in day.children or [] if item.title == "14:05 – 14:12 no footage")
    assert not gap.can_play
    assert not gap.can_expand
    # The frontend tries to play what cannot be opened: nothing else may be shown under this title.
    date = f"{DAY:%d/%m/%Y}"
    told = f"14:05 – 14:12 no footage. Footage before it ends at 14:05:00 {date}, after it begins at 14:12:00 {date}."
    with pytest.raises(Unresolvable, match=re.escape(told)):
        await async_resolve_media(home, gap.media_content_id, None)
    with pytest.raises(Unresolvable, match="not there"):
        await async_resolve_media(home, f"{path_of(past, 'Gate')}/gap/1-x", None)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ("camera offline", "engine not running")), ("vi", ("camera mất kết nối", "bộ xử lý không chạy"))],
)
async def test_reasons_are_told_in_words(home: HomeAssistant, language: str, words: tuple[str, str]) -> None:
    home.config.language = language
    await wording.async_load(home)
    reasons: list[Gap] = [
        {"start": 0, "end": 10, "reason": "down", "cause": ""},
        {"start": 10, "end": 40, "reason": "offline", "cause": "no_answer"},
        {"start": 40, "end": 99, "reason": "lost", "cause": ""},
    ]
    assert reasons_of(home, reasons, 5, 40) == words, "the longest first"
    assert reasons_of(home, reasons, 100, 200) == ()


async def test_a_span_over_a_gap_plays_both_sides(
    home: HomeAssistant, past: MockConfigEntry, hass_client_no_auth: ClientSessionGenerator
) -> None:
    client = await hass_client_no_auth()
    start, end = int(at(14, 3).timestamp()), int(at(14, 14).timestamp())
    _, text = await begins(home, client, f"{path_of(past, 'Gate')}/{start}-{end}")
    assert text.count("#EXT-X-DISCONTINUITY") == 1
    assert sum(float(duration) for duration in re.findall(r"#EXTINF:([\d.]+),", text)) == 4 * 60
    for segment in set(re.findall(r"segment-\d+\.mp4", text)):
        media = await async_resolve_media(home, f"{path_of(past, 'Gate')}/{start}-{end}", None)
        answer = await client.get(media.url.replace("playlist.m3u8", segment))
        assert answer.status == HTTPStatus.OK, segment


async def test_who_may_not_see_a_camera_does_not_find_it(
    home: HomeAssistant, past: MockConfigEntry, hass_read_only_user: MockUser, hass_ws_client: WebSocketGenerator
) -> None:
    hass_read_only_user.mock_policy({"entities": {"entity_ids": {"camera.another": True}}})
    refresh = await home.auth.async_create_refresh_token(hass_read_only_user, "http://client")
    websocket = await hass_ws_client(home, home.auth.async_create_access_token(refresh))
    for item, allowed in ((SOURCE, True), (f"{SOURCE}/{past.entry_id}", False), (path_of(past, "Gate"), False)):
        await websocket.send_json_auto_id(
            {"type": "media_source/search_media", "media_content_id": item, "search_query": f"{DAY:%d/%m} 14:02"}
        )
        answer = await websocket.receive_json()
        assert answer["success"] is allowed, item
        assert not allowed or answer["result"] == {"result": []}


async def test_who_may_see_one_camera_finds_that_one(
    home: HomeAssistant, past: MockConfigEntry, hass_read_only_user: MockUser, hass_ws_client: WebSocketGenerator
) -> None:
    lobby = entity_id(home, "camera", camera_id(past, "Lobby"), "camera")
    hass_read_only_user.mock_policy({"entities": {"entity_ids": {lobby: True}}})
    refresh = await home.auth.async_create_refresh_token(hass_read_only_user, "http://client")
    websocket = await hass_ws_client(home, home.auth.async_create_access_token(refresh))
    await websocket.send_json_auto_id(
        {"type": "media_source/search_media", "media_content_id": SOURCE, "search_query": f"{DAY:%d/%m} 14:02"}
    )
    (found,) = (await websocket.receive_json())["result"]["result"]
    assert found["title"].startswith("Trạm 1 · Lobby: ")


async def test_a_file_is_named_in_the_facilitys_zone(
    home: HomeAssistant, past: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    client = await hass_client()
    start = int(at(14, 12).timestamp())
    item = await async_browse_media(home, f"{path_of(past, 'Gate')}/{start}-{start + 60}")
    media = await async_resolve_media(home, (item.children or [])[0].media_content_id, None)
    answer = await client.get(media.url)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="Gate_{DAY:%Y%m%d}_141200+0700.mp4"'


async def test_pictures_of_what_was_recorded(
    home: HomeAssistant, past: MockConfigEntry, hass_client: ClientSessionGenerator, hass_read_only_user: MockUser
) -> None:
    day = await async_browse_media(home, f"{path_of(past, 'Gate')}/day/{DAY:%Y-%m-%d}")
    hour = next(item for item in day.children or [] if item.title == "14:00 – 15:00")
    assert hour.thumbnail == f"/api/facility_cameras/thumbnail/{camera_id(past, 'Gate')}/{us(at(14))}.jpg"
    client = await hass_client()
    answer = await client.get(hour.thumbnail)
    assert answer.status == HTTPStatus.OK
    assert answer.content_type == "image/jpeg"
    assert (await answer.read()).startswith(b"\xff\xd8")
    assert (await client.get(hour.thumbnail.replace(str(us(at(14))), "0"))).status == HTTPStatus.NOT_FOUND
    assert (await client.get(hour.thumbnail.replace(camera_id(past, "Gate"), "other"))).status == HTTPStatus.NOT_FOUND
    hass_read_only_user.mock_policy({"entities": {"entity_ids": {"camera.another": True}}})
    refresh = await home.auth.async_create_refresh_token(hass_read_only_user, "http://client")
    client = await hass_client(home.auth.async_create_access_token(refresh))
    assert (await client.get(hour.thumbnail)).status == HTTPStatus.FORBIDDEN


async def test_a_day_in_two_minutes(
    home: HomeAssistant, past: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    client = await hass_client()
    day = await async_browse_media(home, f"{path_of(past, 'Gate')}/day/{DAY:%Y-%m-%d}")
    film = (day.children or [])[0]
    assert film.title == "The day in two minutes"
    media = await async_resolve_media(home, film.media_content_id, None)
    assert media.mime_type == "video/mp4"
    answer = await client.get(media.url)
    assert answer.status == HTTPStatus.OK
    with av.open(io.BytesIO(await answer.read()), "r") as container:
        assert len(list(container.decode(video=0))) == 18, "one key picture a minute"
    empty = int(at(0, days=-1).timestamp())
    for item, sentence in (
        ("2026-99-99", "not there"),
        (f"{empty}-{empty + 3600}", f"from {at(0, days=-1):%d/%m/%Y} 00:00:00"),
    ):
        with pytest.raises(Unresolvable, match=sentence):
            await async_resolve_media(home, f"{path_of(past, 'Gate')}/film/{item}", None)
