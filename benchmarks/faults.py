"""Every call that an archive makes on files fails in every way, once and for a while: how many frames are lost.

The same scripted life as in the tests (tests/engine/faulty.py): three files are written, one is repaired, one deleted.
"""

from pathlib import Path
import shutil
import tempfile

from custom_components.facility_cameras.engine.archive.files import FILES
from tests.engine.faulty import FAST, Fault, FaultyFiles, Life, alone, copied, judge, ways

#: Pictures in each fragment of that life.
_PICTURES = 50


def faults(every: int = 1) -> tuple[int, int]:
    """Faults tried (each `every`-th of all there are) and frames lost over all of them.

    Raises AssertionError where a promise is broken otherwise: a row without its file, a wrong hash, an overlap.
    """
    folder = Path(tempfile.mkdtemp(dir=FAST))
    try:
        template = Life(folder / "template", FILES)
        template.prepare()
        calls, lost = _played(template, Fault(-1, "none", lasting=False))
        chosen = [
            Fault(number, way, lasting)
            for lasting in (False, True)
            for number, name in enumerate(calls)
            for way in ways(name)
        ][::every]
        for fault in chosen:
            lost += _played(template, fault)[1]
        return len(chosen), lost
    finally:
        shutil.rmtree(folder)


def _played(template: Life, fault: Fault) -> tuple[list[str], int]:
    """The calls that one life with this fault made, and the frames it lost."""
    folder = template.folder.parent / "life"
    files = FaultyFiles(fault)
    life = copied(template, folder, files)
    try:
        with alone(files):
            archive = life.play()
            fault.heal()
            life.get_over(archive)
        return files.calls, _PICTURES * sum(map(len, judge(life).values()))
    finally:
        shutil.rmtree(folder)
