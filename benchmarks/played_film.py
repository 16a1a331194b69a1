"""Plays long scenes (docs/picture-checks.md) to the engine's examiner, on a clock that leaps from look to look.

The worker that judges is a real one. Between two looks a camera sends many groups of pictures that no look reads: only
the newest before each look are sent, and of these only the last two key pictures are really coded. From shortly before
a fault until it is found all is sent.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
import tempfile

from custom_components.facility_cameras.engine.api import PictureState
from custom_components.facility_cameras.engine.feed import Feed
from custom_components.facility_cameras.engine.media import Sample, StreamFormat, VideoFormat
from custom_components.facility_cameras.engine.picture.examiner import Examiner, Settings
from simulator.film_coder import FilmCoder, Key, camera

SETTINGS: Settings = {"sensitivity": "normal", "mask": []}
#: 2026-03-03 00:00 UTC, the day on the films' clocks; and what the monotonic clock said then.
BEGAN_S, MONOTONIC_S = 1_772_496_000, 10_000.0
#: So many groups of pictures are sent before a look.
_GROUPS = 7
#: All is sent from so long before a fault on, and so long afterwards it still may be found, seconds.
_BEFORE_S, LATE_S = 30.0, 600.0
#: The end of a key picture that is made to differ.
_END_BYTES = 64
_PIXELS = 90_000


class FilmClock:
    """Seconds of the film; goes on when it is told to."""

    def __init__(self, second: float) -> None:
        """At this second of the film."""
        self.second = second

    def monotonic(self) -> float:
        """Seconds."""
        return MONOTONIC_S + self.second

    def utc(self) -> float:
        """Seconds since 1970."""
        return BEGAN_S + self.second


@dataclass(slots=True)
class Played:
    """What came of a film. `false`: what was said, and at which second, while nothing was wrong. `found_s`: seconds from
    the fault to its name; None where it was not named. `wrong`: other names that it got.
    """

    kind: str
    seed: int
    truth: str
    harmless_s: float = 0.0
    found_s: float | None = None
    false: list[tuple[float, str]] = field(default_factory=list)
    wrong: list[tuple[float, str]] = field(default_factory=list)
    looks: int = 0
    failed: int = 0


def stream_format(key: Key, width: int, height: int) -> StreamFormat:
    """What a receiver makes of a key picture's parameter sets."""
    found: dict[int, list[bytes]] = {}
    at = 0
    while at < len(key.sets):
        end = at + 4 + int.from_bytes(key.sets[at : at + 4])
        nal = key.sets[at + 4 : end]
        found.setdefault(nal[0] & 0x1F if key.codec == "h264" else nal[0] >> 1 & 0x3F, []).append(nal)
        at = end
    vps, sps, pps = (tuple(found.get(kind, ())) for kind in ((0, 7, 8) if key.codec == "h264" else (32, 33, 34)))
    return StreamFormat(VideoFormat(key.codec, width, height, "", sps, pps, vps))


def push_group(feed: Feed, received: float, parts: list[bytes], between: list[int]) -> None:
    """A key picture, and pictures of which only the sizes are known, all received now."""
    time = round(received * _PIXELS)
    feed.push(Sample(time, received, sum(map(len, parts)), parts, key=True))
    for number, size in enumerate(between, 1):
        feed.push(Sample(time + number * 3600, received, size))


class _Sender:
    """Sends one film into a feed, up to any second."""

    def __init__(self, coder: FilmCoder, feed: Feed, clock: FilmClock) -> None:
        self._coder, self._feed, self._clock = coder, feed, clock
        self._sent = int(clock.second / coder.distance_s) - 1
        film = coder.film
        feed.begin(stream_format(coder.key_picture(clock.second), film.width, film.height))

    def go_on(self, until: float) -> None:
        """Send what comes up to the second `until`, or, near a fault, up to the next key picture."""
        distance, at = self._coder.distance_s, self._coder.film.fault_at
        if at is not None and until > at - _BEFORE_S:
            until = max(self._clock.second, min(until, (self._sent + 1) * distance))
        newest = int(until / distance + 1e-6)
        for number in range(max(self._sent + 1, newest - _GROUPS + 1), newest + 1):
            second = number * distance
            self._clock.second = max(self._clock.second, second)
            parts = (
                [self._coder.key_picture(second).nals]
                if number > newest - 2
                else self._likely(second, newest * distance)
            )
            push_group(self._feed, self._clock.monotonic(), parts, self._coder.between(second))
            self._sent = number
        self._clock.second = max(self._clock.second, until)

    def _likely(self, second: float, newest: float) -> list[bytes]:
        """A key picture that nobody decodes: as the newest two are, and different where they differ."""
        one = self._coder.key_picture(newest).nals
        other = self._coder.key_picture(newest - self._coder.distance_s).nals
        if one[-_END_BYTES:] == other[-_END_BYTES:]:
            return [one]
        chance = Random(f"likely/{second}")
        size = max(_END_BYTES * 2, round(len(one) + chance.uniform(-1, 1) * abs(len(one) - len(other))))
        return [one[: size - _END_BYTES].ljust(size - _END_BYTES, b"\x55"), chance.randbytes(_END_BYTES)]


async def _play(coder: FilmCoder, played: Played, begin: float, end: float, folder: Path) -> None:
    clock, feed = FilmClock(begin), Feed()
    examiner = Examiner(folder, clock)

    def found(_camera: str, state: PictureState | None) -> None:
        if state is None:
            return
        now, said = clock.second, state["status"]
        if not coder.film.failed(now):
            played.false.append((now, said))
        elif said == played.truth:
            played.found_s = now - (coder.film.fault_at or 0.0)
        else:
            played.wrong.append((now, said))

    examiner.on_finding = found
    examiner.add("film", feed, SETTINGS)
    sender = _Sender(coder, feed, clock)
    try:
        while clock.second < end and played.found_s is None:
            wait = await examiner.step()
            if wait:
                sender.go_on(clock.second + wait)
    finally:
        await examiner.close()
    played.harmless_s = min(clock.second, coder.film.fault_at or clock.second) - begin
    played.looks, played.failed = examiner.figures()["looks"], examiner.figures()["failed"]


def play(kind: str, seed: int, begin: float, length: float) -> Played:
    """Play a film: a harmless one for `length` seconds from second `begin` on; of a fault, the `length` seconds before
    it, and until it is found or LATE_S are over.
    """
    coder = camera(seed, kind)
    at = coder.film.fault_at
    played = Played(kind, seed, coder.film.kind.truth)
    start, end = (begin, begin + length) if at is None else (max(0.0, at - length), at + LATE_S)
    with tempfile.TemporaryDirectory(prefix="film-") as folder:
        asyncio.run(_play(coder, played, start, end, Path(folder)))
    return played
