"""The fan-out of one camera: what was received once is handed to whoever wants it.

Promise I8 (polite): one session per camera and stream, whoever watches. Promise I7 (apart): the buffered group is
bounded, and a listener that fails is dropped, never waited for.
"""

from collections import deque
from collections.abc import Callable
import logging
from typing import Protocol

from .media import Sample, StreamFormat

_LOGGER = logging.getLogger(__name__)

#: The newest group of pictures is kept for viewers up to this size; a longer one is begun at its next key picture.
GROUP_BYTES = 16 << 20
#: So many of the newest distances between key pictures tell how often a camera sends them: some send fewer while nothing moves.
KEY_DISTANCES = 8
#: Viewers that look at this many pictures before they show the first get the groups before it too, while it is shorter.
PROBED_PICTURES = 30


class Listener(Protocol):
    """Who takes samples from a feed. Called in the event loop; must return at once."""

    def on_format(self, stream: StreamFormat) -> None:
        """A run begins, or parameter sets changed; the next video sample is a key picture."""

    def on_sample(self, sample: Sample) -> None:
        """The next sample, in decode order."""

    def on_gap(self) -> None:
        """The run ended: the camera went away or is being reconnected."""


class Feed:
    """The newest format, the group of pictures since the last key picture, and the listeners of one camera."""

    def __init__(self) -> None:
        """Begin without a format and without listeners."""
        self.format: StreamFormat | None = None
        #: Samples since (and with) the newest key picture; empty while the camera is away.
        self.group: list[Sample] = []
        #: The groups right before it, oldest first: as many as make it PROBED_PICTURES long with what follows them.
        self.before: list[list[Sample]] = []
        #: The newest key picture with the format it belongs to: for stills. Kept while the camera is away.
        self.newest_key: tuple[StreamFormat, Sample] | None = None
        #: Called when the first listener of `watchers` comes or the last one goes.
        self.on_watched: Callable[[bool], None] | None = None
        self._key_distances: deque[float] = deque(maxlen=KEY_DISTANCES)
        #: When the newest key picture of this run came; None while there is none.
        self._key_at: float | None = None
        self._group_bytes = 0
        self._group_pictures = 0
        self._before_bytes = 0
        self._before_pictures: list[int] = []
        self._listeners: list[Listener] = []
        self._watchers = 0

    @property
    def watched(self) -> bool:
        """True while somebody looks live: the camera is then read more often."""
        return self._watchers > 0

    @property
    def viewers(self) -> int:
        """How many look live."""
        return self._watchers

    @property
    def key_distance_s(self) -> float:
        """The longest of the newest distances between key pictures, seconds; 0 before the second one, and while the
        camera is away: none follows.
        """
        return 0.0 if self._key_at is None else max(self._key_distances, default=0.0)

    def add(self, listener: Listener, *, live: bool) -> None:
        """Hand everything from now on to `listener`; `live` says that it wants low delay."""
        self._listeners.append(listener)
        if live:
            self._watchers += 1
            if self._watchers == 1 and self.on_watched:
                self.on_watched(True)

    def remove(self, listener: Listener, *, live: bool) -> None:
        """Stop handing to `listener`; does nothing if it is not there."""
        if listener not in self._listeners:
            return
        self._listeners.remove(listener)
        if live:
            self._watchers -= 1
            if self._watchers == 0 and self.on_watched:
                self.on_watched(False)

    def begin(self, stream: StreamFormat) -> None:
        """A run begins or its format changed."""
        self.format = stream
        self._key_at = None
        self._clear_group()
        for listener in tuple(self._listeners):
            listener.on_format(stream)

    def push(self, sample: Sample) -> None:
        """Take the next sample of the run."""
        if self.format is None:
            return
        if sample.key:
            if self.group:
                self.before.append(self.group)
                self._before_bytes += self._group_bytes
                self._before_pictures.append(self._group_pictures)
            self.group = []
            self._group_bytes = self._group_pictures = 0
            if self._key_at is not None:
                self._key_distances.append(sample.received - self._key_at)
            self._key_at = sample.received
            self.newest_key = (self.format, sample)
        if self.group or sample.key:
            self._group_bytes += sample.size
            if self._group_bytes > GROUP_BYTES:
                _LOGGER.warning("group of pictures larger than %d MiB: viewers wait for the next", GROUP_BYTES >> 20)
                self._clear_group()
            else:
                self.group.append(sample)
                self._group_pictures += not sample.audio
                self._forget()
        for listener in tuple(self._listeners):
            listener.on_sample(sample)

    def end(self) -> None:
        """The run ended. The newest key picture stays for stills."""
        self._key_at = None
        self._clear_group()
        for listener in tuple(self._listeners):
            listener.on_gap()

    def _forget(self) -> None:
        """Let go of the oldest groups that nobody needs any more, or that are too large together."""
        while self.before:
            enough = self._group_pictures + sum(self._before_pictures[1:]) >= PROBED_PICTURES
            if not enough and self._group_bytes + self._before_bytes <= GROUP_BYTES:
                break
            self._before_bytes -= sum(sample.size for sample in self.before.pop(0))
            del self._before_pictures[0]

    def _clear_group(self) -> None:
        self.group = []
        self.before = []
        self._before_pictures = []
        self._group_bytes = self._group_pictures = self._before_bytes = 0
