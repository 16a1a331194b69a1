"""Where footage can lie: the volumes of this machine, what speaks against each, and how long they last.

Everything here blocks (a dead network storage for half a minute): call it through `within`, which gives up in time.
Home Assistant's media folder gets a name with a leading dot: what lies there is listed, served and deletable for anybody
who is logged in, while footage is played through our own media source only.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
import json
import os
from pathlib import Path
import threading
import uuid

#: The file that says that a folder is ours; the engine writes nothing where its id is not the expected one.
MARKER = ".facility_cameras.json"
#: What a camera of 4 Mbit/s fills in a day.
BYTES_PER_CAMERA_DAY = 4_000_000 // 8 * 86_400
#: Below this a volume is not worth offering.
_LEAST_BYTES = 1_000_000_000
_TIME_LIMIT_S = 5.0
_NETWORK = frozenset({"cifs", "smb3", "nfs", "nfs4", "fuse.sshfs", "fuse.rclone", "9p", "ceph", "glusterfs"})
_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})
_NO_VOLUME = frozenset(
    {
        "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs", "fusectl",
        "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "securityfs", "squashfs", "sysfs", "tracefs",
    }
)  # fmt: skip
#: Folders of the system, where a mount is no place for footage.
_SYSTEM = ("/boot", "/dev", "/etc", "/proc", "/run", "/sys", "/usr", "/var/lib/docker", "/var/lib/kubelet", "/snap")


class Refusal(StrEnum):
    """Why footage cannot lie in a folder."""

    NOT_ABSOLUTE = "folder_not_absolute"
    CONTAINER = "folder_in_container"
    NOT_WRITABLE = "folder_not_writable"
    READ_ONLY = "folder_read_only"
    NO_ANSWER = "folder_no_answer"
    FILE_SYSTEM_ROOT = "folder_is_root"
    NOT_APART = "folder_not_apart"


class Concern(StrEnum):
    """What should be known before footage is put into a folder."""

    BACKUP = "warning_backup"
    MEMORY = "warning_memory"
    SYSTEM_DISK = "warning_system_disk"
    SMALL = "warning_small"
    SAME_DISK = "warning_same_disk"


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of /proc/self/mountinfo."""

    point: str
    kind: str
    source: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Volume:
    """A folder that is offered. `kind` is the word it is described by; sizes in bytes."""

    folder: str
    kind: str
    free: int
    total: int

    def days(self, cameras: int) -> int:
        """How many days of footage of so many cameras fit."""
        return self.free // (BYTES_PER_CAMERA_DAY * max(1, cameras))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be said of a folder."""

    refusal: Refusal | None
    concerns: tuple[Concern, ...] = ()
    free: int = 0

    def days(self, cameras: int) -> int:
        """How many days of footage of so many cameras fit."""
        return self.free // (BYTES_PER_CAMERA_DAY * max(1, cameras))


async def within[T](work: Callable[[], T]) -> T:
    """Run `work` in a thread of its own; TimeoutError if it takes too long (the thread is left behind)."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(tell: Callable[[], None]) -> None:
        if not done.done():
            tell()

    def run() -> None:
        try:
            result = work()
        except OSError as error:
            loop.call_soon_threadsafe(settle, partial(done.set_exception, error))
        else:
            loop.call_soon_threadsafe(settle, partial(done.set_result, result))

    threading.Thread(target=run, name="facility_cameras volumes", daemon=True).start()
    async with asyncio.timeout(_TIME_LIMIT_S):
        return await done


def read_mounts(mountinfo: Path = Path("/proc/self/mountinfo")) -> list[Mount]:
    """Every mount of this process's name space, in the order they were made."""
    found = []
    for line in mountinfo.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        before, separator, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        if not separator or len(fields) < 6 or len(rest) < 2:
            continue
        read_only = "ro" in fields[5].split(",") or (len(rest) > 2 and "ro" in rest[2].split(","))
        found.append(Mount(_unescape(fields[4]), rest[0], _unescape(rest[1]), read_only))
    return found


def _unescape(text: str) -> str:
    r"""The kernel writes blanks and the like as \040."""
    for code, sign in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, sign)
    return text


def mount_of(folder: Path, mounts: Iterable[Mount]) -> Mount | None:
    """The mount that a folder lies on (whether it exists already or not)."""
    resolved = str(folder.resolve())
    best: Mount | None = None
    for mount in mounts:
        point = mount.point.rstrip("/")
        if (resolved == mount.point or resolved.startswith(f"{point}/")) and (
            best is None or len(mount.point) >= len(best.point)
        ):
            best = mount
    return best


def find_volumes(config_dir: str, media_dirs: Iterable[str]) -> list[Volume]:
    """What can be offered, best first: network storage, then mounts of their own, then the system's disk."""
    mounts = read_mounts()
    media = [Path(folder) for folder in media_dirs]
    found: dict[str, Volume] = {}
    candidates = [Path(mount.point) for mount in mounts if _may_hold(mount, config_dir)]
    candidates += [folder for folder in (Path("/share"), Path("/media"), *media) if folder.is_dir()]
    for point in candidates:
        folder = proposed(point, media)
        judged = judge(str(folder), config_dir, mounts)
        mount = mount_of(folder, mounts)
        if judged.refusal or mount is None or judged.free < _LEAST_BYTES or Concern.BACKUP in judged.concerns:
            continue
        kind = "network" if mount.kind in _NETWORK else "memory" if mount.kind in _MEMORY else "disk"
        found[str(folder)] = Volume(str(folder), kind, judged.free, _space(folder)[1])
    order = {"network": 0, "disk": 1, "memory": 2}
    return sorted(found.values(), key=lambda volume: (order[volume.kind], -volume.free))


def proposed(point: Path, media: Iterable[Path]) -> Path:
    """Our folder on a volume; not listed on Home Assistant's media folder."""
    on_media = any(point == folder or point.is_relative_to(folder) for folder in (*media, Path("/media")))
    return point / (".facility_cameras" if on_media else "facility_cameras")


def _may_hold(mount: Mount, config_dir: str) -> bool:
    point = mount.point
    return (
        mount.kind not in _NO_VOLUME | _MEMORY
        and mount.kind != "overlay"
        and not mount.read_only
        and point not in ("/", config_dir)
        and not any(point == folder or point.startswith(f"{folder}/") for folder in _SYSTEM)
        and Path(point).is_dir()
    )


def judge(folder: str, config_dir: str, mounts: Iterable[Mount] | None = None) -> Judgement:
    """Whether footage can lie in a folder, and what should be known before."""
    path = Path(folder)
    if not path.is_absolute() or "\0" in folder:
        return Judgement(Refusal.NOT_ABSOLUTE)
    path = path.resolve()
    if path == Path("/"):
        return Judgement(Refusal.FILE_SYSTEM_ROOT)
    config = Path(config_dir).resolve()
    mounts = read_mounts() if mounts is None else list(mounts)
    mount = mount_of(path, mounts)
    if mount is not None and mount.read_only:
        return Judgement(Refusal.READ_ONLY)
    if mount is not None and mount.kind == "overlay" and mount != mount_of(config, mounts):
        # A container's own file system ends with it, while the configuration lives on.
        return Judgement(Refusal.CONTAINER)
    parent = path
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        return Judgement(Refusal.NOT_WRITABLE)
    free, _ = _space(parent)
    warnings = []
    if path.is_relative_to(config) or config.is_relative_to(path):
        warnings.append(Concern.BACKUP)
    elif mount is not None and mount.point == "/":
        warnings.append(Concern.SYSTEM_DISK)
    if mount is not None and mount.kind in _MEMORY:
        warnings.append(Concern.MEMORY)
    if free < BYTES_PER_CAMERA_DAY:
        warnings.append(Concern.SMALL)
    return Judgement(None, tuple(warnings), free)


def judge_copy(folder: str, archives: Sequence[str], config_dir: str) -> Judgement:
    """The same of a folder for second copies of footage, the first of `archives` being its own."""
    judged = judge(folder, config_dir)
    if judged.refusal is not None:
        return judged
    if not apart(folder, archives, MARKER):
        return Judgement(Refusal.NOT_APART)
    devices = {_there(Path(one)).stat().st_dev for one in (folder, archives[0])}
    return replace(judged, concerns=(*judged.concerns, *((Concern.SAME_DISK,) if len(devices) == 1 else ())))


def apart(folder: str, others: Iterable[str], marker: str) -> bool:
    """Whether a folder lies neither inside nor around others, nor has the marker of one of their kind: what is copied
    would be taken for footage, or footage for a copy.
    """
    path = Path(folder).resolve()
    # By their names: another one's storage may not answer.
    named = [Path(os.path.normpath(other)) for other in others]
    return not (path / marker).exists() and not any(
        one.is_relative_to(other) or other.is_relative_to(one)
        for one in (path, Path(os.path.normpath(folder)))
        for other in named
    )


def _there(folder: Path) -> Path:
    """What is there of a folder's path."""
    while not folder.exists():
        folder = folder.parent
    return folder


def _space(folder: Path) -> tuple[int, int]:
    """Free and total bytes of the volume of a folder (or of what is there of its path)."""
    found = os.statvfs(_there(folder))
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def claim(folder: str, marker_name: str = MARKER) -> str:
    """Make the folder and its marker and return the marker's id; one that is there is kept, and its footage with it."""
    path = Path(folder)
    path.mkdir(mode=0o750, parents=True, exist_ok=True)
    marker = path / marker_name
    if (known := read_marker(folder, marker_name)) is not None:
        return known
    archive_id = uuid.uuid4().hex
    temporary = path / f"{marker_name}.new"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump({"id": archive_id}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(marker)
    return archive_id


def read_marker(folder: str, marker_name: str = MARKER) -> str | None:
    """The id in a folder's marker, None if there is none that can be read."""
    try:
        found = json.loads((Path(folder) / marker_name).read_text(encoding="utf-8"))
    except OSError, ValueError:
        return None
    archive_id = found.get("id") if isinstance(found, dict) else None
    return archive_id if isinstance(archive_id, str) and archive_id else None
