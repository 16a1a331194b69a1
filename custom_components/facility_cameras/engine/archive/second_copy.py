"""The second folder: what a verified copy of protected footage is, and how it is told from something else. Blocks.

A file there has its final name only after its bytes were read back from the folder and had the SHA-256 that was taken
when they were recorded (promise I6); what a crash leaves behind is a `.part`, which the next attempt writes anew. The
layout is the archive's. Nothing is ever deleted in it but such a `.part`. `holds/…/SHA256SUMS` can be checked with
`sha256sum -c` in its folder, without us.
"""

from collections.abc import Callable, Sequence
import contextlib
from datetime import UTC, datetime
import hashlib
import os
from pathlib import Path

import orjson

from ..api import VolumeState
from ..api_footage import COPY_MARKER, CopyCause
from .files import Folders, sync_folder
from .holds import Hold
from .volume import look, meaning

_CHUNK = 256 << 10
_FOLDER = "holds"
_CAUSES = {
    VolumeState.MISSING: CopyCause.MISSING,
    VolumeState.FULL: CopyCause.FULL,
    VolumeState.READ_ONLY: CopyCause.READ_ONLY,
    VolumeState.ERROR: CopyCause.ERROR,
}

#: Called with the bytes that were moved; waits as long as the rate wants it, and raises to stop.
type Pace = Callable[[int], None]


class CopyError(Exception):
    """Copying failed, and why. The text is for the log."""

    def __init__(self, cause: CopyCause, text: str) -> None:
        super().__init__(text)
        self.cause = cause


def check_folder(root: Path, folder_id: str) -> None:
    """Raise CopyError unless `root` is the second folder with this id and can be written."""
    volume = look(root, folder_id, COPY_MARKER)
    if not volume.writable:
        raise CopyError(_CAUSES[volume.state], f"the second folder {root} is {volume.state}")


def has(root: Path, path: str, size: int) -> bool:
    """Whether the copy of a file is there. Raises CopyError."""
    try:
        return (root / path).stat().st_size == size
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _at_destination(error) from error


def copy(source: Path, root: Path, path: str, digest: bytes, pace: Pace) -> None:
    """Copy a closed segment to `path` below `root` and verify it by its SHA-256. Raises CopyError, and what `pace` raises."""
    try:
        folder = Folders(root).make(path.rpartition("/")[0])
        part = root / f"{path}.part"
        try:
            _write(source, part, digest, pace)
            if _read_back(part, pace) != digest:
                raise CopyError(CopyCause.MISMATCH, f"{part}: what was read back is not what was written")
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        part.rename(root / path)
        sync_folder(folder)
    except OSError as error:
        raise _at_destination(error) from error


def _at_destination(error: OSError) -> CopyError:
    return CopyError(_CAUSES[meaning(error)[0]], str(error))


def _write(source: Path, part: Path, digest: bytes, pace: Pace) -> None:
    """Raises CopyError where the source fails, OSError where the destination does."""
    found = hashlib.sha256()
    try:
        reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise CopyError(CopyCause.SOURCE, str(error)) from error
    try:
        writer = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640)
        try:
            while chunk := _read(reader):
                found.update(chunk)
                rest = memoryview(chunk)
                while rest:
                    rest = rest[os.write(writer, rest) :]
                pace(len(chunk))
            # Footage is seldom read again: the machine's cache stays for others.
            os.posix_fadvise(reader, 0, 0, os.POSIX_FADV_DONTNEED)
            os.fsync(writer)
        finally:
            os.close(writer)
    finally:
        os.close(reader)
    if found.digest() != digest:
        raise CopyError(CopyCause.SOURCE, f"{source} is not what was recorded")


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, _CHUNK)
    except OSError as error:
        raise CopyError(CopyCause.SOURCE, str(error)) from error


def _read_back(part: Path, pace: Pace) -> bytes:
    """The SHA-256 of what is on the disk, not of what the kernel remembers of it."""
    found = hashlib.sha256()
    reader = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.posix_fadvise(reader, 0, 0, os.POSIX_FADV_DONTNEED)
        while chunk := os.read(reader, _CHUNK):
            found.update(chunk)
            pace(len(chunk))
        os.posix_fadvise(reader, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(reader)
    return found.digest()


def describe(root: Path, hold: Hold, files: Sequence[tuple[str, bytes]], *, complete: bool) -> None:
    """Write what a hold is about and the sums of its copied files (path below `root`, SHA-256). Raises CopyError."""
    started = datetime.fromtimestamp(hold.start_us / 1e6, UTC)
    about = {
        "hold": hold.uid,
        "incident": hold.incident,
        "facility": hold.facility,
        "camera": hold.camera,
        "from": _iso(hold.start_us),
        "to": _iso(hold.end_us),
        "reason": hold.reason,
        "who": hold.who,
        "protected_at": _iso(hold.at_us),
        "complete": complete,
        "files": [{"path": path, "sha256": digest.hex()} for path, digest in files],
    }
    sums = "".join(f"{digest.hex()}  ../../{path}\n" for path, digest in files)
    try:
        folder = Folders(root).make(f"{_FOLDER}/{started:%Y-%m-%dT%H-%M-%SZ}-{hold.uid}")
        _replace(folder / "SHA256SUMS", sums.encode())
        _replace(folder / "hold.json", orjson.dumps(about, option=orjson.OPT_INDENT_2))
        sync_folder(folder)
    except OSError as error:
        raise _at_destination(error) from error


def _iso(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="milliseconds")


def _replace(path: Path, content: bytes) -> None:
    """Write a small file whole, or leave the one that is there."""
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
