"""Reads the ledger: a connection of its own that cannot write, and one moment of it. Everything here blocks.

`until_us` is how far it is written; what lasts is known until then and no further. Beside a running engine that is some
seconds ago at most.
"""

from collections.abc import Iterator
import contextlib
from dataclasses import dataclass
import json
import os
from pathlib import Path
import sqlite3
from typing import Any, Self
from urllib.parse import quote

from ..api import Standing
from ..api_ledger import LoggedNote

#: A moment that never comes.
NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class StateRow:
    """What was told of a camera in [start_us, end_us)."""

    start_us: int
    end_us: int
    status: str
    cause: str
    detail: str
    evidence: str
    connected_us: int


@dataclass(frozen=True, slots=True)
class StandingRow:
    """What was asked of a camera in [start_us, end_us); `lasts`: until it is told otherwise."""

    start_us: int
    end_us: int
    standing: str
    reason: str
    who: str
    #: 0 or 1, as SQLite tells it.
    lasts: int


@dataclass(frozen=True, slots=True)
class BelongingRow:
    """What a camera was called, and where it belonged, in [start_us, end_us)."""

    start_us: int
    end_us: int
    name: str
    facility: str
    place: str


@dataclass(frozen=True, slots=True)
class AwayRow:
    """Time of all cameras in which the hub was the reason, or that never was; `id` rises with each that is told."""

    start_us: int
    end_us: int
    why: str
    id: int


class Reading:
    """One moment of the ledger. To be used in a `with`, in one thread."""

    def __init__(self, path: Path) -> None:
        """Open it. Raises FileNotFoundError and sqlite3.Error."""
        if not path.exists():
            raise FileNotFoundError(f"{path} is not there")
        self._connection = _open(path)
        try:
            self._connection.execute("BEGIN")
            #: UTC microseconds; 0 if nothing was ever written.
            self.until_us: int = self._ask("SELECT coalesce(max(end_us), 0) FROM run")[0][0]
            #: When the first watch began.
            self.first_us: int = self._ask("SELECT coalesce(min(start_us), 0) FROM run")[0][0]
            self._numbers: dict[str, int] = dict(self._ask("SELECT uid, id FROM camera ORDER BY id"))
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _ask(self, statement: str, *values: object) -> list[Any]:
        return self._connection.execute(statement, values).fetchall()

    def rows(self, statement: str, *values: object) -> list[Any]:
        """Every row that a statement finds. Raises sqlite3.Error."""
        return self._ask(statement, *values)

    @property
    def cameras(self) -> list[str]:
        """All cameras that ever were, those that came first before others."""
        return list(self._numbers)

    def away(self) -> list[AwayRow]:
        """All time in which the hub was the reason. Raises sqlite3.Error."""
        return [AwayRow(*row) for row in self._ask("SELECT start_us, end_us, why, id FROM away ORDER BY start_us")]

    def states(self, camera: str, start_us: int, end_us: int) -> list[StateRow]:
        """Whole rows that touch [start_us, end_us), oldest first. Raises sqlite3.Error."""
        columns = "start_us, end_us, status, cause, detail, evidence, connected_us"
        return [StateRow(*row) for row in self._touching("state", columns, camera, start_us, end_us)]

    def standings(self, camera: str, start_us: int, end_us: int) -> list[StandingRow]:
        """As `states`."""
        columns = "start_us, end_us, standing, reason, who, end_us = 0"
        rows = self._touching("standing", columns, camera, start_us, end_us)
        return [StandingRow(*row) for row in rows]

    def belongings(self, camera: str) -> list[BelongingRow]:
        """All of a camera, without a hole: the first from ever, the last for ever. Raises sqlite3.Error."""
        rows = self._ask(
            "SELECT start_us, name, facility, place FROM belonging WHERE camera = ? ORDER BY start_us",
            self._numbers.get(camera, 0),
        )
        starts = [0, *(row[0] for row in rows[1:]), NEVER]
        return [BelongingRow(starts[place], starts[place + 1], *row[1:]) for place, row in enumerate(rows)]

    def asked(self, camera: str) -> bool:
        """Whether anything is asked of it now: it was neither removed nor retired. Raises sqlite3.Error."""
        return bool(
            self._ask(
                "SELECT 1 FROM standing WHERE camera = ? AND end_us = 0 AND standing <> ?",
                self._numbers.get(camera, 0), Standing.RETIRED,
            )
        )  # fmt: skip

    def _touching(self, table: str, columns: str, camera: str, start_us: int, end_us: int) -> Iterator[Any]:
        number = self._numbers.get(camera, 0)
        rows = self._connection.execute(
            f"SELECT {columns} FROM {table} WHERE camera = ? AND start_us < ? AND start_us >= "
            f"coalesce((SELECT max(start_us) FROM {table} WHERE camera = ? AND start_us <= ?), 0) ORDER BY start_us",
            (number, end_us, number, start_us),
        )
        for row in rows:
            row_end_us = row[1] or max(self.until_us, row[0])
            if row_end_us > start_us:
                yield row[0], row_end_us, *row[2:]

    def notes(self, facility: str, start_us: int, end_us: int, most: int) -> list[LoggedNote]:
        """Of a facility and of the hub itself ("": all), newest first. Raises sqlite3.Error."""
        rows = self._ask(
            "SELECT at_us, kind, facility, camera, content FROM note WHERE at_us >= ? AND at_us < ? "
            "AND (? = '' OR facility IN ('', ?)) ORDER BY at_us DESC, id DESC LIMIT ?",
            start_us, end_us, facility, facility, most,
        )  # fmt: skip
        return [
            {"at": at_us, "kind": kind, "facility": of, "camera": camera, "content": json.loads(content)}
            for at_us, kind, of, camera, content in rows
        ]


def _open(path: Path) -> sqlite3.Connection:
    address = f"file:{quote(str(path))}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=5, isolation_level=None)
    try:
        connection.execute("SELECT 1 FROM sqlite_schema")
    except sqlite3.OperationalError:
        connection.close()
        if path.with_name(f"{path.name}-wal").exists():
            raise
        # On a medium that cannot be written nobody changes it either.
        connection = sqlite3.connect(f"{address}&immutable=1", uri=True, isolation_level=None)
    return connection


def snapshot(path: Path, copy: Path) -> None:
    """A copy of the ledger at `path`, whole and in one file, for backups. Raises OSError and sqlite3.Error."""
    part = copy.with_name(f"{copy.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        if not path.exists():
            raise FileNotFoundError(f"{path} is not there")
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)) as connection:
            connection.execute("VACUUM INTO ?", (str(part),))
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(copy)
    finally:
        part.unlink(missing_ok=True)
