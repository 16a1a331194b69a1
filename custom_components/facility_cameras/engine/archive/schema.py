"""The tables of an archive's index, and how an index of an older schema becomes one of ours.

Times are UTC microseconds, sizes bytes. `uid`s and `facility` are the hub's ids. What the footage's files cannot tell
(holds, deletions, what was to be recorded when) also stands in the journal beside them: see journal.py.

At most 300 bytes for a segment, all pages counted: so a run's name stands once, and neighbouring deletions are one row.
"""

from pathlib import Path
import sqlite3

SCHEMA = 3

#: Holds with such uids last as long as an export, and are in no journal.
EXPORT_HOLD = "export-"
#: Footage of one camera that must not be deleted (holds.py). `incident` is shared by what was protected in one call;
#: `copied_to` is the id of the second folder that holds a verified copy of all its footage.
_HOLD = """
CREATE TABLE hold (
    id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, camera TEXT NOT NULL, start_us INTEGER NOT NULL,
    end_us INTEGER NOT NULL, reason TEXT NOT NULL, who TEXT NOT NULL, at_us INTEGER NOT NULL, released_us INTEGER,
    released_by TEXT, incident TEXT NOT NULL DEFAULT '', facility TEXT NOT NULL DEFAULT '',
    copied_to TEXT NOT NULL DEFAULT ''
)
"""
_HOLD_ACTIVE = "CREATE INDEX hold_active ON hold (camera, start_us) WHERE released_us IS NULL"
#: What a camera's recording was about, from when to when: `kind` is one of duty.py's; `end_us` of the newest grows.
_DUTY = """
CREATE TABLE duty (
    id INTEGER PRIMARY KEY, camera TEXT NOT NULL, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
    kind TEXT NOT NULL, reason TEXT NOT NULL
)
"""
_DUTY_BY_TIME = "CREATE INDEX duty_by_time ON duty (camera, start_us)"
_META = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
#: One unbroken session of a camera. It goes with the last of its `segments`.
_RUN = """
CREATE TABLE run (
    id INTEGER PRIMARY KEY, camera INTEGER NOT NULL REFERENCES camera, uid TEXT NOT NULL,
    segments INTEGER NOT NULL, UNIQUE (camera, uid)
)
"""
#: `path` is relative to the camera's folder, or, with a slash before it, to the archive. `sha256` is NULL as long as a
#: file that was taken in has not been read yet.
_SEGMENT = """
CREATE TABLE segment (
    id INTEGER PRIMARY KEY, camera INTEGER NOT NULL REFERENCES camera, run INTEGER NOT NULL REFERENCES run,
    format INTEGER NOT NULL REFERENCES format, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
    bytes INTEGER NOT NULL, pictures INTEGER NOT NULL, state INTEGER NOT NULL, path TEXT NOT NULL,
    sha256 BLOB, fragments BLOB NOT NULL
)
"""
#: That by time holds all that a timeline asks for: a day of a camera is some pages side by side, not one for each segment.
_SEGMENT_INDEXES = (
    "CREATE INDEX segment_by_time ON segment (camera, start_us, end_us, state, format)",
    "CREATE INDEX segment_by_age ON segment (start_us)",
    "CREATE INDEX segment_open ON segment (state) WHERE state = 0",
    "CREATE INDEX segment_unread ON segment (id) WHERE sha256 IS NULL AND state > 0",
)
#: Files that are gone, those that touch put together: `files` and `bytes` of them in [start_us, end_us).
_DELETION = """
CREATE TABLE deletion (
    id INTEGER PRIMARY KEY, camera TEXT NOT NULL, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
    files INTEGER NOT NULL, bytes INTEGER NOT NULL, reason TEXT NOT NULL, at_us INTEGER NOT NULL
)
"""
_DELETION_BY_TIME = "CREATE INDEX deletion_by_time ON deletion (camera, start_us)"

TABLES = (
    """
CREATE TABLE camera (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE, facility TEXT NOT NULL,
    folder TEXT NOT NULL UNIQUE, days INTEGER, bytes INTEGER NOT NULL DEFAULT 0)
""",
    "CREATE TABLE format (id INTEGER PRIMARY KEY, codec TEXT NOT NULL, init BLOB NOT NULL UNIQUE)",
    _RUN,
    _SEGMENT,
    *_SEGMENT_INDEXES,
    _DELETION,
    _DELETION_BY_TIME,
    _HOLD,
    _HOLD_ACTIVE,
    _DUTY,
    _DUTY_BY_TIME,
    _META,
)

#: What turns an index of this schema into one of the next. SQL only: 100,000 segments must not hold up recording.
MIGRATIONS: dict[int, tuple[str, ...]] = {
    2: (
        _HOLD,
        _HOLD_ACTIVE,
        _DUTY,
        _DUTY_BY_TIME,
        _META,
        _RUN,
        "INSERT INTO run (camera, uid, segments) SELECT camera, run, count(*) FROM segment GROUP BY camera, run",
        "ALTER TABLE segment RENAME TO segment_2",
        "DROP INDEX segment_by_time",
        "DROP INDEX segment_by_age",
        "DROP INDEX segment_open",
        _SEGMENT,
        """
INSERT INTO segment SELECT segment_2.id, segment_2.camera, run.id, format, start_us, end_us, bytes, pictures, state,
    path, sha256, fragments
FROM segment_2 CROSS JOIN run ON run.camera = segment_2.camera AND run.uid = segment_2.run ORDER BY segment_2.id
""",
        "DROP TABLE segment_2",
        *_SEGMENT_INDEXES,
        "ALTER TABLE deletion RENAME TO deletion_2",
        _DELETION,
        # Each that begins more than a second after all before it of its camera and reason begins a range.
        """
INSERT INTO deletion (camera, start_us, end_us, files, bytes, reason, at_us)
SELECT camera, min(start_us), max(end_us), count(*), sum(bytes), code, max(at_us) FROM (
    SELECT *, sum(apart) OVER (PARTITION BY camera, code ORDER BY start_us, id) AS range FROM (
        SELECT *, coalesce(start_us > 1000000 + max(end_us) OVER (
            PARTITION BY camera, code ORDER BY start_us, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 1) AS apart
        FROM (
            SELECT *, CASE WHEN reason LIKE 'older%' THEN 'days' WHEN reason LIKE 'to keep%' THEN 'space'
                WHEN reason LIKE 'lost%' THEN 'lost' ELSE 'empty' END AS code FROM deletion_2
        )
    )
) GROUP BY camera, code, range ORDER BY max(id)
""",
        "DROP TABLE deletion_2",
        _DELETION_BY_TIME,
    )
}


class UnusableIndexError(sqlite3.DatabaseError):
    """The file is no index that this engine can use; `version` is its schema."""

    def __init__(self, version: int) -> None:
        """Say which schema it has."""
        super().__init__(f"the index has schema {version}, this engine knows {SCHEMA}")
        self.version = version


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
                raise UnusableIndexError(version)
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


def version_of(path: Path) -> int:
    """The schema of an index that nobody has open, from its file's head; 0 if it is none. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(64)
    return int.from_bytes(head[60:64]) if len(head) == 64 and head.startswith(b"SQLite format 3\0") else 0
