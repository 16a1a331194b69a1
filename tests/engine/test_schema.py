"""An index of the schema before becomes one of ours, wholly or not at all."""

import contextlib
import os
from pathlib import Path
import sqlite3
import subprocess
import sys

import pytest

from custom_components.facility_cameras.engine.archive import schema
from custom_components.facility_cameras.engine.archive.deletions import Deletion
from custom_components.facility_cameras.engine.archive.fragments import unpack_fragments
from custom_components.facility_cameras.engine.archive.index import Index
from custom_components.facility_cameras.engine.playback import Fragment
from tests.engine.archives import MINUTE_US, NOW_US
from tests.engine.living import ROOT

#: The tables of schema 2 as they were released.
SCHEMA_2 = """
CREATE TABLE camera (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, facility TEXT NOT NULL,
    folder TEXT NOT NULL UNIQUE, days INTEGER, bytes INTEGER NOT NULL DEFAULT 0);
CREATE TABLE format (id INTEGER PRIMARY KEY, codec TEXT NOT NULL, init BLOB NOT NULL UNIQUE);
CREATE TABLE segment (
    id INTEGER PRIMARY KEY, camera INTEGER NOT NULL REFERENCES camera, run TEXT NOT NULL,
    format INTEGER NOT NULL REFERENCES format, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
    bytes INTEGER NOT NULL, pictures INTEGER NOT NULL, state INTEGER NOT NULL, path TEXT NOT NULL,
    sha256 BLOB, fragments BLOB NOT NULL
);
CREATE INDEX segment_by_time ON segment (camera, start_us);
CREATE INDEX segment_by_age ON segment (start_us);
CREATE INDEX segment_open ON segment (state) WHERE state = 0;
CREATE TABLE deletion (
    id INTEGER PRIMARY KEY, camera TEXT NOT NULL, path TEXT NOT NULL, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
    bytes INTEGER NOT NULL, reason TEXT NOT NULL, at_us INTEGER NOT NULL
);
PRAGMA user_version=2;
"""
#: Three fragments: size and key, and ticks of 1/90000 s, as schema 2 packed them.
FRAGMENTS_2 = bytes.fromhex("d10f a0fe0a d00f a0fe0a a51f b88702")
DAYS, SPACE = "older than the days to keep", "to keep space free"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """An index as the engine before left it: two cameras, 40 segments each, the newest open; deletions."""
    path = tmp_path / "index.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(SCHEMA_2)
        connection.execute("INSERT INTO format VALUES (7, 'h264', x'aabb')")
        for camera in (1, 2):
            connection.execute(
                "INSERT INTO camera VALUES (?, ?, 'f', ?, 30, 39000)", (camera, f"c{camera}", f"f/c{camera}")
            )
            for number in range(40):
                start_us = NOW_US + number * MINUTE_US
                last = number == 39
                connection.execute(
                    "INSERT INTO segment VALUES (?, ?, ?, 7, ?, ?, ?, 50, ?, ?, ?, ?)",
                    (
                        number * 2 + camera, camera, f"run{camera}-{number // 10}", start_us,
                        start_us if last else start_us + MINUTE_US, 0 if last else 1000, int(not last), f"day/{number}.mp4",
                        None if last else bytes(32), b"" if last else FRAGMENTS_2,
                    ),
                )  # fmt: skip
        for uid, start, reason in (
            *(("c1", n, DAYS) for n in range(10)),
            *(("c1", n, DAYS) for n in range(20, 25)),
            ("c2", 3, DAYS),
            ("c2", 4, SPACE),
            ("c2", 5, "lost: the file was not there after a crash"),
        ):
            start_us = NOW_US - 1_000 * MINUTE_US + start * MINUTE_US
            connection.execute(
                "INSERT INTO deletion (camera, path, start_us, end_us, bytes, reason, at_us) VALUES (?, 'x', ?, ?, 10, ?, ?)",
                (uid, start_us, start_us + MINUTE_US, reason, NOW_US + start),
            )
        connection.commit()
    return path


def test_rows_of_schema_2_are_converted(old: Path) -> None:
    index = Index(old)
    rows = index.overlapping("c1", NOW_US, NOW_US + 100 * MINUTE_US)
    assert [(row.start_us, row.run, row.path, row.state) for row in rows] == [
        (NOW_US + n * MINUTE_US, f"run1-{n // 10}", f"f/c1/day/{n}.mp4", int(n < 39)) for n in range(40)
    ]
    assert unpack_fragments(rows[0].fragments) == [
        Fragment(1000, 2_000_000, key=True),
        Fragment(1000, 2_000_000, key=False),
        Fragment(2002, 374_667, key=True),
    ]
    assert [(row.camera, row.id) for row in index.unfinished()] == [("c1", 79), ("c2", 80)]
    assert index.query("SELECT count(*), sum(segments) FROM run") == [(8, 80)]
    assert index.footage("f") == (78_000, NOW_US)
    began = NOW_US - 1_000 * MINUTE_US
    assert index.deletions() == [
        Deletion("c1", began, began + 10 * MINUTE_US, 10, 100, "days", NOW_US + 9),
        Deletion("c2", began + 3 * MINUTE_US, began + 4 * MINUTE_US, 1, 10, "days", NOW_US + 3),
        Deletion("c2", began + 4 * MINUTE_US, began + 5 * MINUTE_US, 1, 10, "space", NOW_US + 4),
        Deletion("c2", began + 5 * MINUTE_US, began + 6 * MINUTE_US, 1, 10, "lost", NOW_US + 5),
        Deletion("c1", began + 20 * MINUTE_US, began + 25 * MINUTE_US, 5, 50, "days", NOW_US + 24),
    ]
    index.close()


def test_tables_are_those_of_a_new_index(old: Path, tmp_path: Path) -> None:
    """Whichever way an index came to this schema."""
    Index(old).close()
    Index(tmp_path / "new.sqlite3").close()

    def tables(path: Path) -> list[tuple[str, str]]:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()

    assert tables(old) == tables(tmp_path / "new.sqlite3")


def dump(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [*connection.iterdump(), str(connection.execute("PRAGMA user_version").fetchone())]


@pytest.mark.parametrize("at", [1, 6, 12, len(schema.MIGRATIONS[2]) - 1])
def test_kill_in_the_middle_leaves_the_index_of_before(old: Path, at: int) -> None:
    """`kill -9` between statements of the migration; the next start does it."""
    before = dump(old)
    script = (
        "import os, pathlib, signal, sys\n"
        "from custom_components.facility_cameras.engine.archive import schema\n"
        "from custom_components.facility_cameras.engine.archive.index import Index\n"
        "at = int(sys.argv[2])\n"
        "class Killing(tuple):\n"
        "    def __iter__(self):\n"
        "        for number, statement in enumerate(tuple.__iter__(self)):\n"
        "            if number == at:\n"
        "                os.kill(os.getpid(), signal.SIGKILL)\n"
        "            yield statement\n"
        "schema.MIGRATIONS[2] = Killing(schema.MIGRATIONS[2])\n"
        "Index(pathlib.Path(sys.argv[1]))\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(old), str(at)], cwd=ROOT, check=False, env=os.environ)
    assert killed.returncode == -9
    assert dump(old) == before
    index = Index(old)
    assert len(index.overlapping("c1", NOW_US, NOW_US + 100 * MINUTE_US)) == 40
    index.close()


def test_error_in_the_middle_leaves_the_index_of_before(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = dump(old)
    monkeypatch.setitem(schema.MIGRATIONS, 2, (*schema.MIGRATIONS[2], "INSERT INTO nothing VALUES (1)"))
    with pytest.raises(sqlite3.OperationalError, match="nothing"):
        Index(old)
    assert dump(old) == before


@pytest.mark.parametrize("version", [1, schema.SCHEMA + 1, 99])
def test_schema_that_is_not_known_is_left_alone(tmp_path: Path, version: int) -> None:
    path = tmp_path / "index.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"CREATE TABLE theirs (x); PRAGMA user_version={version}")
    with pytest.raises(schema.UnusableIndexError) as caught:
        Index(path)
    assert caught.value.version == version
    assert schema.version_of(path) == version
    assert "theirs" in "".join(dump(path))
