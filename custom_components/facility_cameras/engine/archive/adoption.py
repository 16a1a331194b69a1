"""Footage that the index does not know becomes rows of it: by the heads of its files, to be read wholly later.

Promise I1 (durable): made from the files alone. Until its file is read a segment's end is a guess: when it was last
written to, at most where the next one begins. Footage never overlaps in the index.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
import itertools
import re
import sqlite3

from ..clock import microseconds
from ..folder_name import folder_name
from .identity import Head
from .index import LONGEST_US, TAKEN_IN, Index, insert

#: How a segment ends of whose file nothing else is known.
_USUAL_US = 60_000_000
#: A file's name, or its first picture, is off its row's start by less than this.
_NEAR_US = 600_000_000
_OUR_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})/(\d{2})-(\d{2})-(\d{2})\.\d{3}Z(-\d+)?\.mp4")


def is_known(index: Index, path: str) -> bool:
    """Whether a row names this file, as far as its name says when it was begun. Raises sqlite3.Error."""
    ours = _OUR_NAME.search(path)
    if ours is None:
        return False
    try:
        begun = datetime.fromisoformat(f"{ours[1]}T{ours[2]}:{ours[3]}:{ours[4]}").replace(tzinfo=UTC)
    except ValueError:
        return False
    folder = path[: ours.start()].rstrip("/")
    begun_us = microseconds(begun.timestamp())
    rows = index.query(
        "SELECT 1 FROM camera JOIN segment ON segment.camera = camera.id "
        "WHERE folder = ? AND start_us > ? AND start_us < ? AND path = ?",
        folder, begun_us - _NEAR_US, begun_us + _NEAR_US, path[ours.start() :],
    )  # fmt: skip
    return bool(rows)


def adopt(index: Index, files: Sequence[tuple[str, Head]]) -> list[str]:
    """Take these files (paths relative to the archive) in; returns those that were not known. Raises sqlite3.Error."""
    with index.transaction() as connection:
        return [path for path, head in files if _adopt(connection, path, head)]


def _adopt(connection: sqlite3.Connection, path: str, head: Head) -> bool:
    camera, folder = _camera(connection, head.camera, path)
    kept = path.removeprefix(f"{folder}/") if path.startswith(f"{folder}/") else f"/{path}"
    known = connection.execute(
        "SELECT 1 FROM segment WHERE camera = ? AND start_us > ? AND start_us < ? AND path = ?",
        (camera, head.start_us - _NEAR_US, head.start_us + _NEAR_US, kept),
    ).fetchone()
    if known is not None:
        return False
    codec = head.codec
    if not codec:
        of_format = connection.execute("SELECT codec FROM format WHERE init = ?", (head.init,)).fetchone()
        codec = of_format[0] if of_format else ""
    number = insert(connection, head.camera, head.run, codec, head.init, head.start_us, kept)
    lasted_us = head.written_us - head.start_us
    end_us = head.start_us + (lasted_us if 0 < lasted_us < LONGEST_US else _USUAL_US)
    connection.execute(
        "UPDATE segment SET end_us = ?, bytes = ?, state = ? WHERE id = ?", (end_us, head.size, TAKEN_IN, number)
    )
    connection.execute("UPDATE camera SET bytes = bytes + ? WHERE id = ?", (head.size, camera))
    fit(connection, number)
    return True


def fit(connection: sqlite3.Connection, number: int) -> None:
    """In a transaction: a segment ends where the next of its camera begins, the one taken in before it where it begins;
    and where the next of its run begins a little later (its time was pulled while it was recorded: timeline.py), there.
    """
    camera, run, start_us, end_us = connection.execute(
        "SELECT camera, run, start_us, end_us FROM segment WHERE id = ?", (number,)
    ).fetchone()
    pulled_us = 1_000 + (end_us - start_us) // 2_000
    following = connection.execute(
        "SELECT start_us, run FROM segment WHERE camera = ? AND start_us > ? ORDER BY start_us LIMIT 1",
        (camera, start_us),
    ).fetchone()
    if following and (end_us > following[0] or (following[1] == run and following[0] - end_us <= pulled_us)):
        connection.execute("UPDATE segment SET end_us = ? WHERE id = ?", (following[0], number))
    before = connection.execute(
        "SELECT id, end_us, run, state FROM segment WHERE camera = ? AND start_us < ? ORDER BY start_us DESC LIMIT 1",
        (camera, start_us),
    ).fetchone()
    if before and before[3] == TAKEN_IN:
        near = before[2] == run and 0 <= start_us - before[1] <= pulled_us
        if before[1] > start_us or near:
            connection.execute("UPDATE segment SET end_us = ? WHERE id = ?", (start_us, before[0]))


def _camera(connection: sqlite3.Connection, uid: str, path: str) -> tuple[int, str]:
    """A camera's number and folder; one that is not known gets the folder that the day's folder lies in."""
    known = connection.execute("SELECT id, folder FROM camera WHERE uid = ?", (uid,)).fetchone()
    if known is not None:
        return int(known[0]), str(known[1])
    for folder in _folders(uid, path):
        # Whose facility it is tells the hub, once the camera records.
        made = connection.execute(
            "INSERT OR IGNORE INTO camera (uid, facility, folder) VALUES (?, '', ?)", (uid, folder)
        )
        if made.rowcount and made.lastrowid:
            return made.lastrowid, folder
    raise sqlite3.IntegrityError(f"no folder for camera {uid}")


def _folders(uid: str, path: str) -> Iterator[str]:
    parts = path.split("/")
    if len(parts) > 2:
        yield "/".join(parts[:-2])
    name = folder_name("", uid)
    yield from (f"{name}-{number}" for number in itertools.count(1) if number < 10_000)
