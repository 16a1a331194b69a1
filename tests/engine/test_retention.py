"""Retention: by days, space and quota, oldest first, never what is held or young, each deletion with its reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.archive import cleaner as cleaner_module, journal, volume
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.index import Index
from tests.engine.archives import MINUTE_US, NOW_US, HandClock, archive_in, ask, footage
from tests.engine.cleaning import DAY_US, GB, Site, rules, site_in
from tests.engine.living import wait_for

HOUR_US = 60 * MINUTE_US


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as site:
        yield site


# Days -----------------------------------------------------------------------------------------------------------------


def test_days_are_each_cameras_own(site: Site) -> None:
    site.wants({"week": 7, "month": 30, "unknown": 1})
    ages = [0, 1, 6, 8, 29, 31]
    paths = {(camera, age): site.add(camera, age * DAY_US) for camera in ("week", "month") for age in ages}
    site.clean()
    gone = {key for key, path in paths.items() if not path.exists()}
    assert gone == {("week", 8), ("week", 29), ("week", 31), ("month", 31)}
    assert [reason for _, reason in site.deletions()] == ["days"] * 4
    assert site.index.footage("f1")[0] == 8 * GB
    site.clean()
    assert len(site.deletions()) == 4


def test_days_outlive_their_camera(site: Site) -> None:
    site.wants({"removed": 7})
    path = site.add("removed", 6 * DAY_US)
    site.clean()
    site.wants({"another": 30})
    site.clean()
    assert path.exists()
    site.clean(86_400)
    assert not path.exists()


def test_camera_whose_days_nobody_knows_is_kept_as_its_facility_or_as_long_as_any(site: Site) -> None:
    site.wants({"week": 7, "month": 30}, f1=rules(20))
    known = [site.add("week"), site.add("month")]
    ours, elsewhere = site.add("ours", 19 * DAY_US), site.add("elsewhere", 29 * DAY_US, facility="gone")
    site.clean()
    assert ours.exists()
    assert elsewhere.exists()
    site.clean(86_400)
    assert not ours.exists()
    assert not elsewhere.exists()
    assert all(path.exists() for path in known)


def test_nothing_younger_than_an_hour(site: Site) -> None:
    site.wants({"c": 0})
    young, old = [site.add("c", minutes * MINUTE_US) for minutes in (5, 30, 45)], site.add("c", 62 * MINUTE_US)
    site.disk.others = site.disk.total
    site.clean(0)
    site.clean(61)
    assert not old.exists()
    assert all(path.exists() for path in young)


# Space ----------------------------------------------------------------------------------------------------------------


def test_space_takes_the_oldest_of_all_cameras_and_no_more_than_wanted(site: Site) -> None:
    site.wants({f"c{number}": 60 for number in range(3)})
    paths = [site.add(f"c{age % 3}", age * DAY_US) for age in range(1, 41)]
    keep = volume.keep_free(site.disk.total)
    site.disk.others = site.disk.total - keep - 40 * GB + 5 * GB // 2
    site.clean()
    assert [path.exists() for path in paths] == [True] * 37 + [False] * 3
    assert site.deletions() == [(path.name, "space") for path in paths[:-4:-1]]
    assert site.disk.free >= keep


def test_space_is_made_before_it_is_needed(site: Site) -> None:
    site.wants({"c": 60})
    keep = volume.keep_free(site.disk.total)
    for hours in range(2, 400):
        site.add("c", hours * HOUR_US)
    site.clean(4000)
    site.disk.others = site.disk.total - keep - site.disk.total // 50 - 398 * GB
    least = site.disk.free
    for _ in range(200):
        # 1 GB in 10 s.
        site.add("c", 10_000_000, long_us=10_000_000)
        least = min(least, site.disk.free)
        site.clean(10)
    assert least >= keep
    assert site.deletions()
    assert {reason for _, reason in site.deletions()} == {"space"}


def test_least_days_are_never_deleted_for_space(site: Site) -> None:
    site.wants({"c": 60, "d": 60}, f1=rules(60, least_us=5 * DAY_US), f2=rules(60))
    mine = [site.add("c", age * DAY_US) for age in (2, 4, 6)]
    theirs = [site.add("d", age * DAY_US, facility="f2") for age in (2, 4, 6)]
    site.disk.others = site.disk.total
    site.clean()
    assert [path.exists() for path in mine + theirs] == [True, True, False, False, False, False]
    assert site.told().young_since_us == site.now_us
    assert site.told().due_bytes > 0
    site.disk.others = 0
    site.clean(61)
    assert site.told().young_since_us is None
    assert site.told().due_bytes == 0


def test_deleting_that_frees_nothing_is_noticed_and_stays_within_the_estimate(site: Site) -> None:
    site.wants({"c": 60})
    for hours in range(2, 202):
        site.add("c", hours * HOUR_US)
    site.clean(4000)
    site.disk.keeps_back = True
    keep = volume.keep_free(site.disk.total)
    site.disk.others = site.disk.total - keep - 200 * GB + 10 * GB
    for _ in range(10):
        site.clean(61)
    # What lacked, and not a file more.
    assert len(site.deletions()) == 10
    assert site.told().frees_nothing_since_us is None
    for _ in range(10):
        site.add("c", long_us=60_000_000)
        site.clean(61)
    assert site.told().frees_nothing_since_us is not None
    written = 10
    # It works ahead of what is written: at most by what it keeps free besides.
    assert written <= len(site.deletions()) - 10 <= written + site.disk.total // 10 // GB
    # Somebody empties the recycle bin.
    site.disk.keeps_back, site.disk.kept_back = False, 0
    deleted = len(site.deletions())
    for _ in range(3):
        site.clean(61)
    assert site.told().frees_nothing_since_us is None
    assert len(site.deletions()) == deleted


def test_free_space_that_comes_late_is_not_deleted_twice(site: Site) -> None:
    site.wants({"c": 60})
    for hours in range(2, 102):
        site.add("c", hours * HOUR_US)
    site.clean(4000)
    site.disk.keeps_back = True
    site.disk.others = site.disk.total - volume.keep_free(site.disk.total) - 100 * GB + 10 * GB
    site.clean(20)
    site.clean(20)
    site.clean(40)
    site.disk.keeps_back, site.disk.kept_back = False, 0
    for _ in range(5):
        site.clean(61)
    assert len(site.deletions()) == 10
    assert site.told().frees_nothing_since_us is None


# Quota ----------------------------------------------------------------------------------------------------------------


def test_quota_is_its_facilitys_own(site: Site) -> None:
    site.wants({"a": 60, "b": 60, "c": 60}, f1=rules(60, quota=10 * GB), f2=rules(60))
    first = [site.add("ab"[age % 2], age * DAY_US) for age in range(1, 15)]
    others = [site.add("c", age * DAY_US, facility="f2") for age in range(1, 30)]
    site.clean(4000)
    assert [path.exists() for path in first] == [True] * 10 + [False] * 4
    assert site.deletions() == [(path.name, "quota") for path in first[:-5:-1]]
    assert all(path.exists() for path in others)
    assert site.index.footage("f1")[0] <= 10 * GB


def test_quota_counts_what_is_being_written(site: Site) -> None:
    site.wants({"a": 60}, f1=rules(60, quota=10 * GB))
    closed = [site.add("a", age * DAY_US) for age in range(1, 11)]
    site.clean(4000)
    assert not site.deletions()
    site.busy = {site.number(site.add("a", opened=True)): GB}
    site.clean()
    assert [path.exists() for path in closed] == [True] * 9 + [False]


def test_quota_that_only_young_footage_is_over_is_told(site: Site) -> None:
    site.wants({"a": 60}, f1=rules(60, quota=GB, least_us=5 * DAY_US), f2=rules(60))
    paths = [site.add("a", age * DAY_US) for age in (1, 2, 3)]
    site.clean()
    assert all(path.exists() for path in paths)
    assert site.told().over_quota == {"f1"}
    assert site.told().young_since_us is None


# Holds ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["days", "space", "quota"])
def test_what_a_hold_touches_is_never_deleted(site: Site, why: str) -> None:
    site.wants({"c": 1 if why == "days" else 60, "d": 60}, f1=rules(60, quota=1 if why == "quota" else 0))
    starts = [10 * DAY_US - minute * MINUTE_US for minute in range(10)]
    paths = [site.add("c", age) for age in starts]
    other = site.add("d", 9 * DAY_US)
    begin = site.now_us - starts[0]
    # From the middle of the fourth to the end of the sixth minute, and not a microsecond of the seventh.
    site.hold("c", begin + 3 * MINUTE_US + 30_000_000, begin + 6 * MINUTE_US)
    if why == "space":
        site.disk.others = site.disk.total
    site.clean()
    assert [path.exists() for path in paths] == [3 <= minute < 6 for minute in range(10)]
    assert {reason for _, reason in site.deletions()} == {why}
    assert other.exists() == (why == "days")
    # The journal claims nothing of what is still there.
    held = begin + 3 * MINUTE_US, begin + 6 * MINUTE_US
    assert all(
        entry["end"] <= held[0] or entry["start"] >= held[1] for entry in site.journal() if entry["camera"] == "c"
    )
    site.release()
    site.clean()
    assert not any(path.exists() for path in paths)


def test_hold_placed_between_choosing_and_deleting_counts(site: Site) -> None:
    site.wants({"c": 1})
    paths = [site.add("c", 3 * DAY_US - minute * MINUTE_US) for minute in range(5)]
    site.clock.now += 700
    while not site.journal():
        site.turn()
    assert all(path.exists() for path in paths)
    site.hold("c", 0, 1 << 60)
    site.clean()
    assert all(path.exists() for path in paths)
    assert not site.deletions()


# Rows that are odd ----------------------------------------------------------------------------------------------------


def test_what_is_being_written_or_repaired_is_never_deleted(site: Site) -> None:
    site.wants({"c": 1})
    path = site.add("c", 40 * DAY_US, opened=True)
    site.busy = {site.number(path): 1000}
    site.disk.others = site.disk.total
    site.clean()
    assert path.exists()
    # What nobody writes to is footage like any other.
    site.busy = {}
    site.clean()
    assert not path.exists()
    assert site.deletions() == [(path.name, "days")]


def test_what_was_left_open_is_as_old_as_it_can_be_long(site: Site) -> None:
    site.wants({"c": 1})
    old, young = (
        site.add("c", DAY_US + 80 * MINUTE_US, opened=True),
        site.add("c", DAY_US + 30 * MINUTE_US, opened=True),
    )
    held = site.add("c", DAY_US + 90 * MINUTE_US, opened=True)
    site.hold("c", site.now_us - DAY_US - 81 * MINUTE_US - 1, site.now_us - DAY_US - 81 * MINUTE_US)
    site.clean()
    assert (old.exists(), young.exists(), held.exists()) == (False, True, True)


def test_footage_of_no_length_goes_too(site: Site) -> None:
    site.wants({"c": 1})
    path = site.add("c", 2 * DAY_US, long_us=0)
    held = site.add("c", 3 * DAY_US, long_us=0)
    site.hold("c", site.now_us - 3 * DAY_US, site.now_us - 3 * DAY_US + 1)
    site.clean()
    assert not path.exists()
    assert held.exists()


def test_footage_from_the_future_is_as_old_as_its_discovery(site: Site) -> None:
    site.wants({"c": 7})
    year = site.add("c", -365 * DAY_US)
    site.clean()
    assert year.exists()
    site.clean(6 * 86_400)
    # Written later, while the clock was wrong once more.
    second = site.add("c", -370 * DAY_US)
    site.clean()
    assert year.exists()
    site.clean(86_400)
    assert not year.exists()
    assert second.exists()
    assert site.deletions() == [(year.name, "days")]
    site.clean(7 * 86_400)
    assert not second.exists()
    site.clean()
    assert site.index.query("SELECT value FROM meta WHERE key = 'future'") == [("[]",)]


def test_footage_from_the_future_gives_room_last(site: Site) -> None:
    site.wants({"c": 60})
    future, past = site.add("c", -365 * DAY_US), site.add("c", 90 * MINUTE_US)
    site.disk.others = site.disk.total
    site.clean()
    assert (future.exists(), past.exists()) == (True, False)
    site.clean(4000)
    assert not future.exists()


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


def test_nothing_goes_while_files_are_not_all_known(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.wants({"c": 7})
    path = site.add("c", 40 * DAY_US)
    site.disk.others = site.disk.total
    with monkeypatch.context() as patch:
        patch.setattr(Index, "surveyed", property(lambda _index: False))
        site.clean()
        assert path.exists()
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
    # From now on each file takes a turn.
    monkeypatch.setattr(cleaner_module, "TURN_S", 0.0)
    gone = {"chosen": 0, "one deleted": 1, "all deleted": 4}[until]
    for _ in range(gone):
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


def test_turns_are_short_and_give_way_to_writing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.wants({"c": 7})
    for minute in range(200):
        site.add("c", 8 * DAY_US - minute * MINUTE_US)
    site.clock.now += 700
    unlink = Path.unlink

    def slow(path: Path, missing_ok: bool = False) -> None:
        site.clock.now += 0.009
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", slow)
    while not site.index.deletions():
        begun = site.clock.now
        site.turn()
        took = site.clock.now - begun
        assert took < cleaner_module.TURN_S + 0.01
        assert site.cleaner.at - site.clock.now == pytest.approx(took * cleaner_module.GIVE_WAY)
        site.clock.now = max(site.clock.now, site.cleaner.at)
    assert site.cleaner.longest_s < cleaner_module.TURN_S + 0.01


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
    assert len(ask(root, "SELECT 1 FROM deletion")) + len(ask(root, "SELECT 1 FROM segment")) == len(paths)


def test_cleaning_goes_on_while_there_is_always_something_to_write(tmp_path: Path) -> None:
    root, clock = tmp_path / "archive", HandClock()
    root.mkdir()
    index = Index(root / "index.sqlite3")
    path = footage(root, index, "c", NOW_US - 8 * DAY_US)
    index.close()
    with archive_in(root, clock) as archive:
        archive.cleaner.days = {"c": 7}
        wait_for(lambda: archive.volume.writable)
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


def retained(archive: Archive, clock: HandClock) -> None:
    """A minute goes by, and the cleaner looks once more."""
    clock.now += 61
    wait_for(lambda: archive.cleaner.at > clock.now, 5)


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


def test_archive_fails_the_cleaner_and_records_on(tmp_path: Path) -> None:
    root, clock = tmp_path / "archive", HandClock()
    root.mkdir()
    index = Index(root / "index.sqlite3")
    path = footage(root, index, "c", NOW_US - 8 * DAY_US)
    index.close()
    (root / "journal").write_bytes(b"in the way")
    with archive_in(root, clock) as archive:
        archive.cleaner.days = {"c": 7}
        wait_for(lambda: archive.volume.writable)
        clock.now += 700
        wait_for(lambda: archive.cleaner.report.failed_since_us is not None)
        assert archive.volume.writable
        (root / "journal").unlink()
        clock.now += 700
        wait_for(lambda: not path.exists())
        wait_for(lambda: archive.cleaner.report.failed_since_us is None)


@pytest.mark.parametrize("total", [64 << 20, 10 << 30, 100 << 30, 4 << 40])
def test_space_kept_free_is_above_where_recording_pauses(total: int) -> None:
    assert volume.keep_free(total) > min(volume.FULL_BYTES, total // 20)
    assert volume.keep_free(total) <= max(total // 10, 5 << 30)
