"""Adds up what script/test left in a folder, and prints one line: N passed, N failed, N skipped.

Ends with 1 if anything failed, or with --no-skips if anything was skipped.
"""

from dataclasses import dataclass, field
from pathlib import Path
import re
import sys
from xml.etree import ElementTree as ET


@dataclass(slots=True)
class Count:
    """What came of one part. `skipped` holds each skipped test with its reason."""

    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)


def of_pytest(report: Path, exit_code: int) -> Count:
    """Count a JUnit report of pytest's. A run that broke counts as one failure at least."""
    count = Count()
    if report.exists():
        for case in ET.parse(report).iter("testcase"):
            skip = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                count.failed += 1
            elif skip is not None:
                count.skipped.append(f"{case.get('classname')}.{case.get('name')}: {skip.get('message')}")
            else:
                count.passed += 1
    if exit_code != 0 and not count.failed:
        count.failed = 1
    return count


def of_demo(said: str, exit_code: int) -> Count:
    """Count the last line of the demo's."""
    match = re.search(r"^(\d+) passed, (\d+) failed$", said, re.MULTILINE)
    count = Count(int(match[1]), int(match[2])) if match else Count()
    if exit_code != 0 and not count.failed:
        count.failed = 1
    return count


def main() -> int:
    """Print the summary and return the exit code."""
    folder, no_skips = Path(sys.argv[1]), "--no-skips" in sys.argv[2:]

    def code(part: str) -> int:
        return int((folder / f"{part}.exit").read_text(encoding="utf-8"))

    lint = (folder / "lint").read_text(encoding="utf-8").strip() == "passed"
    parts = {
        "lint": Count(passed=int(lint), failed=int(not lint)),
        "unit and integration": of_pytest(folder / "tests.xml", code("tests")),
        "end to end": of_demo((folder / "demo.txt").read_text(encoding="utf-8"), code("demo")),
        "browser": of_pytest(folder / "browser.xml", code("browser")),
    }
    for name, count in parts.items():
        print(f"{name:22} {count.passed:5} passed {count.failed:4} failed {len(count.skipped):4} skipped")
    skipped = [test for count in parts.values() for test in count.skipped]
    if skipped:
        print("skipped, which may not be here:" if no_skips else "skipped:")
        print(*(f"  {test}" for test in skipped), sep="\n")
    failed = sum(count.failed for count in parts.values())
    print(f"{sum(count.passed for count in parts.values())} passed, {failed} failed, {len(skipped)} skipped")
    return 1 if failed or (no_skips and skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
