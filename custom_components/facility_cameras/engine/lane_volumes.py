"""Which volumes a job of the slow lane needs, and what is said where one of them does not answer.

A call to a network share whose server is gone, or to a disk that is dying, may never come back, and nothing ends it.
"""

from dataclasses import dataclass
import errno
import os
from pathlib import Path
from typing import Protocol


class ExpectedError(Exception):
    """Base of what work raises where what was asked for cannot be made: no fault of ours, and not logged as one."""


class NoAnswerError(ExpectedError):
    """The volume of `folder` does not answer; `source`: it is that of the archive that was to be read."""

    def __init__(self, folder: str, *, source: bool) -> None:
        super().__init__(f"{folder}: {os.strerror(errno.ETIMEDOUT)}")
        self.folder = folder
        self.source = source


class Source(Protocol):
    """An archive, as far as this is about it."""

    @property
    def root(self) -> Path:
        """Its folder."""

    @property
    def answers(self) -> bool:
        """Whether its own thread comes back from the disk."""


@dataclass(frozen=True, slots=True)
class Volumes:
    """What a job reads from and the folder it writes to, as far as it does."""

    source: Source | None = None
    target: Path | None = None

    def needs(self, folder: str) -> bool:
        """Whether the volume of this folder is one of them."""
        return bool(folder) and folder in (str(self.target), str(self.source.root) if self.source is not None else "")

    def silent(self) -> NoAnswerError:
        """Which one is it that a job does not come back from? The archive's own thread tells of the one."""
        if self.source is not None and (self.target is None or not self.source.answers):
            return NoAnswerError(str(self.source.root), source=True)
        return NoAnswerError(str(self.target or ""), source=False)


NO_VOLUMES = Volumes()
