"""The index: packed fragments, folders, transactions, and one that is broken."""

from pathlib import Path
import re
import sqlite3
import threading

from hypothesis import given, strategies as st
import pytest

from custom_components.facility_cameras.engine.archive import index as index_module
from custom_components.facility_cameras.engine.archive.fragments import pack_fragments, unpack_fragments
from custom_components.facility_cameras.engine.archive.index import Index
from custom_components.facility_cameras.engine.folder_name import folder_name
from custom_components.facility_cameras.engine.playback import Fragment
from tests.engine.archives import NOW_US, HandClock, archive_in, ask, ask_open, footage, landed, written
from tests.engine.living import wait_for

_FRAGMENTS = st.lists(st.builds(Fragment, st.integers(0, 1 << 40), st.integers(0, 3_600_000_000), st.booleans()))


@given(_FRAGMENTS)
def test_packed_fragments_come_back(fragments: list[Fragment]) -> None:
    back = unpack_fragments(pack_fragments(fragments))
    assert [(f.bytes, f.key) for f in back] == [(f.bytes, f.key) for f in fragments]
    # Durations are kept in ticks of 1/90000 s.
    assert all(abs(a.duration_us - b.duration_us) <= 6 for a, b in zip(back, fragments, strict=True))
    assert pack_fragments(back) == pack_fragments(fragments)


@given(st.binary(max_size=200))
def test_any_bytes_are_some_fragments(packed: bytes) -> None:
    assert len(unpack_fragments(packed)) <= len(packed)


@given(st.text(max_size=80), st.text(max_size=40))
def test_folder_name_is_harmless(name: str, identity: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,46}", folder_name(name, identity))


def test_folder_name_is_readable() -> None:
    assert folder_name("Cổng chính", "01KABCDEF") == "cong-chinh-abcdef"
    assert folder_name("Đường số 5", "x") == "duong-so-5-x"
    assert folder_name("../../etc", "a/../b") == "etc-ab"
    assert folder_name("門", "01KABCDEF") == "abcdef"


def test_two_cameras_never_share_a_folder(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite3")
    folders = {index.camera_folder(f"camera {number}", "f", "f/gate-abcdef") for number in range(3)}
    assert folders == {"f/gate-abcdef", "f/gate-abcdef-2", "f/gate-abcdef-3"}
    assert index.camera_folder("camera 1", "f", "f/renamed") in folders
    # A camera that moved is another facility's footage now, in the folder of before.
    footage(tmp_path, index, "camera 0", NOW_US, folder="g/x")
    assert index.footage("f")[0] == 0
    assert index.footage("f1")[0] == 1000
    index.close()


def test_failed_transaction_leaves_none_open(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite3")
    with pytest.raises(sqlite3.Error):
        index.open_segment("nobody", "run", "h264", b"init", NOW_US, "x")
    index._connection.execute("PRAGMA max_page_count=1")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        for number in range(1000):
            index.camera_folder(f"camera {number}", "f", f"{number}" * 100)
    index._connection.execute("PRAGMA max_page_count=10000000")
    assert index.camera_folder("camera", "f", "f/c") == "f/c"
    index.close()


def test_waiting_for_a_call_that_does_not_come_back_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "WAIT_S", 0.01)
    index = Index(tmp_path / "index.sqlite3")
    failed: list[Exception] = []

    def ask_too() -> None:
        try:
            index.footage("f")
        except sqlite3.OperationalError as error:
            failed.append(error)

    with index.transaction():
        thread = threading.Thread(target=ask_too)
        thread.start()
        thread.join(5)
    assert failed
    index.close()


def test_oldest_is_found_without_reading_the_table(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite3")
    plans: list[str] = []
    index._connection.set_trace_callback(plans.append)
    index.oldest("c", NOW_US, 10, (5, 1))
    index.overlapping("c", NOW_US, NOW_US + 1)
    index._connection.set_trace_callback(None)
    for statement in plans:
        plan = " ".join(row[3] for row in index._connection.execute(f"EXPLAIN QUERY PLAN {statement}"))
        assert "SCAN" not in plan, plan
        assert "TEMP B-TREE FOR ORDER BY" not in plan, plan
    index.close()


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 8000], ids=["text", "rubbish"]
)
def test_broken_index_is_set_aside_and_recording_begins(tmp_path: Path, content: bytes) -> None:
    root = tmp_path / "archive"
    root.mkdir()
    (root / "index.sqlite3").write_bytes(content)
    with archive_in(root) as archive:
        wait_for(lambda: archive.volume.writable)
        written(archive).close(NOW_US, NOW_US + 2_000_000)
    assert [path.read_bytes() for path in root.glob("index.broken-*.sqlite3")] == [content]
    assert ask(root, "SELECT state FROM segment") == [(1,)]


def test_index_of_a_newer_engine_is_set_aside(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    root.mkdir()
    Index(root / "index.sqlite3").close()
    ask(root, "PRAGMA user_version=99")
    with archive_in(root) as archive:
        wait_for(lambda: archive.volume.writable)
        written(archive).close(NOW_US, NOW_US + 2_000_000)
    assert (root / "index.schema-99.sqlite3").exists()
    assert ask(root, "SELECT state FROM segment") == [(1,)]


def test_index_that_breaks_while_it_is_used_is_set_aside(tmp_path: Path) -> None:
    root, clock = tmp_path / "archive", HandClock()
    with archive_in(root, clock) as archive:
        wait_for(lambda: archive.volume.writable)
        first = written(archive)
        index = archive.index
        assert index is not None
        # As a bad sector would have it: the pages of the table are rubbish.
        index._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        index._connection.execute("PRAGMA cache_size=0")
        with (root / "index.sqlite3").open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * 4096 * 12)
        index._connection.execute("PRAGMA shrink_memory")
        first.close(NOW_US, NOW_US + 2_000_000)
        wait_for(lambda: list(root.glob("index.broken-*.sqlite3")), 5)
        clock.now += 6
        wait_for(lambda: archive.volume.writable, 5)
        landed(written(archive)).close(NOW_US + 3_000_000, NOW_US + 5_000_000)
        wait_for(lambda: ask_open(archive, "SELECT count(*) FROM segment WHERE sha256 NOT NULL") == [(2,)], 5)
    # The footage of before is taken in.
    assert ask(root, "SELECT state FROM segment ORDER BY start_us") == [(3,), (1,)]
