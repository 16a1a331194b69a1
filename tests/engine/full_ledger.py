"""What a full and a read-only disk do to the ledger: `python -m tests.engine.full_ledger FOLDER`, in user and mount
namespaces of its own (`unshare -rm`). Exit code 3 where nothing can be mounted.
"""

import itertools
import os
from pathlib import Path
import subprocess
import sys

from custom_components.facility_cameras.engine.api import Standing, Status
from custom_components.facility_cameras.engine.api_ledger import LedgerProblem
from tests.engine.ledgers import Machine, known, ledger_in, live, settle

MOUNT = ("mount", "-t", "tmpfs", "-o", "size=1m", "none")


def main() -> None:
    """Fill it, go on, make room."""
    root, clock = Path(sys.argv[1]), Machine()
    if subprocess.run([*MOUNT, str(root)], check=False, capture_output=True).returncode:
        sys.exit(3)
    with ledger_in(root, clock, "c1") as ledger:
        live(ledger, clock, 100, Status.ONLINE)
        assert not ledger.problem
        filler = root / "filler"
        with filler.open("wb") as file:
            while True:
                try:
                    os.write(file.fileno(), bytes(4096))
                except OSError:
                    break
        # As long as there is room in the file itself it is written.
        while not ledger.problem and clock.now < 20_000:
            live(ledger, clock, 10, Status.UNREACHABLE if round(clock.now) // 10 % 2 else Status.ONLINE)
        assert str(ledger.problem) == LedgerProblem.FULL
        told = (clock.now - 1000, len(ledger._changes))
        # A camera is new.
        ledger.describe("c2", "C2", "f1", "gate")
        ledger.stand("c2", Standing.REQUIRED)
        ledger.tell("c2", Status.STALLED, "no_packets")
        live(ledger, clock, 100, Status.REFUSED)
        live(ledger, clock, 50, Status.ONLINE)
        assert len(ledger._changes) > told[1]
        filler.unlink()
        settle(ledger)
        assert not ledger.problem, ledger.problem
        found = known(root)
        assert found[-2:] == [
            (told[0], told[0] + 100, "refused", "no_answer"),
            (told[0] + 100, told[0] + 150, "online", "none"),
        ], found[-3:]
        assert all(before[1] == after[0] for before, after in itertools.pairwise(found))
        assert ledger.dropped == 0
        assert known(root, "c2") == [(told[0], told[0] + 150, "stalled", "no_packets")], known(root, "c2")
    subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)
    with ledger_in(root, clock, "c1") as ledger:
        settle(ledger)
        assert str(ledger.problem) == LedgerProblem.READ_ONLY
        # What is written can be read all the same.
        assert known(root)[-2:] == found[-2:]
        subprocess.run(["mount", "-o", "remount,rw", str(root)], check=True)
        live(ledger, clock, 20, Status.ONLINE)
        assert not ledger.problem
        assert known(root)[-1][2:] == ("online", "none")


if __name__ == "__main__":
    main()
