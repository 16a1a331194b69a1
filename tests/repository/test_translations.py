"""English and Vietnamese say the same things, and everything that code asks for by key."""

import ast
from collections.abc import Iterator
import importlib
import re
import string
from typing import Any

from homeassistant.helpers.entity import EntityDescription
import pytest

from custom_components.facility_cameras.engine.api import Cause, Reach, Status
from custom_components.facility_cameras.engine.api_footage import CopyCause, HoldChange
from custom_components.facility_cameras.engine.api_health import CommonKind, LikelyCause
from tests.repository.source import (
    INTEGRATION,
    called,
    calls,
    constants,
    hub_files,
    keyword,
    leaves,
    name,
    read_json,
    translation,
    word,
)

LANGUAGES = ("en", "vi")
SECTIONS = {
    "title", "common", "config", "config_subentries", "options", "entity", "device", "exceptions", "issues", "services",
    "selector", "triggers", "conditions", "device_automation", "system_health", "preview_features", "entity_component",
}  # fmt: skip
#: What Home Assistant itself translates for every integration.
CORE_ABORTS = {"reauth_successful", "reconfigure_successful", "already_in_progress", "single_instance_allowed"}


def placeholders(text: str) -> set[str]:
    """The names in braces of a text."""
    return {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}


def test_both_languages_have_the_same_keys() -> None:
    english, vietnamese = (dict(leaves(translation(language))) for language in LANGUAGES)
    assert not english.keys() - vietnamese.keys(), "missing in vi.json"
    assert not vietnamese.keys() - english.keys(), "only in vi.json"


def test_both_languages_have_the_same_placeholders() -> None:
    english, vietnamese = (dict(leaves(translation(language))) for language in LANGUAGES)
    different = [key for key in english if placeholders(english[key]) != placeholders(vietnamese.get(key, ""))]
    assert not different


def test_vietnamese_is_vietnamese() -> None:
    """A long text without one letter of Vietnamese was left in English."""
    special = re.compile(r"[ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ]", re.IGNORECASE)
    found = [key for key, text in leaves(translation("vi")) if len(text) > 25 and not special.search(text)]
    assert not found


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_as_home_assistant_wants_them(language: str) -> None:
    tree = translation(language)
    assert not set(tree) - SECTIONS
    for key, text in leaves(tree):
        assert text, f"{key} is empty"
        assert text == text.strip(), f"{key} begins or ends with a blank"
        assert "[%key" not in text, f"{key}: references are not resolved here"
        assert not re.search(r"</?[a-z]+[^>]*>", text), f"{key} holds HTML"
        assert not re.search(r"'\{\w+\}'", text), f"{key}: single quotes around a placeholder"
        assert not re.search(r"https?://", text), f"{key}: an address belongs in a placeholder"


def flows(tree: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every flow that is translated: its path and its section."""
    yield from ((kind, tree[kind]) for kind in ("config", "options") if kind in tree)
    yield from ((f"config_subentries.{kind}", flow) for kind, flow in tree.get("config_subentries", {}).items())


def test_every_field_of_a_flow_is_explained() -> None:
    for path, flow in flows(translation("en")):
        for step, texts in flow.get("step", {}).items():
            fields = dict(texts)
            nested = list(fields.pop("sections", {}).values())
            for section in (fields, *nested):
                data, described = set(section.get("data", {})), set(section.get("data_description", {}))
                assert not described - data, f"{path}.step.{step}: describes {described - data}, which is no field"
                assert not data - described, f"{path}.step.{step}: {data - described} without a description"
    for kind, flow in translation("en").get("config_subentries", {}).items():
        assert flow.get("entry_type"), kind
        assert flow.get("initiate_flow", {}).get("user"), kind


def asked_of_flows() -> Iterator[tuple[str, str, str]]:
    """What code asks flows to say: where, in which section, which key."""
    known = constants()
    for path, tree in hub_files():
        for call in calls(tree):
            where, function = f"{name(path)}:{call.lineno}", called(call)
            step, reason = word(keyword(call, "step_id"), known), word(keyword(call, "reason"), known)
            if step and function.startswith("async_show"):
                yield where, "step", step
            if function == "AbortFlow" and call.args:
                reason = word(call.args[0], known)
            if reason and function in {"async_abort", "AbortFlow"} and reason not in CORE_ABORTS:
                yield where, "abort", reason
            if isinstance(errors := keyword(call, "errors"), ast.Dict):
                yield from ((where, "error", found) for value in errors.values if (found := word(value, known)))
        for node in ast.walk(tree):
            match node:
                case ast.Assign(targets=[ast.Subscript(value=ast.Name(id="errors"))], value=value):
                    if found := word(value, known):
                        yield f"{name(path)}:{node.lineno}", "error", found


def test_everything_that_flows_say_is_translated() -> None:
    sections = [flow for _, flow in flows(translation("en"))]
    issues = translation("en").get("issues", {})
    fixes = [issue["fix_flow"] for issue in issues.values() if "fix_flow" in issue]
    missing = [
        f"{where}: {section}.{key}"
        for where, section, key in asked_of_flows()
        if not any(key in flow.get(section, {}) for flow in (*sections, *fixes))
    ]
    assert not missing


def test_everything_with_a_translation_key_is_translated() -> None:
    known, english = constants(), translation("en")
    missing = []
    for path, tree in hub_files():
        for call in calls(tree):
            key, function = word(keyword(call, "translation_key"), known), called(call)
            if key is None:
                continue
            if function.endswith("create_issue"):
                section = "issues"
            elif function.endswith(("Error", "NotReady", "Failed", "Unresolvable", "Exception")):
                section = "exceptions"
            elif function.endswith("SelectorConfig"):
                section = "selector"
            else:
                continue  # entities and devices are looked at as they are, below
            if key not in english.get(section, {}):
                missing.append(f"{name(path)}:{call.lineno}: {section}.{key}")
    assert not missing


def test_every_status_and_every_cause_has_its_words() -> None:
    english = translation("en")
    assert {status.value for status in Status} == set(english["entity"]["sensor"]["status"]["state"])
    causes = {f"cause_{cause.value}" for cause in Cause if cause is not Cause.NONE}
    assert causes == {key for key in english["exceptions"] if key.startswith("cause_")}
    entities = english["entity"]
    for told in (entities["sensor"]["status"], entities["binary_sensor"]["connectivity"], entities["event"]["outage"]):
        assert {cause.value for cause in Cause} == set(told["state_attributes"]["cause"]["state"])


def test_what_is_found_of_an_outage_has_its_words() -> None:
    english = translation("en")
    found = {key: text["message"] for key, text in english["exceptions"].items() if key.startswith("reach_")}
    assert set(found) == {f"reach_{reach.value}" for reach in Reach}
    assert not set().union(*map(placeholders, found.values())) - {"host", "port"}
    common = {key: text for key, text in english["common"].items() if key.startswith("common_cause_")}
    titles = {f"common_cause_{kind.value}_title" for kind in CommonKind}
    assert set(common) == titles | {f"common_cause_{likely.value}_message" for likely in LikelyCause}
    for key, text in common.items():
        assert not placeholders(text) - {"facility", "count", "total", "host", "since"}, key


def test_everything_that_happens_to_protected_footage_has_its_words() -> None:
    english = translation("en")
    told = english["entity"]["event"]["incident"]["state_attributes"]
    assert {change.value for change in HoldChange} == set(told["event_type"]["state"])
    causes = {cause.value for cause in CopyCause}
    assert causes == set(told["cause"]["state"])
    assert causes == {key.removeprefix("second_copy_") for key in english["issues"] if key.startswith("second_copy_")}


def test_every_class_of_entities_is_named() -> None:
    english = translation("en")["entity"]
    for path, tree in hub_files():
        for node in ast.walk(tree):
            match node:
                case ast.Assign(targets=[ast.Name(id="_attr_translation_key")], value=ast.Constant(value=str(key))):
                    # A camera is its device's main entity: it has the device's name and only an icon of its own.
                    assert key in english.get(path.stem, {}) or path.stem == "camera", f"entity.{path.stem}.{key}"


def descriptions() -> Iterator[tuple[str, EntityDescription]]:
    """Every description of an entity in the platforms' files, with its platform."""
    platforms = {path.stem for path, _ in hub_files() if path.parent == INTEGRATION}
    for platform in sorted(platforms & {"binary_sensor", "button", "camera", "event", "image", "sensor", "switch"}):
        module = importlib.import_module(f"custom_components.facility_cameras.{platform}")
        for value in vars(module).values():
            members = value if isinstance(value, tuple) else (value,)
            yield from ((platform, member) for member in members if isinstance(member, EntityDescription))


def test_every_entity_is_named_in_both_languages() -> None:
    for language in LANGUAGES:
        entities = translation(language)["entity"]
        for platform, description in descriptions():
            key = description.translation_key or description.key
            assert key in entities.get(platform, {}), f"{language}: entity.{platform}.{key}"
            for option in getattr(description, "options", None) or ():
                states = entities[platform][key].get("state", {})
                assert option in states, f"{language}: entity.{platform}.{key}.state.{option}"


def test_icons_belong_to_something() -> None:
    icons, english = read_json(INTEGRATION / "icons.json"), translation("en")
    for key, icon in leaves(icons):
        assert re.fullmatch(r"mdi:[a-z0-9-]+", icon), f"{key}: {icon}"
    for platform, entities in icons.get("entity", {}).items():
        assert not set(entities) - set(english["entity"].get(platform, {})), f"icons of {platform} nobody has"
        for key, icon in entities.items():
            states = set(english["entity"][platform][key].get("state", {}))
            if states:
                assert not set(icon.get("state", {})) - states, f"entity.{platform}.{key}"
