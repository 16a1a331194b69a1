"""RTSP/1.0 requests as a server reads them, with a bound for everything (promise I7: apart)."""

from asyncio import IncompleteReadError, LimitOverrunError, StreamReader
from dataclasses import dataclass
import re
from urllib.parse import unquote, urlsplit

HEAD_BYTES = 8 << 10
BODY_BYTES = 4 << 10
_LINES_MAX = 64
_METHOD = re.compile(r"[A-Za-z_]{1,32}")


class BadRequestError(Exception):
    """What came is no RTSP, or too much of it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Names of headers are in lower case; `cseq` is what to echo."""

    method: str
    url: str
    headers: dict[str, str]

    @property
    def cseq(self) -> str:
        """The request's number, as the client wrote it."""
        return self.headers.get("cseq", "0")

    def target(self) -> tuple[str, str]:
        """(camera id, name of the track or empty), from the path. Raises BadRequestError."""
        try:
            path = urlsplit(self.url).path
        except ValueError as error:
            raise BadRequestError("no URL") from error
        camera_id, _, track = path.strip("/").partition("/")
        return unquote(camera_id), track

    def base(self) -> str:
        """The camera's URL without user and password, to which names of tracks are added. Raises BadRequestError."""
        try:
            parts = urlsplit(self.url)
        except ValueError as error:
            raise BadRequestError("no URL") from error
        return f"rtsp://{parts.netloc.rpartition('@')[2]}/{parts.path.strip('/').partition('/')[0]}/"


async def read_request(reader: StreamReader) -> Request | None:
    """The next request; interleaved packets of the viewer are passed over. None when the viewer has gone.

    Raises BadRequestError. The reader's limit must be HEAD_BYTES.
    """
    try:
        while True:
            first = await reader.readexactly(1)
            if first == b"$":
                head = await reader.readexactly(3)
                await reader.readexactly(int.from_bytes(head[1:]))
            elif first not in b"\r\n":
                break
        request = parse(first + await reader.readuntil(b"\r\n\r\n"))
        length = request.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit() and len(length) < 8 and int(length) <= BODY_BYTES):
            raise BadRequestError("body too long")
        await reader.readexactly(int(length))
    except LimitOverrunError as error:
        raise BadRequestError("head too long") from error
    except IncompleteReadError, ConnectionError:
        return None
    return request


def parse(head: bytes) -> Request:
    """A request's lines. Raises BadRequestError."""
    try:
        lines = head.decode("utf-8").rstrip("\r\n").split("\r\n")
    except UnicodeDecodeError as error:
        raise BadRequestError("not text") from error
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("RTSP/1.") or not _METHOD.fullmatch(words[0]):
        raise BadRequestError("not RTSP")
    if len(lines) > _LINES_MAX:
        raise BadRequestError("too many headers")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequestError("a header without colon")
        headers.setdefault(name.strip().lower(), value.strip())
    cseq = headers.get("cseq", "0")
    if not (cseq.isascii() and cseq.isdigit() and len(cseq) <= 10):
        raise BadRequestError("CSeq is no number")
    return Request(words[0].upper(), words[1], headers)
