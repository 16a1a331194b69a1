"""Writes into the ledger's file what was told: the writer thread's own, everything here blocks.

Promise I5 (truth): rows of one camera never overlap, and one that lasts ends with the newest heartbeat of the engine that
told it. All that is written at once is one transaction, and the newest heartbeat with it, so that a reader finds either
all of it or nothing.

An engine that begins where our clock says less than was written already: if the clock is trusted it is believed, and what
was told of the time from there on is cut away. If it is not, this boot is dated from the newest heartbeat on (`lead_us`
is how much later than our clock says), until the clock is set: then all of this boot is dated again.
"""

from collections.abc import Mapping, Sequence
import contextlib
import json
from pathlib import Path
import sqlite3

from . import moving
from .changes import (
    Away,
    Back,
    Belong,
    Change,
    Connected,
    Gone,
    Note,
    Only,
    Redate,
    Shown,
    Stand,
    State,
    Trusted,
)
from .opening import FILE, keep_copy, open_ledger, set_aside

#: So many figures that were given out are kept: the newest.
KEPT_SHOWN = 10_000
#: Before more than this is cut away because our clock was set back, the file is copied.
COPY_US = 86_400_000_000
#: Our clock was set while no engine ran, by more than this: worth a note.
_STEP_US = 1_000_000


class Writer:
    """The one that writes."""

    def __init__(self, folder: Path, boot: str) -> None:
        """Open nothing yet. `boot` is what this boot of the machine is called."""
        self._folder = folder
        self._boot = boot
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._cameras: dict[str, int] = {}
        self._run = 0
        #: How much later than our clock this boot is dated. Any thread may read it.
        self.lead_us = 0
        #: How long nobody had watched when this run began, by our clock; 0 if nobody ever had. Any thread may read it.
        self.away_us = 0
        #: Another file was set aside under this name.
        self.set_aside = ""

    def open(self, began_us: int, *, trusted: bool | None, settled: bool) -> bool:
        """Open the file if it is not open (any more): a run of the watch begins at a time of our clock. `trusted` is what
        is known of that clock; None: it is trusted if the machine runs for long (`settled`), and it did not lie before
        in this boot. Returns whether the file was opened. Raises OSError and sqlite3.Error.
        """
        if self._connection is not None:
            if self._in_place():
                return False
            # Somebody took it away: what was in it is theirs.
            self.close()
        connection, aside = open_ledger(self._folder, began_us)
        try:
            (lead_us,) = connection.execute(
                "SELECT coalesce(max(lead_us), 0) FROM run WHERE boot = ? AND dated = 0", (self._boot,)
            ).fetchone()
            if trusted is None:
                trusted = settled and not lead_us
            if trusted:
                self._copy(connection, began_us)
            connection.execute("BEGIN IMMEDIATE")
            self._begin_run(connection, began_us, lead_us, trusted=trusted)
            if aside:
                _note(connection, Note(began_us, "set_aside", "", "", json.dumps({"file": aside})))
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._inode = (self._folder / FILE).stat().st_ino
        self.set_aside = aside or self.set_aside
        return True

    def write(self, changes: Sequence[Change], connected: Mapping[str, int], now_us: int) -> None:
        """All of it, and that the watch runs at `now_us`. Raises sqlite3.Error: then nothing of it is written."""
        connection = self._connection
        if connection is None:
            raise sqlite3.OperationalError("the ledger is not open")
        lead_us = self.lead_us
        for change in changes:
            if isinstance(change, Back | Redate):
                self._copy(connection, change.at_us)
        connection.execute("BEGIN IMMEDIATE")
        try:
            for change in changes:
                self._apply(connection, change)
            for camera, connected_us in connected.items():
                self._connected(connection, camera, connected_us)
            connection.execute("UPDATE run SET end_us = ? WHERE id = ?", (now_us + self.lead_us, self._run))
            connection.execute("COMMIT")
        except BaseException:
            self.lead_us = lead_us
            self._cameras.clear()
            # Where the disk is full SQLite has taken it back by itself.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            self._run = connection.execute("SELECT coalesce(max(id), 0) FROM run").fetchone()[0]
            raise

    def _copy(self, connection: sqlite3.Connection, at_us: int) -> None:
        """Our clock was set to `at_us`: whoever did it takes no history away with it."""
        (alive_us,) = connection.execute("SELECT coalesce(max(end_us), 0) FROM run").fetchone()
        if alive_us - at_us > COPY_US:
            name = keep_copy(self._folder, at_us)
            if name:
                _note(connection, Note(at_us, "copied", "", "", json.dumps({"file": name})))

    def set_bad_aside(self, now_us: int) -> None:
        """The file turned out to be damaged: set it aside, so that another may be begun. Raises OSError."""
        self.close()
        self.set_aside = set_aside(self._folder, "ledger.damaged", now_us)

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            # What is written is written; a file that fails here is found by whoever opens it next.
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None
        self._cameras.clear()

    def _in_place(self) -> bool:
        try:
            return (self._folder / FILE).stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _begin_run(self, connection: sqlite3.Connection, began_us: int, lead_us: int, *, trusted: bool) -> None:
        """Where the engine before this one left off: its rows end with its last heartbeat. `lead_us` is that of this boot."""
        (alive_us,) = connection.execute("SELECT coalesce(max(end_us), 0) FROM run").fetchone()
        self.away_us = max(began_us - alive_us, 0) if alive_us else 0
        connection.execute("DELETE FROM state WHERE end_us = 0 AND start_us >= ?", (alive_us,))
        connection.execute("UPDATE state SET end_us = ? WHERE end_us = 0", (alive_us,))
        self.lead_us = 0
        if not trusted:
            self.lead_us = max(alive_us - began_us, lead_us)
        elif began_us < alive_us:
            moving.cut(connection, began_us)
            if alive_us - began_us > _STEP_US:
                content = json.dumps({"before": alive_us, "after": began_us, "how": "down"})
                _note(connection, Note(began_us, "clock", "", "", content))
        self._insert_run(connection, began_us + self.lead_us, dated=trusted)

    def _insert_run(self, connection: sqlite3.Connection, at_us: int, *, dated: bool) -> None:
        self._run = connection.execute(
            "INSERT INTO run (boot, start_us, end_us, dated, lead_us) VALUES (?, ?, ?, ?, ?)",
            (self._boot, at_us, at_us, dated, self.lead_us),
        ).lastrowid or 0  # fmt: skip

    # Changes ------------------------------------------------------------------------------------------------------

    def _apply(self, connection: sqlite3.Connection, change: Change) -> None:
        at_us = change.at_us + self.lead_us
        match change:
            case State(camera=uid):
                camera = self._camera(connection, uid)
                _begin(connection, "state", camera, at_us)
                connection.execute(
                    "INSERT INTO state VALUES (?, ?, 0, ?, ?, ?, ?, 0)",
                    (camera, at_us, change.status, change.cause, change.detail, change.evidence),
                )
            case Connected(camera=uid):
                self._connected(connection, uid, change.connected_us)
            case Stand():
                self._stand(connection, change, at_us)
            case Belong():
                self._belong(connection, change, at_us)
            case Gone(camera=uid):
                camera = self._camera(connection, uid)
                _begin(connection, "state", camera, at_us)
                _begin(connection, "standing", camera, at_us)
            case Only():
                self._only(connection, change)
            case Note():
                _note(connection, change, self.lead_us)
            case Away():
                connection.execute(
                    "INSERT INTO away (start_us, end_us, why) VALUES (?, ?, ?)",
                    (change.start_us + self.lead_us, change.end_us + self.lead_us, change.why),
                )
            case Back():
                before_us = change.before_us + self.lead_us
                connection.execute("UPDATE state SET end_us = ? WHERE end_us = 0", (before_us,))
                connection.execute("UPDATE run SET end_us = ? WHERE id = ?", (before_us, self._run))
                moving.cut(connection, at_us)
                self._insert_run(connection, at_us, dated=True)
            case Redate():
                self._redate(connection, change.at_us - change.before_us - self.lead_us)
            case Trusted():
                self._redate(connection, -self.lead_us)
                connection.execute("UPDATE run SET dated = 1 WHERE id = ?", (self._run,))
            case Shown():
                _shown(connection, change)

    def _camera(self, connection: sqlite3.Connection, uid: str) -> int:
        number = self._cameras.get(uid)
        if number is None:
            connection.execute("INSERT OR IGNORE INTO camera (uid) VALUES (?)", (uid,))
            (number,) = connection.execute("SELECT id FROM camera WHERE uid = ?", (uid,)).fetchone()
            self._cameras[uid] = number
        return int(number)

    def _connected(self, connection: sqlite3.Connection, uid: str, connected_us: int) -> None:
        connection.execute(
            "UPDATE state SET connected_us = :us WHERE camera = :camera AND end_us = 0 AND start_us = "
            "(SELECT max(start_us) FROM state WHERE camera = :camera)",
            {"camera": self._camera(connection, uid), "us": connected_us},
        )

    def _stand(self, connection: sqlite3.Connection, change: Stand, at_us: int) -> None:
        camera = self._camera(connection, change.camera)
        known = connection.execute(
            "SELECT standing, reason, who FROM standing WHERE camera = ? AND end_us = 0", (camera,)
        ).fetchone()
        told = change.standing, change.reason, change.who
        # An engine that begins says again what is asked, not who asked it when.
        if known is not None and (known == told or told == (known[0], "", "")):
            return
        _begin(connection, "standing", camera, at_us)
        connection.execute("INSERT INTO standing VALUES (?, ?, 0, ?, ?, ?)", (camera, at_us, *told))

    def _belong(self, connection: sqlite3.Connection, change: Belong, at_us: int) -> None:
        camera = self._camera(connection, change.camera)
        known = connection.execute(
            "SELECT name, facility, place FROM belonging WHERE camera = ? ORDER BY start_us DESC LIMIT 1", (camera,)
        ).fetchone()
        told = change.name, change.facility, change.place
        if known != told:
            connection.execute("INSERT OR REPLACE INTO belonging VALUES (?, ?, ?, ?, ?)", (camera, at_us, *told))

    def _only(self, connection: sqlite3.Connection, change: Only) -> None:
        """Others went while no engine ran: from the end of the run before this one on nothing was asked of them."""
        (gone_us,) = connection.execute(
            "SELECT coalesce((SELECT max(end_us) FROM run WHERE id < :run), (SELECT start_us FROM run WHERE id = :run))",
            {"run": self._run},
        ).fetchone()
        rows = connection.execute(
            "SELECT DISTINCT camera.id, uid FROM standing JOIN camera ON camera.id = camera WHERE end_us = 0"
        ).fetchall()
        for camera, uid in rows:
            if uid not in change.cameras:
                _begin(connection, "standing", camera, gone_us)

    def _redate(self, connection: sqlite3.Connection, by_us: int) -> None:
        """What this boot told before it was dated was told `by_us` later than was said."""
        self.lead_us = 0
        runs = connection.execute("SELECT id, boot, start_us, dated FROM run ORDER BY id DESC").fetchall()
        first_us = runs[0][2]
        for number, boot, start_us, dated in runs:
            if boot != self._boot or (dated and number != self._run):
                break
            first_us = start_us
        if by_us:
            moving.shift(connection, first_us, by_us)
        connection.execute("UPDATE run SET lead_us = 0, dated = 1 WHERE start_us >= ?", (first_us + by_us,))


def _begin(connection: sqlite3.Connection, table: str, camera: int, at_us: int) -> None:
    """An interval of the camera begins: the one before it ends."""
    connection.execute(f"DELETE FROM {table} WHERE camera = ? AND start_us >= ?", (camera, at_us))
    connection.execute(
        f"UPDATE {table} SET end_us = ? WHERE camera = ? AND end_us = 0 AND start_us = "
        f"(SELECT max(start_us) FROM {table} WHERE camera = ?)",
        (at_us, camera, camera),
    )


def _note(connection: sqlite3.Connection, note: Note, lead_us: int = 0) -> None:
    connection.execute(
        "INSERT INTO note (at_us, kind, facility, camera, content) VALUES (?, ?, ?, ?, ?)",
        (note.at_us + lead_us, note.kind, note.facility, note.camera, note.content),
    )


def _shown(connection: sqlite3.Connection, change: Shown) -> None:
    """What was shown first is what is compared: a figure that changed later is what is looked for."""
    connection.executemany(
        "INSERT OR IGNORE INTO shown (start_us, end_us, camera, facility, place, away, figures) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        change.rows,
    )
    connection.execute("DELETE FROM shown WHERE rowid <= (SELECT max(rowid) FROM shown) - ?", (KEPT_SHOWN,))
