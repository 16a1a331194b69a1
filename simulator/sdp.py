"""What a camera says about a stream (RFC 8866, 6184, 7798, 3640), well or as badly as its makers do."""

import base64

from .behaviour import Behaviour
from .clip import AudioClip
from .packets import VIDEO_CLOCK
from .reel import Reel

#: The address in the camera's inner network that some cameras tell everybody.
INNER = "rtsp://10.255.255.1:554"


def describe(name: str, base: str, reel: Reel, audio: AudioClip | None, fps: int, behaviour: Behaviour) -> bytes:
    """The SDP of one stream; `base` is its URL without a final slash."""
    lines: list[str] = []
    if behaviour.sdp == "full":
        lines += ["v=0", "o=- 0 0 IN IP4 127.0.0.1", f"s={name}", "c=IN IP4 0.0.0.0", "t=0 0"]
        lines += ["a=tool:simulator", "a=range:npt=0-"]
        if behaviour.control != "none":
            lines.append(f"a=control:{_aggregate(base, behaviour)}")
    elif behaviour.sdp == "cut":
        lines += ["v=0", "s=", "c=IN"]
    kind = behaviour.style.video_type
    codec = reel.codec.upper()
    lines += [f"m=video 0 RTP/AVP {kind}", f"a=rtpmap:{kind} {codec}/{VIDEO_CLOCK}"]
    if behaviour.sdp != "bare":
        lines.append(f"a=framerate:{fps}")
    lines += [f"a=fmtp:{kind} {value}" for value in [_video_format(reel, behaviour)] if value]
    lines += _control(base, 0, behaviour)
    if audio is not None:
        lines += _audio(audio, behaviour)
        lines += _control(base, 1, behaviour)
    if behaviour.odd_media:
        # A vendor's own track, as some makers put it before and between the others.
        odd = ["m=application/VENDOR 0 RTP/AVP smart/1/90000", "a=rtpmap:95 VENDOR/90000", "m=vana 0 RTP/AVP 94"]
        at = next(number for number, line in enumerate(lines) if line.startswith("m="))
        lines[at:at] = [*odd, *_control(base, 8, behaviour)]
    return (behaviour.line_end.join(lines) + behaviour.line_end).encode()


def _aggregate(base: str, behaviour: Behaviour) -> str:
    if behaviour.control == "absolute":
        return base
    return f"{INNER}/" if behaviour.control == "inner" else "*"


def _control(base: str, number: int, behaviour: Behaviour) -> list[str]:
    word = f"trackID={number}"
    match behaviour.control:
        case "relative":
            return [f"a=control:{word}"]
        case "absolute":
            return [f"a=control:{base}/{word}"]
        case "inner":
            return [f"a=control:{INNER}/{base.split('/', 3)[3]}/{word}"]
        case "none":
            return []


def _video_format(reel: Reel, behaviour: Behaviour) -> str:
    sets = [base64.b64encode(_told(data, behaviour)).decode() for data in reel.sets]
    if reel.codec == "h265":
        if behaviour.sprop in ("none", "empty"):
            return ""
        return "; ".join(f"sprop-{key}={value}" for key, value in zip(("vps", "sps", "pps"), sets, strict=False))
    level = f"packetization-mode=1; profile-level-id={reel.sets[0][1:4].hex().upper()}"
    if behaviour.sprop == "none":
        return level
    return f"{level}; sprop-parameter-sets={'' if behaviour.sprop == 'empty' else ','.join(sets)}"


def _told(data: bytes, behaviour: Behaviour) -> bytes:
    if behaviour.sprop == "annexb":
        return b"\0\0\0\1" + data + b"\0\0"
    if behaviour.sprop == "stale":
        # Same kind, another level: what the camera sent before its settings changed.
        return data[:3] + bytes([data[3] ^ 0x01]) + data[4:]
    return data


def _audio(clip: AudioClip, behaviour: Behaviour) -> list[str]:
    if clip.codec != "aac":
        kind, name = (8, "PCMA") if clip.codec == "pcma" else (0, "PCMU")
        return [f"m=audio 0 RTP/AVP {kind}", f"a=rtpmap:{kind} {name}/{clip.rate}/1"]
    kind = behaviour.style.audio_type
    lines = [f"m=audio 0 RTP/AVP {kind}"]
    config = f"config={clip.config.hex().upper()}"
    match behaviour.aac:
        case "full":
            lines.append(f"a=rtpmap:{kind} MPEG4-GENERIC/{clip.rate}/1")
            shape = "sizelength=13;indexlength=3;indexdeltalength=3"
            lines.append(f"a=fmtp:{kind} streamtype=5;profile-level-id=1;mode=AAC-hbr;{shape};{config}")
        case "short":
            # No channels, another clock than the config's, no lengths.
            lines.append(f"a=rtpmap:{kind} mpeg4-generic/{clip.rate // 2}")
            lines.append(f"a=fmtp:{kind} mode=AAC-hbr; {config}")
        case "none":
            lines.append(f"a=rtpmap:{kind} mpeg4-generic/{clip.rate}")
    return lines
