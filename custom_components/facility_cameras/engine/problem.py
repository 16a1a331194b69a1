"""What went wrong with a camera, as one exception that carries a status, a cause and what its sentence needs.

Promise I9 (secret): placeholders are host, port, path, user, codec, status; never a password, a token or a header.
"""

from .api import Cause, Problem, Status

#: Which status a cause means while it lasts.
STATUS_OF = {
    Cause.NO_ANSWER: Status.UNREACHABLE,
    Cause.NAME_NOT_FOUND: Status.UNREACHABLE,
    Cause.CONNECTION_LOST: Status.UNREACHABLE,
    Cause.CONNECTION_REFUSED: Status.REFUSED,
    Cause.PASSWORD_WRONG: Status.UNAUTHORISED,
    Cause.PASSWORD_MISSING: Status.UNAUTHORISED,
    Cause.NO_PACKETS: Status.STALLED,
    Cause.NO_KEYFRAME: Status.STALLED,
    Cause.STARTING: Status.UNKNOWN,
    Cause.NONE: Status.ONLINE,
}


class CameraError(Exception):
    """A camera cannot be received. `cause` says why; `placeholders` fill its sentence."""

    def __init__(self, cause: Cause, **placeholders: str | int) -> None:
        """Take the cause and what its sentence needs (never a secret)."""
        super().__init__(cause.value)
        self.cause = cause
        self.placeholders = {key: str(value)[:200] for key, value in placeholders.items()}

    @property
    def status(self) -> Status:
        """The camera's status while this lasts."""
        return STATUS_OF.get(self.cause, Status.NO_STREAM)

    @property
    def problem(self) -> Problem:
        """The same for the API."""
        return {"cause": self.cause.value, "placeholders": self.placeholders}

    def __str__(self) -> str:
        """The cause with its placeholders, for the log."""
        told = " ".join(f"{key}={value}" for key, value in self.placeholders.items())
        return f"{self.cause.value} {told}".strip()
