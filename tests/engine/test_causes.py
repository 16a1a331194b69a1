"""What is found beyond what each camera says: at its address, in common with others, at the hub itself."""

from pathlib import Path

import pytest

from custom_components.facility_cameras.engine import machine
from custom_components.facility_cameras.engine.api import Reach, Status
from custom_components.facility_cameras.engine.api_health import CommonCause, CommonKind, HubFault, LikelyCause
from custom_components.facility_cameras.engine.causes import Causes
from custom_components.facility_cameras.engine.clock import microseconds
from custom_components.facility_cameras.engine.ledger.intervals import intervals
from custom_components.facility_cameras.engine.ledger.opening import FILE
from custom_components.facility_cameras.engine.ledger.reading import Reading
from custom_components.facility_cameras.engine.reach import Looks
from tests.engine.ledgers import Machine, ledger_in, live
from tests.engine.receiving import Rig, spec


async def test_what_was_found_of_a_silent_cameras_address_is_told_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look(_looks: Looks, host: str, port: int, away_s: float) -> Reach:
        # Of this machine's own loopback nothing can be said (test_reach.py has networks of its own).
        asked.append((host, port))
        return Reach.DEVICE_HUNG

    asked: list[tuple[str, int]] = []
    monkeypatch.setattr(Looks, "look", look)
    async with Rig(tmp_path, [spec("one")]) as rig:
        await rig.watch("one")
        await rig.status("one", "online", 20)
        camera = rig.site.camera("one")
        await camera.fault("silent")
        await rig.until(lambda: rig.state("one")["problem"].get("reach") == "device_hung", 30)
        assert rig.state("one")["status"] in ("stalled", "unreachable")
        await rig.status("one", "unreachable", 20)
        assert rig.state("one")["problem"].get("reach") == "device_hung"
        known = rig.supervisor.camera("one")
        assert known is not None
        assert asked == [(known.host, known.port)]
        await camera.clear()
        await rig.status("one", "online", 20)
        assert "reach" not in rig.state("one")["problem"]


async def test_cameras_of_one_host_that_go_together_are_one_event(tmp_path: Path) -> None:
    names = ("one", "two", "three")
    told: list[CommonCause] = []
    async with Rig(tmp_path, [spec(name) for name in names]) as rig:
        rig.supervisor.causes.on_change = told.append
        await rig.watch(*names)
        for name in names:
            await rig.status(name, "online", 20)
        for name in names:
            await rig.site.camera(name).fault("gone")
        await rig.until(lambda: bool(told), 30)
        assert (told[-1]["kind"], sorted(told[-1]["cameras"]), told[-1]["ended"]) == (
            CommonKind.HOST, sorted(names), None,
        )  # fmt: skip
        assert [one["id"] for one in rig.supervisor.causes.lasting] == [told[-1]["id"]]
        # The cameras' states are what they are all the same.
        assert rig.state("one")["status"] == "refused"
        for name in names:
            await rig.site.camera(name).clear()
        await rig.until(lambda: told[-1]["ended"] is not None, 60)
        assert len({one["id"] for one in told}) == 1
        assert not rig.supervisor.causes.lasting


async def test_time_in_which_the_hub_had_no_network_is_unknown(tmp_path: Path) -> None:
    names = ("one", "two", "three")
    async with Rig(tmp_path, [spec(name) for name in names]) as rig:
        rig.supervisor.start()
        causes = rig.supervisor.causes
        await rig.watch(*names)
        for name in names:
            await rig.status(name, "online", 20)
        down = microseconds(rig.clock.utc())
        causes.happened({"fault": HubFault.NETWORK_DOWN, "began": down, "ended": down})
        for name in names:
            await rig.site.camera(name).fault("gone")
        await rig.until(lambda: bool(causes.lasting), 30)
        assert (causes.lasting[0]["kind"], causes.lasting[0]["likely"]) == (CommonKind.HUB, LikelyCause.HUB_NETWORK)
        assert (rig.state("one")["status"], rig.state("one")["problem"]["cause"]) == ("unknown", "hub_network")
        up = microseconds(rig.clock.utc())
        causes.happened({"fault": HubFault.NETWORK_UP, "began": down, "ended": up})
        for name in names:
            await rig.site.camera(name).clear()
        for name in names:
            await rig.status(name, "online", 20)
        await rig.until(lambda: not causes.lasting, 60)
        await rig.stop()
        with Reading(tmp_path / "state" / FILE) as reading:
            during = {one["status"] for one in intervals(reading, "one", down, up)}
            after = list(intervals(reading, "one", up, microseconds(rig.clock.utc())))
        assert during == {"unknown"}
        assert after[-1]["status"] == "online"


@pytest.mark.parametrize(("hours_off", "kept", "doubtful"), [(20, False, True), (20, True, False), (1, False, False)])
def test_a_clock_far_ahead_of_the_last_watch_is_doubtful_if_nobody_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours_off: int, kept: bool, doubtful: bool
) -> None:
    clock = Machine()
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 60, Status.ONLINE)
        assert ledger.away_us == 0
    clock.offset += hours_off * 3600
    with ledger_in(tmp_path, clock, "c1") as ledger:
        live(ledger, clock, 60, Status.ONLINE)
        causes = Causes(ledger, clock)
        monkeypatch.setattr(machine.Machine, "clock_unkept", property(lambda _: not kept))
        assert causes.clock_doubtful is doubtful
