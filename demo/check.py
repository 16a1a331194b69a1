"""Sees each camera as a person would: live, as a still, recorded, and played back.

Pictures are judged by PyAV, which plays what Home Assistant hands to a browser, H.265 too.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
import io
from itertools import pairwise
from typing import Any

import av
import numpy as np
from PIL import Image, UnidentifiedImageError

from simulator import barcode

from .client import Client
from .problem import DemoError
from .set_up import DOMAIN, Added
from .site import CLIP_FRAMES

#: Pictures that must be seen.
_LIVE_FRAMES, _PLAYBACK_FRAMES = 15, 60
_OPEN_S, _READ_S = 30.0, 20.0
_TRY_AGAIN_S = 1.0
#: A recording needs some seconds until it holds enough pictures, a live view until its first segment is there.
_PATIENCE_S = 60.0
#: Cameras looked at together: each live view is decoded here, beside everything else.
_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one look at one camera. `problem` is None if all is well."""

    camera: str
    what: str
    problem: str | None


async def check(client: Client, cameras: list[Added]) -> list[Finding]:
    """Every look at every camera."""
    looks: dict[str, Callable[[Client, Added], Awaitable[None]]] = {
        "live": _live,
        "still": _still,
        "recorded": _recorded,
        "played back": _played_back,
    }
    turn = asyncio.Semaphore(_AT_ONCE)

    async def look_at(camera: Added) -> list[Finding]:
        async with turn:
            return [await _finding(client, camera, what, look) for what, look in looks.items()]

    return [finding for found in await asyncio.gather(*map(look_at, cameras)) for finding in found]


async def _finding(
    client: Client, camera: Added, what: str, look: Callable[[Client, Added], Awaitable[None]]
) -> Finding:
    """Look again until it is well or patience ends: the newest problem is told."""
    name = f"{camera.camera.facility}: {camera.camera.name}"
    deadline = asyncio.get_running_loop().time() + _PATIENCE_S
    while True:
        try:
            await look(client, camera)
        except DemoError as error:
            if asyncio.get_running_loop().time() > deadline:
                return Finding(name, what, str(error))
            await asyncio.sleep(_TRY_AGAIN_S)
        else:
            return Finding(name, what, None)


async def _live(client: Client, camera: Added) -> None:
    """The live view through Home Assistant's own stream component, as HLS."""
    answer = await client.call("camera/stream", entity_id=camera.entities["camera"], format="hls")
    numbers = await asyncio.to_thread(_decode, client.url + answer["url"], _LIVE_FRAMES)
    _judge(numbers, _LIVE_FRAMES)


async def _still(client: Client, camera: Added) -> None:
    """The still that the dashboard shows."""
    state = await client.get(f"/api/states/{camera.entities['camera']}")
    if "entity_picture" not in state["attributes"]:
        raise DemoError(f"the camera is {state['state']} and has no picture")
    body = await client.bytes(state["attributes"]["entity_picture"])
    try:
        with Image.open(io.BytesIO(body)) as picture:
            picture.load()
            if picture.format != "JPEG" or picture.width < 320:
                raise DemoError(f"the still is {picture.format} {picture.width} × {picture.height}")
    except (UnidentifiedImageError, OSError) as error:
        raise DemoError(f"the still cannot be decoded: {error}") from error


async def _recorded(client: Client, camera: Added) -> None:
    """Home Assistant says that it records, and the media browser lists an hour of footage."""
    state = await client.get(f"/api/states/{camera.entities['camera']}")
    if state["state"] != "recording":
        raise DemoError(f"the camera is {state['state']}, not recording")
    await _newest_hour(client, camera)


async def _played_back(client: Client, camera: Added) -> None:
    """The newest hour of the media browser plays, and no picture of it is missing."""
    media_id = await _newest_hour(client, camera)
    answer = await client.call("media_source/resolve_media", media_content_id=media_id)
    if answer["mime_type"] != "application/x-mpegURL":
        raise DemoError(f"the recording is offered as {answer['mime_type']}, which the media browser does not play")
    numbers = await asyncio.to_thread(_decode, client.url + answer["url"], _PLAYBACK_FRAMES)
    _judge(numbers, _PLAYBACK_FRAMES)


async def _newest_hour(client: Client, camera: Added) -> str:
    """Browse as a person does, facility → camera → newest day → newest hour; the hour's id."""
    path = f"media-source://{DOMAIN}/{camera.entry_id}/{camera.camera_id}"
    day = await _browse(client, path, lambda children: children[0])
    return await _browse(client, day, lambda hours: [item for item in hours if item["can_play"]][-1])


async def _browse(client: Client, media_id: str, choose: Callable[[list[Any]], Any]) -> str:
    found = await client.call("media_source/browse_media", media_content_id=media_id)
    if not found["children"]:
        raise DemoError(f"nothing is recorded under {found['title']}")
    return str(choose(found["children"])["media_content_id"])


def _decode(url: str, frames: int) -> list[int]:
    """The numbers drawn into the first pictures of a video. Raises `DemoError` if it cannot be played."""
    numbers: list[int] = []
    # libav takes only files of known names from a playlist unless told otherwise.
    options = {"allowed_extensions": "ALL", "extension_picky": "0", "live_start_index": "0"}
    try:
        with av.open(url, options=options, timeout=(_OPEN_S, _READ_S)) as container:
            for frame in container.decode(video=0):
                numbers.append(barcode.read(frame.to_ndarray(format="gray").astype(np.uint8, copy=False)))
                if len(numbers) >= frames:
                    break
    except (av.FFmpegError, IndexError) as error:
        raise DemoError(f"the video cannot be played: {error}") from error
    except barcode.UnreadableError as error:
        raise DemoError(f"a picture is damaged: {error}") from error
    return numbers


def _judge(numbers: list[int], wanted: int) -> None:
    if len(numbers) < wanted:
        raise DemoError(f"only {len(numbers)} pictures came, {wanted} were wanted")
    steps = [(second - first) % CLIP_FRAMES for first, second in pairwise(numbers)]
    if any(step != 1 for step in steps):
        raise DemoError(f"pictures are missing or out of order: {numbers}")
