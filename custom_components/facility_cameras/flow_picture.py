"""The step of a camera's flow about how its picture is looked at (picture_settings.py)."""

from typing import Any

from homeassistant.config_entries import ConfigSubentryFlow, SubentryFlowResult
from homeassistant.helpers.selector import SelectSelector, SelectSelectorConfig, SelectSelectorMode
import voluptuous as vol

from .const import CONF_CHANGING_AREAS, CONF_SENSITIVITY
from .picture_settings import AREAS, DEFAULT_SENSITIVITY, SENSITIVITIES

#: What is kept when a camera gets another address.
PICTURE_KEYS = (CONF_SENSITIVITY, CONF_CHANGING_AREAS)
_PICTURE = vol.Schema(
    {
        vol.Required(CONF_SENSITIVITY, default=DEFAULT_SENSITIVITY): SelectSelector(
            SelectSelectorConfig(
                options=SENSITIVITIES, translation_key="picture_sensitivity", mode=SelectSelectorMode.DROPDOWN
            )
        ),
        vol.Optional(CONF_CHANGING_AREAS, default=[]): SelectSelector(
            SelectSelectorConfig(
                options=list(AREAS), translation_key="picture_area", multiple=True, mode=SelectSelectorMode.LIST
            )
        ),
    }
)


class PictureStep(ConfigSubentryFlow):
    """Part of the flow that changes a camera."""

    async def async_step_picture(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Sensitivity and areas; the camera itself is not asked."""
        camera = self._get_reconfigure_subentry()
        if user_input is not None:
            return self.async_update_and_abort(self._get_entry(), camera, data_updates=user_input)
        return self.async_show_form(
            step_id="picture",
            data_schema=self.add_suggested_values_to_schema(_PICTURE, camera.data),
            description_placeholders={"camera": camera.title},
        )
