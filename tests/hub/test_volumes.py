"""Volumes are read from the kernel's own list; what would die with a container or fill a backup is not passed over."""

import asyncio
from pathlib import Path
import threading

import pytest

from custom_components.facility_cameras import volumes
from custom_components.facility_cameras.volumes import (
    Concern,
    Mount,
    Refusal,
    claim,
    judge,
    mount_of,
    proposed,
    read_marker,
    read_mounts,
    within,
)

#: A plain container: its own file system, the configuration and a network storage mounted into it.
CONTAINER = """\
1 0 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/a
2 1 8:1 /config {config} rw,relatime - ext4 /dev/sda1 rw
3 1 0:60 / {nas} rw,relatime shared:7 - cifs //nas/cameras rw,vers=3.0
4 1 0:61 / {broken} ro,relatime - nfs4 nas:/old rw
5 1 0:5 / /proc rw,nosuid - proc proc rw
6 1 8:1 /a {blank} rw - ext4 /dev/sda1 rw
half a line
"""


@pytest.fixture
def mounts(tmp_path: Path) -> list[Mount]:
    """The mounts of a container, some of them in the test's folder."""
    names = {name: tmp_path / name for name in ("config", "nas", "broken", "with blank")}
    for folder in names.values():
        folder.mkdir()
    text = CONTAINER.format(
        config=names["config"],
        nas=names["nas"],
        broken=names["broken"],
        blank=str(names["with blank"]).replace(" ", "\\040"),
    )
    file = tmp_path / "mountinfo"
    file.write_text(text)
    return read_mounts(file)


def test_mounts_are_read(mounts: list[Mount], tmp_path: Path) -> None:
    assert [mount.kind for mount in mounts] == ["overlay", "ext4", "cifs", "nfs4", "proc", "ext4"]
    assert mounts[3].read_only
    assert mounts[5].point == str(tmp_path / "with blank")
    found = mount_of(tmp_path / "nas" / "not" / "yet", mounts)
    assert found is not None
    assert found.kind == "cifs"


def test_what_is_said_of_a_folder(mounts: list[Mount], tmp_path: Path) -> None:
    config = str(tmp_path / "config")
    assert judge("footage", config, mounts).refusal is Refusal.NOT_ABSOLUTE
    assert judge("/", config, mounts).refusal is Refusal.FILE_SYSTEM_ROOT
    assert judge(str(tmp_path / "inside"), config, mounts).refusal is Refusal.CONTAINER
    assert judge(str(tmp_path / "broken" / "x"), config, mounts).refusal is Refusal.READ_ONLY
    fine = judge(str(tmp_path / "nas" / "footage"), config, mounts)
    assert fine.refusal is None
    assert Concern.BACKUP not in fine.concerns
    assert fine.free > 0
    assert fine.days(4) == fine.free // (4 * volumes.BYTES_PER_CAMERA_DAY)
    assert Concern.BACKUP in judge(str(tmp_path / "config" / "media"), config, mounts).concerns
    assert Concern.BACKUP in judge(str(tmp_path), config, mounts[1:]).concerns, "the other way round too"


def test_what_is_not_persisted_anyway_is_no_reason(tmp_path: Path) -> None:
    """A machine for development is one container: its configuration ends with it like its footage."""
    root = [Mount("/", "overlay", "overlay", read_only=False)]
    assert judge(str(tmp_path / "footage"), str(tmp_path / "config"), root).refusal is None


def test_memory_is_warned_of(tmp_path: Path) -> None:
    memory = [Mount("/", "ext4", "/dev/sda1", read_only=False), Mount(str(tmp_path), "tmpfs", "tmpfs", read_only=False)]
    assert Concern.MEMORY in judge(str(tmp_path / "x"), "/config", memory).concerns


def test_names_on_the_media_folder_are_not_listed(tmp_path: Path) -> None:
    assert proposed(Path("/media/nas"), []) == Path("/media/nas/.facility_cameras")
    assert proposed(Path("/share"), []) == Path("/share/facility_cameras")
    assert proposed(tmp_path / "media", [tmp_path / "media"]).name == ".facility_cameras"


def test_a_folder_is_claimed_once(tmp_path: Path) -> None:
    folder = str(tmp_path / "a" / "footage")
    assert read_marker(folder) is None
    archive_id = claim(folder)
    assert read_marker(folder) == archive_id
    assert claim(folder) == archive_id
    (Path(folder) / volumes.MARKER).write_text("[]")
    assert claim(folder) != archive_id


def test_this_machines_volumes(tmp_path: Path) -> None:
    for volume in volumes.find_volumes(str(tmp_path), []):
        assert volume.free > 0
        assert Path(volume.folder).is_absolute()


async def test_a_dead_storage_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "_TIME_LIMIT_S", 0.05)
    released = threading.Event()
    with pytest.raises(TimeoutError):
        await within(released.wait)
    released.set()
    for thread in threading.enumerate():
        if thread.name == "facility_cameras volumes":
            thread.join(5)
    await asyncio.sleep(0)

    def fails() -> None:
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        await within(fails)
