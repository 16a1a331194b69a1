"""Who may import whom: the engine and the protocol packages know nothing of Home Assistant."""

import ast
from collections.abc import Iterator
from pathlib import Path
import sys

import pytest

from tests.repository.source import INTEGRATION, ROOT, name, python_files

#: Folder in the integration → what it may import beside the standard library and itself.
APART = {
    "engine": {"aiohttp", "orjson"},
    "onvif_camera": {"aiohttp", "httpx2", "httpx", "lxml", "onvif", "onvif_parsers", "wsdiscovery", "yarl", "zeep"},
    "zalo": {"aiohttp"},
    "reports": {"xlsxwriter"},
}
#: Which of them may lean on which other: digest log-ins are the same in RTSP and HTTP.
NEIGHBOURS = {"onvif_camera": {"engine"}}
#: Decoding is done by a worker in a process of its own, which may crash.
DECODERS = {"av", "PIL", "numpy"}
WORKERS = ("engine/picture/", "engine/fallback")


def imported(tree: ast.Module) -> Iterator[tuple[int, int, str]]:
    """Every import of a file: line, how many folders up, module."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield node.lineno, 0, alias.name
            case ast.ImportFrom(module=module, level=level):
                yield node.lineno, level, module or ""


@pytest.mark.parametrize("part", sorted(APART))
def test_part_stays_apart(part: str) -> None:
    root = INTEGRATION / part
    for path, tree in python_files(root):
        allowed = APART[part] | sys.stdlib_module_names
        if path.relative_to(INTEGRATION).as_posix().startswith(WORKERS):
            allowed = allowed | DECODERS
        depth = len(path.relative_to(root).parts)
        for line, level, module in imported(tree):
            where = f"{name(path)}:{line}"
            if level == depth + 1:
                assert module.split(".")[0] in NEIGHBOURS.get(part, set()), f"{where}: reaches out of {part}/"
            elif level:
                assert level <= depth, f"{where}: reaches out of {part}/"
            else:
                assert module.split(".")[0] in allowed, f"{where}: {part}/ may not import {module}"


def test_simulator_does_not_lean_on_what_it_tests() -> None:
    for path, tree in python_files(ROOT / "simulator"):
        for line, level, module in imported(tree):
            where = f"{name(path)}:{line}"
            assert level or module.split(".")[0] not in {"custom_components", "homeassistant"}, f"{where}: {module}"


def test_product_does_not_lean_on_its_tools() -> None:
    tools = {"simulator", "demo", "benchmarks", "tests", "script"}
    for path, tree in python_files(INTEGRATION):
        for line, level, module in imported(tree):
            assert level or module.split(".")[0] not in tools, f"{name(path)}:{line}: {module}"


def test_nothing_is_called_utils() -> None:
    for path, _ in python_files(ROOT):
        names = {Path(part).stem for part in path.relative_to(ROOT).parts}
        assert not names & {"utils", "util", "helpers", "helper", "misc", "common"}, name(path)
