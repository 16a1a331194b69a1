"""Gaps: what was to be recorded, less what is on disk; each with its reason. Blocks: called in a thread.

Promise I5 (truth): only what archive/duty.py says was to be recorded can be missing; what is on disk is what the index
and the open files say; and what retention deleted, or somebody else, is told as that. Nothing is told of the last
TRAIL_US: footage of it may be on its way to the disk. An export explains what it has no file for in the same words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .api import Cause, Duty
from .api_footage import Gap, GapReason, Gaps
from .archive import deletions
from .archive.archive import Archive
from .archive.duty import WANTED, Interval
from .archive.index import LONGEST_US, OPEN, Index

#: A fragment is 2 s at most, and the disk takes its time.
TRAIL_US = 10_000_000
#: Shorter holes are no gaps of their own: between two sessions of a camera that was read on at once.
SLIVER_US = 1_000_000
#: Time in which recording was thought to run belongs to the trouble beside it, as long as it is no longer than this:
#: trouble is noticed some seconds after it began, and over before the first picture came.
NOTICED_US = 60_000_000
LISTED = 2_000
DAY_US = 86_400_000_000
#: Looked at in one call at most.
MOST_US = 100 * DAY_US
_BY_RETENTION = frozenset({"days", "space", "quota"})

#: Time without footage that is no gap: it was not to be recorded, or never was.
NOT_WANTED = frozenset({Duty.OFF, Duty.IDLE, Duty.CLOCK})
#: Nothing is known of what was to be recorded: before the camera was added, or to come.
NOT_RECORDED = "not_recorded"
_VAGUE = frozenset({GapReason.STARTING, GapReason.INTERRUPTED})
_NO_TROUBLE = frozenset({GapReason.INTERRUPTED, *NOT_WANTED})

type Spans = list[tuple[int, int]]
#: Start, end, reason (GapReason, or one of the above), cause.
type Piece = tuple[int, int, str, str]


@dataclass(slots=True)
class Found:
    """One camera in one period. `unsure`: a file is open, and may become longer."""

    wanted: Spans
    holes: Spans
    gaps: list[Gap]
    unsure: bool


def gaps(archive: Archive, camera: str, start_us: int, end_us: int) -> Gaps:
    """The gaps of a camera in [start_us, end_us), of which 100 days at most are looked at. Raises sqlite3.Error."""
    nothing: Gaps = {"gaps": [], "wanted_s": 0.0, "footage_s": 0.0, "until": start_us, "more": False}
    index = archive.index
    if index is None:
        return nothing
    known = index.query("SELECT min(start_us) FROM duty WHERE camera = ?", camera)[0][0]
    start_us = max(start_us, start_us if known is None else known)
    end_us = min(end_us, archive.duties.now_us - TRAIL_US, start_us + MOST_US)
    if start_us >= end_us:
        return nothing
    found = find(archive, index, camera, start_us, end_us)
    wanted = length(found.wanted)
    return {
        "gaps": found.gaps[:LISTED],
        "wanted_s": wanted / 1e6,
        "footage_s": (wanted - length(found.holes)) / 1e6,
        "until": end_us,
        "more": len(found.gaps) > LISTED,
    }


def find(archive: Archive, index: Index, camera: str, start_us: int, end_us: int) -> Found:
    """What was to be recorded in [start_us, end_us), and what of it is missing. Raises sqlite3.Error."""
    duties = archive.duties.intervals(index, camera, start_us, end_us)
    wanted = merged((one.start_us, one.end_us) for one in duties if one.kind in WANTED)
    footage, unsure = _footage(archive, index, camera, start_us, end_us)
    holes = without(wanted, footage)
    large = [hole for hole in holes if hole[1] - hole[0] >= SLIVER_US]
    gone = deleted(index, camera, start_us, end_us) if large else []
    return Found(wanted, holes, explained(large, [gone], duties), unsure)


def explained(holes: Spans, layers: Sequence[Sequence[Piece]], duties: list[Interval]) -> list[Gap]:
    """Holes in pieces, each with its reason: what a layer says of it, the first one before those after it, or else what
    the camera's recording was about. Pieces shorter than SLIVER_US are not told.
    """
    pieces: list[Piece] = []
    for hole in holes:
        if hole[1] - hole[0] < SLIVER_US:
            continue
        rest, parts = [hole], list[Piece]()
        for layer in layers:
            taken = [_cut(piece, one) for one in rest for piece in layer if piece[0] < one[1] and piece[1] > one[0]]
            rest = without(rest, merged(sorted((start, end) for start, end, *_ in taken)))
            parts += taken
        for one in rest:
            about = _about(one, duties)
            parts += about
            unknown = without([one], merged((start, end) for start, end, *_ in about))
            parts += [(start, end, NOT_RECORDED, "") for start, end in unknown]
        pieces += _without_slivers(list(_joined(sorted(parts))))
    return [_gap(piece) for piece in _joined(pieces)]


def _cut(piece: Piece, span: tuple[int, int]) -> Piece:
    start, end, why, cause = piece
    return max(start, span[0]), min(end, span[1]), why, cause


def _footage(archive: Archive, index: Index, camera: str, start_us: int, end_us: int) -> tuple[Spans, bool]:
    """What is on disk, and whether a file is open. One that a crash left open counts once it is repaired."""
    spans: Spans = []
    unsure = False
    # Taken before the index is asked: a file that is closed meanwhile still answers for its row.
    before = dict(archive.open_files)
    for day_us in range(start_us, end_us, DAY_US):
        until_us = min(day_us + DAY_US, end_us)
        # A day at a time: nobody waits long for the index.
        rows = index.query(
            "SELECT start_us, end_us, state, id FROM segment WHERE camera = (SELECT id FROM camera WHERE uid = ?) "
            "AND start_us < ? AND start_us > ? ORDER BY start_us",
            camera, until_us, day_us - LONGEST_US if day_us == start_us else day_us - 1,
        )  # fmt: skip
        for begin, end, state, number in rows:
            if state != OPEN:
                spans.append((begin, end))
                continue
            unsure = True
            if (file := before.get(number) or archive.open_files.get(number)) is not None:
                spans.append((begin, begin + file.duration_us))
    return merged(spans), unsure


def deleted(index: Index, camera: str, start_us: int, end_us: int) -> list[Piece]:
    """What was deleted, without overlap, joined where one reason goes on. Raises sqlite3.Error."""
    rows = index.query(
        "SELECT start_us, end_us, reason FROM deletion WHERE camera = ? AND start_us < ? AND end_us > ? ORDER BY start_us",
        camera, end_us, start_us,
    )  # fmt: skip
    pieces: list[Piece] = []
    at = start_us
    for begin, end, reason in rows:
        if end > max(begin, at) and reason != deletions.EMPTY:
            pieces.append((max(begin, at), end, *_why_deleted(reason)))
            at = end
    return list(_joined(pieces))


def _why_deleted(reason: str) -> tuple[str, str]:
    if reason == deletions.LOST:
        return GapReason.LOST, ""
    return GapReason.DELETED, reason if reason in _BY_RETENTION else ""


def _about(hole: tuple[int, int], duties: list[Interval]) -> list[Piece]:
    """A hole in pieces, each with what the camera's recording was about."""
    pieces = [
        _cut((one.start_us, one.end_us, *_why(one)), hole)
        for one in duties
        if one.start_us < hole[1] and one.end_us > hole[0]
    ]
    begins = {one.start_us for one in duties}
    for place, (start, end, reason, _) in enumerate(pieces):
        if reason != GapReason.INTERRUPTED or end - start > NOTICED_US:
            continue
        beside = (*pieces[place + 1 : place + 2], *pieces[max(place - 1, 0) : place])
        trouble = [one[2:] for one in beside if one[2] not in _NO_TROUBLE]
        if trouble:
            pieces[place] = (start, end, *trouble[0])
        elif start in begins:
            pieces[place] = (start, end, GapReason.STARTING, "")
    return pieces


def _why(duty: Interval) -> tuple[str, str]:
    match duty.kind:
        case Duty.OFFLINE if duty.reason in (Cause.STARTING, Cause.NONE, ""):
            return GapReason.STARTING, ""
        case Duty.OFFLINE | Duty.VOLUME | Duty.OVERLOAD | Duty.DOWN:
            return GapReason(duty.kind), duty.reason
        case Duty.OFF | Duty.IDLE | Duty.CLOCK:
            return duty.kind, ""
        case _:
            return GapReason.INTERRUPTED, ""


def _without_slivers(parts: list[Piece]) -> list[Piece]:
    """A hole's parts; one that is shorter than a gap can be goes to the longer of those beside it."""
    while len(parts) > 1:
        small = [place for place, (start, end, *_) in enumerate(parts) if end - start < SLIVER_US]
        if not small:
            break
        # What only says that it began or broke off says least.
        place = min(small, key=lambda place: (parts[place][2] not in _VAGUE, parts[place][1] - parts[place][0]))
        beside = [one for one in (place - 1, place + 1) if 0 <= one < len(parts)]
        into = max(beside, key=lambda one: parts[one][1] - parts[one][0])
        low, high = sorted((place, into))
        parts[low : high + 1] = [(parts[low][0], parts[high][1], *parts[into][2:])]
    return parts


def _joined(pieces: Iterable[Piece]) -> Iterable[Piece]:
    """Pieces that touch and have one reason are one; of their causes the one that lasted longest is told."""
    runs: list[list[Piece]] = []
    for piece in pieces:
        if runs and runs[-1][-1][1] == piece[0] and runs[-1][-1][2] == piece[2]:
            runs[-1].append(piece)
        else:
            runs.append([piece])
    for run in runs:
        lasted: dict[str, int] = {}
        for start, end, _, cause in run:
            lasted[cause] = lasted.get(cause, 0) + end - start
        yield run[0][0], run[-1][1], run[0][2], max(lasted, key=lambda cause: lasted[cause])


def _gap(piece: Piece) -> Gap:
    start, end, reason, cause = piece
    return {"start": start, "end": end, "reason": reason, "cause": cause}


def merged(spans: Iterable[tuple[int, int]]) -> Spans:
    """Spans (sorted by their start) without overlap; those that touch are one."""
    found: Spans = []
    for start, end in spans:
        if found and start <= found[-1][1]:
            if end > found[-1][1]:
                found[-1] = (found[-1][0], end)
        elif start < end:
            found.append((start, end))
    return found


def without(spans: Spans, taken: Spans) -> Spans:
    """What of `spans` is in none of `taken`; both are merged."""
    found: Spans = []
    place = 0
    for start, end in spans:
        at = start
        while place < len(taken) and taken[place][1] <= start:
            place += 1
        here = place
        while here < len(taken) and taken[here][0] < end:
            begin, over = taken[here]
            if begin > at:
                found.append((at, begin))
            at = max(at, over)
            here += 1
        if at < end:
            found.append((at, end))
    return found


def length(spans: Spans) -> int:
    """Microseconds in all."""
    return sum(end - start for start, end in spans)
