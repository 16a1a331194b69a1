"""Cuts [start, end) out of a camera's footage as plain MP4, without touching a picture (promise I6).

A clip begins with the key picture at or before its start and ends with the picture that contains its end. Time in the
file is the wall clock's: a hole of up to HOLD_US is bridged by the picture before it, which then lasts until the footage
goes on. After a longer hole, and where the format changes (codec, resolution: few players follow), another file begins,
so a clip is one or several files, each with its own times. What is missing of the asked time is told as gaps.
Blocks: runs in the lane.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
import os
from pathlib import Path
from typing import Any

from .api_footage import Clip, ClipCause, Missing
from .archive.archive import Archive
from .clip_file import ClipError, Name, Part, write
from .fmp4_read import AUDIO, VIDEO, BadFootageError, TrackInit, TrackSamples, begins_sequence, read_fragment, read_init
from .lane import Job
from .media import VIDEO_CLOCK
from .mp4 import Track
from .sources import NoIndexError, Source, init_of, nearest, sources

#: A camera that was connected anew is away for so long; a longer hole would look like a frozen picture.
HOLD_US = 30_000_000
#: Less than this is not told as a gap.
GAP_US = 1_000_000
#: Pictures are reordered over less than this.
_REORDER_US = 500_000
#: A fragment's times in its file and in the index differ by less than this.
_DIFFERS_US = 2_000_000
#: A segment's start is believed rather than the end of the one before if they differ by this (90 kHz).
_PULL = VIDEO_CLOCK // 1000


@dataclass(frozen=True, slots=True)
class Piece:
    """One fragment that was read. `begin_us` is the time of its first picture; `fresh`: what came before is missing;
    `joins`: it may follow other pictures than it did, for it begins everything anew.
    """

    path: Path
    begin_us: int
    samples: dict[int, TrackSamples]
    fresh: bool
    joins: bool


class _Cutter:
    """Puts pieces of footage together to parts of [start, end)."""

    def __init__(self, start_us: int, end_us: int) -> None:
        self._start_us = start_us
        self._end_us = end_us
        self._format = 0
        self._inits: list[TrackInit] = []
        self._run = ""
        self._ended_us = 0
        self.parts: list[Part] = []
        #: Footage that was taken, in UTC microseconds: joined where it lies end to end.
        self.spans: list[tuple[int, int]] = []

    def take(self, source: Source, inits: list[TrackInit], pieces: Iterable[Piece]) -> None:
        """The pieces of the next file, oldest first."""
        part = self.parts[-1] if self.parts else None
        if part is not None and source.format != self._format:
            part = None
        broken = source.run != self._run or source.start_us != self._ended_us
        self._format, self._inits, self._run, self._ended_us = source.format, inits, source.run, source.end_us
        anchor: tuple[int, int] | None = None
        for piece in pieces:
            pictures = piece.samples[1]
            if anchor is None:
                # All times of a file are counted from where its first piece that is used begins.
                anchor = piece.begin_us, pictures.decode + pictures.shifts[0]
            at_us = anchor[0] + (pictures.decode - anchor[1]) * 100 // 9
            if abs(at_us - piece.begin_us) > _DIFFERS_US:
                broken = True  # a damaged time
                continue
            if broken and not pictures.keys[0]:
                continue  # it needs what is missing
            piece, broken = replace(piece, fresh=piece.fresh or broken), False
            part = self._take(part, source, piece, pictures, anchor)

    def _take(
        self, part: Part | None, source: Source, piece: Piece, pictures: TrackSamples, anchor: tuple[int, int]
    ) -> Part | None:
        decode = tuple(accumulate(pictures.durations, initial=pictures.decode))
        times = [time + shift for time, shift in zip(decode, pictures.shifts, strict=False)]

        def utc(time: int) -> int:
            return anchor[0] + (time - anchor[1]) * 100 // 9

        until = max((place for place, time in enumerate(times, 1) if utc(time) < self._end_us), default=0)
        keys = [place for place in range(until) if pictures.keys[place]]
        new = part is None or utc(times[0]) - part.end_us > HOLD_US or (piece.fresh and not piece.joins)
        kept = [(0, until)]
        if new:
            if not keys or utc(times[keys[0]]) >= self._end_us:
                return part
            first = max((place for place in keys if utc(times[place]) <= self._start_us), default=keys[0])
            # Pictures that are shown before the key picture they follow need what is not there.
            kept = _runs([place for place in range(first, until) if times[place] >= times[first]])
            part = Part([Track(init) for init in self._inits], utc(times[first]), offset=-times[first])
            self.parts.append(part)
        if part is None or not until:
            if part is not None and part.run == source.run and not piece.fresh:
                self._end(part, times, utc, taken=False)
            return part
        self._place(part, source, decode[kept[0][0]], anchor, new=new)
        for first, last in kept:
            self._add_pictures(part, piece.path, pictures, decode, first, last)
        self._end(part, times, utc, taken=True)
        taken = [times[place] for first, last in kept for place in range(first, last)]
        self._told(utc(min(taken)), part.end_us)
        if len(part.tracks) > 1 and (sound := piece.samples.get(2)) is not None:
            self._add_sound(part, piece.path, sound)
        return part

    def _end(self, part: Part, times: list[int], utc: Callable[[int], int], *, taken: bool) -> None:
        """Where pictures of this piece lie behind the asked end, the first of them ends what is shown: some may be there
        because others need them.
        """
        track = part.video
        late = [time + part.offset for time in times if utc(time) >= self._end_us]
        if late and (taken or min(late) < part.shown):
            track.shown_until = min(late)
            track.last_duration = max(track.last_duration, min(late) - track.decode[-1])

    def _place(self, part: Part, source: Source, decode: int, anchor: tuple[int, int], *, new: bool) -> None:
        """Where the pieces of this file lie in the part: by the wall clock, but never before what is there."""
        if not new:
            wanted = (anchor[0] - part.start_us) * 9 // 100 - anchor[1]
            if part.run == source.run and abs(wanted - part.offset) < _PULL:
                wanted = part.offset
            part.offset = max(wanted, part.video.decode[-1] + 1 - decode)
        part.run = source.run

    def _add_pictures(
        self, part: Part, path: Path, pictures: TrackSamples, decode: tuple[int, ...], first: int, last: int
    ) -> None:
        track, before = part.video, len(part.video.sizes)
        track.decode.extend(time + part.offset for time in decode[first:last])
        track.shifts.extend(pictures.shifts[first:last])
        track.keys.extend(before + 1 + place - first for place in range(first, last) if pictures.keys[place])
        track.last_duration = decode[last] - decode[last - 1]
        part.add(path, pictures.offset + sum(pictures.sizes[:first]), pictures.sizes[first:last], track)

    def _add_sound(self, part: Part, path: Path, sound: TrackSamples) -> None:
        track = part.tracks[1]
        clock = track.init.clock
        offset = part.offset * clock // VIDEO_CLOCK
        end = (self._end_us - part.start_us) * clock // 1_000_000
        decode = tuple(accumulate(sound.durations, initial=sound.decode))
        if track.decode:
            offset = max(offset, track.decode[-1] + 1 - decode[0])
        kept = _runs([place for place, time in enumerate(decode[:-1]) if 0 <= time + offset < end])
        for first, last in kept:
            track.decode.extend(time + offset for time in decode[first:last])
            track.last_duration = sound.durations[last - 1]
            part.add(path, sound.offset + sum(sound.sizes[:first]), sound.sizes[first:last], track)

    def _told(self, start_us: int, end_us: int) -> None:
        if self.spans and start_us - self.spans[-1][1] <= GAP_US:
            start_us, end_us = self.spans[-1][0], max(self.spans.pop()[1], end_us)
        self.spans.append((start_us, end_us))


def _runs(places: list[int]) -> list[tuple[int, int]]:
    """Numbers that rise, as first and last + 1 of those that follow each other."""
    runs: list[tuple[int, int]] = []
    for place in places:
        if runs and runs[-1][1] == place:
            runs[-1] = runs[-1][0], place + 1
        else:
            runs.append((place, place + 1))
    return runs


def pieces(source: Source, codec: str | None, fd: int, start_us: int, end_us: int) -> Iterator[Piece]:
    """The fragments of a file from the key picture at or before `start_us` on, those that cannot be read left out."""
    begins = list(accumulate((fragment.duration_us for fragment in source.fragments), initial=source.start_us))
    places = list(accumulate((fragment.bytes for fragment in source.fragments), initial=source.first_byte))
    keys = [place for place, fragment in enumerate(source.fragments) if fragment.key]
    if not keys:
        return
    first = max((place for place in keys if begins[place] <= start_us), default=keys[0])
    fresh = first > 0
    for place in range(first, len(source.fragments)):
        if begins[place] >= end_us + _REORDER_US:
            return
        if fresh and not source.fragments[place].key:
            continue
        try:
            samples = read_fragment(fd, places[place], source.fragments[place].bytes)
        except BadFootageError:
            fresh = True
            continue
        pictures = samples.get(1)
        if pictures is None or not _plausible(pictures, source.fragments[place].duration_us):
            fresh = True
            continue
        joins = pictures.keys[0] and begins_sequence(codec, fd, pictures.offset, pictures.sizes[0])
        yield Piece(source.path, begins[place], samples, fresh, joins)
        fresh = False


def _plausible(pictures: TrackSamples, duration_us: int) -> bool:
    """Whether a fragment's times agree with what the index knows of it: a damaged number would tear the whole clip."""
    differs = abs(sum(pictures.durations) * 100 // 9 - duration_us)
    return differs < _DIFFERS_US and all(abs(shift) < 10 * VIDEO_CLOCK for shift in pictures.shifts)


def cut(archive: Archive, camera: str, start_us: int, end_us: int, job: Job[Any]) -> tuple[list[Part], Clip]:
    """What [start_us, end_us) of a camera's footage consists of. Raises ClipError, JobCancelledError, OSError."""
    cutter = _Cutter(start_us, end_us)
    inits: dict[int, list[TrackInit]] = {}
    try:
        # A little more than is asked: pictures before the end may stand behind the next file's first.
        found = sources(archive, camera, start_us, end_us + _REORDER_US)
        for number, source in enumerate(found):
            job.advance(number / len(found) / 10)
            if source.format not in inits:
                inits[source.format] = read_tracks(init_of(archive, source.format))
            tracks = inits[source.format]
            try:
                fd = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # deleted meanwhile: told as a gap
            try:
                cutter.take(source, tracks, pieces(source, tracks[0].codec, fd, start_us, end_us))
            finally:
                os.close(fd)
        if not cutter.parts:
            raise no_footage(archive, camera, start_us)
    except NoIndexError as error:
        raise ClipError(ClipCause.ARCHIVE_AWAY) from error
    gaps = missing(cutter.spans, start_us, end_us)
    return cutter.parts, {"files": [], "gaps": gaps, "open": any(source.open for source in found)}


def read_tracks(init: bytes) -> list[TrackInit]:
    """Pictures, then sound. Raises ClipError."""
    try:
        tracks = read_init(init)
    except BadFootageError as error:
        raise ClipError(ClipCause.FOOTAGE_DAMAGED) from error
    tracks = [one for kind in (VIDEO, AUDIO) for one in tracks if one.handler == kind]
    if not tracks or tracks[0].codec is None:
        raise ClipError(ClipCause.FOOTAGE_DAMAGED)
    return tracks


def no_footage(archive: Archive, camera: str, at_us: int) -> ClipError:
    """The error that names what is nearest. Raises NoIndexError."""
    span = nearest(archive, camera, at_us)
    if span is None:
        return ClipError(ClipCause.NO_FOOTAGE_AT_ALL)
    return ClipError(ClipCause.NO_FOOTAGE, start=str(span[0]), end=str(span[1]))


def missing(spans: list[tuple[int, int]], start_us: int, end_us: int) -> list[Missing]:
    """What of [start_us, end_us) is in none of the spans; less than GAP_US is not told."""
    gaps: list[Missing] = []
    at = start_us
    for start, end in (*spans, (end_us, end_us)):
        if start - at > GAP_US:
            gaps.append({"start": at, "end": min(start, end_us)})
        at = max(at, end)
    return gaps


def make_clip(
    archive: Archive, camera: str, start_us: int, end_us: int, folder: Path, name: Name, job: Job[Any]
) -> Clip:
    """Write [start_us, end_us) into `folder`, which must be there. Raises ClipError, JobCancelledError, OSError."""
    parts, clip = cut(archive, camera, start_us, end_us, job)
    clip["files"] = write(parts, folder, name, job)
    return clip
