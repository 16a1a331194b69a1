"""What is known of one camera's picture, from look to look, and as bytes.

The engine keeps these bytes and hands them to the worker with each look, so that a worker that ends takes nothing along.
What lasts (the views, how lively the picture is) outlives a reconnect and a restart; what passes (the picture before,
what is suspected) does not. Bytes that cannot be read are a camera of which nothing is known yet.
"""

from dataclasses import asdict, dataclass, field
import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .seen import CELL, HEIGHT, WIDTH, Grey
from .view import COLUMNS, FIELD_HEIGHT, FIELD_WIDTH, ROWS, Edges

#: What can only be said of pictures that follow one another: it does not outlive a new session.
PASSING = frozenset({"frozen", "no_stream"})
VIEWS_MAX = 6
MOVES_MAX = 16
CELLS = HEIGHT // CELL, WIDTH // CELL

_HEAD = struct.Struct(">4sI")
_MAGIC = b"PIC1"
_TEXT_BYTES = 16 << 10
_SCALARS = (
    "looks",
    "watched_s",
    "moves",
    "pairs",
    "repeats",
    "keys",
    "before_at",
    "before_key",
    "good",
    "current",
)


class UnreadableError(ValueError):
    """These bytes are not what is known of a camera."""


@dataclass(slots=True)
class View:
    """A view and how it looks in one light. `count`: in how many looks it was seen; `last`: the newest of them (number)."""

    edges: Edges
    colourless: bool
    brightness: float
    count: int = 1
    last: int = 0


@dataclass(slots=True)
class Level:
    """How low something goes in ordinary times: falls at once, rises slowly. `seen` values so far."""

    low: float = 0.0
    seen: int = 0

    def learn(self, value: float) -> None:
        """Take in a value of an ordinary time."""
        if not self.seen or value < self.low:
            self.low = value if not self.seen else 0.5 * self.low + 0.5 * value
        else:
            self.low += 0.003 * (value - self.low)
        self.seen += 1


@dataclass(slots=True)
class Suspicion:
    """What the picture may have: since when (monotonic seconds, and UTC microseconds), in how many looks in a row."""

    status: str
    cause: str
    confidence: float
    since: float
    since_us: int
    looks: int = 1


@dataclass(slots=True)
class Known:
    """All that is known of a camera's picture."""

    views: list[View] = field(default_factory=list)
    #: Looks so far, and how long the camera has been looked at, seconds.
    looks: int = 0
    watched_s: float = 0.0
    #: When the view changed to another known one, or back: UTC seconds, newest last.
    moves: list[float] = field(default_factory=list)
    #: How often each cell differs from the look before, 0 to 1, over `pairs` of looks.
    alive: NDArray[np.float32] = field(default_factory=lambda: np.zeros(CELLS, np.float32))
    pairs: int = 0
    stir: Level = field(default_factory=Level)
    between: Level = field(default_factory=Level)
    #: Share of key pictures that were the same as the one before, and of how many.
    repeats: float = 0.0
    keys: int = 0
    # What passes ---------------------------------------------------------------------------------------------------
    before: Grey | None = None
    before_at: float = 0.0
    before_key: float = 0.0
    suspicion: Suspicion | None = None
    #: What was suspected for long enough to be told, and how many looks in a row have found nothing of it.
    told: Suspicion | None = None
    #: Edges of the unknown view that is suspected.
    strange: Edges | None = None
    good: int = 0
    #: The known view that was seen last (its place in `views`); -1 if none.
    current: int = -1

    def begin_anew(self) -> None:
        """The camera was away, or the engine: nothing is known of the moment before."""
        self.before = self.suspicion = self.strange = None
        self.good = 0
        if self.told is not None and self.told.status in PASSING:
            self.told = None

    def begin_views(self) -> None:
        """A person says that what is seen now is how it is to be: views are learned anew."""
        self.views.clear()
        self.moves.clear()
        self.watched_s, self.current = 0.0, -1
        self.begin_anew()
        self.told = None

    def to_bytes(self) -> bytes:
        """All of it."""
        scalars: dict[str, Any] = {name: getattr(self, name) for name in _SCALARS}
        scalars["stir"], scalars["between"] = asdict(self.stir), asdict(self.between)
        for name, one in (("suspicion", self.suspicion), ("told", self.told)):
            scalars[name] = asdict(one) if one else None
        scalars["views"] = [[one.colourless, one.brightness, one.count, one.last] for one in self.views]
        scalars["parts"] = [self.before is not None, self.strange is not None]
        text = json.dumps(scalars).encode()
        parts = [(self.alive * 255).astype(np.uint8).tobytes()]
        if self.before is not None:
            parts.append(self.before.tobytes())
        parts += map(_pack, ([self.strange] if self.strange else []) + [view.edges for view in self.views])
        return b"".join((_HEAD.pack(_MAGIC, len(text)), text, *parts))

    @classmethod
    def from_bytes(cls, data: bytes | memoryview) -> Known:
        """What `to_bytes` gave. Raises UnreadableError."""
        try:
            return cls._from_bytes(memoryview(data))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error, RecursionError) as error:
            raise UnreadableError(type(error).__name__) from error

    @classmethod
    def _from_bytes(cls, data: memoryview) -> Known:
        magic, length = _HEAD.unpack_from(data)
        if magic != _MAGIC or length > _TEXT_BYTES:
            raise UnreadableError("not ours")
        scalars = json.loads(bytes(data[_HEAD.size : _HEAD.size + length]))
        rest = _Rest(data[_HEAD.size + length :])
        views, has = scalars.pop("views"), scalars.pop("parts")
        suspicion, told = scalars.pop("suspicion"), scalars.pop("told")
        alive = np.frombuffer(rest.take(CELLS[0] * CELLS[1]), np.uint8)
        known = cls(
            alive=np.asarray(alive.reshape(CELLS) / 255, np.float32),
            stir=Level(**scalars.pop("stir")),
            between=Level(**scalars.pop("between")),
            suspicion=Suspicion(**suspicion) if suspicion else None,
            told=Suspicion(**told) if told else None,
            **scalars,
        )
        if has[0]:
            known.before = np.frombuffer(rest.take(WIDTH * HEIGHT), np.uint8).reshape(HEIGHT, WIDTH)
        if has[1]:
            known.strange = _unpack(rest.take(_EDGES_BYTES))
        for colourless, brightness, count, last in views[:VIEWS_MAX]:
            edges = _unpack(rest.take(_EDGES_BYTES))
            known.views.append(View(edges, bool(colourless), float(brightness), int(count), int(last)))
        known.moves = [float(at) for at in known.moves[-MOVES_MAX:]]
        # Numbers, all of them: whatever else a damaged file holds fails here and not in the middle of a look.
        if not np.isfinite(
            [known.looks, known.watched_s, known.repeats, known.keys, known.stir.low, known.pairs]
        ).all():
            raise UnreadableError("no numbers")
        return known


_PIXELS = FIELD_WIDTH * FIELD_HEIGHT
_EDGES_BYTES = 2 * _PIXELS + 4 * ROWS * COLUMNS


class _Rest:
    """Bytes that are taken piece by piece."""

    def __init__(self, data: memoryview) -> None:
        self._data = data

    def take(self, length: int) -> memoryview:
        """The next so many. Raises UnreadableError."""
        if len(self._data) < length:
            raise UnreadableError("broken off")
        piece, self._data = self._data[:length], self._data[length:]
        return piece


def _pack(edges: Edges) -> bytes:
    """A field to a hundredth."""
    parts = np.stack((edges.field.real, edges.field.imag))
    return np.rint(np.clip(parts, -1, 1) * 100).astype(np.int8).tobytes() + edges.detail.astype(np.float32).tobytes()


def _unpack(data: memoryview) -> Edges:
    parts = np.frombuffer(data[: 2 * _PIXELS], np.int8).reshape(2, FIELD_HEIGHT, FIELD_WIDTH).astype(np.float32) / 100
    detail = np.frombuffer(data[2 * _PIXELS :], np.float32).reshape(ROWS, COLUMNS)
    if not np.isfinite(detail).all():
        raise UnreadableError("no numbers")
    return Edges((parts[0] + 1j * parts[1]).astype(np.complex64), detail)
