"""Footage in the media browser, played and downloaded by who may."""

from collections.abc import Callable
from http import HTTPStatus
import io
from typing import Any
from urllib.parse import urljoin

from aiohttp import web
import av
from homeassistant.components.media_source import async_browse_media, async_resolve_media
from homeassistant.components.media_source.error import Unresolvable
from homeassistant.core import HomeAssistant
from homeassistant.helpers.http import HomeAssistantView
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator

from custom_components.facility_cameras.engine_client import EngineError
from tests.hub.stage import Simulator, camera_id, hub_of, until_awaited, until_online

type Make = Callable[..., MockConfigEntry]
SOURCE = "media-source://facility_cameras"


@pytest.fixture
async def recorded(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> MockConfigEntry:
    """A facility with some seconds of footage of one camera."""
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Gate")
    client = hub_of(home).client
    gate = camera_id(entry, "Gate")

    async def enough() -> bool:
        spans = await client.spans(gate, 0, 1 << 62)
        print(spans, await client.segments(gate, 0, 1 << 62), (await client.cameras()))
        return bool(spans) and spans[-1]["end"] - spans[0]["start"] > 1_500_000

    await until_awaited(enough, what="some footage")
    return entry


async def browse(home: HomeAssistant, item: str) -> list[Any]:
    found = await async_browse_media(home, item)
    return list(found.children or [])


async def test_facility_camera_day_hour_file(
    home: HomeAssistant, recorded: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    client = await hass_client()
    (facility,) = await browse(home, SOURCE)
    assert facility.title == "Trạm 1"
    (camera,) = await browse(home, facility.media_content_id)
    assert camera.title == "Gate"
    days = await browse(home, camera.media_content_id)
    hours = [hour for day in days for hour in await browse(home, day.media_content_id)]
    assert all(item.can_play for item in (*days, *hours))
    files = await browse(home, hours[-1].media_content_id)
    assert files

    now = int(dt_util.utcnow().timestamp())
    gate = camera_id(recorded, "Gate")
    await until_awaited(lambda: _playable(home, gate, now), what="enough footage for a playlist")

    # A whole hour as one playlist, with nothing but the token to show.
    media = await async_resolve_media(home, hours[-1].media_content_id, None)
    assert media.mime_type == "application/x-mpegURL"
    answer = await client.get(media.url)
    assert answer.status == HTTPStatus.OK
    assert answer.content_type == "application/x-mpegurl"
    text = await answer.text()
    assert text.startswith("#EXTM3U")
    lines = text.splitlines()
    init = next(line.split('"')[1] for line in lines if line.startswith("#EXT-X-MAP"))
    assert (await client.get(urljoin(media.url, init))).status == HTTPStatus.OK
    place = next(number for number, line in enumerate(lines) if line.startswith("segment-"))
    length, _, offset = lines[place - 1].removeprefix("#EXT-X-BYTERANGE:").partition("@")
    answer = await client.get(
        urljoin(media.url, lines[place]),
        headers={"Range": f"bytes={offset}-{int(offset) + int(length) - 1}", "Authorization": ""},
    )
    assert answer.status == HTTPStatus.PARTIAL_CONTENT
    assert len(await answer.read()) == int(length)

    # What the token does not open.
    token = media.url.split("/")[4]
    assert (await client.get(media.url.replace(token, "guessed"))).status == HTTPStatus.NOT_FOUND
    assert (await client.get(urljoin(media.url, "segment-999999.mp4"))).status == HTTPStatus.NOT_FOUND
    assert (await client.get(urljoin(media.url, "segment-..%2F..%2Fsecrets.mp4"))).status >= HTTPStatus.BAD_REQUEST


async def _playable(home: HomeAssistant, camera: str, now: int) -> bool:
    try:
        await hub_of(home).client.playlist(camera, (now - 3600) * 1_000_000, (now + 3600) * 1_000_000)
    except EngineError:
        return False
    return True


async def test_a_file_downloads_as_mp4(
    home: HomeAssistant,
    recorded: MockConfigEntry,
    hass_client: ClientSessionGenerator,
    hass_client_no_auth: ClientSessionGenerator,
    hass_ws_client: WebSocketGenerator,
) -> None:
    client = await hass_client_no_auth()
    gate = camera_id(recorded, "Gate")
    now = int(dt_util.utcnow().timestamp())
    (file, *_) = await browse(home, f"{SOURCE}/{recorded.entry_id}/{gate}/{now - 3600}-{now + 60}")
    websocket = await hass_ws_client()
    await websocket.send_json_auto_id({"type": "media_source/resolve_media", "media_content_id": file.media_content_id})
    result = (await websocket.receive_json())["result"]
    assert result["mime_type"] == "video/mp4"
    answer = await client.get(result["url"])
    assert answer.status == HTTPStatus.OK
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="Gate_')
    with av.open(io.BytesIO(await answer.read()), "r") as container:
        frames = len([packet for packet in container.demux(video=0) if packet.size])
    assert frames > 0
    unsigned = result["url"].partition("?")[0]
    assert (await client.get(unsigned)).status == HTTPStatus.UNAUTHORIZED


async def test_who_may_not_see_a_camera_does_not_see_its_footage(
    home: HomeAssistant,
    recorded: MockConfigEntry,
    hass_read_only_user: MockUser,
    hass_client: ClientSessionGenerator,
    hass_ws_client: WebSocketGenerator,
) -> None:
    class Browse(HomeAssistantView):
        """As an action that is called over HTTP browses: media_player.browse_media."""

        url, name = "/api/test/browse", "api:test:browse"

        async def get(self, _request: web.Request) -> web.Response:
            return web.json_response([item.title for item in await browse(home, SOURCE)])

    home.http.register_view(Browse())
    hass_read_only_user.mock_policy({"entities": {"entity_ids": {"camera.another": True}}})
    refresh = await home.auth.async_create_refresh_token(hass_read_only_user, "http://client")
    token = home.auth.async_create_access_token(refresh)
    client = await hass_client(token)
    websocket = await hass_ws_client(home, token)
    gate = camera_id(recorded, "Gate")
    now = int(dt_util.utcnow().timestamp())

    async def ask(kind: str, item: str) -> dict[str, Any]:
        await websocket.send_json_auto_id({"type": f"media_source/{kind}", "media_content_id": item})
        answer: dict[str, Any] = await websocket.receive_json()
        return answer

    root = await ask("browse_media", SOURCE)
    assert root["result"]["children"] == []
    path = f"{SOURCE}/{recorded.entry_id}/{gate}"
    assert not (await ask("browse_media", path))["success"]
    assert not (await ask("browse_media", f"{SOURCE}/{recorded.entry_id}"))["success"], "not even its name"
    assert not (await ask("resolve_media", f"{path}/{now - 60}-{now}"))["success"]
    (segment, *_) = await hub_of(home).client.segments(gate, 0, 1 << 62)
    answer = await client.get(f"/api/facility_cameras/segment/{gate}/{segment['id']}.mp4")
    assert answer.status == HTTPStatus.FORBIDDEN

    assert await (await client.get("/api/test/browse")).json() == []
    assert await (await (await hass_client()).get("/api/test/browse")).json() == ["Trạm 1"]


async def test_a_token_opens_one_camera(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"], "Yard": simulator.cameras["Yard"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Gate", "Yard")
    client = await hass_client_no_auth()
    now = int(dt_util.utcnow().timestamp())
    media = await async_resolve_media(
        home, f"{SOURCE}/{entry.entry_id}/{camera_id(entry, 'Gate')}/{now - 600}-{now + 600}", None
    )
    for title, status in (("Gate", HTTPStatus.OK), ("Yard", HTTPStatus.NOT_FOUND)):
        (segment, *_) = await hub_of(home).client.segments(camera_id(entry, title), 0, 1 << 62)
        answer = await client.get(urljoin(media.url, f"segment-{segment['id']}.mp4"))
        assert answer.status == status, title


async def test_what_is_not_there(home: HomeAssistant, recorded: MockConfigEntry) -> None:
    gate = camera_id(recorded, "Gate")
    for prefix in (SOURCE, f"{SOURCE}/{recorded.entry_id}", f"{SOURCE}/{recorded.entry_id}/{gate}"):
        for item in (
            "",
            "/x",
            "/x/y",
            "/x/y/0-1",
            "/../..",
            "/x/y/day/2026-99-99",
            "/x/y/1-0/z",
            "/5-4",
            "/day/1-1-1",
            "/0-99999999999",
            "/segment/" + "9" * 5000,
            "/day/0001-01-01/x",
            "/day/9999-12-31",
        ):
            with pytest.raises(Unresolvable):
                await async_resolve_media(home, f"{prefix}{item}", None)
