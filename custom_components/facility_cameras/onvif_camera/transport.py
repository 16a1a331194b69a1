"""HTTP to one camera, bounded in time and size.

Promise: at most `REQUEST_S` seconds and `MAX_ANSWER` bytes a request, one connection each, no redirect followed, no
cookie kept, no proxy asked, nothing logged. Every failure is an OnvifError.
"""

from collections.abc import Mapping
from dataclasses import dataclass
import errno
import socket
import time
from typing import Self

import aiohttp
from yarl import URL

from ..engine.rtsp.auth import Authenticator, parse_challenges
from .address import Address
from .errors import OnvifCause, OnvifError

CONNECT_S = 5.0
REQUEST_S = 10.0
#: The profiles of a recorder with 64 channels take about 0.4 MB.
MAX_ANSWER = 1_000_000

_NOBODY_THERE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ETIMEDOUT)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `date` is the camera's HTTP date ("" if none)."""

    status: int
    body: bytes
    date: str = ""
    #: time.time() in the middle of the request: when the camera looked at its clock, as far as we can tell.
    at: float = 0.0


class HttpLogin:
    """Signs requests of one camera with HTTP digest, never with Basic: that shows the password to whoever answers."""

    def __init__(self, username: str, password: str) -> None:
        self._authenticator = Authenticator(username, password)
        self._accepted = False

    @property
    def used(self) -> bool:
        """Whether anything was signed yet."""
        return self._authenticator.used

    def header(self, path: str) -> str | None:
        """The Authorization of a POST to `path`; None before the camera asked for it."""
        return self._authenticator.header("POST", path)

    def refused(self, challenges: list[str]) -> bool:
        """A 401 came. True if signing (again) makes sense: the first time, and later because of a new nonce."""
        wanted = [value for value in challenges if _is_digest(value)]
        if not wanted:
            return False
        return self._authenticator.renewed(wanted) if self._accepted else self._authenticator.challenged(wanted)

    def accepted(self) -> None:
        """A signed request was let in."""
        self._accepted = True


class CameraHttp:
    """Posts requests. Use as an asynchronous context manager."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=False, force_close=True, resolver=aiohttp.ThreadedResolver()),
            timeout=aiohttp.ClientTimeout(total=REQUEST_S, sock_connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "facility-cameras"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def post(
        self, address: Address, path: str, body: bytes, headers: Mapping[str, str], login: HttpLogin | None = None
    ) -> Reply:
        """Post once; with a `login` once more, signed, if HTTP digest is asked for. A refusal is a Reply too."""
        url = URL(address.url(path), encoded=True)
        authorization = login.header(path) if login else None
        reply, challenges = await self._post(address, url, body, _signed(headers, authorization))
        if login and reply.status == 401 and login.refused(challenges):
            authorization = login.header(path)
            reply, _ = await self._post(address, url, body, _signed(headers, authorization))
        if login and authorization and reply.status not in (401, 403):
            login.accepted()
        return reply

    async def _post(
        self, address: Address, url: URL, body: bytes, headers: Mapping[str, str]
    ) -> tuple[Reply, list[str]]:
        assert self._session is not None
        where = {"host": address.host, "port": str(address.port)}
        started = time.time()
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                answered = time.time()
                content = bytearray()
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > MAX_ANSWER:
                        raise OnvifError(OnvifCause.BAD_ANSWER, reason="answer too long", **where)
                challenges = response.headers.getall("WWW-Authenticate", [])
                reply = Reply(
                    response.status,
                    bytes(content),
                    response.headers.get("Date", ""),
                    (started + answered) / 2,
                )
                return reply, challenges
        except TimeoutError:
            raise OnvifError(OnvifCause.NO_ANSWER, **where) from None
        except aiohttp.ClientError as error:
            raise OnvifError(_cause_of(error), **where) from None


def _signed(headers: Mapping[str, str], authorization: str | None) -> dict[str, str]:
    return {**headers, "Authorization": authorization} if authorization else dict(headers)


def _is_digest(challenge: str) -> bool:
    return any(found.scheme == "digest" for found in parse_challenges([challenge]))


def _cause_of(error: aiohttp.ClientError) -> OnvifCause:
    match error:
        case aiohttp.InvalidURL():
            return OnvifCause.ADDRESS_INVALID
        case aiohttp.ClientConnectorDNSError():
            return OnvifCause.NAME_NOT_FOUND
        case aiohttp.ClientConnectorError(os_error=socket.gaierror()):
            return OnvifCause.NAME_NOT_FOUND
        case aiohttp.ClientConnectorError() if error.errno in _NOBODY_THERE:
            return OnvifCause.NO_ANSWER
        case aiohttp.ClientConnectorError():
            return OnvifCause.CONNECTION_REFUSED
        case aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError():
            return OnvifCause.CONNECTION_LOST
        case _:
            return OnvifCause.NOT_ONVIF
