"""Talk to one camera with one login.

Promise (CAMERAS.md O1, O9): a password goes out once as WS-Security and, only if that is refused, once as HTTP digest;
if that is refused too nothing more is sent. A refusal of something that is merely nice to know ends nothing.
"""

from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from urllib.parse import quote

from .address import Address
from .answer import Element, FaultedError, NotSoapError, RefusedError, read_answer
from .errors import OnvifCause, OnvifError
from .find import Found
from .soap import Service, ServiceClient, open_service
from .transport import CameraHttp, HttpLogin, Reply


class _Way(Enum):
    """How the login is shown."""

    NONE = "none"
    WS_SECURITY = "ws_security"
    HTTP_DIGEST = "http_digest"


class Session:
    """The services of one camera. The device service's path is known from the start, the others' by `place`."""

    def __init__(self, http: CameraHttp, found: Found, username: str, password: str) -> None:
        self._http = http
        self._found = found
        self._login = (username, password)
        self._way = _Way.WS_SECURITY if username else _Way.NONE
        self._http_login = HttpLogin(username, password)
        self._clients: dict[Service, ServiceClient] = {}
        self._paths: dict[Service, str] = {Service.DEVICE: found.address.path}
        #: Host and port that the camera gives for its services; may be wrong.
        self.claimed_netloc = ""

    @property
    def address(self) -> Address:
        """The one in use."""
        return self._found.address

    def place(self, service: Service, path: str) -> None:
        """Ask this service at `path` from now on."""
        self._paths[service] = path
        self._clients.pop(service, None)

    def without_login(self, url: str) -> str:
        """The URL without our own login before the host, which cameras also write there unquoted (CAMERAS.md O8)."""
        username, password = self._login
        for login in (f"{username}:{password}@", f"{quote(username, safe='')}:{quote(password, safe='')}@"):
            url = url.replace(f"://{login}", "://", 1)
        return url

    async def ask(self, service: Service, operation: str, parameters: Mapping[str, object] | None = None) -> Element:
        """The answer. Raises OnvifError for connection and login, FaultedError where the camera says no otherwise."""
        try:
            return await self._ask(service, operation, parameters)
        except NotSoapError as error:
            # Who answers HTML or "400" to a signed request often means the login (O9).
            if self._way is not _Way.WS_SECURITY or str(error) != "HTTP 400":
                cause = OnvifCause.BAD_ANSWER if self._found.sure else OnvifCause.NOT_ONVIF
                raise self.error(cause, reason=str(error)) from None
            refusal = RefusedError()
        except RefusedError as error:
            refusal = error
        if self._way is _Way.NONE:
            raise self._refusal(refusal, OnvifCause.PASSWORD_MISSING)
        if self._way is _Way.HTTP_DIGEST or refusal.locked or refusal.attempts == "1":
            raise self._refusal(refusal, OnvifCause.PASSWORD_WRONG)
        return await self._try_http_digest(service, operation, parameters, refusal)

    async def ask_if_allowed(
        self, service: Service, operation: str, parameters: Mapping[str, object] | None = None
    ) -> Element | None:
        """The answer, or None if the camera says no in whatever way. Raises OnvifError for the connection only."""
        with suppress(NotSoapError, RefusedError, FaultedError):
            return await self._ask(service, operation, parameters)
        return None

    async def ask_time(self) -> tuple[Element, Reply] | None:
        """The camera's time, for those that tell it only to who logs in."""
        client = await self._client(Service.DEVICE)
        reply = await client.ask("GetSystemDateAndTime", None, sign=self._way is _Way.WS_SECURITY)
        with suppress(NotSoapError, RefusedError, FaultedError):
            return read_answer(reply), reply
        return None

    def error(self, cause: OnvifCause, **placeholders: str) -> OnvifError:
        """An error that says where."""
        return OnvifError(cause, host=self.address.host, port=str(self.address.port), **placeholders)

    async def _try_http_digest(
        self, service: Service, operation: str, parameters: Mapping[str, object] | None, refusal: RefusedError
    ) -> Element:
        self._way = _Way.HTTP_DIGEST
        self._clients.clear()
        try:
            answer = await self._ask(service, operation, parameters)
        except NotSoapError:
            raise self._refusal(refusal, OnvifCause.PASSWORD_WRONG) from None
        except RefusedError as error:
            raise self._refusal(error, OnvifCause.PASSWORD_WRONG) from None
        if not self._http_login.used:
            # Whoever answers this without any login still refused the password a moment ago.
            raise self._refusal(refusal, OnvifCause.PASSWORD_WRONG)
        return answer

    def _refusal(self, refusal: RefusedError, cause: OnvifCause) -> OnvifError:
        if refusal.locked:
            cause = OnvifCause.ACCOUNT_LOCKED
        return self.error(cause, user=self._login[0], attempts=refusal.attempts)

    async def _ask(self, service: Service, operation: str, parameters: Mapping[str, object] | None) -> Element:
        client = await self._client(service)
        return read_answer(await client.ask(operation, parameters, sign=self._way is _Way.WS_SECURITY))

    async def _client(self, service: Service) -> ServiceClient:
        client = self._clients.get(service)
        if client is None:
            client = await open_service(
                self._http,
                self.address,
                service,
                self._paths[service],
                login=self._login,
                clock_offset_s=self._found.signing_offset_s,
            )
            if self._way is _Way.HTTP_DIGEST:
                client.log_in_by_http(self._http_login)
            self._clients[service] = client
        return client
