"""Actions, triggers and conditions: described, translated, with an icon, and registered."""

from typing import Any

import pytest

from tests.repository.source import (
    INTEGRATION,
    called,
    calls,
    constants,
    hub_files,
    read_json,
    read_yaml,
    translation,
    word,
)

#: Section → its file, and the key of an icon.
KINDS = {
    "services": ("services.yaml", "service"),
    "triggers": ("triggers.yaml", "trigger"),
    "conditions": ("conditions.yaml", "condition"),
}


def described(kind: str) -> dict[str, Any]:
    """What the kind's YAML file describes; nothing if there is no such file."""
    path = INTEGRATION / KINDS[kind][0]
    return (read_yaml(path) or {}) if path.exists() else {}


def fields(description: dict[str, Any] | None) -> set[str]:
    """The names of all fields, those in sections too."""
    found = set()
    for key, field in ((description or {}).get("fields") or {}).items():
        found |= set(field["fields"]) if "fields" in (field or {}) else {key}
    return found


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_described_translated_and_drawn_are_the_same(kind: str) -> None:
    wanted = described(kind)
    icons = read_json(INTEGRATION / "icons.json").get(kind, {})
    assert set(icons) == set(wanted)
    for key in wanted:
        assert KINDS[kind][1] in icons[key], f"icons.json: {kind}.{key}"
    for language in ("en", "vi"):
        texts = translation(language).get(kind, {})
        assert set(texts) == set(wanted), language
        for key, description in wanted.items():
            where = f"{language}: {kind}.{key}"
            assert texts[key].get("name"), where
            assert texts[key].get("description"), where
            assert set(texts[key].get("fields", {})) == fields(description), where
            for field, text in texts[key].get("fields", {}).items():
                assert text.get("name"), f"{where}.{field}"
                assert text.get("description"), f"{where}.{field}"


def test_registered_actions_are_the_described_ones() -> None:
    known, registered = constants(), set()
    for _, tree in hub_files():
        for call in calls(tree):
            function = called(call)
            if "register" in function and ("service" in function or function == "async_register"):
                words = [found for argument in call.args if (found := word(argument, known))]
                if words[:1] == ["facility_cameras"] and len(words) > 1:
                    registered.add(words[1])
    assert registered == set(described("services"))
