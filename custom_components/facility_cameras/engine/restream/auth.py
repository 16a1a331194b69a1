"""Who may look: one user with one secret, by Basic or Digest (RFC 7616 with MD5, without qop, as RTSP clients do it).

Secrets are compared in constant time (promise I9: secret).
"""

from base64 import b64decode
from hashlib import md5
import hmac
import re
import secrets

USER = "viewer"
REALM = "Facility Cameras"

_PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^",\s]*))')


class Auth:
    """The challenge of one connection, and what answers it."""

    def __init__(self, secret: str) -> None:
        """`secret` is the password of the one user."""
        self._secret = secret
        self._nonce = secrets.token_hex(16)

    def challenges(self) -> tuple[str, str]:
        """Values of WWW-Authenticate. Digest first: some clients look at one only."""
        return f'Digest realm="{REALM}", nonce="{self._nonce}"', f'Basic realm="{REALM}"'

    def allows(self, method: str, authorization: str) -> bool:
        """Whether the value of an Authorization header is right for a request of `method`."""
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() == "basic":
            return self._basic(rest.strip())
        if scheme.lower() == "digest":
            return self._digest(method, rest)
        return False

    def _basic(self, encoded: str) -> bool:
        try:
            given = b64decode(encoded, validate=True)
        except ValueError:
            return False
        return hmac.compare_digest(given, f"{USER}:{self._secret}".encode())

    def _digest(self, method: str, parameters: str) -> bool:
        # `uri` is what the client says it signed: some sign the absolute URL, some the path.
        given = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(parameters)}
        user_hash = _md5(f"{USER}:{REALM}:{self._secret}")
        wanted = _md5(f"{user_hash}:{self._nonce}:{_md5(f'{method}:{given.get("uri", "")}')}")
        return (
            hmac.compare_digest(given.get("username", "").encode(), USER.encode())
            and hmac.compare_digest(given.get("nonce", "").encode(), self._nonce.encode())
            and hmac.compare_digest(given.get("response", "").lower().encode(), wanted.encode())
        )


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()
