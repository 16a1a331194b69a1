"""Footage that would be carried by every backup is told, and only that."""

from collections.abc import Callable
from pathlib import Path

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.facility_cameras.const import DOMAIN
from custom_components.facility_cameras.footage_in_backups import is_backed_up
from custom_components.facility_cameras.volumes import Mount, claim
from tests.hub.stage import Simulator, until_online

_DISK = Mount("/", "ext4", "/dev/sda1", read_only=False)
_SHARE = Mount("/share", "ext4", "/dev/sda1", read_only=False)
_NAS = Mount("/share/nas", "cifs", "//nas/cameras", read_only=False)


@pytest.mark.parametrize(
    ("archive", "included", "expected"),
    [
        ("/config/footage", [], True),
        ("/share/facility_cameras", [Path("/share")], True),
        ("/share/facility_cameras", [Path("/media")], False),
        ("/share/facility_cameras", [], False),
        ("/share/nas/facility_cameras", [Path("/share")], False),
        ("/shared/facility_cameras", [Path("/share")], False),
        ("/configuration/footage", [], False),
    ],
)
def test_what_a_backup_carries(archive: str, included: list[Path], *, expected: bool) -> None:
    """The configuration folder always; share and media if they are chosen; what is mounted below them never."""
    assert is_backed_up(archive, "/config", included, [_DISK, _SHARE, _NAS]) is expected


async def test_the_issue_comes_and_goes_with_the_folder(
    home: HomeAssistant, simulator: Simulator, make_facility: Callable[..., MockConfigEntry], tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    """In these tests footage lies below the configuration folder."""
    entry = make_facility("Trạm 1", {"Gate": simulator.cameras["Gate"]})
    assert await home.config_entries.async_setup(entry.entry_id)
    await until_online(home, entry, "Gate")
    issue_id = f"footage_in_backups_{entry.entry_id}"
    issue = ir.async_get(home).async_get_issue(DOMAIN, issue_id)
    assert issue is not None
    assert issue.translation_placeholders == {"facility": "Trạm 1", "folder": str(tmp_path / "archive")}
    elsewhere = tmp_path_factory.mktemp("disk")
    home.config_entries.async_update_entry(
        entry, data={**entry.data, "archive": str(elsewhere), "archive_id": claim(str(elsewhere))}
    )
    await home.async_block_till_done()
    assert ir.async_get(home).async_get_issue(DOMAIN, issue_id) is None
