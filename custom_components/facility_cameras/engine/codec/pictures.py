"""From NAL units to pictures: which units belong to one picture, which begin a group, what their parameter sets are.

Cameras disagree with the standards in every detail (CAMERAS.md P3, P6, P7, P9, P12-P14, C1-C11), so this believes what
it sees: a picture ends by the marker bit only if it holds a slice; it also ends when the time changes or the next
picture's first slice arrives; parameter sets and SEI belong to the picture after them; after a loss nothing is handed
on until the next picture at which decoding can begin.

Promise I7 (apart): a unit is bounded at 8 MiB, a picture at 256 units of parameters and 16 MiB.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from ..media import Buffer, Sample, VideoFormat

UNIT_BYTES = 8 << 20
#: Parts of a unit: each costs far more memory than its bytes if they are few.
UNIT_PARTS = 65_536
PICTURE_BYTES = 16 << 20
PICTURE_UNITS = 2048
PARAMETER_BYTES = 4096
#: Without any IDR picture for this many pictures, a recovery point is accepted as the beginning of a group.
RECOVERY_AFTER = 250


class NalKind(NamedTuple):
    """What a NAL unit is."""

    slice: bool = False
    first_slice: bool = False
    key: bool = False
    parameter: bool = False
    suffix: bool = False
    dropped: bool = False
    disposable: bool = False


class PictureBuilder(ABC):
    """Takes RTP payloads in order and calls `on_picture` for each whole picture and `on_format` for each new format.

    A format is told before the key picture from which it holds. Times are handed through as given.
    """

    PARAMETER_KINDS: tuple[int, ...]

    def __init__(self, on_picture: Callable[[Sample], None], on_format: Callable[[VideoFormat], None]) -> None:
        """Begin before the first picture."""
        self._on_picture = on_picture
        self._on_format = on_format
        #: The parts of a NAL unit that arrives in fragments, behind a place for its length; None outside of one.
        self.fragment: list[Buffer] | None = None
        self._middle = b""
        self.unknown_payloads = 0
        #: Pictures dropped because something of them was missing or too large.
        self.damaged = 0
        #: True until a key picture arrives: at the start and after a loss.
        self.waiting = True
        self._parts: list[bytes] = []
        self._units = 0
        self._size = 0
        self._has_slice = False
        self._key = False
        self._disposable = False
        self._recovery = False
        #: What came before is not known: a picture whose first slice does not follow is torn.
        self._holed = True
        self._torn = False
        #: Extended RTP time of the packet before.
        self.time = 0
        self._last_time: int | None = None
        self._marker_lies = False
        self._interlaced = False
        self._now = 0.0
        self._since_key = 0
        self._sets: dict[int, dict[int, bytes]] = {kind: {} for kind in self.PARAMETER_KINDS}
        self._sets_changed = False
        self._format: VideoFormat | None = None
        self._drop_disposable = False

    # What a codec knows -------------------------------------------------------------------------------------------

    @abstractmethod
    def kind(self, first: int) -> int:
        """The NAL unit type in the first byte of a NAL unit."""

    @abstractmethod
    def classify(self, kind: int, second: int, third: int) -> NalKind:
        """What a NAL unit of this type is, given its second and third byte."""

    @abstractmethod
    def parameter_id(self, kind: int, nal: bytes) -> int:
        """The id of a parameter set. Raises ValueError."""

    @abstractmethod
    def make_format(self, sets: dict[int, tuple[bytes, ...]]) -> VideoFormat:
        """The format of the current parameter sets. Raises ValueError."""

    def is_interlaced(self, sps: bytes) -> bool:  # noqa: ARG002  (a codec may know better)
        """Whether fields may occur. Raises ValueError."""
        return False

    def is_recovery_point(self, sei: bytes) -> bool:  # noqa: ARG002  (a codec may know better)
        """Whether this SEI unit says that decoding may begin here."""
        return False

    @abstractmethod
    def payload(self, data: bytes, view: memoryview, start: int, end: int) -> None:
        """Take one RTP payload, data[start:end]; `view` is a view of `data`."""

    # RTP side -----------------------------------------------------------------------------------------------------

    def packet(self, data: bytes, view: memoryview, start: int, end: int, time: int, marker: bool, now: float) -> None:
        """Take the payload of the next RTP packet. `time` is its extended RTP time, `now` monotonic seconds."""
        fragment = self.fragment
        if fragment is not None and time == self.time and not marker and data.startswith(self._middle, start, end):
            fragment.append(view[start + len(self._middle) : end])  # nine of ten: the middle of a fragmented unit
            return
        if time != self.time:
            if self.fragment is not None:
                self.lost()
            elif self._has_slice:
                self._finish()
            self.time = time
        self._now = now
        self.payload(data, view, start, end)
        if marker and self._has_slice and not self._marker_lies and not self._interlaced and self.fragment is None:
            self._finish()

    def lost(self) -> None:
        """Packets are missing: nothing is glued over the hole (P3)."""
        self.fragment = None
        self._clear()
        self.damaged += 1
        self.waiting = self._holed = True

    def check_bounds(self) -> None:
        """Give up a unit that never ends. Called after each read: between two reads not more than one read can come."""
        fragment = self.fragment
        if fragment is not None and (len(fragment) > UNIT_PARTS or sum(map(len, fragment)) > UNIT_BYTES):
            self.lost()

    def parameter_sets(self, nals: list[bytes]) -> None:
        """Take parameter sets that came by another way (SDP). Those that came in band win (S3)."""
        for nal in nals:
            for unit in split_annex_b(nal):
                if unit and self.kind(unit[0]) in self.PARAMETER_KINDS:
                    self._take_parameter(self.kind(unit[0]), unit, replace=False)

    # NAL side -----------------------------------------------------------------------------------------------------

    def begin_fragment(self, header: bytes, rest: Buffer, middle: bytes) -> None:
        """The first fragment of a NAL unit, its header rebuilt. `middle` begins each payload between first and last."""
        if self.fragment is not None:
            self.lost()
        self.fragment = [b"\0\0\0\0", header, rest]
        self._middle = middle

    def end_fragment(self) -> None:
        """The last fragment of a NAL unit has been appended."""
        parts, self.fragment = self.fragment, None
        if parts is None:
            return
        size = sum(map(len, parts)) - 4
        if size > UNIT_BYTES:
            self.lost()
            return
        if size < 2:
            return  # P12: start and end in one fragment, and nothing in it
        # Put together while it is in the processor's cache; what was read is free again.
        parts[0] = size.to_bytes(4)
        unit = b"".join(parts)
        found = self.classify(self.kind(unit[4]), unit[5], unit[6] if size > 2 else 0)
        if found.slice:
            self._slice(found, unit)
        else:
            # Some cameras send a whole byte stream under the name of a parameter set (P13).
            self.whole(unit, 4, size + 4)

    def whole(self, data: bytes, start: int, end: int) -> None:
        """A NAL unit that came in one piece, data[start:end]; it may hold a byte stream with start codes (P13)."""
        if data.find(b"\x00\x00\x01", start, end) >= 0:
            for unit in split_annex_b(data[start:end]):
                self._whole_unit(unit)
        else:
            self._whole_unit(data[start:end])

    def _whole_unit(self, nal: bytes) -> None:
        size = len(nal)
        if size < 2:
            return
        kind = self.kind(nal[0])
        found = self.classify(kind, nal[1], nal[2] if size > 2 else 0)
        if found.slice:
            self._slice(found, size.to_bytes(4) + nal)
        elif found.parameter:
            self._before_picture()
            self._take_parameter(kind, nal, replace=True)
        elif found.suffix:
            if self._has_slice:
                self._append(size.to_bytes(4) + nal)
        elif not found.dropped:
            self._before_picture()
            if not self._recovery and self.is_recovery_point(nal):
                self._recovery = True
            self._append(size.to_bytes(4) + nal)

    def _before_picture(self) -> None:
        """A unit that belongs to the next picture has come: the one under way is whole."""
        if self._has_slice and not self._interlaced and not self._marker_lies:
            self._finish()

    def _slice(self, found: NalKind, unit: bytes) -> None:
        """Take a whole slice, its length before it."""
        if self._has_slice:
            if found.first_slice and not self._interlaced:
                self._finish()
        elif found.first_slice:
            self._holed = False
        elif self._holed:
            self._torn = True
        elif self.time == self._last_time:
            # The rest of a picture that a marker ended too early: from now on only the time ends a picture.
            self._marker_lies = True
            self.damaged += 1
            self.waiting = True
        self._has_slice = True
        self._key = self._key or found.key
        self._disposable = self._disposable or found.disposable
        self._append(unit)

    def _append(self, unit: bytes) -> None:
        self._units += 1
        if self._size + len(unit) > PICTURE_BYTES or self._units > PICTURE_UNITS:
            self.lost()
            return
        self._parts.append(unit)
        self._size += len(unit)

    def _take_parameter(self, kind: int, nal: bytes, *, replace: bool) -> None:
        nal = nal.rstrip(b"\x00")
        if not 3 < len(nal) <= PARAMETER_BYTES:
            return
        try:
            number = self.parameter_id(kind, nal)
        except ValueError:
            return
        known = self._sets[kind]
        if known.get(number) == nal or (not replace and number in known) or number > 255:
            return
        known[number] = nal
        self._sets_changed = True

    def _finish(self) -> None:
        """The picture under way is whole: hand it on if it can be decoded."""
        if self._torn:
            self._holed = False
            self.damaged += 1
            self.waiting = True
            self._clear()
            return
        if self._recovery and not self._key and self._since_key >= RECOVERY_AFTER:
            self._key = True
        if self._key:
            self._since_key = 0
            if self._sets_changed:
                self._renew_format()
            if self._format is None:
                self._clear()
                return
            self._drop_disposable = self.waiting
            self.waiting = False
        else:
            self._since_key += 1
            if not self._disposable:
                self._drop_disposable = False
        self._last_time = self.time
        if self.waiting or (self._disposable and self._drop_disposable):
            self._clear()
            return
        sample = Sample(
            time=self.time,
            received=self._now,
            size=self._size,
            parts=self._parts,
            key=self._key,
            disposable=self._disposable,
        )
        self._parts = []
        self._clear()
        self._on_picture(sample)

    def _renew_format(self) -> None:
        if not all(self._sets.values()):
            return
        sets = {kind: tuple(known[number] for number in sorted(known)) for kind, known in self._sets.items()}
        try:
            renewed = self.make_format(sets)
            self._interlaced = self.is_interlaced(renewed.sps[0])
        except ValueError:
            return
        self._sets_changed = False
        if renewed != self._format:
            self._format = renewed
            self._on_format(renewed)

    def _clear(self) -> None:
        if self._parts:
            self._parts = []
        self._size = self._units = 0
        self._has_slice = self._key = self._disposable = self._recovery = self._torn = False


def split_annex_b(data: bytes) -> list[bytes]:
    """The NAL units of a byte stream with start codes (ISO/IEC 14496-10 annex B); one without any is one unit."""
    units = []
    position = 0
    while position < len(data):
        following = data.find(b"\x00\x00\x01", position)
        if following < 0:
            units.append(data[position:])
            break
        if unit := data[position:following].rstrip(b"\x00"):
            units.append(unit)
        position = following + 3
    return [unit for unit in units if unit]
