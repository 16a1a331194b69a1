"""HLS media playlists over footage: which bytes of which file play a stretch of time.

Pure functions: index rows in, text out. What is promised: every media segment begins where decoding can begin, lasts at
least GROUP_US if the file goes on so long, and is the same however the asked time moves; a hole in the footage, another
format and another run are a discontinuity, nothing else is. The durations of a closed file's media segments add up to
its time in the index, so that what plays is as long as what the timeline shows. Decode times inside the files must go
on from one segment of a run to the next. A playlist that still grows only ever gains lines at its end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

#: Short fragments are put together up to this duration: fewer requests, and browsers like it.
GROUP_US = 4_000_000
#: The announced greatest duration of a playlist that grows: what may come is not known, and it should not change.
GROWING_TARGET_S = 10

#: UTC; without a zone, for `isoformat` adds it otherwise.
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001


class Fragment(NamedTuple):
    """One moof + mdat. `key`: decoding can begin at its first picture."""

    bytes: int
    duration_us: int
    key: bool


@dataclass(frozen=True, slots=True)
class PlaySegment:
    """One file of footage as the index knows it: `init_bytes` of ftyp + moov, then its finished fragments in a row.

    Times are UTC microseconds. `open`: it is still being written. `fragments` (bytes, duration, key) are read once.
    Decode times go on within a `run`.
    """

    id: int
    run: int
    format_id: int
    start_us: int
    end_us: int
    open: bool
    init_bytes: int
    fragments: Iterable[tuple[int, int, bool]]


def playlist(segments: Sequence[PlaySegment], start_us: int, end_us: int) -> str | None:
    """What plays the footage in [start_us, end_us): a media playlist, or None if there is none.

    `segments` are those that overlap, oldest first. It is an EVENT without an end while the last segment is open and
    the asked time reaches beyond it; a player then asks again. Where nothing of such a list is final yet, it is what
    there is by now, with an end. A player begins at `start_us`, also where decoding has to begin earlier.
    """
    ordered = _runs_whole(segments)
    if ordered and ordered[-1].open and end_us > ordered[-1].end_us:
        newest = replace(ordered[-1], fragments=tuple(ordered[-1].fragments))
        growing = _Playlist(start_us, end_us, growing=True)
        growing.add([*ordered[:-1], newest])
        if growing.lines:
            return growing.text()
        ordered = [newest]
    found = _Playlist(start_us, end_us, growing=False)
    found.add(ordered)
    return found.text() if found.lines else None


def _runs_whole(segments: Sequence[PlaySegment]) -> list[PlaySegment]:
    """The same, but where times overlap (our clock was set back) one recording after the other, not in turn."""
    rows: list[list[PlaySegment]] = []
    ends: dict[int, list[PlaySegment]] = {}
    for segment in segments:
        row = ends.pop(segment.start_us, None)
        if row is None:
            row = []
            rows.append(row)
        row.append(segment)
        ends[segment.end_us] = row
    # What is still written goes on at the end.
    rows.sort(key=lambda row: row[-1].open)
    return [segment for row in rows for segment in row]


class _Playlist:
    """A playlist while it is put together."""

    def __init__(self, start_us: int, end_us: int, *, growing: bool) -> None:
        self.lines: list[str] = []
        self._start_us = start_us
        self._end_us = end_us
        self._growing = growing
        self._begins_us = 0
        #: What stands before the size of a group, by its duration: most of a camera's last equally long.
        self._heads: dict[int, str] = {}

    def add(self, segments: Iterable[PlaySegment]) -> None:
        """Add what overlaps. Fast: a day is 1,440 files of 30 fragments."""
        before: PlaySegment | None = None
        for segment in segments:
            added = len(self.lines)
            group_us = self._add_groups(segment)
            if group_us is not None:
                self.lines.insert(added, _opening(segment, before, group_us))
                if before is None:
                    self._begins_us = group_us
                before = segment

    def _add_groups(self, segment: PlaySegment) -> int | None:
        """Put the fragments of a file together. Returns the start of its first group that overlaps.

        The last group is left out where it may still grow.
        """
        first_us: int | None = None
        name = f"\nsegment-{segment.id}.mp4"
        offset = segment.init_bytes
        group_us = segment.start_us
        # A group that ends at or before `start_us` is not played.
        earliest_us, end_us = self._start_us, self._end_us
        lines, heads = self.lines, self._heads
        size = duration_us = 0
        for fragment_bytes, fragment_us, key in segment.fragments:
            if duration_us >= GROUP_US and key:
                if group_us + duration_us > earliest_us and group_us < end_us:
                    if first_us is None:
                        first_us = group_us
                    head = heads.get(duration_us) or self._head(duration_us)
                    lines.append(f"{head}{size}@{offset}{name}")
                offset += size
                group_us += duration_us
                size = duration_us = 0
            size += fragment_bytes
            duration_us += fragment_us
        # A drifting camera clock is pulled to ours by some milliseconds a file: here they are.
        duration_us = max(segment.end_us - group_us, 1)
        if size and not (self._growing and segment.open) and group_us + duration_us > earliest_us and group_us < end_us:
            lines.append(f"{self._head(duration_us)}{size}@{offset}{name}")
            return group_us if first_us is None else first_us
        return first_us

    def _head(self, duration_us: int) -> str:
        head = self._heads[duration_us] = f"#EXTINF:{duration_us / 1e6:.6f},\n#EXT-X-BYTERANGE:"
        return head

    def text(self) -> str:
        """All of it. There must be lines."""
        target_s = max(1, (max(self._heads) + 500_000) // 1_000_000)
        head = [
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            f"#EXT-X-TARGETDURATION:{max(target_s, GROWING_TARGET_S) if self._growing else target_s}",
            "#EXT-X-MEDIA-SEQUENCE:0",
            f"#EXT-X-PLAYLIST-TYPE:{'EVENT' if self._growing else 'VOD'}",
        ]
        late_us = max(self._start_us - self._begins_us, 0)
        if self._growing or late_us:
            # Without it a player of a list that grows would begin at the newest footage, as it does for live television.
            head.append(f"#EXT-X-START:TIME-OFFSET={late_us / 1e6:.6f},PRECISE=YES")
        tail = [] if self._growing else ["#EXT-X-ENDLIST"]
        return "\n".join([*head, *self.lines, *tail, ""])


def _opening(segment: PlaySegment, before: PlaySegment | None, group_us: int) -> str:
    """What stands before the first group of a file."""
    lines = []
    new_format = before is None or before.format_id != segment.format_id
    if before is not None and (new_format or before.run != segment.run or before.end_us != segment.start_us):
        lines.append("#EXT-X-DISCONTINUITY")
    if new_format:
        lines.append(f'#EXT-X-MAP:URI="init-{segment.format_id}.mp4"')
    time = _EPOCH + timedelta(microseconds=group_us)
    lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{time.isoformat(timespec='milliseconds')}Z")
    return "\n".join(lines)
