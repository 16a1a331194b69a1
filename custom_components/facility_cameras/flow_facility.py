"""The forms of a facility: its name and passwords, and where its footage lies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from zoneinfo import available_timezones

from homeassistant.const import CONF_NAME, CONF_PASSWORD, CONF_USERNAME
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol

from . import wording
from .const import (
    CONF_ARCHIVE,
    CONF_DAYS_TO_KEEP,
    CONF_LEAST_DAYS,
    CONF_PLANNED_CAMERAS,
    CONF_QUOTA_GB,
    CONF_SECOND_COPY,
    DEFAULT_DAYS_TO_KEEP,
    DEFAULT_PLANNED_CAMERAS,
)
from .engine.api_footage import COPY_MARKER
from .volumes import Judgement, Refusal, Volume, apart, find_volumes, judge, judge_copy, within

PASSWORD = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off"))
USERNAME = TextSelector(TextSelectorConfig(autocomplete="off"))
_NAME_LENGTH = 60
MOST_DAYS = 3650
_CAMERAS = NumberSelector(NumberSelectorConfig(min=1, max=500, step=1, mode=NumberSelectorMode.BOX))


def facility_schema() -> vol.Schema:
    """Name, how many cameras, and the log-in that most of them share."""
    return vol.Schema(
        {
            vol.Required(CONF_NAME): TextSelector(),
            vol.Required(CONF_PLANNED_CAMERAS, default=DEFAULT_PLANNED_CAMERAS): _CAMERAS,
            vol.Optional(CONF_USERNAME): USERNAME,
            vol.Optional(CONF_PASSWORD): PASSWORD,
        }
    )


def footage_schema(hass: HomeAssistant, volumes: list[Volume], cameras: int, *, second: bool) -> vol.Schema:
    """The folder, chosen from the volumes found or typed, and how long footage is kept; a second folder, if that is
    asked for.
    """
    folder = _folder(hass, volumes, cameras, "")
    quota = NumberSelector(
        NumberSelectorConfig(min=1, max=1_000_000, step=1, mode=NumberSelectorMode.BOX, unit_of_measurement="GB")
    )
    required = vol.Required(CONF_ARCHIVE, default=volumes[0].folder) if volumes else vol.Required(CONF_ARCHIVE)
    schema: dict[vol.Marker, Any] = {
        required: folder,
        vol.Required(CONF_DAYS_TO_KEEP, default=DEFAULT_DAYS_TO_KEEP): days_selector(hass),
        vol.Optional(CONF_LEAST_DAYS): days_selector(hass),
        vol.Optional(CONF_QUOTA_GB): quota,
    }
    if second:
        schema[vol.Optional(CONF_SECOND_COPY)] = _folder(hass, volumes, cameras, "_protected")
    return vol.Schema(schema)


def _folder(hass: HomeAssistant, volumes: list[Volume], cameras: int, ending: str) -> SelectSelector:
    """A folder on one of the volumes, or another."""
    offered = [replace(volume, folder=f"{volume.folder}{ending}") for volume in volumes]
    options = [SelectOptionDict(value=volume.folder, label=_label(hass, volume, cameras)) for volume in offered]
    return SelectSelector(SelectSelectorConfig(options=options, custom_value=True, mode=SelectSelectorMode.DROPDOWN))


def days_selector(hass: HomeAssistant) -> NumberSelector:
    """Days that footage is kept."""
    return NumberSelector(
        NumberSelectorConfig(
            min=1, max=MOST_DAYS, step=1, mode=NumberSelectorMode.BOX, unit_of_measurement=wording.words(hass, "days")
        )
    )


def retention(user_input: Mapping[str, Any]) -> dict[str, int]:
    """How long footage is kept, as it is saved: what was left empty is not in it."""
    keys = (CONF_DAYS_TO_KEEP, CONF_LEAST_DAYS, CONF_QUOTA_GB)
    return {key: int(user_input[key]) for key in keys if user_input.get(key)}


def retention_error(kept: Mapping[str, int]) -> str | None:
    """What is wrong with it: footage cannot be past its days and too young to be deleted at once."""
    return "least_days_long" if kept.get(CONF_LEAST_DAYS, 0) > kept[CONF_DAYS_TO_KEEP] else None


async def async_zone_selector(hass: HomeAssistant) -> SelectSelector:
    """Every time zone that this machine knows. Left empty, Home Assistant's is meant."""
    zones = sorted(zone for zone in await hass.async_add_executor_job(available_timezones) if "/" in zone)
    return SelectSelector(SelectSelectorConfig(options=zones, mode=SelectSelectorMode.DROPDOWN))


def _label(hass: HomeAssistant, volume: Volume, cameras: int) -> str:
    days = volume.days(cameras)
    return wording.words(
        hass,
        "volume_label",
        folder=volume.folder,
        kind=wording.words(hass, f"volume_{volume.kind}"),
        free=f"{volume.free / 1e9:,.0f}",
        room=wording.words(hass, "volume_days" if days else "volume_no_day", days=str(days)),
    )


async def async_volumes(hass: HomeAssistant) -> list[Volume]:
    """What can be offered. Nothing, if a volume does not answer in time: a folder can still be typed."""
    media = list(hass.config.media_dirs.values())
    try:
        return await within(lambda: find_volumes(hass.config.config_dir, media))
    except OSError, TimeoutError:
        return []


async def async_judge(hass: HomeAssistant, folder: str) -> Judgement:
    """What is to be said of a folder."""
    return await _async_judged(lambda: judge(folder, hass.config.config_dir))


async def async_judge_copy(hass: HomeAssistant, folder: str, archives: Sequence[str]) -> Judgement:
    """What is to be said of a folder for second copies; the first of `archives` is its own."""
    return await _async_judged(lambda: judge_copy(folder, archives, hass.config.config_dir))


async def async_apart_from_copies(folder: str, copies: Sequence[str]) -> bool:
    """Whether footage would not lie among second copies."""
    try:
        return await within(lambda: apart(folder, copies, COPY_MARKER))
    except OSError, TimeoutError:
        return True  # judged as well, and there it is told


async def _async_judged(work: Callable[[], Judgement]) -> Judgement:
    try:
        return await within(work)
    except TimeoutError:
        return Judgement(Refusal.NO_ANSWER)
    except OSError:
        return Judgement(Refusal.NOT_WRITABLE)


def concerns(hass: HomeAssistant, judgement: Judgement, cameras: int, days: int) -> list[str]:
    """Sentences about what should be known before footage goes into a folder."""
    told = [wording.words(hass, concern.value) for concern in judgement.concerns]
    if (room := judgement.days(cameras)) < days:
        key = "warning_days" if room else "warning_no_day"
        told.append(wording.words(hass, key, room=str(room), cameras=str(cameras), days=str(days)))
    return told


def name_error(user_input: Mapping[str, Any] | None) -> str | None:
    """What is wrong with the name that was typed. Ids of entities hold it besides other words: 255 characters in all."""
    if user_input is None:
        return None
    name = user_input[CONF_NAME].strip()
    return "name_missing" if not name else "name_long" if len(name) > _NAME_LENGTH else None


def given_login(user_input: dict[str, Any]) -> dict[str, str]:
    """User name and password as they were typed; nothing where they were left empty."""
    return {key: user_input[key] for key in (CONF_USERNAME, CONF_PASSWORD) if user_input.get(key)}
