"""What the log says of one camera: every change, never every try.

A camera that is gone for a month is tried every few seconds: its lines would push everything else out of the log.
"""

from collections import deque
import logging

_LOGGER = logging.getLogger(__name__)

#: The same as before is said again after so long, with how often it was tried.
AGAIN_S = 86_400.0
#: A camera that comes and goes, or fails in turns, gets this many lines an hour.
LINES_AN_HOUR = 6
_HOUR_S = 3600.0


class CameraLog:
    """One camera's lines. Times are monotonic seconds."""

    def __init__(self, camera: str) -> None:
        """`camera` is its id."""
        self._camera = camera
        self._said = ""
        self._lines: deque[float] = deque(maxlen=LINES_AN_HOUR)
        self._unsaid = 0

    def tell(self, what: str, now: float) -> None:
        """Write `what` if it is new or old enough; else it is counted and told with the next line."""
        if what == self._said and now - self._lines[-1] < AGAIN_S:
            self._unsaid += 1
            return
        if len(self._lines) == LINES_AN_HOUR and now - self._lines[0] < _HOUR_S:
            self._unsaid += 1
            return
        unsaid = f" ({self._unsaid} more since the last line)" if self._unsaid else ""
        _LOGGER.info("camera %s: %s%s", self._camera, what, unsaid)
        self._said = what
        self._lines.append(now)
        self._unsaid = 0
