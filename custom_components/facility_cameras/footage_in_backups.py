"""Tells people when footage would get into Home Assistant's backups: each would be as large as the disk, and fail.

The configuration folder is in every backup. The share and media folders of Home Assistant OS are in those automatic
backups that were told to include them; a network storage or a disk that is mounted below them is never included.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from homeassistant.components.backup.const import DATA_MANAGER
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_track_time_interval
from homeassistant.helpers.hassio import is_hassio

from .const import CONF_ARCHIVE, DOMAIN, LOGGER
from .volumes import Mount, mount_of, read_mounts, within

#: What is backed up is changed by people, not by the minute.
_LOOK = timedelta(hours=1)
_ISSUE = "footage_in_backups"


async def async_watch(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Keep the issue of a facility true from now on, until it is unloaded."""

    async def look(_now: datetime) -> None:
        await _async_look(hass, entry)

    await _async_look(hass, entry)
    entry.async_on_unload(entry.add_update_listener(_async_look))
    entry.async_on_unload(async_track_time_interval(hass, look, _LOOK))


@callback
def async_clear(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """The facility is gone."""
    ir.async_delete_issue(hass, DOMAIN, _issue(entry))


async def _async_look(hass: HomeAssistant, entry: ConfigEntry) -> None:
    archive = entry.data[CONF_ARCHIVE]
    manager = hass.data.get(DATA_MANAGER)
    folders = manager.config.data.create_backup.include_folders if manager and is_hassio(hass) else None
    included = [Path("/") / folder for folder in folders or ()]
    try:
        inside = await within(lambda: is_backed_up(archive, hass.config.config_dir, included, read_mounts()))
    except OSError as error:
        # A storage that does not answer is another issue's.
        LOGGER.debug("It cannot be told whether %s gets into backups: %s", archive, error)
        return
    if not inside:
        async_clear(hass, entry)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue(entry),
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=_ISSUE,
        translation_placeholders={"facility": entry.title, "folder": archive},
    )


def is_backed_up(archive: str, config_dir: str, included: Iterable[Path], mounts: Iterable[Mount]) -> bool:
    """Whether a backup of the configuration folder and the `included` folders would carry what lies in `archive`.

    Blocks. Raises OSError.
    """
    folder = Path(archive).resolve()
    if folder.is_relative_to(Path(config_dir).resolve()):
        return True
    mount = mount_of(folder, mounts)
    point = Path(mount.point) if mount else Path("/")
    # What is mounted below is left out: a network storage, a disk.
    return any(folder.is_relative_to(one) and (point == one or not point.is_relative_to(one)) for one in included)


def _issue(entry: ConfigEntry) -> str:
    return f"{_ISSUE}_{entry.entry_id}"
