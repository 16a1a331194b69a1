"""From samples to footage: cuts one camera's pictures into fragments and its fragments into segments.

A fragment is one group of pictures, or 2 s, or 4 MiB, whichever ends first (0.5 s when recording begins); a segment is
60 s and begins with a key picture. Segments of a run lie end to end; a format change begins a new one. Footage is never re-encoded (promise I6).
"""

import logging
import secrets

from .archive.archive import Archive
from .archive.recording import Recording
from .clock import Clock
from .fmp4 import Fragmenter, identity_box, init_segment
from .media import VIDEO_CLOCK, Sample, StreamFormat
from .timeline import Timeline

_LOGGER = logging.getLogger(__name__)

FRAGMENT_S = 2.0
#: The first one after recording began is shorter: it is soon known that footage lands.
FIRST_FRAGMENT_S = 0.5
FRAGMENT_BYTES = 4 << 20
SEGMENT_S = 60.0
#: A fragment landed within this time: the camera is recording.
LANDED_S = 10.0


class Recorder:
    """Listens to a camera's feed and records it while the archive accepts it."""

    def __init__(self, camera: str, facility: str, folder: str, archive: Archive, clock: Clock) -> None:
        """Record into `folder` (relative, used when the camera is new to the archive)."""
        self._camera = camera
        self._facility = facility
        self._folder = folder
        self._archive = archive
        self._clock = clock
        self._timeline: Timeline | None = None
        self._run = ""
        self._stream: StreamFormat | None = None
        self._init = b""
        self._fragmenter = Fragmenter()
        self._recording: Recording | None = None
        self._segment_first = 0
        self._end = 0
        self._pictures: list[Sample] = []
        self._audio: list[Sample] = []
        self._size = 0
        self._newest = 0
        #: If recording is switched on again in the same run, the buffered group up to here is not recorded twice.
        self._recorded_to = -1
        self._first = True
        self._closed_us = 0
        self._landed = 0.0
        #: Monotonic time at which the disk was last found too slow; 0: never.
        self.overloaded = 0.0
        #: The newest drop was because of that, and not of a volume that was away.
        self._too_slow = False
        #: Where the newest segment ended, UTC microseconds.
        self._ended_us = 0

    def begin_run(self, timeline: Timeline) -> None:
        """A session begins; its pictures are placed by this timeline."""
        self._finish_segment(None)
        self._timeline = timeline
        self._recorded_to = -1
        self._first = True
        self._run = secrets.token_hex(8)
        self._fragmenter = Fragmenter()

    def on_format(self, stream: StreamFormat) -> None:
        """Another format: another segment, in the same run."""
        self._finish_segment(None)
        self._stream = stream
        try:
            self._init = init_segment(stream)
        except ValueError as error:
            _LOGGER.warning("camera %s: format cannot be recorded: %s", self._camera, error)
            self._stream = None

    def on_sample(self, sample: Sample) -> None:
        """Take the next sample."""
        if sample.audio:
            if self._pictures and len(self._audio) < 4096:
                self._audio.append(sample)
                self._size += sample.size
            return
        recording = self._recording
        if recording is not None and recording.failed:
            self._drop_segment()
            recording = None
        if recording is None:
            if not sample.key or sample.time <= self._recorded_to or not self._begin_segment(sample.time):
                return
        elif self._pictures and self._cut_before(sample):
            self._finish_fragment(sample.time)
            if sample.key and sample.time - self._segment_first >= SEGMENT_S * VIDEO_CLOCK:
                self._finish_segment(sample.time)
                if not self._begin_segment(sample.time):
                    return
        self._pictures.append(sample)
        self._size += sample.size
        self._newest = max(self._newest, sample.time)

    def on_gap(self) -> None:
        """The run ended, or recording was switched off."""
        self._finish_segment(None)
        self._recorded_to = self._newest
        self._first = True

    def flush(self) -> None:
        """Write and sync everything received; recording goes on."""
        if self._recording is not None:
            self._finish_fragment(None)
            self._recording.sync()

    @property
    def has_room(self) -> bool:
        """Whether the archive's queue takes more than what a camera sends by and by."""
        return self._archive.has_room

    @property
    def landed(self) -> float:
        """Monotonic time at which the newest fragment landed; 0 if none has."""
        if self._recording is not None:
            self._landed = max(self._landed, self._recording.landed)
        return self._landed

    @property
    def recorded_s(self) -> float:
        """Seconds of footage since the engine started."""
        return (self._closed_us + (self._recording.duration_us if self._recording else 0)) / 1e6

    def _cut_before(self, sample: Sample) -> bool:
        if sample.key or self._size >= 4 * FRAGMENT_BYTES:
            return True
        most = (FIRST_FRAGMENT_S if self._first else FRAGMENT_S) * VIDEO_CLOCK
        long = sample.time - self._pictures[0].time >= most or self._size >= FRAGMENT_BYTES
        # Only where everything before is also shown before: no group of reordered pictures is cut (C4).
        return long and sample.time > self._newest

    def _begin_segment(self, first: int) -> bool:
        timeline, stream = self._timeline, self._stream
        if timeline is None or stream is None:
            return False
        if not self._archive.accepts(self._camera):
            if self._too_slow:
                # It still is: all of the gap is told as that.
                self.overloaded = self._clock.monotonic()
            return False
        timeline.not_before(self._ended_us)
        start_us = timeline.open_segment(first)
        self._segment_first = self._end = first
        self._newest = first
        self._recording = self._archive.begin(
            self._camera, self._facility, self._folder, self._run, stream.video.codec, self._init,
            identity_box(self._camera, self._run), start_us,
        )  # fmt: skip
        return True

    def _finish_fragment(self, end: int | None) -> None:
        if self._recording is None or self._timeline is None or not self._pictures:
            return
        first = min(sample.time for sample in self._pictures)
        utc_us = self._timeline.open_segment(self._segment_first)
        utc_us += (first - self._segment_first) * 1_000_000 // VIDEO_CLOCK
        fragment = self._fragmenter.build(self._pictures, self._audio, end, utc_us)
        # Durations are told from end to end, so that they add up to the segment's.
        duration_us = (fragment.end - self._end) * 1_000_000 // VIDEO_CLOCK
        self._end = fragment.end
        self._first = False
        self._recording.write(fragment, duration_us)
        self._pictures = []
        self._audio = []
        self._size = 0

    def _finish_segment(self, end: int | None) -> None:
        recording, timeline = self._recording, self._timeline
        if recording is None or timeline is None:
            self._drop_segment()
            return
        self._finish_fragment(end)
        start_us, end_us = timeline.close_segment(self._segment_first, self._end)
        self._landed = self.landed
        self._closed_us += end_us - start_us
        self._ended_us = end_us
        recording.close(start_us, end_us)
        self._recording = None

    def _drop_segment(self) -> None:
        """The archive cannot be written: close what is there; the gap is the time until it can."""
        self._pictures = []
        self._audio = []
        self._size = 0
        if self._recording is not None and self._timeline is not None:
            recording, self._recording = self._recording, None
            self._too_slow = self._archive.volume.writable
            if self._too_slow:
                self.overloaded = self._clock.monotonic()
            self._landed = max(self._landed, recording.landed)
            self._closed_us += recording.duration_us
            start_us, end_us = self._timeline.close_segment(self._segment_first, self._end)
            self._ended_us = end_us
            recording.close(start_us, end_us)
