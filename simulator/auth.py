"""Log-ins as cameras do them: Basic (RFC 7617) and Digest (RFC 2069, 7616), and the lock after wrong tries."""

import base64
import binascii
from collections.abc import Callable
from enum import Enum
import hashlib
import hmac
import re
import secrets

from .spec import Scheme

_HASHES = {"MD5": "md5", "SHA-256": "sha256"}
_PAIR = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]*))')
_MOST_NONCES = 4096


class Verdict(Enum):
    """What came of a request's log-in."""

    GOOD = "good"
    NONE = "none"
    STALE = "stale"
    WRONG = "wrong"
    LOCKED = "locked"


def digest_response(
    algorithm: str, username: str, realm: str, password: str, method: str, uri: str, nonce: str, extra: str = ""
) -> str:
    """The response of RFC 7616; `extra` is "nc:cnonce:qop" joined by colons, empty without qop."""
    name = _HASHES[algorithm]

    def hashed(text: str) -> str:
        return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()

    middle = f"{nonce}:{extra}" if extra else nonce
    return hashed(f"{hashed(f'{username}:{realm}:{password}')}:{middle}:{hashed(f'{method}:{uri}')}")


class Guard:
    """Judges the log-ins of one camera's RTSP service. Times are seconds of `clock`."""

    def __init__(
        self,
        username: str,
        password: str,
        schemes: tuple[Scheme, ...],
        clock: Callable[[], float],
        *,
        realm: str = "IP Camera",
        qop: bool = True,
        sloppy: bool = False,
        nonce_seconds: float = 3600,
        lock_after: int = 5,
        lock_seconds: float = 300,
    ) -> None:
        """Nobody has tried yet."""
        self.username, self.password = username, password
        self.schemes, self.realm, self.qop = schemes, realm, qop
        self._sloppy = sloppy
        self._clock, self._nonce_seconds = clock, nonce_seconds
        self._lock_after, self._lock_seconds = lock_after, lock_seconds
        self._nonces: dict[str, float] = {}
        self._wrong = 0
        self._locked_until = float("-inf")
        #: Wrong log-ins since the camera began.
        self.failures = 0

    @property
    def locked(self) -> bool:
        """True while even the right password is refused."""
        return self._clock() < self._locked_until

    def challenges(self, *, stale: bool = False) -> list[str]:
        """Values for WWW-Authenticate, one per scheme."""
        values = []
        for scheme in self.schemes:
            if scheme == "basic":
                values.append(f'Basic realm="{self.realm}"')
                continue
            nonce = secrets.token_hex(16)
            self._nonces[nonce] = self._clock()
            if len(self._nonces) > _MOST_NONCES:
                del self._nonces[next(iter(self._nonces))]
            if self._sloppy:
                values.append(f'Digest  realm="{self.realm}",nonce="{nonce}" ,  stale="FALSE"')
                continue
            value = f'Digest realm="{self.realm}", nonce="{nonce}", algorithm={scheme.upper()}'
            values.append(value + (', qop="auth"' if self.qop else "") + (", stale=true" if stale else ""))
        return values

    def judge(self, method: str, uri: str, header: str | None) -> Verdict:
        """The verdict on the Authorization `header` of a request; wrong ones are counted."""
        if not self.schemes:
            return Verdict.GOOD
        if header is None:
            return Verdict.NONE
        if self.locked:
            return Verdict.LOCKED
        scheme, _, rest = header.strip().partition(" ")
        if scheme.lower() == "digest":
            verdict = self._judge_digest(method, uri, rest)
        else:
            verdict = self._judge_basic(scheme, rest)
        if verdict is Verdict.GOOD:
            self._wrong = 0
        elif verdict is Verdict.WRONG:
            self.failures += 1
            self._wrong += 1
            if self._lock_after and self._wrong >= self._lock_after:
                self._locked_until, self._wrong = self._clock() + self._lock_seconds, 0
        return verdict

    def _judge_basic(self, scheme: str, rest: str) -> Verdict:
        try:
            given = base64.b64decode(rest.strip(), validate=True)
        except binascii.Error, ValueError:
            return Verdict.WRONG
        wanted = f"{self.username}:{self.password}".encode()
        good = scheme.lower() == "basic" and "basic" in self.schemes and hmac.compare_digest(given, wanted)
        return Verdict.GOOD if good else Verdict.WRONG

    def _judge_digest(self, method: str, uri: str, rest: str) -> Verdict:
        fields = {key.lower(): quoted or plain for key, quoted, plain in _PAIR.findall(rest)}
        algorithm = fields.get("algorithm", "MD5").upper()
        if algorithm not in {scheme.upper() for scheme in self.schemes} - {"BASIC"} or fields.get("uri") != uri:
            return Verdict.WRONG
        extra = ""
        if qop := fields.get("qop"):
            if not self.qop or qop != "auth":
                return Verdict.WRONG
            extra = f"{fields.get('nc', '')}:{fields.get('cnonce', '')}:{qop}"
        nonce = fields.get("nonce", "")
        wanted = digest_response(algorithm, self.username, self.realm, self.password, method, uri, nonce, extra)
        username = re.sub(r"\\(.)", r"\1", fields.get("username", ""))
        good = username == self.username and hmac.compare_digest(fields.get("response", "").encode(), wanted.encode())
        if not good:
            return Verdict.WRONG
        born = self._nonces.get(nonce)
        return Verdict.GOOD if born is not None and self._clock() - born < self._nonce_seconds else Verdict.STALE
