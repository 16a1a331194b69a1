"""The one exception of this package: why a camera could not be read, in words a flow can translate."""

from enum import StrEnum


class OnvifCause(StrEnum):
    """Why. Each has a sentence in both languages; what it needs is in `OnvifError.placeholders`."""

    ADDRESS_INVALID = "address_invalid"  # what was typed is no host, host:port or http(s) address
    NAME_NOT_FOUND = "name_not_found"  # host name does not resolve
    NO_ANSWER = "no_answer"  # nothing answered within the time limit
    CONNECTION_REFUSED = "connection_refused"  # every port that was tried is closed
    CONNECTION_LOST = "connection_lost"  # closed in the middle of an answer
    NOT_ONVIF = "not_onvif"  # something answers, but it is no ONVIF device
    PASSWORD_MISSING = "password_missing"  # the camera wants a login and none was given
    PASSWORD_WRONG = "password_wrong"  # refused, as WS-Security and as HTTP digest; never tried again by itself
    ACCOUNT_LOCKED = "account_locked"  # refused because of too many wrong passwords before
    NO_PROFILES = "no_profiles"  # the camera offers no video stream
    BAD_ANSWER = "bad_answer"  # ONVIF, but an answer that cannot be used


class OnvifError(Exception):
    """Reading a camera failed.

    `placeholders` holds what the cause's sentence needs and nothing secret: always `host` and `port` (the port that
    was tried, or all of them as "80, 8000, …"); `user` for the three causes about logins; `reason` for bad_answer
    (the camera's own words, 200 characters at most, without anything that was sent to it); `attempts` for
    password_wrong where the camera said how many tries are left, else "".
    """

    def __init__(self, cause: OnvifCause, **placeholders: str) -> None:
        told = ", ".join(f"{key} {value}" for key, value in placeholders.items() if value)
        super().__init__(f"{cause.value}: {told}" if told else cause.value)
        self.cause = cause
        self.placeholders = {"host": "", "port": "", "user": "", "reason": "", "attempts": "", **placeholders}
