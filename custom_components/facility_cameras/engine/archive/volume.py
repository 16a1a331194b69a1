"""Is the archive's folder there, ours and writable, and how much room has it? Blocks: not for the event loop.

Promise I4: where the marker is missing or another's, nothing is written: a lost mount must not fill the system disk.
"""

from dataclasses import dataclass
import errno
import json
import os
from pathlib import Path

from ..api import VolumeCause, VolumeState
from .files import FILES, Files, read_whole

#: Written by the flow into the folder that was chosen; holds {"id": …}.
MARKER = ".facility_cameras.json"
_MARKER_BYTES = 4096
#: Below this much free space recording pauses.
FULL_BYTES = 256 << 20
#: Kept free by retention: the larger of the two.
KEEP_BYTES = 5 << 30
KEEP_SHARE = 0.05
#: So many more files that can be made, and a tenth of all on a volume with few: the smaller of the two is kept free.
KEEP_FILES = 10_000

#: What an error in writing says about the volume; any other is a fault of the disk.
_MEANING = {
    errno.ENOSPC: (VolumeState.FULL, VolumeCause.NO_SPACE),
    errno.EDQUOT: (VolumeState.FULL, VolumeCause.QUOTA),
    errno.EROFS: (VolumeState.READ_ONLY, VolumeCause.READ_ONLY),
    errno.EACCES: (VolumeState.READ_ONLY, VolumeCause.NOT_PERMITTED),
    errno.EPERM: (VolumeState.READ_ONLY, VolumeCause.NOT_PERMITTED),
    errno.ENOENT: (VolumeState.MISSING, VolumeCause.FOLDER_GONE),
    errno.ENOTDIR: (VolumeState.MISSING, VolumeCause.FOLDER_GONE),
    errno.ESTALE: (VolumeState.MISSING, VolumeCause.SHARE_STALE),
    errno.EHOSTDOWN: (VolumeState.MISSING, VolumeCause.SHARE_AWAY),
    errno.EHOSTUNREACH: (VolumeState.MISSING, VolumeCause.SHARE_AWAY),
    errno.ENETUNREACH: (VolumeState.MISSING, VolumeCause.SHARE_AWAY),
    errno.ENOTCONN: (VolumeState.MISSING, VolumeCause.SHARE_AWAY),
    errno.ECONNABORTED: (VolumeState.MISSING, VolumeCause.SHARE_AWAY),
    errno.ETIMEDOUT: (VolumeState.MISSING, VolumeCause.SHARE_AWAY),
    errno.ENODEV: (VolumeState.MISSING, VolumeCause.DEVICE_GONE),
    errno.ENXIO: (VolumeState.MISSING, VolumeCause.DEVICE_GONE),
    errno.EMFILE: (VolumeState.ERROR, VolumeCause.TOO_MANY_FILES),
    errno.ENFILE: (VolumeState.ERROR, VolumeCause.TOO_MANY_FILES),
}


@dataclass(frozen=True, slots=True)
class Volume:
    """What was found. Bytes; `device` is the number of its file system, 0 where it is not known. `files` is how many
    there may be, 0 where nothing but room limits them, and `free_files` how many more.
    """

    state: VolumeState
    total: int = 0
    free: int = 0
    cause: VolumeCause = VolumeCause.NONE
    device: int = 0
    files: int = 0
    free_files: int = 0

    @property
    def writable(self) -> bool:
        """Whether footage may be written."""
        return self.state in (VolumeState.OK, VolumeState.LOW)


def keep_free(total: int) -> int:
    """Bytes that retention keeps free on a volume of this size."""
    return max(KEEP_BYTES, round(total * KEEP_SHARE)) if total > 4 * KEEP_BYTES else total // 10


def keep_files(total: int) -> int:
    """How many files that can still be made retention keeps free on a volume that takes so many in all."""
    return min(KEEP_FILES, total // 10)


def meaning(error: OSError) -> tuple[VolumeState, VolumeCause]:
    """What an error in writing says about the volume."""
    return _MEANING.get(error.errno or 0, (VolumeState.ERROR, VolumeCause.IO_ERROR))


def look(root: Path, archive_id: str, marker_name: str = MARKER, *, files: Files = FILES) -> Volume:
    """Look at the folder `root`, which is ours if its marker holds `archive_id` (promise I4)."""
    try:
        device = files.device(root)
        found = files.space(root)
    except OSError as error:
        state, cause = meaning(error)
        return Volume(state, cause=cause)
    try:
        marker = json.loads(read_whole(root / marker_name, _MARKER_BYTES, files))
    except FileNotFoundError, ValueError:
        return Volume(VolumeState.MISSING, cause=VolumeCause.MARKER_GONE)
    except OSError as error:
        state, cause = meaning(error)
        return Volume(state, cause=cause)
    if not isinstance(marker, dict) or marker.get("id") != archive_id:
        return Volume(VolumeState.MISSING, cause=VolumeCause.OTHER_ARCHIVE)
    state, cause = _state(found)
    total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
    return Volume(state, total, free, cause, device, found.f_files, found.f_favail)


def _state(found: os.statvfs_result) -> tuple[VolumeState, VolumeCause]:
    """What the room on a volume that is ours lets us do."""
    total, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
    if found.f_flag & os.ST_RDONLY:
        return VolumeState.READ_ONLY, VolumeCause.READ_ONLY
    if free < min(FULL_BYTES, total // 20):
        return VolumeState.FULL, VolumeCause.NO_SPACE
    # Many file systems (Btrfs, exFAT, network shares) know no such limit, and say 0.
    if found.f_files and not found.f_favail:
        return VolumeState.FULL, VolumeCause.NO_INODES
    if free < keep_free(total):
        return VolumeState.LOW, VolumeCause.NO_SPACE
    if found.f_files and found.f_favail < keep_files(found.f_files):
        return VolumeState.LOW, VolumeCause.NO_INODES
    return VolumeState.OK, VolumeCause.NONE


def is_lost(root: Path, path: Path, files: Files = FILES) -> bool:
    """Whether a file below `root` that was not found is truly not there, and not merely its volume (promise I3): the
    marker is looked for before and after. Raises OSError.
    """
    marker = root / MARKER
    return files.exists(marker) and not files.exists(path) and files.exists(marker)
