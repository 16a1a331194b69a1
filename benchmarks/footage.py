"""Finding and playing footage in an index of 1,000,000 segments: timeline, playlist, and seeking to the first picture.

Each question is about another camera and another time, so that nothing an earlier one read is at hand.
"""

import argparse
from collections.abc import Callable, Iterator
import contextlib
import json
from pathlib import Path
import random
import shutil
import sqlite3
import tempfile
import time

from custom_components.facility_cameras.engine import footage
from custom_components.facility_cameras.engine.archive.archive import INDEX, Archive
from custom_components.facility_cameras.engine.archive.index import Index, pack_fragments
from custom_components.facility_cameras.engine.clock import SystemClock
from custom_components.facility_cameras.engine.playback import Fragment

CAMERAS, DAYS = 64, 11
#: 2026-11-01 00:00 UTC.
FIRST_US = 1_793_491_200_000_000
MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
_KINDS = 499


def _fragments(number: int) -> bytes:
    """A minute of 25 pictures a second at 4 Mbit/s, packed: 30 groups of pictures of about 1 MB."""
    chance = random.Random(number)
    return pack_fragments([Fragment(chance.randrange(600_000, 1_400_000), 2_000_000, key=True) for _ in range(30)])


def make_index(path: Path, cameras: int = CAMERAS, days: int = DAYS) -> int:
    """An index of a segment a minute for each camera, in the order in which they were recorded. Returns how many."""
    Index(path).close()
    minutes = days * 1440
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("PRAGMA cache_size=-200000")
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO camera (id, uid, facility, folder) VALUES (?, ?, 'f1', ?)",
            [(number, f"c{number}", f"f/c{number}") for number in range(1, cameras + 1)],
        )
        connection.execute("INSERT INTO format (id, codec, init) VALUES (1, 'h264', zeroblob(700))")
        connection.execute("CREATE TEMP TABLE kind (id INTEGER PRIMARY KEY, fragments BLOB)")
        connection.executemany("INSERT INTO kind VALUES (?, ?)", [(n, _fragments(n)) for n in range(_KINDS)])
        connection.execute(
            "WITH RECURSIVE minute(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM minute WHERE n < ?) "
            "INSERT INTO segment (camera, run, format, start_us, end_us, bytes, pictures, state, path, sha256, fragments) "
            "SELECT camera.id, 'run', 1, ? + n * 60000000, ? + (n + 1) * 60000000, 30000000, 1500, 1, "
            "'2026-11-01/00-00-00.000Z.mp4', randomblob(32), kind.fragments "
            "FROM minute CROSS JOIN camera JOIN kind ON kind.id = (n * 131 + camera.id * 17) % ?",
            (minutes - 1, FIRST_US, FIRST_US, _KINDS),
        )  # fmt: skip
        connection.execute("COMMIT")
    return cameras * minutes
