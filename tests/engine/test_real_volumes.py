"""Real file systems: full, without inodes, read-only, unmounted, exchanged. What came meanwhile is written afterwards."""

from pathlib import Path
import shutil
import subprocess
import sys

import pytest

from tests.engine.living import ROOT
from tests.engine.own_mounts import CASES


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
@pytest.mark.parametrize("case", CASES)
def test_real_volume(tmp_path: Path, case: str) -> None:
    run = subprocess.run(
        ["unshare", "-rm", sys.executable, "-m", "tests.engine.own_mounts", case, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if run.returncode == 3 or "unshare failed" in run.stderr:
        pytest.skip("name spaces of one's own are not allowed here")
    assert run.returncode == 0, run.stderr
