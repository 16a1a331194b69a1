"""What is known of each camera's picture, kept over a restart: one small file each, with what is wrong with it now.

Bounded: a file is no longer than KNOWN_BYTES and a little, and files of cameras that are no more are removed. A file
that cannot be read is a camera of which nothing is known. Blocks: to be called in a thread.
"""

import hashlib
import json
from pathlib import Path
import struct
from typing import cast

from ..api import PictureState
from ..archive.files import replace_file
from .examine import FAULTS, KNOWN_BYTES

_LENGTH = struct.Struct(">I")
_STATE_BYTES = 4096
#: A file that was not written for so long is of a camera that is no more, seconds; and no more than so many are kept.
UNUSED_S, NUMBER_MAX = 400 * 86_400.0, 1000


def load(folder: Path, camera: str) -> tuple[PictureState | None, bytes]:
    """What was wrong with the camera's picture, and what is known of it."""
    try:
        with (folder / _name(camera)).open("rb") as file:
            content = file.read(_LENGTH.size + _STATE_BYTES + KNOWN_BYTES)
        (length,) = _LENGTH.unpack_from(content)
        state = json.loads(content[_LENGTH.size : _LENGTH.size + length])
    except OSError, ValueError, struct.error:
        return None, b""
    return _state(state), content[_LENGTH.size + length :]


def save(folder: Path, camera: str, state: PictureState | None, known: bytes) -> None:
    """Keep both. Raises OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    text = json.dumps(state).encode()
    replace_file(folder / _name(camera), _LENGTH.pack(len(text)) + text + known)


def remove(folder: Path, camera: str) -> None:
    """The camera is no more. Raises OSError."""
    (folder / _name(camera)).unlink(missing_ok=True)


def clear(folder: Path, now: float) -> None:
    """Remove what nobody uses any more; `now` is UTC seconds. Raises OSError."""
    if not folder.is_dir():
        return
    files = sorted(((path.stat().st_mtime, path) for path in folder.glob("*.known")), reverse=True)
    for place, (at, path) in enumerate(files):
        if place >= NUMBER_MAX or now - at > UNUSED_S:
            path.unlink(missing_ok=True)


def _name(camera: str) -> str:
    return hashlib.sha256(camera.encode()).hexdigest()[:32] + ".known"


def _state(found: object) -> PictureState | None:
    """What was kept, if it is what `save` was given."""
    if not isinstance(found, dict) or found.get("status") not in FAULTS:
        return None
    kinds: dict[str, type | tuple[type, ...]] = {
        "cause": str,
        "confidence": (int, float),
        "since": int,
        "evidence": str,
    }
    if not all(isinstance(found.get(key), kind) for key, kind in kinds.items()):
        return None
    return cast("PictureState", {key: found[key] for key in ("status", *kinds)})
