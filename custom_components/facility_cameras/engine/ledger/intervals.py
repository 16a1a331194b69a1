"""What was known of one camera, as a list: nothing overlaps, and nothing that was asked is left out. Blocks."""

from collections.abc import Iterator

from ..api import Status
from ..api_ledger import Interval
from .pieces import Holes, Piece, pieces
from .reading import Reading


def intervals(reading: Reading, camera: str, start_us: int, end_us: int) -> Iterator[Interval]:
    """Of [start_us, end_us), oldest first. Raises sqlite3.Error."""
    end_us = min(end_us, reading.until_us)
    rows = reading.standings(camera, start_us, end_us), reading.states(camera, start_us, end_us)
    for piece in pieces(*rows, Holes(reading.away()), start_us, end_us):
        yield _told(piece)


def _told(piece: Piece) -> Interval:
    row = piece.row
    return {
        "start": piece.start_us,
        "end": piece.end_us,
        "standing": piece.standing,
        "status": piece.status,
        "cause": piece.why,
        "detail": row.detail if row is not None else "",
        "evidence": row.evidence if row is not None else "",
        "connected_s": piece.connected_us / 1e6 if piece.status == Status.UNSTABLE else None,
    }
