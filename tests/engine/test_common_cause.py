"""Cameras that go away together are one event, whatever the order in which it is noticed; what the hub did is the hub's."""

from collections.abc import Callable
import dataclasses

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.facility_cameras.engine.api import Reach
from custom_components.facility_cameras.engine.api_health import CommonCause, HubFault
from custom_components.facility_cameras.engine.common_cause import (
    BACK_S,
    CALM_S,
    LEAST,
    LEAST_OF_HOST,
    MOST_FAULTS,
    QUIET_S,
    SHARE,
    WINDOW_S,
    CommonCauses,
)
from custom_components.facility_cameras.engine.common_event import network_of
from tests.engine.archives import NOW_US, HandClock

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


def test_recorder() -> None:
    hub = Hub()
    began = hub.now_us
    hub.lose(*RECORDER)
    hub.run(10)
    event = hub.one()
    assert event == {
        "id": event["id"], "kind": "host", "likely": "recorder", "facility": "f", "host": "10.0.1.9",
        "network": "10.0.1.0/24", "cameras": RECORDER, "total": 3, "began": began, "ended": None, "part_of": "",
    }  # fmt: skip
    assert hub.causes.event_of("r0") == event
    assert hub.causes.event_of("a0") is None
    hub.find(*RECORDER)
    back = hub.now_us
    hub.run(30)
    assert back <= (hub.one()["ended"] or 0) <= back + S
    assert hub.causes.event_of("r0") is None
    assert len(hub.told) == 2


def test_switch_site_and_small_site() -> None:
    hub = Hub()
    hub.lose(*SECOND)
    hub.run(10)
    assert (hub.one()["kind"], hub.one()["network"], hub.one()["likely"]) == ("network", "10.0.2.0/24", "switch")
    hub = Hub()
    hub.lose(*SITE)
    hub.run(10)
    assert (hub.one()["kind"], hub.one()["likely"], hub.one()["total"]) == ("facility", "site_link", 10)
    hub = Hub()
    hub.lose(*SMALL)
    hub.run(10)
    assert (hub.one()["kind"], hub.one()["network"]) == ("facility", "")


@pytest.mark.parametrize("gone", [["a0"], ["a0", "a1"], ["a0", "a1", "b0"], ["r0"], ["s0"], ["s0", "s1"], ["b0", "b1"]])
def test_few_are_no_event(gone: list[str]) -> None:
    hub = Hub()
    hub.lose(*gone)
    hub.run(60)
    assert hub.told == []


def test_one_after_the_other_is_no_event() -> None:
    hub = Hub()
    for camera in SITE:
        hub.lose(camera)
        hub.run(int(WINDOW_S) + 1)
    assert hub.told == []


def test_who_never_was_there_did_not_go() -> None:
    hub = Hub()
    for number in range(9):
        hub.causes.place(f"new{number}", "h", "192.0.2.7")
        hub.causes.told(f"new{number}", False)
    hub.run(60)
    assert hub.told == []


def test_share_is_of_those_that_could_go() -> None:
    """Six of ten are away for long; the last four are most of what was left."""
    hub = Hub()
    for camera in SITE[:6]:
        hub.lose(camera)
        hub.run(60)
    assert hub.told == []
    hub.lose(*SITE[6:9])
    hub.run(10)
    assert sorted(hub.one()["cameras"]) == SITE[6:9]


def test_late_comers_join_and_later_ones_do_not() -> None:
    hub = Hub()
    hub.lose(*SITE[:7])
    hub.run(10)
    hub.lose(SITE[7])
    hub.run(15)
    hub.lose(SITE[8])
    hub.run(60)
    hub.lose(SITE[9])
    hub.run(60)
    assert sorted(hub.one()["cameras"]) == SITE[:9]


def test_event_grows_and_keeps_its_name() -> None:
    hub = Hub()
    hub.lose(*RECORDER[:2])
    hub.run(8)
    narrow = hub.one()
    assert narrow["kind"] == "host"
    hub.lose(*SECOND)
    hub.run(8)
    # Two narrow ones by now; then it turns out to be the whole site.
    assert [event["kind"] for event in hub.alone] == ["host", "network"]
    hub.lose(*(camera for camera in FIRST if camera not in RECORDER[:2]))
    hub.run(8)
    wide = hub.one()
    assert (wide["kind"], sorted(wide["cameras"]), wide["began"]) == ("facility", SITE, narrow["began"])
    (part,) = (event for event in hub.events.values() if event["part_of"])
    assert (part["kind"], part["part_of"]) == ("host", wide["id"])
    assert part["ended"] is not None


def test_no_flapping() -> None:
    """A site that comes for some seconds and goes again, for an hour, is one event."""
    hub = Hub()
    for _ in range(60):
        hub.lose(*SITE)
        hub.run(40)
        hub.find(*SITE)
        hub.run(int(CALM_S) - 1)
    assert len(hub.told) == 1
    hub.run(5)
    assert hub.one()["ended"] is not None


def test_a_short_outage_is_told_as_it_was() -> None:
    hub = Hub()
    began = hub.now_us
    hub.lose(*SITE)
    hub.run(2)
    hub.find(*SITE)
    hub.run(60)
    assert hub.one()["began"] == began
    assert (hub.one()["ended"] or 0) - began <= 10 * S


def test_who_stays_away_is_away_by_its_own() -> None:
    hub = Hub()
    hub.lose(*SITE)
    hub.run(30)
    hub.find(*SITE[:7])
    hub.run(30)
    assert hub.one()["ended"] is not None
    assert hub.causes.event_of(SITE[9]) is None


def test_two_sites_at_once_are_two_events() -> None:
    hub = Hub()
    hub.lose(*SITE, *SMALL)
    hub.run(10)
    assert sorted(event["facility"] for event in hub.alone) == ["f", "g"]


@pytest.mark.parametrize(
    ("gone", "reach", "kind", "likely"),
    [
        (RECORDER, Reach.DEVICE_GONE, "host", "recorder"),
        (RECORDER, Reach.GATEWAY, "host", "site_link"),
        (SECOND, Reach.DEVICE_GONE, "network", "switch"),
        (SECOND, Reach.GATEWAY, "network", "site_link"),
        (SITE, Reach.DEVICE_GONE, "facility", "power"),
        (SITE, Reach.BEYOND, "facility", "site_link"),
        (SITE, Reach.OWN_NETWORK, "hub", "hub_network"),
    ],
)
def test_what_was_found_says_why(gone: list[str], reach: Reach, kind: str, likely: str) -> None:
    hub = Hub()
    hub.lose(*gone)
    hub.run(8)
    for camera in gone[:-1]:
        hub.causes.looked(camera, reach)
    hub.run(2)
    event = hub.one()
    assert (event["kind"], event["likely"], sorted(event["cameras"])) == (kind, likely, gone)


# The hub itself ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "lasted_s", "likely"),
    [(HubFault.STALL, 12.0, "hub_stall"), (HubFault.SUSPENDED, 10_800.0, "suspended")],
)
@pytest.mark.parametrize("gone", [["a1"], SITE, [*SITE, *SMALL]])
def test_hub_was_away(fault: HubFault, lasted_s: float, likely: str, gone: list[str]) -> None:
    hub = Hub()
    hub.lose(*gone[:1])
    hub.fault(fault, lasted_s)
    ended = hub.now_us
    hub.run(1)
    hub.lose(*gone[1:])
    hub.run(6)
    event = hub.one()
    assert (event["kind"], event["likely"], event["facility"]) == ("hub", likely, "")
    assert (event["began"], sorted(event["cameras"])) == (ended - round(lasted_s * S), gone)
    hub.find(*gone)
    hub.run(60)
    # From when the hub was away until they were back.
    assert (hub.one()["began"], hub.one()["ended"]) == (ended - round(lasted_s * S), ended + 8 * S)


def test_hub_that_was_away_costs_nobody_who_stayed() -> None:
    hub = Hub()
    hub.fault(HubFault.STALL, 3)
    hub.run(int(WINDOW_S) + 1)
    hub.lose("a1")
    hub.run(60)
    assert hub.told == []


def test_hub_network() -> None:
    hub = Hub()
    hub.lose(*SITE)
    hub.run(7)
    assert hub.one()["kind"] == "facility"
    # It is noticed a little later than the first cameras.
    hub.fault(HubFault.NETWORK_DOWN, 5)
    hub.run(1)
    hub.lose(*SMALL)
    hub.run(3600)
    event = hub.one()
    assert (event["kind"], event["likely"], event["ended"]) == ("hub", "hub_network", None)
    assert sorted(event["cameras"]) == [*SITE, *SMALL]
    hub.fault(HubFault.NETWORK_UP, 3600)
    hub.run(5)
    hub.find(*SITE, *SMALL)
    back = hub.now_us
    hub.run(60)
    assert hub.one()["ended"] == back + S


def test_who_does_not_come_back_with_the_hub_is_away() -> None:
    """While the hub slept a site's link broke: the site's time is unknown until then, and its own from then on."""
    hub = Hub()
    hub.fault(HubFault.SUSPENDED, 10_800)
    over = hub.now_us
    hub.lose(*SITE, *SMALL)
    hub.run(5)
    hub.find(*SMALL)
    hub.run(90)
    first, second = hub.alone
    assert (first["kind"], first["ended"]) == ("hub", over + round(BACK_S) * S)
    assert (second["kind"], second["began"], second["ended"]) == ("facility", first["ended"], None)
    assert sorted(second["cameras"]) == SITE


def test_a_second_fault_prolongs_the_first() -> None:
    hub = Hub()
    hub.fault(HubFault.SUSPENDED, 60)
    hub.lose(*SITE)
    hub.run(20)
    hub.fault(HubFault.STALL, 3)
    hub.run(20)
    assert hub.one()["ended"] is None
    hub.run(15)
    assert hub.alone[0]["ended"] is not None


def test_clock_step_is_to_blame_only_if_most_went() -> None:
    hub = Hub()
    hub.clock.offset += 3600
    hub.fault(HubFault.CLOCK_STEP, 3600)
    hub.lose("a0", "a1", "a2")
    hub.run(60)
    assert hub.told == []
    hub.find("a0", "a1", "a2")
    hub.run(60)
    hub.clock.offset += 3600
    hub.fault(HubFault.CLOCK_STEP, 3600)
    set_to = hub.now_us
    hub.lose(*SITE, *SMALL)
    hub.run(10)
    event = hub.one()
    # In the time that the clock shows from then on.
    assert (event["kind"], event["likely"], event["began"]) == ("hub", "clock_step", set_to)


def test_own_way_to_one_camera_only() -> None:
    """Of several networks of this machine one is down."""
    hub = Hub()
    hub.lose("a1")
    hub.causes.looked("a1", Reach.OWN_NETWORK)
    hub.run(3)
    assert (hub.one()["kind"], hub.one()["cameras"]) == ("hub", ["a1"])
    hub.run(600)
    hub.lose("s0")
    hub.run(60)
    assert hub.one()["cameras"] == ["a1"]
    hub.find("a1")
    hub.run(60)
    assert hub.open == []


def test_faults_are_bounded() -> None:
    hub = Hub()
    for _ in range(10 * MOST_FAULTS):
        hub.fault(HubFault.STALL, 3)
    assert len(hub.causes._faults) == MOST_FAULTS


# Places -----------------------------------------------------------------------------------------------------------


def test_cameras_that_are_removed_or_moved_leave() -> None:
    hub = Hub()
    hub.lose(*SITE)
    hub.run(10)
    hub.causes.place("a0", "f", "10.0.1.20")  # as it was
    for camera in SITE[2:]:
        hub.causes.remove(camera)
    hub.causes.place("b0", "g", "10.0.1.21")
    hub.run(2)
    assert (hub.one()["cameras"], hub.one()["total"]) == (SITE[:2], 2)
    for camera in SITE[:2]:
        hub.causes.remove(camera)
    hub.run(2)
    assert hub.open == []
    with pytest.raises(KeyError):
        hub.causes.told("a0", True)


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.17", "192.0.2.0/24"),
        ("fd00:1:2:3:4::5", "fd00:1:2:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.17", "192.0.2.0/24"),
        ("camera.local", ""),
        ("", ""),
    ],
)
def test_network_of(host: str, network: str) -> None:
    assert network_of(host) == network


# Whatever the order -----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Outage:
    cameras: list[str]
    kind: str


OUTAGES = [
    Outage(RECORDER, "host"),
    Outage(FIRST, "network"),
    Outage(SECOND, "network"),
    Outage(SITE, "facility"),
    Outage(SMALL, "facility"),
]


@settings(deadline=None)
@given(st.sampled_from(OUTAGES), st.data())
def test_an_outage_is_one_event(outage: Outage, data: st.DataObject) -> None:
    """Each camera's end is noticed up to 15 s after it, and so is its return."""
    hub = Hub()
    late = {camera: data.draw(st.integers(0, 15), camera) for camera in outage.cameras}
    for connected in (False, True):
        for second in range(40):
            hub.set(connected, *(camera for camera, after in late.items() if after == second))
            hub.run(1)
        event = hub.one()
        assert (event["kind"], sorted(event["cameras"])) == (outage.kind, outage.cameras)
        assert event["began"] == NOW_US + 60 * S + min(late.values()) * S
        assert (event["ended"] is not None) is connected


STEPS = st.lists(
    st.tuples(
        st.integers(0, 25),
        st.lists(st.sampled_from(CAMERAS), max_size=12, unique=True),
        st.booleans(),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(STEPS)
def test_whatever_happens(steps: list[tuple[int, list[str], bool]]) -> None:
    hub = Hub()
    went: dict[str, float] = {}
    known: set[str] = set()

    def enough(gone: set[str], group: set[str], least: int) -> bool:
        could = sum(hub.connected[camera] or camera in gone for camera in group)
        return len(gone) >= least and len(gone) >= SHARE * could

    def check() -> None:
        now = hub.clock.now
        within = [camera for event in hub.open for camera in event["cameras"]]
        assert len(within) == len(set(within)), "a camera is in two events"
        for event in hub.open:
            cameras = set(event["cameras"])
            where = {WHERE[camera] for camera in cameras}
            assert {facility for facility, _ in where} == {event["facility"]}
            assert event["kind"] != "host" or {host for _, host in where} == {event["host"]}
            assert event["kind"] == "facility" or {network_of(host) for _, host in where} == {event["network"]}
            if event["id"] not in known:
                known.add(event["id"])
                assert len(cameras) >= (LEAST_OF_HOST if event["kind"] == "host" else LEAST)
                assert max(now - went[camera] for camera in cameras) <= 2 * WINDOW_S
        # Nobody is left out.
        free = {camera for camera, at in went.items() if camera not in within and now - at < WINDOW_S}
        for of in (lambda where: where[0], lambda where: (where[0], network_of(where[1])), lambda where: where):
            for group in {of(where) for where in WHERE.values()}:
                members = {camera for camera, where in WHERE.items() if of(where) == group}
                gone = free & members
                facility = {camera for camera in free if WHERE[camera][0] == WHERE[min(members)][0]}
                if gone and min(now - went[camera] for camera in facility) >= QUIET_S and group[-1] != "":
                    assert not enough(gone, members, LEAST_OF_HOST if group in WHERE.values() else LEAST)

    for wait, cameras, connected in steps:
        for camera in cameras:
            if hub.connected[camera] and not connected:
                went[camera] = hub.clock.now
        hub.set(connected, *cameras)
        hub.run(wait, check)
    for event in hub.alone:
        assert event["ended"] is None or event["began"] <= event["ended"] <= hub.now_us
    hub.find(*CAMERAS)
    hub.run(60, check)
    assert hub.open == []
