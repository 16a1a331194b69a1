"""Words for people in Home Assistant's language, where the frontend does not translate for us.

Names in the media browser, on the dashboard and of volumes, and the sentence that says what is wrong with a camera, come
from `translations/`. English stands in where the language has none.
"""

import re

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import translation

from .const import DOMAIN
from .engine.api import Cause, Problem, Status

_CATEGORIES = ("common", "entity", "exceptions", "selector")
_SIGN = re.compile(r"[!-/:-@\[-`{-~]")
#: What sentences about causes may name. Missing ones are left out of the sentence.
PROBLEM_PLACEHOLDERS = ("host", "port", "path", "user", "codec", "status", "count", "minutes")


async def async_load(hass: HomeAssistant) -> None:
    """Read the words once, so that they are at hand without waiting."""
    for language in {hass.config.language, "en"}:
        for category in _CATEGORIES:
            await translation.async_get_translations(hass, language, category, [DOMAIN])


@callback
def words(hass: HomeAssistant, key: str, category: str = "common", **placeholders: str) -> str:
    """The words of a key such as `common.media_day`."""
    full = f"component.{DOMAIN}.{category}.{key}"
    for language in (hass.config.language, "en"):
        found = translation.async_get_cached_translations(hass, language, category, DOMAIN)
        if text := found.get(full):
            return text.format(**placeholders) if placeholders else text
    return key


@callback
def problem_sentence(hass: HomeAssistant, problem: Problem) -> str:
    """What is wrong, where, and what to do; empty if nothing is."""
    if problem["cause"] == Cause.NONE:
        return ""
    try:
        cause = Cause(problem["cause"])
    except ValueError:
        cause = Cause.CAMERA_ERROR
    placeholders = problem_placeholders(problem)
    sentence = words(hass, f"cause_{cause}.message", "exceptions", **placeholders)
    if reach := problem.get("reach"):
        # What was found when the watch looked further says more than the cause alone.
        sentence = f"{sentence} {words(hass, f'reach_{reach}.message', 'exceptions', **placeholders)}"
    return sentence


def problem_placeholders(problem: Problem | None) -> dict[str, str]:
    """Everything that a sentence about a cause may name."""
    given = problem["placeholders"] if problem else {}
    return {name: given.get(name, "") for name in PROBLEM_PLACEHOLDERS}


def markdown(text: str) -> str:
    """A text as it is, for a place where the frontend reads Markdown or a template.

    Names come from cameras too: none may become a link, a picture fetched from somewhere, or a template.
    """
    return _SIGN.sub(lambda sign: f"&#{ord(sign[0])};", " ".join(text.split()))


@callback
def status_word(hass: HomeAssistant, status: Status) -> str:
    """The name of a status."""
    return words(hass, f"sensor.status.state.{status}", "entity")


@callback
def zone_word(hass: HomeAssistant, zone: str) -> str:
    """The name of a kind of place."""
    return words(hass, f"zone.options.{zone}", "selector")
