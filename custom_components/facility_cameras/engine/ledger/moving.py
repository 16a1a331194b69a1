"""What our clock's steps do to what is written (promise I5): cut away, or dated again. For the writer's transactions."""

import sqlite3

from ..api_ledger import Away
from .pieces import Holes
from .reading import AwayRow

_EVER = 1 << 62


def cut(connection: sqlite3.Connection, at_us: int) -> None:
    """Our clock was set back to `at_us` and is believed: what was told of the time from there on is cut away. No state may
    last (end_us 0); what is asked of cameras goes on as it was told last.
    """
    _cut(connection, at_us, _EVER)


def shift(connection: sqlite3.Connection, from_us: int, by_us: int) -> None:
    """All that was told from `from_us` on was `by_us` later; earlier, if it is less than 0: then what was told of that
    time before is cut away.
    """
    if by_us < 0:
        _cut(connection, from_us + by_us, from_us)
    connection.execute("DELETE FROM shown WHERE end_us > ?", (from_us,))
    for table in ("state", "standing"):
        connection.execute(f"UPDATE {table} SET end_us = end_us + ? WHERE end_us > ?", (by_us, from_us))
    for table in ("state", "standing", "belonging"):
        # Through what no time is: in one go a row might meet another that has not moved yet.
        connection.execute(f"UPDATE {table} SET start_us = -(start_us + ?) WHERE start_us >= ?", (by_us, from_us))
        connection.execute(f"UPDATE {table} SET start_us = -start_us WHERE start_us < 0")
    for table in ("away", "run"):
        connection.execute(
            f"UPDATE {table} SET start_us = start_us + :by, end_us = end_us + :by WHERE start_us >= :from",
            {"by": by_us, "from": from_us},
        )
    connection.execute("UPDATE note SET at_us = at_us + ? WHERE at_us >= ?", (by_us, from_us))


def _cut(connection: sqlite3.Connection, at_us: int, before_us: int) -> None:
    """Cut away what was told of [at_us, before_us)."""
    span = {"at": at_us, "before": before_us}
    _cut_connected(connection, at_us)
    connection.execute(
        "DELETE FROM shown WHERE end_us > (SELECT coalesce(min(start_us), :at) FROM away "
        "WHERE why = :never AND start_us < :at AND end_us > :at)",
        {**span, "never": Away.CLOCK},
    )
    # That time never was, it was said; now it is said that it is.
    connection.execute(
        "UPDATE away SET why = :why WHERE why = :never AND start_us < :at AND end_us > :at",
        {**span, "why": Away.CLOCK_BACK, "never": Away.CLOCK},
    )
    for table in ("state", "away", "run"):
        connection.execute(f"DELETE FROM {table} WHERE start_us >= :at AND start_us < :before", span)
        connection.execute(f"UPDATE {table} SET end_us = :at WHERE start_us < :at AND end_us > :at", span)
    connection.execute(
        "UPDATE standing SET end_us = :at WHERE start_us < :at AND end_us > :at AND end_us <= :before", span
    )
    for table in ("standing", "belonging"):
        newest = connection.execute(
            f"SELECT camera, max(start_us) FROM {table} WHERE start_us >= :at AND start_us < :before GROUP BY camera",
            span,
        ).fetchall()
        for camera, start_us in newest:
            one = {**span, "camera": camera, "start": start_us}
            connection.execute(
                f"DELETE FROM {table} WHERE camera = :camera AND start_us >= :at AND start_us < :start", one
            )
            connection.execute(f"UPDATE {table} SET start_us = :at WHERE camera = :camera AND start_us = :start", one)
    connection.execute("DELETE FROM standing WHERE start_us = :at AND end_us BETWEEN 1 AND :before", span)


def _cut_connected(connection: sqlite3.Connection, at_us: int) -> None:
    """Of an unstable camera's time, as far as it is left, it was connected pro rata."""
    rows = connection.execute(
        "SELECT camera, start_us, end_us, connected_us FROM state WHERE start_us < :at AND end_us > :at AND connected_us > 0",
        {"at": at_us},
    ).fetchall()
    if rows:
        holes = Holes([AwayRow(*row) for row in connection.execute("SELECT start_us, end_us, why, id FROM away")])
    for camera, start_us, end_us, connected_us in rows:
        left_us = connected_us * holes.lived_us(start_us, at_us) // max(holes.lived_us(start_us, end_us), 1)
        connection.execute(
            "UPDATE state SET connected_us = ? WHERE camera = ? AND start_us = ?", (left_us, camera, start_us)
        )
