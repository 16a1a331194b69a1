"""The volume was lost, and then the engine ended: that time is told as what it was once the volume is back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.api import Duty
from custom_components.facility_cameras.engine.archive import duty
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.archive.opening import INDEX
from custom_components.facility_cameras.engine.archive.volume import MARKER
from tests.engine.archives import HandClock
from tests.engine.duties import hand_run, index_of, known, run, settle
from tests.engine.living import mark


def kill(_archive: Archive) -> None:
    """It ends as it is."""


def close(archive: Archive) -> None:
    """It says until when it ran; its thread does not come back to write that."""
    archive.duties.close()


def live(archive: Archive, clock: HandClock, seconds: int, *told: tuple[str, Duty, str]) -> None:
    for _ in range(seconds):
        for camera, kind, reason in told:
            archive.duties.tell(camera, kind, reason)
        settle(archive)
        clock.now += 1


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    state.mkdir()
    return state


@pytest.mark.parametrize(
    ("end", "first", "second"),
    [
        # What lasted is known to a minute.
        (kill, 280, 420),
        (close, 310, 460),
    ],
)
def test_engines_that_ended_without_their_volume(
    tmp_path: Path, state: Path, end: Callable[[Archive], None], first: int, second: int
) -> None:
    root, clock = tmp_path / "a", HandClock()
    with hand_run(root, clock, state) as archive:
        live(archive, clock, 100, ("c1", Duty.RECORD, ""), ("c2", Duty.OFF, ""))
        (root / MARKER).unlink()
        live(archive, clock, 10, ("c1", Duty.RECORD, ""), ("c2", Duty.OFF, ""))
        assert archive.index is None
        live(archive, clock, 200, ("c1", Duty.VOLUME, "missing"), ("c2", Duty.OFF, ""))
        end(archive)
    clock.now += 50
    with hand_run(root, clock, state) as archive:
        live(archive, clock, 100, ("c1", Duty.VOLUME, "missing"), ("c2", Duty.OFF, ""))
        end(archive)
    clock.now += 30
    # This one begins before the volume is back, and has not yet been told of the second camera.
    with hand_run(root, clock, state) as archive:
        live(archive, clock, 10, ("c1", Duty.VOLUME, "missing"))
        mark(root)
        live(archive, clock, 20, ("c1", Duty.RECORD, ""))
        live(archive, clock, 20, ("c1", Duty.RECORD, ""), ("c2", Duty.RECORD, ""))
        assert known(archive) == [
            (0, 110, "record", ""),
            (110, first, "volume", "missing"),
            (first, 360, "down", ""),
            (360, second, "volume", "missing"),
            (second, 490, "down", ""),
            # It is over once that has lasted a minute.
            (490, 539, "volume", "missing"),
        ]
        # Nobody says that it was to be recorded meanwhile.
        assert [(start, kind) for start, _, kind, _ in known(archive, "c2") if kind != "off"] == [(520, "record")]
        index = index_of(archive).query("SELECT camera, start_us, kind, reason FROM duty ORDER BY camera, start_us")
        assert list(state.glob("duty-*")) == []
    # The journal makes the same again.
    for path in root.glob(f"{INDEX}*"):
        path.unlink()
    with hand_run(root, clock, state) as archive:
        run(archive)
        duty.recall(index_of(archive), root)
        assert (
            index_of(archive).query("SELECT camera, start_us, kind, reason FROM duty ORDER BY camera, start_us")
            == index
        )


def test_nothing_is_kept_once_the_archive_knows_it(tmp_path: Path, state: Path) -> None:
    root, clock = tmp_path / "a", HandClock()
    with hand_run(root, clock, state) as archive:
        live(archive, clock, 20, ("c1", Duty.RECORD, ""))
        (root / MARKER).unlink()
        live(archive, clock, 20, ("c1", Duty.VOLUME, "missing"))
        assert list(state.glob("duty-*"))
        mark(root)
        live(archive, clock, 20, ("c1", Duty.RECORD, ""))
        assert not list(state.glob("duty-*"))


@pytest.mark.parametrize("which", ["the marker was lost and made anew", "the disk is elsewhere now"])
def test_an_archive_that_comes_back_as_another(tmp_path: Path, state: Path, which: str) -> None:
    root, clock = tmp_path / "a", HandClock()
    with hand_run(root, clock, state) as archive:
        live(archive, clock, 100, ("c1", Duty.RECORD, ""))
        (root / MARKER).unlink()
        clock.now += 5
        live(archive, clock, 95, ("c1", Duty.VOLUME, "missing"))
        archive.duties.close()
    if which == "the disk is elsewhere now":
        root = root.rename(tmp_path / "b")
        mark(root)
    else:
        mark(root, "A2")
    with hand_run(root, clock, state, identity="A2" if root.name == "a" else "A1") as archive:
        live(archive, clock, 10, ("c1", Duty.RECORD, ""))
        assert known(archive)[:2] == [(0, 105, "record", ""), (105, 200, "volume", "missing")]


def test_what_the_archive_knows_better_is_not_taken(tmp_path: Path, state: Path) -> None:
    root, clock = tmp_path / "a", HandClock()
    with hand_run(root, clock, state) as archive:
        (root / MARKER).unlink()
        clock.now += 10
        live(archive, clock, 20, ("c1", Duty.VOLUME, "missing"))
    kept, other = state.glob("duty-*")
    before = kept.read_bytes()
    mark(root)
    with hand_run(root, clock, state) as archive:
        live(archive, clock, 100, ("c1", Duty.RECORD, ""))
        told = known(archive)
    # The engine's own configuration is put back from a backup.
    kept.write_bytes(before)
    with hand_run(root, clock, state) as archive:
        live(archive, clock, 1, ("c1", Duty.RECORD, ""))
        assert [one[2:] for one in known(archive)][: len(told)] == [one[2:] for one in told]
        assert not kept.exists()
        assert not other.exists()


@pytest.mark.parametrize("content", ["", "{", "5", "[]", "[[]]", '[[5, "x"]]', '[[[{"what": "duty"}, 5], 1]]', "null"])
def test_what_cannot_be_read_stops_nothing(tmp_path: Path, state: Path, content: str) -> None:
    root, clock = tmp_path / "a", HandClock()
    with hand_run(root, clock, state) as archive:
        (root / MARKER).unlink()
        clock.now += 10
        live(archive, clock, 2, ("c1", Duty.VOLUME, "missing"))
    for kept in state.glob("duty-*"):
        kept.write_text(content)
    mark(root)
    with hand_run(root, clock, state) as archive:
        live(archive, clock, 12, ("c1", Duty.RECORD, ""))
        assert [one[2] for one in known(archive)] == ["record"]


def test_a_folder_of_ours_that_cannot_be_written_stops_nothing(tmp_path: Path, state: Path) -> None:
    root, clock = tmp_path / "a", HandClock()
    with hand_run(root, clock, tmp_path / "nowhere") as archive:
        (root / MARKER).unlink()
        clock.now += 10
        live(archive, clock, 70, ("c1", Duty.VOLUME, "missing"))
        mark(root)
        live(archive, clock, 12, ("c1", Duty.RECORD, ""))
        assert [one[2] for one in known(archive)] == ["volume"]
