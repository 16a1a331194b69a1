"""One engine holds an archive, also where locks do not reach beyond a machine."""

from pathlib import Path

import pytest

from custom_components.facility_cameras.engine.api import VolumeCause
from custom_components.facility_cameras.engine.archive import owner as owner_module
from custom_components.facility_cameras.engine.archive.files import Files
from custom_components.facility_cameras.engine.archive.owner import RENEW_S, STALE_S, HeldError, Owner, this_machine
from tests.engine.archives import HandClock, archive_in
from tests.engine.living import mark, wait_for


class NoLocks(Files):
    """A network share on which locks hold nobody off."""

    def lock(self, fd: int) -> None:
        """Always."""


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def owner(root: Path, clock: HandClock, machine: str) -> Owner:
    return Owner(root, clock, lambda: machine, NoLocks())


def held_elsewhere(one: Owner) -> bool:
    try:
        one.take()
    except HeldError as error:
        return error.elsewhere
    return False


def test_another_machine_waits_while_the_first_is_there(tmp_path: Path, clock: HandClock) -> None:
    first, second = owner(tmp_path, clock, "one"), owner(tmp_path, clock, "two")
    first.take()
    for _ in range(20):
        assert held_elsewhere(second)
        clock.now += RENEW_S
        first.renew()
    first.release()
    second.take()


def test_another_machine_takes_over_from_one_that_died(tmp_path: Path, clock: HandClock) -> None:
    first, second = owner(tmp_path, clock, "one"), owner(tmp_path, clock, "two")
    first.take()
    assert held_elsewhere(second)
    clock.now += STALE_S - 1
    assert held_elsewhere(second)
    clock.now += 1
    second.take()
    # The first was only away: it finds that it is no longer its own, and lets go without taking the note along.
    with pytest.raises(HeldError):
        first.renew()
    first.release()
    clock.now += RENEW_S
    second.renew()
    assert held_elsewhere(first)


def test_same_machine_goes_on_at_once_after_a_crash(tmp_path: Path, clock: HandClock) -> None:
    owner(tmp_path, clock, "one").take()
    owner(tmp_path, clock, "one").take()


def test_machine_without_an_id_of_its_own_is_the_same_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner_module, "_MACHINE", tmp_path / "missing")
    one = this_machine(tmp_path)
    assert this_machine(tmp_path) == one
    (tmp_path / "another").mkdir()
    assert this_machine(tmp_path / "another") != one
    assert this_machine(tmp_path / "cannot be written") == this_machine(None)


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b"5", b"\xff" * 256])
def test_note_that_is_none_holds_nobody_off(tmp_path: Path, clock: HandClock, note: bytes) -> None:
    (tmp_path / ".lock").write_bytes(note)
    owner(tmp_path, clock, "one").take()


def test_archive_that_another_machine_records_into_is_not_touched(tmp_path: Path, clock: HandClock) -> None:
    root = tmp_path / "archive"
    root.mkdir()
    mark(root)
    other = owner(root, clock, "another machine")
    other.take()
    before = sorted(path.name for path in root.iterdir())
    with archive_in(root, clock, files=NoLocks()) as archive:
        wait_for(lambda: archive.volume.cause is VolumeCause.IN_USE_ELSEWHERE, 5)
        assert sorted(path.name for path in root.iterdir()) == before
        other.release()
        clock.now += 6
        wait_for(lambda: archive.volume.writable, 5)
        # And it lets go by itself if another takes it all the same.
        (root / ".lock").write_bytes(b'{"machine": "another machine", "engine": "x", "beat": 1}')
        clock.now += RENEW_S + 1
        wait_for(lambda: archive.volume.cause is VolumeCause.IN_USE_ELSEWHERE, 5)
        assert archive.index is None
