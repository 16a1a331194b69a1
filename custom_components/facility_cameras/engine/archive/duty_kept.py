"""What an archive that is away could not be told of its cameras' duties, in the engine's own folder.

Promise I5 (truth): the volume was lost, and then the engine ended, or the machine was started anew because of it: that
time is told as the lost volume's, not as one in which no engine ran. Entries are as in the journal (duty.py). They are
kept under the archive's id and under its path: its disk may come back elsewhere, or its marker be lost and made anew.
"""

from pathlib import Path

import orjson

from .files import file_about, read_whole, replace_file

#: While the archive is away this is written so often, seconds: as much is unknown if the power fails then.
KEEP_S = 60.0
_BYTES = 16 << 20
#: So many engines that ended one after another without seeing the archive.
_LIVES = 100

#: What one engine could not write: the entries, and until when (UTC microseconds) what lasts lasted at least.
type Life = tuple[list[dict[str, object]], int]


class KeptDuties:
    """Of one archive. For one thread at a time."""

    def __init__(self, folder: Path | None, archive_id: str, root: Path) -> None:
        """`folder` is the engine's own; without one nothing is kept."""
        names = archive_id, str(root)
        self._paths = [file_about(folder, "duty", name) for name in names] if folder is not None else []
        self._before: list[Life] | None = None
        self._is_there = True

    def keep(self, entries: list[dict[str, object]], now_us: int) -> None:
        """Keep what this engine could not write, behind what those before it could not. Raises OSError."""
        lives = [*self.before(), (entries, now_us)][-_LIVES:]
        self._is_there = True
        for path in self._paths:
            replace_file(path, orjson.dumps(lives))

    def before(self) -> list[Life]:
        """What the engines before this one could not write, oldest first; nothing if that cannot be read."""
        if self._before is None:
            self._before = max(
                (_read(path) for path in self._paths), key=lambda lives: [life[1] for life in lives[-1:]], default=[]
            )
        return self._before

    def forget(self) -> None:
        """The archive knows it all. Raises OSError."""
        self._before = []
        if self._is_there:
            for path in self._paths:
                path.unlink(missing_ok=True)
            self._is_there = False


def _read(path: Path) -> list[Life]:
    try:
        told = orjson.loads(read_whole(path, _BYTES))
        return [([entry for entry in entries if isinstance(entry, dict)], int(until_us)) for entries, until_us in told]
    except OSError, ValueError, TypeError:
        return []
