"""Which camera is this? Serial number and MAC addresses, as far as they can be trusted (CAMERAS.md O14)."""

from collections.abc import Iterable
from dataclasses import dataclass
import re

_USELESS_SERIALS = frozenset(
    ("serialnumber", "serialno", "serial", "sn", "none", "null", "na", "unknown", "default", "0123456789", "1234567890")
)
_SHORTEST_SERIAL = 4


@dataclass(frozen=True, slots=True)
class Identity:
    """What can be trusted of what a camera says it is; store both and compare with `same_as`.

    `serial` is "" where the camera gave none or a useless one ("0000000", "SerialNumber", its model's name, …).
    `macs` are lower-case with colons, without dummies (all zero, broadcast, multicast).
    """

    serial: str
    macs: tuple[str, ...]

    @property
    def known(self) -> bool:
        """False: nothing tells this camera from another one (warn, compare host and path)."""
        return bool(self.serial or self.macs)

    def same_as(self, other: Identity) -> bool:
        """Whether both are one camera. Equal serials with MACs that have nothing in common are two cameras."""
        common_mac = bool(set(self.macs) & set(other.macs))
        if self.serial and other.serial:
            return self.serial == other.serial and (common_mac or not (self.macs and other.macs))
        return common_mac


def identify(serial: str, macs: Iterable[str], *, maker: str, model: str, firmware: str) -> Identity:
    """Keep what can be trusted."""
    serial = serial.strip()
    plain = re.sub(r"[^a-z0-9]", "", serial.lower())
    described = {re.sub(r"[^a-z0-9]", "", word.lower()) for word in (maker, model, firmware)}
    useless = len(plain) < _SHORTEST_SERIAL or len(set(plain)) == 1 or plain in _USELESS_SERIALS or plain in described
    return Identity("" if useless else serial, tuple(dict.fromkeys(mac for mac in map(normal_mac, macs) if mac)))


def normal_mac(text: str) -> str:
    """A MAC address in lower case with colons; "" if it is none or stands for nobody in particular."""
    digits = re.sub(r"[\s:.-]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{12}", digits) or digits == "0" * 12 or int(digits[:2], 16) & 1:
        return ""
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
