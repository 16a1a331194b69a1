"""Is the archive's folder there, ours and writable, and how much room has it? Blocks: not for the event loop.

Promise I4: where the marker is missing or another's, nothing is written: a lost mount must not fill the system disk.
"""

from dataclasses import dataclass
import errno
import json
import os
from pathlib import Path

from ..api import VolumeState

#: Written by the flow into the folder that was chosen; holds {"id": …}.
MARKER = ".facility_cameras.json"
#: Below this much free space recording pauses.
FULL_BYTES = 256 << 20
#: Kept free by retention: the larger of the two.
KEEP_BYTES = 5 << 30
KEEP_SHARE = 0.05

_STATES = {
    errno.ENOSPC: VolumeState.FULL,
    errno.EDQUOT: VolumeState.FULL,
    errno.EROFS: VolumeState.READ_ONLY,
    errno.EACCES: VolumeState.READ_ONLY,
    errno.EPERM: VolumeState.READ_ONLY,
    errno.ENOENT: VolumeState.MISSING,
    errno.ENOTDIR: VolumeState.MISSING,
    errno.ESTALE: VolumeState.MISSING,
    errno.EHOSTDOWN: VolumeState.MISSING,
    errno.ETIMEDOUT: VolumeState.MISSING,
    errno.ENODEV: VolumeState.MISSING,
}


@dataclass(frozen=True, slots=True)
class Volume:
    """What was found. Bytes."""

    state: VolumeState
    total: int = 0
    free: int = 0

    @property
    def writable(self) -> bool:
        """Whether footage may be written."""
        return self.state in (VolumeState.OK, VolumeState.LOW)


def keep_free(total: int) -> int:
    """Bytes that retention keeps free on a volume of this size."""
    return max(KEEP_BYTES, round(total * KEEP_SHARE)) if total > 4 * KEEP_BYTES else total // 10


def state_of(error: OSError) -> VolumeState:
    """What an error in writing says about the volume."""
    return _STATES.get(error.errno or 0, VolumeState.ERROR)


def look(root: Path, archive_id: str, marker_name: str = MARKER) -> Volume:
    """Look at the folder `root`, which is ours if its marker holds `archive_id`."""
    try:
        with (root / marker_name).open("rb") as file:
            marker = json.loads(file.read(4096))
        found = os.statvfs(root)
    except OSError as error:
        return Volume(state_of(error))
    except ValueError:
        return Volume(VolumeState.MISSING)
    if not isinstance(marker, dict) or marker.get("id") != archive_id:
        return Volume(VolumeState.MISSING)
    total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
    if found.f_flag & os.ST_RDONLY:
        return Volume(VolumeState.READ_ONLY, total, free)
    if free < min(FULL_BYTES, total // 20):
        return Volume(VolumeState.FULL, total, free)
    return Volume(VolumeState.LOW if free < keep_free(total) else VolumeState.OK, total, free)
