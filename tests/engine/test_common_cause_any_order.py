"""Cameras that go away together are one event, in whatever order that is noticed and whatever else happens."""

import dataclasses

from hypothesis import given, settings, strategies as st

from custom_components.facility_cameras.engine.api import Reach
from custom_components.facility_cameras.engine.api_health import HubFault
from custom_components.facility_cameras.engine.common_cause import (
    BACK_S,
    LEAST,
    LEAST_OF_HOST,
    QUIET_S,
    SHARE,
    WINDOW_S,
)
from custom_components.facility_cameras.engine.common_event import network_of
from tests.engine.archives import NOW_US
from tests.engine.together import CAMERAS, FIRST, RECORDER, SECOND, SITE, SMALL, WHERE, Hub, S


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


SOME = st.lists(st.sampled_from(CAMERAS), max_size=12, unique=True)
STEPS = st.lists(st.tuples(st.integers(0, 25), SOME, st.booleans()), max_size=30)


@settings(deadline=None)
@given(STEPS)
def test_whatever_happens(steps: list[tuple[int, list[str], bool]]) -> None:
    hub = Hub()
    went: dict[str, float] = {}
    known: set[str] = set()
    went_with: set[tuple[str, float]] = set()

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
        # Nobody is left out, of those that went and were in no event since.
        for camera in within:
            went_with.add((camera, went[camera]))
        free = {camera for camera, at in went.items() if (camera, at) not in went_with and now - at < WINDOW_S}
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


LASTED = {HubFault.STALL: 5.0, HubFault.SUSPENDED: 600.0, HubFault.NETWORK_DOWN: 5.0, HubFault.NETWORK_UP: 60.0}
HAPPENS = st.one_of(st.sampled_from(sorted(LASTED)), st.sampled_from(Reach), st.booleans())


@settings(deadline=None)
@given(st.lists(st.tuples(HAPPENS, SOME, st.integers(0, 25)), max_size=30))
def test_whatever_happens_to_the_hub(steps: list[tuple[HubFault | Reach | bool, list[str], int]]) -> None:
    """Who goes while the hub is at fault, or soon after, goes with the hub, and no longer than it takes to come back."""
    hub, reaches = Hub(), dict.fromkeys(CAMERAS, Reach.UNCLEAR)
    down, over = False, float("-inf")
    owned = over
    for what, cameras, wait in steps:
        if isinstance(what, HubFault):
            hub.fault(what, LASTED[what])
            over = hub.clock.now if down or what is not HubFault.NETWORK_UP else over
            down = what is HubFault.NETWORK_DOWN or (down and what is not HubFault.NETWORK_UP)
        elif isinstance(what, Reach):
            for camera in (camera for camera in cameras if not hub.connected[camera]):
                hub.causes.looked(camera, what)
                reaches[camera] = what
        elif what:
            hub.find(*cameras)
            reaches |= dict.fromkeys(cameras, Reach.UNCLEAR)
        else:
            new = [camera for camera in cameras if hub.connected[camera] and not hub.causes.event_of(camera)]
            hub.lose(*cameras)
            hub.run(1)
            if down or hub.clock.now - over <= WINDOW_S:
                events = [hub.causes.event_of(camera) for camera in new]
                assert all(event is not None and event["kind"] == "hub" for event in events)
        hub.run(wait)
        hubs = [event for event in hub.open if event["kind"] == "hub"]
        assert len(hubs) <= 1
        lasts = any(reaches[camera] is Reach.OWN_NETWORK for event in hubs for camera in event["cameras"])
        assert not hubs or down or lasts or hub.clock.now - max(over, owned) <= BACK_S
        owned = hub.clock.now if lasts else owned
        within = [camera for event in hub.open for camera in event["cameras"]]
        assert len(within) == len(set(within))
        assert all((event["kind"] == "hub") is (event["facility"] == "") for event in hub.alone)
    hub.fault(HubFault.NETWORK_UP)
    hub.find(*CAMERAS)
    hub.run(60)
    assert hub.open == []
