"""Evidence of what was wrong with a picture: what the camera showed before, and when it was found (promise I5: truth).

One small file for each, named by when and an id that is drawn by lot: an id from outside is looked up, never made a path
of. Bounded by bytes, number and age, and for each camera by number, so that one camera cannot push out the others'.
Blocks: to be called in a thread.
"""

from dataclasses import dataclass
import hashlib
from pathlib import Path
import re
import secrets
import struct
import threading

from .archive.files import replace_file

BYTES_MAX, NUMBER_MAX, OF_CAMERA_MAX = 64 << 20, 2000, 100
AGE_US = 400 * 86_400 * 1_000_000

_NAME = re.compile(r"(\d{1,19})-([0-9a-f]{16})-([0-9a-f]{24})\.pictures")
_LENGTH = struct.Struct(">I")
#: No picture kept is larger.
_PICTURE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, order=True)
class _Kept:
    at_us: int
    id: str
    camera: str
    bytes: int

    @property
    def name(self) -> str:
        return f"{self.at_us}-{self.camera}-{self.id}.pictures"


class Evidence:
    """Pairs of pictures in a folder."""

    def __init__(self, folder: Path) -> None:
        """What the folder holds is found with the first call."""
        self._folder = folder
        self._kept: dict[str, _Kept] | None = None
        self._lock = threading.Lock()

    def keep(self, camera: str, at_us: int, before: bytes, after: bytes) -> str:
        """Keep what a camera showed before (b"": not known) and at `at_us` (UTC microseconds), both JPEG; returns the id.

        Raises OSError, and ValueError for a picture that is too large.
        """
        if max(len(before), len(after)) > _PICTURE_BYTES:
            raise ValueError("picture too large to be kept")
        content = _LENGTH.pack(len(before)) + before + after
        hashed = hashlib.sha256(camera.encode()).hexdigest()[:16]
        made = _Kept(max(at_us, 0), secrets.token_hex(12), hashed, len(content))
        with self._lock:
            kept = self._load()
            self._folder.mkdir(mode=0o700, exist_ok=True)
            replace_file(self._folder / made.name, content)
            kept[made.id] = made
            self._bound(kept, made)
        return made.id

    def picture(self, identity: str, which: str) -> bytes | None:
        """The picture `before` or `after` as JPEG; None if there is none. Raises OSError."""
        with self._lock:
            found = self._load().get(identity)
        if found is None or which not in ("before", "after"):
            return None
        try:
            content = (self._folder / found.name).read_bytes()
        except FileNotFoundError:
            return None
        if len(content) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(content)
        pictures = content[_LENGTH.size :]
        return (pictures[:length] if which == "before" else pictures[length:]) or None

    def _load(self) -> dict[str, _Kept]:
        if self._kept is None:
            self._kept = {}
            if self._folder.is_dir():
                for path in self._folder.iterdir():
                    if found := _NAME.fullmatch(path.name):
                        one = _Kept(int(found[1]), found[3], found[2], path.stat().st_size)
                        self._kept[one.id] = one
        return self._kept

    def _bound(self, kept: dict[str, _Kept], made: _Kept) -> None:
        """Let go of the oldest until all bounds hold; never of what was kept just now."""
        others = sorted(one for one in kept.values() if one is not made)
        of_camera = [one for one in others if one.camera == made.camera]
        gone = set(of_camera[: max(0, len(of_camera) + 1 - OF_CAMERA_MAX)])
        number, size = len(kept) - len(gone), sum(one.bytes for one in kept.values()) - sum(one.bytes for one in gone)
        for one in others:
            if one in gone:
                continue
            if number <= NUMBER_MAX and size <= BYTES_MAX and one.at_us >= made.at_us - AGE_US:
                break
            gone.add(one)
            number, size = number - 1, size - one.bytes
        for one in gone:
            (self._folder / one.name).unlink(missing_ok=True)
            del kept[one.id]
