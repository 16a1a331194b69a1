"""What hassfest and HACS ask of manifest.json, hacs.json and the pictures of the brand."""

import ast
import re
import struct

from tests.repository.source import INTEGRATION, ROOT, called, calls, hub_files, name, read_json

MANIFEST = INTEGRATION / "manifest.json"
REQUIRED = {"domain", "name", "codeowners", "config_flow", "documentation", "integration_type", "iot_class",
            "issue_tracker", "requirements", "version"}  # fmt: skip
KNOWN = REQUIRED | {"after_dependencies", "bluetooth", "categories", "connectivity", "dependencies", "dhcp", "homekit",
                    "import_executor", "loggers", "mqtt", "quality_scale", "single_config_entry", "ssdp", "usb",
                    "zeroconf"}  # fmt: skip
HACS_KNOWN = {"name", "content_in_root", "zip_release", "filename", "hide_default_branch", "country", "homeassistant",
              "hacs", "persistent_directory"}  # fmt: skip
#: Packages that Home Assistant itself uses: a pin of ours would fight with its own at every start.
SHARED = {"onvif-zeep-async", "onvif_parsers", "WSDiscovery", "av", "numpy", "Pillow", "aiohttp", "orjson"}


def test_manifest_has_what_is_asked() -> None:
    manifest = read_json(MANIFEST)
    assert not REQUIRED - set(manifest)
    assert not set(manifest) - KNOWN
    assert manifest["domain"] == INTEGRATION.name
    assert manifest["config_flow"] is True
    assert manifest["codeowners"]
    assert all(owner.startswith("@") for owner in manifest["codeowners"])
    for link in ("documentation", "issue_tracker"):
        assert manifest[link].startswith("https://")


def test_manifest_is_sorted() -> None:
    keys = list(read_json(MANIFEST))
    assert keys == ["domain", "name", *sorted(set(keys) - {"domain", "name"})]
    for key, value in read_json(MANIFEST).items():
        if isinstance(value, list) and key in {"after_dependencies", "dependencies"}:
            assert value == sorted(value), f"{key} is not sorted"


def test_version_is_one_everywhere() -> None:
    version = read_json(MANIFEST)["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_requirements_are_ranges_where_home_assistant_has_the_package() -> None:
    for requirement in read_json(MANIFEST)["requirements"]:
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[[a-z,]+\])?(.+)", requirement)
        assert match, f"{requirement} has no version"
        if match[1] in SHARED:
            assert "==" not in match[2], f"{requirement} would fight with Home Assistant's own"


def test_hacs_json() -> None:
    hacs = read_json(ROOT / "hacs.json")
    assert not set(hacs) - HACS_KNOWN
    assert hacs["name"] == read_json(MANIFEST)["name"]
    assert re.fullmatch(r"\d{4}\.\d{1,2}\.\d+", hacs["homeassistant"])
    folders = [path.name for path in INTEGRATION.parent.iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert folders == [INTEGRATION.name], "HACS takes one integration only"


def test_brand_pictures_have_the_asked_size() -> None:
    brand = INTEGRATION / "brand"
    assert (brand / "icon.png").exists()
    for picture in brand.glob("*icon*.png"):
        head = picture.read_bytes()[:24]
        side = 512 if picture.stem.endswith("@2x") else 256
        assert head[:8] == b"\x89PNG\r\n\x1a\n", name(picture)
        assert struct.unpack(">II", head[16:24]) == (side, side), name(picture)


def test_config_schema_where_there_is_async_setup() -> None:
    for path, tree in hub_files():
        if path.name != "__init__.py" or path.parent != INTEGRATION:
            continue
        functions = {node.name for node in tree.body if isinstance(node, ast.AsyncFunctionDef)}
        names = {target.id for node in tree.body if isinstance(node, ast.Assign)
                 for target in node.targets if isinstance(target, ast.Name)}  # fmt: skip
        if "async_setup" in functions:
            assert "CONFIG_SCHEMA" in names, f"{name(path)}: async_setup without CONFIG_SCHEMA"
            assert any(called(call) == "config_entry_only_config_schema" for call in calls(tree))
