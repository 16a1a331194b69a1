"""Who may play which footage: tokens that stand in the path of a playlist.

A player fetches a playlist and its segments without any header of ours, so the token is what it has to show. It is made
after the user's rights were checked, opens one camera between two times, and ends with Home Assistant or after a day.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
import secrets
import time

from .engine.api_footage import Segment

_LIFE_S = 24 * 3600.0
_MOST = 500


@dataclass(frozen=True, slots=True)
class Preview:
    """H.264 that is being made of footage: the engine's job, and the file that grows."""

    job_id: str
    path: Path


@dataclass(slots=True)
class Playback:
    """One camera between two times (UTC microseconds)."""

    facility_id: str
    camera_id: str
    start: int
    end: int
    #: Segments already asked for: a player fetches each in many ranges.
    segments: dict[int, Segment] = field(default_factory=dict)
    #: H.264 made of the footage, if that is what is played.
    preview: Preview | None = None
    ends: float = field(default_factory=lambda: time.monotonic() + _LIFE_S)


class PlaybackTokens:
    """Playbacks by token, in memory."""

    def __init__(self) -> None:
        """Begin empty."""
        self._playbacks: OrderedDict[str, Playback] = OrderedDict()

    def add(self, playback: Playback) -> str:
        """Keep a playback and return its token."""
        token = secrets.token_urlsafe(24)
        self._playbacks[token] = playback
        while len(self._playbacks) > _MOST:
            self._playbacks.popitem(last=False)
        return token

    def get(self, token: str) -> Playback | None:
        """The playback, None if there is none any more."""
        playback = self._playbacks.get(token)
        if playback is None or time.monotonic() > playback.ends:
            self._playbacks.pop(token, None)
            return None
        return playback
