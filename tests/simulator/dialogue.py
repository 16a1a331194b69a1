"""An RTSP client of its own: knows nothing of the simulator's code, shows what really comes over the wire."""

import asyncio
import contextlib
from dataclasses import dataclass, field
import hashlib
import re
from typing import Self


@dataclass
class Answer:
    """One answer; names of headers in lower case, those that come several times as lists."""

    status: int
    headers: dict[str, list[str]]
    body: bytes
    raw: bytes

    def one(self, name: str) -> str:
        """The value of a header that comes once."""
        (value,) = self.headers[name]
        return value


@dataclass
class Packet:
    """One interleaved frame that is RTP."""

    channel: int
    marker: bool
    kind: int
    sequence: int
    time: int
    source: int
    payload: bytes


@dataclass
class Client:
    """One connection. Use with `async with Client(url)`; requests are signed with Digest once there was a challenge."""

    port: int
    path: str = "main"
    username: str = "admin"
    password: str = "Sim-cam3ra"
    packets: list[Packet] = field(default_factory=list)
    reports: list[bytes] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)
    rubbish: int = 0
    challenge: str = ""
    session: str = ""
    channels: dict[int, int] = field(default_factory=dict)
    _number: int = 0

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/{self.path}"

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def sign(self, method: str, uri: str) -> str:
        """The value of Authorization for MD5 or SHA-256 digests, with or without qop."""
        fields = {
            key: quoted or bare for key, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', self.challenge)
        }
        hashing = hashlib.sha256 if fields.get("algorithm") == "SHA-256" else hashlib.md5

        def hashed(text: str) -> str:
            return hashing(text.encode()).hexdigest()

        middle, extra = fields["nonce"], ""
        if "qop" in fields:
            middle += ":00000001:abc:auth"
            extra = ', qop=auth, nc=00000001, cnonce="abc"'
        first = hashed(f"{self.username}:{fields['realm']}:{self.password}")
        response = hashed(f"{first}:{middle}:{hashed(f'{method}:{uri}')}")
        algorithm = f", algorithm={fields['algorithm']}" if "algorithm" in fields else ""
        return (
            f'Digest username="{self.username}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", '
            f'uri="{uri}", response="{response}"{algorithm}{extra}'
        )

    async def send(self, method: str, uri: str | None = None, **headers: str) -> None:
        """Send a request without waiting for the answer."""
        uri = uri or self.url
        self._number += 1
        lines = [f"{method} {uri} RTSP/1.0", f"CSeq: {self._number}"]
        if self.challenge:
            lines.append(f"Authorization: {self.sign(method, uri)}")
        if self.session:
            lines.append(f"Session: {self.session}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())

    async def ask(self, method: str, uri: str | None = None, limit: float = 5, **headers: str) -> Answer:
        """The answer to a request."""
        await self.send(method, uri, **headers)
        async with asyncio.timeout(limit):
            while True:
                answer = await self.next()
                if isinstance(answer, Answer):
                    return answer

    async def login(self) -> Answer:
        """DESCRIBE, signed if asked for."""
        answer = await self.ask("DESCRIBE")
        if answer.status == 401:
            digests = [value for value in answer.headers["www-authenticate"] if value.startswith("Digest")]
            self.challenge = digests[-1]
            answer = await self.ask("DESCRIBE")
        return answer

    async def setup(self, number: int = 0, transport: str | None = None) -> Answer:
        """SETUP of one track, interleaved unless told."""
        transport = transport or f"RTP/AVP/TCP;unicast;interleaved={2 * number}-{2 * number + 1}"
        answer = await self.ask("SETUP", f"{self.url}/trackID={number}", Transport=transport)
        if answer.status == 200:
            self.session = self.session or answer.one("session").partition(";")[0].strip()
            if found := re.search(r"interleaved=(\d+)", answer.one("transport")):
                self.channels[int(found[1])] = number
        return answer

    async def play(self) -> Answer:
        """DESCRIBE, SETUP of the video, PLAY."""
        assert (await self.login()).status == 200
        answer = await self.setup()
        assert answer.status == 200, answer
        answer = await self.ask("PLAY")
        assert answer.status == 200, answer
        return answer

    async def next(self) -> Answer | Packet | None:
        """The next thing that comes; None for what is none of these. IncompleteReadError at the end."""
        first = await self._reader.readexactly(1)
        if first == b"$":
            head = await self._reader.readexactly(3)
            data = await self._reader.readexactly(int.from_bytes(head[1:]))
            if head[0] % 2:
                self.reports.append(data)
                return None
            packet = Packet(
                head[0],
                bool(data[1] & 0x80),
                data[1] & 0x7F,
                int.from_bytes(data[2:4]),
                int.from_bytes(data[4:8]),
                int.from_bytes(data[8:12]),
                data[12:],
            )
            self.packets.append(packet)
            return packet
        if first in b"\r\n":
            return None
        if first in b"RO":
            raw = first + await self._reader.readuntil(b"\r\n\r\n")
            lines = raw.decode().split("\r\n")
            if first == b"O":
                self.asked.append(raw)
                return None
            headers: dict[str, list[str]] = {}
            for line in lines[1:-2]:
                name, _, value = line.partition(":")
                headers.setdefault(name.lower(), []).append(value.strip())
            body = b""
            if "content-length" in headers:
                body = await self._reader.readexactly(int(headers["content-length"][0]))
            return Answer(int(lines[0].split(" ")[1]), headers, body, raw)
        self.rubbish += 1
        return None

    async def media(self, count: int, limit: float = 5) -> list[Packet]:
        """The next `count` packets of the video."""
        packets: list[Packet] = []
        async with asyncio.timeout(limit):
            while len(packets) < count:
                packet = await self.next()
                if isinstance(packet, Packet) and self.channels.get(packet.channel) == 0:
                    packets.append(packet)
        return packets

    async def quiet(self, seconds: float) -> bool:
        """True if nothing at all comes for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._reader.readexactly(1)
        except TimeoutError:
            return True
        return False

    async def ended(self, limit: float = 5) -> bool:
        """True once the other side closed the connection."""
        async with asyncio.timeout(limit):
            try:
                while True:
                    await self.next()
            except asyncio.IncompleteReadError, ConnectionError:
                return True
