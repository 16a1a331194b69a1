"""The archive's volume: full, gone, another's, held, slow. Recording ends cleanly and begins again by itself."""

from collections.abc import Iterator
import contextlib
import fcntl
import functools
import hashlib
import os
from pathlib import Path
import shutil
import subprocess
import threading

import pytest

from custom_components.facility_cameras.engine.api import VolumeCause, VolumeState
from custom_components.facility_cameras.engine.archive import archive as archive_module, backlog
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.backlog import Memory
from custom_components.facility_cameras.engine.archive.index import Index
from custom_components.facility_cameras.engine.footage import stored
from tests.engine.archives import (
    IDENTITY,
    INIT,
    NOW_US,
    HandClock,
    archive_in,
    ask,
    begin,
    built,
    footage,
    fragment,
    kept,
    landed,
    put,
    written,
)
from tests.engine.living import mark, wait_for


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@contextlib.contextmanager
def small_volume(folder: Path, mebibytes: int) -> Iterator[Path]:
    """A file system of its own; the test is skipped where none can be mounted."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """Take all free space but so many bytes."""
    path = folder / "somebody-elses"
    free = os.statvfs(folder)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - leave)
    return path


def state_is(archive: Archive, clock: HandClock, *states: VolumeState) -> None:
    """Wait until the archive has seen it."""
    clock.now += 6
    wait_for(lambda: archive.volume.state in states, 5, f"{states}, is {archive.volume}")


@pytest.mark.parametrize("marker", [None, '{"id": "another"}', "{", "[]", "5"])
def test_folder_that_is_not_ours_is_not_written_to(tmp_path: Path, clock: HandClock, marker: str | None) -> None:
    root = tmp_path / "archive"
    root.mkdir()
    if marker is not None:
        (root / ".facility_cameras.json").write_text(marker)
    before = sorted(root.iterdir())
    with archive_in(root, clock, marked=False) as archive:
        state_is(archive, clock, VolumeState.MISSING)
        kept(archive).close(NOW_US, NOW_US + 2_000_000)
        assert sorted(root.iterdir()) == before
        mark(root)
        state_is(archive, clock, VolumeState.OK, VolumeState.LOW)
    assert ask(root, "SELECT state, bytes FROM segment") == [(1, len(INIT + IDENTITY + fragment()))]


def test_folder_that_vanishes_is_not_made_again(tmp_path: Path, clock: HandClock) -> None:
    root = tmp_path / "archive"
    with archive_in(root, clock) as archive:
        wait_for(lambda: archive.volume.writable)
        recording = written(archive)
        root.rename(tmp_path / "unplugged")
        root.mkdir()
        # Without waiting for the next look: the mount point is never written to.
        second = kept(archive, "c2")
        put(recording)
        recording.close(NOW_US, NOW_US + 4_000_000)
        state_is(archive, clock, VolumeState.MISSING)
        assert list(root.iterdir()) == []
        root.rmdir()
        (tmp_path / "unplugged").rename(root)
        state_is(archive, clock, VolumeState.OK, VolumeState.LOW)
        second.close(NOW_US, NOW_US + 2_000_000)
        wait_for(lambda: recording.duration_us == 4_000_000 and second.landed, 5)
        wait_for(lambda: archive.index is not None and not archive.index.unfinished(), 5)
    # What came while it was away is in another file of the same run, which begins where the first one ends.
    found = ask(
        root,
        "SELECT camera.uid, start_us, end_us, run.uid, state > 0 FROM segment "
        "JOIN camera ON camera.id = segment.camera JOIN run ON run.id = segment.run ORDER BY 1, 2",
    )
    assert found == [
        ("c1", NOW_US, NOW_US + 2_000_000, "run", 1),
        ("c1", NOW_US + 2_000_000, NOW_US + 4_000_000, "run", 1),
        ("c2", NOW_US, NOW_US + 2_000_000, "run", 1),
    ]
    for path in root.rglob("*.mp4"):
        assert path.read_bytes() == INIT + IDENTITY + fragment()


def test_file_numbers_are_not_used_again_after_a_lost_volume(tmp_path: Path, clock: HandClock) -> None:
    root = tmp_path / "archive"
    with archive_in(root, clock) as archive:
        wait_for(lambda: archive.volume.writable)
        recording = written(archive)
        (root / ".facility_cameras.json").unlink()
        state_is(archive, clock, VolumeState.MISSING)
        # Whatever is opened now may get the number that the recording's file had.
        others = [(tmp_path / f"other-{number}").open("wb") for number in range(16)]
        put(recording)
        recording.sync()
        recording.close(NOW_US, NOW_US + 2_000_000)
        done = threading.Event()
        archive.submit(None, 0, done.set)
        assert done.wait(5)
        for other in others:
            os.fstat(other.fileno())
            other.close()
            assert Path(other.name).stat().st_size == 0


def test_disk_full_pauses_and_resumes(tmp_path: Path, clock: HandClock) -> None:
    with small_volume(tmp_path / "archive", 32) as root, archive_in(root, clock) as archive:
        wait_for(lambda: archive.volume.writable)
        recording = written(archive)
        taken = fill(root, 100_000)
        for _ in range(5):
            put(recording, 50_000)
        wait_for(lambda: archive.kept_bytes, 5)
        recording.close(NOW_US, NOW_US + 12_000_000)
        state_is(archive, clock, VolumeState.FULL)
        assert archive.volume.cause is VolumeCause.NO_SPACE
        taken.unlink()
        state_is(archive, clock, VolumeState.OK, VolumeState.LOW)
        wait_for(lambda: recording.duration_us == 12_000_000, 5)
        assert not recording.failed
        archive.close()
        found = ask(root, "SELECT path, bytes, end_us - start_us, sha256, state FROM segment ORDER BY start_us")
        assert len(found) == 2
        for path, size, _, digest, state in found:
            content = (root / "facility" / "c1" / str(path)).read_bytes()
            assert state in (1, 2)
            assert len(content) == size
            assert hashlib.sha256(content).digest() == digest
        # Nothing is lost, nothing is told twice.
        assert sum(int(str(duration)) for _, _, duration, _, _ in found) == 12_000_000


def test_disk_that_is_full_at_the_start_is_cleaned(tmp_path: Path, clock: HandClock) -> None:
    with small_volume(tmp_path / "archive", 32) as root:
        index = Index(root / "index.sqlite3")
        for hours in range(20):
            footage(root, index, "c1", NOW_US - (hours + 2) * 3_600_000_000, 1 << 20)
        index.close()
        fill(root, 64 << 10)
        with archive_in(root, clock) as archive:
            wait_for(lambda: archive.volume.state is not VolumeState.MISSING, 5)
            state_is(archive, clock, VolumeState.OK)
            written(archive).close(NOW_US, NOW_US + 2_000_000)
        gone = ask(root, "SELECT reason, sum(files) FROM deletion GROUP BY reason")
        assert gone[0][0] == "space"
        assert 1 <= int(str(gone[0][1])) <= 5
        assert len(list(root.rglob("*.mp4"))) == 20 - int(str(gone[0][1])) + 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can remount")
def test_volume_that_turns_read_only_pauses_and_resumes(tmp_path: Path, clock: HandClock) -> None:
    with small_volume(tmp_path / "archive", 32) as root, archive_in(root, clock) as archive:
        wait_for(lambda: archive.volume.writable)
        bind = ["mount", "-o", "bind", str(root), str(root)]
        subprocess.run(bind, check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", str(root)], check=True)
        try:
            clock.now += 6
            recording = kept(archive)
            state_is(archive, clock, VolumeState.READ_ONLY)
        finally:
            subprocess.run(["umount", "-l", str(root)], check=True)
        state_is(archive, clock, VolumeState.OK, VolumeState.LOW)
        landed(recording).close(NOW_US, NOW_US + 2_000_000)


def test_second_engine_does_not_write_until_the_first_is_gone(tmp_path: Path, clock: HandClock) -> None:
    root = tmp_path / "archive"
    with archive_in(root, clock) as first:
        wait_for(lambda: first.volume.writable)
        with archive_in(root, clock) as second:
            state_is(second, clock, VolumeState.ERROR)
            assert second.volume.cause is VolumeCause.IN_USE
            waits = kept(second, start_us=NOW_US + 3_000_000)
            written(first).close(NOW_US, NOW_US + 2_000_000)
            first.close()
            clock.now += 1
            wait_for(lambda: second.volume.writable, 5)
            landed(waits).close(NOW_US + 3_000_000, NOW_US + 5_000_000)
    assert len(ask(root, "SELECT 1 FROM segment WHERE state = 1")) == 2


def hold(answers: threading.Event) -> None:
    """What a disk does that does not answer."""
    answers.wait(20)


def test_slow_disk_bounds_what_waits_and_writes_what_was_taken(
    tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "QUEUE_BYTES", 6 * built().size)
    root = tmp_path / "archive"
    with archive_in(root, clock, memory=Memory(4 * built().size)) as archive:
        wait_for(lambda: archive.volume.writable)
        recording = written(archive)
        answers = threading.Event()
        archive.submit(None, 0, functools.partial(hold, answers))
        for _ in range(15):
            put(recording)
        assert recording.failed
        assert archive.dropped == 1
        clock.now += archive_module.HUNG_S + 1
        assert archive.volume.state is VolumeState.MISSING
        assert archive.index is None
        assert stored(archive, "f1") == (0, None)
        answers.set()
        recording.close(NOW_US, NOW_US + 100_000_000)
        wait_for(lambda: archive.volume.writable, 5)
    # The ten that were taken, and no claim of more.
    assert ask(root, "SELECT end_us - start_us, pictures FROM segment") == [(22_000_000, 550)]


def test_fault_of_ours_does_not_end_the_writer_thread(
    tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    root = tmp_path / "archive"

    def fault() -> None:
        raise ZeroDivisionError

    with archive_in(root, clock) as archive:
        wait_for(lambda: archive.volume.writable)
        recording = written(archive)
        archive.submit(None, 0, fault)
        wait_for(lambda: told, 5)
        put(recording)
        wait_for(lambda: recording.duration_us == 4_000_000, 5)
        recording.close(NOW_US, NOW_US + 4_000_000)
    assert [type(one.exc_value) for one in told] == [ZeroDivisionError]
    assert ask(root, "SELECT end_us - start_us, state FROM segment") == [(2_000_000, 1)] * 2


def test_closing_writes_everything_that_was_queued(tmp_path: Path, clock: HandClock) -> None:
    root = tmp_path / "archive"
    with archive_in(root, clock) as archive:
        wait_for(lambda: archive.volume.writable)
        recording = begin(archive)
        # Work without a recording (a flush) is no end.
        archive.submit(None, 0, lambda: None)
        for _ in range(50):
            put(recording)
            archive.submit(None, 0, lambda: None)
        recording.close(NOW_US, NOW_US + 100_000_000)
    assert ask(root, "SELECT end_us - start_us, pictures, state FROM segment") == [(100_000_000, 2500, 1)]


def test_segment_to_which_nothing_was_written_leaves_no_trace(tmp_path: Path, clock: HandClock) -> None:
    root = tmp_path / "archive"
    with archive_in(root, clock) as archive:
        wait_for(lambda: archive.volume.writable)
        begin(archive).close(NOW_US, NOW_US)
    assert ask(root, "SELECT 1 FROM segment") == []
    assert ask(root, "SELECT 1 FROM deletion") == []
    assert list(root.rglob("*.mp4")) == []


def test_days_change_at_midnight_utc(tmp_path: Path, clock: HandClock) -> None:
    root = tmp_path / "archive"
    with archive_in(root, clock) as archive:
        wait_for(lambda: archive.volume.writable)
        for start_us in (NOW_US - 1, NOW_US - 1, NOW_US):
            recording = begin(archive, start_us=start_us)
            put(recording)
            landed(recording).close(start_us, start_us + 1)
    names = {str(path.relative_to(root / "facility" / "c1")) for path in root.rglob("*.mp4")}
    assert names == {
        "2026-11-24/23-59-59.999Z.mp4",
        "2026-11-24/23-59-59.999Z-1.mp4",
        "2026-11-25/00-00-00.000Z.mp4",
    }


def test_unfinished_files_are_cut_hashed_and_closed(tmp_path: Path, clock: HandClock) -> None:
    root = tmp_path / "archive"
    root.mkdir()
    index = Index(root / "index.sqlite3")
    index.camera_folder("c1", "f1", "f/c1")
    (root / "f" / "c1").mkdir(parents=True)
    (root / "f" / "c1" / "empty.mp4").touch()
    (root / "f" / "c1" / "rubbish.mp4").write_bytes(os.urandom(5000))
    (root / "f" / "c1" / "short.mp4").write_bytes(b"\0\0\0\x10prft" + bytes(8))
    (root / "f" / "c1" / "cut.mp4").write_bytes(INIT + IDENTITY + fragment()[:-1])
    (root / "f" / "c1" / "whole.mp4").write_bytes(INIT + IDENTITY + fragment() * 2 + fragment()[:500])
    for name in ("lost", "empty", "rubbish", "short", "cut", "whole"):
        index.open_segment("c1", "run", "h264", INIT, NOW_US - 60_000_000, f"{name}.mp4")
    index.close()
    with archive_in(root, clock) as archive:
        wait_for(lambda: archive.volume.writable)
        written(archive).close(NOW_US, NOW_US + 2_000_000)
        wait_for(lambda: archive.index is not None and not archive.index.unfinished(), 5)
    assert ask(root, "SELECT reason, files FROM deletion ORDER BY reason") == [("empty", 2), ("lost", 1)]
    # What cannot be read is kept as long as other footage.
    kept = ask(root, "SELECT path, state, bytes, pictures, end_us - start_us FROM segment WHERE path LIKE '%.mp4'")
    assert ("rubbish.mp4", 2, 5000, 0, 0) in kept
    assert ("short.mp4", 2, 16, 0, 0) in kept
    whole = INIT + IDENTITY + fragment() * 2
    assert ("whole.mp4", 2, len(whole), 100, 4_000_000) in kept
    assert (root / "f" / "c1" / "whole.mp4").read_bytes() == whole


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_index_says_closed_only_after_file_and_folder_are_synced(tmp_path: Path) -> None:
    """Promise I1, as the kernel sees it."""
    script = (
        "import pathlib, sys\n"
        "from tests.engine.archives import archive_in, begin, written, NOW_US\n"
        "from tests.engine.living import wait_for\n"
        "with archive_in(pathlib.Path(sys.argv[1])) as archive:\n"
        "    wait_for(lambda: archive.volume.writable)\n"
        "    written(archive).close(NOW_US, NOW_US + 2_000_000)\n"
    )
    trace = tmp_path / "trace"
    command = [
        "strace",
        "-f",
        "-y",
        "-o",
        str(trace),
        "-e",
        "trace=fsync,fdatasync,write,writev,pwritev,pwrite64,openat",
    ]
    run = subprocess.run(
        [*command, ".venv/bin/python", "-c", script, str(tmp_path / "archive")],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode and "ptrace" in run.stderr.lower():
        pytest.skip("strace may not trace here")
    assert run.returncode == 0, run.stderr
    calls = [line for line in trace.read_text().splitlines() if "index.sqlite3" in line or "facility" in line]

    def at(*parts: str, after: int = 0) -> int:
        return next(n for n, line in enumerate(calls) if n > after and all(part in line for part in parts))

    created = at("openat", ".mp4", "O_CREAT")
    # The row is durable before its file is there: no file that the index does not know.
    assert any("index.sqlite3-wal" in line and "sync(" in line for line in calls[:created])
    wrote = at("write", ".mp4")
    file_synced = at("fsync(", ".mp4", after=wrote)
    folder_synced = at("fsync(", "2026-11-25>", after=file_synced)
    told = at("pwrite64(", "index.sqlite3-wal", after=wrote)
    assert wrote < file_synced < folder_synced < told
    assert at("sync(", "index.sqlite3-wal", after=told)


def test_lock_is_given_back(tmp_path: Path, clock: HandClock) -> None:
    root = tmp_path / "archive"
    with archive_in(root, clock) as archive:
        wait_for(lambda: archive.volume.writable)
    with (root / ".lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
