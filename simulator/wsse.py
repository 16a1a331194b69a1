"""WS-Security UsernameToken as cameras check it, and the lock after wrong log-ins."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
import hashlib
import hmac

from .soap import Node

#: How far the time in a token may be from the camera's clock, in seconds.
_WINDOW = 60.0
_MOST_NONCES = 1024


class Lock:
    """Counts wrong log-ins in a row; closes for some time after too many. 0 tries: never."""

    def __init__(self, tries: int, seconds: float, clock: Callable[[], float]) -> None:
        """Open. Times are seconds of `clock`."""
        self._tries, self._seconds, self._clock = tries, seconds, clock
        self._wrong = 0
        self._until = float("-inf")
        #: Wrong log-ins since the camera began.
        self.failures = 0

    @property
    def closed(self) -> bool:
        """True while even the right password is refused."""
        return self._clock() < self._until

    @property
    def left(self) -> int:
        """Tries until it closes."""
        return max(0, self._tries - self._wrong) if not self.closed else 0

    def tried(self, *, good: bool) -> None:
        """A log-in was judged."""
        if good:
            self._wrong = 0
            return
        self.failures += 1
        self._wrong += 1
        if self._tries and self._wrong >= self._tries:
            self._until, self._wrong = self._clock() + self._seconds, 0


class TokenJudge:
    """Judges UsernameTokens; a nonce counts once."""

    def __init__(self) -> None:
        """No nonce was seen."""
        self._nonces: dict[str, None] = {}

    def good(self, token: Node, username: str, password: str, now: float) -> bool:
        """Whether the token is the user's; `now` is the camera's clock, seconds since 1970."""
        given = token.find("Password")
        if given is None or token.text_at("Username") != username:
            return False
        if given.attributes.get("Type", "").endswith("#PasswordText"):
            return hmac.compare_digest(given.text.strip().encode(), password.encode())
        nonce, created = token.text_at("Nonce"), token.text_at("Created")
        try:
            raw = base64.b64decode(nonce, validate=True)
            age = now - datetime.fromisoformat(created).timestamp()
        except binascii.Error, ValueError:
            return False
        if abs(age) > _WINDOW or nonce in self._nonces:
            return False
        self._nonces[nonce] = None
        if len(self._nonces) > _MOST_NONCES:
            del self._nonces[next(iter(self._nonces))]
        wanted = hashlib.sha1(raw + created.encode() + password.encode()).digest()
        return hmac.compare_digest(given.text.strip().encode(), base64.b64encode(wanted))
