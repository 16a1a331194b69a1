"""Which logins worked and which were refused, over restarts of the engine: cameras lock accounts after five tries.

Promise I8: a password that never worked is tried once, then only when somebody changes something (O1). Promise I9: what
is kept is a salted fingerprint of the login, not the login.
"""

from collections.abc import Callable
import hashlib
import secrets

from .api import CameraConfig

type Remembered = dict[str, dict[str, str]]


class Logins:
    """The memory. `changed` is called when it should be saved."""

    def __init__(self, remembered: Remembered, changed: Callable[[], None]) -> None:
        """Go on from what was saved."""
        self.remembered = remembered
        self._changed = changed

    def _matches(self, config: CameraConfig) -> str:
        """What is remembered of exactly this login: "worked", "refused" or ""."""
        known = self.remembered.get(config["id"])
        if known is None or known["print"] != _fingerprint(config, known["salt"]):
            return ""
        return known["state"]

    def _keep(self, config: CameraConfig, state: str) -> None:
        if self._matches(config) == state:
            return
        salt = secrets.token_hex(8)
        self.remembered[config["id"]] = {"salt": salt, "print": _fingerprint(config, salt), "state": state}
        self._changed()

    def worked(self, config: CameraConfig) -> None:
        """The camera let us in."""
        self._keep(config, "worked")

    def refuse(self, config: CameraConfig) -> None:
        """The camera refused a login that never worked."""
        self._keep(config, "refused")

    def has_worked(self, config: CameraConfig) -> bool:
        """Whether this login ever worked."""
        return self._matches(config) == "worked"

    def refused(self, config: CameraConfig) -> bool:
        """Whether this login was refused and must not be tried again. Asked before every try: costs little mostly."""
        known = self.remembered.get(config["id"])
        return known is not None and known["state"] == "refused" and self._matches(config) == "refused"

    def remove(self, camera: str) -> None:
        """The camera is gone for good."""
        if self.remembered.pop(camera, None) is not None:
            self._changed()

    def forget(self, camera: str) -> None:
        """The user changed something at the camera: a refused login may be tried once more."""
        known = self.remembered.get(camera)
        if known is not None and known["state"] == "refused":
            del self.remembered[camera]
            self._changed()


def _fingerprint(config: CameraConfig, salt: str) -> str:
    login = "\0".join((config["url"], config["username"], config["password"]))
    return hashlib.scrypt(login.encode(), salt=salt.encode(), n=1024, r=8, p=1).hex()
