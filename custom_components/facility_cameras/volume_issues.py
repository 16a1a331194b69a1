"""What is wrong with the volume where footage lies, told by its cause: each needs another hand."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .coordinator import FacilityCoordinator
from .engine.api import VolumeCause, VolumeState

#: The texts by cause; without one, by state.
_BY_CAUSE = {
    VolumeCause.OTHER_ARCHIVE: "archive_other",
    VolumeCause.OLDER_COPY: "archive_older_copy",
    VolumeCause.IN_USE: "archive_in_use",
    VolumeCause.IN_USE_ELSEWHERE: "archive_in_use_elsewhere",
    VolumeCause.NOT_PERMITTED: "archive_not_permitted",
    VolumeCause.NO_INODES: "disk_no_inodes",
    VolumeCause.QUOTA: "disk_quota",
    VolumeCause.IO_ERROR: "archive_io_error",
    VolumeCause.SHARE_STALE: "share_away",
    VolumeCause.SHARE_AWAY: "share_away",
    VolumeCause.NO_ANSWER: "archive_no_answer",
    VolumeCause.SLOW: "archive_slow",
}
_BY_STATE = {
    VolumeState.LOW: "disk_nearly_full",
    VolumeState.FULL: "disk_full",
    VolumeState.MISSING: "archive_missing",
    VolumeState.READ_ONLY: "archive_read_only",
    VolumeState.ERROR: "archive_error",
}
#: Footage is written all the same.
_WARNINGS = frozenset({"disk_nearly_full", "disk_few_inodes", "archive_slow"})
#: What a person can decide here: see repairs.py.
DECISIONS = frozenset({"archive_older_copy", "footage_hidden"})


def _issue(facility_id: str) -> str:
    return f"archive_{facility_id}"


def _hidden_issue(facility_id: str) -> str:
    return f"footage_hidden_{facility_id}"


def _key(state: VolumeState, cause: VolumeCause) -> str | None:
    """The text for a volume in this state; None if nothing is wrong."""
    if (state, cause) == (VolumeState.LOW, VolumeCause.NO_INODES):
        return "disk_few_inodes"
    return _BY_CAUSE.get(cause) or _BY_STATE.get(state)


@callback
def async_update(hass: HomeAssistant, coordinator: FacilityCoordinator) -> None:
    """Keep the issues of a facility's volume true."""
    entry, state = coordinator.entry, coordinator.facility
    key = _key(VolumeState(state["volume"]), VolumeCause(state["volume_cause"])) if state is not None else None
    _set(hass, coordinator, _issue(entry.entry_id), key)
    hidden = state is not None and state["hidden_files"] > 0
    _set(hass, coordinator, _hidden_issue(entry.entry_id), "footage_hidden" if hidden else None)


@callback
def async_clear(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """The facility is gone."""
    for issue_id in (_issue(entry.entry_id), _hidden_issue(entry.entry_id)):
        ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def _set(hass: HomeAssistant, coordinator: FacilityCoordinator, issue_id: str, key: str | None) -> None:
    entry, state = coordinator.entry, coordinator.facility
    if state is None or key is None:
        if (DOMAIN, issue_id) in ir.async_get(hass).issues:
            ir.async_delete_issue(hass, DOMAIN, issue_id)
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        data={"entry_id": entry.entry_id, "decision": key} if key in DECISIONS else None,
        is_fixable=key in DECISIONS,
        severity=ir.IssueSeverity.WARNING if key in _WARNINGS or key == "footage_hidden" else ir.IssueSeverity.ERROR,
        translation_key=key,
        translation_placeholders={
            "facility": entry.title,
            "folder": state["archive"],
            "free": f"{state['free_bytes'] / 1e9:.1f}",
            "files": str(state["hidden_files"]),
            "size": f"{state['hidden_bytes'] / 1e9:.1f}",
        },
    )
