"""The survey behind `read_device`. Importing it imports the ONVIF library, so it is imported in a thread."""

from collections.abc import Sequence
from urllib.parse import unquote

from .address import netloc_of, parse_address, path_of
from .answer import Element, FaultedError
from .clock import clock_offset
from .device import Device
from .errors import OnvifCause, OnvifError
from .find import Found, find_service
from .identity import identify, normal_mac
from .media import preselect, read_profiles, read_snapshot_url
from .session import Session
from .soap import Service
from .transport import CameraHttp

_NAME_SCOPE = "onvif://www.onvif.org/name/"
_MAX_TEXT = 100


async def survey(address: str, username: str, password: str, port: int | None, usual_ports: Sequence[int]) -> Device:
    """Read everything. Raises OnvifError."""
    target = parse_address(address, port)
    if not _can_be_sent(username, password):
        raise OnvifError(OnvifCause.PASSWORD_WRONG, host=target.host, port=str(target.port or ""), user="")
    async with CameraHttp() as http:
        found = await find_service(http, target, usual_ports if target.port is None else (target.port,))
        return await _read(Session(http, found, username, password), found)


async def _read(session: Session, found: Found) -> Device:
    try:
        about = await session.ask(Service.DEVICE, "GetDeviceInformation")
    except FaultedError:
        about = Element("")
    offer = await read_profiles(session, *await _find_media(session))
    if offer.trouble:
        raise session.error(OnvifCause.BAD_ANSWER, reason=offer.trouble)
    if not offer.profiles:
        raise session.error(OnvifCause.NO_PROFILES)
    best = preselect(offer.profiles)
    maker, model, firmware, serial = (
        _text(about, part) for part in ("Manufacturer", "Model", "FirmwareVersion", "SerialNumber")
    )
    macs = await _macs(session)
    return Device(
        host=session.address.host,
        port=session.address.port or 0,
        name=await _name(session) or model or session.address.host,
        maker=maker,
        model=model,
        firmware=firmware,
        serial=serial,
        macs=macs,
        identity=identify(serial, macs, maker=maker, model=model, firmware=firmware),
        clock_offset_s=await _clock_offset(session, found),
        profiles=offer.profiles,
        best=best,
        snapshot_url=await read_snapshot_url(session, offer.service, best),
    )


async def _find_media(session: Session) -> tuple[str | None, str | None]:
    """The paths of Media2 and Media1: of what the camera claims only these are taken (CAMERAS.md O4)."""
    services = await session.ask_if_allowed(Service.DEVICE, "GetServices", {"IncludeCapability": False})
    paths: dict[str, str | None] = {}
    for listed in () if services is None else services.all("Service"):
        paths[listed.text("Namespace").rstrip("/")] = path_of(listed.text("XAddr"))
        session.claimed_netloc = netloc_of(listed.text("XAddr"))
    media2, media1 = paths.get(Service.MEDIA2.namespace), paths.get(Service.MEDIA.namespace)
    if media2 is None and media1 is None:
        capabilities = await session.ask_if_allowed(Service.DEVICE, "GetCapabilities", {"Category": "All"})
        claimed = "" if capabilities is None else capabilities.text("Capabilities", "Media", "XAddr")
        media1, session.claimed_netloc = path_of(claimed), netloc_of(claimed)
    return media2, media1


async def _macs(session: Session) -> tuple[str, ...]:
    """Of interfaces that are on first; normal form, dummies left out."""
    answer = await session.ask_if_allowed(Service.DEVICE, "GetNetworkInterfaces")
    interfaces = [] if answer is None else list(answer.all("NetworkInterfaces"))
    interfaces.sort(key=lambda interface: interface.text("Enabled").lower() not in ("true", "1"))
    macs = (normal_mac(interface.text("Info", "HwAddress")) for interface in interfaces)
    return tuple(dict.fromkeys(mac for mac in macs if mac))


async def _name(session: Session) -> str:
    """What people called the camera: its name scope, else its host name."""
    scopes = await session.ask_if_allowed(Service.DEVICE, "GetScopes")
    for scope in () if scopes is None else scopes.all("Scopes", "ScopeItem"):
        item = scope.text()
        if item.startswith(_NAME_SCOPE) and (name := unquote(item.removeprefix(_NAME_SCOPE)).strip(" /")):
            return " ".join(name.split())[:_MAX_TEXT]
    return ""


async def _clock_offset(session: Session, found: Found) -> float | None:
    if found.clock_offset_s is not None:
        return found.clock_offset_s
    told = await session.ask_time()
    return None if told is None else clock_offset(*told)


def _text(about: Element, part: str) -> str:
    return about.text(part)[:_MAX_TEXT]


def _can_be_sent(username: str, password: str) -> bool:
    """False for a login that no camera can have: control characters in the name, halves of characters."""
    try:
        (username + password).encode()
    except UnicodeEncodeError:
        return False
    return all(character >= " " and character not in "\x7f\ufffe\uffff" for character in username)
