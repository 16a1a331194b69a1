"""RTSP addresses: taken apart once, kept as text, never joined by the rules of RFC 3986 (CAMERAS.md R5-R8, R11, O8).

Credentials are kept apart from the address and never written back into it (promise I9).
"""

from dataclasses import dataclass, replace
import re
from urllib.parse import unquote

from .login_in_path import masked

DEFAULT_PORT = 554
_URL = re.compile(
    r"rtsp://(?:(?P<login>.*)@)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[^:/?#\s@\[\]]+)(?::(?P<port>\d{1,5}))?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class RtspUrl:
    """Where a stream is. `path` is everything behind the port as it was given, `/` included if there is any."""

    host: str
    port: int
    path: str

    def __str__(self) -> str:
        """The address as it is sent in requests: without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"rtsp://{host}{'' if self.port == DEFAULT_PORT else f':{self.port}'}{self.path}"

    @property
    def shown(self) -> str:
        """The path as people may see it: some makes hide credentials in it (R30)."""
        return masked(self.path)


def parse_url(text: str) -> tuple[RtspUrl, str, str]:
    """An address as a person wrote it → (address, user, password). Raises ValueError if it is not one.

    A password may hold `@`, `/` and `:` unescaped: the login ends at the last `@` before the path as people mean it.
    """
    text = text.strip()
    if any(ord(character) < 32 for character in text) or len(text) > 2048:
        raise ValueError("not an RTSP address")
    authority = _authority_end(text)
    match = _URL.fullmatch(text[:authority])
    if match is None:
        raise ValueError("not an RTSP address")
    port = int(match["port"] or DEFAULT_PORT)
    if not 0 < port < 65536:
        raise ValueError("not a port")
    user, _, password = (match["login"] or "").partition(":")
    url = RtspUrl(match["host"].strip("[]"), port, text[authority:].partition("#")[0].replace(" ", "%20"))
    return url, unquote(user), unquote(password)


def _authority_end(text: str) -> int:
    """Where the path begins: at the first `/` or `?` after the login."""
    begin = len("rtsp://")
    ends = [position for mark in "/?" if (position := text.find(mark, begin)) >= 0]
    end = min(ends, default=len(text))
    at = text.rfind("@")
    if at > end and _URL.match(text[: text.find("/", at) if text.find("/", at) >= 0 else len(text)]):
        # An @ behind the first slash: part of the login if what stands before it has a colon and no host follows
        # the scheme directly; an address like rtsp://host/path@2 has a host before its first slash.
        before = text[begin:end]
        if ":" in before and not re.fullmatch(r"[^:]+:\d{1,5}", before):
            ends = [position for mark in "/?" if (position := text.find(mark, at)) >= 0]
            return min(ends, default=len(text))
    return end


def control_url(base: str, control: str | None) -> str:
    """The address of a track: control if it is absolute, else base + "/" + control as text, as cameras expect (R5)."""
    if not control or control == "*":
        return base
    if control.lower().startswith(("rtsp://", "rtspu://", "rtsps://")):
        return control
    return f"{base.rstrip('/')}/{control.lstrip('/')}" if not base.endswith("/") else f"{base}{control.lstrip('/')}"


def with_host(text: str, url: RtspUrl) -> str:
    """`text`, an address a camera gave, with host and port of `url`: it may name an inner address (R6)."""
    path = re.sub(r"^rtspu?://[^/?]*", "", text, flags=re.IGNORECASE)
    return str(replace(url, path=path))


def base_url(request: RtspUrl, *candidates: str | None) -> str:
    """The first usable of Content-Base and Content-Location, completed from the request (R7), else the request's."""
    for candidate in candidates:
        text = (candidate or "").strip()
        if text.lower().startswith("rtsp://") and len(text) > len("rtsp://") and " " not in text:
            return text
        if text.startswith("/"):
            return str(replace(request, path=text))
    return str(request)
