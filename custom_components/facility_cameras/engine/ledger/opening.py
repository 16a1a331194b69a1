"""Opens the ledger's file, whatever lies there. One that is damaged, or that a newer engine wrote, is set aside under
another name, and never deleted; nothing that holds a history is thrown away.
"""

from datetime import UTC, datetime
import logging
import os
from pathlib import Path
import sqlite3

from .reading import snapshot
from .schema import NewerLedgerError, prepare

_LOGGER = logging.getLogger(__name__)

FILE = "ledger.db"
#: A copy that was made for a backup: after a restore it lies here beside the file, which was copied while it was written.
SNAPSHOT = "ledger-snapshot.db"
#: What a copy is called that was made before our clock cut history away; so many are kept.
_COPY, COPIES = "ledger.before-clock", 3
_ENDS = ("-wal", "-shm", "")
#: Primary codes of sqlite3 errors that say that the file itself is bad.
_BROKEN_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def is_broken(error: Exception) -> bool:
    """Whether the error says that the file is bad, not the disk."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN_CODES


def open_ledger(folder: Path, now_us: int) -> tuple[sqlite3.Connection, str]:
    """The ledger of the folder, for the one that writes, and the name under which another was set aside ("": none was).
    Raises OSError and sqlite3.Error.
    """
    if (folder / SNAPSHOT).exists() and not _is_sound(folder / FILE):
        name = set_aside(folder, "ledger.damaged", now_us)
        (folder / SNAPSHOT).rename(folder / FILE)
        _LOGGER.warning("ledger: what was copied for a backup takes the place of %s", name or "one that is missing")
        return _open(folder / FILE), name
    try:
        return _open(folder / FILE), ""
    except sqlite3.DatabaseError as error:
        if isinstance(error, NewerLedgerError):
            name = set_aside(folder, f"ledger.schema-{error.version}", now_us)
        elif is_broken(error):
            name = set_aside(folder, "ledger.damaged", now_us)
        else:
            raise
        _LOGGER.error("ledger: %s: it is set aside as %s, and another is begun", error, name)
    return _open(folder / FILE), name


def _is_sound(path: Path) -> bool:
    """Whether the file is there and whole. Raises OSError, and sqlite3.Error for what is not its fault."""
    if not path.exists():
        return False
    connection = sqlite3.connect(path, timeout=5, isolation_level=None)
    try:
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError as error:
        if is_broken(error):
            return False
        raise
    finally:
        connection.close()


def set_aside(folder: Path, name: str, now_us: int) -> str:
    """Rename the file that is there. Returns the name it has now, "" if there is none. Raises OSError."""
    if not any((folder / f"{FILE}{end}").exists() for end in _ENDS):
        return ""
    free = _free(folder, name, now_us)
    for end in _ENDS:
        # Its log of writes first: no log ever meets another's file.
        if (folder / f"{FILE}{end}").exists():
            (folder / f"{FILE}{end}").rename(folder / f"{free}{end}")
    return free


def keep_copy(folder: Path, now_us: int) -> str:
    """Copy the file as it is, before history is cut away. Returns the copy's name, "" if there is no room for it; the
    newest COPIES are kept.
    """
    name = _free(folder, _COPY, now_us)
    try:
        snapshot(folder / FILE, folder / name)
        for old in sorted(folder.glob(f"{_COPY}-*.db"), key=lambda path: path.stat().st_mtime_ns)[:-COPIES]:
            old.unlink()
    except (OSError, sqlite3.Error) as error:
        _LOGGER.error("ledger: it cannot be copied before our clock's step cuts history away: %s", error)
        return ""
    return name


def _free(folder: Path, name: str, now_us: int) -> str:
    moment = f"{datetime.fromtimestamp(now_us / 1e6, UTC):%Y%m%dT%H%M%SZ}"
    free, number = f"{name}-{moment}.db", 1
    while (folder / free).exists():
        number += 1
        free = f"{name}-{moment}-{number}.db"
    return free


def _open(path: Path) -> sqlite3.Connection:
    # Ours alone from the first byte; what SQLite puts beside it has the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        # A power cut must not take back what was shown.
        connection.execute("PRAGMA synchronous=FULL")
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection
