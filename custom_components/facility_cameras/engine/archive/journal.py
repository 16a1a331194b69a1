"""What the footage's files cannot tell, beside them: holds and their release, deletions, what was to be recorded when.

Promise I1 (durable): the index can be thrown away and made again from the files and this. Promise I3 (nothing
vanishes): a deletion stands here, with its reason, before its file is gone.

`journal/2026-11.jsonl` (UTC months), one JSON object a line, only ever appended to, synced before `append` returns:
`{"at": UTC µs, "what": "hold" | "release" | "delete" | "duty" | "camera", …}`. A line that a power cut left half
written is passed over. Everything here blocks: for the archive's writer thread.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
import os
from pathlib import Path

import orjson

from .files import FILES, Files, Folders, sync_folder

FOLDER = "journal"
_FILES = "[0-9][0-9][0-9][0-9]-[0-9][0-9].jsonl"
#: A line longer than this is none of ours.
LINE_BYTES = 64 << 10
NEWEST_BYTES = 256 << 10


def append(root: Path, at_us: int, entries: list[dict[str, object]], files: Files = FILES) -> None:
    """Put these entries on the disk, all in one write. Raises OSError."""
    if not entries:
        return
    lines = b"".join(orjson.dumps({"at": at_us, **entry}) + b"\n" for entry in entries)
    folder = Folders(root, files).make(FOLDER)
    path = folder / f"{datetime.fromtimestamp(at_us / 1e6, UTC):%Y-%m}.jsonl"
    fd = files.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        end = files.size(fd)
        if end and files.read(fd, 1, end - 1) != b"\n":
            # A line that was cut off by a crash must not swallow this one.
            lines = b"\n" + lines
        while lines:
            lines = lines[files.write(fd, lines) :]
        files.sync(fd)
    finally:
        files.close(fd)
    # Also where it was there: it may have been made just before a power cut.
    sync_folder(folder, files)


def files(root: Path) -> list[Path]:
    """The journal's files, oldest month first."""
    return sorted((root / FOLDER).glob(_FILES))


def newest_us(root: Path) -> int:
    """When it was last written to, UTC microseconds; 0 if there is none."""
    return max((path.stat().st_mtime_ns // 1000 for path in files(root)), default=0)


def read(root: Path) -> Iterator[dict[str, object]]:
    """Every entry, oldest month first; nothing if there is no journal. Raises OSError."""
    for path in files(root):
        yield from read_file(path, path.stat().st_size)


def newest(root: Path) -> Iterator[dict[str, object]]:
    """The last entries, oldest first: as many as NEWEST_BYTES of the two newest months hold. Raises OSError."""
    for path in files(root)[-2:]:
        size = path.stat().st_size
        yield from read_file(path, size, max(0, size - NEWEST_BYTES))


def read_file(path: Path, size: int, start: int = 0) -> Iterator[dict[str, object]]:
    """The entries in the first `size` bytes of one file, from `start` on. Raises OSError."""
    with path.open("rb") as file:
        file.seek(start)
        while file.tell() < size and (line := file.readline(LINE_BYTES)):
            try:
                entry = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(entry, dict) and isinstance(entry.get("at"), int):
                yield entry


def position(root: Path) -> int:
    """How long the journal is, all its files together, in bytes; 0 if there is none. Raises OSError."""
    return sum(path.stat().st_size for path in files(root))


def camera_entry(camera: str, facility: str, folder: str) -> dict[str, object]:
    """A camera's footage lies in this folder (relative to the archive): written when it is first made."""
    return {"what": "camera", "camera": camera, "facility": facility, "folder": folder}
