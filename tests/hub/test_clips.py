"""Clips of footage as automations ask for them: files, media ids and signed addresses, for who may see the camera."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
import io
import os
from pathlib import Path
import re
import time
from typing import Any
from urllib.parse import urljoin

import av
from homeassistant.components.media_source import async_resolve_media
from homeassistant.components.media_source.error import Unresolvable
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError, Unauthorized
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser, async_fire_time_changed
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
import voluptuous as vol

from custom_components.facility_cameras import clips, views
from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.engine.api_footage import ClipCause, ClipRequest
from tests.hub.stage import Simulator, camera_id, entity_id, hub_of, until, until_awaited, until_online
from tests.repository.source import translation

type Make = Callable[..., MockConfigEntry]
US = 1_000_000


@pytest.fixture
async def recorded(home: HomeAssistant, simulator: Simulator, make_facility: Make) -> MockConfigEntry:
    """A facility with some seconds of footage of one camera."""
    await home.config.async_set_time_zone("Asia/Ho_Chi_Minh")
    entry = make_facility("Trạm 1", {"Cổng chính": simulator.cameras["Gate"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Cổng chính")
    gate = camera_id(entry, "Cổng chính")

    async def enough() -> bool:
        spans = await hub_of(home).client.spans(gate, 0, 1 << 62)
        return bool(spans) and spans[-1]["end"] - spans[0]["start"] > 3_500_000

    await until_awaited(enough, what="some footage")
    return entry


async def begin_of(home: HomeAssistant, entry: MockConfigEntry) -> datetime:
    """When the footage begins."""
    (segment, *_) = await hub_of(home).client.segments(camera_id(entry, "Cổng chính"), 0, 1 << 62)
    return datetime.fromtimestamp(segment["start"] / US, UTC)


async def ask(
    home: HomeAssistant, entry: MockConfigEntry, context: Context | None = None, action: str = "clip", **data: Any
) -> dict[str, Any]:
    entity = entity_id(home, "camera", camera_id(entry, "Cổng chính"), "camera")
    answer = await home.services.async_call(
        DOMAIN, action, {"entity_id": entity, **data}, blocking=True, return_response=True, context=context
    )
    assert isinstance(answer, dict)
    return answer


async def gate_closed(home: HomeAssistant, recorded: MockConfigEntry) -> str:
    """The gate is recorded no longer, and its file is closed; returns its id."""
    client, gate = hub_of(home).client, camera_id(recorded, "Cổng chính")

    async def closed() -> bool:
        return not (await client.segments(gate, 0, 1 << 62))[0]["open"]

    home.config_entries.async_update_subentry(
        recorded, recorded.subentries[gate], data={**recorded.subentries[gate].data, "record": False}
    )
    await until_awaited(closed, what="a closed file")
    return gate


async def test_a_clip_for_an_automation(
    home: HomeAssistant,
    recorded: MockConfigEntry,
    hass_client: ClientSessionGenerator,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    begun = await begin_of(home, recorded)
    # In Home Assistant's zone, as a technician types it.
    local = (begun + timedelta(seconds=1)).astimezone(dt_util.get_default_time_zone())
    answer = await ask(
        home, recorded, start=f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond:06}", duration={"seconds": 2}
    )
    path = Path(answer["path"])
    # Home Assistant lets notifiers read what lies below a media folder.
    assert path.is_relative_to(home.config.media_dirs["local"])
    assert path.name.startswith("cong-chinh-")
    assert "_UTC+07_" in path.name
    assert f"{local:%Y-%m-%d}" in path.name
    assert answer["start"].endswith("+07:00")
    assert answer["gaps"] == []
    (file,) = answer["files"]
    assert {key: file[key] for key in ("path", "codec", "width", "height")} == {
        "path": str(path), "codec": "h264", "width": 640, "height": 360,
    }  # fmt: skip
    with av.open(str(path)) as container:
        # Ten pictures and a key picture a second.
        assert 20 <= len(list(container.decode(video=0))) <= 31

    # The signed address, whole and in ranges, with nothing else to show.
    anybody = await hass_client_no_auth()
    got = await anybody.get(answer["url"])
    assert got.status == HTTPStatus.OK
    assert await got.read() == _content(path)
    got = await anybody.get(answer["url"], headers={"Range": "bytes=4-7"})
    assert (got.status, await got.read()) == (HTTPStatus.PARTIAL_CONTENT, b"ftyp")
    assert (await anybody.get(answer["url"].partition("?")[0])).status == HTTPStatus.UNAUTHORIZED

    # The media id.
    media = await async_resolve_media(home, answer["media_content_id"], None)
    assert media.mime_type == "video/mp4"
    client = await hass_client()
    assert (await client.get(media.url)).status == HTTPStatus.OK

    # What there is not.
    gate = camera_id(recorded, "Cổng chính")
    for wrong in (f"{gate}/none.mp4", f"{gate}/%2Fetc%2Fpasswd", f"none/{path.name}"):
        assert (await client.get(f"/api/facility_cameras/clip/{wrong}")).status == HTTPStatus.NOT_FOUND
    for wrong in ("none.mp4", "..", "../secrets.yaml"):
        with pytest.raises(Unresolvable):
            await async_resolve_media(home, f"media-source://{DOMAIN}/{recorded.entry_id}/{gate}/clip/{wrong}", None)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


@pytest.mark.parametrize("action", ["clip", "film"])
async def test_the_camera_as_target(home: HomeAssistant, recorded: MockConfigEntry, action: str) -> None:
    """An automation may name it as target, which makes a list of it. Two are no camera."""
    camera = entity_id(home, "camera", camera_id(recorded, "Cổng chính"), "camera")
    when: dict[str, Any] = {"start": await begin_of(home, recorded), "duration": {"seconds": 2}}
    answer: Any = await home.services.async_call(
        DOMAIN, action, when, blocking=True, return_response=True, target={"entity_id": [camera]}
    )
    assert answer["files"]
    with pytest.raises(vol.Invalid):
        await ask(home, recorded, action=action, **when | {"entity_id": [camera, camera]})


async def test_up_to_now(home: HomeAssistant, recorded: MockConfigEntry) -> None:
    """What was received a moment ago is in it, and what is still to come is a gap."""
    now = dt_util.utcnow()
    answer = await ask(home, recorded, start=now - timedelta(seconds=2), end=now + timedelta(hours=1))
    assert datetime.fromisoformat(answer["end"]) > now - timedelta(seconds=0.5)
    (gap,) = answer["gaps"]
    assert gap["start"] == answer["end"]


async def test_no_footage_names_the_nearest(home: HomeAssistant, recorded: MockConfigEntry) -> None:
    await gate_closed(home, recorded)
    begun = (await begin_of(home, recorded)).astimezone(dt_util.get_default_time_zone())
    with pytest.raises(HomeAssistantError) as refused:
        await ask(home, recorded, start="2021-06-04 08:00:00", end="2021-06-04 08:10:00")
    assert refused.value.translation_key == "clip_no_footage"
    given = refused.value.translation_placeholders or {}
    text = translation("vi")["exceptions"]["clip_no_footage"]["message"].format(**given)
    assert "từ 04/06/2021 08:00:00 đến 04/06/2021 08:10:00" in text
    assert f"từ {begun:%d/%m/%Y %H:%M:%S}" in text


async def test_a_film_as_action_and_in_the_media_browser(
    home: HomeAssistant, recorded: MockConfigEntry, hass_client: ClientSessionGenerator
) -> None:
    begun = await begin_of(home, recorded)
    answer = await ask(home, recorded, action="film", start=begun, end=begun + timedelta(seconds=3))
    assert answer["path"].endswith("_film.mp4")
    with av.open(answer["path"]) as container:
        assert len(list(container.decode(video=0))) == 3
    with pytest.raises(ServiceValidationError):
        await ask(home, recorded, action="film", start=begun, duration={"days": 33})

    client, gate = await hass_client(), camera_id(recorded, "Cổng chính")
    start = int(begun.timestamp())
    source = f"media-source://{DOMAIN}/{recorded.entry_id}/{gate}/film"
    media = await async_resolve_media(home, f"{source}/{start}-{start + 3}", None)
    got = await client.get(media.url)
    assert (got.status, media.mime_type) == (HTTPStatus.OK, "video/mp4")
    film = home.config.media_dirs["local"] + "/" + clips._FOLDER + f"/{gate}/" + media.url.rpartition("/")[2]
    made = _written(film)
    # Kept for the next who asks, and made again once it is gone, or was made while its time was not over.
    assert (await async_resolve_media(home, f"{source}/{start}-{start + 3}", None)).url == media.url
    assert _written(film) == made
    await home.async_add_executor_job(Path(film).unlink)
    await async_resolve_media(home, f"{source}/{start}-{start + 3}", None)
    assert _written(film)
    with pytest.raises(Unresolvable):
        await async_resolve_media(home, f"{source}/1000-2000", None)
    with pytest.raises(Unresolvable):
        await async_resolve_media(home, f"{source}/1000-x", None)


def _written(path: str) -> int:
    return Path(path).stat().st_ctime_ns


async def test_a_preview_plays_while_it_grows(
    home: HomeAssistant, simulator: Simulator, make_facility: Make, hass_client_no_auth: ClientSessionGenerator
) -> None:
    entry = make_facility("Trạm 1", {"Lobby": simulator.cameras["Lobby"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await home.async_block_till_done()
    await until_online(home, entry, "Lobby")
    lobby, client = camera_id(entry, "Lobby"), hub_of(home).client

    async def enough() -> bool:
        return (await client.cameras())[0]["recorded_s"] > 5

    await until_awaited(enough, what="some footage")
    begun = (await client.segments(lobby, 0, 1 << 62))[0]["start"] // US
    source = f"media-source://{DOMAIN}/{entry.entry_id}/{lobby}/preview"
    media = await async_resolve_media(home, f"{source}/{begun}-{begun + 6}", None)
    assert media.mime_type == "application/x-mpegURL"
    anybody = await hass_client_no_auth()

    async def whole() -> bool:
        got = await anybody.get(media.url)
        return got.status == HTTPStatus.OK and "#EXT-X-ENDLIST" in await got.text()

    await until_awaited(whole, what="the whole preview")
    got = await anybody.get(urljoin(media.url, "preview.mp4"))
    assert got.status == HTTPStatus.OK
    with av.open(io.BytesIO(await got.read()), "r") as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert len(list(container.decode(video=0))) >= 30
    for name in ("preview.m3u8", "preview.mp4"):
        assert (await anybody.get(f"/api/facility_cameras/playback/guessed/{name}")).status == HTTPStatus.NOT_FOUND
    with pytest.raises(Unresolvable):
        await async_resolve_media(home, f"{source}/1000-2000", None)


async def test_a_preview_that_waits_for_another_is_said_and_taken_back(
    home: HomeAssistant, recorded: MockConfigEntry
) -> None:
    client, gate = hub_of(home).client, await gate_closed(home, recorded)
    begun = int((await begin_of(home, recorded)).timestamp())
    (path,) = await home.async_add_executor_job(lambda: list(Path(recorded.data["archive"]).rglob("*.mp4")))
    kept = path.rename(path.with_suffix(".kept"))
    # Whoever reads the footage waits until somebody writes.
    os.mkfifo(path)
    source = f"media-source://{DOMAIN}/{recorded.entry_id}/{gate}/preview"
    folder = clips.folder_of(home) / gate
    await home.async_add_executor_job(lambda: folder.mkdir(parents=True, exist_ok=True))
    request: ClipRequest = {"start": begun * US, "end": (begun + 3) * US, "folder": str(folder), "zone": "UTC"}
    first = await client.begin("preview", gate, request)

    async def running() -> bool:
        return (await client.job(first["id"]))["state"] == "running"

    await until_awaited(running, what="the first preview has its turn")
    with pytest.raises((HomeAssistantError, Unresolvable)) as refused:
        await async_resolve_media(home, f"{source}/{begun}-{begun + 3}", None)
    assert translation("en")["exceptions"]["clip_waits"]["message"] in str(refused.value)
    await home.async_add_executor_job(lambda: (kept.rename(path.with_suffix(".mp4.new")), None))
    with path.open("w"):
        path.with_suffix(".mp4.new").rename(path)

    async def over() -> bool:
        return (await client.job(first["id"]))["state"] not in ("running", "waiting")

    await until_awaited(over, what="the first preview is over")
    # The one that waited does not come now, and another may.
    await async_resolve_media(home, f"{source}/{begun}-{begun + 3}", None)


async def test_thumbnails_for_who_may_see_the_camera(
    home: HomeAssistant, recorded: MockConfigEntry, hass_read_only_user: MockUser, hass_client: ClientSessionGenerator
) -> None:
    begun = await begin_of(home, recorded)
    gate = camera_id(recorded, "Cổng chính")
    client = await hass_client()
    url = views.thumbnail_url(gate, round(begun.timestamp() * US))
    got = await client.get(url)
    assert (got.status, got.content_type) == (HTTPStatus.OK, "image/jpeg")
    with av.open(io.BytesIO(await got.read()), "r") as container:
        assert container.streams.video[0].width == views.THUMBNAIL_WIDTH
    assert (await client.get(views.thumbnail_url(gate, 5))).status == HTTPStatus.NOT_FOUND
    assert (await client.get(views.thumbnail_url("none", 5))).status == HTTPStatus.NOT_FOUND
    hass_read_only_user.mock_policy({"entities": {"entity_ids": {"camera.another": True}}})
    refresh = await home.auth.async_create_refresh_token(hass_read_only_user, "http://client")
    other = await hass_client(home.auth.async_create_access_token(refresh))
    assert (await other.get(url)).status == HTTPStatus.FORBIDDEN


async def test_times_that_cannot_be(home: HomeAssistant, recorded: MockConfigEntry) -> None:
    for data, key in (
        ({"end": "2026-11-23 14:30:00"}, "clip_empty"),
        ({"end": "2026-11-23 14:00:00"}, "clip_empty"),
        ({"duration": {"hours": 0}}, "clip_empty"),
        ({"duration": {"hours": 7}}, "clip_too_long"),
        ({"duration": {"days": 999_999_999}}, "clip_too_long"),
        ({"end": "9999-12-31 23:59:59"}, "time_unusable"),
    ):
        with pytest.raises(ServiceValidationError) as refused:
            await ask(home, recorded, start="2026-11-23 14:30:00", **data)
        assert refused.value.translation_key == key


async def test_who_may_not_see_the_camera_gets_no_clip(
    home: HomeAssistant,
    recorded: MockConfigEntry,
    hass_read_only_user: MockUser,
    hass_client: ClientSessionGenerator,
) -> None:
    begun = await begin_of(home, recorded)
    answer = await ask(home, recorded, start=begun, duration={"seconds": 1})
    hass_read_only_user.mock_policy({"entities": {"entity_ids": {"camera.another": True}}})
    with pytest.raises(Unauthorized):
        await ask(home, recorded, Context(user_id=hass_read_only_user.id), start=begun, duration={"seconds": 1})
    refresh = await home.auth.async_create_refresh_token(hass_read_only_user, "http://client")
    client = await hass_client(home.auth.async_create_access_token(refresh))
    assert (await client.get(answer["url"].partition("?")[0])).status == HTTPStatus.FORBIDDEN


async def test_what_is_a_day_old_is_removed(home: HomeAssistant, recorded: MockConfigEntry) -> None:
    begun = await begin_of(home, recorded)
    answer = await ask(home, recorded, start=begun, duration={"seconds": 1})
    old = time.time() - clips.LIFE_S - 60
    os.utime(answer["path"], (old, old))
    async_fire_time_changed(home, dt_util.utcnow() + timedelta(hours=1, seconds=1))
    await until(lambda: _content(Path(answer["path"])) is None, what="an old clip is removed")


def test_every_cause_has_a_sentence() -> None:
    given = {"camera", "start", "end", "folder", "needed", "reason", "nearest_start", "nearest_end"}
    for cause in ClipCause:
        for language in ("en", "vi"):
            text = translation(language)["exceptions"][f"clip_{cause}"]["message"]
            assert set(re.findall(r"{(\w+)}", text)) <= given
