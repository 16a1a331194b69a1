"""Tells an archive from an older copy of it: a number that grows in the archive, and that the engine remembers too.

A copy has the marker of its original. Recording into one that was made some time ago, without a word, would leave two
archives that each have half of the footage. So the archive holds a number and a random token, which are renewed
whenever it is opened and every RENEW_S while it is recorded into, and the engine keeps the newest it has written. An
archive that is behind what the engine knows, or is level with another token, is an older copy: a person must say that
it is to be used (a backup that was put back). One that is ahead is not: then it is the engine's own configuration that
was put back, or another hub has recorded into it meanwhile. Nor is one that holds no number: every copy has one, so
somebody emptied the folder, and recording goes on.
"""

from dataclasses import dataclass
import json
from pathlib import Path
import secrets

from .files import FILES, Files, file_about, read_whole, replace_file

NAME = ".generation.json"
RENEW_S = 600.0
_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Mark:
    """The state of an archive."""

    number: int = 0
    token: str = ""


class Generation:
    """Of one archive. Used by the writer thread; everything raises OSError."""

    def __init__(self, root: Path, archive_id: str, remembered: Path | None, files: Files = FILES) -> None:
        """`remembered` is the engine's own folder; without one every archive is taken as it is."""
        self._path = root / NAME
        self._files = files
        self._remembered = file_about(remembered, "archive", archive_id) if remembered is not None else None

    def is_older_copy(self) -> bool:
        """Whether we have recorded later than this copy knows."""
        known = self._known()
        there = _read(self._path, self._files)
        if not known or not there:
            return False
        mark = there[0]
        if mark.number > max(one.number for one in known):
            return False
        # The one before the newest is ours too: a power cut may have come between the two files.
        return mark not in known

    def renew(self) -> None:
        """Write the next number, here and there: this is the newest from now on."""
        there = _read(self._path, self._files)
        known = self._known()
        mark = there[0] if there else Mark()
        newest = max((one.number for one in known), default=0)
        following = Mark(max(mark.number, newest) + 1, secrets.token_hex(8))
        if self._remembered is not None:
            # Ours first, with the one that the archive has now: it is known whichever of them a power cut leaves.
            replace_file(self._remembered, _told([following, mark]), self._files)
        replace_file(self._path, _told([following]), self._files)
        if self._remembered is not None:
            replace_file(self._remembered, _told([following]), self._files)

    def _known(self) -> list[Mark]:
        return _read(self._remembered, self._files) if self._remembered is not None else []


def _told(marks: list[Mark]) -> bytes:
    return json.dumps([{"number": mark.number, "token": mark.token} for mark in marks]).encode()


def _read(path: Path, files: Files) -> list[Mark]:
    """What a file says; nothing if it is not there or says nothing that can be read."""
    try:
        told = json.loads(read_whole(path, _BYTES, files))
    except FileNotFoundError, ValueError:
        return []
    if not isinstance(told, list):
        return []
    return [
        Mark(one["number"], str(one.get("token")))
        for one in told
        if isinstance(one, dict) and isinstance(one.get("number"), int)
    ]
