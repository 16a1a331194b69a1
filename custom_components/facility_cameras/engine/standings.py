"""What is asked of each camera, told to the ledger whenever it changes; and the maintenance that is planned.

Promise I5 (truth): maintenance, a connect switch and required hours are counted apart, each from when to when. A
maintenance ends by itself: at its time of our wall clock, or once it has lasted as long as it was planned to by the
monotonic one, whichever comes first. So no clock that is set back makes it last for ever.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .api import CameraConfig, Maintenance
from .clock import Clock, microseconds
from .ledger.ledger import Ledger
from .standing import LONGEST_MAINTENANCE_US, left_us, readable, said, standing

#: Switches of which it is noted who changed them, and what says who.
_SWITCHES = (("connect", "connect_who"), ("retired", "connect_who"), ("record", "record_who"))


@dataclass(slots=True)
class _Planned:
    maintenance: Maintenance
    #: Monotonic seconds at which it is over at the latest.
    over: float


class Standings:
    """What is asked of the cameras of one engine. `changed` is called with the id of a camera of which it changed."""

    def __init__(
        self, ledger: Ledger, clock: Clock, kept: Mapping[str, object], changed: Callable[[str], None]
    ) -> None:
        """`kept` is what `kept` said before a restart."""
        self._ledger = ledger
        self._clock = clock
        self._changed = changed
        self._planned: dict[str, _Planned] = {}
        self._configs: dict[str, tuple[CameraConfig, str]] = {}
        for camera, found in kept.items():
            if (maintenance := readable(found)) is not None:
                self._plan(camera, maintenance)

    @property
    def kept(self) -> dict[str, Maintenance]:
        """What has to outlast a restart."""
        return {camera: planned.maintenance for camera, planned in self._planned.items()}

    def maintenance(self, camera: str) -> Maintenance | None:
        """The maintenance under way."""
        planned = self._planned.get(camera)
        return planned.maintenance if planned is not None and not self._over(planned) else None

    def put(self, config: CameraConfig, facility: str) -> None:
        """What is wanted of a camera now."""
        camera = config["id"]
        before, _ = self._configs.get(camera, (config, facility))
        self._configs[camera] = config, facility
        self._ledger.describe(camera, config["name"], facility, config["place"])
        for switch, who in _SWITCHES:
            now: Mapping[str, object] = {**config}
            if now[switch] != {**before}[switch]:
                content = {"switch": switch, "on": now[switch], "who": now[who]}
                self._ledger.note("switched", facility, camera, content)
        self._tell(camera)

    def forget(self, camera: str) -> None:
        """The camera was removed."""
        self._planned.pop(camera, None)
        self._configs.pop(camera, None)

    def begin(self, camera: str, until_us: int, reason: str, who: str) -> Maintenance:
        """Work is planned from now until `until_us` (UTC microseconds); what was planned before is replaced. Raises
        ValueError if that is over already, or too far away.
        """
        now_us = microseconds(self._clock.utc())
        if not 0 < until_us - now_us <= LONGEST_MAINTENANCE_US:
            raise ValueError(f"until lies within the next {LONGEST_MAINTENANCE_US // 86_400_000_000} days")
        maintenance: Maintenance = {"since": now_us, "until": until_us, "reason": reason, "who": who}
        self._plan(camera, maintenance)
        self._tell(camera)
        self._changed(camera)
        return maintenance

    def end(self, camera: str, who: str) -> bool:
        """It is over sooner than planned. Returns whether there was one."""
        planned = self._planned.pop(camera, None)
        if planned is None:
            return False
        _, facility = self._configs[camera]
        self._ledger.note(
            "maintenance_ended", facility, camera, {"who": who, "planned_until": planned.maintenance["until"]}
        )
        self._tell(camera)
        self._changed(camera)
        return True

    def tick(self) -> None:
        """Called once a second: what is over ends."""
        for camera in [camera for camera, planned in self._planned.items() if self._over(planned)]:
            del self._planned[camera]
            self._tell(camera)
            self._changed(camera)

    def _plan(self, camera: str, maintenance: Maintenance) -> None:
        left_s = left_us(maintenance, microseconds(self._clock.utc())) / 1e6
        self._planned[camera] = _Planned(maintenance, self._clock.monotonic() + left_s)

    def _over(self, planned: _Planned) -> bool:
        now_us = microseconds(self._clock.utc())
        return left_us(planned.maintenance, now_us) <= 0 or self._clock.monotonic() >= planned.over

    def _tell(self, camera: str) -> None:
        if (found := self._configs.get(camera)) is not None:
            config, maintenance = found[0], self.maintenance(camera)
            self._ledger.stand(camera, standing(config, maintenance), *said(config, maintenance))
