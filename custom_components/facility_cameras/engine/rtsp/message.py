"""RTSP/1.0 messages (RFC 2326) as cameras write them: any case, any blanks, any line end (CAMERAS.md R1-R4, R28, R29).

Promise I7: a head is bounded at 16 KiB, a body at 128 KiB.
"""

from dataclasses import dataclass, field
import re

HEAD_BYTES = 16 << 10
BODY_BYTES = 128 << 10
_STATUS = re.compile(rb"RTSP/\d+(?:\.\d+)?[ \t]+(\d{3})")
_REQUEST = re.compile(rb"([A-Z_]{3,20})[ \t]+\S+[ \t]+RTSP/")
_HEAD_END = re.compile(rb"\r?\n\r?\n")


class MessageError(ValueError):
    """Not an RTSP message, or one beyond the bounds."""


@dataclass(slots=True)
class Message:
    """An answer (`status` > 0) or a request of the camera's (`method`). Header names are in lower case; a header that
    came several times has several values.
    """

    status: int = 0
    method: str = ""
    headers: dict[str, list[str]] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str:
        """The first value of a header, "" if it is missing."""
        return self.headers.get(name, [""])[0]

    @property
    def sequence(self) -> int | None:
        """CSeq, None where it is missing or no number (R3)."""
        text = self.header("cseq")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None

    @property
    def body_length(self) -> int | None:
        """Content-Length, None where it is missing or no number. Raises MessageError beyond the bound."""
        text = self.header("content-length")
        if not (text.isascii() and text.isdigit()):
            return None
        if len(text) > 9 or int(text) > BODY_BYTES:
            raise MessageError("body too large")
        return int(text)


def find_head(data: bytes, start: int = 0) -> int:
    """Where the head that begins at `start` ends (behind its blank line), -1 if it is not all there yet.

    Raises MessageError if it is longer than the bound.
    """
    match = _HEAD_END.search(data, start, start + HEAD_BYTES)
    if match is None:
        if len(data) - start > HEAD_BYTES:
            raise MessageError("head too long")
        return -1
    return match.end()


def parse_head(head: bytes) -> Message:
    """Read start line and headers. Raises MessageError if the first line is neither an answer's nor a request's."""
    lines = head.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    message = Message()
    if match := _STATUS.match(lines[0]):
        message.status = int(match[1])
    elif match := _REQUEST.match(lines[0]):
        message.method = match[1].decode("ascii")
    else:
        raise MessageError("not RTSP")
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            key = name.strip().decode("latin-1").lower()
            message.headers.setdefault(key, []).append(value.strip().decode("utf-8", "replace"))
    return message


def write_request(method: str, url: str, sequence: int, headers: dict[str, str]) -> bytes:
    """A request as bytes. Header values never hold line ends: they come from us or are dropped."""
    lines = [f"{method} {url} RTSP/1.0", f"CSeq: {sequence}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if "\r" not in value and "\n" not in value]
    return "\r\n".join((*lines, "", "")).encode()


def write_answer(status: int, reason: str, sequence: int | None) -> bytes:
    """An answer to a request of the camera's (R28)."""
    number = f"CSeq: {sequence}\r\n" if sequence is not None else ""
    return f"RTSP/1.0 {status} {reason}\r\n{number}\r\n".encode()
