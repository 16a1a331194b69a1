"""A viewer for tests that speaks RTSP line by line, and puts together again what comes on its channels."""

import asyncio
from dataclasses import dataclass, field
import hashlib
import re
from typing import Self

from custom_components.facility_cameras.engine.media import Sample

PATIENCE_S = 10


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


@dataclass
class Packet:
    channel: int
    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


@dataclass
class Picture:
    """NAL units with one timestamp, up to the marker."""

    timestamp: int
    nals: list[bytes] = field(default_factory=list)


class RtspViewer:
    """One connection. Packets that come between answers are kept in `packets`, reports in `reports`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        self.reader = reader
        self.writer = writer
        self.packets: list[Packet] = []
        self.reports: list[bytes] = []
        #: Pictures that came whole, on channel 0.
        self.whole = 0
        self.port = port
        self.cseq = 0

    @classmethod
    async def connect(cls, port: int, *, small_window: bool = False) -> Self:
        import socket

        sock = socket.socket()
        sock.setblocking(False)
        if small_window:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        return cls(*await asyncio.open_connection(sock=sock, limit=4096 if small_window else 1 << 20), port)

    def url(self, path: str = "cam") -> str:
        return f"rtsp://127.0.0.1:{self.port}/{path}"

    def send(self, method: str, url: str, **headers: str) -> int:
        self.cseq += 1
        lines = [f"{method} {url} RTSP/1.0", f"CSeq: {self.cseq}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        return self.cseq

    async def ask(self, method: str, url: str, **headers: str) -> Answer:
        """Send and wait for the answer of the same number."""
        number = self.send(method, url, **headers)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                item = await self.item()
                if isinstance(item, Answer):
                    assert item.header("CSeq") == str(number)
                    return item

    async def item(self) -> Answer | Packet | None:
        """The next answer or RTP packet; None for a report. IncompleteReadError at the end."""
        first = await self.reader.readexactly(1)
        if first != b"$":
            return await self._answer(first)
        head = await self.reader.readexactly(3)
        data = await self.reader.readexactly(int.from_bytes(head[1:]))
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
        assert data[0] == 0x80
        self.packets.append(packet)
        self.whole += int(packet.marker and packet.channel == 0)
        return packet

    async def _answer(self, first: bytes) -> Answer:
        head = (first + await self.reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.rstrip().split("\r\n")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        answer = Answer(int(lines[0].split(" ")[1]), headers, b"")
        if length := answer.header("Content-Length"):
            answer.body = await self.reader.readexactly(int(length))
        return answer

    async def until_packets(self, count: int) -> list[Packet]:
        """Wait until so many packets have come in all."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.packets) < count:
                await self.item()
        return self.packets

    async def until_pictures(self, count: int) -> list[Picture]:
        """Wait until so many pictures have come on channel 0."""
        await self.until_whole(count)
        return pictures(self.packets)[:count]

    async def until_whole(self, count: int) -> None:
        """The same, without putting them together."""
        async with asyncio.timeout(PATIENCE_S):
            while self.whole < count:
                await self.item()

    async def until_closed(self) -> None:
        """Wait for the end of the connection."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                while True:
                    await self.item()
            except asyncio.IncompleteReadError, ConnectionError:
                return

    async def log_in(self, secret: str, path: str = "cam") -> Answer:
        """DESCRIBE with Digest as go2rtc signs it: MD5, no qop, over the absolute URL."""
        refused = await self.ask("DESCRIBE", self.url(path))
        assert refused.status == 401
        return await self.ask(
            "DESCRIBE", self.url(path), Authorization=digest(refused, secret, "DESCRIBE", self.url(path))
        )

    async def play(self, secret: str, path: str = "cam", tracks: tuple[str, ...] = ("video",), **headers: str) -> None:
        """All of it, up to PLAY's answer."""
        assert (await self.log_in(secret, path)).status == 200
        for number, track in enumerate(tracks):
            channels = f"RTP/AVP/TCP;unicast;interleaved={2 * number}-{2 * number + 1}"
            assert (await self.ask("SETUP", f"{self.url(path)}/{track}", Transport=channels)).status == 200
        assert (await self.ask("PLAY", self.url(path), **headers)).status == 200

    async def close(self) -> None:
        self.writer.close()


def digest(refused: Answer, secret: str, method: str, uri: str, user: str = "viewer") -> str:
    """An Authorization header that answers the Digest challenge of `refused`."""
    challenge = next(value for name, value in refused.headers if name == "WWW-Authenticate" and "Digest" in value)
    known = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    one = hashlib.md5(f"{user}:{known['realm']}:{secret}".encode()).hexdigest()
    two = hashlib.md5(f"{method}:{uri}".encode()).hexdigest()
    response = hashlib.md5(f"{one}:{known['nonce']}:{two}".encode()).hexdigest()
    return (
        f'Digest username="{user}", realm="{known["realm"]}", nonce="{known["nonce"]}", uri="{uri}", '
        f'response="{response}"'
    )


def pictures(packets: list[Packet], codec: str = "h264") -> list[Picture]:
    """Whole pictures on channel 0; tells by itself which codec it is only through `codec`."""
    found: list[Picture] = []
    current: Picture | None = None
    for packet in (packet for packet in packets if packet.channel == 0):
        if current is None:
            current = Picture(packet.timestamp)
        assert packet.timestamp == current.timestamp
        _add(current.nals, packet.payload, codec)
        if packet.marker:
            found.append(current)
            current = None
    return found


def _add(nals: list[bytes], payload: bytes, codec: str) -> None:
    if codec == "h264":
        fragment, head, flags = payload[0] & 0x1F == 28, 1, payload[1]
        name = bytes((payload[0] & 0xE0 | flags & 0x1F,))
    else:
        fragment, head, flags = payload[0] >> 1 & 0x3F == 49, 2, payload[2]
        name = bytes((payload[0] & 0x81 | (flags & 0x3F) << 1, payload[1]))
    if not fragment:
        nals.append(payload)
    elif flags & 0x80:
        nals.append(name + payload[head + 1 :])
    else:
        nals[-1] += payload[head + 1 :]


def nals_of(sample: Sample) -> list[bytes]:
    """The NAL units of a sample."""
    data, at, found = sample.bytes(), 0, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4])
        found.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return found
