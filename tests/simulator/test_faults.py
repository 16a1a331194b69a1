"""Every fault does what it says, seen from the other end of the wire, and is over when it is over."""

import asyncio
from collections.abc import AsyncIterator
import io
import itertools
import time

from PIL import Image
import pytest

from simulator import Camera, FaultError, Site, barcode
from tests.simulator.cameras import QUICK, quick
from tests.simulator.dialogue import Client
from tests.simulator.pictures import Picture, play
from tests.simulator.waiting import until


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site([quick()]) as running:
        yield running


@pytest.fixture
def camera(site: Site) -> Camera:
    return site.camera("Gate")


async def test_gone_refuses_and_comes_back_on_the_same_port(camera: Camera) -> None:
    port = camera.port
    async with Client(port) as client:
        await client.play()
        await camera.fault("gone")
        assert await client.ended()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    assert camera.sessions == {}
    await camera.clear("gone")
    assert camera.port == port
    async with Client(port) as client:
        await client.play()
        assert await client.media(5)


async def test_onvif_is_gone_and_silent_with_the_camera() -> None:
    async with Site([quick(http_port=0, quirks=("O9", "R16"))]) as site:
        camera = site.camera("Gate")
        (service,) = camera.services
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.close()
        await camera.fault("gone")
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", service.port)
        await camera.fault("silent")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await asyncio.open_connection("127.0.0.1", service.port)
        await camera.clear()
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.close()


async def test_reboot_comes_back_by_itself(site: Site, camera: Camera) -> None:
    await camera.fault("reboot", seconds=0.3)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", camera.port)
    await until(lambda: not camera.active)
    async with Client(camera.port) as client:
        await client.play()
    (entry,) = site.truth.entries
    assert entry.fault == "reboot"
    assert entry.ended_monotonic is not None
    assert entry.ended_monotonic - entry.began_monotonic >= 0.3


async def test_silent_swallows_everything_and_closes_nothing(camera: Camera) -> None:
    async with Client(camera.port) as client:
        await client.play()
        await client.media(5)
        await camera.fault("silent")
        async with asyncio.timeout(5):
            # What was already on its way.
            while not await client.quiet(0.3):
                pass
        await client.send("OPTIONS")
        assert await client.quiet(0.3)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await asyncio.open_connection("127.0.0.1", camera.port)
        await camera.clear()
        assert await client.media(5)
    async with Client(camera.port) as client:
        await client.play()


async def test_stalled_answers_but_sends_no_media(camera: Camera) -> None:
    async with Client(camera.port) as client:
        await client.play()
        before = (await client.media(5))[-1]
        await camera.fault("stalled")
        assert (await client.ask("GET_PARAMETER")).status == 200
        assert await client.quiet(0.4)
        await camera.clear("stalled")
        after = (await client.media(1))[0]
    # What was not sent has no numbers, but took its time.
    assert (after.time - before.time) & 0xFFFFFFFF >= 0.4 * 90_000


async def test_held_media_come_later_in_a_burst(camera: Camera) -> None:
    async with Client(camera.port) as client:
        await client.play()
        await client.media(5)
        await camera.fault("held", seconds=0.5)
        packets = await client.media(60)
    assert {(b.sequence - a.sequence) & 0xFFFF for a, b in itertools.pairwise(packets)} == {1}
    steps = {(b.time - a.time) & 0xFFFFFFFF for a, b in itertools.pairwise(packets)}
    assert steps == {0, 90_000 // QUICK.fps}


async def test_bye_then_silence(camera: Camera) -> None:
    async with Client(camera.port) as client:
        await client.play()
        await client.media(5)
        await camera.fault("bye")
        assert (await client.ask("GET_PARAMETER")).status == 200
        assert any(report[1] == 203 for report in client.reports)
        assert await client.quiet(0.4)


async def test_slow_sends_one_byte_a_second(camera: Camera) -> None:
    async with Client(camera.port) as client:
        await camera.fault("slow")
        began = time.monotonic()
        await client.send("OPTIONS")
        async with asyncio.timeout(10):
            assert await client._reader.readexactly(2) == b"RT"
        assert time.monotonic() - began >= 0.9
        await camera.clear("slow")
        async with asyncio.timeout(5):
            assert (await client._reader.readuntil(b"\r\n\r\n")).startswith(b"SP/1.0 200")


async def test_garbage_between_packets(camera: Camera) -> None:
    async with Client(camera.port) as client:
        await client.play()
        await client.media(5)
        await camera.fault("garbage")
        async with asyncio.timeout(20):
            while not client.rubbish:
                try:
                    await client.next()
                except asyncio.LimitOverrunError, LookupError, ValueError:
                    # It begins as an answer or a packet does.
                    break


async def test_loss_leaves_gaps(camera: Camera) -> None:
    async with Client(camera.port) as client:
        await client.play()
        await camera.fault("loss", share=0.5)
        packets = await client.media(30, limit=20)
    assert any((b.sequence - a.sequence) & 0xFFFF > 1 for a, b in itertools.pairwise(packets))
    with pytest.raises(FaultError, match="share"):
        await camera.fault("loss", share=2)


@pytest.mark.parametrize("by", [300, -300])
async def test_time_leaps(site: Site, camera: Camera, by: int) -> None:
    async with Client(camera.port) as client:
        await client.play()
        before = (await client.media(5))[-1]
        await camera.fault("leap", by=by)
        packets = await client.media(20)
    leaps = [(b.time - a.time) & 0xFFFFFFFF for a, b in itertools.pairwise([before, *packets])]
    signed = [leap - (1 << 32) if leap >> 31 else leap for leap in leaps]
    assert max(signed, key=abs) == pytest.approx(by * 90_000, abs=90_000)
    (entry,) = site.truth.entries
    assert entry.began_monotonic <= (entry.ended_monotonic or 0)


async def test_another_password(camera: Camera) -> None:
    async with Client(camera.port) as client:
        await client.play()
        await camera.fault("password", password="An0ther-one")
        assert await client.ended()
    async with Client(camera.port) as client:
        assert (await client.login()).status == 401
    async with Client(camera.port, password="An0ther-one") as client:
        assert (await client.login()).status == 200
    assert "An0ther-one" in camera.url()
    await camera.clear("password")
    async with Client(camera.port) as client:
        assert (await client.login()).status == 200


async def test_account_locks_after_five_wrong_log_ins(camera: Camera) -> None:
    for _ in range(5):
        async with Client(camera.port, password="wrong") as client:
            assert (await client.login()).status == 401
    async with Client(camera.port) as client:
        assert (await client.login()).status == 401
    assert camera.guard.locked
    assert camera.guard.failures == 5


async def test_busy_and_unknown_path(camera: Camera) -> None:
    await camera.fault("busy")
    async with Client(camera.port) as client:
        await client.login()
        assert (await client.setup()).status == 453
    await camera.clear()
    await camera.fault("no_stream")
    async with Client(camera.port) as client:
        assert (await client.login()).status == 404
    await camera.clear()
    async with Client(camera.port) as client:
        await client.play()
        await camera.fault("cut")
        assert await client.ended()


def numbers(pictures: list[Picture]) -> list[int]:
    return [picture.number for picture in pictures]


async def test_frozen_repeats_one_picture(camera: Camera) -> None:
    playing = asyncio.create_task(asyncio.to_thread(play, camera.url(), 45))
    await until(lambda: camera.packets() > 5)
    await camera.fault("frozen")
    frozen = list(await playing)
    found = numbers(frozen)
    still = found[-1]
    assert still % QUICK.gop == 0
    first = found.index(still, next(at for at in range(len(found)) if set(found[at:]) == {still}))
    # Up to the picture that stays, none is missing.
    assert barcode.check(found[: first + 1], QUICK.frames).complete
    await camera.clear("frozen")
    after = numbers(await asyncio.to_thread(play, camera.url(), 25))
    assert barcode.check(after, QUICK.frames).complete


async def see(camera: Camera) -> Image.Image:
    """What the camera sees, small and grey."""
    return Image.open(io.BytesIO(await camera.snapshot())).convert("L").resize((32, 24))


async def change_view(camera: Camera, view: str) -> None:
    before = await see(camera)
    await camera.fault(view)
    found = numbers(await asyncio.to_thread(play, camera.url(), 12))
    if view == "moved":
        assert barcode.check(found, QUICK.frames).complete
    else:
        assert set(found) == {-1}
    after = await see(camera)
    different = sum(abs(a - b) > 20 for a, b in zip(before.tobytes(), after.tobytes(), strict=True))
    assert different > 32 * 24 / 4
    await camera.clear()
    assert barcode.check(numbers(await asyncio.to_thread(play, camera.url(), 12)), QUICK.frames).complete


async def test_the_picture_changes() -> None:
    views = ("black", "covered", "moved")
    async with Site([quick(view) for view in views]) as site:
        await asyncio.gather(*(change_view(site.camera(view), view) for view in views))


async def test_changes_of_the_picture_come_one_after_the_other(site: Site, camera: Camera) -> None:
    await camera.fault("black")
    await asyncio.gather(camera.clear("black"), camera.fault("moved"))
    assert list(camera.active) == ["moved"]
    assert next(iter(camera.streams.values())).shot.view == "moved"
    assert [entry.fault for entry in site.truth.entries] == ["black", "moved"]


async def test_size_changes_in_mid_stream(camera: Camera) -> None:
    playing = asyncio.create_task(asyncio.to_thread(play, camera.url(), 55))
    # Past what the player looks at before it decodes.
    await until(lambda: camera.packets() > 30)
    await camera.fault("resized", width=480, height=360)
    pictures = await playing
    assert [width for width, _ in itertools.groupby(picture.width for picture in pictures)] == [320, 480]
    assert barcode.check(numbers(pictures), QUICK.frames).complete


async def test_one_fault_of_a_kind_at_a_time_and_all_in_the_log(site: Site, camera: Camera) -> None:
    await camera.fault("black")
    await camera.fault("covered")
    await camera.fault("stalled")
    assert list(camera.active) == ["covered", "stalled"]
    await camera.clear()
    assert [entry.fault for entry in site.truth.entries] == ["black", "covered", "stalled"]
    for entry in site.truth.entries:
        assert entry.ended_monotonic is not None
        assert entry.ended_monotonic >= entry.began_monotonic
    black, covered, _ = site.truth.entries
    assert black.ended_monotonic is not None
    assert black.ended_monotonic <= covered.began_monotonic


async def test_unknown_faults_and_settings_are_told(camera: Camera) -> None:
    with pytest.raises(FaultError, match="no fault 'nonsense'"):
        await camera.fault("nonsense")
    with pytest.raises(FaultError, match="no setting 'share'"):
        await camera.fault("black", share=1)


async def test_session_not_kept_alive_ends() -> None:
    async with Site([quick(session_timeout=1), quick("Yard", session_timeout=1)]) as site:
        async with Client(site.camera("Gate").port) as client:
            answer = await client.play()
            assert answer.one("session").endswith(";timeout=1")
            assert await client.ended()
        assert site.camera("Gate").sessions == {}
        async with Client(site.camera("Yard").port) as client:
            await client.play()
            for _ in range(6):
                await client.media(8)
                assert (await client.ask("GET_PARAMETER")).status == 200


async def test_no_more_sessions_than_the_camera_has() -> None:
    async with Site([quick(max_sessions=1)]) as site:
        port = site.camera("Gate").port
        async with Client(port) as first, Client(port) as second:
            await first.play()
            await second.login()
            assert (await second.setup()).status == 453
            assert (await first.ask("TEARDOWN")).status == 200
            await second.play()
            assert await second.media(3)


async def test_sender_reports_and_drift() -> None:
    async with Site([quick(drift_ppm=50_000, clock_offset=-3600)]) as site:
        camera = site.camera("Gate")
        own, ours = camera.seconds(), time.monotonic()
        async with Client(camera.port) as client:
            await client.play()
            await client.media(20)
            (report, *_) = client.reports
        assert (camera.seconds() - own) / (time.monotonic() - ours) == pytest.approx(1.05, abs=0.01)
    assert report[1] == 200
    ntp = int.from_bytes(report[8:12]) - 2_208_988_800
    assert ntp == pytest.approx(time.time() - 3600, abs=30)
