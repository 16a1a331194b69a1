"""What a virtual camera is: plain descriptions, given before it runs and never changed while it does.

Everything has a default that fits trying things out: `CameraSpec(name="Gate")` is a whole camera.
"""

from dataclasses import dataclass, field
import hashlib
from typing import Literal, cast, get_args

type VideoCodec = Literal["h264", "h265"]
type AudioCodec = Literal["aac", "pcma", "pcmu"]
type Scheme = Literal["basic", "md5", "sha-256"]

SCHEMES: tuple[Scheme, ...] = cast("tuple[Scheme, ...]", get_args(Scheme.__value__))


class SpecError(ValueError):
    """A description that no camera can have. The text says which part and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """How one stream is coded. `gop` is in pictures, `kbps` in 1,000 bit/s, `seconds` is the length of the clip that
    is played in a loop (made longer so that it is a whole number of groups).
    """

    codec: VideoCodec = "h264"
    width: int = 1920
    height: int = 1080
    fps: int = 25
    kbps: int = 4000
    gop: int = 50
    b_frames: int = 0
    seconds: int = 8

    def __post_init__(self) -> None:
        if self.codec not in ("h264", "h265"):
            raise SpecError(f"video codec {self.codec!r} is not h264 or h265")
        if self.width % 2 or self.height % 2 or not (160 <= self.width <= 7680 and 120 <= self.height <= 4320):
            raise SpecError(f"{self.width}x{self.height} is not an even size from 160x120 to 7680x4320")
        if not (1 <= self.fps <= 120 and 1 <= self.gop <= 10_000 and 16 <= self.kbps <= 100_000):
            raise SpecError("fps is 1 to 120, gop 1 to 10000 pictures, kbps 16 to 100000")
        if not (0 <= self.b_frames <= 8 and 1 <= self.seconds <= 600):
            raise SpecError("b_frames is 0 to 8, seconds 1 to 600")

    @property
    def frames(self) -> int:
        """Pictures in the clip: the bar code counts from 0 to this less 1, again and again."""
        return max(1, -(-self.seconds * self.fps // self.gop)) * self.gop


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpec:
    """One stream a camera offers under `path` (no leading slash). `name` is what people call it: main, sub."""

    name: str = "main"
    path: str = "main"
    video: Video = field(default_factory=Video)
    audio: AudioCodec | None = None


def _two_streams() -> tuple[StreamSpec, ...]:
    return (
        StreamSpec(),
        StreamSpec(name="sub", path="sub", video=Video(width=640, height=360, fps=10, kbps=384, gop=20)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSpec:
    """One virtual camera.

    `name` is unique in a site and is drawn into the picture. Ports: 0 is chosen by the system, `http_port` None is
    "no HTTP (ONVIF) at all". `mac` and `serial`, where empty, are made from the name, so they stay the same from run
    to run. `schemes` are the log-ins offered, in this order; none means that no log-in is asked for. After
    `lock_after` wrong log-ins in a row (0: never) the account is locked for `lock_seconds`. `drift_ppm` is how much
    faster than ours its clock runs, `clock_offset` how many seconds it is ahead. `quirks` are ids of
    `simulator.quirks`. `scene` is the name of the picture drawn, the camera's own unless given: cameras with the same
    scene and coding share one clip, which makes many cheap to prepare.
    """

    name: str
    host: str = "127.0.0.1"
    rtsp_port: int = 0
    http_port: int | None = None
    username: str = "admin"
    password: str = "Sim-cam3ra"
    schemes: tuple[Scheme, ...] = ("md5",)
    streams: tuple[StreamSpec, ...] = field(default_factory=_two_streams)
    maker: str = "Simulated"
    model: str = "SIM-2000"
    firmware: str = "1.0.0"
    serial: str = ""
    mac: str = ""
    scene: str = ""
    max_sessions: int = 8
    session_timeout: int = 60
    lock_after: int = 5
    lock_seconds: float = 300
    drift_ppm: float = 0
    clock_offset: float = 0
    quirks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or not self.streams:
            raise SpecError("a camera has a name and at least one stream")
        if len({stream.path for stream in self.streams}) != len(self.streams):
            raise SpecError(f"camera {self.name!r}: two streams have the same path")
        unknown = [scheme for scheme in self.schemes if scheme not in SCHEMES]
        if unknown:
            raise SpecError(f"camera {self.name!r}: unknown log-in scheme {unknown[0]!r}; there are {SCHEMES}")
        digest = hashlib.sha256(self.name.encode()).hexdigest().upper()
        if not self.serial:
            object.__setattr__(self, "serial", f"SIM{digest[:12]}")
        if not self.mac:
            # The second-lowest bit of the first byte says "locally administered": no maker owns such an address.
            object.__setattr__(self, "mac", ":".join(["02", *(digest[i : i + 2] for i in range(12, 22, 2))]))
        if not self.scene:
            object.__setattr__(self, "scene", self.name)
