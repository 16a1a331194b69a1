"""Repairs: what a person has to do something about. `repairs.py` holds the flow that mends a password."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from . import camera_hints, footage_issues, volume_issues
from .const import CONF_SECOND_COPY, DOMAIN
from .coordinator import FacilityCoordinator, cameras_of
from .engine.api import Cause, Status
from .engine.api_footage import CopyCause


@callback
def async_watch(hass: HomeAssistant, coordinator: FacilityCoordinator) -> CALLBACK_TYPE:
    """Keep the issues of a facility and its cameras true from now on."""
    hints = camera_hints.CameraHints(hass, coordinator)

    @callback
    def update() -> None:
        hints.update()
        if not coordinator.connected:
            return
        volume_issues.async_update(hass, coordinator)
        footage_issues.async_update(hass, coordinator)
        _update_second_copy(hass, coordinator)
        for camera_id in cameras_of(coordinator.entry):
            _update_password(hass, coordinator, camera_id)

    update()
    return coordinator.async_listen(None, update)


@callback
def async_clear(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """The facility is gone, and so is what was wrong with it."""
    volume_issues.async_clear(hass, entry)
    footage_issues.async_clear(hass, entry)
    _delete(hass, _copy_issue(entry.entry_id))
    for camera_id in cameras_of(entry):
        async_clear_camera(hass, camera_id)


@callback
def async_clear_camera(hass: HomeAssistant, camera_id: str) -> None:
    """The camera is gone."""
    camera_hints.async_clear_camera(hass, camera_id)
    _delete(hass, _password_issue(camera_id))


def _copy_issue(facility_id: str) -> str:
    return f"second_copy_{facility_id}"


def _password_issue(camera_id: str) -> str:
    return f"password_{camera_id}"


@callback
def _delete(hass: HomeAssistant, issue_id: str) -> None:
    if (DOMAIN, issue_id) in ir.async_get(hass).issues:
        ir.async_delete_issue(hass, DOMAIN, issue_id)


@callback
def _update_second_copy(hass: HomeAssistant, coordinator: FacilityCoordinator) -> None:
    entry = coordinator.entry
    state = coordinator.facility
    if state is None or not state["copy_problem"]:
        _delete(hass, _copy_issue(entry.entry_id))
        return
    ir.async_create_issue(
        hass,
        DOMAIN,
        _copy_issue(entry.entry_id),
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR,
        translation_key=f"second_copy_{CopyCause(state['copy_problem'])}",
        translation_placeholders={"facility": entry.title, "folder": entry.data.get(CONF_SECOND_COPY, "")},
    )


@callback
def _update_password(hass: HomeAssistant, coordinator: FacilityCoordinator, camera_id: str) -> None:
    entry = coordinator.entry
    if coordinator.status(camera_id) is not Status.UNAUTHORISED:
        # Unknown is no sign that the password is right.
        if coordinator.status(camera_id) is not Status.UNKNOWN:
            _delete(hass, _password_issue(camera_id))
        return
    issue = ir.async_get(hass).async_get_issue(DOMAIN, _password_issue(camera_id))
    # One that is known but not active is of before the restart, kept only for being ignored.
    if issue is not None and issue.active:
        return
    missing = coordinator.cause(camera_id) is Cause.PASSWORD_MISSING
    ir.async_create_issue(
        hass,
        DOMAIN,
        _password_issue(camera_id),
        data={"entry_id": entry.entry_id, "camera_id": camera_id},
        is_fixable=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key="password_missing" if missing else "password_wrong",
        translation_placeholders={"camera": entry.subentries[camera_id].title, "facility": entry.title},
    )
