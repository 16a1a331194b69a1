"""Records three times as much as a real small file system holds: `python -m tests.engine.small_disk FOLDER`, in user and
mount namespaces of its own (`unshare -rm`). Prints what it saw as JSON; exit code 3 where nothing can be mounted.
"""

import json
import os
from pathlib import Path
import subprocess
import sys
from typing import Any

from custom_components.facility_cameras.engine.archive import journal
from custom_components.facility_cameras.engine.archive.retention import Rules
from tests.engine.archives import DAY_US, MINUTE_US, NOW_US, HandClock, archive_in, ask, begin, landed, put
from tests.engine.living import wait_for

DISK_BYTES, SEGMENT_BYTES = 64 << 20, 1 << 20


def main() -> None:
    """Mount, record, tell."""
    root, clock = Path(sys.argv[1]), HandClock()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(root)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        sys.exit(3)
    written, least = 0, DISK_BYTES
    with archive_in(root, clock) as archive:
        archive.cleaner.rules = {"f1": Rules(30)}
        archive.cleaner.days = {"c1": 30, "c2": 30}
        wait_for(lambda: archive.volume.writable)
        while written < 3 * DISK_BYTES:
            start_us = NOW_US - DAY_US + written // SEGMENT_BYTES * MINUTE_US
            recording = begin(archive, f"c{written // SEGMENT_BYTES % 2 + 1}", start_us)
            put(recording, SEGMENT_BYTES)
            landed(recording)
            recording.close(start_us, start_us + MINUTE_US)
            written += SEGMENT_BYTES
            clock.now += 10
            wait_for(lambda: archive.cleaner.at > clock.now)
            found = os.statvfs(root)
            least = min(least, found.f_bavail * found.f_frsize)
        report = archive.cleaner.report
    kept = [int(str(start_us)) for (start_us,) in ask(root, "SELECT start_us FROM segment")]
    gone: list[dict[str, Any]] = [entry for entry in journal.read(root) if entry["what"] == "delete"]
    print(
        json.dumps(
            {
                "least_free": least,
                "kept": len(kept),
                "gone": sum(entry["files"] for entry in gone),
                "reasons": sorted({entry["reason"] for entry in gone}),
                "oldest_first": max(entry["end"] for entry in gone) <= min(kept),
                "files": len(list(root.rglob("*.mp4"))),
                "frees_nothing": report.frees_nothing_since_us is not None,
            }
        )
    )


if __name__ == "__main__":
    main()
