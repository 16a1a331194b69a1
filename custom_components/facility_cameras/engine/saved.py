"""What the engine keeps over its restarts: facilities with their cameras, the re-stream's port, what it knows of logins.

It holds the cameras' passwords, so it is readable by its owner alone. Written whole, then renamed into place: a crash
leaves the old or the new one.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import TypedDict

from .api import FacilityConfig
from .logins import Remembered

NAME = "engine.json"


class Saved(TypedDict):
    """The content of the file."""

    facilities: list[FacilityConfig]
    restream_port: int
    logins: Remembered


def load(folder: Path) -> Saved:
    """What was saved; nothing where there is no file or it cannot be read. Blocks."""
    nothing: Saved = {"facilities": [], "restream_port": 0, "logins": {}}
    try:
        found = json.loads((folder / NAME).read_text())
    except OSError, ValueError:
        return nothing
    return {**nothing, **found} if isinstance(found, dict) else nothing


def save(folder: Path, saved: Saved) -> None:
    """Write the file and put it on the disk. Blocks. Raises OSError."""
    temporary = folder / f"{NAME}.new"
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump(saved, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / NAME)
