"""Stills: real clips in, JPEG out, and nothing that a camera sends stops the next picture."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
import io
import os
from pathlib import Path
import random
import select
import signal
import subprocess
import sys
from typing import Any

import av
from hypothesis import given, settings, strategies as st
import numpy as np
import pytest

from custom_components.facility_cameras.engine.media import Sample, StreamFormat
from custom_components.facility_cameras.engine.picture import worker
from custom_components.facility_cameras.engine.picture.stills import PictureError, Stills
from tests.engine.clip_samples import Clip, make_clip, number_of, paint


@pytest.fixture
async def stills() -> AsyncIterator[Stills]:
    made = Stills()
    yield made
    await made.close()


@pytest.fixture(scope="module")
def clip() -> Clip:
    return make_clip(frames=30, gop=10)


def opened(jpeg: bytes) -> av.VideoFrame:
    with av.open(io.BytesIO(jpeg), "r") as container:
        return next(container.decode(video=0))


def garbage(of: Sample, received: float = 1.0) -> Sample:
    # The same at each run: one garbage in some hundreds looks enough like a picture to be decoded.
    data = (1000).to_bytes(4) + random.Random(received).randbytes(1000)
    return replace(of, parts=[data], size=len(data), received=received)


def about(pid: int, what: str) -> str:
    """What the kernel says about a process."""
    return Path(f"/proc/{pid}/{what}").read_text()


def workers() -> set[int]:
    """Ids of this process's children."""
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


@pytest.mark.parametrize(
    "clip_options",
    [
        {"codec": "h264"},
        {"codec": "h265"},
        {"codec": "h264", "b_frames": 2},
        {"codec": "h265", "b_frames": 2},
        {"codec": "h264", "pixels": "yuv420p10le"},
        {"codec": "h265", "pixels": "yuv420p10le"},
        {"codec": "h264", "size": (322, 242)},
        {"codec": "h265", "size": (1282, 722)},
        {"codec": "h264", "full_range": True},
        {"codec": "h265", "size": (3840, 2160), "pixels": "yuv420p10le", "frames": 1},
    ],
    ids=str,
)
async def test_every_key_picture_becomes_a_jpeg_of_the_same_picture(
    stills: Stills, clip_options: dict[str, Any]
) -> None:
    clip = make_clip(**({"frames": 12, "gop": 10} | clip_options))
    for number, sample in enumerate(sample for sample in clip.video if sample.key):
        frame = opened(await stills.picture("one", clip.stream, sample))
        video = clip.stream.video
        assert (frame.width, frame.height) == (video.width, video.height)
        assert number_of(frame) == number * 10
        if video.height <= 576:
            was = paint(number * 10, video.width, video.height).astype(int)
            got = frame.reformat(format="rgb24").to_ndarray().astype(int)
            assert np.abs(got - was).mean() < 8


async def test_range_is_kept(stills: Stills) -> None:
    """White stays white and black black, whichever range the camera uses."""
    for full_range in (False, True):
        clip = make_clip(frames=1, full_range=full_range)
        frame = opened(await stills.picture(str(full_range), clip.stream, clip.key)).reformat(format="rgb24")
        picture = frame.to_ndarray()
        assert picture[200, 8].min() > 245
        assert picture[4, 4].max() < 10


@pytest.mark.parametrize(
    ("asked", "got"),
    [((160, None), (160, 120)), ((None, 60), (80, 60)), ((1000, 60), (80, 60)), ((4000, 4000), (320, 240))],
)
async def test_fitted_into_the_asked_size(
    stills: Stills, clip: Clip, asked: tuple[int | None, int | None], got: tuple[int, int]
) -> None:
    frame = opened(await stills.picture("one", clip.stream, clip.key, *asked))
    assert (frame.width, frame.height) == got


async def test_parts_may_be_cut_anywhere(stills: Stills, clip: Clip) -> None:
    whole = clip.key.bytes()
    parts = [whole[at : at + 7] for at in range(0, len(whole), 7)]
    jpeg = await stills.picture("one", clip.stream, replace(clip.key, parts=parts))
    assert number_of(opened(jpeg)) == 0


async def test_decoded_once_for_all_who_ask(stills: Stills, clip: Clip) -> None:
    answers = await asyncio.gather(*(stills.picture("one", clip.stream, clip.key) for _ in range(20)))
    later = await stills.picture("one", clip.stream, clip.key)
    assert all(answer is answers[0] for answer in (*answers, later))


async def test_nobody_asks_nothing_runs(clip: Clip) -> None:
    before = workers()
    made = Stills()
    await asyncio.sleep(0)
    assert workers() == before
    await made.picture("one", clip.stream, clip.key)
    assert len(workers() - before) == 1
    await made.close()
    assert workers() == before


async def test_one_who_leaves_takes_the_picture_from_nobody(stills: Stills, clip: Clip) -> None:
    first = asyncio.create_task(stills.picture("one", clip.stream, clip.key))
    second = asyncio.create_task(stills.picture("one", clip.stream, clip.key))
    await asyncio.sleep(0)
    first.cancel()
    assert number_of(opened(await second)) == 0


async def test_garbage_is_an_error_and_the_next_picture_comes(stills: Stills, clip: Clip) -> None:
    for received in range(20):
        with pytest.raises(PictureError):
            await stills.picture("bad", clip.stream, garbage(clip.key, received))
    with pytest.raises(PictureError):
        await stills.picture("bad", clip.stream, replace(clip.key, parts=[b"\xff\xff\xff\xff"], size=4, received=99))
    assert number_of(opened(await stills.picture("good", clip.stream, clip.key))) == 0


async def test_half_a_picture_is_an_error_or_a_picture(stills: Stills, clip: Clip) -> None:
    whole = clip.key.bytes()
    for received, length in enumerate(range(4, len(whole), len(whole) // 8)):
        cut = replace(clip.key, parts=[(length - 4).to_bytes(4), whole[4:length]], size=length, received=received)
        try:
            assert opened(await stills.picture("half", clip.stream, cut)).width == 320
        except PictureError as error:
            assert str(error)


async def test_too_large_and_unknown_are_refused(stills: Stills, clip: Clip) -> None:
    with pytest.raises(PictureError):
        await stills.picture("one", clip.stream, replace(clip.key, parts=[bytes(1 << 20)] * 17))
    with pytest.raises(PictureError):
        await stills.picture("two", StreamFormat(replace(clip.stream.video, codec="av1")), clip.key)


async def test_killed_worker_is_replaced_unseen(stills: Stills, clip: Clip) -> None:
    before = workers()
    keys = [sample for sample in clip.video if sample.key]
    await stills.picture("one", clip.stream, keys[0])
    (pid,) = workers() - before
    os.kill(pid, signal.SIGKILL)
    assert number_of(opened(await stills.picture("one", clip.stream, keys[1]))) == 10
    assert workers() - before != {pid}


async def test_stuck_worker_is_replaced(stills: Stills, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custom_components.facility_cameras.engine.picture.stills.DECODE_S", 0.2)
    before = workers()
    keys = [sample for sample in clip.video if sample.key]
    await stills.picture("one", clip.stream, keys[0])
    (pid,) = workers() - before
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(PictureError):
        await stills.picture("one", clip.stream, keys[1])
    assert number_of(opened(await stills.picture("one", clip.stream, keys[2]))) == 20


async def test_worker_has_nothing_to_give_away(stills: Stills, clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERVISOR_TOKEN", "very-secret")
    before = workers()
    await stills.picture("one", clip.stream, clip.key)
    (pid,) = workers() - before
    status = dict(line.split(":\t", 1) for line in about(pid, "status").splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1"
    assert set(status["Uid"].split()) == {"65534" if os.getuid() == 0 else str(os.getuid())}
    if os.getuid() == 0:
        assert set(status["Gid"].split()) == {"65534"}
        assert status["Groups"].split() == []
        assert int(status["CapEff"], 16) == 0
    limits = about(pid, "limits")
    assert f"Max address space         {worker.MEMORY_BYTES}" in limits
    assert "Max core file size        0" in limits
    assert "secret" not in about(pid, "environ")
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)


def test_worker_dies_with_its_parent(tmp_path: Path) -> None:
    """Killed in the middle, the engine leaves nothing behind."""
    script = (
        "import subprocess, sys, os\n"
        f"w = subprocess.Popen([sys.executable, {str(Path(worker.__file__))!r}, str(os.getpid())],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        f"w.stdin.write(bytes({worker.REQUEST.size})); w.stdin.flush(); w.stdout.read(5)\n"
        "print(w.pid, flush=True); os.dup2(w.stdin.fileno(), 9); os.read(0, 1)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    watch = os.pidfd_open(pid)
    parent.kill()
    parent.communicate()
    assert select.select([watch], [], [], 10)[0] == [watch]
    os.close(watch)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_annex_b_or_one_error(data: bytes) -> None:
    try:
        result = worker.annex_b(memoryview(data))
    except worker.BadPictureError:
        return
    assert len(result) == len(data)
