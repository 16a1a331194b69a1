"""Makes the first user of a new Home Assistant, as its welcome page does, and logs in."""

import json
from pathlib import Path
import time
from typing import Any, TypedDict

import aiohttp

from .client import Client
from .problem import DemoError

#: Shown to whoever starts the demo. Home Assistant listens on this machine only.
USERNAME = "demo"
PASSWORD = "demo"


class Tokens(TypedDict):
    """A log-in as Home Assistant's page keeps it (`localStorage.hassTokens`). `expires` in ms since 1970."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int
    hassUrl: str
    clientId: str
    expires: int


async def log_in(url: str) -> Tokens:
    """The tokens of the demo's user, who is made if this Home Assistant is new. Raises `DemoError`."""
    client_id = f"{url}/"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:

        async def post(path: str, **arguments: Any) -> Any:
            async with session.post(url + path, **arguments) as response:
                if response.status >= 400:
                    raise DemoError(f"Home Assistant refused {path}: {response.status} {(await response.text())[:200]}")
                return await response.json(content_type=None)

        try:
            done = await _done(session, url)
            if done is not None and "user" not in done:
                made = await post(
                    "/api/onboarding/users",
                    json={
                        "client_id": client_id,
                        "name": "Demo",
                        "username": USERNAME,
                        "password": PASSWORD,
                        "language": "en",
                    },
                )
                code = made["auth_code"]
            else:
                login = await post(
                    "/auth/login_flow",
                    json={"client_id": client_id, "handler": ["homeassistant", None], "redirect_uri": client_id},
                )
                answer = {"username": USERNAME, "password": PASSWORD, "client_id": client_id}
                code = (await post(f"/auth/login_flow/{login['flow_id']}", json=answer)).get("result")
                if code is None:
                    raise DemoError(f"The log-in of this demo was changed; run with --reset to begin anew ({url}).")
            form = {"client_id": client_id, "grant_type": "authorization_code", "code": code}
            tokens = await post("/auth/token", data=form)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DemoError(f"Home Assistant did not answer while logging in: {error!r}") from error
    return Tokens(
        access_token=tokens["access_token"],
        refresh_token=tokens["refresh_token"],
        token_type=tokens["token_type"],
        expires_in=tokens["expires_in"],
        hassUrl=url,
        clientId=client_id,
        expires=int((time.time() + tokens["expires_in"]) * 1000),
    )


async def _done(session: aiohttp.ClientSession, url: str) -> set[str] | None:
    """The steps of the welcome page that were answered; None if all were: the page is not there any more."""
    async with session.get(f"{url}/api/onboarding") as response:
        if response.status == 404:
            return None
        return {step["step"] for step in await response.json() if step["done"]}


async def finish_onboarding(client: Client) -> None:
    """Answer the rest of the welcome page. Does nothing where that is done."""
    if (done := await _done(client.http, client.url)) is None:
        return
    if "analytics" not in done:
        await client.post("/api/onboarding/analytics")
    if "integration" not in done:
        page = f"{client.url}/"
        await client.post("/api/onboarding/integration", {"client_id": page, "redirect_uri": f"{page}?auth_callback=1"})


def save(tokens: Tokens, path: Path) -> None:
    """Keep the log-in for the tests that use a browser; only this user may read it."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(tokens), encoding="utf-8")
