"""A camera that does not answer: how far the way to it is whole, on wires of our own."""

import shutil
import subprocess
import sys

import pytest

from tests.engine.living import ROOT
from tests.engine.own_wires import CASES


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
@pytest.mark.skipif(shutil.which("ip") is None, reason="iproute2 is not installed")
@pytest.mark.parametrize("case", CASES)
def test_real_wire(case: str) -> None:
    run = subprocess.run(
        ["unshare", "-rnm", sys.executable, "-m", "tests.engine.own_wires", case],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if run.returncode == 3 or "unshare failed" in run.stderr:
        pytest.skip("name spaces of one's own are not allowed here")
    assert run.returncode == 0, run.stderr
