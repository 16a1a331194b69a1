"""The step of a camera's flow about what is asked of it: its required hours, and whether it is retired.

A retired camera keeps its footage, and leaves its address and its identity to the one that takes its place.
"""

from typing import Any

from homeassistant.config_entries import ConfigSubentryFlow, SubentryFlowResult
from homeassistant.const import CONF_UNIQUE_ID, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import BooleanSelector, EntitySelector
import voluptuous as vol

from .camera_device import address_key
from .const import CONF_CHANGES, CONF_CONNECT, CONF_REQUIRED_ENTITY, CONF_RETIRED, DOMAIN, SUBENTRY_CAMERA
from .who import flow_change

#: What is kept when a camera gets another address.
STANDING_KEYS = (CONF_CONNECT, CONF_RETIRED, CONF_REQUIRED_ENTITY, CONF_CHANGES)
_STANDING = vol.Schema(
    {
        vol.Optional(CONF_REQUIRED_ENTITY): EntitySelector(),
        vol.Required(CONF_RETIRED, default=False): BooleanSelector(),
    }
)


def in_use_elsewhere(hass: HomeAssistant, url: str, unique_id: str | None, own: str | None) -> dict[str, str] | None:
    """Which other camera than `own` (by what it says of itself, or by its address) is this one, and at which facility;
    None if there is none. Those that are retired are not asked for anything any more.
    """
    key = address_key(url)
    for entry in hass.config_entries.async_entries(DOMAIN):
        for camera in entry.get_subentries_of_type(SUBENTRY_CAMERA):
            if camera.subentry_id == own or camera.data.get(CONF_RETIRED, False):
                continue
            if (unique_id and camera.unique_id == unique_id) or address_key(camera.data[CONF_URL]) == key:
                return {"camera": camera.title, "facility": entry.title}
    return None


class StandingStep(ConfigSubentryFlow):
    """Part of the flow that changes a camera."""

    async def async_step_standing(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """When it is required, and whether it is out of use for good; the camera itself is not asked."""
        camera = self._get_reconfigure_subentry()
        errors: dict[str, str] = {}
        known = {"camera": "", "facility": ""}
        if user_input is not None:
            kept = {key: value for key, value in camera.data.items() if key != CONF_REQUIRED_ENTITY}
            unique_id = camera.unique_id
            if user_input[CONF_RETIRED] != kept.get(CONF_RETIRED, False):
                kept[CONF_CHANGES] = {**kept.get(CONF_CHANGES, {}), CONF_RETIRED: flow_change()}
                if user_input[CONF_RETIRED]:
                    kept[CONF_UNIQUE_ID], unique_id = unique_id, None
                else:
                    unique_id = kept.pop(CONF_UNIQUE_ID, unique_id)
                    if found := in_use_elsewhere(self.hass, camera.data[CONF_URL], unique_id, camera.subentry_id):
                        known, errors = found, {CONF_RETIRED: "camera_known"}
            if not errors:
                data = {**kept, **user_input}
                return self.async_update_and_abort(self._get_entry(), camera, data=data, unique_id=unique_id)
        return self.async_show_form(
            step_id="standing",
            data_schema=self.add_suggested_values_to_schema(_STANDING, user_input or camera.data),
            errors=errors,
            # The sentence about an error names another camera than the one that is changed.
            description_placeholders={**known, "changed": camera.title},
        )
