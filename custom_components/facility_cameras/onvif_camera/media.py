"""The streams a camera offers: profiles of Media2 if it has that, else of Media1 (CAMERAS.md O6), and their URLs (O7)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .address import needs_rtsp_port, snapshot_url, stream_url
from .answer import Element, FaultedError
from .device import Profile
from .errors import OnvifCause, OnvifError
from .session import Session
from .soap import Service

#: A recorder with 64 channels has two each; more is no camera.
MAX_PROFILES = 128
_MAX_NAME = 100
_CODECS = {"H264": "h264", "H265": "h265", "HEVC": "h265", "JPEG": "jpeg", "MJPEG": "jpeg", "MPEG4": "mpeg4"}
#: Where Media1 is if the camera does not say, or says it wrong (O4).
_USUAL_PATHS = ("/onvif/media_service", "/onvif/Media", "/onvif/media", "/onvif/device_service")
#: More is a misprint (O17: 2147483647).
_MOST = {"width": 16_384, "height": 16_384, "fps": 240, "kbps": 1_000_000}


@dataclass(frozen=True, slots=True)
class Offer:
    """Profiles with a stream, in the camera's order, and where they came from. `trouble` is why there are none."""

    service: Service
    profiles: tuple[Profile, ...] = ()
    trouble: str = ""


async def read_profiles(session: Session, media2: str | None, media1: str | None) -> Offer:
    """Ask Media2 and Media1 at the paths that the camera claims for them, Media1 also at usual ones. Raises OnvifError."""
    places = [(Service.MEDIA2, media2)] if media2 else []
    places += [(Service.MEDIA, path) for path in dict.fromkeys((media1, *_USUAL_PATHS)) if path]
    offer = Offer(Service.MEDIA)
    for service, path in places:
        session.place(service, path)
        try:
            offer = await _read_offer(session, service)
        except OnvifError as error:
            if error.cause is not OnvifCause.BAD_ANSWER:
                raise
            offer = Offer(service, trouble=error.placeholders["reason"])
        if offer.profiles or (service is Service.MEDIA and not offer.trouble):
            break
    return offer


async def _read_offer(session: Session, service: Service) -> Offer:
    try:
        answer = await session.ask(service, "GetProfiles", {"Type": ["All"]} if service is Service.MEDIA2 else None)
    except FaultedError as error:
        return Offer(service, trouble=error.reason)
    read = read_media2 if service is Service.MEDIA2 else read_media1
    return Offer(service, await _with_streams(session, service, read(answer)))


def preselect(profiles: Sequence[Profile]) -> Profile:
    """The one to record: recordable, the largest picture, the higher rate, the first."""
    return max(profiles, key=lambda profile: (profile.recordable, profile.width * profile.height, profile.fps))


def read_media1(answer: Element) -> list[Profile]:
    """Profiles of Media1 (GetProfilesResponse), without URLs."""
    return [
        _profile(
            profile,
            profile.first("VideoSourceConfiguration"),
            profile.first("VideoEncoderConfiguration"),
            profile.first("AudioEncoderConfiguration"),
        )
        for profile in _usable(answer.all("Profiles"), "VideoSourceConfiguration", "VideoEncoderConfiguration")
    ]


def read_media2(answer: Element) -> list[Profile]:
    """Profiles of Media2 (GetProfilesResponse), without URLs."""
    found = []
    for profile in _usable(answer.all("Profiles"), "Configurations"):
        parts = profile.first("Configurations") or Element("")
        source, encoder = parts.first("VideoSource"), parts.first("VideoEncoder")
        if source is not None or encoder is not None:
            found.append(_profile(profile, source, encoder, parts.first("AudioEncoder")))
    return found


async def read_snapshot_url(session: Session, service: Service, profile: Profile) -> str:
    """Where the camera hands out a still of this profile; "" if nowhere. Raises OnvifError for the connection."""
    answer = await session.ask_if_allowed(service, "GetSnapshotUri", {"ProfileToken": profile.token})
    claimed = "" if answer is None else _uri(session, answer)
    return snapshot_url(claimed, session.address, session.claimed_netloc) or ""


async def _with_streams(session: Session, service: Service, profiles: list[Profile]) -> tuple[Profile, ...]:
    """Ask for each stream's URL, one after the other; profiles without are left out."""
    rtsp_port: int | None = None
    found = []
    for profile in profiles[:MAX_PROFILES]:
        if service is Service.MEDIA2:
            parameters: dict[str, object] = {"Protocol": "RTSP", "ProfileToken": profile.token}
        else:
            setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
            parameters = {"StreamSetup": setup, "ProfileToken": profile.token}
        try:
            answer = await session.ask(service, "GetStreamUri", parameters)
        except FaultedError:
            continue
        claimed = _uri(session, answer)
        if rtsp_port is None and needs_rtsp_port(claimed, session.address):
            rtsp_port = await _rtsp_port(session)
        url = stream_url(claimed, session.address, rtsp_port or 554)
        if url is not None:
            found.append(replace(profile, stream_url=url))
    return tuple(found)


def _uri(session: Session, answer: Element) -> str:
    """The address in an answer of Media1 or Media2; blanks in it are kept."""
    found = answer.first("MediaUri", "Uri") or answer.first("Uri")
    return "" if found is None else session.without_login(found.content.strip())


async def _rtsp_port(session: Session) -> int:
    answer = await session.ask_if_allowed(Service.DEVICE, "GetNetworkProtocols")
    for protocol in () if answer is None else answer.all("NetworkProtocols"):
        port = _number(protocol.text("Port"), 65_535)
        if protocol.text("Name").upper() == "RTSP" and protocol.text("Enabled").lower() in ("true", "1", "") and port:
            return int(port)
    return 554


def _usable(profiles: Iterable[Element], *one_of: str) -> list[Element]:
    return [
        profile
        for profile in profiles
        if profile.attributes.get("token") and any(profile.first(part) is not None for part in one_of)
    ]


def _profile(profile: Element, source: Element | None, encoder: Element | None, audio: Element | None) -> Profile:
    encoder = encoder or Element("")
    token = profile.attributes["token"]
    encoding = encoder.text("Encoding").upper().replace(".", "").replace("-", "")
    return Profile(
        token=token,
        name=(profile.text("Name") or token)[:_MAX_NAME],
        codec=_CODECS.get(encoding, "mpeg4" if encoding.startswith("MPV4") else ""),
        width=int(_number(encoder.text("Resolution", "Width"), _MOST["width"])),
        height=int(_number(encoder.text("Resolution", "Height"), _MOST["height"])),
        fps=_number(encoder.text("RateControl", "FrameRateLimit"), _MOST["fps"]),
        bitrate_kbps=int(_number(encoder.text("RateControl", "BitrateLimit"), _MOST["kbps"])),
        audio=audio is not None,
        source="" if source is None else source.text("SourceToken"),
        stream_url="",
    )


def _number(text: str, most: float) -> float:
    """A number from 0 to `most`; 0 for anything else."""
    try:
        number = float(text)
    except ValueError:
        return 0
    return number if 0 <= number <= most else 0
