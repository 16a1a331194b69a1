"""Which facilities and cameras the demo has, and where the simulated ones answer.

Chosen once and kept in the demo's folder, so that a later run finds the cameras at the addresses that were set up.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, repeat
import json
from pathlib import Path
import socket
from typing import Any, Literal

from .problem import DemoError

HOST = "127.0.0.1"
USERNAME = "admin"
#: Opens simulated cameras on this machine's loopback address, nothing else.
PASSWORD = "Demo-cam3ra"
DEFAULT_CAMERAS = 6
MOST_CAMERAS = 32

#: Facility → its cameras: name, zone, codec. Repeated with a number behind the name if more are asked for.
_PLACES: dict[str, list[tuple[str, str, Literal["h264", "h265"]]]] = {
    "Hoa Sen Hotel": [
        ("Main gate", "gate", "h264"),
        ("Front desk", "reception", "h264"),
        ("Corridor, floor 2", "corridor", "h265"),
    ],
    "Military School": [
        ("Parade ground", "yard", "h264"),
        ("Swab tent", "sampling", "h264"),
        ("Parcel table", "goods", "h265"),
    ],
}
#: Small enough for two cores that also run a browser, and for a disk: 32 GB a day with six cameras.
_VIDEO = {"width": 1280, "height": 720, "fps": 15, "kbps": 500, "gop": 30, "seconds": 20}
_SUB = {"width": 640, "height": 360, "fps": 10, "kbps": 150, "gop": 20, "seconds": 20}
#: Pictures in the main stream's clip, in which the bar code counts.
CLIP_FRAMES = 300


@dataclass(frozen=True, slots=True)
class DemoCamera:
    """One simulated camera and where it is set up. `by_url`: added by its RTSP address, not through ONVIF."""

    facility: str
    name: str
    zone: str
    codec: Literal["h264", "h265"]
    rtsp_port: int
    http_port: int
    by_url: bool

    @property
    def address(self) -> str:
        """What is typed into the dialogue."""
        return f"rtsp://{HOST}:{self.rtsp_port}/main" if self.by_url else f"{HOST}:{self.http_port}"

    def spec(self) -> dict[str, Any]:
        """The camera as the simulator is told of it."""
        return {
            "name": f"{self.facility}: {self.name}",
            "scene": self.name,
            "username": USERNAME,
            "password": PASSWORD,
            "rtsp_port": self.rtsp_port,
            "http_port": self.http_port,
            "streams": [
                {"name": "main", "path": "main", "video": {**_VIDEO, "codec": self.codec}},
                {"name": "sub", "path": "sub", "video": _SUB},
            ],
        }


@dataclass(frozen=True, slots=True)
class Site:
    """All of them, and the port at which faults of the simulated cameras are commanded."""

    control_port: int
    cameras: tuple[DemoCamera, ...]

    def facilities(self) -> dict[str, list[DemoCamera]]:
        """The cameras by facility."""
        found: dict[str, list[DemoCamera]] = {}
        for camera in self.cameras:
            found.setdefault(camera.facility, []).append(camera)
        return found

    def write_specs(self, path: Path) -> None:
        """Write the site file of the simulator."""
        path.write_text(json.dumps({"cameras": [camera.spec() for camera in self.cameras]}, indent=1), encoding="utf-8")

    def check_ports(self) -> None:
        """Raises `DemoError` if another program uses one of the ports."""
        ports = [self.control_port]
        for camera in self.cameras:
            ports += [camera.rtsp_port, camera.http_port]
        for port in ports:
            if not port_is_free(port):
                raise DemoError(
                    f"Port {port}, on which a camera of this demo is simulated, is used by another program (another"
                    " demo?). End it, or run with --reset to choose other ports."
                )


def port_is_free(port: int) -> bool:
    """True if we could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def site_of(path: Path, wanted: int | None) -> Site:
    """The site that was chosen before, with cameras added if more are wanted. Raises `DemoError`."""
    known = _read(path)
    count = wanted or len(known.cameras) or DEFAULT_CAMERAS
    if count < len(known.cameras):
        raise DemoError(
            f"This demo was set up with {len(known.cameras)} cameras; run with --reset to begin anew with {count}."
        )
    missing = count - len(known.cameras)
    ports = free_ports(2 * missing + 1)
    places = list(_places(count))[len(known.cameras) :]
    added = [
        DemoCamera(facility, name, zone, codec, rtsp_port, http_port, by_url=codec == "h265")
        for (facility, name, zone, codec), rtsp_port, http_port in zip(places, ports[1::2], ports[2::2], strict=True)
    ]
    site = Site(known.control_port or ports[0], (*known.cameras, *added))
    path.write_text(json.dumps(asdict(site), indent=1), encoding="utf-8")
    return site


def _read(path: Path) -> Site:
    if not path.exists():
        return Site(0, ())
    found = json.loads(path.read_text(encoding="utf-8"))
    return Site(found["control_port"], tuple(DemoCamera(**camera) for camera in found["cameras"]))


def _places(count: int) -> Iterator[tuple[str, str, str, Literal["h264", "h265"]]]:
    """Places, from both facilities in turn."""
    both = [[(facility, *place) for place in places] for facility, places in _PLACES.items()]
    in_turn = list(chain.from_iterable(zip(*both, strict=True)))
    for number in range(count):
        turn, place = divmod(number, len(in_turn))
        facility, name, zone, codec = in_turn[place]
        yield facility, f"{name} {turn + 1}" if turn else name, zone, codec


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now, chosen by the system."""
    sockets = [socket.socket() for _ in repeat(None, count)]
    try:
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
