"""What a camera says of itself, as it is kept in the camera's configuration; and which address is the same camera."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
import hashlib
from typing import Any, Self

from yarl import URL

from .const import CONF_DEVICE
from .engine.rtsp.login_in_path import holds_login
from .onvif_camera import Device, Profile

DEFAULT_RTSP_PORT = 554


@dataclass(frozen=True, slots=True)
class CameraDevice:
    """Identity and ONVIF service of a camera. Empty where it is not known."""

    maker: str = ""
    model: str = ""
    serial: str = ""
    mac: str = ""
    firmware: str = ""
    #: ONVIF service, and the profile whose stream is recorded.
    onvif_host: str = ""
    onvif_port: int = 0
    profile: str = ""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read it from a camera's configuration."""
        kept: Mapping[str, Any] = data.get(CONF_DEVICE, {})
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in kept.items() if name in names})

    @classmethod
    def from_onvif(cls, device: Device, profile: Profile) -> Self:
        """Keep what ONVIF told."""
        return cls(
            maker=device.maker,
            model=device.model,
            serial=device.identity.serial,
            mac=next(iter(device.identity.macs), ""),
            firmware=device.firmware,
            onvif_host=device.host,
            onvif_port=device.port,
            profile=profile.token,
        )

    def as_data(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)


def address_key(url: str) -> str:
    """Host, port, path and query: what tells a camera from others if it tells nothing of itself."""
    found = URL(url)
    port = found.explicit_port or DEFAULT_RTSP_PORT
    return f"{(found.host or '').casefold()}:{port}{found.raw_path_qs}"


def address_id(url: str) -> str:
    """The same as an id that may be told: without the login that some makes have in the path."""
    key = address_key(url)
    return hashlib.sha256(key.encode()).hexdigest() if holds_login(key) else key
