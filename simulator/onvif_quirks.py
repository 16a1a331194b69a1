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
    #: A nonce of HTTP digest is good for one request, and the refusal of the next does not say "stale".
    one_time_nonces: bool = False
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


@dataclass(frozen=True, slots=True)
class OnvifQuirk:
    """What it is, for people, and which habits it changes."""

    summary: str
    habits: Mapping[str, Any]


def _quirk(summary: str, **habits: object) -> OnvifQuirk:
    return OnvifQuirk(summary, habits)


ONVIF_QUIRKS: Mapping[str, OnvifQuirk] = {
    "O1": _quirk("a refusal tells how many tries are left", tells_attempts=True),
    "O2": _quirk("the time is told only to who logs in", time_needs_login=True),
    "O2-none": _quirk("no time in the answer", time="none"),
    "O2-local": _quirk("only the local time is told", time="local"),
    "O2-invalid": _quirk("a date that does not exist", time="invalid"),
    "O4": _quirk("services are said to be at an inner address", xaddr="inner"),
    "O4-loopback": _quirk("services are said to be at another port", xaddr="loopback"),
    "O4-path": _quirk("services are said to be at paths that are not there", xaddr="wrong_path"),
    "O6": _quirk("Media1 only, which calls H.265 H.264", media1_h265="h264", media=frozenset((1,))),
    "O6-hidden": _quirk("Media1 only, which tells nothing of H.265", media=frozenset((1,))),
    "O6-media2": _quirk("Media2 only", media=frozenset((2,))),
    "O7": _quirk("streams are said to be at an inner address", stream="inner"),
    "O7-loopback": _quirk("streams are said to be at 127.0.1.1", stream="loopback"),
    "O7-no-port": _quirk("addresses of streams without a port", stream="no_port"),
    "O7-http-port": _quirk("addresses of streams with the web server's port", stream="http_port"),
    "O7-doubled": _quirk("addresses of streams with two ports", stream="doubled"),
    "O8": _quirk("addresses of streams hold user and password, unquoted", stream="login"),
    "O9": _quirk("WS-Security only", logins=frozenset(("wsse",))),
    "O9-digest": _quirk("HTTP digest only", logins=frozenset(("digest",))),
    "O9-nonces": _quirk(
        "HTTP digest only, a nonce lasts one request", logins=frozenset(("digest",)), one_time_nonces=True
    ),
    "O9-400": _quirk("HTTP digest only, WS-Security is answered 400", refusal="400", logins=frozenset(("digest",))),
    "O9-html": _quirk("a refusal is a web page", refusal="html"),
    "O9-words": _quirk("WS-Security only, refused without the code", refusal="words", logins=frozenset(("wsse",))),
    "O11": _quirk("undeclared prefixes", xml="undeclared"),
    "O11-bad-utf8": _quirk("text that is no UTF-8", xml="bad_utf8"),
    "O11-ampersand": _quirk("a bare & in the addresses", stream="ampersand"),
    "O11-html": _quirk("no ONVIF at all: the web page of something else", web_page=True),
    "O14": _quirk("serial number 0000000", serial="0000000"),
    "O14-word": _quirk("serial number SerialNumber", serial="SerialNumber"),
    "O14-mac": _quirk("serial number 0000000 and no MAC address", serial="0000000", mac="00:00:00:00:00:00"),
    "O17": _quirk("absurd numbers: 2147483647 kbit/s, 0 pictures a second, 0x0", absurd_numbers=True),
    "no-get-services": _quirk("GetServices is unknown", get_services=False),
    "no-network-interfaces": _quirk("GetNetworkInterfaces is unknown", network_interfaces=False),
    "no-snapshot": _quirk("GetSnapshotUri is unknown", snapshot=False),
}


def habits_of(quirks: Iterable[str]) -> OnvifHabits:
    """All of these quirks together; of two that contradict each other the later one counts."""
    habits = OnvifHabits()
    for name in quirks:
        if name in ONVIF_QUIRKS:
            habits = replace(habits, **ONVIF_QUIRKS[name].habits)
    return habits
