"""Why cameras are away, beyond what each of them says: what answers at their addresses, what they have in common, and
whether it was this machine.

Promise I5 (truth): what was the hub's own fault is unknown time of the cameras, not theirs. Promise I8 (polite): an
address is looked at again less and less often while its camera is away.
"""

import asyncio
from collections.abc import Callable
import itertools
import logging

from .api import Reach, Status
from .api_health import CommonCause, CommonKind, HubEvent, HubFault, LikelyCause
from .camera import Camera
from .clock import Clock
from .common_cause import CommonCauses
from .ledger.ledger import Ledger
from .machine import Machine
from .reach import LOOK_AGAIN_S, Looks
from .watch import AWAY, DUMB

_LOGGER = logging.getLogger(__name__)

#: Neither here nor away: nothing is known, or it is not to be connected.
_NEITHER = frozenset({Status.UNKNOWN, Status.DISCONNECTED})
#: A clock that was not kept and is ahead of the last watch by more than this may be wrong.
AHEAD_US = 43_200_000_000
#: So many cameras of an event are named in the ledger's note of it, which is bounded; `total` counts all.
NOTED = 100


class Causes:
    """Told of every camera's changes; tells of what they have in common."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        """Begin with no camera."""
        self._ledger = ledger
        self._clock = clock
        self._looks = Looks(clock)
        self._cameras: dict[str, Camera] = {}
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._lasting: dict[str, CommonCause] = {}
        self._common = CommonCauses(clock, self._changed)
        self.machine = Machine(self.happened)
        #: Called with each event that begins, changes or ends.
        self.on_change: Callable[[CommonCause], None] = lambda _cause: None

    @property
    def lasting(self) -> list[CommonCause]:
        """The events that last."""
        return list(self._lasting.values())

    @property
    def clock_doubtful(self) -> bool:
        """Whether our clock may be far ahead without anybody having noticed: nobody keeps it, this machine began not long
        ago, and it says that nobody had watched for long.
        """
        return self.machine.clock_unkept and self._ledger.away_us > AHEAD_US

    def add(self, camera: Camera) -> None:
        """From now on this camera is looked after; another one of the same id takes its place."""
        self._end_look(camera.config["id"])
        self._cameras[camera.config["id"]] = camera
        self._common.place(camera.config["id"], camera.facility, camera.host)

    def remove(self, identity: str) -> None:
        """The camera is gone."""
        self._cameras.pop(identity, None)
        self._common.remove(identity)
        self._end_look(identity)

    def told(self, camera: Camera) -> None:
        """What is known of a camera may have changed."""
        identity, status = camera.config["id"], camera.watch.connection
        if self._cameras.get(identity) is not camera:
            return
        if status is Status.DISCONNECTED:
            # It has nothing in common with the others, and holds up the end of no event.
            self._common.remove(identity)
        if status not in _NEITHER:
            self._common.told(identity, status not in AWAY)
        if status not in DUMB:
            self._end_look(identity)
        elif identity not in self._looking:
            task = asyncio.get_running_loop().create_task(self._look(camera), name=f"look {identity}")
            task.add_done_callback(_log_fault)
            self._looking[identity] = task

    def tick(self) -> None:
        """Called once a second."""
        self._common.tick()
        if self.machine.health()["clock_synchronised"] is not None:
            self._ledger.trust(trusted=not self.machine.clock_unkept)

    async def close(self) -> None:
        """End every look."""
        tasks = list(self._looking.values())
        self._looking.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _end_look(self, identity: str) -> None:
        if (task := self._looking.pop(identity, None)) is not None:
            task.cancel()

    async def _look(self, camera: Camera) -> None:
        """Look at a camera's address again and again until cancelled: it is back, or gone."""
        began = self._clock.monotonic()
        for wait_s in itertools.chain(LOOK_AGAIN_S, itertools.repeat(LOOK_AGAIN_S[-1])):
            found = await self._looks.look(camera.host, camera.port, self._clock.monotonic() - began)
            self._common.looked(camera.config["id"], found)
            camera.watch.reach("" if found is Reach.UNCLEAR else found.value)
            camera.tell_status()
            await asyncio.sleep(wait_s)

    def happened(self, event: HubEvent) -> None:
        """Something happened to this machine."""
        self._ledger.note("hub", "", "", event)
        if event["fault"] in (HubFault.STALL, HubFault.SUSPENDED) and event["began"] < event["ended"]:
            self._ledger.hub_away(event["began"], event["ended"], event["fault"])
        self._common.hub(event)

    def _changed(self, cause: CommonCause) -> None:
        """An event began, changed or ended."""
        if cause["ended"] is None:
            self._lasting[cause["id"]] = cause
        else:
            self._lasting.pop(cause["id"], None)
            self._ledger.note("common_cause", cause["facility"], "", {**cause, "cameras": cause["cameras"][:NOTED]})
            if cause["kind"] == CommonKind.HUB and cause["began"] < cause["ended"]:
                self._ledger.hub_away(cause["began"], cause["ended"], cause["likely"])
        if cause["likely"] == LikelyCause.HUB_NETWORK:
            for identity in cause["cameras"]:
                if (camera := self._cameras.get(identity)) is not None:
                    camera.watch.blind(blind=cause["ended"] is None)
                    camera.tell_status()
        self.on_change(cause)


def _log_fault(task: asyncio.Task[None]) -> None:
    """A look ends by being cancelled; anything else is a fault of ours, and the camera is looked at no more."""
    if not task.cancelled() and (fault := task.exception()) is not None:
        _LOGGER.error("looking at an address failed", exc_info=fault)
