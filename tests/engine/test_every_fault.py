"""Every call that the archive makes on files, and every transaction of its index, fails in every way, once and for a
while. Nothing is lost that memory can keep, and everything goes on by itself.
"""

from collections.abc import Iterator
from pathlib import Path
import shutil
import tempfile

import pytest

from custom_components.facility_cameras.engine.archive.files import FILES
from tests.engine.faulty import FAST, Fault, FaultyFiles, Life, alone, copied, judge, ways


@pytest.fixture(scope="module")
def template() -> Iterator[Life]:
    folder = Path(tempfile.mkdtemp(dir=FAST))
    life = Life(folder / "template", FILES)
    life.prepare()
    yield life
    shutil.rmtree(folder)


def played(template: Life, fault: Fault) -> list[str]:
    """One life with this fault, until it is over it; nothing is lost. Returns the calls it made."""
    folder = template.folder.parent / "life"
    files = FaultyFiles(fault)
    life = copied(template, folder, files)
    try:
        with alone(files):
            archive = life.play()
            fault.heal()
            life.get_over(archive)
        assert judge(life) == {}
        assert not any(recording.failed for recording in life.recordings)
    finally:
        shutil.rmtree(folder)
    return files.calls


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for_a_while"])
def test_every_call_fails_in_every_way(template: Life, lasting: bool) -> None:
    calls = played(template, Fault(-1, "none", lasting=False))
    faults = [Fault(number, way, lasting) for number, name in enumerate(calls) for way in ways(name)]
    assert len(faults) > 1000
    for fault in faults:
        try:
            played(template, fault)
        except Exception as error:
            raise AssertionError(f"{fault}, at {calls[fault.number]}") from error
