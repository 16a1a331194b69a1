"""Session descriptions (RFC 4566) as cameras write them: needs nothing but `m=` lines (CAMERAS.md S1-S16).

Promise I7: at most 128 KiB come in (message.py), and at most 32 media and 64 attributes each are looked at.
"""

import base64
import binascii
from dataclasses import dataclass, field
import re

MEDIA = 32
ATTRIBUTES = 64
#: Payload numbers with a fixed meaning (RFC 3551); cameras leave their rtpmap out (S9).
_CODEC = re.compile(r"[a-z0-9][a-z0-9._+-]{0,31}")
_STATIC = {
    0: ("pcmu", 8000), 3: ("gsm", 8000), 4: ("g723", 8000), 8: ("pcma", 8000), 9: ("g722", 8000), 10: ("l16", 44100),
    11: ("l16", 44100), 14: ("mpa", 90000), 26: ("jpeg", 90000), 31: ("h261", 90000), 32: ("mpv", 90000),
    33: ("mp2t", 90000), 34: ("h263", 90000),
}  # fmt: skip


@dataclass(slots=True)
class Payload:
    """One payload number of a medium: codec in lower case as in rtpmap, its clock, and its format parameters."""

    number: int
    codec: str = ""
    clock: int = 0
    channels: int = 0
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Media:
    """One `m=` section. `control` is None if it has none; `direction` is "" or one of sendonly, recvonly, …"""

    kind: str
    payloads: list[Payload]
    control: str | None = None
    direction: str = ""


@dataclass(slots=True)
class Description:
    """A session: its control (None or "*" mean the request's address) and its media in order."""

    control: str | None = None
    media: list[Media] = field(default_factory=list)


def parse_sdp(body: bytes) -> Description:
    """Read a session description. Never fails: what cannot be read is left out."""
    description = Description()
    current: Media | None = None
    attributes = 0
    for raw in re.split(rb"[\r\n]+", body):
        line = raw.decode("utf-8", "replace").strip(" \t\x00")
        if line[:2] == "m=":
            current = _media(line[2:])
            attributes = 0
            if current is not None and len(description.media) < MEDIA:
                description.media.append(current)
        elif line[:2] == "a=" and attributes < ATTRIBUTES:
            attributes += 1
            name, _, value = line[2:].partition(":")
            name, value = name.strip().lower(), value.strip()
            if name == "control":
                if description.media and current is not None:
                    current.control = value
                elif not description.media:
                    description.control = value
            elif current is not None:
                _attribute(current, name, value)
    if not any(media.control for media in description.media) and len(description.media) == 1:
        # S9: the only track's control stands before its m= line.
        control = description.control
        if control and "track" in control.lower() and not control.lower().startswith("rtsp"):
            description.media[0].control, description.control = control, None
    return description


def _media(text: str) -> Media | None:
    words = text.split()
    if not words:
        return None
    payloads = [
        Payload(number, *_STATIC.get(number, ("", 0)))
        for word in words[3:11]
        if word.isascii() and word.isdigit() and len(word) < 4 and (number := int(word)) < 128
    ]
    return Media(words[0].lower(), payloads)


def _attribute(media: Media, name: str, value: str) -> None:
    if name in ("sendonly", "recvonly", "sendrecv", "inactive"):
        media.direction = name
        return
    if name not in ("rtpmap", "fmtp"):
        return
    number, _, rest = value.partition(" ")
    if not (number.isascii() and number.isdigit() and len(number) < 4):
        return
    payload = next((known for known in media.payloads if known.number == int(number)), None)
    if payload is None:
        # S9: rtpmap names another number than m=. The number in m= decides, if only one is there.
        if len(media.payloads) != 1:
            return
        payload = media.payloads[0]
        if name == "rtpmap" and payload.codec:
            return
    if name == "rtpmap":
        codec, _, more = rest.strip().partition("/")
        clock, _, channels = more.partition("/")
        codec = codec.strip().lower()
        # It is shown to people if we do not know it: only what can be the name of a codec.
        payload.codec = codec if _CODEC.fullmatch(codec) else "?"
        payload.clock = _number(clock, payload.clock)
        payload.channels = _number(channels, 0)
    else:
        for part in rest.split(";"):
            key, equals, content = part.partition("=")
            if equals and key.strip():
                payload.parameters[key.strip().lower()] = content.strip()


def _number(text: str, otherwise: int) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else otherwise


def parameter_sets(payload: Payload) -> list[bytes]:
    """The parameter sets in the format parameters: whatever can be decoded of them (S1, S2, S5)."""
    found: list[bytes] = []
    for key in ("sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets"):
        for text in payload.parameters.get(key, "").split(","):
            if text.strip():
                try:
                    found.append(base64.b64decode(text.strip() + "=" * (-len(text.strip()) % 4)))
                except binascii.Error:
                    continue
    return found
