"""What no file may hold, and how long one may be."""

import re

from tests.repository.source import ROOT, files, name, text_files

MOST_LINES = 450
#: Written so that this file does not match its own patterns.
FORBIDDEN = {
    r"\bpypi\.org|\bpythonhosted\.org|\bdeb\.debian\.org|\bregistry\.npmjs|\bproxy\.golang": "a package registry's host",
    r"(?<![\w.~$}])/(work|root|home/[a-z]+)/": "a path of one machine",
    r"(?i)\bwork[ -]?tree\b|\btime[ -]box\b|\bco-authored-b[y]\b|\bgenerated (?:with|b[y])\b": "how it is developed",
    r"<{7} |>{7} |^={7}$": "a merge that was not finished",
}
#: A document of the project, named in prose or in a comment.
DOCUMENT = re.compile(r"(?<![\w/:.-])((?:[\w.-]+/)*[\w-]+\.md)\b")


def test_no_file_holds_what_it_should_not() -> None:
    found = []
    for path, text in text_files():
        if path.name == "LICENSE":
            continue  # its words are not ours
        for pattern, what in FORBIDDEN.items():
            for match in re.finditer(pattern, text, re.MULTILINE):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{name(path)}:{line}: {what}: {match[0]!r}")
    assert not found, "\n".join(found)


def test_documents_that_are_named_exist() -> None:
    known = {path.name for path in files()}
    found = []
    for path, text in text_files():
        for match in DOCUMENT.finditer(text):
            target = match[1]
            exists = (ROOT / target).exists() or (path.parent / target).exists() or target in known
            if not exists:
                found.append(f"{name(path)}: {target}")
    assert not found, "named, but not there:\n" + "\n".join(sorted(set(found)))


def test_files_are_short() -> None:
    exempt = {"LICENSE"}
    long = {
        name(path): lines
        for path, text in text_files()
        if path.name not in exempt
        and path.suffix not in {".json", ".ambr"}
        and (lines := text.count("\n")) > MOST_LINES
    }
    assert not long, f"longer than {MOST_LINES} lines: {long}"


def test_texts_end_in_one_newline() -> None:
    wrong = [name(path) for path, text in text_files() if text and (not text.endswith("\n") or text.endswith("\n\n"))]
    assert not [path for path in wrong if not path.endswith(".svg")], wrong


def test_no_configuration_beside_pyproject() -> None:
    stray = {"setup.cfg", "pytest.ini", "mypy.ini", ".ruff.toml", "ruff.toml", "tox.ini", "setup.py", ".flake8"}
    assert not [name(path) for path in files() if path.name in stray]
