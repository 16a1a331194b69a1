"""The tables of the ledger, and how a ledger of an older schema becomes one of ours.

Times are UTC microseconds; an `end_us` of 0 is an interval that lasts. A row is only ever ended; where our clock was set
back, what was told of that time is cut away, and a row in `note` says so. What an interval looks like to a reader is put
together from four layers (pieces.py): what is asked of a camera (`standing`), what was told of it (`state`), when the hub
itself was the reason (`away`), and where it belongs (`belonging`). What no `state` covers is unknown.

Rows of one camera lie side by side (WITHOUT ROWID): a month of it is a few pages.
"""

import sqlite3

SCHEMA = 1

TABLES = (
    "CREATE TABLE camera (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE)",
    # `connected_us`: of an unstable camera's time, how much it was connected.
    """
CREATE TABLE state (
    camera INTEGER NOT NULL REFERENCES camera, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL, status TEXT NOT NULL,
    cause TEXT NOT NULL, detail TEXT NOT NULL, evidence TEXT NOT NULL, connected_us INTEGER NOT NULL,
    PRIMARY KEY (camera, start_us)
) WITHOUT ROWID
""",
    # What is asked of a camera goes on while no engine runs: that time is required, and unknown.
    """
CREATE TABLE standing (
    camera INTEGER NOT NULL REFERENCES camera, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
    standing TEXT NOT NULL, reason TEXT NOT NULL, who TEXT NOT NULL, PRIMARY KEY (camera, start_us)
) WITHOUT ROWID
""",
    # Holds until the camera's next one.
    """
CREATE TABLE belonging (
    camera INTEGER NOT NULL REFERENCES camera, start_us INTEGER NOT NULL, name TEXT NOT NULL, facility TEXT NOT NULL,
    place TEXT NOT NULL, PRIMARY KEY (camera, start_us)
) WITHOUT ROWID
""",
    # Time of all cameras that is unknown, or (`clock`) never was. No id is given twice.
    """
CREATE TABLE away (
    id INTEGER PRIMARY KEY AUTOINCREMENT, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL, why TEXT NOT NULL
)
""",
    # When the watch ran: `end_us` is its newest heartbeat. `dated`: our clock was trusted once in it; `lead_us`: how much
    # later than the clock said it is dated, as long as it was not.
    """
CREATE TABLE run (
    id INTEGER PRIMARY KEY, boot TEXT NOT NULL, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
    dated INTEGER NOT NULL, lead_us INTEGER NOT NULL
)
""",
    """
CREATE TABLE note (
    id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, kind TEXT NOT NULL, facility TEXT NOT NULL, camera TEXT NOT NULL,
    content TEXT NOT NULL
)
""",
    "CREATE INDEX note_by_time ON note (at_us)",
    # Figures that were given out of a span that was over, when `away` was the newest that was known; what they are of is
    # empty where it is all.
    """
CREATE TABLE shown (
    start_us INTEGER NOT NULL, end_us INTEGER NOT NULL, camera TEXT NOT NULL, facility TEXT NOT NULL, place TEXT,
    away INTEGER NOT NULL, figures TEXT NOT NULL
)
""",
    "CREATE UNIQUE INDEX shown_of ON shown (start_us, end_us, camera, facility, coalesce(place, char(0)))",
)

#: What turns a ledger of this schema into one of the next.
MIGRATIONS: dict[int, tuple[str, ...]] = {}


class NewerLedgerError(sqlite3.DatabaseError):
    """The file was written by an engine that knows more than this one; `version` is its schema."""

    def __init__(self, version: int) -> None:
        """Say which schema it has."""
        super().__init__(f"the ledger has schema {version}, this engine knows {SCHEMA}")
        self.version = version


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables, or bring them to this schema, in one transaction: a power cut in the middle leaves the old one.

    Raises NewerLedgerError and sqlite3.Error.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA:
            raise NewerLedgerError(version)
        steps = [TABLES] if version == 0 else [MIGRATIONS[before] for before in range(version, SCHEMA)]
        for statement in (one for step in steps for one in step):
            connection.execute(statement)
        if version != SCHEMA:
            connection.execute(f"PRAGMA user_version={SCHEMA}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
