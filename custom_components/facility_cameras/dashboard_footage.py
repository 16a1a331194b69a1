"""What an inspector asks of a facility's footage, on the dashboard: how complete, how old, how much room, which gaps today.

Figures are templates that the page keeps true. What is not known is left out.
"""

from collections.abc import Callable
from typing import Any

from homeassistant.components.sensor import DOMAIN as SENSOR
from homeassistant.core import HomeAssistant

from . import wording
from .coordinator import FacilityCoordinator

#: The entity of a domain, an owner's id and a key, if it is there and enabled.
type Find = Callable[[str, str, str], str | None]

#: Sensor of a facility, its words, and the name of what they tell.
_FIGURES = (
    ("completeness_today", "dashboard_complete_today", "today"),
    ("completeness_week", "dashboard_complete_week", "week"),
    ("oldest_footage", "dashboard_oldest", "oldest"),
    ("days_possible", "volume_days", "days"),
    ("free_space", "dashboard_free", "free"),
)


def figures(hass: HomeAssistant, owner: str, find: Find) -> str:
    """The figures of a facility, each behind a dot."""
    told = ""
    for key, words, name in _FIGURES:
        if sensor := find(SENSOR, owner, key):
            value = {
                "oldest_footage": _time(f"states('{sensor}')", "%d/%m/%Y %H:%M"),
                "days_possible": f"{{{{ '%g' | format(states('{sensor}') | float) }}}}",
            }.get(key, f"{{{{ states('{sensor}', rounded=True, with_unit=True) }}}}")
            sentence = wording.words(hass, words, **{name: value})
            told += f"{{% if has_value('{sensor}') %}} · {sentence}{{% endif %}}"
    return told


def gaps_card(hass: HomeAssistant, facility: FacilityCoordinator, find: Find) -> dict[str, Any] | None:
    """The newest gap of each camera that has one today; nothing is seen while there is none."""
    lines = []
    for camera_id, camera in facility.cameras().items():
        if not (gap := find(SENSOR, camera_id, "last_gap")):
            continue
        begun, ended = (f"states('{gap}')", f"state_attr('{gap}', 'ended')")
        reason = f"{{{{ state_attr_translated('{gap}', 'reason') }}}}"
        until = wording.words(
            hass, "dashboard_gap", start=_time(begun, "%H:%M:%S"), end=_time(ended, "%H:%M:%S"), reason=reason
        )
        lasts = wording.words(hass, "dashboard_gap_lasts", start=_time(begun, "%H:%M:%S"), reason=reason)
        lines.append(
            f"{{% if has_value('{gap}') and {begun} | as_datetime >= today_at() %}}\n"
            f"- {wording.markdown(camera.title)}: {{% if {ended} %}}{until}{{% else %}}{lasts}{{% endif %}}{{% endif %}}"
        )
    if not lines:
        return None
    title = wording.words(hass, "dashboard_gaps_today")
    content = (
        f"{{% set gaps %}}{''.join(lines)}{{% endset %}}{{% if gaps | trim %}}{title}\n{{{{ gaps }}}}{{% endif %}}"
    )
    return {"type": "markdown", "text_only": True, "content": content, "grid_options": {"columns": "full"}}


def _time(value: str, form: str) -> str:
    return f"{{{{ ({value} | as_datetime | as_local).strftime('{form}') }}}}"
