"""One session's media on their way to the feed: formats put together, times placed on the run's timeline."""

from typing import Protocol

from .clock import Clock
from .feed import Feed
from .media import AudioFormat, Sample, StreamFormat, VideoFormat
from .timeline import Timeline

#: Our own clock stepped by more than this: the run ends, another begins (promise I5).
STEP_S = 1.0
#: Audio this far from its arrival is placed anew.
AUDIO_LEAP_S = 1.0


class Runs(Protocol):
    """Who is told of each run's timeline before its first picture."""

    def begin_run(self, timeline: Timeline) -> None:
        """A run begins."""


class Run:
    """The sink of a session (rtsp/client.py). Nothing reaches the feed before the first key picture."""

    def __init__(self, feed: Feed, runs: Runs, clock: Clock) -> None:
        """Begin a run."""
        self._feed = feed
        self._runs = runs
        self._clock = clock
        self._audio: AudioFormat | None = None
        self._video: VideoFormat | None = None
        self._audio_offset: int | None = None
        self.timeline = self._begin()
        #: Pictures so far, and the newest one's time of receipt (monotonic; 0 before the first).
        self.pictures = 0
        self.newest = 0.0
        self.began = 0.0

    def _begin(self) -> Timeline:
        timeline = Timeline(self._clock.utc() - self._clock.monotonic())
        self._runs.begin_run(timeline)
        self._audio_offset = None
        return timeline

    def on_video_format(self, video: VideoFormat) -> None:
        """Parameter sets are known or changed."""
        self._video = video
        self._feed.begin(StreamFormat(video, self._audio))

    def on_audio_format(self, audio: AudioFormat) -> None:
        """The session brings audio: told before any video."""
        self._audio = audio

    def on_picture(self, sample: Sample) -> None:
        """Place the picture and hand it on."""
        if not self.pictures:
            self.began = sample.received
        self.pictures += 1
        self.newest = sample.received
        sample.time = self.timeline.place(sample.time, sample.received)
        self._feed.push(sample)

    def on_audio(self, sample: Sample) -> None:
        """Place the audio frame by its arrival once, then by its own clock."""
        if not self.pictures or self._audio is None:
            return
        rate = self._audio.sample_rate
        arrival = round(self.timeline.audio_start(sample.received) * rate)
        if self._audio_offset is None or abs(sample.time + self._audio_offset - arrival) > AUDIO_LEAP_S * rate:
            self._audio_offset = arrival - sample.time
        sample.time += self._audio_offset
        self._feed.push(sample)

    def check_clock(self) -> bool:
        """If our own clock stepped, end the run and begin another without a new session. True if it did."""
        if abs(self._clock.utc() - self._clock.monotonic() - self.timeline.utc_offset) <= STEP_S:
            return False
        self._feed.end()
        self.timeline = self._begin()
        if self._video is not None:
            self._feed.begin(StreamFormat(self._video, self._audio))
        return True
