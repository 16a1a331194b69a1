"""The flow of a camera: an address is tried at once, what it sends is shown, and only then it is saved.

A user name or password inside an address is taken out of it: addresses are shown, and kept without them.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigEntry, SubentryFlowResult
from homeassistant.const import CONF_ADDRESS, CONF_NAME, CONF_PASSWORD, CONF_URL, CONF_USERNAME
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)
import voluptuous as vol

from . import wording
from .camera_device import CameraDevice, address_id
from .const import (
    CONF_AFTER,
    CONF_AUDIO,
    CONF_BEFORE,
    CONF_DAYS_TO_KEEP,
    CONF_DEVICE,
    CONF_RECORD,
    CONF_WHEN,
    CONF_WHEN_ENTITY,
    CONF_ZONE,
    LOGGER,
    WHEN_ALWAYS,
    WHEN_ENTITY,
    ZONES,
)
from .engine.api import Cause, ProbeResult
from .engine.rtsp.login_in_path import masked
from .engine_client import EngineError
from .flow_facility import PASSWORD, USERNAME, days_selector, name_error
from .flow_picture import PICTURE_KEYS, PictureStep
from .flow_standing import STANDING_KEYS, StandingStep, in_use_elsewhere
from .hub import HUB
from .onvif_camera import Device, OnvifError, Profile, read_device
from .pasted_address import take_apart, without_login
from .views import picture_url

CONF_PROFILE = "profile"

#: A sentence about an error may name any of these; the frontend wants every one of them at hand.
_NOTHING = {
    **wording.problem_placeholders(None),
    **dict.fromkeys(("reason", "attempts", "camera", "facility", "name"), ""),
}
_ADDRESS = vol.Schema(
    {
        vol.Required(CONF_ADDRESS): TextSelector(),
        vol.Optional(CONF_USERNAME): USERNAME,
        vol.Optional(CONF_PASSWORD): PASSWORD,
    }
)
_SETTINGS = vol.Schema(
    {
        vol.Required(CONF_NAME): TextSelector(),
        vol.Required(CONF_ZONE, default="other"): SelectSelector(
            SelectSelectorConfig(options=ZONES, translation_key="zone", mode=SelectSelectorMode.DROPDOWN)
        ),
        vol.Required(CONF_AUDIO, default=False): BooleanSelector(),
    }
)
_SECONDS = NumberSelector(
    NumberSelectorConfig(min=0, max=300, step=1, unit_of_measurement="s", mode=NumberSelectorMode.BOX)
)
_WHEN = vol.Schema(
    {
        vol.Required(CONF_WHEN, default=WHEN_ALWAYS): SelectSelector(
            SelectSelectorConfig(
                options=[WHEN_ALWAYS, WHEN_ENTITY], translation_key="when", mode=SelectSelectorMode.LIST
            )
        ),
        vol.Optional(CONF_WHEN_ENTITY): EntitySelector(),
        vol.Required(CONF_BEFORE, default=10): _SECONDS,
        vol.Required(CONF_AFTER, default=30): _SECONDS,
    }
)
_WHEN_KEYS = (CONF_WHEN, CONF_WHEN_ENTITY, CONF_BEFORE, CONF_AFTER)


@dataclass(slots=True)
class _Candidate:
    """The camera that is being added or changed, as far as it is known."""

    address: str = ""
    url: str = ""
    #: Its own log-in; None: the facility's.
    login: tuple[str, str] | None = None
    device: CameraDevice = field(default_factory=CameraDevice)
    unique_id: str = ""
    name: str = ""
    onvif: Device | None = None
    seen: ProbeResult | None = None


class CameraFlow(StandingStep, PictureStep):
    """Adds or changes one camera."""

    def __init__(self) -> None:
        """Begin with nothing given."""
        self._camera = _Candidate()
        self._placeholders = dict(_NOTHING)
        #: The address as it was typed, without the login before its host; and that login, to be used with it again.
        self._typed = ""
        self._pasted = ("", "")

    # --- add -------------------------------------------------------------------------------------------

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Address and log-in of a new camera."""
        return await self._async_address("user", user_input, {})

    # --- change ------------------------------------------------------------------------------------------

    async def async_step_reconfigure(self, _user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Change how it is reached, or only what it is called."""
        camera = self._get_reconfigure_subentry()
        return self.async_show_menu(
            step_id="reconfigure",
            menu_options=["connection", "recording", "picture", "settings", "standing"],
            description_placeholders={"camera": camera.title},
        )

    async def async_step_connection(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Another address or log-in of a known camera. An empty password leaves it as it is."""
        camera = self._get_reconfigure_subentry()
        self._camera.name = camera.title
        known = CameraDevice.of(camera.data)
        address = camera.data[CONF_URL]
        if known.onvif_host:
            host = f"[{known.onvif_host}]" if ":" in known.onvif_host else known.onvif_host
            address = f"{host}:{known.onvif_port}"
        if user_input is None:
            self._typed = address
        suggested = {CONF_ADDRESS: masked(address), CONF_USERNAME: camera.data.get(CONF_USERNAME, "")}
        return await self._async_address("connection", user_input, suggested)

    async def async_step_recording(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Always, or while an entity says so; the camera itself is not asked."""
        camera = self._get_reconfigure_subentry()
        errors: dict[str, str] = {}
        if user_input is not None:
            if user_input[CONF_WHEN] == WHEN_ALWAYS or user_input.get(CONF_WHEN_ENTITY):
                return self.async_update_and_abort(self._get_entry(), camera, data_updates=user_input)
            errors[CONF_WHEN_ENTITY] = "when_entity_missing"
        return self.async_show_form(
            step_id="recording",
            data_schema=self.add_suggested_values_to_schema(_WHEN, user_input or camera.data),
            errors=errors,
            description_placeholders={"camera": camera.title},
        )

    async def async_step_settings(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Name, place, sound and days to keep; the camera itself is not asked."""
        camera = self._get_reconfigure_subentry()
        error = name_error(user_input)
        if user_input is not None and error is None:
            kept = {key: value for key, value in camera.data.items() if key != CONF_DAYS_TO_KEEP}
            if user_input.get(CONF_DAYS_TO_KEEP):
                kept[CONF_DAYS_TO_KEEP] = int(user_input[CONF_DAYS_TO_KEEP])
            return self.async_update_and_abort(
                self._get_entry(),
                camera,
                title=user_input[CONF_NAME].strip(),
                data={**kept, CONF_ZONE: user_input[CONF_ZONE], CONF_AUDIO: user_input[CONF_AUDIO]},
            )
        await wording.async_load(self.hass)
        schema = _SETTINGS.extend({vol.Optional(CONF_DAYS_TO_KEEP): days_selector(self.hass)})
        known = user_input or {CONF_NAME: camera.title, **camera.data}
        return self.async_show_form(
            step_id="settings",
            data_schema=self.add_suggested_values_to_schema(schema, known),
            description_placeholders={"days": str(int(self._get_entry().data[CONF_DAYS_TO_KEEP]))},
            errors={CONF_NAME: error} if error else {},
        )

    # --- both --------------------------------------------------------------------------------------------

    async def _async_address(
        self, step_id: str, user_input: dict[str, Any] | None, suggested: Mapping[str, Any]
    ) -> SubentryFlowResult:
        """Take an address and try it: through ONVIF, or as the RTSP address that it is."""
        errors: dict[str, str] = {}
        if user_input is not None:
            if error := self._take_address(user_input):
                errors["base"] = error
            elif self._camera.url:
                if not (error := await self._async_try()):
                    return await self.async_step_confirm()
                errors["base"] = error
            elif not (error := await self._async_read_onvif()):
                return await self.async_step_profile()
            else:
                errors["base"] = error
            # What was typed, without what is secret in it: an answer may be logged on its way.
            username = user_input.get(CONF_USERNAME, "") or self._pasted[0]
            suggested = {CONF_ADDRESS: masked(self._typed), CONF_USERNAME: username}
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(_ADDRESS, suggested),
            errors=errors,
            description_placeholders={**self._placeholders, "name": wording.markdown(self._camera.name)},
            last_step=False,
        )

    def _take_address(self, user_input: dict[str, Any]) -> str | None:
        """Take what was typed apart. Returns the error, if there is one."""
        address = user_input[CONF_ADDRESS].strip()
        if self._typed and address == masked(self._typed):
            address = self._typed  # it was shown without the login in its path, and left as it was
        username, password = user_input.get(CONF_USERNAME, ""), user_input.get(CONF_PASSWORD, "")
        if not password and username == self._pasted[0]:
            password = self._pasted[1]
        self._typed = without_login(address)
        self._placeholders = dict(_NOTHING)
        self._camera.url, self._camera.onvif = "", None
        if "://" in address:
            try:
                url, inside_username, inside_password = take_apart(address)
            except ValueError:
                return "address_invalid"
            if url.scheme not in ("rtsp", "http", "https"):
                return "address_invalid"
            if inside_username or inside_password:
                username, password = username or inside_username, password or inside_password
                self._pasted = username, password
            self._typed = address = str(url)
            if url.scheme == "rtsp":
                self._camera.url = address
                self._camera.device = CameraDevice()
                self._camera.unique_id = address_id(address)
        self._camera.address = address
        self._camera.login = self._login(username, password)
        return None

    def _login(self, username: str, password: str) -> tuple[str, str] | None:
        """The camera's own log-in; None where the facility's is meant."""
        if self.source == SOURCE_RECONFIGURE:
            known = self._get_reconfigure_subentry().data
            if not password and username == known.get(CONF_USERNAME, ""):
                return (known[CONF_USERNAME], known[CONF_PASSWORD]) if CONF_USERNAME in known else None
        if not username and not password:
            return None
        return username or self._get_entry().data.get(CONF_USERNAME, ""), password

    @property
    def _credentials(self) -> tuple[str, str]:
        if self._camera.login is not None:
            return self._camera.login
        data = self._get_entry().data
        return data.get(CONF_USERNAME, ""), data.get(CONF_PASSWORD, "")

    async def _async_read_onvif(self) -> str | None:
        """Ask the camera who it is and what it offers. Returns the error, if there is one."""
        username, password = self._credentials
        try:
            self._camera.onvif = await read_device(self._camera.address, username, password)
        except OnvifError as error:
            self._placeholders |= error.placeholders
            return f"onvif_{error.cause.value}"
        self._camera.name = self._camera.name or self._camera.onvif.name
        return None

    async def async_step_profile(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Choose the stream that is recorded."""
        device = self._camera.onvif
        assert device is not None
        profiles = {profile.token: profile for profile in device.profiles}
        errors: dict[str, str] = {}
        if user_input is not None and (profile := profiles.get(user_input[CONF_PROFILE])):
            self._take_profile(device, profile)
            if not (error := await self._async_try()):
                return await self.async_step_confirm()
            errors["base"] = error
        known = CameraDevice.of(self._get_reconfigure_subentry().data) if self.source == SOURCE_RECONFIGURE else None
        chosen = known.profile if known and known.profile in profiles else device.best.token
        options = [SelectOptionDict(value=token, label=_label(profile)) for token, profile in profiles.items()]
        schema = vol.Schema(
            {
                vol.Required(CONF_PROFILE, default=chosen): SelectSelector(
                    SelectSelectorConfig(options=options, mode=SelectSelectorMode.LIST)
                )
            }
        )
        return self.async_show_form(
            step_id="profile",
            data_schema=schema,
            errors=errors,
            description_placeholders={
                **self._placeholders,
                # Whatever a camera says of itself is a text and nothing else.
                "maker": wording.markdown(device.maker) or "–",
                "model": wording.markdown(device.model) or "–",
                "serial": wording.markdown(device.serial) or "–",
                "mac": wording.markdown(", ".join(device.macs)) or "–",
                "name": wording.markdown(device.name),
            },
            last_step=False,
        )

    def _take_profile(self, device: Device, profile: Profile) -> None:
        self._camera.url = profile.stream_url
        self._camera.device = CameraDevice.from_onvif(device, profile)
        self._camera.unique_id = device.unique_id(profile) or address_id(profile.stream_url)

    async def _async_try(self) -> str | None:
        """Connect as recording will. Returns the error, if there is one."""
        if self._known_elsewhere():
            return "camera_known"
        username, password = self._credentials
        try:
            self._camera.seen = await self.hass.data[HUB].client.probe(
                {"url": self._camera.url, "username": username, "password": password}
            )
        except EngineError as error:
            return "address_invalid" if error.status == HTTPStatus.BAD_REQUEST else "engine_away"
        problem = self._camera.seen["problem"]
        if problem is None:
            return None
        self._placeholders = {**self._placeholders, **wording.problem_placeholders(problem)}
        try:
            return f"cause_{Cause(problem['cause'])}"
        except ValueError:
            return f"cause_{Cause.CAMERA_ERROR}"

    def _known_elsewhere(self) -> bool:
        """Whether any facility has this camera already."""
        own = self._get_reconfigure_subentry().subentry_id if self.source == SOURCE_RECONFIGURE else None
        found = in_use_elsewhere(self.hass, self._camera.url, self._camera.unique_id, own)
        self._placeholders |= found or {}
        return found is not None

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Show what came, ask what it is called, save."""
        error = name_error(user_input)
        if user_input is not None and error is None:
            result = self._save(user_input[CONF_NAME].strip(), user_input)
            if self.source == SOURCE_RECONFIGURE:
                await self._async_retry()
            return result
        suggested: dict[str, Any] = {CONF_NAME: self._camera.name}
        if self.source == SOURCE_RECONFIGURE:
            camera = self._get_reconfigure_subentry()
            suggested = {CONF_NAME: camera.title, **camera.data}
        return self.async_show_form(
            step_id="confirm",
            data_schema=self.add_suggested_values_to_schema(_SETTINGS, user_input or suggested),
            errors={CONF_NAME: error} if error else {},
            description_placeholders=self._seen(),
        )

    async def _async_retry(self) -> None:
        """It answers now: have it connected to at once, also where nothing was changed but the camera itself."""
        try:
            await self.hass.data[HUB].client.retry(self._get_reconfigure_subentry().subentry_id)
        except EngineError as error:
            LOGGER.debug("Not tried again: %s", error)

    def _seen(self) -> dict[str, str]:
        """What was received, in words, and the picture as an address that ends in some minutes."""
        seen = self._camera.seen
        received = seen["format"] if seen else None
        picture = ""
        if seen and (encoded := seen.get("picture")):
            try:
                token = self.hass.data[HUB].pictures.add(base64.b64decode(encoded, validate=True))
                picture = f"![]({picture_url(token)})"
            except binascii.Error:
                picture = ""
        return {
            "codec": {"h264": "H.264", "h265": "H.265"}.get(received["video"], received["video"]) if received else "–",
            "size": f"{received['width']} × {received['height']}" if received else "–",
            "fps": f"{seen.get('fps', 0):.0f}" if seen else "–",
            "sound": received["audio"].upper()
            if received and received["audio"]
            else wording.words(self.hass, "sound_none"),
            "picture": picture,
            "url": wording.markdown(masked(self._camera.url)),
        }

    def _save(self, name: str, user_input: dict[str, Any]) -> SubentryFlowResult:
        data: dict[str, Any] = {
            CONF_URL: self._camera.url,
            CONF_AUDIO: user_input[CONF_AUDIO],
            CONF_RECORD: True,
            CONF_ZONE: user_input[CONF_ZONE],
            CONF_DEVICE: self._camera.device.as_data(),
        }
        if self._camera.login is not None:
            data[CONF_USERNAME], data[CONF_PASSWORD] = self._camera.login
        if self.source != SOURCE_RECONFIGURE:
            return self.async_create_entry(title=name, data=data, unique_id=self._camera.unique_id)
        entry: ConfigEntry = self._get_entry()
        camera = self._get_reconfigure_subentry()
        data |= {key: camera.data[key] for key in (CONF_RECORD, CONF_DAYS_TO_KEEP) if key in camera.data}
        data[CONF_RECORD] = camera.data[CONF_RECORD]
        data |= {key: camera.data[key] for key in (*_WHEN_KEYS, *STANDING_KEYS, *PICTURE_KEYS) if key in camera.data}
        return self.async_update_and_abort(entry, camera, title=name, data=data, unique_id=self._camera.unique_id)


def _label(profile: Profile) -> str:
    """What a stream is, as far as the camera tells: "main · H.264 · 1920 × 1080 · 25 fps"."""
    codec = {"h264": "H.264", "h265": "H.265", "jpeg": "MJPEG", "mpeg4": "MPEG-4"}.get(profile.codec, profile.codec)
    size = f"{profile.width} × {profile.height}" if profile.width and profile.height else ""
    rate = f"{profile.fps:g} fps" if profile.fps else ""
    bits = f"{profile.bitrate_kbps / 1000:g} Mbit/s" if profile.bitrate_kbps else ""
    return " · ".join(part for part in (profile.name or profile.token, codec, size, rate, bits) if part)
