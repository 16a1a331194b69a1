"""Which camera is this? Serial number and MAC addresses, as far as they can be trusted (CAMERAS.md O14)."""

from dataclasses import dataclass


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
        raise NotImplementedError
