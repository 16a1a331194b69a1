"""What goes wrong with a camera: its status and cause, how it comes back, and what was recorded meanwhile.

Deadlines are the promised bounds with some room for a busy machine.
"""

import asyncio
from dataclasses import replace
from functools import partial
import gc
import itertools
from pathlib import Path
import time

import pytest

from custom_components.facility_cameras.engine.rtsp.client import Session
from simulator import barcode
from simulator.spec import VideoCodec
from tests.engine.receiving import VIDEO, Rig, assert_sound, spec

REFUSED_S, SILENT_S, STALLED_S, BACK_S = 8, 20, 13, 14


#: Fault: status, cause, and within how many seconds both are told.
FAULTS = {
    "gone": ("refused", "connection_refused", REFUSED_S),
    "silent": ("unreachable", "no_answer", SILENT_S),
    "stalled": ("stalled", "no_packets", STALLED_S),
    "bye": ("stalled", "no_packets", STALLED_S + 4),
    "no_stream": ("no_stream", "path_not_found", REFUSED_S),
    # One byte a second: first nothing whole comes, then no dialogue ends.
    "slow": ("unreachable", "no_answer", STALLED_S + 14),
}


async def test_faults_are_told_and_got_over(tmp_path: Path) -> None:
    """Each fault at a camera of its own, all at once, and a camera that is well beside them."""
    async with Rig(tmp_path, [spec(name) for name in (*FAULTS, "well")]) as rig:
        await rig.watch()
        for name in (*FAULTS, "well"):
            await rig.recorded(name, 1)

        async def undergo(name: str) -> None:
            status, cause, within = FAULTS[name]
            camera = rig.site.camera(name)
            await camera.fault(name)
            await rig.until(
                lambda: (rig.state(name)["status"], rig.state(name)["problem"]["cause"]) == (status, cause),
                within,
                name,
            )
            await camera.clear(name)
            await rig.status(name, "online", BACK_S)
            await rig.recorded(name, 1)
            assert len(camera.sessions) == 1

        async with asyncio.TaskGroup() as group:
            for name in FAULTS:
                group.create_task(undergo(name))
        assert [state for state in rig.states["well"] if state["status"] not in ("online", "unknown")] == []
        assert rig.state("well")["reconnects"] == 0
        await rig.stop()
        for name in FAULTS:
            assert not rig.site.camera(name).sessions
            assert_sound(await rig.judge(name), VIDEO.frames, gaps=True)
        assert_sound(await rig.judge("well"), VIDEO.frames)


async def test_b1_a_camera_that_reboots_is_offline_until_its_key_picture(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one")]) as rig:
        await rig.watch()
        await rig.recorded("one", 1)
        await rig.site.camera("one").fault("reboot", seconds=3.0)
        await rig.status("one", "refused", REFUSED_S)
        await rig.status("one", "online", BACK_S)
        await rig.recorded("one", 1)
        await rig.stop()
        judged = await rig.judge("one")
        assert len(judged.segments) == 2
        assert_sound(judged, VIDEO.frames, gaps=True)


async def test_a_session_that_was_lost_is_gone_with_all_it_held(tmp_path: Path) -> None:
    """At once: the collector, which seldom comes, is not needed."""

    def sessions() -> int:
        return sum(isinstance(each, Session) for each in gc.get_objects())

    async with Rig(tmp_path, [spec("one")]) as rig:
        await rig.watch()
        await rig.recorded("one", 1)
        gc.collect()
        gc.disable()
        try:
            assert sessions() == 1
            await rig.site.camera("one").fault("cut")
            await rig.until(lambda: rig.state("one")["reconnects"] == 1, BACK_S, "reconnected")
            await rig.recorded("one", 2)
            assert sessions() == 1
        finally:
            gc.enable()


async def test_c3_a_camera_that_answers_again_is_told_to_be_waited_for_until_its_key_picture(tmp_path: Path) -> None:
    """Groups of 20 s, joined in the middle: it refuses nothing any more, and cannot be shown yet."""
    async with Rig(tmp_path, [spec("one", quirks=("C3",))]) as rig:
        camera = rig.site.camera("one")
        await camera.fault("gone")
        await rig.watch()
        await rig.status("one", "refused", REFUSED_S)
        await camera.clear()
        await rig.until(lambda: rig.state("one")["problem"]["cause"] == "no_keyframe", BACK_S + 5, "waiting")
        await rig.status("one", "online", 2 * 20)
        told = [(state["status"], state["problem"]["cause"]) for state in rig.states["one"]]
        changes = [state for state, _ in itertools.groupby(told)]
        assert changes[-3:] == [("refused", "connection_refused"), ("stalled", "no_keyframe"), ("online", "none")]


async def test_c3_a_camera_not_seen_yet_is_unknown_until_its_key_picture(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one", quirks=("C3",))]) as rig:
        await rig.watch()
        await rig.status("one", "online", 2 * 20)
        assert {state["status"] for state in rig.states["one"]} == {"unknown", "online"}


async def test_c2_another_size_begins_another_file_in_the_same_session(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one")]) as rig:
        await rig.watch()
        await rig.recorded("one", 1)
        await rig.site.camera("one").fault("resized", width=160, height=120)
        await rig.until(lambda: rig.width("one") == 160, 20)
        await rig.recorded("one", 2)
        assert rig.state("one")["reconnects"] == 0
        await rig.stop()
        judged = await rig.judge("one")
        assert len(judged.segments) == 2
        assert judged.segments[0]["end"] == judged.segments[1]["start"]
        assert list(dict.fromkeys(judged.sizes)) == [(320, 180), (160, 120)]
        assert_sound(judged, VIDEO.frames)


@pytest.mark.parametrize("by", [300, -300])
async def test_p8_times_that_leap(tmp_path: Path, by: int) -> None:
    async with Rig(tmp_path, [spec("one")]) as rig:
        await rig.watch()
        await rig.recorded("one", 1)
        await rig.site.camera("one").fault("leap", by=by)
        await rig.recorded("one", 3)
        assert rig.state("one")["reconnects"] == 0
        assert rig.state("one")["status"] == "online"
        await rig.stop()
        judged = await rig.judge("one")
        assert barcode.check(judged.numbers, VIDEO.frames).complete
        assert not judged.faults
        # Where the leap was, arrival counts: one read (0.2 s) and one picture more or less.
        assert abs(judged.seconds - len(judged.numbers) / VIDEO.fps) < 0.5


async def test_p5_garbage_between_packets(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one")]) as rig:
        await rig.watch()
        await rig.recorded("one", 1)
        await rig.site.camera("one").fault("garbage")
        await rig.recorded("one", 3)
        await rig.site.camera("one").clear()
        await rig.recorded("one", 2)
        assert rig.state("one")["status"] == "online"
        assert rig.state("one")["reconnects"] == 0
        await rig.stop()
        assert_sound(await rig.judge("one"), VIDEO.frames, gaps=True)


@pytest.mark.parametrize("codec", ["h264", "h265"])
async def test_p3_lost_packets_are_counted_and_nothing_is_glued(tmp_path: Path, codec: VideoCodec) -> None:
    video = replace(VIDEO, codec=codec)
    async with Rig(tmp_path, [spec("one", video=video)]) as rig:
        await rig.watch()
        await rig.recorded("one", 1)
        await rig.site.camera("one").fault("loss", share=0.02)
        await rig.until(lambda: rig.state("one")["lost_packets"] > 0, 30)
        await rig.recorded("one", 3)
        await rig.site.camera("one").clear()
        await rig.recorded("one", 2)
        assert rig.state("one")["reconnects"] == 0
        await rig.stop()
        # Every picture in the file can be read, so none was put together of parts of two.
        assert_sound(await rig.judge("one"), VIDEO.frames, gaps=True)


async def test_b3_a_stall_and_a_burst_lose_nothing(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one")]) as rig:
        await rig.watch()
        await rig.recorded("one", 1)
        await rig.site.camera("one").fault("held", seconds=4.0)
        await rig.recorded("one", 6)
        assert rig.state("one")["reconnects"] == 0
        assert [state["status"] for state in rig.states["one"] if state["status"] not in ("online", "unknown")] == []
        await rig.stop()
        assert_sound(await rig.judge("one"), VIDEO.frames)


async def test_o1_a_wrong_password_is_tried_once(tmp_path: Path) -> None:
    schemes = {"basic": ("basic",), "md5": ("md5",), "sha": ("sha-256",), "all": ("basic", "md5", "sha-256")}
    async with Rig(tmp_path, [spec(name, schemes=ways) for name, ways in schemes.items()]) as rig:
        await rig.watch(password="wrong")
        for name in schemes:
            await rig.status(name, "unauthorised", REFUSED_S)
            assert rig.state(name)["problem"]["cause"] == "password_wrong"
        await rig.restart()
        for name in schemes:
            await rig.status(name, "unauthorised", REFUSED_S)
        # The same wishes again, as a hub sends them when it starts.
        await rig.put()
        await asyncio.sleep(3)
        assert {name: rig.site.camera(name).guard.failures for name in schemes} == dict.fromkeys(schemes, 1)
        await rig.watch()
        for name in schemes:
            await rig.status(name, "online", REFUSED_S)
            assert rig.site.camera(name).guard.failures == 1


async def test_no_password_where_one_is_needed(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one")]) as rig:
        await rig.watch(username="", password="")
        await rig.status("one", "unauthorised", REFUSED_S)
        assert rig.state("one")["problem"]["cause"] == "password_missing"
        assert rig.site.camera("one").guard.failures == 0


async def test_b5_a_password_that_changed_is_not_hammered(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("cut"), spec("kept", session_timeout=10)]) as rig:
        await rig.watch()
        await rig.recorded("cut", 1)
        await rig.recorded("kept", 1)
        await rig.site.camera("cut").fault("password")
        # The other keeps its session: only the keep-alives are refused from now on.
        rig.site.camera("kept").guard.password = "another"
        await rig.status("cut", "unauthorised", REFUSED_S)
        assert rig.state("cut")["problem"]["placeholders"] == {"host": "127.0.0.1", "user": "admin"}
        await rig.recorded("kept", 12)
        assert rig.site.camera("cut").guard.failures == 1
        assert rig.site.camera("kept").guard.failures <= 2
        assert not rig.site.camera("kept").guard.locked


async def test_r12_a_nonce_that_expires_while_playing(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one", quirks=("R12",), session_timeout=12)]) as rig:
        await rig.watch()
        await rig.recorded("one", 14, 40)
        assert rig.state("one")["reconnects"] == 0
        assert rig.site.camera("one").guard.failures == 0


async def test_r23_the_packets_of_an_old_session_do_no_harm(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one", quirks=("R23",), session_timeout=10)]) as rig:
        await rig.watch()
        await rig.recorded("one", 2)
        await rig.site.camera("one").fault("cut")
        await rig.until(lambda: rig.state("one")["reconnects"] >= 1, 10)
        await rig.recorded("one", 14, 40)
        assert rig.state("one")["status"] == "online"
        await rig.stop()
        assert_sound(await rig.judge("one"), VIDEO.frames, gaps=True)


def _has_cause(rig: Rig, name: str, cause: str) -> bool:
    return rig.state(name)["problem"]["cause"] == cause


async def test_r24_a_camera_without_a_free_session(tmp_path: Path) -> None:
    names = {"R24-one": "camera_busy", "R24-close": "connection_lost"}
    async with Rig(tmp_path, [spec(name, quirks=(name,)) for name in names]) as rig:
        for name in names:
            await rig.site.camera(name).fault("busy")
        await rig.watch()
        for name, cause in names.items():
            await rig.until(partial(_has_cause, rig, name, cause), REFUSED_S)


async def test_recording_off_and_on_in_one_session(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one")]) as rig:
        await rig.watch()
        await rig.recorded("one", 2)
        camera = rig.supervisor.camera("one")
        assert camera is not None
        camera.take({**camera.config, "record": False})
        off = time.time()
        await asyncio.sleep(4)
        assert rig.state("one")["status"] == "online"
        camera.take({**camera.config, "record": True})
        await rig.recorded("one", 2)
        assert rig.state("one")["reconnects"] == 0
        await rig.stop()
        judged = await rig.judge("one")
        assert len(judged.segments) == 2
        gap = (judged.segments[1]["start"] - judged.segments[0]["end"]) / 1e6
        assert 2 < gap < 5, "the pause is not where it was"
        assert abs(judged.segments[0]["end"] / 1e6 - off) < 2
        assert_sound(judged, VIDEO.frames, gaps=True)


@pytest.mark.parametrize("step", [3600.0, -5.0])
async def test_i5_our_own_clock_is_set(tmp_path: Path, step: float) -> None:
    async with Rig(tmp_path, [spec("one")]) as rig:
        await rig.watch()
        await rig.recorded("one", 3)
        rig.clock.step = step
        await rig.recorded("one", 3)
        assert rig.state("one")["reconnects"] == 0
        assert rig.state("one")["status"] == "online"
        await rig.stop()
        judged = await rig.judge("one")
        assert len(judged.segments) == 2
        gap = (judged.segments[1]["start"] - judged.segments[0]["end"]) / 1e6
        # The group of pictures under way is not recorded; backwards, the one begins where the other ends.
        assert 0 <= gap - max(step, 0) < 2
        assert_sound(judged, VIDEO.frames, gaps=True)


async def test_one_change_of_a_camera_leaves_one_session(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one", audio=True, max_sessions=1)]) as rig:
        await rig.watch()
        await rig.recorded("one", 1)
        for audio in (True, False, True):
            await rig.watch(audio=audio)
        await rig.until(lambda: rig.sound("one") == "aac", 10)
        assert len(rig.site.camera("one").sessions) == 1
        await rig.supervisor.delete_facility("facility")
        await rig.until(lambda: not rig.site.camera("one").sessions, 5)
