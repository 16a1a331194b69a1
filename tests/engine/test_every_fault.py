"""Every call that the archive makes on files, and every transaction of its index, fails in every way, once and for a
while; and the engine is killed at each. Nothing is lost that memory could keep, and everything goes on by itself.
"""

from collections.abc import Callable, Iterator
import errno
from pathlib import Path
import shutil
import sqlite3
import tempfile
from typing import Any

import pytest

from custom_components.facility_cameras.engine.archive.files import FILES
from tests.engine.faulty import (
    FAST,
    FaultyFiles,
    Life,
    copied,
    failing,
    failing_late,
    half,
    index_asks,
    judge,
)

ERRORS = ("ENOSPC", "EDQUOT", "EIO", "EROFS", "ENOENT", "ESTALE", "EHOSTDOWN", "EACCES", "EMFILE")
#: Codes of SQLite's.
INDEX_ERRORS = {"full": sqlite3.SQLITE_FULL, "ioerr": sqlite3.SQLITE_IOERR, "busy": sqlite3.SQLITE_BUSY}


@pytest.fixture(scope="module")
def template() -> Iterator[Life]:
    folder = Path(tempfile.mkdtemp(dir=FAST))
    life = Life(folder / "template", FILES)
    life.prepare()
    yield life
    shutil.rmtree(folder)


def played(template: Life, files: FaultyFiles, healed: Callable[[], None]) -> None:
    """One life, with its faults, until it is over them; nothing is lost."""
    folder = template.folder.parent / "life"
    life = copied(template, folder, files)
    try:
        with index_asks(files):
            archive = life.play()
            healed()
            life.get_over(archive)
        assert judge(life.root, life.put) == {}
        assert not any(recording.failed for recording in life.recordings)
        # Retention did its work, and only on what was its.
        assert len(list(life.root.rglob("*.mp4"))) >= 5
    finally:
        shutil.rmtree(folder)


def calls_of_a_life(template: Life) -> list[str]:
    files = FaultyFiles()
    played(template, files, lambda: None)
    return files.calls


def ways(name: str) -> dict[str, Callable[..., Any]]:
    """All ways in which a call can fail."""
    if name == "transaction":
        found = {}
        for told, code in INDEX_ERRORS.items():
            error = sqlite3.OperationalError(told)
            error.sqlite_errorcode = code
            found[told] = failing(name, error)  # type: ignore[arg-type]
        return found
    found = {told: failing(name, OSError(getattr(errno, told), told)) for told in ERRORS}
    found["late"] = failing_late(name, OSError(errno.EHOSTDOWN, "done, but not told"))
    if name in ("write", "writev"):
        found["short"] = half
    return found


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for_a_while"])
def test_every_call_fails_in_every_way(template: Life, lasting: bool) -> None:
    calls = calls_of_a_life(template)
    tried = 0
    for number, name in enumerate(calls):
        for way, fail in ways(name).items():
            healed = False

            def plan(now: int, called: str) -> Callable[..., Any] | None:
                if healed or now < number or (now > number and not lasting):
                    return None
                return fail if called == name else ways(called).get(way)

            def heal() -> None:
                nonlocal healed
                healed = True

            try:
                played(template, FaultyFiles(plan), heal)
            except Exception as error:
                raise AssertionError(f"call {number} ({name}) fails with {way}, lasting: {lasting}") from error
            tried += 1
    assert tried > 500
    print(f"{tried} faults at {len(calls)} calls")
