"""What became of each file of an export, kept beside it line by line, so that it is gone on with where it was left."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Copied:
    """One file of the plan: what was written, with its SHA-256 (hex; "" if nothing was), and its subtitles. `end` is where
    the next one begins in a tar. `why` it is not as it was recorded: see api.Missed.
    """

    size: int = 0
    sha256: str = ""
    subtitles: str = ""
    subtitles_size: int = 0
    subtitles_sha256: str = ""
    end: int = 0
    why: str = ""

    def line(self) -> dict[str, object]:
        """As it is kept."""
        return asdict(self)
