"""A volume that does not answer, or is lost: others lose nothing, nobody waits for it, and what came is written later."""

from collections.abc import Callable, Iterator
import errno
import functools
from pathlib import Path
import threading

import pytest

from custom_components.facility_cameras.engine.api import VolumeCause, VolumeState
from custom_components.facility_cameras.engine.archive import archive as archive_module, backlog, journal
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.backlog import Memory
from custom_components.facility_cameras.engine.archive.files import Files
from custom_components.facility_cameras.engine.archive.recording import Recording
from custom_components.facility_cameras.engine.footage import stored
from tests.engine.archives import NOW_US, HandClock, archive_in, ask, begin, built, put, written
from tests.engine.faulty import FaultyFiles
from tests.engine.living import mark, wait_for

SIZE = built().size


class Hanging:
    """A file layer whose writes do not come back until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.hung = threading.Event()
        self.files = FaultyFiles(self._plan)
        self.hang = False

    def _plan(self, _number: int, name: str) -> None:
        if self.hang and name == "writev":
            self.hung.set()
            self.go.wait(30)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    found = Hanging()
    yield found
    found.go.set()


def reached(recording: Recording, duration_us: int) -> bool:
    return recording.duration_us == duration_us


def total(root: Path) -> object:
    return ask(root, "SELECT sum(end_us - start_us), sum(pictures), min(state) FROM segment")[0]


def opened(root: Path, clock: HandClock, files: Files) -> Archive:
    """An archive without a thread of its own."""
    root.mkdir()
    mark(root)
    archive = Archive(root, "A1", clock, files=files)
    archive.work_once(0)
    assert archive.volume.writable
    return archive


def turns(archive: Archive, clock: HandClock) -> None:
    """Until after the next look."""
    clock.now += 6
    for _ in range(50):
        archive.work_once(0)


def test_one_hung_archive_leaves_the_other_without_a_lost_frame(
    tmp_path: Path, clock: HandClock, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "QUEUE_BYTES", 20 * SIZE)
    memory = Memory(20 * SIZE)
    roots = tmp_path / "hung", tmp_path / "well"
    with (
        archive_in(roots[0], clock, memory=memory, files=hanging.files) as hung,
        archive_in(roots[1], clock, memory=memory) as well,
    ):
        wait_for(lambda: hung.volume.writable and well.volume.writable)
        first, second = written(hung), begin(well, "c2")
        hanging.hang = True
        # Far more than memory takes.
        for number in range(100):
            put(first)
            put(second)
            until_us = (number + 1) * 2_000_000
            wait_for(functools.partial(reached, second, until_us), 5)
        assert first.failed
        assert not hung.accepts("c1")
        assert well.accepts("c2")
        # Nobody is sent after it.
        clock.now += archive_module.READERS_S + 1
        assert hung.index is None
        assert not hung.answers
        assert stored(hung, "f1") == (0, None)
        wait_for(lambda: well.answers and well.index is not None, 5)
        clock.now += archive_module.HUNG_S
        assert (hung.volume.state, hung.volume.cause) == (VolumeState.MISSING, VolumeCause.NO_ANSWER)
        hanging.hang = False
        hanging.go.set()
        wait_for(lambda: hung.accepts("c1"), 5)
        first.close(NOW_US, NOW_US + 400_000_000)
        second.close(NOW_US, NOW_US + 200_000_000)
    kept = first.duration_us
    # What was in the kernel, the archive's own queue, and all of the memory; none of it twice.
    assert kept == (1 + 1 + 19 + 20) * 2_000_000
    assert total(roots[0]) == (kept, kept // 40_000, 1)
    assert total(roots[1]) == (200_000_000, 5000, 1)


def test_lost_archive_leaves_the_other_without_a_lost_frame(tmp_path: Path, clock: HandClock) -> None:
    memory = Memory(4 * SIZE)
    roots = tmp_path / "lost", tmp_path / "well"
    with archive_in(roots[0], clock, memory=memory) as lost, archive_in(roots[1], clock, memory=memory) as well:
        wait_for(lambda: lost.volume.writable and well.volume.writable)
        (roots[0] / ".facility_cameras.json").unlink()
        clock.now += 6
        wait_for(lambda: not lost.volume.writable, 5)
        first, second = begin(lost), begin(well, "c2")
        for _ in range(50):
            put(first)
            put(second)
        assert first.failed
        wait_for(lambda: second.duration_us == 100_000_000, 5)
        second.close(NOW_US, NOW_US + 100_000_000)
    assert total(roots[1]) == (100_000_000, 2500, 1)


def test_both_lost_share_the_memory_and_what_came_first_is_kept(tmp_path: Path, clock: HandClock) -> None:
    memory = Memory(10 * SIZE)
    archives = []
    for name in ("one", "two"):
        archive = Archive(tmp_path / name, "A1", clock, memory=memory)
        archive.work_once(0)
        archives.append(archive)
    recordings = [begin(archive, f"c{number}") for number, archive in enumerate(archives)]
    for _ in range(20):
        for recording, archive in zip(recordings, archives, strict=True):
            put(recording)
            archive.work_once(0)
    assert [archive.kept_bytes for archive in archives] == [5 * SIZE] * 2
    clock.now += 40
    for archive in archives:
        archive.end()
        archive.work()
    # The engine ends: what is kept is lost.
    assert memory.take(10 * SIZE)


def test_end_does_not_wait_for_a_disk_that_does_not_answer(tmp_path: Path, clock: HandClock, hanging: Hanging) -> None:
    root = tmp_path / "archive"
    with archive_in(root, clock, files=hanging.files) as archive:
        wait_for(lambda: archive.volume.writable)
        recording = written(archive)
        hanging.hang = True
        put(recording)
        assert hanging.hung.wait(5)
        archive.close()
        assert recording.duration_us == 2_000_000
        hanging.go.set()
        # Left behind, it still does what it was told.
        wait_for(lambda: recording.duration_us == 4_000_000 and not (root / "index.sqlite3-wal").exists(), 5)


def test_camera_whose_folder_cannot_be_written_holds_up_no_other(tmp_path: Path, clock: HandClock) -> None:
    root = tmp_path / "archive"

    class OneFolder(Files):
        bad = True

        def open(self, path: Path, flags: int) -> int:
            if self.bad and "facility/c1" in str(path):
                raise PermissionError(errno.EACCES, "not for us")
            return super().open(path, flags)

    files = OneFolder()
    archive = opened(root, clock, files)
    bad, good = begin(archive, "c1"), begin(archive, "c2")
    for number in range(20):
        put(bad)
        put(good)
        turns(archive, clock)
        assert good.duration_us == (number + 1) * 2_000_000
        assert (archive.volume.state, archive.volume.cause) == (VolumeState.READ_ONLY, VolumeCause.NOT_PERMITTED)
    assert bad.duration_us == 0
    files.bad = False
    turns(archive, clock)
    assert archive.volume.writable
    bad.close(NOW_US, NOW_US + 40_000_000)
    good.close(NOW_US, NOW_US + 40_000_000)
    archive.end()
    archive.work()
    assert total(root) == (80_000_000, 2000, 1)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES, errno.EIO])
def test_new_camera_waits_in_memory_while_its_entry_cannot_be_written(
    tmp_path: Path, clock: HandClock, number: int
) -> None:
    root = tmp_path / "archive"

    class NoJournal(Files):
        bad = True

        def open(self, path: Path, flags: int) -> int:
            if self.bad and path.parent.name == journal.FOLDER:
                raise OSError(number, "refused")
            return super().open(path, flags)

    files = NoJournal()
    archive = opened(root, clock, files)
    new = begin(archive, "new")
    for _ in range(20):
        put(new)
        turns(archive, clock)
        assert not new.failed
    assert archive.kept_bytes == 20 * SIZE
    # Without its entry nothing of it is on the disk: who loses the index would not know whose it is (promise I1).
    assert not (root / "facility").exists()
    files.bad = False
    turns(archive, clock)
    assert new.duration_us == 40_000_000
    new.close(NOW_US, NOW_US + 40_000_000)
    archive.end()
    archive.work()
    assert total(root) == (40_000_000, 1000, 1)
    told = [entry for entry in journal.read(root) if entry["what"] == "camera"]
    assert [(entry["camera"], entry["folder"]) for entry in told] == [("new", "facility/new")]


@pytest.mark.parametrize(
    ("number", "state", "cause"),
    [
        (errno.ENOSPC, VolumeState.FULL, VolumeCause.NO_SPACE),
        (errno.EDQUOT, VolumeState.FULL, VolumeCause.QUOTA),
        (errno.EIO, VolumeState.ERROR, VolumeCause.IO_ERROR),
        (errno.EROFS, VolumeState.READ_ONLY, VolumeCause.READ_ONLY),
        (errno.EACCES, VolumeState.READ_ONLY, VolumeCause.NOT_PERMITTED),
        (errno.ESTALE, VolumeState.MISSING, VolumeCause.SHARE_STALE),
        (errno.EHOSTDOWN, VolumeState.MISSING, VolumeCause.SHARE_AWAY),
        (errno.ENODEV, VolumeState.MISSING, VolumeCause.DEVICE_GONE),
        (errno.EMFILE, VolumeState.ERROR, VolumeCause.TOO_MANY_FILES),
    ],
)
def test_state_has_a_cause_which_stays_while_writing_fails(
    tmp_path: Path, clock: HandClock, number: int, state: VolumeState, cause: VolumeCause
) -> None:
    """What a look finds is not enough: a quota, or a sick disk, is seen only by who writes."""
    root = tmp_path / "archive"
    failing = True

    def plan(_number: int, name: str) -> Callable[..., object] | None:
        if failing and name == "writev":
            raise OSError(number, "refused")
        return None

    archive = opened(root, clock, FaultyFiles(plan))
    recording = begin(archive)
    put(recording)
    for _ in range(5):
        turns(archive, clock)
        assert (archive.volume.state, archive.volume.cause) == (state, cause)
    failing = False
    turns(archive, clock)
    assert archive.volume.writable
    recording.close(NOW_US, NOW_US + 2_000_000)
    archive.end()
    archive.work()
    assert total(root) == (2_000_000, 50, 1)
