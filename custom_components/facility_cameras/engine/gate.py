"""Between a camera's feed and its recorder: lets through what is to be recorded, and keeps what may have to be.

Always: everything passes. By an entity: while it says no, the last `before_s` seconds are kept in memory, whole groups
of pictures, each with the run and the format it belongs to; once it says yes recording begins with the key picture at
or before that many seconds ago, and it goes on for `after_s` after it said no, to the end of the group. Switched off:
nothing passes and nothing is kept.

Promise I7 (apart): what is kept is bounded for each camera and for all together. Who reaches the bound loses the oldest
group it keeps; that is counted, and logged once.
"""

from collections import deque
from dataclasses import dataclass, field
import logging

from .clock import Clock
from .feed import Feed
from .media import Sample, StreamFormat
from .recorder import Recorder
from .timeline import Timeline

_LOGGER = logging.getLogger(__name__)

#: Bytes kept of one camera, and of all.
CAMERA_BYTES = 32 << 20
ALL_BYTES = 256 << 20
#: What may be asked for.
LONGEST_S = 300.0


class BeforeMemory:
    """What all gates keep together, bytes."""

    def __init__(self) -> None:
        """Nothing is kept."""
        self.bytes = 0


@dataclass(slots=True)
class _Piece:
    """What is kept of one run in one format; groups of pictures with their size in bytes."""

    timeline: Timeline | None
    stream: StreamFormat
    groups: deque[list[Sample]] = field(default_factory=deque)
    sizes: deque[int] = field(default_factory=deque)
    #: Whether the recorder was told of its run and format.
    begun: bool = False


class Gate:
    """One camera's. A listener of its feed (feed.py), and the recorder's only source."""

    def __init__(self, camera: str, feed: Feed, recorder: Recorder, clock: Clock, memory: BeforeMemory) -> None:
        """Closed, and keeping nothing, until `set`."""
        self._camera = camera
        self._feed = feed
        self._recorder = recorder
        self._clock = clock
        self._memory = memory
        self._record = False
        self._wanted = False
        self._before_s = self._after_s = 0.0
        #: Monotonic time at which it closes; None: it stays as it is.
        self._closes: float | None = None
        #: True while samples pass.
        self.open = False
        #: How often the bound was reached.
        self.shortened = 0
        self._timeline: Timeline | None = None
        self._told_timeline: Timeline | None = None
        self._kept: deque[_Piece] = deque()
        self._bytes = 0
        feed.add(self, live=False)

    # What people and entities want --------------------------------------------------------------------------------

    def set(self, *, record: bool, wanted: bool, before_s: float, after_s: float) -> None:
        """Take over what is wanted now. `record` is the switch: off closes at once."""
        self._before_s, self._after_s = before_s, after_s
        was_wanted = self._record and self._wanted
        self._record, self._wanted = record, wanted
        if not record:
            self._close()
        elif wanted:
            self._closes = None
            if not self.open:
                self._open()
        elif self.open and was_wanted:
            self._closes = self._clock.monotonic() + self._after_s
            self.check()
        elif not self.open and not self._kept:
            self._begin_to_keep()
        if not self.open and not self._keeps:
            self._forget()

    @property
    def wanted(self) -> bool:
        """Whether the switch and the entity say that it is to be recorded now, or did so less than `after_s` ago."""
        return self._record and (self._wanted or self._closes is not None)

    def check(self) -> None:
        """Once a second: without pictures the time that goes on after the entity said no ends here."""
        if self.open:
            self._drain()
        if self._closes is not None and self._clock.monotonic() >= self._closes and not self._feed.group:
            self._close()

    def end(self) -> None:
        """The camera is ours no more: let go of everything."""
        self._feed.remove(self, live=False)
        self._forget()

    # From the run and the feed ------------------------------------------------------------------------------------

    def begin_run(self, timeline: Timeline) -> None:
        """A session begins; its pictures are placed by this timeline."""
        self._timeline = timeline
        if self._passes or not self._keeps:
            self._tell_timeline(timeline)

    def on_format(self, stream: StreamFormat) -> None:
        """A run begins, or its format changed."""
        if self._passes or not self._keeps:
            self._recorder.on_format(stream)
        else:
            self._kept.append(_Piece(self._timeline, stream))

    def on_sample(self, sample: Sample) -> None:
        """The next sample passes, or is kept, or neither."""
        if self._closes is not None and sample.key and sample.received >= self._closes:
            self._close()
            if self._keeps and self._feed.format is not None:
                self._kept.append(_Piece(self._timeline, self._feed.format))
        if self._passes:
            self._recorder.on_sample(sample)
        elif self._kept:
            if sample.key and not self.open:
                self._trim(sample.received)
            self._keep(sample)
            if self.open:
                self._drain()

    def on_gap(self) -> None:
        """The run ended."""
        if self._passes:
            self._recorder.on_gap()

    # Opening and closing ------------------------------------------------------------------------------------------

    @property
    def _keeps(self) -> bool:
        return self._record and self._before_s > 0

    @property
    def _passes(self) -> bool:
        """Whether what comes goes straight on: what was kept has gone before it."""
        return self.open and not self._kept

    def _open(self) -> None:
        """Record from now on, and what was kept before."""
        self.open = True
        if self._kept:
            self._trim(self._clock.monotonic())
            self._drain()
            return
        # Nothing is kept: begin with the newest key picture, which is in the feed.
        if self._timeline is not None:
            self._tell_timeline(self._timeline)
        if self._feed.format is not None:
            self._recorder.on_format(self._feed.format)
        for sample in self._feed.group:
            self._recorder.on_sample(sample)

    def _drain(self, *, all_of_it: bool = False) -> None:
        """Hand on what was kept, as fast as the disk takes it: many cameras may be wanted at once."""
        while self._kept and (all_of_it or self._recorder.has_room):
            piece = self._kept[0]
            if not piece.begun:
                piece.begun = True
                self._recorder.on_gap()
                if piece.timeline is not None:
                    self._tell_timeline(piece.timeline)
                self._recorder.on_format(piece.stream)
            for sample in piece.groups[0] if piece.groups else ():
                self._recorder.on_sample(sample)
            if len(self._kept) > 1 or len(piece.groups) > 1:
                self._drop()
                continue
            # That was the newest: what comes now goes straight on.
            self._forget()
            if not self._feed.group:
                self._recorder.on_gap()
            if self._timeline is not None:
                self._tell_timeline(self._timeline)

    def _close(self) -> None:
        self._closes = None
        if self.open:
            self._drain(all_of_it=True)
            self.open = False
            self._recorder.on_gap()

    def _begin_to_keep(self) -> None:
        """From the newest key picture on, which is in the feed."""
        if self._keeps and self._feed.format is not None and self._feed.group:
            self._kept.append(_Piece(self._timeline, self._feed.format))
            for sample in self._feed.group:
                self._keep(sample)

    def _tell_timeline(self, timeline: Timeline) -> None:
        if timeline is not self._told_timeline:
            self._told_timeline = timeline
            self._recorder.begin_run(timeline)

    # What is kept -------------------------------------------------------------------------------------------------

    def _keep(self, sample: Sample) -> None:
        piece = self._kept[-1]
        if sample.key:
            piece.groups.append([])
            piece.sizes.append(0)
        if not piece.groups:
            return
        piece.groups[-1].append(sample)
        piece.sizes[-1] += sample.size
        self._bytes += sample.size
        self._memory.bytes += sample.size
        while self._bytes > CAMERA_BYTES or (self._memory.bytes > ALL_BYTES and self._bytes):
            self._drop()
            self.shortened += 1
            if self.shortened == 1:
                _LOGGER.warning(
                    "camera %s: less than %d s can be kept before it is wanted", self._camera, self._before_s
                )

    def _trim(self, now: float) -> None:
        """Let go of groups that are followed by one that began `before_s` ago or earlier."""
        from_s = now - self._before_s
        while self._kept:
            first, follows = self._kept[0], self._second()
            if first.groups and (follows is None or follows[0].received > from_s):
                break
            if not first.groups and len(self._kept) == 1:
                break
            self._drop()

    def _second(self) -> list[Sample] | None:
        """The second-oldest group."""
        groups = (group for piece in self._kept for group in piece.groups)
        next(groups, None)
        return next(groups, None)

    def _drop(self) -> None:
        """Let go of the oldest group, and of what is left empty by that."""
        first = self._kept[0]
        if first.groups:
            first.groups.popleft()
            size = first.sizes.popleft()
            self._bytes -= size
            self._memory.bytes -= size
        while len(self._kept) > 1 and not self._kept[0].groups:
            self._kept.popleft()

    def _forget(self) -> None:
        self._memory.bytes -= self._bytes
        self._bytes = 0
        self._kept.clear()
