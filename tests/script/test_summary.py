"""What script/test says at its end."""

from pathlib import Path
import subprocess
import sys

import pytest

_SUMMARY = Path(__file__).parents[2] / "script" / "summary.py"
_REPORT = """<testsuites><testsuite>
<testcase classname="a" name="good"/>
<testcase classname="a" name="bad"><failure message="no"/></testcase>
<testcase classname="a" name="left"><skipped message="no Chromium"/></testcase>
</testsuite></testsuites>"""
_GOOD = '<testsuites><testsuite><testcase classname="a" name="good"/></testsuite></testsuites>'
_SKIPPED = _GOOD.replace(
    "</testsuite>", '<testcase classname="a" name="left"><skipped message="no Chromium"/></testcase></testsuite>'
)


def _summary(folder: Path, report: str, demo: str, code: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "lint").write_text("passed\n")
    (folder / "tests.xml").write_text(report)
    (folder / "browser.xml").write_text(_GOOD)
    (folder / "demo.txt").write_text(demo)
    for part in ("tests", "demo", "browser"):
        (folder / f"{part}.exit").write_text(f"{code if part == 'tests' else 0}\n")
    command = [sys.executable, str(_SUMMARY), str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_all_parts_are_added_up(tmp_path: Path) -> None:
    done = _summary(tmp_path, _REPORT, "passed  x\n5 passed, 2 failed\n", 1)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "8 passed, 3 failed, 1 skipped"


@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--no-skips",), 1)])
def test_a_skipped_test_fails_where_none_may_be_skipped(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    done = _summary(tmp_path, _SKIPPED, "5 passed, 0 failed\n", 0, *arguments)
    assert done.returncode == code
    assert "a.left: no Chromium" in done.stdout


def test_a_run_that_broke_is_a_failure(tmp_path: Path) -> None:
    done = _summary(tmp_path, _GOOD, "5 passed, 0 failed\n", 3)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "8 passed, 1 failed, 0 skipped"
