"""What the engine keeps over its restarts: facilities with their cameras, the re-stream's port, what it knows of logins.

It holds the cameras' passwords, so it is readable by its owner alone. Written whole, then renamed into place: a crash
leaves the old or the new one. Nothing in it can keep the engine from starting: what cannot be read is left out.
"""

from collections.abc import Mapping
import contextlib
import json
import logging
import os
from pathlib import Path
from typing import TypedDict, cast

from .api import CAMERA_DEFAULTS, FACILITY_DEFAULTS, FacilityConfig, Maintenance
from .archive.files import sync_folder
from .logins import Remembered

_LOGGER = logging.getLogger(__name__)

NAME = "engine.json"


class Saved(TypedDict):
    """The content of the file."""

    facilities: list[FacilityConfig]
    restream_port: int
    logins: Remembered
    maintenance: dict[str, Maintenance]


def load(folder: Path) -> Saved:
    """What was saved; nothing where there is no file or it cannot be read. Blocks."""
    nothing: Saved = {"facilities": [], "restream_port": 0, "logins": {}, "maintenance": {}}
    try:
        found = json.loads((folder / NAME).read_bytes())
    except FileNotFoundError:
        return nothing
    except (OSError, ValueError) as error:
        _LOGGER.warning("what was saved cannot be read: %s", error)
        return nothing
    if not isinstance(found, dict):
        return nothing
    facilities, port, logins = (found.get(key) for key in ("facilities", "restream_port", "logins"))
    planned = found.get("maintenance")
    return {
        "facilities": facilities if isinstance(facilities, list) else [],
        "restream_port": port if isinstance(port, int) and 0 <= port < 65536 else 0,
        "logins": logins if isinstance(logins, dict) and all(map(_is_login, logins.values())) else {},
        "maintenance": planned if isinstance(planned, dict) else {},
    }


def _is_login(known: object) -> bool:
    return isinstance(known, dict) and all(isinstance(known.get(key), str) for key in ("salt", "print", "state"))


def save(folder: Path, saved: Saved) -> None:
    """Write the file and put it on the disk. Blocks. Raises OSError."""
    write(folder, NAME, saved)


def write(folder: Path, name: str, content: object) -> None:
    """Write a file of JSON whole, as `write_bytes` does. Blocks. Raises OSError."""
    write_bytes(folder, name, json.dumps(content, ensure_ascii=False).encode())


def write_bytes(folder: Path, name: str, content: bytes) -> None:
    """Write a file whole, readable by its owner alone, and put it on the disk. Blocks. Raises OSError."""
    temporary = folder / f"{name}.new"
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / name)
    sync_folder(folder)


def completed(facility: FacilityConfig, before: FacilityConfig | None) -> FacilityConfig:
    """A facility with what an engine that saved it earlier did not know of yet, and with what was last wanted where
    the hub does not know it. Raises KeyError and TypeError.
    """
    last = {one["id"]: one for one in before["cameras"]} if before is not None else {}
    cameras = []
    for config in facility["cameras"]:
        camera = {**CAMERA_DEFAULTS, **config}
        known: Mapping[str, object] = {**last.get(config["id"], {})}
        for said in ("wanted", "required"):
            if camera[said] is None:
                camera[said] = known.get(said, True)
        cameras.append(camera)
    return cast("FacilityConfig", {**FACILITY_DEFAULTS, **facility, "cameras": cameras})
