"""Where a camera is: what people type and what cameras claim, turned into addresses that work.

Promise: a URL made here never holds credentials, and never leads to another host than the one the user gave
(CAMERAS.md O4, O7: cameras behind routers tell their inner address, an old one or 127.0.0.1).
"""

from dataclasses import dataclass
import ipaddress
import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

from yarl import URL

from .errors import OnvifCause, OnvifError

DEVICE_PATH = "/onvif/device_service"

_MAX_URL = 2048
#: No name ends in a number: that is a mistyped IP address.
_HOST_NAME = re.compile(
    r"(?!(.*\.)?(\d+|0[xX][0-9A-Fa-f]*)\.?$)(?=.{1,253}$)[A-Za-z0-9_][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9_-]{1,63})*\.?"
)
#: Any host will do, even none: it is replaced.
_CLAIMED_HOST = re.compile(r"[A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Address:
    """A host to talk to. `port` None: to be found. `path` is that of the device service."""

    host: str
    port: int | None = None
    secure: bool = False
    path: str = DEVICE_PATH

    def url(self, path: str) -> str:
        """An http(s) URL at this address; `path` begins with a slash and may have a query."""
        port = "" if self.port is None else f":{self.port}"
        return f"{'https' if self.secure else 'http'}://{bracketed(self.host)}{port}{path}"


def bracketed(host: str) -> str:
    """The host as a URL wants it: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


def parse_address(text: str, port: int | None = None) -> Address:
    """What was typed: host, host:port, [IPv6]:port, or http(s)://host:port/path. Raises OnvifError(ADDRESS_INVALID).

    A port in the text wins over `port`. Credentials in the text are refused: they belong into their own fields.
    """
    text = text.strip()
    bare = text.strip("[]")
    if _is_ip(bare):
        return Address(_normal_ip(bare), _checked(port))
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, typed_port = parts.hostname or "", parts.port
    except ValueError:
        raise OnvifError(OnvifCause.ADDRESS_INVALID) from None
    scheme = parts.scheme.lower()
    if scheme not in ("", "http", "https") or "@" in parts.netloc or not (_is_ip(host) or _HOST_NAME.fullmatch(host)):
        raise OnvifError(OnvifCause.ADDRESS_INVALID)
    if scheme and typed_port is None and port is None:
        port = 443 if scheme == "https" else 80
    path = (path_of(text) if scheme else None) or DEVICE_PATH
    host = _normal_ip(host) if _is_ip(host) else host.removesuffix(".").lower()
    return Address(host, _checked(port if typed_port is None else typed_port), scheme == "https", path)


def path_of(claimed: str) -> str | None:
    """Path and query of a URL that a camera claims for a service, as they go over the line; None if there is nothing
    to use.
    """
    parts = _split(claimed)
    if parts is None or not parts.path.strip("/"):
        return None
    try:
        return URL(urlunsplit(("http", "host", parts.path, parts.query, ""))).raw_path_qs
    except ValueError:
        return None


def netloc_of(claimed: str) -> str:
    """Host and port of a URL that a camera claims, without credentials; "" if there is none."""
    parts = _split(claimed)
    return "" if parts is None else parts.netloc.rpartition("@")[2].lower()


def stream_url(claimed: str, address: Address, rtsp_port: int) -> str | None:
    """The stream's URL with the host in use and without credentials; None if it is no RTSP URL.

    Without a port, with the port of the web service, or with 80, `rtsp_port` is taken.
    """
    parts = _split(claimed)
    if parts is None or parts.scheme.lower() not in ("rtsp", "rtsps"):
        return None
    port = _port_of(parts.netloc)
    if port is None or port in (80, address.port):
        port = rtsp_port
    netloc = bracketed(address.host) if port == 554 else f"{bracketed(address.host)}:{port}"
    return urlunsplit((parts.scheme.lower(), netloc, parts.path, parts.query, ""))


def needs_rtsp_port(claimed: str, address: Address) -> bool:
    """Whether `stream_url` would need to know the RTSP port from elsewhere."""
    parts = _split(claimed)
    return parts is not None and _port_of(parts.netloc) in (None, 80, address.port)


def snapshot_url(claimed: str, address: Address, claimed_by_services: str) -> str | None:
    """The snapshot's URL with the host in use and without credentials; None if it is no HTTP URL.

    Another port than that of the ONVIF services is kept, where the camera knows its own host. `claimed_by_services` is
    the host and port that the camera gave for those: the same here means the address in use.
    """
    parts = _split(claimed)
    if parts is None or parts.scheme.lower() not in ("http", "https"):
        return None
    path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    host, _ = _host_port(parts.netloc)
    if netloc_of(claimed) == claimed_by_services or host.lower() != address.host:
        return address.url(path)
    return Address(address.host, _port_of(parts.netloc), parts.scheme.lower() == "https").url(path)


def _split(claimed: str) -> SplitResult | None:
    """The parts of a URL; None if it is none. A login in it may hold anything (O8: "/", "@", "#", unquoted)."""
    if len(claimed) > _MAX_URL:
        return None
    scheme, mark, rest = claimed.strip().partition("://")
    login, at, place = rest.rpartition("@")
    for candidate in (rest, place) if at and ":" in login else (rest,):
        try:
            parts = urlsplit(f"{scheme}{mark}{candidate}")
        except ValueError:
            continue
        host, ports = _host_port(parts.netloc)
        if (_is_ip(host) or _CLAIMED_HOST.fullmatch(host)) and not ports.replace(":", "").strip("0123456789"):
            return parts
    return None


def _host_port(netloc: str) -> tuple[str, str]:
    """Host and what follows it, without credentials."""
    rest = netloc.rpartition("@")[2]
    if rest.startswith("["):
        host, _, ports = rest[1:].partition("]")
        return host, ports.removeprefix(":")
    host, _, ports = rest.partition(":")
    return host, ports


def _port_of(netloc: str) -> int | None:
    """The port; of doubled ones (":80:554", ":8106:8106") the last."""
    last = _host_port(netloc)[1].rpartition(":")[2]
    return int(last) if last.isascii() and last.isdigit() and 0 < int(last) < 65536 else None


def _is_ip(text: str) -> bool:
    """Without a zone ("%eth0"): such an address means something else on another machine."""
    if "%" in text:
        return False
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _normal_ip(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _checked(port: int | None) -> int | None:
    if port is not None and not 0 < port < 65536:
        raise OnvifError(OnvifCause.ADDRESS_INVALID)
    return port
