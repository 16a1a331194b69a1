"""Who holds an archive: one engine. flock tells engines of one machine apart, a note in the lock file those of several.

On some network shares flock does not reach beyond the machine, so the holder writes a note into the lock file and
renews it. Whoever finds a note of another machine watches it: only one that stays the same for STALE_S is an engine's
that is no more. Clocks of several machines are never compared. If a holder finds another's note in place of its own,
it lets go: two engines may both have found a stale note, and one of them must yield.
"""

from collections.abc import Callable
import contextlib
import errno
import json
import os
from pathlib import Path
import secrets

from ..clock import Clock
from .files import FILES, Files, read_whole, replace_file

LOCK = ".lock"
#: How often the holder renews its note, and how long another's must stay the same.
RENEW_S, STALE_S = 10.0, 60.0
_NOTE_BYTES = 256
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MACHINE = Path("/etc/machine-id")
_OWN = "machine-id"
_FULL = {errno.ENOSPC, errno.EDQUOT}
#: The file system knows no locks.
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


class HeldError(Exception):
    """Another engine holds the archive."""

    def __init__(self, *, elsewhere: bool) -> None:
        """`elsewhere`: one on another machine."""
        super().__init__(f"it is held by another {"machine's " if elsewhere else ''}engine")
        self.elsewhere = elsewhere


def this_machine(remembered: Path | None, files: Files = FILES) -> str:
    """What tells this machine from others, also after a restart, and is the same in all engines on it: its own id;
    where it has none (many containers), one that we keep in the engine's folder `remembered`. Blocks.
    """
    places = [_MACHINE, *([remembered / _OWN] if remembered is not None else []), _BOOT]
    for path in places:
        with contextlib.suppress(OSError):
            if found := read_whole(path, _NOTE_BYTES, files).decode(errors="replace").strip():
                return found
        if remembered is not None and path == remembered / _OWN:
            made = secrets.token_hex(16)
            with contextlib.suppress(OSError):
                replace_file(path, made.encode(), files)
                return made
    return "unknown"


class Owner:
    """Our hold on one archive. Used by the writer thread; everything raises OSError."""

    def __init__(self, root: Path, clock: Clock, machine: Callable[[], str], files: Files = FILES) -> None:
        """Nothing is held yet. `machine` tells which machine this is; it may block."""
        self._path = root / LOCK
        self._clock = clock
        self._files = files
        self._ask_machine = machine
        self._machine = ""
        self._engine = secrets.token_hex(8)
        self._beats = 0
        #: As it was last written.
        self._note = b""
        self._renew_at = 0.0
        self._fd: int | None = None
        #: Another machine's note, and since when (monotonic) it is the same.
        self._seen: tuple[bytes, float] | None = None

    def take(self) -> None:
        """Hold the archive. Raises HeldError."""
        self._machine = self._machine or self._ask_machine()
        fd = self._files.open(self._path, os.O_RDWR | os.O_CREAT)
        try:
            try:
                self._files.lock(fd)
            except BlockingIOError as error:
                raise HeldError(elsewhere=False) from error
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
            self._wait_for_others(self._files.read(fd, _NOTE_BYTES, 0))
            self._write(fd)
        except BaseException:
            self._files.close(fd)
            raise
        self._fd = fd

    def _wait_for_others(self, note: bytes) -> None:
        """Raises HeldError while an engine of another machine may hold the archive."""
        told = _read(note)
        if told is None or told[0] == self._machine:
            # Nobody's, or flock has answered.
            self._seen = None
            return
        now = self._clock.monotonic()
        if self._seen is None or self._seen[0] != note:
            self._seen = note, now
        if now - self._seen[1] < STALE_S:
            raise HeldError(elsewhere=True)
        self._seen = None

    def renew(self) -> bool:
        """Say that we are still there, if that is due. Returns False if another archive has taken the place of the one
        that is held. Raises HeldError if another engine has taken it.
        """
        if self._fd is None or self._clock.monotonic() < self._renew_at:
            return True
        # Opened anew: on a network share that is what brings others' writes here, and ours there.
        fd = self._files.open(self._path, os.O_RDWR | os.O_CREAT)
        try:
            note = self._files.read(fd, _NOTE_BYTES, 0)
            told = _read(note)
            if told is not None and told[1] != self._engine:
                self._seen = note, self._clock.monotonic()
                raise HeldError(elsewhere=told[0] != self._machine)
            if note.strip() != self._note.strip():
                # Not by its inode: on network shares one file may have several.
                return False
            self._write(fd)
        finally:
            self._files.close(fd)
        return True

    def _write(self, fd: int) -> None:
        self._beats += 1
        self._renew_at = self._clock.monotonic() + RENEW_S
        note = json.dumps({"machine": self._machine, "engine": self._engine, "beat": self._beats}).encode()
        try:
            # Always of one size, in its place: once it is there a full disk takes it too.
            self._files.write(fd, note.ljust(_NOTE_BYTES))
        except OSError as error:
            if error.errno not in _FULL:
                raise
            # What is there stays: it may be no whole note any more.
            note = self._files.read(fd, _NOTE_BYTES, 0)
        self._note = note

    def release(self) -> None:
        """Hold it no longer; the note goes if it is ours, so that nobody waits for it."""
        fd, self._fd = self._fd, None
        if fd is None:
            return
        try:
            told = _read(self._files.read(fd, _NOTE_BYTES, 0))
            if told is not None and told[1] == self._engine:
                self._files.truncate(fd, 0)
        finally:
            self._files.close(fd)


def _read(note: bytes) -> tuple[str, str] | None:
    """Machine and engine; None if it is no note."""
    try:
        told = json.loads(note)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    return str(told.get("machine")), str(told.get("engine"))
