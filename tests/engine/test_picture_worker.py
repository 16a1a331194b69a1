"""The worker that judges pictures: confined, replaced when it ends or hangs, and not hurt by what a camera sends."""

import asyncio
from dataclasses import replace
import os
from pathlib import Path
import random
import signal

import pytest

from custom_components.facility_cameras.engine.media import Sample, StreamFormat
from custom_components.facility_cameras.engine.picture import examine
from custom_components.facility_cameras.engine.picture.examine import PAUSES_S, Asked, Examine, LookError
from tests.engine.looking import HandClock, Looking, Sent
from tests.engine.test_stills import about, workers


def asked(**changes: object) -> Asked:
    usual: Asked = {
        "now": 1000.0,
        "now_us": 1,
        "anew": False,
        "new_view": False,
        "sensitivity": "normal",
        "mask": [],
        "groups": [],
    }
    return usual | changes  # type: ignore[return-value]


def picture() -> tuple[StreamFormat, Sample]:
    clock = HandClock()
    sent = Sent(clock)
    sent.connect()
    clock.now += 3
    sent.send()
    assert sent.feed.newest_key is not None
    return sent.feed.newest_key


async def test_it_is_nobody_and_sees_nothing_of_ours() -> None:
    worker = Examine(HandClock())
    before = workers()
    answer = await worker.look(*picture(), b"", asked())
    assert answer.verdict["status"] == "ok"
    assert answer.jpeg[:2] == b"\xff\xd8"
    (pid,) = workers() - before
    status = about(pid, "status")
    assert "NoNewPrivs:\t1" in status
    if os.getuid() == 0:
        assert "Uid:\t65534\t65534\t65534\t65534" in status
    assert "1073741824" in next(line for line in about(pid, "limits").splitlines() if "address space" in line)
    assert "HOME" not in about(pid, "environ")
    await worker.close()
    assert workers() == before


async def test_one_that_was_killed_costs_a_look_and_no_more(tmp_path: Path) -> None:
    async with Looking(tmp_path, "a", "b") as looking:
        before = workers()
        await looking.run(60)
        looks = looking.examiner.figures()["looks"]
        (pid,) = workers() - before
        os.kill(pid, signal.SIGKILL)
        await looking.run(60)
        figures = looking.examiner.figures()
        assert figures["failed"] <= 1
        assert figures["looks"] > looks
        assert looking.told == []


async def hang(worker: Examine) -> None:
    """Have it stopped in the middle of a look."""
    look = asyncio.create_task(worker.look(*picture(), b"", asked()))
    before = workers()
    await asyncio.sleep(0.05)
    for pid in workers() - before:
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(LookError, match="too long"):
        await look
    assert workers() == before


async def test_one_that_hangs_again_and_again_is_started_more_and_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = HandClock()
    worker = Examine(clock)
    monkeypatch.setattr(examine, "START_S", 0.3)
    for pause in (*PAUSES_S, PAUSES_S[-1]):
        await hang(worker)
        assert worker.resting_s(clock.now) == pause
        clock.now += pause
    monkeypatch.undo()
    await worker.look(*picture(), b"", asked())
    await worker.close()
    monkeypatch.setattr(examine, "START_S", 0.3)
    await hang(worker)
    assert worker.resting_s(clock.now) == PAUSES_S[0]


@pytest.mark.parametrize("codec", ["h264", "h265"])
async def test_hostile_pictures_cost_a_look_each(codec: str) -> None:
    chance = random.Random(codec)
    stream, sample = picture()
    stream = replace(stream, video=replace(stream.video, codec=codec))
    whole = sample.bytes()
    worker = Examine(HandClock())
    for _ in range(25):
        damaged = bytearray(whole)
        for _ in range(40):
            damaged[chance.randrange(6, len(damaged))] = chance.randrange(256)
        for data in (bytes(damaged), chance.randbytes(500), whole[: chance.randrange(8, 200)], b""):
            try:
                answer = await worker.look(stream, replace(sample, parts=[data], size=len(data)), b"", asked())
            except LookError:
                continue
            assert answer.verdict["status"] == "ok"
    good, fine = picture()
    assert (await worker.look(good, fine, b"", asked())).verdict["status"] == "ok"
    await worker.close()


async def test_known_that_is_damaged_is_a_camera_of_which_nothing_is_known() -> None:
    worker = Examine(HandClock())
    known = (await worker.look(*picture(), b"", asked())).known
    for damaged in (known[:-1], known[:10], b"PIC1", random.Random(1).randbytes(5000)):
        answer = await worker.look(*picture(), damaged, asked(now=1030.0))
        assert answer.verdict["status"] == "ok"
        assert len(answer.known) > 1000
    await worker.close()


async def test_what_is_too_large_is_not_even_sent() -> None:
    stream, sample = picture()
    with pytest.raises(LookError, match="bytes"):
        await Examine(HandClock()).look(stream, replace(sample, size=17 << 20), b"", asked())
    with pytest.raises(LookError, match="mpeg4"):
        await Examine(HandClock()).look(
            replace(stream, video=replace(stream.video, codec="mpeg4")), sample, b"", asked()
        )
