"""Repairs about how long footage is kept, and about deleting it. `issues.py` keeps them true."""

from collections.abc import Callable
from dataclasses import dataclass

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from .const import CONF_QUOTA_GB, DOMAIN
from .coordinator import FacilityCoordinator
from .engine.api import FacilityState, VolumeCause

#: Once told that the days cannot be kept, it is told until there is so much room to spare: rates go up and down.
_SPARE = 1.05


@dataclass(frozen=True, kw_only=True)
class FootageIssue:
    """`is_so` is given the newest state, and whether it was so before; `since` is when it began (UTC microseconds), and
    `reason` why.
    """

    key: str
    severity: ir.IssueSeverity
    is_so: Callable[[FacilityState, bool], bool]
    since: Callable[[FacilityState], int | None] = lambda _state: None
    reason: Callable[[FacilityState], str] = lambda _state: ""


def _short(state: FacilityState, before: bool) -> bool:
    possible = state["days_possible"]
    return state["days_short"] or (before and possible is not None and possible < state["days_promised"] * _SPARE)


def _only_young(state: FacilityState) -> bool:
    return state["cleaning"]["young_since"] is not None


def _few_inodes(state: FacilityState) -> bool:
    """Whether it is files, not bytes, that the volume has too little room for."""
    return state["volume_cause"] == VolumeCause.NO_INODES


FOOTAGE_ISSUES = (
    FootageIssue(key="days_not_possible", severity=ir.IssueSeverity.WARNING, is_so=_short),
    FootageIssue(
        key="cleaning_failed",
        severity=ir.IssueSeverity.ERROR,
        is_so=lambda state, _before: state["cleaning"]["failed_since"] is not None,
        since=lambda state: state["cleaning"]["failed_since"],
        reason=lambda state: state["cleaning"]["failed_why"],
    ),
    FootageIssue(
        key="deleting_frees_nothing",
        severity=ir.IssueSeverity.ERROR,
        is_so=lambda state, _before: state["cleaning"]["frees_nothing_since"] is not None,
        since=lambda state: state["cleaning"]["frees_nothing_since"],
    ),
    FootageIssue(
        key="files_not_deleted",
        severity=ir.IssueSeverity.WARNING,
        is_so=lambda state, _before: state["cleaning"]["stuck_files"] > 0,
        reason=lambda state: state["cleaning"]["stuck_why"],
    ),
    FootageIssue(
        key="only_young_footage",
        severity=ir.IssueSeverity.ERROR,
        is_so=lambda state, _before: _only_young(state) and not _few_inodes(state),
        since=lambda state: state["cleaning"]["young_since"],
    ),
    FootageIssue(
        key="only_young_few_inodes",
        severity=ir.IssueSeverity.ERROR,
        is_so=lambda state, _before: _only_young(state) and _few_inodes(state),
        since=lambda state: state["cleaning"]["young_since"],
    ),
    FootageIssue(
        key="quota_exceeded",
        severity=ir.IssueSeverity.WARNING,
        is_so=lambda state, _before: state["cleaning"]["over_quota"],
    ),
)


def _issue_id(issue: FootageIssue, facility_id: str) -> str:
    return f"{issue.key}_{facility_id}"


@callback
def async_update(hass: HomeAssistant, coordinator: FacilityCoordinator) -> None:
    """Tell what is so now of a facility's footage, and no longer what is not."""
    state, entry = coordinator.facility, coordinator.entry
    for issue in FOOTAGE_ISSUES:
        issue_id = _issue_id(issue, entry.entry_id)
        before = (DOMAIN, issue_id) in ir.async_get(hass).issues
        if state is not None and issue.is_so(state, before):
            ir.async_create_issue(
                hass,
                DOMAIN,
                issue_id,
                is_fixable=False,
                severity=issue.severity,
                translation_key=issue.key,
                translation_placeholders=_placeholders(entry, state, issue),
            )
        elif before:
            ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def async_clear(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """The facility is gone, and so is what was wrong with its footage."""
    for issue in FOOTAGE_ISSUES:
        if (DOMAIN, issue_id := _issue_id(issue, entry.entry_id)) in ir.async_get(hass).issues:
            ir.async_delete_issue(hass, DOMAIN, issue_id)


def _placeholders(entry: ConfigEntry, state: FacilityState, issue: FootageIssue) -> dict[str, str]:
    """Everything that one of the sentences may name."""
    cleaning, possible = state["cleaning"], state["days_possible"]
    since = dt_util.as_local(dt_util.utc_from_timestamp((issue.since(state) or 0) / 1_000_000))
    return {
        "facility": entry.title,
        "folder": state["archive"],
        "free": f"{state['free_bytes'] / 1e9:.1f}",
        "footage": f"{state['footage_bytes'] / 1e9:.1f}",
        "quota": str(entry.data.get(CONF_QUOTA_GB, "")),
        # Never "30 of 30 days": what is short is rounded down.
        "possible": "–" if possible is None else f"{possible // 0.1 / 10:g}" if possible < 10 else str(int(possible)),
        "promised": str(state["days_promised"]),
        "since": f"{since:%H:%M %d/%m/%Y}",
        "reason": issue.reason(state),
        "files": str(cleaning["stuck_files"]),
        "file": cleaning["stuck_path"],
    }
