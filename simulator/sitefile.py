"""A site of cameras from a JSON file, or a number of ordinary ones.

The file is `{"cameras": [{"name": "Gate", "streams": [{"name": "main", "path": "main", "video": {…}}]}, …]}` with the
fields of `CameraSpec`, `StreamSpec` and `Video`. "defaults" beside "cameras" holds fields for all of them.
"""

from dataclasses import fields
import json
from pathlib import Path
from typing import Any

from .spec import CameraSpec, SpecError, StreamSpec, Video

#: Where facilities have cameras.
_PLACES = ("Gate", "Lobby", "Corridor", "Yard", "Reception", "Sampling")


def read(path: Path) -> list[CameraSpec]:
    """The cameras of a site file. SpecError says what is wrong in it, OSError that it cannot be read."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise SpecError(f"{path} is not JSON: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("cameras"), list):
        raise SpecError(f'{path}: a site is an object with a list "cameras"')
    defaults = data.get("defaults", {})
    return [_camera(defaults | camera, f"{path}, camera {number}") for number, camera in enumerate(data["cameras"], 1)]


def ordinary(count: int, streams: tuple[StreamSpec, ...], *, scenes: int) -> list[CameraSpec]:
    """`count` cameras with these streams, that see `scenes` different things."""
    cameras = []
    for number in range(count):
        scene = number % scenes
        cameras.append(
            CameraSpec(
                name=f"camera-{number + 1}",
                scene=f"{scene + 1} {_PLACES[scene % len(_PLACES)]}",
                streams=streams,
            )
        )
    return cameras


def _camera(data: Any, where: str) -> CameraSpec:
    values = _checked(CameraSpec, data, where)
    if "streams" in values:
        streams = []
        for stream in values["streams"]:
            parts = _checked(StreamSpec, stream, where)
            if "video" in parts:
                parts["video"] = _made(Video, _checked(Video, parts["video"], where), where)
            streams.append(_made(StreamSpec, parts, where))
        values["streams"] = tuple(streams)
    for name in ("schemes", "quirks"):
        if name in values:
            values[name] = tuple(values[name])
    return _made(CameraSpec, values, where)


def _checked(kind: type[CameraSpec | StreamSpec | Video], data: Any, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise SpecError(f"{where}: expected an object for {kind.__name__}")
    names = {each.name for each in fields(kind)}
    for name in data:
        if name not in names:
            raise SpecError(f"{where}: {kind.__name__} has no field {name!r}; it has {', '.join(sorted(names))}")
    return dict(data)


def _made[T](kind: type[T], values: dict[str, Any], where: str) -> T:
    try:
        return kind(**values)
    except (SpecError, TypeError) as error:
        raise SpecError(f"{where}: {error}") from error
