"""Who did something and by what: a person, an automation or script, or Home Assistant itself."""

from collections import OrderedDict
from enum import StrEnum

from homeassistant.components.http.const import KEY_HASS_USER
from homeassistant.core import Context, Event, HomeAssistant, callback
from homeassistant.exceptions import UnknownUser
from homeassistant.helpers.http import current_request
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .engine.api import WHO_SIGNS

#: Home Assistant's events for an automation or a script that begins: their data hold its name.
_BEGINNINGS = ("automation_triggered", "script_started")
_MOST_NAMES = 200
_NAMES: HassKey[OrderedDict[str, str]] = HassKey(f"{DOMAIN}.names_by_context")


class How(StrEnum):
    """By what something was changed."""

    PERSON = "person"
    AUTOMATION = "automation"  # or a script that an automation called
    RESTORE = "restore"  # Home Assistant itself


@callback
def async_register(hass: HomeAssistant) -> None:
    """Note from now on which automation a context is of."""
    names = hass.data[_NAMES] = OrderedDict()

    @callback
    def note(event: Event) -> None:
        # The first one: an automation that calls a script is who did it.
        names.setdefault(event.context.id, str(event.data.get("name") or ""))
        while len(names) > _MOST_NAMES:
            names.popitem(last=False)

    for kind in _BEGINNINGS:
        hass.bus.async_listen(kind, note)


async def async_who(hass: HomeAssistant, context: Context | None) -> str:
    """The name of the user, or of the automation. Raises UnknownUser."""
    if context is None or context.user_id is None:
        return _automation(hass, context) or "Home Assistant"
    user = await hass.auth.async_get_user(context.user_id)
    if user is None:
        raise UnknownUser(context=context)
    return (user.name or "")[:WHO_SIGNS]


async def async_change(hass: HomeAssistant, context: Context | None) -> dict[str, str]:
    """A change that is made now: by whom, when, by what. As it is kept in a camera's configuration. Raises UnknownUser."""
    how = How.RESTORE
    if context is not None and context.user_id is not None:
        how = How.PERSON
    elif context is not None and (context.parent_id is not None or _automation(hass, context)):
        how = How.AUTOMATION
    return _change(await async_who(hass, context), how)


def flow_user() -> str:
    """The name of the user who has a flow before them; empty if nobody has."""
    request = current_request.get()
    user = request.get(KEY_HASS_USER) if request is not None else None
    return str(user.name or "")[:WHO_SIGNS] if user is not None else ""


def flow_change() -> dict[str, str]:
    """A change that is made in a flow now, as `async_change` tells one."""
    return _change(flow_user(), How.PERSON)


def _change(by: str, how: How) -> dict[str, str]:
    return {"by": by, "at": dt_util.utcnow().isoformat(timespec="seconds"), "how": how.value}


def _automation(hass: HomeAssistant, context: Context | None) -> str:
    if context is None:
        return ""
    names = hass.data[_NAMES]
    return (names.get(context.id) or names.get(context.parent_id or "") or "")[:WHO_SIGNS]
