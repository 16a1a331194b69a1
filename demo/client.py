"""Speaks to Home Assistant as its web page does: REST, the web socket, and the calls of the set-up dialogues."""

import asyncio
from collections.abc import Mapping
from typing import Any, Self

import aiohttp

from .problem import DemoError

#: No answer of Home Assistant's may take longer.
_TIMEOUT_S = 60.0


class Client:
    """A logged-in user. Use as an asynchronous context manager."""

    def __init__(self, url: str, token: str) -> None:
        """Nothing is sent yet. `url` has no slash at its end."""
        self.url, self._token = url, token
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._last_id = 0
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._token}"}, timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._socket:
            await self._socket.close()
        if self._session:
            await self._session.close()

    @property
    def http(self) -> aiohttp.ClientSession:
        """The session that carries the log-in."""
        assert self._session, "the client is not entered"
        return self._session

    async def get(self, path: str) -> Any:
        """A REST answer. Raises `DemoError`."""
        return await self._request("GET", path, None)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A REST answer to `body`. Raises `DemoError`."""
        return await self._request("POST", path, body or {})

    async def delete(self, path: str) -> Any:
        """A REST answer. Raises `DemoError`."""
        return await self._request("DELETE", path, None)

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        try:
            async with self.http.request(method, self.url + path, json=body) as response:
                if response.status >= 400:
                    text = (await response.text())[:300]
                    raise DemoError(f"Home Assistant refused {method} {path}: {response.status} {text}")
                return await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DemoError(f"Home Assistant did not answer {method} {path}: {error!r}") from error

    async def bytes(self, path: str) -> bytes:
        """The body of a page, as the browser would load it: without the log-in, since the path carries its own."""
        shown = path.partition("?")[0]
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S)) as session,
                session.get(self.url + path if path.startswith("/") else path) as response,
            ):
                if response.status >= 400:
                    raise DemoError(f"GET {shown}: {response.status}")
                return await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DemoError(f"GET {shown}: {error!r}") from error

    async def call(self, kind: str, **arguments: Any) -> Any:
        """The result of one command over the web socket. Raises `DemoError`."""
        async with self._turn:
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    socket = await self._connected()
                    self._last_id += 1
                    await socket.send_json({"id": self._last_id, "type": kind, **arguments})
                    while True:
                        answer = await socket.receive_json()
                        if answer.get("id") == self._last_id and answer["type"] == "result":
                            break
            except (aiohttp.ClientError, TimeoutError, TypeError) as error:
                self._socket = None  # a closed socket is answered with a TypeError by aiohttp
                raise DemoError(f"Home Assistant did not answer {kind}: {error!r}") from error
        if not answer["success"]:
            raise DemoError(f"Home Assistant refused {kind}: {answer['error'].get('message')}")
        return answer["result"]

    async def _connected(self) -> aiohttp.ClientWebSocketResponse:
        if self._socket is None or self._socket.closed:
            self._socket = await self.http.ws_connect(self.url + "/api/websocket", max_msg_size=0)
            self._last_id = 0
            await self._socket.receive_json()
            await self._socket.send_json({"type": "auth", "access_token": self._token})
            if (await self._socket.receive_json())["type"] != "auth_ok":
                raise DemoError("Home Assistant does not know this log-in any more; run with --reset.")
        return self._socket
