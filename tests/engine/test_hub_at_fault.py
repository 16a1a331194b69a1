"""What the hub did itself is the hub's, from when to when (promise I5)."""

import pytest

from custom_components.facility_cameras.engine.api import Reach
from custom_components.facility_cameras.engine.api_health import HubFault
from custom_components.facility_cameras.engine.common_cause import BACK_S, MOST_FAULTS, WINDOW_S
from tests.engine.together import SITE, SMALL, Hub, S


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


def test_hub_network_that_is_only_said_to_be_down() -> None:
    """Most are back all the same: that is still one event, until the rest is back or it is said to be up."""
    hub = Hub()
    hub.fault(HubFault.NETWORK_DOWN, 5)
    hub.lose(*SITE, *SMALL)
    hub.run(5)
    hub.find(*SITE)
    hub.run(600)
    assert hub.one()["ended"] is None


def test_who_comes_and_goes_stays_the_hubs() -> None:
    hub = Hub()
    hub.fault(HubFault.SUSPENDED, 60)
    hub.lose(*SITE, *SMALL)
    hub.run(int(WINDOW_S) + 1)
    hub.find(*SITE[:4])
    hub.run(1)
    hub.lose(*SITE[:4])
    hub.run(int(BACK_S - WINDOW_S) - 3)
    assert hub.one()["ended"] is None


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
    hub.lose(*SITE)
    hub.clock.offset += 3600
    hub.fault(HubFault.CLOCK_STEP, 3600)
    set_to = hub.now_us
    hub.lose(*SMALL)
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
