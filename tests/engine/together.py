"""A hub with thirteen cameras that go and come as a test says, and what is told of causes in common."""

from collections.abc import Callable

from custom_components.facility_cameras.engine.api_health import CommonCause, HubFault
from custom_components.facility_cameras.engine.common_cause import CommonCauses
from tests.engine.archives import HandClock

S = 1_000_000
#: Two facilities: one with a recorder of three channels, four cameras beside it and three in a second network; one
#: small one, with a camera that is known by its name.
WHERE = {
    **{f"r{number}": ("f", "10.0.1.9") for number in range(3)},
    **{f"a{number}": ("f", f"10.0.1.{20 + number}") for number in range(4)},
    **{f"b{number}": ("f", f"10.0.2.{20 + number}") for number in range(3)},
    "s0": ("g", "fd00::20"),
    "s1": ("g", "fd00::21"),
    "s2": ("g", "Gate.local."),
}
CAMERAS = sorted(WHERE)
RECORDER = [camera for camera in CAMERAS if camera[0] == "r"]
FIRST = [camera for camera in CAMERAS if camera[0] in "ar"]
SECOND = [camera for camera in CAMERAS if camera[0] == "b"]
SITE, SMALL = sorted([*FIRST, *SECOND]), [camera for camera in CAMERAS if camera[0] == "s"]


class Hub:
    """All cameras connected, then what happens to them, a second at a time."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.told: list[CommonCause] = []
        self.causes = CommonCauses(self.clock, self._hear)
        self.connected = dict.fromkeys(CAMERAS, True)
        #: Newest word of every event that was not found to be a part of another.
        self.events: dict[str, CommonCause] = {}
        for camera, (facility, host) in WHERE.items():
            self.causes.place(camera, facility, host)
            self.causes.told(camera, True)
        self.run(60)

    def _hear(self, event: CommonCause) -> None:
        before = self.events.get(event["id"])
        assert before is None or before["ended"] is None, "told of after its end"
        assert event != before, "told twice"
        self.told.append(event)
        self.events[event["id"]] = event

    def run(self, seconds: int, each: Callable[[], None] = lambda: None) -> None:
        for _ in range(seconds):
            self.clock.now += 1
            self.causes.tick()
            each()

    def set(self, connected: bool, *cameras: str) -> None:
        for camera in cameras:
            self.connected[camera] = connected
            self.causes.told(camera, connected)

    def lose(self, *cameras: str) -> None:
        self.set(False, *cameras)

    def find(self, *cameras: str) -> None:
        self.set(True, *cameras)

    def fault(self, fault: HubFault, lasted_s: float = 0.0) -> None:
        now_us = self.now_us
        self.causes.hub({"fault": fault.value, "began": now_us - round(lasted_s * S), "ended": now_us})

    @property
    def now_us(self) -> int:
        return round(self.clock.utc() * S)

    @property
    def alone(self) -> list[CommonCause]:
        """Events that are no part of another: what people are told of."""
        return [event for event in self.events.values() if not event["part_of"]]

    @property
    def open(self) -> list[CommonCause]:
        return [event for event in self.alone if event["ended"] is None]

    def one(self) -> CommonCause:
        (event,) = self.alone
        return event
