"""The cleaner: in short turns, put right after a crash, watched, and at work in an archive that runs."""

from collections.abc import Callable, Iterator
import errno
import json
import os
from pathlib import Path
import subprocess
import sys
from typing import cast

import pytest

from custom_components.facility_cameras.engine.archive import cleaner as cleaner_module, journal, volume
from custom_components.facility_cameras.engine.archive.index import Index
from tests.engine.archives import MINUTE_US, NOW_US, HandClock, archive_in, ask, begin, footage, landed, put
from tests.engine.cleaning import DAY_US, GB, Site, retained, site_in
from tests.engine.living import wait_for

ROOT = Path(__file__).parent.parent.parent
HOUR_US = 60 * MINUTE_US


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        yield site


# Files ----------------------------------------------------------------------------------------------------------------


def test_file_that_cannot_be_deleted_holds_up_no_other_and_is_named(site: Site) -> None:
    site.wants({"c": 7})
    stubborn = [site.add("c", age * DAY_US) for age in (40, 39)]
    for path in stubborn:
        path.unlink()
        path.mkdir()
    other = site.add("c", 38 * DAY_US)
    site.clean()
    assert not other.exists()
    assert [name for name, _ in site.deletions()] == [other.name]
    report = site.told()
    assert (report.stuck_files, report.stuck_why) == (2, "Is a directory")
    assert report.stuck_path == str(stubborn[1].relative_to(site.root))
    assert (report.due_files, report.due_bytes) == (2, 2 * GB)
    # Tried again, in vain, and counted once; then mended.
    entered = len(site.journal())
    site.clean(300)
    assert len(site.journal()) == entered
    site.clean(400)
    assert len(site.journal()) == entered + 2
    assert site.told().stuck_files == 2
    for path in stubborn:
        path.rmdir()
        path.write_bytes(b"")
    site.clean(1300)
    assert not any(path.exists() for path in stubborn)
    assert (site.told().stuck_files, site.told().stuck_path) == (0, "")
    site.clean()
    assert site.told().due_files == 0


def test_file_that_somebody_else_deleted_is_told_as_lost(site: Site) -> None:
    site.wants({"c": 7})
    path = site.add("c", 40 * DAY_US)
    path.unlink()
    site.clean()
    assert site.deletions() == [(path.name, "lost")]


def test_days_folder_goes_with_its_last_file(site: Site) -> None:
    site.wants({"c": 7, "d": 7})
    old, young = site.add("c", 40 * DAY_US), site.add("d")
    site.clean()
    assert not old.parent.exists()
    assert young.parent.exists()


def test_nothing_goes_while_files_are_not_all_known(site: Site) -> None:
    site.wants({"c": 7})
    path = site.add("c", 40 * DAY_US)
    site.disk.others = site.disk.total
    site.index.surveyed = False
    site.clean()
    assert path.exists()
    site.index.surveyed = True
    site.clean()
    assert not path.exists()


# The cleaner itself ---------------------------------------------------------------------------------------------------


def test_cleaner_that_fails_is_told_and_tries_again_later_each_time(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    site.wants({"c": 7})
    path = site.add("c", 40 * DAY_US)
    (site.root / "journal").write_bytes(b"in the way")
    waits = []
    for _ in range(3):
        site.clock.now = max(site.clock.now + 700, site.cleaner.at)
        while site.cleaner.due(site.clock.now):
            site.turn()
        waits.append(site.cleaner.at - site.clock.now)
    assert waits == [60, 120, 240]
    since = site.told().failed_since_us
    assert since is not None
    assert "cleaning failed" in caplog.text
    assert site.told().failed_why
    # It does not hurry while it fails.
    site.cleaner.hurry()
    assert site.cleaner.at > site.clock.now
    # The journal comes before the file.
    assert path.exists()
    (site.root / "journal").unlink()
    site.clean(300)
    assert not path.exists()
    assert site.told().failed_since_us is None
    assert site.told().last_us == site.now_us


@pytest.mark.parametrize("until", ["chosen", "one deleted", "all deleted"])
def test_engine_that_ends_in_between_is_put_right_with_the_right_reason(
    site: Site, monkeypatch: pytest.MonkeyPatch, until: str
) -> None:
    site.wants({"c": 60, "d": 60})
    paths = [site.add("cd"[age % 2], age * DAY_US) for age in range(1, 9)]
    site.disk.others = site.disk.total - volume.keep_free(site.disk.total) - 8 * GB + 4 * GB
    site.clock.now += 4000
    while not site.journal():
        site.turn()
    site.turn()
    # From now on each file takes a turn, and another until that is known.
    monkeypatch.setattr(cleaner_module, "TURN_S", 0.0)
    gone = {"chosen": 0, "one deleted": 1, "all deleted": 4}[until]
    for _ in range(2 * gone):
        site.turn()
    assert sum(not path.exists() for path in paths) == gone
    assert not site.deletions()
    # Another engine begins; somebody has made room meanwhile.
    site.cleaner = cleaner_module.Cleaner(site.root, site.clock)
    site.wants({"c": 60, "d": 60})
    site.disk.others = 0
    site.cleaner.opened(site.index)
    assert [reason for _, reason in site.deletions()] == ["space"] * gone
    site.clean(4000)
    assert len(site.deletions()) == gone
    known = {path for (path,) in site.index.query("SELECT path FROM segment")}
    assert known == {f"day/{path.name}" for path in paths if path.exists()}


@pytest.mark.parametrize("helps", [True, False])
def test_disk_without_room_even_for_the_journal_is_cleaned(
    site: Site, monkeypatch: pytest.MonkeyPatch, helps: bool
) -> None:
    site.wants({"c": 7})
    paths = [site.add("c", age * DAY_US) for age in (10, 9, 8)]
    write = os.write

    def full(fd: int, data: bytes) -> int:
        if paths[0].exists() or not helps:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(fd, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        site.clock.now += 700
        while not site.deletions():
            site.turn()
    # Just the one that had to, with its reason.
    assert [path.exists() for path in paths] == [False, not helps, not helps]
    assert site.deletions()[:1] == [(paths[0].name, "days")]
    site.clean()
    assert site.deletions() == [(path.name, "days") for path in paths]
    assert sum(entry["files"] for entry in site.journal()) == (3 if helps else 2)


def test_what_an_earlier_lot_left_is_not_mistaken(site: Site) -> None:
    """Only the newest lot of the journal may be unfinished: a file that is lost later was lost."""
    site.wants({"c": 7})
    kept = site.add("c", 3 * DAY_US)
    start_us = site.now_us - 3 * DAY_US
    entry = {"what": "delete", "camera": "c", "start": start_us, "end": start_us + MINUTE_US, "files": 1, "bytes": 1}
    journal.append(site.root, 1, [{**entry, "reason": "days"}])
    journal.append(site.root, 2, [{**entry, "start": 5, "end": 6, "reason": "days"}, {**entry, "reason": "whatever"}])
    kept.unlink()
    site.cleaner.opened(site.index)
    assert not site.deletions()


def test_every_deletion_stands_in_the_journal(site: Site) -> None:
    site.wants({"c": 7, "d": 7})
    for minute in range(300):
        for camera in "cd":
            site.add(camera, 8 * DAY_US - minute * MINUTE_US, 1000)
    site.clean()
    entries = site.journal()
    assert sum(entry["files"] for entry in entries) == len(site.deletions()) == 600
    assert sum(entry["bytes"] for entry in entries) == 600_000
    # As ranges: one for each camera and lot.
    assert len(entries) <= 2 * 600 // cleaner_module.LOT


def test_deleting_is_done_a_little_at_a_time_and_gives_way_to_writing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.wants({"c": 7})
    for minute in range(200):
        site.add("c", 8 * DAY_US - minute * MINUTE_US)
    site.clock.now += 700
    unlink = Path.unlink

    def slow(path: Path, missing_ok: bool = False) -> None:
        site.clock.now += 0.009
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", slow)
    while not site.deletions():
        begun = site.clock.now
        site.turn()
        took = site.clock.now - begun
        assert took < cleaner_module.TURN_S + 0.01
        if took:
            # What came of it is looked at; the next may begin later.
            site.turn()
            assert site.cleaner.at - site.clock.now == pytest.approx(took * cleaner_module.GIVE_WAY)
        site.clock.now = max(site.clock.now, site.cleaner.at)


def test_disk_that_does_not_answer_is_told_and_waited_for(site: Site) -> None:
    jobs: list[Callable[[], None]] = []
    site.cleaner = cleaner_module.Cleaner(site.root, site.clock, jobs.append)
    site.wants({"c": 7})
    path = site.add("c", 8 * DAY_US)
    site.clock.now += 700
    site.turn()
    assert not site.cleaner.due(site.clock.now)
    for _ in range(3):
        site.clock.now = site.cleaner.at
        site.turn()
    assert site.told().failed_why == "Connection timed out"
    # Nothing else was begun meanwhile; then it answers.
    (enter,) = jobs
    assert path.exists()
    enter()
    while site.cleaner.due(site.clock.now):
        site.turn()
        for job in jobs[1:]:
            job()
        del jobs[1:]
    assert not path.exists()
    assert site.told().failed_since_us is None


def test_index_that_is_opened_anew_waits_for_what_is_under_way(site: Site) -> None:
    jobs: list[Callable[[], None]] = []
    site.cleaner = cleaner_module.Cleaner(site.root, site.clock, jobs.append)
    site.wants({"c": 7})
    path = site.add("c", 8 * DAY_US)
    site.clock.now += 700
    site.turn()
    jobs.pop()()
    site.turn()
    site.turn()
    # The volume was gone for a moment, and the file goes only now.
    site.cleaner.opened(site.index)
    jobs.pop()()
    assert not path.exists()
    assert not site.deletions()
    site.turn()
    site.turn()
    assert site.deletions() == [(path.name, "days")]


# In an archive that runs ----------------------------------------------------------------------------------------------


def test_archive_deletes_by_itself_as_time_goes_on(tmp_path: Path) -> None:
    root, clock = tmp_path / "archive", HandClock()
    root.mkdir()
    index = Index(root / "index.sqlite3")
    paths = [footage(root, index, "c", NOW_US - hours * HOUR_US) for hours in range(24 * 7 - 2, 0, -1)]
    index.close()
    with archive_in(root, clock) as archive:
        archive.cleaner.days = {"c": 7}
        wait_for(lambda: archive.volume.writable)
        clock.now += 61
        wait_for(lambda: archive.cleaner.report.last_us is not None)
        assert all(path.exists() for path in paths)
        # The camera is removed; two days go by.
        archive.cleaner.days = {}
        clock.now += 2 * 86_400
        wait_for(lambda: not any(path.exists() for path in paths[:47]))
        wait_for(lambda: archive.index is not None and archive.index.footage("f1")[0] <= 119_000)
    assert sum(path.exists() for path in paths) == len(ask(root, "SELECT 1 FROM segment"))
    told = sum(cast("int", entry["files"]) for entry in journal.read(root) if entry["what"] == "delete")
    assert told + len(ask(root, "SELECT 1 FROM segment")) == len(paths)


def test_cleaning_goes_on_while_there_is_always_something_to_write(tmp_path: Path) -> None:
    root, clock = tmp_path / "archive", HandClock()
    root.mkdir()
    index = Index(root / "index.sqlite3")
    path = footage(root, index, "c", NOW_US - 8 * DAY_US)
    index.close()
    with archive_in(root, clock) as archive:
        archive.cleaner.days = {"c": 7}
        wait_for(lambda: archive.index is not None and archive.index.surveyed)
        idle: list[None] = []

        def write() -> None:
            # The next is there before this one is done.
            if path.exists() and len(idle) < 100_000:
                idle.append(None)
                archive.submit(None, 1, write)

        clock.now += 4000
        write()
        wait_for(lambda: not path.exists(), 10)
        assert len(idle) < 100_000


@pytest.mark.parametrize("step", [3600, 365 * 86_400])
def test_clock_that_steps_and_back_deletes_nothing(tmp_path: Path, step: int) -> None:
    root, clock = tmp_path / "archive", HandClock()
    root.mkdir()
    index = Index(root / "index.sqlite3")
    path = footage(root, index, "c", NOW_US - 7 * DAY_US + 50 * MINUTE_US)
    old = footage(root, index, "c", NOW_US - 8 * DAY_US)
    index.close()
    with archive_in(root, clock) as archive:
        archive.cleaner.days = {"c": 7}
        wait_for(lambda: archive.volume.writable)
        for steps in (step, 0, -step, -step, step):
            clock.offset += steps
            retained(archive, clock)
        assert old.exists()
        clock.now += 700
        wait_for(lambda: not old.exists(), 5)
        assert path.exists()


def test_clock_that_may_be_wrong_deletes_nothing_by_days(tmp_path: Path) -> None:
    root, clock = tmp_path / "archive", HandClock()
    root.mkdir()
    index = Index(root / "index.sqlite3")
    old = footage(root, index, "c", NOW_US - 8 * DAY_US)
    index.close()
    with archive_in(root, clock) as archive:
        archive.cleaner.clock_doubtful = True
        archive.cleaner.days = {"c": 7}
        wait_for(lambda: archive.volume.writable)
        for _ in range(3):
            clock.now += 700
            retained(archive, clock)
        assert old.exists()
        archive.cleaner.clock_doubtful = False
        clock.now += 700
        wait_for(lambda: not old.exists(), 5)


def test_archive_fails_the_cleaner_and_records_on(tmp_path: Path) -> None:
    root, clock = tmp_path / "archive", HandClock()
    root.mkdir()
    index = Index(root / "index.sqlite3")
    path = footage(root, index, "c", NOW_US - 8 * DAY_US)
    index.close()
    with archive_in(root, clock) as archive:
        archive.cleaner.days = {"c": 7}
        wait_for(lambda: archive.index is not None and archive.index.surveyed)
        (root / "journal").rename(root / ".journal-for-later")
        (root / "journal").write_bytes(b"in the way")
        clock.now += 700
        wait_for(lambda: archive.cleaner.report.failed_since_us is not None)
        recording = begin(archive, "c")
        put(recording)
        landed(recording).close(NOW_US, NOW_US + 2_000_000)
        (root / "journal").unlink()
        (root / ".journal-for-later").rename(root / "journal")
        clock.now += 700
        wait_for(lambda: not path.exists())
        wait_for(lambda: archive.cleaner.report.failed_since_us is None)


def test_real_disk_is_written_three_times_over_and_never_full(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives no namespaces without extra rights")
    command = ["unshare", "-rm", sys.executable, "-m", "tests.engine.small_disk", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)
    if done.returncode == 3:
        pytest.skip("a small file system cannot be mounted here")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kept"] + told["gone"] == 3 * 64
    assert told["files"] == told["kept"] >= 32
    assert told["reasons"] == ["space"]
    assert told["oldest_first"]
    assert told["least_free"] >= volume.keep_free(64 << 20)
    assert not told["frees_nothing"]
