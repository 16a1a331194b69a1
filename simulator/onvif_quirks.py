"""How a camera's ONVIF service behaves: the default is a decent camera, every quirk of CAMERAS.md section 5 changes a part.

Quirks are named by their id, with a word behind it where one id has several forms ("O7-doubled"). `habits_of` adds up
those of a list and leaves out names that belong to other services.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class OnvifHabits:
    """One field per way in which cameras differ."""

    #: Which log-ins count.
    logins: frozenset[Literal["wsse", "digest"]] = frozenset(("wsse", "digest"))
    #: How a refusal is told: SOAP fault with the proper code, HTTP 400 without any, HTML 401, a fault that only says so.
    refusal: Literal["fault", "400", "html", "words"] = "fault"
    #: A refusal tells how many tries are left, and that the account is locked.
    tells_attempts: bool = False
    time_needs_login: bool = False
    time: Literal["utc", "local", "invalid", "none"] = "utc"
    #: Host and port that the addresses of services name.
    xaddr: Literal["good", "inner", "loopback", "wrong_path"] = "good"
    stream: Literal["good", "inner", "loopback", "no_port", "http_port", "doubled", "login", "ampersand"] = "good"
    media: frozenset[Literal[1, 2]] = frozenset((1, 2))
    #: What Media1 says of H.265: nothing of the encoder, or that it is H.264.
    media1_h265: Literal["hidden", "h264"] = "hidden"
    get_services: bool = True
    network_interfaces: bool = True
    #: Instead of the serial number and MAC address of the description.
    serial: str | None = None
    mac: str | None = None
    absurd_numbers: bool = False
    snapshot: bool = True
    #: How the XML is written: undeclared prefixes, text that is no UTF-8.
    xml: Literal["good", "undeclared", "bad_utf8"] = "good"
    #: Everything is answered by the web page of something that is no camera.
    web_page: bool = False


ONVIF_QUIRKS: Mapping[str, Mapping[str, Any]] = {
    "O1": {"tells_attempts": True},
    "O2": {"time_needs_login": True},
    "O2-none": {"time": "none"},
    "O2-local": {"time": "local"},
    "O2-invalid": {"time": "invalid"},
    "O4": {"xaddr": "inner"},
    "O4-loopback": {"xaddr": "loopback"},
    "O4-path": {"xaddr": "wrong_path"},
    "O6": {"media1_h265": "h264", "media": frozenset((1,))},
    "O6-hidden": {"media": frozenset((1,))},
    "O6-media2": {"media": frozenset((2,))},
    "O7": {"stream": "inner"},
    "O7-loopback": {"stream": "loopback"},
    "O7-no-port": {"stream": "no_port"},
    "O7-http-port": {"stream": "http_port"},
    "O7-doubled": {"stream": "doubled"},
    "O8": {"stream": "login"},
    "O9": {"logins": frozenset(("wsse",))},
    "O9-digest": {"logins": frozenset(("digest",))},
    "O9-400": {"refusal": "400", "logins": frozenset(("digest",))},
    "O9-html": {"refusal": "html"},
    "O9-words": {"refusal": "words", "logins": frozenset(("wsse",))},
    "O11": {"xml": "undeclared"},
    "O11-bad-utf8": {"xml": "bad_utf8"},
    "O11-ampersand": {"stream": "ampersand"},
    "O11-html": {"web_page": True},
    "O14": {"serial": "0000000"},
    "O14-word": {"serial": "SerialNumber"},
    "O14-mac": {"serial": "0000000", "mac": "00:00:00:00:00:00"},
    "O17": {"absurd_numbers": True},
    "no-get-services": {"get_services": False},
    "no-network-interfaces": {"network_interfaces": False},
    "no-snapshot": {"snapshot": False},
}


def habits_of(quirks: Iterable[str]) -> OnvifHabits:
    """All of these quirks together; of two that contradict each other the later one counts."""
    habits = OnvifHabits()
    for name in quirks:
        habits = replace(habits, **ONVIF_QUIRKS.get(name, {}))
    return habits
