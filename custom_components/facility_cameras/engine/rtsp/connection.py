"""One TCP connection to a camera: requests and answers during the dialogue, raw reads while it plays.

Promise I7: one request under way at a time, each with a time limit over all, however slowly bytes trickle.
"""

import asyncio
from collections.abc import Awaitable
import contextlib
import errno
import socket

from ..api import Cause
from ..problem import CameraError
from .message import BODY_BYTES, HEAD_BYTES, Message, MessageError, find_head, parse_head, write_answer, write_request
from .url import RtspUrl

CONNECT_S = 4.0
ANSWER_S = 8.0
#: An answer's body of unknown or wrong length is taken as it is when nothing came for so long (R29).
IDLE_S = 1.0
#: Interleaved frames that come before the answer to PLAY are kept up to this size (R18).
EARLY_BYTES = 1 << 20
READ_BYTES = 1 << 20
SEND_BYTES = 64 << 10


class Connection:
    """A connected socket, not blocking. Errors are CameraError."""

    def __init__(self, sock: socket.socket, url: RtspUrl) -> None:
        """Use `connect` in place of this."""
        self._socket = sock
        self._url = url
        self._sequence = 0
        self._buffer = bytearray()
        self._out = b""
        self._spoke_rtsp = False
        #: Interleaved frames and whatever else came during the dialogue, for the demultiplexer.
        self.early = bytearray()

    @classmethod
    async def connect(cls, url: RtspUrl) -> Connection:
        """Connect to the host and port of `url`, within 4 s."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                found = await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)
                # A name may have an address of each kind, and the camera answers at one of them.
                for number, (family, kind, protocol, _, address) in enumerate(found, 1):
                    sock = socket.socket(family, kind, protocol)
                    try:
                        sock.setblocking(False)
                        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        await loop.sock_connect(sock, address)
                        break
                    except OSError:
                        sock.close()
                        if number == len(found):
                            raise
                    except BaseException:
                        sock.close()
                        raise
        except TimeoutError:
            raise CameraError(Cause.NO_ANSWER, host=url.host, port=url.port) from None
        except socket.gaierror, UnicodeError:
            raise CameraError(Cause.NAME_NOT_FOUND, host=url.host) from None
        except ConnectionRefusedError:
            raise CameraError(Cause.CONNECTION_REFUSED, host=url.host, port=url.port) from None
        except OSError as error:
            raise CameraError(Cause.NO_ANSWER, host=url.host, port=url.port) from error
        return cls(sock, url)

    def close(self) -> None:
        """Close the socket at once."""
        self._socket.close()

    # Dialogue -----------------------------------------------------------------------------------------------------

    async def request(self, method: str, url: str, headers: dict[str, str], limit: float = ANSWER_S) -> Message:
        """Send a request and wait for its answer."""
        self._sequence += 1
        sequence = self._sequence
        try:
            async with asyncio.timeout(limit):
                await self._io(
                    asyncio.get_running_loop().sock_sendall(self._socket, write_request(method, url, sequence, headers))
                )
                while True:
                    message = await self._message()
                    if message.method:
                        status, reason = (200, "OK") if message.method == "OPTIONS" else (501, "Not Implemented")
                        answer = write_answer(status, reason, message.sequence)
                        await self._io(asyncio.get_running_loop().sock_sendall(self._socket, answer))
                    elif message.sequence in (None, 0, sequence) or message.sequence > sequence:
                        return message
        except TimeoutError:
            # The first bytes of a first answer that trickles in are as good as none.
            cause = Cause.BAD_ANSWER if self._spoke_rtsp else Cause.NO_ANSWER
            raise CameraError(cause, host=self._url.host, port=self._url.port) from None
        except MessageError:
            cause = Cause.BAD_ANSWER if self._spoke_rtsp else Cause.NOT_RTSP
            raise CameraError(cause, host=self._url.host, port=self._url.port) from None

    async def _io[T](self, operation: Awaitable[T]) -> T:
        try:
            return await operation
        except OSError:
            raise self._lost() from None

    def _lost(self) -> CameraError:
        return CameraError(Cause.CONNECTION_LOST, host=self._url.host, port=self._url.port)

    async def _more(self) -> None:
        data = await self._io(asyncio.get_running_loop().sock_recv(self._socket, 64 << 10))
        if not data:
            if self._buffer and not self._spoke_rtsp:
                raise MessageError("closed before a whole answer")
            raise self._lost()
        self._buffer += data

    async def _message(self) -> Message:
        """The next message; frames before it are kept for the demultiplexer."""
        buffer = self._buffer
        while True:
            while buffer.startswith((b"\r", b"\n")):
                del buffer[:1]
            if buffer.startswith(b"$"):
                await self._keep_frame()
                continue
            if buffer and not self._plausible():
                if not self._spoke_rtsp:
                    raise MessageError("not RTSP")
                # Rubbish between two messages, such as a body longer than was said (R29).
                following = buffer.find(b"RTSP/1")
                del buffer[: following if following >= 0 else max(len(buffer) - 5, 1)]
                if following < 0:
                    await self._more()
                continue
            head_end = find_head(bytes(buffer[: HEAD_BYTES + 1]))
            if head_end < 0:
                await self._more()
                continue
            message = parse_head(bytes(buffer[:head_end]))
            self._spoke_rtsp = True
            del buffer[:head_end]
            await self._body(message)
            return message

    def _plausible(self) -> bool:
        first = bytes(self._buffer[:16])
        return first.startswith(b"RTSP/") or first.partition(b" ")[0].replace(b"_", b"").isalpha()

    async def _keep_frame(self) -> None:
        buffer = self._buffer
        while len(buffer) < 4 or len(buffer) < 4 + (buffer[2] << 8 | buffer[3]):
            await self._more()
        end = 4 + (buffer[2] << 8 | buffer[3])
        if len(self.early) + end <= EARLY_BYTES:
            self.early += buffer[:end]
        del buffer[:end]

    async def _body(self, message: Message) -> None:
        """Read a body by its length; without one, or if it is too long, until nothing came for a second."""
        wanted = message.body_length
        described = "content-type" in message.headers or "content-base" in message.headers
        if wanted is None and not (message.status == 200 and described):
            return
        if wanted == 0:
            return
        limit = BODY_BYTES if wanted is None else wanted
        while len(self._buffer) < limit:
            try:
                async with asyncio.timeout(IDLE_S):
                    await self._more()
            except TimeoutError:
                break
        message.body = bytes(self._buffer[:limit])
        del self._buffer[:limit]

    async def leave(self, request: bytes, limit: float) -> None:
        """Send a last request and wait, for `limit` seconds at most, until it was answered. What comes before the
        answer, frames cut off in the middle among it, is thrown away. Never fails.
        """
        loop = asyncio.get_running_loop()
        tail = b""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(limit):
                await loop.sock_sendall(self._socket, self._out + request)
                while b"RTSP/1" not in tail:
                    data = await loop.sock_recv(self._socket, READ_BYTES)
                    if not data:
                        return
                    tail = tail[-5:] + data

    # Playing ------------------------------------------------------------------------------------------------------

    def begin_playing(self) -> bytes:
        """Everything that came early, once the dialogue is over."""
        early = bytes(self.early + self._buffer)
        self.early.clear()
        self._buffer.clear()
        return early

    def read(self) -> bytes:
        """What has arrived, one large read; b"" if nothing has. Raises CameraError when the connection is gone."""
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            cause = Cause.NO_ANSWER if error.errno in (errno.ETIMEDOUT, errno.EHOSTUNREACH) else Cause.CONNECTION_LOST
            raise CameraError(cause, host=self._url.host, port=self._url.port) from None
        if not data:
            raise self._lost()
        return data

    def send(self, data: bytes) -> None:
        """Send without waiting; what the camera does not take now goes with the next send."""
        self._out += data
        try:
            sent = self._socket.send(self._out)
        except BlockingIOError:
            sent = 0
        except OSError:
            raise self._lost() from None
        self._out = self._out[sent:]
        if len(self._out) > SEND_BYTES:
            raise self._lost()

    def write(self, method: str, url: str, headers: dict[str, str]) -> bytes:
        """The next request as bytes."""
        self._sequence += 1
        return write_request(method, url, self._sequence, headers)

    def send_request(self, method: str, url: str, headers: dict[str, str]) -> None:
        """Send a request whose answer comes among the frames, or never (R15)."""
        self.send(self.write(method, url, headers))

    def send_answer(self, request: Message) -> None:
        """Answer a request of the camera's that came among the frames (R28)."""
        if request.method == "OPTIONS":
            self.send(write_answer(200, "OK", request.sequence))
        else:
            self.send(write_answer(501, "Not Implemented", request.sequence))
