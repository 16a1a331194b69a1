"""Requests by the ONVIF library, sent by our own transport.

The library (zeep with the ONVIF WSDL files) makes and signs what is sent; `answer.py` reads what comes, because
cameras answer more freely than a schema allows. Importing this module and loading the WSDL files takes about a second
of processor time: import it in a thread, once; `open_service` loads WSDL files in a thread by itself.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any, cast

import onvif
from onvif.client import ONVIFService
from onvif.definition import SERVICES
from onvif.util import path_isfile
from zeep.exceptions import Error as ZeepError
from zeep.settings import Settings
from zeep.wsdl.utils import etree_to_string

from .address import Address
from .answer import FaultedError
from .transport import CameraHttp, HttpLogin, Reply

_LIBRARY_WSDL = Path(onvif.__file__).parent / "wsdl"
#: The library has no Media2: this is ours, with the three requests we make.
_MEDIA2_WSDL = Path(__file__).parent / "media2.wsdl"
#: The reply is handed to us as it came.
_RAW = Settings(strict=False, raw_response=True)


class Service(Enum):
    """What is asked for: namespace, WSDL file, binding."""

    DEVICE = (SERVICES["devicemgmt"]["ns"], _LIBRARY_WSDL / SERVICES["devicemgmt"]["wsdl"], "DeviceBinding")
    MEDIA = (SERVICES["media"]["ns"], _LIBRARY_WSDL / SERVICES["media"]["wsdl"], "MediaBinding")
    MEDIA2 = ("http://www.onvif.org/ver20/media/wsdl", _MEDIA2_WSDL, "Media2Binding")

    @property
    def namespace(self) -> str:
        """The XML namespace by which GetServices lists it."""
        return self.value[0]


# The library looks whether the file is there each time it makes a service; the answer is kept, so ask here, in a thread.
for _service in Service:
    path_isfile(str(_service.value[1]))


class _Transport:
    """What zeep posts through: one camera, one path, our bounds."""

    def __init__(self, http: CameraHttp, address: Address, path: str) -> None:
        self._http = http
        self._address = address
        self._path = path
        self.cache: object = None
        #: Answers HTTP digest challenges if given.
        self.login: HttpLogin | None = None

    async def post_xml(self, _address: str, envelope: object, headers: Mapping[str, str]) -> Reply:
        body = cast("bytes", cast("Any", etree_to_string)(envelope))
        return await self._http.post(self._address, self._path, body, headers, self.login)

    async def aclose(self) -> None:
        """The session is not ours to close."""


class ServiceClient:
    """One service of one camera."""

    def __init__(self, service: Any, transport: _Transport) -> None:
        self._service = service
        self._transport = transport

    async def ask(self, operation: str, parameters: Mapping[str, object] | None, *, sign: bool) -> Reply:
        """The reply, for `read_answer`. `sign`: with WS-Security. Raises OnvifError for the connection, and FaultedError
        if the library finds that this cannot be asked.
        """
        call = getattr(self._service, operation if sign else f"authless_{operation}")
        try:
            return cast("Reply", await call(dict(parameters or {})))
        except (onvif.ONVIFError, ZeepError) as error:
            raise FaultedError(type(error).__name__) from None

    def log_in_by_http(self, login: HttpLogin) -> None:
        """From now on answer HTTP digest challenges."""
        self._transport.login = login


async def open_service(
    http: CameraHttp,
    address: Address,
    service: Service,
    path: str,
    *,
    login: tuple[str, str] = ("", ""),
    clock_offset_s: float = 0.0,
) -> ServiceClient:
    """Make a client for `service` at `path`. `clock_offset_s` is added to the time that WS-Security signs (O2)."""
    namespace, wsdl, binding = service.value
    client = cast("Any", ONVIFService)(
        address.url(path),
        login[0],
        login[1],
        str(wsdl),
        no_cache=True,
        dt_diff=timedelta(seconds=clock_offset_s),
        binding_name=f"{{{namespace}}}{binding}",
    )
    await client.close()  # its own session stays unused
    transport = _Transport(http, address, path)
    client.transport = transport
    await client.setup()
    client.zeep_client.settings = _RAW
    client.zeep_client_authless.settings = _RAW
    return ServiceClient(client, transport)
