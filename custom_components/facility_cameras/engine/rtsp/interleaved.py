"""Interleaved frames (RFC 2326 section 10.12): cuts what one read brought into RTP, RTCP and RTSP messages.

Promise I7: garbage between frames is passed over and counted (P5); after 1 MiB of it the session is given up. A frame is
believed only if its channel is known and it looks like RTP or RTCP.
"""

from collections.abc import Callable
from struct import Struct

from .message import BODY_BYTES, Message, MessageError, find_head, parse_head

GARBAGE_BYTES = 1 << 20
_DOLLAR = 0x24
_HEADER = Struct(">BBH")
#: How requests of a camera's begin.
_REQUESTS = (b"OPTI", b"GET_", b"SET_", b"ANNO", b"REDI", b"TEAR", b"DESC")

type OnFrame = Callable[[bytes, memoryview, int, int], None]


class Demultiplexer:
    """Takes what was read and calls, in order, the function of a frame's channel or `on_message`."""

    def __init__(self, on_message: Callable[[Message], None]) -> None:
        """Begin with no channel known."""
        self._channels: dict[int, OnFrame] = {}
        self._on_message = on_message
        self._rest = b""
        #: True while nothing that can be believed followed garbage.
        self._lost = False
        #: Bytes passed over because they were neither a frame nor a message.
        self.garbage = 0
        #: Frames of channels that were never set up (R19).
        self.unknown_frames = 0

    def channel(self, number: int, on_frame: OnFrame) -> None:
        """From now on hand frames of this channel to `on_frame(data, view, start, end)`."""
        self._channels[number] = on_frame

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises MessageError if this cannot be a session of a camera any more."""
        position = 0
        if self._rest:
            # Nearly every read ends within a frame. Only that frame is put together, not all that came with it.
            missing = self._missing()
            if 0 < missing <= len(data):
                first, self._rest, position = self._rest + data[:missing], b"", missing
                kept = self._cut(first, 0)
                if kept < len(first):
                    data, position = first[kept:] + data[missing:], 0
            else:
                data = self._rest + data
        self._rest = data[self._cut(data, position) :]
        if len(self._rest) > (64 << 10) + 4 + BODY_BYTES:
            raise MessageError("a message that never ends")

    def _missing(self) -> int:
        """Bytes that the frame at the beginning of the rest still needs; 0 if it is none of a known channel."""
        rest = self._rest
        if len(rest) < 5 or rest[0] != _DOLLAR or rest[1] not in self._channels:
            return 0
        return 4 + (rest[2] << 8 | rest[3]) - len(rest)

    def _cut(self, data: bytes, position: int) -> int:
        """Hand on every whole frame and message from `position` on; returns where the rest begins."""
        view = memoryview(data)
        end = len(data)
        channels = self._channels
        unpack = _HEADER.unpack_from
        while position + 4 <= end:
            dollar, channel, length = unpack(data, position)
            start = position + 4
            if dollar == _DOLLAR and (on_frame := channels.get(channel)) is not None:
                following = start + length
                if following > end:
                    # Not whole yet; if its first bytes are there they must look like RTP or RTCP.
                    if start < end and length and data[start] & 0xC0 != 0x80:
                        position = self._pass_over(data, position)
                        continue
                    break
                if length < 4 or data[start] & 0xC0 != 0x80:
                    # Empty frames are sent by some as a sign of life.
                    empty = length == 0 and not self._lost
                    position = following if empty else self._pass_over(data, position)
                    continue
                self._lost = False
                on_frame(data, view, start, following)
                position = following
                continue
            passed = self._other(data, position)
            if passed < 0:
                break
            position = passed
        return position

    def _other(self, data: bytes, position: int) -> int:
        """Pass what is not a frame of a known channel. Returns the new position, -1 if more bytes are needed."""
        first = data[position]
        if first in (0x0D, 0x0A) and not self._lost:
            return position + 1
        if first == _DOLLAR and not self._lost:
            length = data[position + 2] << 8 | data[position + 3]
            end = position + 4 + length
            if data[position + 1] < 32 and length >= 8:
                if position + 5 > len(data):
                    return -1
                if data[position + 4] & 0xC0 == 0x80:
                    if end > len(data):
                        return -1
                    self.unknown_frames += 1
                    return end
        elif data.startswith(b"RTSP", position) or (not self._lost and data.startswith(_REQUESTS, position)):
            return self._message(data, position)
        return self._pass_over(data, position)

    def _message(self, data: bytes, position: int) -> int:
        try:
            head_end = find_head(data, position)
            if head_end < 0:
                return -1
            message = parse_head(data[position:head_end])
            end = head_end + (message.body_length or 0)
        except MessageError:
            return self._pass_over(data, position)
        if end > len(data):
            return -1
        message.body = data[head_end:end]
        self._lost = False
        self._on_message(message)
        return end

    def _pass_over(self, data: bytes, position: int) -> int:
        """Pass at least one byte, up to where a frame of a known channel or an answer could begin (P5).

        What cannot be told yet, at the end of the data, is left for the next read.
        """
        self._lost = True
        passed = position + 1
        while True:
            dollar = data.find(b"$", passed)
            text = data.find(b"RTSP", passed, dollar if dollar >= 0 else len(data))
            if text >= 0:
                passed = text
                break
            if dollar < 0:
                # Keep three bytes: an answer may begin in them.
                passed = max(passed, len(data) - 3)
                break
            passed = dollar
            if dollar + 4 >= len(data) or (data[dollar + 1] in self._channels and data[dollar + 4] & 0xC0 == 0x80):
                break
            passed = dollar + 1
        self.garbage += passed - position
        if self.garbage > GARBAGE_BYTES:
            raise MessageError("garbage without end")
        return passed
