"""Exports of real archives: byte for byte, checked by sha256sum alone, gone on with wherever they were left."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import subprocess
from typing import Any

import pytest

from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.index import Index
from custom_components.facility_cameras.engine.archive.repair import read_fragments
from custom_components.facility_cameras.engine.archive.volume import MARKER
from custom_components.facility_cameras.engine.command_line import main
from custom_components.facility_cameras.engine.export.exports import Export, in_need
from custom_components.facility_cameras.engine.export.plan import ExportError, release
from custom_components.facility_cameras.engine.lane import JobCancelledError
from tests.engine.archives import DAY_US, NOW_US, archive_in
from tests.engine.cleaning import swept
from tests.engine.exporting import (
    SECOND,
    SEI,
    Counted,
    checked,
    content,
    export,
    manifest,
    record,
    request,
    work_of,
)
from tests.engine.living import wait_for


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


def index_of(archive: Archive) -> Index:
    assert archive.index is not None
    return archive.index


def files_of(found: dict[str, Any]) -> list[str]:
    return [file["name"] for file in found["files"]]


@pytest.mark.parametrize("form", ["folder", "tar"])
def test_what_is_handed_over_is_what_was_recorded(archive: Archive, folder: Path, form: str) -> None:
    first = record(archive, start_us=NOW_US - 4 * SECOND)
    second = record(archive, start_us=NOW_US + 600 * SECOND)
    other = record(archive, "c2", NOW_US + 30 * SECOND)
    record(archive, start_us=NOW_US + 3600 * SECOND)  # begins when what is asked for ends
    with index_of(archive).transaction() as connection:
        connection.execute(
            "INSERT INTO hold (uid, camera, start_us, end_us, reason, who, at_us) VALUES ('h', 'c1', ?, ?, 'theft', 'B', ?)",
            (NOW_US, NOW_US + SECOND, NOW_US),
        )
    cameras = [
        {"id": "c1", "name": "Cổng chính", "make": "Maker", "model": "M-1"},
        {"id": "c2", "name": "Cổng chính", "make": "", "model": ""},
    ]
    path = export(archive, request(folder, form=form, cameras=cameras))
    if form == "tar":
        assert [one.name for one in folder.iterdir()] == ["export_1.tar"]
        subprocess.run(["tar", "-xf", path.name], cwd=folder, check=True)
    done = folder / "export_1"
    found = manifest(done)
    assert files_of(found) == [
        "cong-chinh-c1/cong-chinh-c1_2026-11-25_06-59-56_UTC+07.mp4",
        "cong-chinh-c2/cong-chinh-c2_2026-11-25_07-00-30_UTC+07.mp4",
        "cong-chinh-c1/cong-chinh-c1_2026-11-25_07-10-00_UTC+07.mp4",
    ]
    for name, source in zip(files_of(found), (first, other, second), strict=True):
        assert (done / name).read_bytes() == source.read_bytes()
        assert (done / name).read_bytes().count(SEI) == 12
    assert sorted([*checked(done), "SHA256SUMS"]) == content(done)
    begun, _, later = found["files"]
    assert (begun["begins_before"], begun["ends_after"], later["begins_before"]) == (True, False, False)
    assert begun["start"] == {"utc": "2026-11-24T23:59:56.000000Z", "local": "2026-11-25T06:59:56.000000+07:00"}
    assert (begun["frames"], begun["codec"], begun["bytes"]) == (12, "h264", first.stat().st_size)
    assert begun["as_recorded"] and begun["sha256_recorded"] == begun["sha256"]
    assert (found["exported"]["by"], found["exported"]["reason"]) == ("Nguyễn Văn A", "Biên bản 12/2026")
    assert (found["exported"]["product"], found["exported"]["build"]) == ("Facility Cameras 9.9", "b1")
    assert found["everything_exported"] and not found["missed"]
    assert [camera["clock_offset_seconds"] for camera in found["cameras"]] == [-1.5, -1.5]
    assert [(camera["files"], camera["make"]) for camera in found["cameras"]] == [(2, "Maker"), (1, "")]
    assert [(hold["camera"], hold["reason"], hold["by"]) for hold in found["holds"]] == [("c1", "theft", "B")]
    gaps = [
        (gap["camera"], gap["start"]["utc"][11:19], gap["end"]["utc"][11:19], gap["reason"]) for gap in found["gaps"]
    ]
    assert gaps == [
        ("c1", "00:00:02", "00:10:00", "not_recorded"),
        ("c1", "00:10:06", "01:00:00", "not_recorded"),
        ("c2", "00:00:00", "00:00:30", "not_recorded"),
        ("c2", "00:00:36", "01:00:00", "not_recorded"),
    ]
    cues = (done / files_of(found)[0]).with_suffix(".vtt").read_text().split("\n\n")
    assert cues[0] == "WEBVTT"
    assert cues[1] == "00:00:00.000 --> 00:00:01.000\n2026-11-25 06:59:56 UTC+07:00 (Asia/Ho_Chi_Minh)"
    assert len([cue for cue in cues if "-->" in cue]) == 6
    page = (done / "README.txt").read_text()
    assert "sha256sum -c SHA256SUMS" in page and "Cách kiểm tra" in page and "Trạm y tế Đông Hà" in page


def test_of_a_file_that_is_being_written_what_is_finished(archive: Archive, folder: Path) -> None:
    source = record(archive, closed=False)
    done = export(archive, request(folder))
    (file,) = manifest(done)["files"]
    exported = done / file["name"]
    assert exported.read_bytes() == source.read_bytes()
    assert (file["closed"], file["sha256_recorded"], file["as_recorded"]) == ("still being recorded", None, True)
    checked(done)
    row = index_of(archive).overlapping("c1", NOW_US, NOW_US + SECOND)[0]
    assert read_fragments(exported, row.init_bytes).bytes == exported.stat().st_size


def test_half_a_fragment_at_the_end_stays_behind(archive: Archive, folder: Path) -> None:
    source = record(archive, closed=False)
    whole = source.stat().st_size
    with source.open("ab") as file:
        file.write(b"half a fragment")
    done = export(archive, request(folder))
    assert (done / manifest(done)["files"][0]["name"]).stat().st_size == whole


def _spoil(path: Path, how: str) -> None:
    match how:
        case "gone":
            path.unlink()
        case "unreadable":
            path.unlink()
            path.mkdir()
        case "damaged":
            data = bytearray(path.read_bytes())
            data[-5] ^= 1
            path.write_bytes(data)
        case "shorter":
            os.truncate(path, path.stat().st_size - 100)


@pytest.mark.parametrize("form", ["folder", "tar"])
@pytest.mark.parametrize("how", ["gone", "unreadable", "damaged", "shorter"])
def test_what_cannot_be_exported_is_told(archive: Archive, folder: Path, how: str, form: str) -> None:
    record(archive)
    bad = record(archive, start_us=NOW_US + 60 * SECOND)
    record(archive, start_us=NOW_US + 120 * SECOND)
    _spoil(bad, how)
    asked = request(folder, form=form)
    work = work_of(asked)
    assert work.step(archive, Counted())
    why = "damaged" if how == "shorter" else how
    assert [(one["camera"], one["start"], one["why"]) for one in work.missed] == [("c1", NOW_US + 60 * SECOND, why)]
    work.tidy()
    if form == "tar":
        subprocess.run(["tar", "-xf", "export_1.tar"], cwd=folder, check=True)
    done = folder / "export_1"
    found = manifest(done)
    assert not found["everything_exported"]
    assert [(one["why"], one["file"]) for one in found["missed"]] == [
        (why, "cong-chinh-c1/cong-chinh-c1_2026-11-25_07-01-00_UTC+07.mp4")
    ]
    assert [file["as_recorded"] for file in found["files"]] == ([True, False, True] if why == "damaged" else [True] * 2)
    in_gap = [gap for gap in found["gaps"] if gap["start"]["utc"][11:19] < "00:01:03" < gap["end"]["utc"][11:19]]
    assert bool(in_gap) == (why != "damaged")
    assert sorted([*checked(done), "SHA256SUMS"]) == content(done)
    assert "CHÚ Ý: 1" in (done / "README.txt").read_text()


def test_a_disk_that_was_pulled_out_makes_no_file_a_lost_one(archive: Archive, folder: Path) -> None:
    source = record(archive)
    work = work_of(request(folder))
    hidden = archive.root / MARKER
    hidden.rename(hidden.with_name("elsewhere"))
    source.rename(source.with_name("elsewhere"))
    with pytest.raises(ExportError) as raised:
        work.step(archive, Counted())
    assert raised.value.cause == "archive_away" and not raised.value.lasting
    hidden.with_name("elsewhere").rename(hidden)
    source.with_name("elsewhere").rename(source)
    assert work.step(archive, Counted())
    assert not work.missed


def test_time_without_footage(archive: Archive, folder: Path) -> None:
    record(archive)
    record(archive, start_us=NOW_US + 3600 * SECOND)
    done = export(archive, request(folder, start=NOW_US + 600 * SECOND, end=NOW_US + 700 * SECOND))
    found = manifest(done)
    assert found["files"] == []
    assert [(gap["start"]["utc"][11:19], gap["end"]["utc"][11:19]) for gap in found["gaps"]] == [
        ("00:10:00", "00:11:40")
    ]
    assert checked(done) == ["README.txt", "manifest.json"]


def test_what_retention_deleted_is_told(archive: Archive, folder: Path) -> None:
    record(archive)
    rows = index_of(archive).overlapping("c1", NOW_US, NOW_US + SECOND)
    index_of(archive).remove(rows, "days", NOW_US + DAY_US)
    found = manifest(export(archive, request(folder)))
    assert [(one["reason"], one["bytes"]) for one in found["deletions"]] == [("days", rows[0].size)]
    assert [(gap["reason"], gap["cause"], gap["end"]["utc"][11:19]) for gap in found["gaps"]] == [
        ("deleted", "days", "00:00:06"),
        ("not_recorded", "", "01:00:00"),
    ]


def test_footage_that_was_not_read_again_yet_has_its_times(archive: Archive, folder: Path) -> None:
    record(archive)
    with index_of(archive).transaction() as connection:
        connection.execute("UPDATE segment SET sha256 = NULL, fragments = x'', state = 3")
    done = export(archive, request(folder))
    cues = (done / files_of(manifest(done))[0]).with_suffix(".vtt").read_text().split("\n\n")
    assert cues[1].startswith("00:00:00.000 --> 00:00:01.000\n2026-11-25 07:00:00")
    assert cues[6].startswith("00:00:05.000 --> 00:00:06.000\n2026-11-25 07:00:05")


def test_the_hour_that_a_day_has_twice(archive: Archive, folder: Path) -> None:
    # 2026-10-25 00:30 and 01:30 UTC: half past two in Berlin, twice.
    first = 1_792_888_200 * SECOND
    for start_us in (first, first + 3600 * SECOND):
        record(archive, start_us=start_us)
    day = {"start": first - 2 * 3600 * SECOND - 1800 * SECOND, "end": first + 23 * 3600 * SECOND - 1800 * SECOND}
    done = export(archive, request(folder, zone="Europe/Berlin", **day))
    assert files_of(manifest(done)) == [
        "cong-chinh-c1/cong-chinh-c1_2026-10-25_02-30-00_UTC+02.mp4",
        "cong-chinh-c1/cong-chinh-c1_2026-10-25_02-30-00_UTC+01.mp4",
    ]
    assert manifest(done)["asked"]["start"]["local"] == "2026-10-25T00:00:00.000000+02:00"
    assert manifest(done)["asked"]["end"]["local"] == "2026-10-26T00:00:00.000000+01:00"
    cue = (done / files_of(manifest(done))[1]).with_suffix(".vtt").read_text().splitlines()[3]
    assert cue == "2026-10-25 02:30:00 UTC+01:00 (Europe/Berlin)"


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "..", "/", "", "a" * 200, "Cổng số 1 / nhà Đ", "x\0y\n--> z", "\\\\server\\c$", "-rf *", "😀"],
)
def test_names_from_outside_go_nowhere(archive: Archive, folder: Path, name: str) -> None:
    record(archive)
    around = {path for path in folder.parent.rglob("*") if not path.is_relative_to(folder)}
    cameras = [{"id": "c1", "name": name, "make": name, "model": name}]
    done = export(archive, request(folder, cameras=cameras, name=name, who=name, reason=name))
    after = {path for path in folder.parent.rglob("*") if not path.is_relative_to(folder)}
    # SQLite's own files come and go.
    assert {path for path in after - around if "sqlite" not in path.name} == set()
    assert [path.name for path in folder.iterdir()] == ["export_1"]
    assert all(sign.isascii() and (sign.isalnum() or sign in "-_+./") for sign in "".join(content(done)))
    assert sorted([*checked(done), "SHA256SUMS"]) == content(done)
    assert manifest(done)["facility"]["name"] == name


def test_footage_of_another_facility_is_refused(archive: Archive, folder: Path) -> None:
    record(archive)
    with index_of(archive).transaction() as connection:
        connection.execute("UPDATE camera SET facility = 'f2'")
    with pytest.raises(ExportError) as raised:
        work_of(request(folder)).step(archive, Counted())
    assert raised.value.cause == "camera_elsewhere" and raised.value.lasting
    assert list(folder.iterdir()) == []


def test_retention_waits_for_an_export(archive: Archive, folder: Path) -> None:
    sources = [record(archive, start_us=NOW_US + minute * 60 * SECOND) for minute in range(3)]
    index, later = index_of(archive), NOW_US + 100 * DAY_US

    def gone(*, full: bool = False) -> int:
        return swept(index, archive.root, later, {"c1": 1}, full=full)

    work = work_of(request(folder))
    assert not work.step(archive, Counted(), seconds=-1)
    assert release(archive, ["e1"])
    assert gone() == 0
    # What was copied in the turn before may go, oldest first as ever; the rest waits.
    assert not work.step(archive, Counted(), seconds=-1)
    assert gone() == 1
    assert gone() == 0
    assert gone(full=True) == 0
    assert [source.exists() for source in sources] == [False, True, True]
    assert work.step(archive, Counted())
    # No hold that people made: it is not told as one.
    found = manifest(work.path)
    assert (found["holds"], found["missed"], len(found["files"]), len(found["deletions"])) == ([], [], 3, 1)
    assert release(archive, [])
    assert gone() == 2


def test_retention_does_not_wait_for_one_that_gets_no_further() -> None:
    asked = request(Path("/tmp"))
    waiting, paused, stuck, done = (
        Export(name, "f1", asked, name, 0, work_of(asked), state=state, paused_at=since)
        for name, state, since in (
            ("waiting", "running", None),
            ("paused", "paused", 500.0),
            ("stuck", "paused", 399.0),
            ("done", "done", None),
        )
    )
    assert in_need([waiting, paused, stuck, done], 1000.0) == ["waiting", "paused"]


def test_cancelled_leaves_nothing(archive: Archive, folder: Path) -> None:
    record(archive)
    record(archive, start_us=NOW_US + 60 * SECOND)
    work, job = work_of(request(folder)), Counted()
    assert not work.step(archive, job, seconds=-1)
    assert [path.name for path in folder.iterdir()] == ["export_1-unfinished"]
    job.cancel()
    with pytest.raises(JobCancelledError):
        work.step(archive, job)
    work.discard()
    assert list(folder.iterdir()) == []


def test_an_export_beside_the_footage_is_no_footage(archive: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    record(archive)
    (archive.root / ".exports").mkdir()
    done = export(archive, request(archive.root / ".exports"))
    assert files_of(manifest(done))
    assert main(["check", "--hash", str(archive.root), "--json"]) == 0, capsys.readouterr().out
    assert main(["du", str(archive.root), "--json"]) == 0
    (told,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told["segments"] == 1


def test_from_a_shell_beside_an_engine_that_records(
    archive: Archive, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = record(archive)
    growing = record(archive, start_us=NOW_US + 60 * SECOND, closed=False)
    with growing.open("ab") as file:
        file.write(b"half a fragment")
    command = ["export", str(archive.root), str(folder), "--zone", "Asia/Ho_Chi_Minh", "--who", "An", "--json"]
    span = ["--start", "2026-11-25T07:00", "--end", "2026-11-25T08:00"]
    assert main([*command, *span]) == 0
    told = json.loads(capsys.readouterr().out)
    done = Path(told["path"])
    assert [path for path in folder.iterdir() if path != done] == []
    assert done.name.startswith("facility-f1_2026-11-25_07-00-00_UTC+07_to_2026-11-25_08-00-00_UTC+07_")
    assert sorted([*checked(done), "SHA256SUMS"]) == content(done)
    first, second = [(done / name).read_bytes() for name in files_of(manifest(done))]
    assert first == closed.read_bytes()
    assert second == growing.read_bytes().removesuffix(b"half a fragment")
    assert manifest(done)["exported"]["by"] == "An"
    # The same again is the same export; another time is another one.
    assert main([*command, *span]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == told["path"]
    closed.unlink()
    assert main([*command, *span, "--tar"]) == 1
    assert [one["why"] for one in json.loads(capsys.readouterr().out)["missed"]] == ["gone"]
    assert main([*command, *span, "--camera", "none"]) == 2
    assert main([*command, "--start", "2026-11-25T08:00", "--end", "2026-11-25T07:00"]) == 2
    assert main(["export", str(archive.root), str(folder / "away"), *span]) == 2
    assert f"The folder {folder / 'away'} does not answer." in capsys.readouterr().err
