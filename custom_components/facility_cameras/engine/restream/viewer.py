"""One who looks live: takes samples from a feed and writes them to a connection.

Promises: what a viewer gets is one continuous stream, whatever the camera does: numbers and times only rise, a camera
that comes back goes on where it stopped. A viewer is never waited for: one that takes too little is dropped (promise I7:
apart). Something is sent every few seconds even when the camera sends nothing.
"""

from asyncio import WriteTransport
import logging
import secrets
import time

from ..clock import NTP_EPOCH
from ..feed import Feed
from ..media import VIDEO_CLOCK, Buffer, Sample, StreamFormat
from .rtp_send import AUDIO_TYPE, VIDEO_TYPE, Track, add_audio, add_video

_LOGGER = logging.getLogger(__name__)

#: What may wait for a viewer, besides the group of pictures it began with.
WAITING_BYTES = 8 << 20
#: A viewer that has let more than BEHIND_BYTES wait for so long is too slow.
BEHIND_S = 5.0
BEHIND_BYTES = 1 << 20
#: Home Assistant gives up a stream whose times leap by 30 s: a longer break is shown as one of a second.
BREAK_S_MAX = 20.0
BREAK_S_SHORT = 1.0
_BREAK_S_MIN = 0.04
#: Pictures that are shown before a key picture but come after it are not further from it than this.
_LEADING_TICKS = 2 * VIDEO_CLOCK

_MASK = 0xFFFFFFFF


def new_track(payload_type: int, channel: int, control_channel: int) -> Track:
    """A track with numbers that nobody can guess, as RFC 3550 wants."""
    return Track(
        channel, control_channel, payload_type, secrets.randbits(32), secrets.randbits(16), secrets.randbits(32)
    )


class Viewer:
    """A listener of one feed. Position: ticks of 90 kHz since this viewer's first picture."""

    def __init__(self, camera_id: str, feed: Feed, stream: StreamFormat, transport: WriteTransport) -> None:
        """`stream` is what was described to the viewer."""
        self.camera_id = camera_id
        self.feed = feed
        self.tracks: dict[str, Track] = {}
        self.playing = False
        self._stream = stream
        self._sets = _parameter_sets(stream)
        self._transport = transport
        self._limit = WAITING_BYTES
        self._behind_since: float | None = None
        #: Nothing is sent before a picture with which decoding can begin, nor what is shown before that one.
        self._waiting = True
        self._floor = 0
        #: Time of the run at position 0; None until the next picture sets it.
        self._base: int | None = None
        self._newest = 0
        self._highest = 0
        self._newest_received = 0.0
        self._ntp = 0

    def set_up(self, name: str, channel: int, control_channel: int) -> None:
        """The viewer wants the track `name`."""
        self.tracks[name] = new_track(VIDEO_TYPE if name == "video" else AUDIO_TYPE, channel, control_channel)

    def play(self, *, probes: bool) -> None:
        """Begin, with the group of pictures that is buffered in one burst.

        `probes`: it shows nothing before it has looked at some 25 pictures (libav), so it gets older groups too.
        """
        self.playing = True
        self._ntp = int((time.time() + NTP_EPOCH) * (1 << 32))
        if self.feed.format is not None:
            self.on_format(self.feed.format)
        self.feed.add(self, live=True)
        out: list[Buffer] = []
        for group in (*(self.feed.before if probes else ()), self.feed.group):
            for sample in group:
                self._add(out, sample)
        self._limit = WAITING_BYTES + sum(map(len, out))
        self._write([*self._reports(0), *out])

    def stop(self) -> None:
        """Take nothing more from the feed."""
        if self.playing:
            self.playing = False
            self.feed.remove(self, live=True)

    def tick(self, now: float) -> None:
        """Every 2 s or so; `now` is monotonic. A sender report goes out, or the viewer if it is behind for too long."""
        if self._transport.get_write_buffer_size() <= BEHIND_BYTES:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = now
        elif now - self._behind_since >= BEHIND_S:
            self._drop()
            return
        self._write(self._reports(self._newest))

    def on_format(self, stream: StreamFormat) -> None:
        """New parameter sets go before the next key picture; what the description cannot tell ends the session."""
        old = self._stream
        if stream.video.codec != old.video.codec or ("audio" in self.tracks and stream.audio != old.audio):
            _LOGGER.info("Camera %s now sends another codec: a viewer has to open it anew", self.camera_id)
            self._transport.close()
            return
        self._stream = stream
        self._sets = _parameter_sets(stream)
        self._waiting = True

    def on_sample(self, sample: Sample) -> None:
        """Hand it on."""
        out: list[Buffer] = []
        self._add(out, sample)
        if out:
            self._write(out)

    def on_gap(self) -> None:
        """The next run has times of its own."""
        self._waiting = True
        self._base = None

    def _add(self, out: list[Buffer], sample: Sample) -> None:
        if sample.audio:
            self._add_audio(out, sample)
            return
        if self._waiting:
            if not sample.key:
                return
            self._waiting = False
            self._floor = sample.time
        elif 0 < self._floor - sample.time < _LEADING_TICKS:
            # Shown before the one we began with, it may need those before that.
            return
        position = self._place(sample)
        if (track := self.tracks.get("video")) is not None:
            sets = self._sets if sample.key else ()
            timestamp = (track.first_timestamp + position) & _MASK
            add_video(out, track, sample, self._stream.video.codec, sets, timestamp)

    def _add_audio(self, out: list[Buffer], sample: Sample) -> None:
        track, audio = self.tracks.get("audio"), self._stream.audio
        if self._waiting or self._base is None or track is None or audio is None:
            return
        timestamp = track.first_timestamp + sample.time - self._base * audio.sample_rate // VIDEO_CLOCK
        add_audio(out, track, sample, timestamp & _MASK)

    def _place(self, sample: Sample) -> int:
        """The sample's position. After a break, or at a leap of the camera's times, it follows the clock on the wall."""
        leap = self._base is not None and abs(sample.time - self._base - self._newest) > BREAK_S_MAX * VIDEO_CLOCK
        if self._base is None or leap:
            begun = self._newest_received > 0
            break_s = sample.received - self._newest_received
            if break_s > BREAK_S_MAX:
                break_s = BREAK_S_SHORT
            at = self._highest + round(max(break_s, _BREAK_S_MIN) * VIDEO_CLOCK) if begun else 0
            self._base = sample.time - at
        self._newest = sample.time - self._base
        self._highest = max(self._highest, self._newest)
        self._newest_received = sample.received
        return self._newest

    def _reports(self, position: int) -> list[Buffer]:
        """A sender report for each track, which all tell the same: position and time run together."""
        ntp = self._ntp + (position << 32) // VIDEO_CLOCK
        reports: list[Buffer] = []
        for name, track in self.tracks.items():
            audio = self._stream.audio
            rate = audio.sample_rate if name == "audio" and audio else VIDEO_CLOCK
            reports.append(track.report(ntp, (track.first_timestamp + position * rate // VIDEO_CLOCK) & _MASK))
        return reports

    def _write(self, out: list[Buffer]) -> None:
        if self._transport.is_closing():
            return
        self._transport.writelines(out)
        if self._transport.get_write_buffer_size() > self._limit:
            self._drop()

    def _drop(self) -> None:
        _LOGGER.warning("A viewer of camera %s takes its pictures too slowly and was dropped", self.camera_id)
        self._transport.abort()


def _parameter_sets(stream: StreamFormat) -> tuple[bytes, ...]:
    return (*stream.video.vps, *stream.video.sps, *stream.video.pps)
