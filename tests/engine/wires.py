"""A network of our own at the other end of a wire: devices that answer ARP, pings and TCP as they are told to.

Everything that the kernel sends comes in as raw frames, so a device can be hung, gone or half alive.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
import socket
import struct
import subprocess
import sys

NEAR, FAR = "near0", "far0"
_MAC = bytes.fromhex("02000000beef")


@dataclass
class Device:
    """What a device answers. `ports`: True opens, False refuses; others are silent. `deaf`: to so many calls by ARP."""

    arp: bool = True
    deaf: int = 0
    ping: bool = False
    ports: dict[int, bool] = field(default_factory=dict)


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Wire:
    """Both ends of a wire. Our side is 10.9.0.1/24 and fd09::1/64, and the way elsewhere is by 10.9.0.254."""

    def __init__(self, *, may_ping: bool = True) -> None:
        """Lay it. Exits with 3 where that is not allowed."""
        made = subprocess.run(
            ["ip", "link", "add", "name", NEAR, "type", "veth", "peer", "name", FAR], check=False, capture_output=True
        )
        own_sys = subprocess.run(["mount", "-t", "sysfs", "none", "/sys"], check=False, capture_output=True)
        if made.returncode or own_sys.returncode:
            sys.exit(3)
        if may_ping:  # a new name space lets nobody
            Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 0")
        # The kernel itself says nothing at the far end.
        Path(f"/proc/sys/net/ipv6/conf/{FAR}/disable_ipv6").write_text("1")
        Path(f"/proc/sys/net/ipv6/conf/{NEAR}/accept_dad").write_text("0")
        for name in ("lo", NEAR, FAR):
            ip("link", "set", name, "up")
        ip("link", "set", FAR, "arp", "off")
        ip("addr", "add", "10.9.0.1/24", "dev", NEAR)
        ip("addr", "add", "fd09::1/64", "dev", NEAR, "nodad")
        ip("route", "add", "default", "via", "10.9.0.254")
        self.devices: dict[IPv4Address | IPv6Address, Device] = {}
        self.seen: Counter[str] = Counter()
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._sock.bind((FAR, 0))
        self._sock.setblocking(False)
        asyncio.get_running_loop().add_reader(self._sock, self._read)

    def put(self, address: str, device: Device) -> None:
        self.devices[ip_address(address)] = device

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()

    def _read(self) -> None:
        frame, where = self._sock.recvfrom(65535)
        if where[2] == socket.PACKET_OUTGOING:
            return
        kind = int.from_bytes(frame[12:14])
        if kind == 0x0806:
            self._arp(frame)
        elif kind == 0x0800:
            self._ip4(frame)
        elif kind == 0x86DD:
            self._ip6(frame)

    def _send(self, frame: bytes, kind: int, body: bytes) -> None:
        self._sock.send(frame[6:12] + _MAC + kind.to_bytes(2) + body)

    def _arp(self, frame: bytes) -> None:
        request, (sender, target) = frame[14:42], (frame[22:32], frame[38:42])
        self.seen["arp"] += 1
        device = self.devices.get(IPv4Address(target))
        if device is None or not device.arp:
            return
        if device.deaf:
            device.deaf -= 1
        elif request[6:8] == b"\0\1":
            self._send(frame, 0x0806, request[:6] + b"\0\2" + _MAC + target + sender)

    def _ip4(self, frame: bytes) -> None:
        packet = frame[14:]
        head, rest = packet[:20], packet[(packet[0] & 15) * 4 : int.from_bytes(packet[2:4])]
        source, target = head[12:16], head[16:20]
        device = self.devices.get(IPv4Address(target), Device())
        answer = self._answer(device, head[9], rest, target + source)
        if answer:
            begin = b"\x45\0" + (20 + len(answer)).to_bytes(2) + b"\0\0\0\0\x40" + head[9:10]
            fresh = begin + b"\0\0" + target + source
            self._send(frame, 0x0800, begin + checksum(fresh).to_bytes(2) + target + source + answer)

    def _ip6(self, frame: bytes) -> None:
        packet = frame[14:]
        rest, source, target = packet[40:], packet[8:24], packet[24:40]
        if packet[6] == 58 and rest[0] == 135:  # who has that address?
            self.seen["nd"] += 1
            target = rest[8:24]
            device = self.devices.get(IPv6Address(target))
            if device is None or not device.arp:
                return
            told = b"\x60\0\0\0" + target + b"\2\1" + _MAC
            answer = self._icmp6(136, told, target, source)
        else:
            device = self.devices.get(IPv6Address(target), Device())
            answer = self._answer(device, packet[6], rest, target + source)
        if answer:
            begin = b"\x60\0\0\0" + len(answer).to_bytes(2) + packet[6:7] + b"\xff"
            self._send(frame, 0x86DD, begin + target + source + answer)

    def _icmp6(self, kind: int, body: bytes, source: bytes, target: bytes) -> bytes:
        pseudo = source + target + (4 + len(body)).to_bytes(4) + b"\0\0\0\x3a"
        return bytes([kind, 0]) + checksum(pseudo + bytes([kind, 0, 0, 0]) + body).to_bytes(2) + body

    def _answer(self, device: Device, protocol: int, rest: bytes, ends: bytes) -> bytes:
        half = len(ends) // 2
        if protocol == 1 and rest[0] == 8:
            self.seen["ping"] += 1
            return b"\0\0" + checksum(b"\0\0\0\0" + rest[4:]).to_bytes(2) + rest[4:] if device.ping else b""
        if protocol == 58 and rest[0] == 128:
            self.seen["ping"] += 1
            return self._icmp6(129, rest[4:], ends[:half], ends[half:]) if device.ping else b""
        if protocol != 6 or not rest[13] & 2:  # only who begins is answered
            return b""
        self.seen["syn"] += 1
        opens = device.ports.get(int.from_bytes(rest[2:4]))
        if opens is None:
            return b""
        acknowledged = (int.from_bytes(rest[4:8]) + 1 & 0xFFFFFFFF).to_bytes(4)
        begin = (
            rest[2:4] + rest[:2] + b"\0\0\0\1" + acknowledged + b"\x50" + (b"\x12" if opens else b"\x14") + b"\xff\xff"
        )
        pseudo = ends + b"\0\6\0\x14" if half == 4 else ends + b"\0\0\0\x14\0\0\0\6"
        return begin + checksum(pseudo + begin + b"\0\0\0\0").to_bytes(2) + b"\0\0"
