"""Read what a camera tells about itself through ONVIF: who it is and which streams it offers.

One call does it: `read_device`. It imports and loads the ONVIF library in a thread, so it never blocks the event loop,
and it ends within 45 s. A login is sent once as WS-Security and, only if that is refused, once as HTTP digest: cameras
lock accounts after five tries. Nothing is ever changed at the camera.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from .address import holds_login, parse_address
from .errors import OnvifCause, OnvifError
from .identity import Identity

SURVEY_S = 45.0
#: Where cameras answer ONVIF, most usual first (CAMERAS.md O5).
USUAL_PORTS = (80, 8000, 2020, 8899, 8080, 5000, 6688, 10080)


@dataclass(frozen=True, slots=True)
class Profile:
    """One stream a camera offers.

    `codec` is "h264", "h265", "jpeg", "mpeg4", or "" where the camera does not say (it may still be H.265: only
    connecting tells). `width`, `height`, `fps` and `bitrate_kbps` are 0 where unknown or absurd. `source` names the
    lens or channel: profiles of one source show the same scene. `stream_url` is an rtsp:// URL without credentials,
    with the host that was used to reach the camera; some makes put a login into its path: see `url_is_secret`.
    """

    token: str
    name: str
    codec: str
    width: int
    height: int
    fps: float
    bitrate_kbps: int
    audio: bool
    source: str
    stream_url: str = field(repr=False)

    @property
    def recordable(self) -> bool:
        """Whether the engine can record it, as far as the camera tells."""
        return self.codec in ("h264", "h265", "")

    @property
    def url_is_secret(self) -> bool:
        """Whether the camera put a user name or password into the path itself: hide the URL then (CAMERAS.md R30)."""
        return holds_login(self.stream_url)


@dataclass(frozen=True, slots=True)
class Device:
    """What one camera (or recorder: several sources) told.

    `host` and `port` are those that worked. `name` is never empty: the name set in the camera, else its model, else
    the host. `clock_offset_s` is camera clock minus ours in seconds, None where the camera does not tell its time.
    `profiles` has at least one, in the camera's order. `best` is the one to preselect: among the recordable ones the
    largest picture, then the higher frame rate, then the camera's order; of equal pictures H.265 is not preferred.
    `snapshot_url` is without credentials, "" where there is none; it wants the same login (HTTP digest or basic).
    """

    host: str
    port: int
    name: str
    maker: str
    model: str
    firmware: str
    serial: str
    macs: tuple[str, ...]
    identity: Identity
    clock_offset_s: float | None
    profiles: tuple[Profile, ...]
    best: Profile
    snapshot_url: str = field(repr=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """Lenses or channels, in the camera's order."""
        return tuple(dict.fromkeys(profile.source for profile in self.profiles))

    def unique_id(self, profile: Profile) -> str | None:
        """An id for the scene this profile shows, the same at every survey: None where the camera tells nothing
        trustworthy about itself (then host and path must do). Main and sub stream of one lens have the same id.
        """
        if not self.identity.known:
            return None
        parts = [self.identity.serial, *self.identity.macs[:1]]
        if len(self.sources) > 1:
            parts.append(profile.source or profile.token)
        return "-".join(part for part in parts if part)


async def read_device(
    address: str,
    username: str = "",
    password: str = "",
    *,
    port: int | None = None,
    usual_ports: Sequence[int] = USUAL_PORTS,
) -> Device:
    """Find the ONVIF service at `address`, log in, and read everything.

    `address` is a host name, an IP address, host:port, or http(s)://host:port/path as discovery gives it. A port given
    in it or as `port` is the only one tried (behind a router another port may be another camera); without one the
    usual ports are asked for their time, without login, and the first in the list that answers is taken.
    Raises OnvifError and nothing else.
    """
    survey = await asyncio.to_thread(_load)
    try:
        async with asyncio.timeout(SURVEY_S):
            return await survey(address, username, password, port, usual_ports)
    except TimeoutError:
        raise OnvifError(OnvifCause.NO_ANSWER, host=parse_address(address, port).host, port=str(port or "")) from None


def _load() -> Callable[[str, str, str, int | None, Sequence[int]], Awaitable[Device]]:
    """The survey; importing it takes about a second the first time."""
    from .survey import survey

    return survey
