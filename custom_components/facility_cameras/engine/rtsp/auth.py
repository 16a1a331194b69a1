"""RTSP authentication: Basic (RFC 7617) and Digest (RFC 2617, RFC 7616) as cameras ask for it (CAMERAS.md R9-R12).

MD5, SHA-256 and SHA-512-256, with and without qop and -sess; several challenges at once; sloppy ones.
Promise I9: nothing here is logged, and no exception holds a password.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
import hashlib
import re
import secrets

#: Best first.
_HASHES = {"sha-512-256": "sha512_256", "sha-256": "sha256", "md5": "md5"}
_PREFERENCE = ("sha-256", "md5", "sha-512-256")
_FIELD = re.compile(r'([A-Za-z][\w-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')
_SCHEME = re.compile(r"(?:^|[\s,])(Digest|Basic)(?=\s|,|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way in that the camera offers."""

    scheme: str
    realm: str = ""
    nonce: str = ""
    algorithm: str = "md5"
    session: bool = False
    qop: str = ""
    opaque: str | None = None
    stale: bool = False
    said_algorithm: str = ""


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """All challenges of all WWW-Authenticate headers, in separate headers or joined by commas (R9)."""
    found = []
    for value in values:
        quoted_out = re.sub(r'"(?:[^"\\]|\\.)*"', lambda quoted: "x" * len(quoted[0]), value)
        starts = list(_SCHEME.finditer(quoted_out))
        for index, start in enumerate(starts):
            end = starts[index + 1].start() if index + 1 < len(starts) else len(value)
            challenge = _parse_one(start[1].lower(), value[start.end() : end])
            if challenge is not None:
                found.append(challenge)
    return found


def _parse_one(scheme: str, text: str) -> Challenge | None:
    fields = {
        match[1].lower(): re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        for match in _FIELD.finditer(text)
    }
    if scheme == "basic":
        return Challenge("basic", fields.get("realm", ""))
    said = fields.get("algorithm", "")
    algorithm = said.strip().lower() or "md5"
    session = algorithm.endswith("-sess")
    algorithm = algorithm.removesuffix("-sess")
    if algorithm not in _HASHES:
        return None
    offered = [part.strip().lower() for part in fields.get("qop", "").split(",")]
    return Challenge(
        scheme="digest",
        realm=fields.get("realm", ""),
        nonce=fields.get("nonce", ""),
        algorithm=algorithm,
        session=session,
        qop="auth" if "auth" in offered else "",
        opaque=fields.get("opaque"),
        stale=fields.get("stale", "").strip().lower() == "true",
        said_algorithm=said,
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


class Authenticator:
    """Signs the requests of one connection. Knows no challenge at first: the first request goes unsigned."""

    def __init__(self, username: str, password: str) -> None:
        """Keep the login; "" for both means that there is none."""
        self.username = username
        self._password = password
        self._challenge: Challenge | None = None
        self._count = 0
        #: True once a request went out signed.
        self.used = False

    def anew(self) -> Authenticator:
        """The same login for another connection that knows nothing of this one."""
        return Authenticator(self.username, self._password)

    @property
    def has_login(self) -> bool:
        """Whether there is anything to sign with."""
        return bool(self.username or self._password)

    def challenged(self, values: Iterable[str]) -> bool:
        """Take the challenges of a 401. True if trying again makes sense: the first time, or with a new nonce (R12)."""
        offered = parse_challenges(values)
        digests = {challenge.algorithm: challenge for challenge in reversed(offered) if challenge.scheme == "digest"}
        best = next((digests[name] for name in _PREFERENCE if name in digests), None)
        if best is None:
            best = next((challenge for challenge in offered if challenge.scheme == "basic"), None)
        if best is None or not self.has_login:
            return False
        before = self._challenge
        self._challenge = best
        self._count = 0
        if not self.used or before is None:
            return True
        return best.scheme == "digest" and best.stale and best.nonce != before.nonce

    def renewed(self, values: Iterable[str]) -> bool:
        """Like `challenged`, for a session that was already let in: any new nonce is worth one more try (R12)."""
        before = self._challenge.nonce if self._challenge else None
        again = self.challenged(values)
        return again or (
            self._challenge is not None and bool(self._challenge.nonce) and self._challenge.nonce != before
        )

    def header(self, method: str, url: str) -> str | None:
        """The Authorization header for a request; `url` is its request line's, letter for letter (R11)."""
        challenge = self._challenge
        if challenge is None or not self.has_login:
            return None
        self.used = True
        if challenge.scheme == "basic":
            return f"Basic {base64.b64encode(f'{self.username}:{self._password}'.encode()).decode()}"
        self._count += 1
        return self._digest(challenge, method, url)

    def _digest(self, challenge: Challenge, method: str, url: str) -> str:
        def hashed(text: str) -> str:
            return hashlib.new(_HASHES[challenge.algorithm], text.encode(), usedforsecurity=False).hexdigest()

        client = secrets.token_hex(8)
        number = f"{self._count:08x}"
        first = hashed(f"{self.username}:{challenge.realm}:{self._password}")
        if challenge.session:
            first = hashed(f"{first}:{challenge.nonce}:{client}")
        second = hashed(f"{method}:{url}")
        if challenge.qop:
            response = hashed(f"{first}:{challenge.nonce}:{number}:{client}:{challenge.qop}:{second}")
        else:
            response = hashed(f"{first}:{challenge.nonce}:{second}")
        fields = [
            f'username="{_quoted(self.username)}"',
            f'realm="{_quoted(challenge.realm)}"',
            f'nonce="{_quoted(challenge.nonce)}"',
            f'uri="{url}"',
            f'response="{response}"',
        ]
        if challenge.algorithm != "md5" or challenge.session:
            fields.append(f"algorithm={challenge.said_algorithm}")
        if challenge.opaque is not None:
            fields.append(f'opaque="{_quoted(challenge.opaque)}"')
        if challenge.qop:
            fields += [f"qop={challenge.qop}", f"nc={number}"]
        if challenge.qop or challenge.session:
            fields.append(f'cnonce="{client}"')
        return f"Digest {', '.join(fields)}"
