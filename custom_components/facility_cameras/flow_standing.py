"""The step of a camera's flow about what is asked of it: its required hours, and whether it is retired."""

from typing import Any

from homeassistant.config_entries import ConfigSubentryFlow, SubentryFlowResult
from homeassistant.helpers.selector import BooleanSelector, EntitySelector
import voluptuous as vol

from .const import CONF_CHANGES, CONF_CONNECT, CONF_REQUIRED_ENTITY, CONF_RETIRED
from .who import flow_change

#: What is kept when a camera gets another address.
STANDING_KEYS = (CONF_CONNECT, CONF_RETIRED, CONF_REQUIRED_ENTITY, CONF_CHANGES)
_STANDING = vol.Schema(
    {
        vol.Optional(CONF_REQUIRED_ENTITY): EntitySelector(),
        vol.Required(CONF_RETIRED, default=False): BooleanSelector(),
    }
)


class StandingStep(ConfigSubentryFlow):
    """Part of the flow that changes a camera."""

    async def async_step_standing(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """When it is required, and whether it is out of use for good; the camera itself is not asked."""
        camera = self._get_reconfigure_subentry()
        if user_input is not None:
            kept = {key: value for key, value in camera.data.items() if key != CONF_REQUIRED_ENTITY}
            if user_input[CONF_RETIRED] != kept.get(CONF_RETIRED, False):
                kept[CONF_CHANGES] = {**kept.get(CONF_CHANGES, {}), CONF_RETIRED: flow_change()}
            return self.async_update_and_abort(self._get_entry(), camera, data={**kept, **user_input})
        return self.async_show_form(
            step_id="standing",
            data_schema=self.add_suggested_values_to_schema(_STANDING, camera.data),
            description_placeholders={"camera": camera.title},
        )
