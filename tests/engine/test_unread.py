"""Footage that was taken in plays, and is cut, before it was read: an index that was lost hides none of it for hours."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from custom_components.facility_cameras.engine import footage as module
from custom_components.facility_cameras.engine.archive.archive import Archive
from custom_components.facility_cameras.engine.sources import sources
from tests.engine.archives import NOW_US, archive_in
from tests.engine.living import wait_for
from tests.engine.recorded import SECOND, Footage


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with archive_in(tmp_path / "archive") as archive:
        # It has looked at its files, and reads none by itself any more.
        wait_for(lambda: archive.index is not None and archive.index.surveyed)
        wait_for(lambda: archive._holding.behind is not None and archive._holding.behind.read)
        yield archive


@pytest.fixture
def footage(archive: Archive) -> Footage:
    """Three files, the last one after a hole."""
    footage = Footage(archive, "c1", NOW_US)
    footage.record("plain", 4)
    footage.record("plain", 4, begin=None)
    footage.record("reordered", 2, hole_us=100 * SECOND)
    return footage


def forget(archive: Archive) -> None:
    """As survey.py leaves files that the index did not know."""
    assert archive.index is not None
    with archive.index.transaction() as connection:
        connection.execute("UPDATE segment SET sha256 = NULL, fragments = x'', state = 3")


def played(archive: Archive) -> str | None:
    return module.media_playlist(archive, "c1", NOW_US, NOW_US + 3600 * SECOND)


def test_it_plays_and_is_cut_as_if_it_had_been_read(archive: Archive, footage: Footage) -> None:
    playlist, files = played(archive), sources(archive, "c1", NOW_US, footage.at_us)
    assert playlist is not None and len(files) == 3
    forget(archive)
    assert played(archive) == playlist
    assert sources(archive, "c1", NOW_US, footage.at_us) == files


def test_a_file_that_cannot_be_read_is_left_out(archive: Archive, footage: Footage) -> None:
    forget(archive)
    Path(footage.paths[1]).unlink()
    playlist = played(archive)
    assert playlist is not None
    assert [source.path for source in sources(archive, "c1", NOW_US, footage.at_us)] == [
        Path(footage.paths[0]),
        Path(footage.paths[2]),
    ]


def test_nobody_waits_long_for_a_slow_disk(archive: Archive, footage: Footage, monkeypatch: pytest.MonkeyPatch) -> None:
    forget(archive)
    monkeypatch.setattr(module, "UNREAD_S", -1)
    assert footage.paths
    assert played(archive) is None
