"""Blueprints: the shipped copy equals the published one, and each is one that Home Assistant takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from homeassistant.components.blueprint.models import Blueprint
from homeassistant.components.blueprint.schemas import BLUEPRINT_SCHEMA
from homeassistant.util.yaml import load_yaml_dict

from tests.repository.source import INTEGRATION, ROOT, Tagged, name, read_yaml

PUBLISHED, SHIPPED = ROOT / "blueprints", INTEGRATION / "blueprints"


def blueprints(root: Path) -> dict[str, Path]:
    """Every blueprint below a folder by its relative path."""
    return {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*.yaml"))}


def tagged(value: Any) -> Iterator[str]:
    """Every input that is used."""
    match value:
        case Tagged(tag="input"):
            yield str(value)
        case dict():
            for key, inner in value.items():
                yield from tagged(key)
                yield from tagged(inner)
        case list():
            for inner in value:
                yield from tagged(inner)


def declared(inputs: dict[str, Any]) -> set[str]:
    """Every input that is declared, those in sections too."""
    found = set()
    for key, value in inputs.items():
        found |= declared(value["input"]) if "input" in (value or {}) else {key}
    return found


def test_shipped_copy_equals_the_published_one() -> None:
    published, shipped = blueprints(PUBLISHED), blueprints(SHIPPED)
    assert published
    assert set(published) == set(shipped)
    for path in published:
        assert published[path].read_bytes() == shipped[path].read_bytes(), path


def test_home_assistant_takes_them() -> None:
    for path in blueprints(PUBLISHED).values():
        domain = path.relative_to(PUBLISHED).parts[0]
        Blueprint(load_yaml_dict(str(path)), expected_domain=domain, schema=BLUEPRINT_SCHEMA)


def test_inputs_are_declared_and_used() -> None:
    for path in blueprints(PUBLISHED).values():
        content = read_yaml(path)
        head = content.pop("blueprint")
        used = set(tagged(content))
        assert used == declared(head["input"]), name(path)
        assert head["homeassistant"]["min_version"].count(".") == 2, name(path)
