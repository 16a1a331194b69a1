"""A day in two minutes: a film of key pictures, evenly chosen over a stretch of footage, none of them decoded.

It lasts about FILM_S however long the stretch is, at MOST_FPS pictures a second at most and LEAST_FPS at least (a short
stretch has few key pictures, and its film is shorter). Where codec or resolution change another file begins, as in clips.
Blocks: runs in the lane.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
import os
from pathlib import Path
from typing import Any

from .api_footage import Clip, ClipCause
from .archive.archive import Archive
from .clip import missing, no_footage, read_tracks
from .clip_file import ClipError, Name, Part, write
from .fmp4_read import BadFootageError, TrackInit, read_fragment
from .lane import Job
from .media import VIDEO_CLOCK
from .mp4 import Track
from .sources import NoIndexError, Source, init_of, sources

FILM_S = 120
MOST_FPS, LEAST_FPS = 25, 5


@dataclass(frozen=True, slots=True)
class _Place:
    """A fragment that begins with a key picture, and when it was recorded."""

    source: Source
    offset: int
    size: int
    begin_us: int


def make_film(
    archive: Archive, camera: str, start_us: int, end_us: int, folder: Path, name: Name, job: Job[Any]
) -> Clip:
    """Write the film of [start_us, end_us) into `folder`, which must be there. Raises ClipError, JobCancelledError, OSError.

    The times of its files are those of the footage they show.
    """
    try:
        found = sources(archive, camera, start_us, end_us)
        chosen = _thinned([place for source in found for place in _keys(source, start_us, end_us)])
        parts = _parts(archive, chosen, job)
        if not parts:
            raise no_footage(archive, camera, start_us)
    except NoIndexError as error:
        raise ClipError(ClipCause.ARCHIVE_AWAY) from error
    files = write(parts, folder, name, job, "film")
    gaps = missing([(source.start_us, source.end_us) for source in found], start_us, end_us)
    return {"files": files, "gaps": gaps, "open": any(source.open for source in found)}


def _keys(source: Source, start_us: int, end_us: int) -> Iterator[_Place]:
    begins = accumulate((fragment.duration_us for fragment in source.fragments), initial=source.start_us)
    offsets = accumulate((fragment.bytes for fragment in source.fragments), initial=source.first_byte)
    for fragment, begin_us, offset in zip(source.fragments, begins, offsets, strict=False):
        # A key picture stands for the time until the next one.
        if fragment.key and begin_us < end_us and begin_us + fragment.duration_us > start_us:
            yield _Place(source, offset, fragment.bytes, begin_us)


def _thinned(places: list[_Place]) -> list[_Place]:
    """As many as the film has room for, evenly."""
    most = FILM_S * MOST_FPS
    if len(places) <= most:
        return places
    return [places[number * len(places) // most] for number in range(most)]


def _parts(archive: Archive, chosen: list[_Place], job: Job[Any]) -> list[Part]:
    """What becomes the files. Pictures that cannot be read are left out."""
    fps = max(LEAST_FPS, len(chosen) / FILM_S)
    duration = round(VIDEO_CLOCK / fps)
    tracks: dict[int, list[TrackInit]] = {}
    parts: list[Part] = []
    path: Path | None = None
    fd = last_format = -1
    try:
        for number, place in enumerate(chosen):
            job.advance(number / len(chosen) / 10)
            source = place.source
            if source.format not in tracks:
                tracks[source.format] = read_tracks(init_of(archive, source.format))
            if source.path != path:
                if fd >= 0:
                    os.close(fd)
                path, fd = source.path, -1
                try:
                    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:
                    continue  # deleted meanwhile
            if fd < 0:
                continue
            try:
                pictures = read_fragment(fd, place.offset, place.size)[1]
            except BadFootageError, KeyError:
                continue
            if source.format != last_format:
                parts.append(Part([Track(tracks[source.format][0])], place.begin_us))
                last_format = source.format
            video = parts[-1].video
            video.decode.append(len(video.sizes) * duration)
            video.keys.append(len(video.sizes) + 1)
            video.last_duration = duration
            parts[-1].add(path, pictures.offset, pictures.sizes[:1], video)
            parts[-1].covers_us = place.begin_us + sum(pictures.durations) * 100 // 9
    finally:
        if fd >= 0:
            os.close(fd)
    return parts
