"""The repository's files as the checks read them."""

import ast
from collections.abc import Iterator
from functools import cache
import json
from pathlib import Path
import subprocess
from typing import Any, Self

import yaml

ROOT = Path(__file__).parents[2]
INTEGRATION = ROOT / "custom_components" / "facility_cameras"


@cache
def files() -> tuple[Path, ...]:
    """Every file of the repository: what git follows, and what it would if it were added."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return tuple(sorted(path for name in listed.split("\0") if name and (path := ROOT / name).is_file()))


def text_files() -> Iterator[tuple[Path, str]]:
    """Every file that is text, with its text."""
    for path in files():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def name(path: Path) -> str:
    """How a path is shown: from the repository's root."""
    return path.relative_to(ROOT).as_posix()


def python_files(*under: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Every Python file below one of the folders, parsed."""
    for path in files():
        if path.suffix == ".py" and any(folder in path.parents for folder in under):
            yield path, ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def hub_files() -> Iterator[tuple[Path, ast.Module]]:
    """The integration's own Python files: what runs inside Home Assistant, without the parts that do not know it."""
    for path, tree in python_files(INTEGRATION):
        if path.relative_to(INTEGRATION).parts[0] not in {"engine", "onvif_camera", "zalo", "reports"}:
            yield path, tree


def read_json(path: Path) -> Any:
    """A JSON file, in which no key may stand twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        assert not twice, f"{name(path)}: twice: {twice}"
        return dict(pairs)

    return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once)


def read_yaml(path: Path) -> Any:
    """A YAML file; its own tags (as a blueprint's `!input`) become the text behind them."""

    class Loader(yaml.SafeLoader):
        """Reads `!anything text` as an Input."""

    def tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Tagged:
        assert isinstance(node, yaml.ScalarNode), f"{name(path)}: !{suffix} has more than a word"
        return Tagged(suffix, str(loader.construct_scalar(node)))

    Loader.add_multi_constructor("!", tagged)  # type-checked stubs know this as untyped data
    return yaml.load(path.read_text(encoding="utf-8"), Loader)


class Tagged(str):
    """A word behind a YAML tag; `tag` is the tag without its mark."""

    __slots__ = ("tag",)
    tag: str

    def __new__(cls, tag: str, word: str) -> Self:
        """The word, remembering its tag."""
        made = super().__new__(cls, word)
        made.tag = tag
        return made


def translation(language: str) -> dict[str, Any]:
    """The translations of one language."""
    found: dict[str, Any] = read_json(INTEGRATION / "translations" / f"{language}.json")
    return found


def leaves(tree: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Every text in nested dictionaries, with its path in dots."""
    for key, value in tree.items():
        path = f"{above}.{key}" if above else key
        if isinstance(value, dict):
            yield from leaves(value, path)
        else:
            assert isinstance(value, str), f"{path} is no text"
            yield path, value


def constants() -> dict[str, str]:
    """The texts that const.py (and Home Assistant's) gives names to."""
    import homeassistant.const  # only the checks of translations need it, and it takes a moment

    found = {key: value for key, value in vars(homeassistant.const).items() if isinstance(value, str)}
    for _, tree in hub_files():
        for node in tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=key)], value=ast.Constant(value=str(value))):
                    found[key] = value
                case ast.AnnAssign(target=ast.Name(id=key), value=ast.Constant(value=str(value))):
                    found[key] = value
    return found


def word(node: ast.expr | None, known: dict[str, str]) -> str | None:
    """The text an expression stands for: a literal or the name of a constant; None if that is not to be seen."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.Name(id=key) | ast.Attribute(attr=key):
            return known.get(key)
    return None


def called(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    match call.func:
        case ast.Name(id=found) | ast.Attribute(attr=found):
            return found
    return ""


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call in a file."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def keyword(call: ast.Call, wanted: str) -> ast.expr | None:
    """A call's argument by name."""
    return next((argument.value for argument in call.keywords if argument.arg == wanted), None)
