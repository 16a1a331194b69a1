"""An archive's folder as it is now: looked at, held against other engines, with its index open. The writer thread's.

Promise I4: nothing is open, and so nothing written, where the volume is not ours; and what was open on a volume that
went is closed before anything is opened on what lies in its place.
"""

from collections.abc import Callable
import contextlib
from dataclasses import replace
import logging
from pathlib import Path
import sqlite3

from ..api import VolumeCause, VolumeState
from ..clock import Clock, microseconds
from . import opening, reserve
from .behind import Behind
from .files import Files, Folders
from .generation import RENEW_S as GENERATION_S, Generation
from .index import Index
from .owner import HeldError, Owner, this_machine
from .under_mount import Hidden
from .volume import Volume, look, meaning

_LOGGER = logging.getLogger(__name__)

LOOK_S = 5.0
#: How soon to look again where another engine holds the archive: it may be on its way out.
LOCKED_S = 0.5
#: Primary codes of sqlite3 errors after which the same connection may go on.
_PASSING = {0, sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CONSTRAINT}


class _OlderCopyError(Exception):
    """We have recorded later than this copy of the archive knows."""


class Holding:
    """Of one archive. Its figures are read by other threads."""

    def __init__(
        self,
        root: Path,
        archive_id: str,
        clock: Clock,
        remembered: Path | None,
        files: Files,
        *,
        end_files: Callable[[], None],
        submit: Callable[[Callable[[], None]], None],
        opened: Callable[[Index], None],
        trusted: Callable[[], None],
    ) -> None:
        """`end_files` ends everything that is being written; `submit` queues work for the writer thread; `opened`
        is told each index before anybody else; `trusted` is called once footage may be deleted by the index.
        """
        self._root = root
        self._archive_id = archive_id
        self._clock = clock
        self._files = files
        self._end_files = end_files
        self._submit = submit
        self._opened = opened
        self._trusted = trusted
        self._owner = Owner(root, clock, lambda: this_machine(remembered, files), files)
        self._generation = Generation(root, archive_id, remembered, files)
        self._renew_at = float("-inf")
        self._told: object = None
        #: A person says that an older copy is the archive from now on.
        self.copy_accepted = False
        self.hidden = Hidden(root, f"archive {root.name} under mount", files)
        #: Folders below the root that are on the disk.
        self.folders = Folders(root, files)
        self.volume = Volume(VolumeState.MISSING)
        self.index: Index | None = None
        self.behind: Behind | None = None
        #: When to look next (monotonic).
        self.look_at = float("-inf")

    @property
    def writable(self) -> bool:
        """Whether footage may be written now."""
        return self.index is not None and self.volume.writable

    def look(self) -> bool:
        """Look at the volume, and hold or let go what is there. Returns whether its state or cause is another."""
        self.look_at = self._clock.monotonic() + LOOK_S
        device, found = self.volume.device, look(self._root, self._archive_id, files=self._files)
        usable = found.writable or found.state is VolumeState.FULL
        if self.index is not None and (not usable or found.device != device):
            # Gone, or another file system in its place: nothing goes on in what was open (promise I4).
            self.close()
        if not found.writable:
            self._end_files()
        if usable:
            found = self._hold(found)
        self.volume = found
        changed = (found.state, found.cause) != self._told
        if changed:
            self._told = found.state, found.cause
            _LOGGER.info("archive %s is %s (%s)", self._root, found.state, found.cause)
        return changed

    def failed(self, error: OSError | sqlite3.Error, *, everybody: bool) -> tuple[VolumeState, VolumeCause]:
        """Writing failed: what that says of the volume. If it is about `everybody`, or there is no room, nothing is
        written until the next look.
        """
        state, cause = _meaning(error)
        if everybody or state is VolumeState.FULL:
            self.volume = replace(self.volume, state=state, cause=cause)
        if isinstance(error, sqlite3.Error):
            if opening.is_broken(error):
                self._set_index_aside()
            elif getattr(error, "sqlite_errorcode", 0) & 0xFF not in _PASSING:
                # The volume may be another by now, under the same number: what is open is of the one that is gone.
                self.close()
        return state, cause

    def open_again(self) -> None:
        """Close the index, and open it at the next look, which is at once: then all files are looked at again."""
        self.close()
        self.look_at = float("-inf")

    def close(self) -> None:
        """Close all files, then the index, and let the archive go."""
        self._end_files()
        behind, self.behind = self.behind, None
        if behind is not None:
            behind.stop()
        index, self.index = self.index, None
        if index is not None:
            with contextlib.suppress(OSError, sqlite3.Error):
                opening.close_index(index, self._root)
            self.volume = replace(self.volume, state=VolumeState.ERROR, cause=VolumeCause.INDEX)
        with contextlib.suppress(OSError):
            self._owner.release()

    def _hold(self, found: Volume) -> Volume:
        """Hold the archive and have its index open."""
        try:
            if self.index is not None and not (self._owner.renew() and self.index.in_place):
                _LOGGER.error("archive %s: its index was taken away, or another archive lies in its place", self._root)
                self.close()
            if self.index is None:
                self._open()
            if self._clock.monotonic() >= self._renew_at and found.writable:
                self._renew_generation()
                if found.state is VolumeState.OK:
                    self._set_reserve_aside()
        except HeldError as error:
            self.close()
            if not error.elsewhere:
                self.look_at = self._clock.monotonic() + LOCKED_S
            cause = VolumeCause.IN_USE_ELSEWHERE if error.elsewhere else VolumeCause.IN_USE
            self._tell_once(VolumeState.ERROR, cause, error)
            return replace(found, state=VolumeState.ERROR, cause=cause)
        except _OlderCopyError:
            return replace(found, state=VolumeState.ERROR, cause=VolumeCause.OLDER_COPY)
        except (OSError, sqlite3.Error) as error:
            self.close()
            state, cause = _meaning(error)
            if VolumeState.FULL in (state, found.state):
                self._give_reserve_up()
            if found.state is VolumeState.FULL:
                # Whatever the index says of it.
                state, cause = found.state, found.cause
            self._tell_once(state, cause, error)
            return replace(found, state=state, cause=cause)
        return found

    def _tell_once(self, state: VolumeState, cause: VolumeCause, error: Exception) -> None:
        if self._told != (state, cause):
            _LOGGER.warning("archive %s cannot be opened: %s", self._root, error)

    def _open(self) -> None:
        """Raises HeldError, _OlderCopyError, OSError and sqlite3.Error; then nothing is held."""
        self._owner.take()
        try:
            if not self.copy_accepted and self._generation.is_older_copy():
                raise _OlderCopyError
            index = opening.open_index(self._root, self._now_us())
        except BaseException:
            self._owner.release()
            raise
        self._opened(index)
        self.index = index
        self.folders = Folders(self._root, self._files)
        self._renew_at = float("-inf")
        self.hidden.look()
        self.behind = Behind(index, self._root, lambda job: self._do_behind(index, job), self._now_us, self._trusted)
        self.behind.start()

    def _do_behind(self, index: Index, job: Callable[[], None]) -> None:
        """What `Behind` wants done by the writer thread, if its index is still the one that is open by then."""

        def do() -> None:
            self.look()
            # Also while the disk is full: room is made only once all files have been looked at.
            if self.index is index and (self.volume.writable or self.volume.state is VolumeState.FULL):
                job()

        self._submit(do)

    def _renew_generation(self) -> None:
        self._renew_at = self._clock.monotonic() + GENERATION_S
        try:
            self._generation.renew()
        except OSError as error:
            # Recording goes on: only a copy may not be told from it.
            _LOGGER.warning("archive %s: its generation cannot be renewed: %s", self._root, error)
        else:
            self.copy_accepted = False

    def _set_reserve_aside(self) -> None:
        try:
            reserve.set_aside(self._root, self._files)
        except OSError as error:
            _LOGGER.warning("archive %s: no room can be set aside: %s", self._root, error)

    def _give_reserve_up(self) -> None:
        """There is no room to open the index: open it again at once, with what was set aside."""
        try:
            if reserve.give_up(self._root, self._files):
                _LOGGER.warning("archive %s: no room to open its index: what was set aside is given up", self._root)
                self.look_at = float("-inf")
        except OSError as error:
            _LOGGER.warning("archive %s: what was set aside cannot be given up: %s", self._root, error)

    def _set_index_aside(self) -> None:
        """The index turned out to be broken: the next look makes a new one."""
        self.close()
        try:
            opening.set_aside(self._root, self._now_us())
        except OSError as error:
            _LOGGER.error("archive %s: the broken index cannot be set aside: %s", self._root, error)

    def _now_us(self) -> int:
        return microseconds(self._clock.utc())


def _meaning(error: OSError | sqlite3.Error) -> tuple[VolumeState, VolumeCause]:
    if isinstance(error, OSError):
        return meaning(error)
    if opening.is_full(error):
        return VolumeState.FULL, VolumeCause.NO_SPACE
    return VolumeState.ERROR, VolumeCause.INDEX
