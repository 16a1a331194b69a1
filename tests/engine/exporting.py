"""What tests of exports share: footage with true checksums, a request, and an export that is killed at its calls."""

import contextlib
import functools
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import threading
from typing import Any

from custom_components.facility_cameras.engine.api_footage import ExportRequest
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.index import CLOSED, Row
from custom_components.facility_cameras.engine.archive.recording import Recording
from custom_components.facility_cameras.engine.export.work import Work
from custom_components.facility_cameras.engine.fmp4 import Fragmenter
from custom_components.facility_cameras.engine.lane import Job
from custom_components.facility_cameras.engine.media import Sample
from tests.engine.archives import NOW_US, archive_in, begin
from tests.engine.living import wait_for

SECOND = 1_000_000
#: A unit of supplemental information, as a camera that signs its pictures sends it: type 6, user data, its own id.
SEI = bytes.fromhex("0605") + b"\x18camera's own signature\x00" + b"\x80"


def signed(number: int, size: int) -> bytes:
    """A picture's bytes with a signature in them, which no other picture has."""
    unit = SEI + number.to_bytes(4)
    return len(unit).to_bytes(4) + unit + (number % 251).to_bytes(1) * size


def write(recording: Recording, maker: Fragmenter, number: int, size: int = 400) -> None:
    """One fragment of 2 s and 4 pictures."""
    ticks = 45_000
    pictures = []
    for place in range(4):
        data = signed(number * 4 + place, size)
        pictures.append(Sample((number * 4 + place) * ticks, 0, len(data), [data], key=place == 0))
    recording.write(maker.build(pictures, [], (number + 1) * 4 * ticks, NOW_US), 2 * SECOND)


def record(archive: Archive, camera: str = "c1", start_us: int = NOW_US, fragments: int = 3, *, closed: bool = True,
           size: int = 400) -> Path:  # fmt: skip
    """A file of some fragments, as the engine records it; returns where it lies."""
    recording, maker = begin(archive, camera, start_us), Fragmenter()
    for number in range(fragments):
        write(recording, maker, number, size)
    if closed:
        recording.close(start_us, start_us + fragments * 2 * SECOND)
    index = archive.index
    assert index is not None

    def rows() -> list[Row]:
        return [row for row in index.overlapping(camera, start_us, start_us + 1) if row.start_us == start_us]

    def done() -> bool:
        if closed:
            return any(row.state == CLOSED for row in rows())
        file = recording.file
        return file is not None and len(file.fragments) >= fragments

    wait_for(done, 10)
    return archive.root / rows()[-1].path


def request(folder: Path, **changes: Any) -> ExportRequest:
    """Everything of camera c1 for an hour."""
    asked: ExportRequest = {
        "cameras": [{"id": "c1", "name": "Cổng chính", "make": "Maker", "model": "M-1"}],
        "start": NOW_US,
        "end": NOW_US + 3600 * SECOND,
        "folder": str(folder),
        "form": "folder",
        "name": "Trạm y tế Đông Hà",
        "zone": "Asia/Ho_Chi_Minh",
        "who": "Nguyễn Văn A",
        "reason": "Biên bản 12/2026",
        "product": "9.9",
    }
    asked.update(changes)  # type: ignore[typeddict-item]
    return asked


def work_of(asked: ExportRequest, name: str = "export_1", now_us: int = NOW_US + 7200 * SECOND) -> Work:
    """An export that has not begun, or (of the same name) is gone on with."""
    return Work(
        "e1",
        "f1",
        asked,
        name,
        build="b1",
        now_us=lambda: now_us,
        clock_offsets=lambda: {camera["id"]: -1.5 for camera in asked["cameras"]},
    )


class Counted(Job[None]):
    """A job that runs here, at full speed, and notes what was read and written."""

    def __init__(self) -> None:
        super().__init__("export", "f1", lambda _: None, quick=False, kept=True)
        self.spent = 0

    def spend(self, size: int) -> None:
        self.spent += size
        self.advance(0)


def export(archive: Archive, asked: ExportRequest, name: str = "export_1") -> Path:
    """Do all of it; returns where it is."""
    work = work_of(asked, name)
    while not work.step(archive, Counted()):
        pass
    work.tidy()
    return work.path


def checked(folder: Path) -> list[str]:
    """Have sha256sum alone check an export; returns what it named, sorted."""
    found = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
    lines = found.stdout.splitlines()
    assert all(line.endswith(": OK") for line in lines)
    return sorted(line.removesuffix(": OK") for line in lines)


def content(folder: Path) -> list[str]:
    """Every file of an export, relative to it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def manifest(folder: Path) -> dict[str, Any]:
    """Its manifest."""
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
    return found


# Killed at its calls ---------------------------------------------------------------------------------------------

_CALLS = ("open", "write", "fsync", "fdatasync", "ftruncate", "rename", "unlink", "mkdir", "rmdir")


def _kill_at(number: int) -> None:
    """Kill this process in front of the n-th call that its main thread makes on files."""
    left = number

    def counting(call: Any) -> Any:
        @functools.wraps(call)
        def counted(*values: Any, **more: Any) -> Any:
            nonlocal left
            if threading.current_thread() is threading.main_thread():
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return call(*values, **more)

        return counted

    for name in _CALLS:
        setattr(os, name, counting(getattr(os, name)))


def _child(root: Path, asked: ExportRequest, kill_at: int | None) -> int:
    """Export in a child; returns 0, or less if it was killed. The child writes what it read beside the export."""
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)
    code = 1
    try:
        with archive_in(root, marked=False) as archive:
            wait_for(lambda: archive.index is not None, 10)
            job, work = Counted(), work_of(asked)
            if kill_at is not None:
                _kill_at(kill_at)
            while not work.step(archive, job, seconds=0):
                pass
            work.tidy()
            Path(f"{asked['folder']}.spent").write_text(str(job.spent))
            code = 0
    finally:
        os._exit(code)


def killed_everywhere(root: Path, folder: Path, form: str) -> int:
    """Kill an export at every second of its calls, go on with it, and check what came of it; returns how many calls there
    are. A folder's are the even ones, a tar's the odd ones.
    """
    number = int(form == "tar")
    while True:
        place = folder / str(number)
        place.mkdir()
        asked = request(place, form=form)
        killed = _child(root, asked, number) < 0
        if killed:
            noted = 0
            with contextlib.suppress(FileNotFoundError):
                done = place / "export_1-unfinished" / ".state" / "done.jsonl"
                noted = sum(json.loads(line)["size"] for line in done.read_text().splitlines())
            assert _child(root, asked, None) == 0, f"not gone on with after a kill at call {number}"
            if noted:
                # What was copied and noted is not read again.
                spent = int(Path(f"{place}.spent").read_text())
                assert spent <= 2 * (sum(path.stat().st_size for path in root.rglob("*.mp4")) - noted), number
        if form == "tar":
            assert content(place) == ["export_1.tar"], (number, content(place))
            subprocess.run(["tar", "-xf", "export_1.tar"], cwd=place, check=True)
        assert sorted([*checked(place / "export_1"), "SHA256SUMS"]) == content(place / "export_1"), number
        assert not manifest(place / "export_1")["missed"]
        assert len(manifest(place / "export_1")["files"]) == len(list(root.rglob("*.mp4")))
        assert not (place / "export_1-unfinished").exists()
        if not killed:
            return number
        number += 2


if __name__ == "__main__":
    print(killed_everywhere(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
