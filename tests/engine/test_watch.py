"""What is known of a camera, put together: since when, unstable as one status, the picture, the connect switch."""

from hypothesis import given, strategies as st
import pytest

from custom_components.facility_cameras.engine.api import Cause, PictureState, Problem, Status
from custom_components.facility_cameras.engine.watch import AWAY, CALM_S, GONE_S, NO_PROBLEM, Watch
from tests.engine.archives import HandClock

LOST: Problem = {"cause": Cause.CONNECTION_LOST.value, "placeholders": {"host": "192.0.2.17"}}
DARK: PictureState = {"status": "black", "cause": "picture_black", "confidence": 0.9, "since": 77, "evidence": "e1"}


class Told:
    """A watch, and every status it ever showed."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.watch = Watch(self.clock)
        self.statuses = [self.watch.shown[0]]
        self.problems: list[Problem] = []
        self.online()

    def status(self) -> Status:
        """What people see."""
        return self.watch.shown[0]

    def _note(self) -> None:
        status, problem, _ = self.watch.shown
        if status is not self.statuses[-1]:
            self.statuses.append(status)
        if not self.problems or self.problems[-1] != problem:
            self.problems.append(problem)

    def online(self) -> None:
        self.watch.connect(Status.ONLINE, NO_PROBLEM)
        self._note()

    def lose(self) -> None:
        self.watch.lost()
        self._note()

    def away(self, status: Status = Status.UNREACHABLE) -> None:
        self.watch.connect(status, LOST)
        self._note()

    def come_and_go(self, times: int, *, away: bool = False) -> None:
        """15 s there and some seconds lost, so often; `away`: people are told of it each time."""
        for _ in range(times):
            self.wait(15)
            self.lose()
            if away:
                self.away()
            self.wait(5)
            self.online()

    def wait(self, seconds: float) -> None:
        """As the engine does: it is looked at once a second."""
        for _ in range(round(seconds)):
            self.clock.now += 1
            self.watch.check()
            self._note()


def test_an_outage_begins_with_the_last_picture() -> None:
    told = Told()
    told.wait(60)
    last = round((told.clock.utc() - 12) * 1e6)
    told.watch.connect(Status.STALLED, LOST, last)
    assert told.watch.shown == (Status.STALLED, LOST, last)
    # Another cause, still the same status: since when stays. Another status: now.
    told.wait(5)
    told.watch.connect(Status.UNREACHABLE, LOST, last)
    assert told.watch.shown[2] == round(told.clock.utc() * 1e6)


@pytest.mark.parametrize("last_us", [0, 5, 1 << 60], ids=["unknown", "long ago", "yet to come"])
def test_a_last_picture_that_cannot_be_meant_is_not_believed(last_us: int) -> None:
    told = Told()
    told.wait(600)
    told.watch.connect(Status.STALLED, LOST, last_us)
    assert told.watch.shown[2] == round(told.clock.utc() * 1e6)


def test_B12_a_camera_that_reconnects_every_20_s_is_one_status() -> None:
    told = Told()
    told.come_and_go(180, away=True)
    assert told.statuses[-1] is Status.UNSTABLE
    # Until it was known to be unstable it was told as it was; then for an hour nothing but the count.
    assert len(told.statuses) <= 9
    assert len(told.problems) <= 9 + 60
    assert int(told.watch.shown[1]["placeholders"]["count"]) > 80


def test_losses_that_nobody_was_told_of_count_too() -> None:
    told = Told()
    told.come_and_go(10)
    assert told.statuses[1:] == [Status.ONLINE, Status.UNSTABLE]


def test_stable_again_after_a_calm_time() -> None:
    told = Told()
    told.come_and_go(5)
    assert told.status() is Status.UNSTABLE
    told.wait(CALM_S - 10)
    assert told.status() is Status.UNSTABLE
    told.wait(10)
    assert told.status() is Status.ONLINE


def test_an_unstable_camera_that_stays_away_is_away() -> None:
    told = Told()
    told.come_and_go(5)
    told.lose()
    told.away(Status.REFUSED)
    told.wait(GONE_S - 2)
    assert told.status() is Status.UNSTABLE
    told.wait(3)
    assert told.status() is Status.REFUSED


def test_outages_that_last_are_told_each() -> None:
    """Five faults of a quarter of a minute in a quarter of an hour are five outages, not an unstable camera."""
    told = Told()
    for _ in range(5):
        told.wait(150)
        told.lose()
        told.away()
        told.wait(30)
        told.online()
    assert told.statuses[1:] == [Status.ONLINE, *[Status.UNREACHABLE, Status.ONLINE] * 5]


def test_the_picture_is_told_of_a_camera_that_is_there() -> None:
    told = Told()
    told.watch.see(DARK)
    status, problem, since = told.watch.shown
    assert (status, problem["cause"], since) == (Status.BLACK, "picture_black", 77)
    told.away()
    assert told.status() is Status.UNREACHABLE
    told.online()
    assert told.status() is Status.BLACK
    told.watch.see(None)
    assert told.status() is Status.ONLINE


def test_the_connect_switch_has_the_last_word() -> None:
    told = Told()
    told.come_and_go(5)
    told.watch.see(DARK)
    told.away(Status.DISCONNECTED)
    assert told.status() is Status.DISCONNECTED


def test_what_was_found_of_the_address_is_told_while_it_is_away() -> None:
    told = Told()
    told.away()
    told.watch.reach("device_gone")
    assert told.watch.shown[1].get("reach") == "device_gone"
    assert told.watch.shown[1]["cause"] == "connection_lost"
    # Another try that fails takes nothing of it away.
    told.away()
    assert told.watch.shown[1].get("reach") == "device_gone"
    told.away(Status.REFUSED)
    assert "reach" not in told.watch.shown[1]
    told.away()
    told.watch.reach("")
    assert "reach" not in told.watch.shown[1]
    told.watch.reach("gateway")
    told.online()
    told.away()
    assert "reach" not in told.watch.shown[1]
    told.online()
    told.watch.reach("device_gone")
    assert told.watch.shown[1] == NO_PROBLEM


@given(
    st.lists(st.tuples(st.sampled_from(["online", "lose", "away", "see", "clear"]), st.integers(0, 400)), max_size=60)
)
def test_whatever_happens_the_status_agrees_with_the_connection(steps: list[tuple[str, int]]) -> None:
    """A camera that is away for long is never told as online, one that is there never as away."""
    told = Told()
    for step, seconds in steps:
        match step:
            case "online":
                told.online()
            case "lose":
                told.lose()
            case "away":
                told.away()
            case "see":
                told.watch.see(DARK)
            case "clear":
                told.watch.see(None)
        before = told.watch.connection
        told.clock.now += seconds
        told.watch.check()
        shown = told.status()
        if before in AWAY and seconds >= GONE_S:
            assert shown is before
        if before is Status.ONLINE:
            assert shown not in AWAY


def test_how_much_an_unstable_camera_was_connected() -> None:
    told = Told()
    told.come_and_go(3, away=True)
    assert told.status() is Status.UNSTABLE
    assert told.watch.connected_us == 0
    told.wait(30)
    told.away()
    told.wait(10)
    told.online()
    told.wait(5)
    assert told.watch.connected_us == 35_000_000


def test_nothing_is_known_while_this_machine_has_no_network() -> None:
    told = Told()
    told.watch.blind(blind=True)
    assert told.status() is Status.ONLINE
    told.away()
    status, problem, _ = told.watch.shown
    assert (status, problem["cause"]) == (Status.UNKNOWN, Cause.HUB_NETWORK)
    told.watch.blind(blind=False)
    assert told.status() is Status.UNREACHABLE
    told.watch.blind(blind=True)
    told.away(Status.DISCONNECTED)
    assert told.status() is Status.DISCONNECTED
