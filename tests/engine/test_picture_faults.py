"""Cameras whose picture is frozen, black, covered or turned away are found, with evidence, and are well again.

The worker is the real one; time is simulated, except in the last test, in which real cameras send to a real engine.
"""

import asyncio
import io
from pathlib import Path
import time

import av
import numpy as np
import pytest

from custom_components.facility_cameras.engine.clock import SystemClock
from custom_components.facility_cameras.engine.picture.examiner import Examiner
from custom_components.facility_cameras.engine.supervisor import Supervisor
from simulator.scene import View
from simulator.spec import Video
from tests.engine.looking import Looking, clip
from tests.engine.receiving import Rig, spec

VIEWS: tuple[View, ...] = ("black", "covered", "moved")
EACH = (*VIEWS, "frozen")
#: From the fault to what is told, seconds of the simulated clock.
BOUND_S = 60.0


def brightness(jpeg: bytes | None) -> float:
    assert jpeg is not None
    with av.open(io.BytesIO(jpeg), "r") as container:
        frame = next(container.decode(video=0))
    assert frame.width <= 320
    return float(np.mean(frame.reformat(format="gray").to_ndarray()))


async def learned(looking: Looking) -> None:
    await looking.run(300)
    assert looking.told == []


def break_all(looking: Looking) -> None:
    for view in VIEWS:
        looking.cameras[view].playing = clip(view)
    looking.cameras["frozen"].playing = clip("normal", 57)


async def test_found_within_a_minute_with_evidence_and_well_again(tmp_path: Path) -> None:
    async with Looking(tmp_path, "calm", *EACH) as looking:
        await learned(looking)
        break_all(looking)
        await looking.run(BOUND_S)
        assert looking.states() == {"calm": "ok"} | {each: each for each in EACH}
        assert len(looking.told) == len(EACH)
        for at, camera, state in looking.told:
            assert state is not None
            assert state["cause"] == f"picture_{camera}"
            assert at - BOUND_S <= state["since"] / 1e6 - 1_800_000_000 <= at
            before, after = (
                looking.examiner.evidence.picture(state["evidence"], which) for which in ("before", "after")
            )
            darker = brightness(before) - brightness(after)
            assert darker > 30 if camera in ("black", "covered") else abs(darker) < 30
        for sent in looking.cameras.values():
            sent.playing = clip("normal")
        await looking.run(BOUND_S)
        assert looking.states() == dict.fromkeys(looking.cameras, "ok")
        assert len(looking.told) == 2 * len(EACH)


async def test_calm_hours_are_no_alarm(tmp_path: Path) -> None:
    async with Looking(tmp_path, "calm") as looking:
        await looking.run(2 * 3600)
        assert looking.told == []
        assert looking.examiner.figures()["looks"] > 200


async def test_one_strange_picture_is_no_alarm(tmp_path: Path) -> None:
    async with Looking(tmp_path, *VIEWS) as looking:
        await learned(looking)
        for _ in range(12):
            for view in VIEWS:
                looking.cameras[view].playing = clip(view)
            await looking.run(4)
            for camera in looking.cameras.values():
                camera.playing = clip("normal")
            await looking.run(67)
        assert looking.told == []


async def test_what_is_known_of_views_and_faults_survives_a_restart(tmp_path: Path) -> None:
    async with Looking(tmp_path, "calm", *EACH) as looking:
        await learned(looking)
        looking.cameras["covered"].playing = clip("covered")
        await looking.run(BOUND_S)
        told = looking.told[-1][2]
        await looking.restart()
        looking.told.clear()
        await looking.run(10)
        # The same finding, with the same evidence, before anything was learned anew.
        assert looking.told[0][1:] == ("covered", told)
        looking.cameras["moved"].playing = clip("moved")
        await looking.run(BOUND_S)
        assert looking.states() == {"calm": "ok", "covered": "covered", "moved": "moved", "black": "ok", "frozen": "ok"}


async def test_this_is_the_new_view(tmp_path: Path) -> None:
    async with Looking(tmp_path, "moved") as looking:
        await learned(looking)
        looking.cameras["moved"].playing = clip("moved")
        await looking.run(BOUND_S)
        assert looking.states() == {"moved": "moved"}
        looking.examiner.new_view("moved")
        await looking.run(5)
        assert looking.states() == {"moved": "ok"}
        # Longer than the half hour in which a camera with a busy view may pass for one that is turned on purpose.
        await looking.run(1900)
        assert looking.states() == {"moved": "ok"}
        looking.cameras["moved"].playing = clip("normal")
        await looking.run(BOUND_S)
        assert looking.states() == {"moved": "moved"}


async def test_a_camera_that_is_turned_on_purpose_learns_its_views(tmp_path: Path) -> None:
    async with Looking(tmp_path, "ptz") as looking:
        for tour in range(20):
            looking.cameras["ptz"].playing = clip("moved" if tour % 2 else "normal")
            await looking.run(50)
        assert looking.told == []


@pytest.mark.parametrize("sensitivity", ["low", "high"])
async def test_sensitivity(tmp_path: Path, sensitivity: str) -> None:
    async with Looking(tmp_path, *VIEWS, settings={"sensitivity": sensitivity, "mask": []}) as looking:
        await learned(looking)
        for view in VIEWS:
            looking.cameras[view].playing = clip(view)
        await looking.run(90 if sensitivity == "low" else 45)
        assert looking.states()["black"] == "black"
        assert looking.states()["covered"] == "covered"
        for view in VIEWS:
            looking.examiner.set(view, {"sensitivity": "off", "mask": []})
        assert looking.states() == dict.fromkeys(VIEWS, "ok")
        looks = looking.examiner.figures()["looks"]
        await looking.run(120)
        assert looking.examiner.figures() | {"looks": looks, "cameras": 0} == looking.examiner.figures()


class QuickClock(SystemClock):
    """Time that passes faster, so that minutes of looking take seconds."""

    def __init__(self, times: float) -> None:
        self._times = times
        self._began = time.monotonic()

    def monotonic(self) -> float:
        return self._began + (time.monotonic() - self._began) * self._times


def look_quickly(supervisor: Supervisor, folder: Path) -> asyncio.Task[None]:
    """Have the supervisor's cameras looked at by an examiner whose time passes faster."""
    quick = Examiner(folder, QuickClock(25))
    quick.on_finding = supervisor.examiner.on_finding
    supervisor.examiner = quick
    return asyncio.create_task(quick.watch())


async def test_a_camera_in_the_engine_has_the_status_of_its_picture_and_recovers(tmp_path: Path) -> None:
    video = Video(width=320, height=180, fps=10, kbps=200, gop=5, seconds=23)
    async with Rig(tmp_path, [spec(view, video=video) for view in VIEWS]) as rig:
        watching = look_quickly(rig.supervisor, tmp_path / "state")
        try:
            await rig.watch()
            for view in VIEWS:
                await rig.status(view, "online", 10)
            quick = rig.supervisor.examiner
            await rig.until(lambda: quick.figures()["looks"] >= 10 * len(VIEWS), 40, "learned")
            assert all(state["picture"] is None for states in rig.states.values() for state in states)
            for view in VIEWS:
                await rig.site.camera(view).fault(view)
            for view in VIEWS:
                await rig.status(view, view, 20)
                state = rig.state(view)
                assert state["problem"]["cause"] == f"picture_{view}"
                brightness(quick.evidence.picture(state["evidence"], "after"))
                await rig.site.camera(view).clear()
            for view in VIEWS:
                await rig.status(view, "online", 20)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await quick.close()
