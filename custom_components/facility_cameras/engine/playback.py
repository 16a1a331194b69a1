"""HLS media playlists over footage: which bytes of which file play a stretch of time.

Pure functions: index rows in, text out. What is promised: every media segment begins where decoding can begin, lasts at
least GROUP_US if the file goes on so long, and is the same however the asked time moves; a hole in the footage, another
format and another run are a discontinuity, nothing else is. Decode times inside the files must go on from one segment
of a run to the next. A playlist that still grows only ever gains lines at its end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

#: Short fragments are put together up to this duration: fewer requests, and browsers like it.
GROUP_US = 4_000_000
#: The announced greatest duration of a playlist that grows: what may come is not known, and it should not change.
GROWING_TARGET_S = 10

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Fragment:
    """One moof + mdat. `key`: decoding can begin at its first picture."""

    bytes: int
    duration_us: int
    key: bool


@dataclass(frozen=True, slots=True)
class PlaySegment:
    """One file of footage as the index knows it: `init_bytes` of ftyp + moov, then its finished fragments in a row.

    Times are UTC microseconds. `open`: it is still being written.
    """

    id: int
    format_id: int
    start_us: int
    end_us: int
    open: bool
    init_bytes: int
    fragments: Sequence[Fragment]


@dataclass(frozen=True, slots=True)
class _Group:
    """Fragments in a row that are fetched as one. `offset` is in bytes from the beginning of the file."""

    offset: int
    bytes: int
    start_us: int
    duration_us: int


def playlist(segments: Sequence[PlaySegment], start_us: int, end_us: int) -> str | None:
    """What plays the footage in [start_us, end_us): a media playlist, or None if there is none.

    `segments` are those that overlap, oldest first. It is an EVENT without an end while the last segment is open and
    the asked time reaches beyond it; a player then asks again.
    """
    growing = bool(segments) and segments[-1].open and end_us > segments[-1].end_us
    lines: list[str] = []
    longest_us = 0
    before: PlaySegment | None = None
    for segment in segments:
        first = True
        for group in _groups(segment, only_final=growing and segment.open):
            if group.start_us >= end_us or group.start_us + group.duration_us <= start_us:
                continue
            if first:
                lines += _opening(segment, before, group)
                before = segment
                first = False
            longest_us = max(longest_us, group.duration_us)
            lines += (
                f"#EXTINF:{group.duration_us / 1e6:.6f},",
                f"#EXT-X-BYTERANGE:{group.bytes}@{group.offset}",
                f"segment-{segment.id}.mp4",
            )
    if not lines:
        return None
    target_s = max(1, (longest_us + 500_000) // 1_000_000)
    head = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(target_s, GROWING_TARGET_S) if growing else target_s}",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{'EVENT' if growing else 'VOD'}",
    ]
    if growing:
        # Without it a player would begin at the newest footage, as it does for live television.
        head.append("#EXT-X-START:TIME-OFFSET=0,PRECISE=YES")
    tail = [] if growing else ["#EXT-X-ENDLIST"]
    return "\n".join([*head, *lines, *tail, ""])


def _opening(segment: PlaySegment, before: PlaySegment | None, group: _Group) -> Iterator[str]:
    """What stands before the first group of a file."""
    new_format = before is None or before.format_id != segment.format_id
    if before is not None and (new_format or before.end_us != segment.start_us):
        yield "#EXT-X-DISCONTINUITY"
    if new_format:
        yield f'#EXT-X-MAP:URI="init-{segment.format_id}.mp4"'
    time = _EPOCH + timedelta(microseconds=group.start_us)
    yield f"#EXT-X-PROGRAM-DATE-TIME:{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"


def _groups(segment: PlaySegment, *, only_final: bool) -> Iterator[_Group]:
    """The fragments of a file put together; the last group, which may still grow, is left out if `only_final`."""
    offset = segment.init_bytes
    start_us = segment.start_us
    size = duration_us = 0
    for fragment in segment.fragments:
        if size and fragment.key and duration_us >= GROUP_US:
            yield _Group(offset, size, start_us, duration_us)
            offset += size
            start_us += duration_us
            size = duration_us = 0
        size += fragment.bytes
        duration_us += fragment.duration_us
    if size and not only_final:
        yield _Group(offset, size, start_us, duration_us)
