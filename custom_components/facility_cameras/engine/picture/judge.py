"""What is wrong with a camera's picture, judged over several looks.

No alarm that is not sure: what one look suspects must be seen in several looks in a row, a few seconds apart, before it
is told, and it is over only when two looks in a row find nothing of it. What a camera shows in ordinary times is learned
from the looks that find nothing: views by day and night, what moves, how much noise there is. Pure functions; they run
in the worker.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .alive import FAR_S, Liveness, frozen, learn, liveness
from .groups import Group
from .known import CELLS, MOVES_MAX, PASSING, VIEWS_MAX, Known, Suspicion, View
from .seen import CELL, HEIGHT, WIDTH, Seen
from .view import BORDER, DETAILED, Edges, Match, compare, shift

#: How sure a look must be to count, and in how many looks in a row, by the camera's sensitivity.
LEAST = {"low": 0.85, "normal": 0.7, "high": 0.5}
#: Of a turned camera a single look may be less sure by this: people walk by. All looks together must be sure enough.
LOOSER = 0.1
LOOKS = {"low": 4, "normal": 3, "high": 2}

#: Views are learned for so long before one that is not known says anything, seconds and looks.
LEARN_S, LEARN_LOOKS = 120.0, 4
#: A known view counts once it was seen so often.
TRUSTED = 3
#: From this share of tiles in place on it may be that view.
SAME = 0.5
#: Tiles in place less those that show something else: from ALIKE on it is that view, below OTHER another. A wall
#: with a pattern is like itself in many places, so that neither share alone says it.
ALIKE, OTHER = 0.35, 0.4
#: A camera that was found turned is back when so many tiles are in place.
BACK = 0.6
#: With fewer tiles there is nothing to go by.
TILES = 6
#: A camera that changed its view so often within a day is turned on purpose (PTZ): it learns, and is no alarm.
MOVES, MOVES_S = 4, 86_400.0
#: In its first half an hour, seconds, once is enough: it cannot have been turned so soon after it was put up.
YOUNG_S = 1800.0
#: Brightness that 98 % of the picture stay below: of a black picture; of one bright enough to be covered or turned.
BLACK, LIT = 40.0, 60.0
#: Into how many tiles a camera's name and clock may reach.
WRITTEN = 5
#: So dark that what detail there is, is noise; and how much that may be in a tile.
DARK, NOISE = 30.0, 1.0
#: A plate of a recorder: one colour nearly everywhere, without any noise, for so long, seconds.
PLATE_PLAIN, PLATE_CLEAN, PLATE_S = 0.9, 0.92, 180.0
#: Covered: hardly a tile is in place, and so many have lost their detail, and the whole so much; or one colour fills so
#: much of it; or all of it has become so soft at once, though it is as bright as that.
GONE, LOST, LEFT = 0.15, 0.35, 0.6
ONE_COLOUR, ONE_COLOUR_SAME = 0.5, 0.45
SOFT, SOFT_SAME, SOFT_LIT = 0.28, 0.65, 100.0


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a camera: the picture, what the stream says, when (monotonic seconds, UTC microseconds)."""

    seen: Seen
    edges: Edges
    groups: list[Group]
    #: Cells that a person marked, as the clock's and the like.
    masked: NDArray[np.bool_]
    now: float
    now_us: int
    sensitivity: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is told now: status, cause, confidence, since when (UTC microseconds). `soon`: look again within seconds;
    `calm`: this look found nothing at all.
    """

    status: str
    cause: str
    confidence: float
    since_us: int
    soon: bool
    calm: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """What one look finds, how sure it is, and in how many looks more than usual it must be found."""

    status: str
    cause: str
    confidence: float
    more: int = 0


def judge(known: Known, look: Look) -> Verdict:
    """Take in a look, and say what is told of the camera from now on."""
    if known.before is not None:
        known.watched_s += min(max(look.now - known.before_at, 0.0), FAR_S)
    known.looks += 1
    live = liveness(known, look.seen.grey, look.groups, look.masked, look.now)
    matches = [compare(view.edges, look.edges) for view in known.views]
    found = _fault(known, look, live, matches)
    turned = known.suspicion is not None and known.suspicion.status == "moved"
    undecided = found is None and turned and max((match.same for match in matches), default=1.0) < BACK
    hint = found is None and _hint(known, live)
    if found is None and not undecided:
        _learn_view(known, look, matches)
        learn(known, live, look.groups)
    if found is not None and found.confidence < LEAST[look.sensitivity] - (LOOSER if found.status == "moved" else 0):
        found = None
    if not undecided:
        _follow_strange(known, look, found)
        _confirm(known, look, live, found)
    known.before, known.before_at = look.seen.grey, look.now
    told = known.told
    soon = hint or known.good > 0 or (known.suspicion is not None and known.suspicion.status != "no_stream")
    if told is None:
        return Verdict("ok", "", 1.0, 0, soon, found is None and not undecided)
    return Verdict(told.status, told.cause, told.confidence, told.since_us, soon, calm=False)


# One look ---------------------------------------------------------------------------------------------------------


def _fault(known: Known, look: Look, live: Liveness, matches: list[Match]) -> _Found | None:
    bright = _brightness(look)
    if bright < BLACK and _empty(look.edges, NOISE if bright < DARK else DETAILED):
        return _Found("black", "picture_black", 0.95 if bright < 0.8 * BLACK else 0.75)
    seen = look.seen
    if seen.plain >= PLATE_PLAIN and seen.clean >= PLATE_CLEAN:
        return _Found("no_stream", "picture_plate", 0.9)
    if (dead := frozen(known, live, look.groups)) is not None:
        return _Found("frozen", "picture_frozen", dead[1])
    if bright < LIT:
        return None
    return _turned_or_covered(known, look, matches, bright)


def _hint(known: Known, live: Liveness) -> bool:
    """Whether what comes looks frozen, though the picture is another one than at the look before."""
    repeated = live.repeats >= 3 and known.repeats < 0.02
    return known.keys >= 10 and (repeated or 0 < live.between < 0.25 * known.between.low)


def _empty(edges: Edges, most: float) -> bool:
    """Whether no more detail than this is seen; writing may reach into a few tiles at the upper and lower edge."""
    detailed = edges.detail >= most
    return not detailed[1:-1].any() and int(detailed.sum()) <= WRITTEN


def _brightness(look: Look) -> float:
    """What 98 % of the picture stay below, without the rows where cameras write, and without what is masked."""
    unmasked = ~np.repeat(np.repeat(look.masked, CELL, 0), CELL, 1)
    unmasked[: 2 * BORDER] = unmasked[HEIGHT - 2 * BORDER :] = False
    pixels = look.seen.grey[unmasked]
    return float(np.percentile(pixels, 98)) if pixels.size else 255.0


def _turned_or_covered(known: Known, look: Look, matches: list[Match], bright: float) -> _Found | None:
    trusted = [
        (match, view)
        for match, view in zip(matches, known.views, strict=True)
        if view.count >= TRUSTED and match.tiles >= TILES
    ]
    most = max((match.same for match in matches), default=1.0)
    if _learning(known) or not trusted:
        return None
    lost = min(match.lost for match, _ in trusted)
    detail = max(match.detail for match, _ in trusted)
    if most < GONE and lost >= LOST and detail < LEFT:
        return _Found("covered", "picture_covered", 0.6 + 0.4 * lost)
    if most < ONE_COLOUR_SAME and look.seen.plain >= ONE_COLOUR:
        return _Found("covered", "picture_covered", 0.85)
    if most < SOFT_SAME and detail < SOFT and bright >= SOFT_LIT:
        return _Found("covered", "picture_covered", 0.75)
    if detail < 0.5 or most >= BACK or _often_moved(known, look.now_us):
        return None
    if known.told is not None and known.told.status == "moved":
        return _Found("moved", "picture_moved", known.told.confidence)
    _, view = max(trusted, key=lambda one: one[0].same)
    alike = max(match.same - match.away for match in matches)
    if alike >= ALIKE:
        return None
    went = shift(view.edges, look.edges)
    if went.by > 0.04 and went.fit > 0.3 and went.fit_in_place < 0.12 and went.fit > 3 * went.fit_in_place:
        return _Found("moved", "picture_moved", 0.9)
    if all(view.colourless != look.seen.colourless for _, view in trusted):
        # The first night, or the first day: another light shows other edges.
        return None
    return _Found("moved", "picture_moved", min(0.95, 0.95 - alike), more=1)


# Over several looks -----------------------------------------------------------------------------------------------


def _follow_strange(known: Known, look: Look, found: _Found | None) -> None:
    """A view that is not known must stay the same from look to look, or it is no view but something that passes."""
    if found is None or found.status != "moved":
        known.strange = None
    elif known.strange is None or _another(known.strange, look.edges):
        known.strange, known.suspicion = look.edges, None


def _confirm(known: Known, look: Look, live: Liveness, found: _Found | None) -> None:
    told = known.told
    if found is None:
        passed, known.suspicion = known.suspicion, None
        if told is None:
            if passed is not None and passed.status == "moved" and passed.looks > 1:
                _count_move(known, look.now_us)
            return
        if told.status in PASSING and live.cells is None:
            # Nothing to compare with: this look says nothing of it.
            return
        known.good += 1
        if known.good >= 2:
            if told.status == "moved":
                _count_move(known, look.now_us)
            known.told, known.good = None, 0
        return
    known.good = 0
    if told is not None and told.status == found.status:
        known.suspicion = None
        return
    suspicion = known.suspicion
    if suspicion is None or suspicion.status != found.status:
        known.suspicion = Suspicion(found.status, found.cause, found.confidence, look.now, look.now_us)
        return
    suspicion.looks += 1
    suspicion.confidence += (found.confidence - suspicion.confidence) / suspicion.looks
    if suspicion.confidence < LEAST[look.sensitivity]:
        return
    long_enough = found.status != "no_stream" or look.now - suspicion.since >= PLATE_S
    if suspicion.looks >= LOOKS[look.sensitivity] + found.more and long_enough:
        known.told, known.suspicion = suspicion, None


def _note_turn(known: Known, look: Look, now: Edges) -> None:
    """Count it if the camera has another view now than the one that it had."""
    if _another(known.views[known.current].edges, now):
        _count_move(known, look.now_us)


def _another(one: Edges, other: Edges) -> bool:
    """Whether this is surely another view. Two single looks at the same one differ by who walks by."""
    return compare(one, other).away >= OTHER


def _count_move(known: Known, now_us: int) -> None:
    known.moves = [*known.moves, now_us / 1e6][-MOVES_MAX:]


def _often_moved(known: Known, now_us: int) -> bool:
    enough = MOVES if known.watched_s >= YOUNG_S else 1
    return sum(now_us / 1e6 - at < MOVES_S for at in known.moves) >= enough


# What is learned --------------------------------------------------------------------------------------------------


def _learning(known: Known) -> bool:
    return known.watched_s < LEARN_S or known.looks < LEARN_LOOKS


def _learn_view(known: Known, look: Look, matches: list[Match]) -> None:
    """Take in the view of a look that found nothing wrong."""
    now = look.edges
    place = max(range(len(matches)), key=lambda one: matches[one].same, default=-1)
    alike = matches[place].same - matches[place].away if place >= 0 else 0.0
    if place >= 0 and matches[place].same >= SAME and alike >= ALIKE:
        view = known.views[place]
        view.count += 1
        view.last = known.looks
        share = np.float32(max(1 / view.count, 0.05))
        view.edges = Edges(
            (view.edges.field + share * (now.field - view.edges.field)).astype(np.complex64),
            view.edges.detail + share * (now.detail - view.edges.detail),
        )
        if 0 <= known.current < len(known.views) and known.current != place:
            _note_turn(known, look, view.edges)
        known.current = place
        return
    first_light = all(view.colourless != look.seen.colourless for view in known.views)
    near = alike >= ALIKE
    if int((now.detail >= DETAILED).sum()) < TILES:
        return
    if not (_learning(known) or near or first_light or _often_moved(known, look.now_us)):
        return
    if 0 <= known.current < len(known.views) and not first_light:
        _note_turn(known, look, now)
    made = View(now, look.seen.colourless, float(look.seen.grey.mean()), 1, known.looks)
    if len(known.views) < VIEWS_MAX:
        known.views.append(made)
        place = len(known.views) - 1
    else:
        place = min(range(VIEWS_MAX), key=lambda one: (known.views[one].count, known.views[one].last))
        known.views[place] = made
    known.current = place


def masked_cells(mask: list[tuple[float, float, float, float]]) -> NDArray[np.bool_]:
    """The cells that the masks (x, y, width, height in shares of the picture) touch."""
    cells = np.zeros(CELLS, np.bool_)
    for x, y, width, height in mask:
        rows = slice(int(y * HEIGHT / CELL), int(np.ceil((y + height) * HEIGHT / CELL)))
        columns = slice(int(x * WIDTH / CELL), int(np.ceil((x + width) * WIDTH / CELL)))
        cells[rows, columns] = True
    return cells
