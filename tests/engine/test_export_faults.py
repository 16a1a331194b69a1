"""Exports through kills, power cuts, disks that are full, away or lie: gone on with, nothing copied twice, nothing lost."""

from collections.abc import Iterator
import errno
import os
from pathlib import Path
import subprocess
import sys

import pytest

from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.export.plan import ExportError
from tests.engine.archives import NOW_US, archive_in
from tests.engine.exporting import (
    SECOND,
    Counted,
    checked,
    content,
    record,
    request,
    work_of,
)
from tests.engine.living import ROOT, wait_for


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with archive_in(tmp_path / "archive") as archive:
        wait_for(lambda: archive.index is not None, 10)
        yield archive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_killed_at_its_calls_and_gone_on_with(tmp_path: Path, form: str) -> None:
    with archive_in(tmp_path / "archive") as archive:
        wait_for(lambda: archive.index is not None, 10)
        record(archive)
        record(archive, start_us=NOW_US + 60 * SECOND)
    (tmp_path / "exports").mkdir()
    command = [
        sys.executable,
        "-m",
        "tests.engine.exporting",
        str(tmp_path / "archive"),
        str(tmp_path / "exports"),
        form,
    ]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) > 40


def test_a_line_that_a_power_cut_left_half_written(archive: Archive, folder: Path) -> None:
    sources = [record(archive, start_us=NOW_US + minute * 60 * SECOND) for minute in range(3)]
    work = work_of(request(folder))
    assert not work.step(archive, Counted(), seconds=-1)
    unfinished = folder / "export_1-unfinished"
    done = unfinished / ".state" / "done.jsonl"
    assert not work.step(archive, Counted(), seconds=-1)
    assert work.files == 2
    done.write_bytes(done.read_bytes()[:-10])
    exported = sorted(unfinished.rglob("*.mp4"))
    exported[1].write_bytes(b"")
    job, work = Counted(), work_of(request(folder))
    assert work.step(archive, job)
    assert job.spent == 2 * sum(source.stat().st_size for source in sources[1:])
    checked(work.path)
    work.tidy()
    assert sorted([*checked(work.path), "SHA256SUMS"]) == content(work.path)


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_what_was_noted_but_is_not_there_is_copied_again(archive: Archive, folder: Path, form: str) -> None:
    """A disk that lies about what is on it loses what was copied, in a power cut."""
    for minute in range(3):
        record(archive, start_us=NOW_US + minute * 60 * SECOND)
    work = work_of(request(folder, form=form))
    assert not work.step(archive, Counted(), seconds=-1)
    assert not work.step(archive, Counted(), seconds=-1)
    unfinished = folder / "export_1-unfinished"
    if form == "tar":
        os.truncate(unfinished / "footage.tar", (unfinished / "footage.tar").stat().st_size - 100)
    else:
        sorted(unfinished.rglob("*.vtt"))[1].unlink()
    work = work_of(request(folder, form=form))
    assert work.step(archive, Counted())
    if form == "tar":
        subprocess.run(["tar", "-xf", "export_1.tar"], cwd=folder, check=True)
    else:
        work.tidy()
    assert sorted([*checked(folder / "export_1"), "SHA256SUMS"]) == content(folder / "export_1")


def test_a_tar_ends_where_its_last_file_does(archive: Archive, folder: Path) -> None:
    """Also where more was written, which does not count."""
    sources = [record(archive, start_us=NOW_US + minute * 60 * SECOND, size=25_000) for minute in range(3)]
    work = work_of(request(folder, form="tar"))
    assert not work.step(archive, Counted(), seconds=-1)
    (folder / "export_1-unfinished" / ".state" / "done.jsonl").unlink()
    for source in sources:
        source.unlink()
    work = work_of(request(folder, form="tar"))
    assert work.step(archive, Counted())
    assert len(work.missed) == 3
    assert work.path.stat().st_size < 25_000


def test_a_file_that_was_not_closed_and_became_shorter(archive: Archive, folder: Path) -> None:
    record(archive)
    source = record(archive, start_us=NOW_US + 60 * SECOND, closed=False)
    work = work_of(request(folder))
    assert not work.step(archive, Counted(), seconds=-1)
    os.truncate(source, source.stat().st_size - 100)
    assert work.step(archive, Counted())
    assert [one["why"] for one in work.missed] == ["damaged"]


def test_the_folder_is_away(archive: Archive, folder: Path) -> None:
    record(archive)
    work = work_of(request(folder / "disk"))
    with pytest.raises(ExportError) as raised:
        work.step(archive, Counted())
    assert raised.value.cause == "destination_away"
    assert list(folder.iterdir()) == []
    (folder / "disk").mkdir()
    assert work.step(archive, Counted())


@pytest.mark.parametrize(
    ("number", "cause"), [(errno.ENOSPC, "no_room"), (errno.EIO, "destination_away"), (errno.EACCES, "not_written")]
)
def test_what_the_disk_says_in_the_middle(
    archive: Archive, folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, cause: str
) -> None:
    record(archive)
    record(archive, start_us=NOW_US + 60 * SECOND)
    work, real, left = work_of(request(folder)), os.write, [4]

    def failing(fd: int, data: bytes) -> int:
        left[0] -= 1
        if not left[0]:
            raise OSError(number, os.strerror(number))
        return real(fd, data)

    monkeypatch.setattr("custom_components.facility_cameras.engine.export.target.os.write", failing)
    with pytest.raises(ExportError) as raised:
        work.step(archive, Counted())
    assert (raised.value.cause, raised.value.lasting) == (cause, False)
    assert not work.path.exists()
    job = Counted()
    assert work.step(archive, job)
    assert not work.missed
    work.tidy()
    assert sorted([*checked(work.path), "SHA256SUMS"]) == content(work.path)


_FULL = """
import os, subprocess, sys
from pathlib import Path
from custom_components.facility_cameras.engine.command_line import main
from custom_components.facility_cameras.engine.export.plan import ExportError
from tests.engine.archives import NOW_US, archive_in
from tests.engine.exporting import Counted, SECOND, checked, content, record, request, work_of
from tests.engine.living import wait_for
base, form = Path(sys.argv[1]), sys.argv[2]
disk = base / "disk"
disk.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=True)
with archive_in(base / "archive") as archive:
    wait_for(lambda: archive.index is not None, 10)
    for minute in range(4):
        record(archive, start_us=NOW_US + minute * 60 * SECOND, fragments=4, size=25_000)
    def refused(work):
        try:
            work.step(archive, Counted())
        except ExportError as error:
            assert error.cause == "no_room", error
            assert not work.path.exists()
        else:
            raise AssertionError("not refused")
    work = work_of(request(disk, form=form))
    refused(work)
    assert not list(disk.iterdir()), "it is known before anything is written"
    subprocess.run(["mount", "-o", "remount,size=2300k", disk], check=True)
    (disk / "filled").write_bytes(b"")
    assert not work.step(archive, Counted(), seconds=-1)
    assert work.files == 1
    # Somebody else fills it meanwhile.
    with open(disk / "filled", "wb", buffering=0) as file:
        file.write(bytes(1_300_000))
    work_room = work._check_room
    work._check_room = lambda archive, wanted: None
    refused(work)
    work._check_room = work_room
    assert 0 < work.files < 4, work.files
    before = work.files
    refused(work_of(request(disk, form=form)))
    (disk / "filled").unlink()
    job, work = Counted(), work_of(request(disk, form=form))
    assert work.step(archive, job)
    assert job.spent < 2 * work.all_bytes
    work.tidy()
    if form == "tar":
        subprocess.run(["tar", "-xf", disk / "export_1.tar", "-C", base], check=True)
    done = base / "export_1" if form == "tar" else work.path
    assert sorted([*checked(done), "SHA256SUMS"]) == content(done)
print("full and gone on with")
"""


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_the_disk_is_full(tmp_path: Path, form: str) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mounts of our own on this machine")
    found = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", _FULL, tmp_path, form],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.stdout == "full and gone on with\n", found.stderr
