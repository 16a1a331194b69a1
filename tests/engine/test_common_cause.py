"""Cameras that go away together are one event."""

import pytest

from custom_components.facility_cameras.engine.api import Reach
from custom_components.facility_cameras.engine.common_cause import CALM_S, QUIET_S, WINDOW_S
from custom_components.facility_cameras.engine.common_event import network_of
from tests.engine.together import FIRST, RECORDER, SECOND, SITE, SMALL, Hub, S


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
    hub.lose(*RECORDER, *SECOND, "a0")
    hub.run(10)
    hub.lose("a1")
    hub.run(15)
    hub.lose("a2")
    hub.run(60)
    hub.lose("a3")
    hub.run(60)
    assert sorted(hub.one()["cameras"]) == sorted([*RECORDER, *SECOND, "a0", "a1", "a2"])


def test_who_goes_one_by_one_but_soon_goes_together() -> None:
    """It is never quiet while they go."""
    hub = Hub()
    began = hub.now_us
    for camera in SITE:
        hub.lose(camera)
        hub.run(int(QUIET_S) - 2)
    hub.run(10)
    assert (hub.one()["cameras"], hub.one()["began"]) == (SITE, began)


def test_what_went_before_is_another_event() -> None:
    hub = Hub()
    hub.lose(*RECORDER)
    hub.run(int(WINDOW_S) + 5)
    hub.lose(*SECOND)
    hub.run(10)
    assert [event["kind"] for event in hub.alone] == ["host", "network"]


def test_one_event_after_the_other() -> None:
    """Hardly is the site back when its recorder goes."""
    hub = Hub()
    hub.lose(*SITE)
    hub.run(30)
    hub.find(*SITE)
    hub.run(10)
    hub.lose(*RECORDER)
    went = hub.now_us
    hub.run(30)
    site, recorder = hub.alone
    assert (site["kind"], site["ended"]) == ("facility", went - 9 * S)
    assert (recorder["kind"], recorder["began"], recorder["ended"]) == ("host", went, None)


def test_an_old_event_does_not_grow() -> None:
    """Of a recorder that is away for long a channel comes, and goes with the whole site."""
    hub = Hub()
    hub.lose(*RECORDER)
    hub.run(600)
    hub.find("r0")
    hub.run(5)
    rest = [camera for camera in SITE if camera not in RECORDER]
    hub.lose("r0", *rest)
    hub.run(10)
    assert [(event["kind"], event["cameras"]) for event in hub.alone] == [("host", RECORDER), ("facility", rest)]


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
