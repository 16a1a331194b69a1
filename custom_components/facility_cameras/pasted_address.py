"""Takes an address apart as people paste it: with a user and a password inside, encoded or as they are.

Passwords hold every sign that has a meaning in addresses, so everything before the last "@" is the log-in, unless the
address begins with what can only be a host. An "@" in the path of an address with a log-in is taken for a part of the
password: such an address is not found then, which is better than a password that is kept and shown.
"""

import re
from urllib.parse import unquote

from yarl import URL

_HOST = re.compile(r"[\w.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ENCODED = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*")


def take_apart(address: str) -> tuple[URL, str, str]:
    """The address without its log-in, the user and the password (both may be empty). Raises ValueError if it is none."""
    scheme, _, rest = address.partition("://")
    login = ""
    if "@" in rest and not _HOST.fullmatch(rest.partition("/")[0]):
        login, rest = _split(rest)
    url = URL(f"{scheme}://{rest}")
    if not url.host or url.user or (url.explicit_port is not None and not 0 < url.explicit_port < 65536):
        raise ValueError("no host")
    username, _, password = login.partition(":")
    return url, _decoded(username), _decoded(password)


def without_login(address: str) -> str:
    """Any text without what may be a log-in before a host."""
    scheme = found[0] if (found := _SCHEME.match(address)) else ""
    rest = address.removeprefix(scheme)
    if "@" in rest and not _HOST.fullmatch(rest.partition("/")[0]):
        rest = _split(rest)[1]
    return f"{scheme}{rest}"


def _split(text: str) -> tuple[str, str]:
    """Log-in and what follows it: the last "@" before something that can be a host ends it (R30: paths hold "@" too)."""
    marks = [place for place, sign in enumerate(text) if sign == "@"]
    hosts = (place for place in reversed(marks) if _HOST.fullmatch(re.split("[/?#]", text[place + 1 :], maxsplit=1)[0]))
    end = next(hosts, marks[-1])
    return text[:end], text[end + 1 :]


def _decoded(text: str) -> str:
    """Percent-encoding undone, if it is such."""
    return unquote(text) if _ENCODED.fullmatch(text) else text
