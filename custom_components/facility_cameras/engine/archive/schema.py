"""The tables of an archive's index, and how an index of an older schema becomes one of ours.

Times are UTC microseconds, sizes bytes. `uid`s and `facility` are the hub's ids. What the footage's files cannot tell
(holds, deletions, what was to be recorded when) also stands in the journal beside them: see journal.py.
"""

import sqlite3

SCHEMA = 3

_HOLD = """
CREATE TABLE hold (
    id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, camera TEXT NOT NULL, start_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL, reason TEXT NOT NULL, who TEXT NOT NULL, at_us INTEGER NOT NULL, released_us INTEGER,
    released_by TEXT
)
"""
#: What a camera's recording was about, from when to when: `kind` is one of duty.py's; `end_us` of the newest grows.
_DUTY = """
CREATE TABLE duty (
    id INTEGER PRIMARY KEY, camera TEXT NOT NULL, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
    kind TEXT NOT NULL, reason TEXT NOT NULL
)
"""
_DUTY_BY_TIME = "CREATE INDEX duty_by_time ON duty (camera, start_us)"
#: What is missing of a camera's time, and why.
_DELETION_BY_TIME = "CREATE INDEX deletion_by_time ON deletion (camera, start_us)"
_META = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)"

TABLES = (
    """
CREATE TABLE camera (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, facility TEXT NOT NULL,
    folder TEXT NOT NULL UNIQUE, days INTEGER, bytes INTEGER NOT NULL DEFAULT 0)
""",
    "CREATE TABLE format (id INTEGER PRIMARY KEY, codec TEXT NOT NULL, init BLOB NOT NULL UNIQUE)",
    """
CREATE TABLE segment (
    id INTEGER PRIMARY KEY, camera INTEGER NOT NULL REFERENCES camera, run TEXT NOT NULL,
    format INTEGER NOT NULL REFERENCES format, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
    bytes INTEGER NOT NULL, pictures INTEGER NOT NULL, state INTEGER NOT NULL, path TEXT NOT NULL,
    sha256 BLOB, fragments BLOB NOT NULL
)
""",
    "CREATE INDEX segment_by_time ON segment (camera, start_us)",
    "CREATE INDEX segment_by_age ON segment (start_us)",
    "CREATE INDEX segment_open ON segment (state) WHERE state = 0",
    """
CREATE TABLE deletion (
    id INTEGER PRIMARY KEY, camera TEXT NOT NULL, path TEXT NOT NULL, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
    bytes INTEGER NOT NULL, reason TEXT NOT NULL, at_us INTEGER NOT NULL
)
""",
    _DELETION_BY_TIME,
    _HOLD,
    _DUTY,
    _DUTY_BY_TIME,
    _META,
)

#: What turns an index of this schema into one of the next.
MIGRATIONS: dict[int, tuple[str, ...]] = {2: (_DELETION_BY_TIME, _HOLD, _DUTY, _DUTY_BY_TIME, _META)}


class UnusableIndexError(sqlite3.DatabaseError):
    """The file is no index that this engine can use."""


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables, or bring them to this schema, in one transaction: a power cut in the middle leaves the old one.

    Raises UnusableIndexError for a schema that is newer or too old, and sqlite3.Error.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in TABLES:
                connection.execute(statement)
        elif version != SCHEMA:
            if version > SCHEMA or version not in MIGRATIONS:
                raise UnusableIndexError(f"index has schema {version}, this engine knows {SCHEMA}")
            for before in range(version, SCHEMA):
                for statement in MIGRATIONS[before]:
                    connection.execute(statement)
        if version != SCHEMA:
            connection.execute(f"PRAGMA user_version={SCHEMA}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
