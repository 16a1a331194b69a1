"""The receiver against the misbehaviour of real makes, by the ids of the catalogue of camera quirks.

All cameras are recorded at once, long enough for a keep-alive and more (sessions end after 10 s without one); then each
test judges one of them. Quirks that are faults which come and go are in test_faults.py.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import pytest_socket

from custom_components.facility_cameras.engine.api import CameraState
from simulator import StreamSpec
from simulator.quirks import QUIRKS, refine
from simulator.spec import VideoCodec
from tests.engine.receiving import FPS, VIDEO, Judged, Rig, assert_sound, spec

#: Seconds of footage to be recorded of each camera.
RECORDED_S = 14
LIMIT_S = 70
#: Not recordable, and why.
REFUSED = {"R20": "udp_only", "B8": "bad_answer"}
#: Faults that come and go.
FAULTS = {name for name, quirk in QUIRKS.items() if quirk.habits}
#: The session begins anew until the receiver has learnt the camera's ways (B13: at 60 s, if this takes so long).
LEARNT = {"R14-fatal", "R25-all", "B13"}
RECORDED = [name for name in QUIRKS if name not in FAULTS and name not in REFUSED]
#: A picture's time says nothing here.
NO_TIMES = {"P9"}
CODECS: tuple[VideoCodec, ...] = ("h264", "h265")


@dataclass(frozen=True)
class Outcome:
    """What became of one camera: when it had recorded enough, and after all ended."""

    state: CameraState
    wrong_logins: int
    sessions_left: int
    judged: Judged
    clip: int
    b_frames: int


def _name(quirk: str, codec: str) -> str:
    return f"{quirk}-{codec}"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    pytest_socket.enable_socket()
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    yield asyncio.run(_record(tmp_path_factory))


async def _record(factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    specs = {}
    for quirk in (*RECORDED, *REFUSED):
        for codec in CODECS:
            video = replace(VIDEO, codec=codec)
            camera = spec(_name(quirk, codec), quirks=(quirk,), session_timeout=60 if quirk == "R16-absent" else 10)
            specs[camera.name] = replace(camera, streams=(StreamSpec(video=video),))
    async with Rig(factory.mktemp("quirks"), specs.values()) as rig:
        await rig.watch(audio=True)
        recorded = [_name(quirk, codec) for quirk in RECORDED for codec in CODECS]
        late = asyncio.get_running_loop().time() + LIMIT_S
        while asyncio.get_running_loop().time() < late:
            if all(rig.state(name)["recorded_s"] >= RECORDED_S for name in recorded):
                break
            await asyncio.sleep(0.1)
        states = {name: rig.state(name) for name in specs}
        await rig.stop()
        left = {name: len(rig.site.camera(name).sessions) for name in specs}
        wrong = {name: rig.site.camera(name).guard.failures for name in specs}
        outcomes = {}
        for name in specs:
            video = refine(specs[name]).streams[0].video
            judged = await rig.judge(name)
            outcomes[name] = Outcome(states[name], wrong[name], left[name], judged, video.frames, video.b_frames)
        return outcomes


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("quirk", RECORDED)
def test_recorded(outcomes: dict[str, Outcome], quirk: str, codec: str) -> None:
    outcome = outcomes[_name(quirk, codec)]
    assert outcome.state["status"] == "online", outcome.state
    assert outcome.wrong_logins == 0
    if quirk in LEARNT:
        assert outcome.state["reconnects"] <= 2
    else:
        assert outcome.state["reconnects"] == 0, outcome.state
    assert outcome.state["recorded_s"] >= RECORDED_S - 2 * VIDEO.gop / FPS, outcome.state
    assert_sound(outcome.judged, outcome.clip, gaps=quirk in LEARNT or quirk in NO_TIMES, b_frames=outcome.b_frames)
    if quirk != "R23":
        assert outcome.sessions_left == 0, "TEARDOWN was not sent"


@pytest.mark.parametrize("quirk", REFUSED)
def test_refused(outcomes: dict[str, Outcome], quirk: str) -> None:
    outcome = outcomes[_name(quirk, "h264")]
    assert outcome.state["status"] == "no_stream"
    assert outcome.state["problem"]["cause"] == REFUSED[quirk]
    assert not outcome.judged.segments
    assert outcome.sessions_left == 0


@pytest.mark.parametrize("quirk", ["R25", "S11-none", "S13", "S13-u"])
def test_audio_dropped(outcomes: dict[str, Outcome], quirk: str) -> None:
    assert outcomes[_name(quirk, "h264")].judged.audio_frames == 0


@pytest.mark.parametrize("quirk", ["R25-all", "S11"])
def test_audio_kept(outcomes: dict[str, Outcome], quirk: str) -> None:
    assert outcomes[_name(quirk, "h264")].judged.audio_frames > 0
