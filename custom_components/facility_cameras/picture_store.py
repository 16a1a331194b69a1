"""Pictures that are shown to one person for a few minutes, under an address nobody can guess."""

from collections import OrderedDict
import secrets
import time

#: How long a picture can be fetched.
_LIFE_S = 600.0
#: More pictures than this at once: the oldest goes.
_MOST = 32


class PictureStore:
    """JPEGs by token, in memory."""

    def __init__(self) -> None:
        """Begin empty."""
        self._pictures: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def add(self, jpeg: bytes) -> str:
        """Keep a picture and return its token."""
        token = secrets.token_urlsafe(16)
        self._pictures[token] = (time.monotonic() + _LIFE_S, jpeg)
        while len(self._pictures) > _MOST:
            self._pictures.popitem(last=False)
        return token

    def get(self, token: str) -> bytes | None:
        """The picture, None if there is none any more."""
        end, jpeg = self._pictures.get(token, (0.0, b""))
        if time.monotonic() > end:
            self._pictures.pop(token, None)
            return None
        return jpeg
