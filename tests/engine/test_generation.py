"""An older copy of an archive is told from it, and used only if somebody says so."""

import json
from pathlib import Path
import shutil

import pytest

from custom_components.facility_cameras.engine.api import VolumeCause
from custom_components.facility_cameras.engine.archive.generation import NAME, RENEW_S
from custom_components.facility_cameras.engine.archive.volume import MARKER
from tests.engine.archives import NOW_US, HandClock, archive_in, ask, kept, landed, written
from tests.engine.living import wait_for


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def record(root: Path, state: Path, clock: HandClock) -> None:
    """Open the archive, record into it, close it."""
    state.mkdir(exist_ok=True)
    with archive_in(root, clock, remembered=state) as archive:
        wait_for(lambda: archive.volume.writable)
        written(archive, NOW_US + int(clock.now * 1e6)).close(0, 0)
    clock.now += 10


def test_older_copy_is_not_recorded_into_until_somebody_says_so(tmp_path: Path, clock: HandClock) -> None:
    root, state, copy = tmp_path / "archive", tmp_path / "state", tmp_path / "copy"
    record(root, state, clock)
    shutil.copytree(root, copy)
    record(root, state, clock)
    root.rename(tmp_path / "original")
    copy.rename(root)
    before = {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()}
    with archive_in(root, clock, remembered=state) as archive:
        wait_for(lambda: archive.volume.cause is VolumeCause.OLDER_COPY, 5)
        recording = kept(archive, start_us=NOW_US + 50_000_000)
        clock.now += 20
        assert {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()} == before
        archive.use_copy()
        wait_for(lambda: archive.volume.writable, 5)
        landed(recording).close(0, 0)
    assert len(ask(root, "SELECT 1 FROM segment")) == 2
    # From now on it is the original, and the other one the copy.
    record(root, state, clock)
    root.rename(tmp_path / "new")
    (tmp_path / "original").rename(root)
    with archive_in(root, clock, remembered=state) as archive:
        wait_for(lambda: archive.volume.cause is VolumeCause.OLDER_COPY, 5)


def test_copy_of_an_archive_that_went_on_for_a_while_is_told(tmp_path: Path, clock: HandClock) -> None:
    root, state, copy = tmp_path / "archive", tmp_path / "state", tmp_path / "copy"
    state.mkdir()
    with archive_in(root, clock, remembered=state) as archive:
        wait_for(lambda: archive.volume.writable)
        shutil.copytree(root, copy)
        mark = (root / NAME).read_bytes()
        clock.now += RENEW_S + 1
        wait_for(lambda: (root / NAME).read_bytes() != mark, 5)
        root.rename(tmp_path / "original")
        copy.rename(root)
        clock.now += RENEW_S
        wait_for(lambda: archive.volume.cause is VolumeCause.OLDER_COPY, 5)


def test_moved_archive_and_older_memory_of_ours_are_no_copy(tmp_path: Path, clock: HandClock) -> None:
    root, state = tmp_path / "archive", tmp_path / "state"
    record(root, state, clock)
    shutil.copytree(state, tmp_path / "backup")
    # Moved to another disk: a copy that is level with what we know.
    shutil.copytree(root, tmp_path / "larger")
    record(tmp_path / "larger", state, clock)
    # The configuration is put back from a backup: the archive is ahead of it.
    record(tmp_path / "larger", tmp_path / "backup", clock)
    # Another hub.
    record(tmp_path / "larger", tmp_path / "another", clock)
    record(tmp_path / "larger", state, clock)
    assert len(ask(tmp_path / "larger", "SELECT 1 FROM segment")) == 5


def test_folder_that_somebody_emptied_is_recorded_into(tmp_path: Path, clock: HandClock) -> None:
    root, state = tmp_path / "archive", tmp_path / "state"
    record(root, state, clock)
    marker = (root / MARKER).read_bytes()
    shutil.rmtree(root)
    root.mkdir()
    (root / MARKER).write_bytes(marker)
    record(root, state, clock)
    assert len(ask(root, "SELECT 1 FROM segment")) == 1


@pytest.mark.parametrize("content", ["", "{", "5", "[]", '[{"number": "x"}]', '[5, {"number": null}]'])
def test_memory_of_ours_that_cannot_be_read_stops_nothing(tmp_path: Path, clock: HandClock, content: str) -> None:
    root, state = tmp_path / "archive", tmp_path / "state"
    record(root, state, clock)
    (path,) = state.iterdir()
    path.write_text(content)
    record(root, state, clock)
    assert len(json.loads(path.read_text())) == 1


def test_folder_of_ours_that_cannot_be_written_stops_nothing(tmp_path: Path, clock: HandClock) -> None:
    root, state = tmp_path / "archive", tmp_path / "state"
    record(root, state, clock)
    (path,) = state.iterdir()
    path.with_name(f"{path.name}.new").mkdir()
    record(root, state, clock)
    record(root, state, clock)
    assert len(ask(root, "SELECT 1 FROM segment")) == 3
