"""What is known of one camera, put together: its connection, its picture, how often it was lost, its connect switch.

Promise I5 (truth): one status at a time, with its cause and since when. An outage begins with the last picture that came,
not when its end was noticed. A camera that is lost and found again and again is one status, `unstable`, with a count,
not a change each time; one that stays away is what it is.
"""

from collections import deque

from .api import Cause, PictureState, Problem, Status
from .clock import Clock, microseconds

#: Nothing comes from a camera of which this is known.
AWAY = frozenset(
    {
        Status.UNKNOWN,
        Status.UNREACHABLE,
        Status.REFUSED,
        Status.UNAUTHORISED,
        Status.NO_STREAM,
        Status.STALLED,
        Status.DISCONNECTED,
    }
)
#: Nothing answers, or not any more: what was found of its address says more.
DUMB = frozenset({Status.UNREACHABLE, Status.STALLED})
NO_PROBLEM: Problem = {"cause": Cause.NONE.value, "placeholders": {}}
#: What makes a camera unstable (B12): so many losses within so many seconds, each over within so many. Those that last
#: longer are outages of their own, until there are many.
UNSTABLE = ((3, 120.0, 10.0), (10, 1800.0, float("inf")))
#: It is stable again after so long without a loss.
CALM_S = 300.0
#: An unstable camera that is away for so long is away, seconds.
GONE_S = 60.0
#: The count of an unstable camera is told anew no more often than this, seconds.
COUNT_S = 60.0
#: A picture older than this is not where an outage began: the machine was suspended, or the clock was set.
LATE_US = 120_000_000
_LONGEST_S = max(seconds for _, seconds, _ in UNSTABLE)


class Watch:
    """The status of one camera. Whoever calls tells others if `shown` is another one afterwards."""

    def __init__(self, clock: Clock) -> None:
        """Nothing is known yet."""
        self._clock = clock
        #: What the connection says, the rest apart.
        self.connection = Status.UNKNOWN
        self._problem: Problem = {"cause": Cause.STARTING.value, "placeholders": {}}
        self._picture: PictureState | None = None
        self._connection_at = clock.monotonic()
        self._connection_us = microseconds(clock.utc())
        #: When a session with pictures ended (monotonic), and for how long none followed; None: it is away still.
        self._losses: deque[tuple[float, float | None]] = deque(maxlen=1000)
        self._unstable_us = 0
        self._reach = ""
        self._count = 0
        self._host = ""
        self._counted_at = float("-inf")
        #: Seconds it was connected since it became unstable, up to the monotonic time beside it.
        self._connected: tuple[float, float] = (0.0, 0.0)
        #: This machine has no network: nothing is known of the camera.
        self._blind = False
        #: Status, problem and since when (UTC microseconds), as people are told.
        self.shown: tuple[Status, Problem, int] = (self.connection, self._problem, self._connection_us)

    def connect(self, status: Status, problem: Problem, last_picture_us: int = 0) -> None:
        """What the connection says now. `last_picture_us` (UTC microseconds, 0: not known): when the last picture came."""
        now_us = microseconds(self._clock.utc())
        self._count_connected()
        if status is not self.connection:
            self._connection_at = self._clock.monotonic()
            lost = self.connection not in AWAY and status in AWAY
            known = lost and now_us - LATE_US < last_picture_us <= now_us
            self._connection_us = max(last_picture_us, self._connection_us) if known else now_us
        if status is Status.ONLINE and self._losses and self._losses[-1][1] is None:
            at, _ = self._losses.pop()
            self._losses.append((at, self._clock.monotonic() - at))
        if status not in AWAY:
            self._reach = ""
        self.connection, self._problem = status, problem
        self._host = problem["placeholders"].get("host", self._host)
        self.check()

    def reach(self, reach: str) -> None:
        """What was found of the address of a camera that does not answer; "" if that is not clear. It holds over further
        tries, until something comes from the camera again.
        """
        if self.connection in AWAY:
            self._reach = reach
            self.check()

    def blind(self, *, blind: bool) -> None:
        """Whether this machine has no network, so that nothing is known of a camera that does not answer."""
        self._blind = blind
        self.check()

    @property
    def connected_us(self) -> int:
        """For how much of the time since it became unstable a camera was connected, in microseconds."""
        return round(self._connected[0] * 1e6)

    def lost(self) -> None:
        """A session that gave pictures has ended, whether people were told of it or not."""
        self._losses.append((self._clock.monotonic(), None))
        self.check()

    def see(self, picture: PictureState | None) -> None:
        """What is wrong with the picture, None if nothing is."""
        self._picture = picture
        self.check()

    @property
    def cause(self) -> str:
        """Why nothing comes, as the connection says."""
        return self._problem["cause"]

    @property
    def picture(self) -> PictureState | None:
        """What was found wrong with the picture when it was last looked at."""
        return self._picture

    @property
    def evidence(self) -> str:
        """The id of the pictures kept with what is shown now, "" if none."""
        seen = self._picture
        return seen["evidence"] if seen is not None and seen["status"] == self.shown[0] else ""

    def check(self) -> None:
        """Time passed, or something was told: what is shown is renewed."""
        now = self._clock.monotonic()
        self._count_connected()
        while self._losses and now - self._losses[0][0] > _LONGEST_S:
            self._losses.popleft()
        self._renew_unstable(now)
        self.shown = self._show(now)

    def _renew_unstable(self, now: float) -> None:
        back = [(now - at, away_s) for at, away_s in self._losses if away_s is not None]
        wild = any(
            sum(ago <= seconds and away_s <= longest for ago, away_s in back) >= count
            for count, seconds, longest in UNSTABLE
        )
        calm = not self._losses or now - self._losses[-1][0] >= CALM_S
        if wild and not self._unstable_us:
            self._unstable_us = microseconds(self._clock.utc())
            self._connected = (0.0, now)
        elif not wild and calm:
            self._unstable_us = 0
        if self._unstable_us and now - self._counted_at >= COUNT_S:
            self._count, self._counted_at = len(self._losses), now

    def _count_connected(self) -> None:
        seconds, until = self._connected
        now = self._clock.monotonic()
        self._connected = (seconds if self.connection in AWAY else seconds + now - until, now)

    def _show(self, now: float) -> tuple[Status, Problem, int]:
        away = self.connection in AWAY
        here = not away or (now - self._connection_at < GONE_S and self.connection is not Status.DISCONNECTED)
        if self._unstable_us and here:
            return Status.UNSTABLE, _unstable(self._count, self._host), self._unstable_us
        if away and self._blind and self.connection is not Status.DISCONNECTED:
            return Status.UNKNOWN, {"cause": Cause.HUB_NETWORK.value, "placeholders": {}}, self._connection_us
        if not away and (seen := self._picture) is not None:
            return Status(seen["status"]), {"cause": seen["cause"], "placeholders": {}}, seen["since"]
        if self._reach and self.connection in DUMB:
            return self.connection, {**self._problem, "reach": self._reach}, self._connection_us
        return self.connection, self._problem, self._connection_us


def _unstable(count: int, host: str) -> Problem:
    minutes = str(round(_LONGEST_S / 60))
    return {"cause": Cause.UNSTABLE.value, "placeholders": {"host": host, "count": str(count), "minutes": minutes}}
