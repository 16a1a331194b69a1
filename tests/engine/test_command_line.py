"""The archive from a shell: what is wrong is named, beside a running engine too; the index is made again from the files."""

from collections.abc import Callable, Iterator
import contextlib
import json
import os
from pathlib import Path
import signal
import sqlite3
import subprocess
import sys
from typing import Any

import pytest

from custom_components.facility_cameras.engine.archive import deletions, journal
from custom_components.facility_cameras.engine.archive.deletions import Deletion
from custom_components.facility_cameras.engine.archive.index import Index
from custom_components.facility_cameras.engine.archive.opening import INDEX, close_index
from custom_components.facility_cameras.engine.archive.repair import lose
from custom_components.facility_cameras.engine.command_line import main
from tests.engine.archives import DAY_US, MINUTE_US, NOW_US, archive_in, ask, written
from tests.engine.living import LAUNCH, mark, wait_for
from tests.engine.test_survey import at, content, put_file, put_row


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An archive in which all is well: six files, a deletion, a hold; no engine."""
    root = tmp_path / "archive"
    root.mkdir()
    mark(root)
    index = Index(root / INDEX)
    for number in range(6):
        put_row(index, root, f"c{number % 2}", number)
    for camera in ("c0", "c1"):
        journal.append(root, NOW_US, [journal.camera_entry(camera, "f1", f"f/{camera}")])
    hold = {"hold": "h1", "camera": "c0", "start": NOW_US, "end": NOW_US + 5, "reason": "theft", "who": "An"}
    journal.append(root, NOW_US, [{"what": "hold", **hold}])
    index.query("INSERT INTO hold (uid, camera, start_us, end_us, reason, who, at_us) VALUES ('h1', 'c0', ?, ?, '', '', ?)",
                NOW_US, NOW_US + 5, NOW_US)  # fmt: skip
    row = index.oldest("c1", NOW_US + DAY_US, 1)
    (root / row[0].path).unlink()
    lose(index, root, row, NOW_US)
    close_index(index, root)
    return root


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, list[dict[str, Any]]]:
    """The command's exit code and what it told."""
    code = main([*map(str, arguments), "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def index_says(root: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(root / INDEX)) as connection:
        connection.execute(statement)
        connection.commit()


def first(root: Path, camera: str = "c0") -> Path:
    return min((root / "f" / camera).rglob("*.mp4"))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def deleted_although_held(root: Path) -> None:
    one = Deletion("c0", NOW_US - 1, NOW_US + 1, 1, 1, "days", NOW_US)
    journal.append(root, NOW_US, deletions.entries([one]))
    index_says(root, f"INSERT INTO deletion VALUES (9, 'c0', {NOW_US - 1}, {NOW_US + 1}, 1, 1, 'days', {NOW_US})")


@pytest.mark.parametrize(
    ("spoil", "codes"),
    [
        (lambda root: None, set()),
        (lambda root: first(root).unlink(), {"row_without_file"}),
        (lambda root: first(root).rename(root / "elsewhere.mp4"), {"row_without_file", "file_without_row"}),
        (lambda root: os.truncate(first(root), 300), {"size_differs", "hash_differs", "not_whole"}),
        (lambda root: flip(first(root)), {"hash_differs"}),
        (lambda root: (root / "foreign.mp4").write_bytes(b"x"), {"foreign"}),
        (lambda root: (root / ".facility_cameras.json").unlink(), {"no_marker"}),
        (lambda root: (root / INDEX).write_bytes(b"rubbish" * 1000), {"index_broken"}),
        (lambda root: index_says(root, "PRAGMA user_version=99"), {"index_schema"}),
        (lambda root: index_says(root, "UPDATE segment SET end_us = end_us + 200000000 WHERE id = 1"), {"overlap"}),
        (lambda root: index_says(root, "UPDATE segment SET end_us = start_us - 1 WHERE id = 1"), {"times_wrong"}),
        (lambda root: index_says(root, "UPDATE camera SET bytes = 7"), {"sum_wrong"}),
        (lambda root: index_says(root, "UPDATE segment SET sha256 = NULL WHERE id = 1"), {"not_read"}),
        (lambda root: index_says(root, "UPDATE segment SET fragments = x'0001' WHERE id = 1"), {"fragments_differ"}),
        (lambda root: index_says(root, "UPDATE segment SET state = 0 WHERE id = 1"), {"not_closed", "sum_wrong"}),
        (lambda root: index_says(root, "DELETE FROM deletion"), {"deletion_not_in_index"}),
        (lambda root: index_says(root, "UPDATE deletion SET reason = 'x'"), {"deletion_not_in_index", "deletion_not_in_journal"}),
        (lambda root: index_says(root, "DELETE FROM hold"), {"hold_not_in_index"}),
        (lambda root: index_says(root, "UPDATE hold SET uid = 'h2'"), {"hold_not_in_index", "hold_not_in_journal"}),
        (lambda root: index_says(root, "UPDATE hold SET released_us = 1"), {"release_differs"}),
        (deleted_although_held, {"held_deleted"}),
    ],
)  # fmt: skip
def test_check_names_what_is_wrong(
    root: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[Path], object], codes: set[str]
) -> None:
    spoil(root)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    code, told = run(capsys, "check", root, "--hash")
    assert {one["code"] for one in told} == codes
    assert code == (1 if codes else 0)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    # For people: a sentence each, and how many.
    assert main(["check", str(root), "--hash", "--rate", "1000"]) == code
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(told) + 1


def test_lost_index_is_named_and_made_again(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Promise I1, for the person with a shell."""
    before = ask(root, "SELECT uid, bytes FROM camera ORDER BY uid")
    gone = ask(root, "SELECT camera, start_us, end_us, files, bytes, reason FROM deletion")
    held = ask(root, "SELECT uid, camera, start_us, end_us FROM hold")
    for path in root.glob(f"{INDEX}*"):
        path.unlink()
    code, told = run(capsys, "check", root)
    assert code == 1
    assert [one["code"] for one in told if one["code"] != "file_without_row"][:1] == ["no_index"]
    paths = [one["path"] for one in told if one["code"] == "file_without_row"]
    assert run(capsys, "rebuild", root) == (0, [{"kind": "taken_in", "files": 5, "paths": paths}])
    assert run(capsys, "check", root, "--hash") == (0, [])
    assert ask(root, "SELECT uid, bytes FROM camera ORDER BY uid") == before
    assert ask(root, "SELECT camera, start_us, end_us, files, bytes, reason FROM deletion") == gone
    assert ask(root, "SELECT uid, camera, start_us, end_us FROM hold") == held
    assert ask(root, "SELECT count(*) FROM segment WHERE state = 3 AND sha256 NOT NULL") == [(5,)]
    # The engine trusts it at once.
    with archive_in(root) as archive:
        wait_for(lambda: archive.index is not None and archive.index.surveyed)


def test_rebuild_names_what_it_could_not_take(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "f" / "c0" / "foreign.mp4").write_bytes(b"x")
    put_file(root, f"f/c0/{at(90)}", content("c0", NOW_US + 90 * MINUTE_US)[:-5])
    code, told = run(capsys, "rebuild", root)
    assert code == 1
    assert {one["kind"]: one["files"] for one in told} == {"taken_in": 6, "foreign": 1, "cut": 1}
    assert (root / "index.before-rebuild.sqlite3").exists()
    assert run(capsys, "check", root, "--hash") == (
        1,
        [{"code": "foreign", "promise": "", "path": "f/c0/foreign.mp4",
          "sentence": "This file is no footage of this archive. It is left alone."}],
    )  # fmt: skip


def test_beside_an_engine_that_records(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with archive_in(root) as archive:
        wait_for(lambda: archive.index is not None and archive.index.surveyed)
        recording = written(archive, NOW_US + 100 * MINUTE_US)
        assert run(capsys, "check", root, "--hash") == (0, [])
        code, told = run(capsys, "list", root)
        assert code == 0
        assert sum(one["segments"] for one in told) == 6
        assert main(["rebuild", str(root)]) == 3
        assert "engine holds" in capsys.readouterr().err
        recording.close(NOW_US + 100 * MINUTE_US, NOW_US + 100 * MINUTE_US + 2_000_000)
    assert ask(root, "SELECT count(*) FROM segment WHERE state = 1") == [(6,)]


def test_list_and_du(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = first(root).stat().st_size
    code, told = run(capsys, "list", root)
    assert code == 0
    assert [(one["camera"], one["folder"], one["bytes"], one["segments"]) for one in told] == [
        ("c0", "f/c0", 3 * size, 3),
        ("c1", "f/c1", 2 * size, 2),
    ]
    code, told = run(capsys, "list", root, "--camera", "c0")
    assert [(one["start"], one["end"], one["open"]) for one in told] == [
        (NOW_US + n * MINUTE_US, NOW_US + n * MINUTE_US + 6_000_000, False) for n in (0, 2, 4)
    ]
    assert [str(root / one["path"]) for one in told] == sorted(map(str, (root / "f" / "c0").rglob("*.mp4")))
    code, told = run(capsys, "du", root)
    assert [(one["camera"], one["day"], one["bytes"]) for one in told] == [
        ("c0", "2026-11-25", 3 * size),
        ("c1", "2026-11-25", 2 * size),
    ]
    for command in ("list", "du"):
        assert main([command, str(root)]) == 0
        assert "f/c0" in capsys.readouterr().out
    assert main(["list", str(root), "--camera", "none"]) == 2
    assert "none" in capsys.readouterr().err


def test_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "nothing")]) == 2
    for arguments in ([], ["burn", str(tmp_path)], ["check"], ["check", str(tmp_path), "--rate", "x"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2


def test_folder_is_run_as_a_program(root: Path) -> None:
    command = [sys.executable, "-P", str(LAUNCH.parent), "check", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing was found\n", "")
    as_module = [sys.executable, "-m", "custom_components.facility_cameras.engine", "du", str(root), "--json"]
    done = subprocess.run(as_module, capture_output=True, text=True, check=False, cwd=LAUNCH.parents[3])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["camera"] == "c0"


@pytest.fixture
def heard() -> Iterator[None]:
    """Who is started in the background of a shell ignores interrupts, and so do its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_interrupt_ends_it_cleanly(root: Path) -> None:
    before = ask(root, "SELECT * FROM segment")
    command = [sys.executable, "-P", str(LAUNCH.parent), "rebuild", str(root), "--rate", "0.0001"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        wait_for((root / "index.rebuilt.sqlite3").exists)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr is not None
        assert process.stderr.read() == "\ninterrupted\n"
    assert ask(root, "SELECT * FROM segment") == before
    assert not list(root.glob("index.rebuilt*"))
