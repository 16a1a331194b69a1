"""What a camera tells about itself through ONVIF: who it is and which streams it offers."""

from dataclasses import dataclass, field

from ..engine.rtsp.login_in_path import holds_login
from .identity import Identity


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
