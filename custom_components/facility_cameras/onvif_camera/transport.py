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
    """What came back. `date` is the camera's HTTP date ("" if none); `digest` tells that HTTP digest is offered."""

    status: int
    body: bytes
    date: str = ""
    digest: bool = False
    #: time.time() in the middle of the request: when the camera looked at its clock, as far as we can tell.
    at: float = 0.0


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
        self, address: Address, path: str, body: bytes, headers: Mapping[str, str], signer: Authenticator | None = None
    ) -> Reply:
        """Post once; with a `signer` once more, signed, if HTTP digest is asked for (never Basic: it shows the
        password to whoever answers). A refusal is a Reply like any other.
        """
        url = URL(address.url(path), encoded=True)
        sent = dict(headers)
        authorization = signer.header("POST", path) if signer else None
        if authorization:
            sent["Authorization"] = authorization
        reply, challenges = await self._post(address, url, body, sent)
        if reply.status == 401 and reply.digest and signer:
            wanted = [value for value in challenges if _is_digest(value)]
            if signer.challenged(wanted) and (authorization := signer.header("POST", path)):
                reply, _ = await self._post(address, url, body, {**headers, "Authorization": authorization})
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
                    any(_is_digest(value) for value in challenges),
                    (started + answered) / 2,
                )
                return reply, challenges
        except TimeoutError:
            raise OnvifError(OnvifCause.NO_ANSWER, **where) from None
        except aiohttp.ClientError as error:
            raise OnvifError(_cause_of(error), **where) from None


def _is_digest(challenge: str) -> bool:
    return any(found.scheme == "digest" for found in parse_challenges([challenge]))


def _cause_of(error: aiohttp.ClientError) -> OnvifCause:
    match error:
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
