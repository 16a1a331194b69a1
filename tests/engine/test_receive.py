"""The receiver against virtual cameras: log-ins, codecs, audio. Each file is judged by PyAV."""

from dataclasses import replace
from pathlib import Path

import pytest

from simulator.spec import VideoCodec
from tests.engine.receiving import VIDEO, Rig, assert_sound, spec

NASTY = (
    "a/b", "a@b", "a:b", "a#b", "a%b", "a?b", "a&b", "two words", "Mật khẩu 1ü", "100₫", "it's", 'say "hi"',
    "back\\slash", "a=b,c", "%41%2F", "  lead", "tail  ", "{}[]|^`", "<x>&amp;", "x" * 128,
)  # fmt: skip


@pytest.mark.parametrize("schemes", [(), ("basic",), ("md5",), ("sha-256",), ("basic", "md5", "sha-256")], ids="+".join)
async def test_log_ins(tmp_path: Path, schemes: tuple[str, ...]) -> None:
    async with Rig(tmp_path, [spec("one", schemes=schemes)]) as rig:
        await rig.watch()
        await rig.recorded("one", 2)
        assert rig.site.camera("one").guard.failures == 0
        assert len(rig.site.camera("one").sessions) == 1
        assert rig.state("one")["status"] == "online"
        await rig.stop()
        assert not rig.site.camera("one").sessions, "TEARDOWN was not sent"
        assert_sound(await rig.judge("one"), VIDEO.frames)


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("b_frames", [0, 3])
async def test_codecs(tmp_path: Path, codec: VideoCodec, b_frames: int) -> None:
    video = replace(VIDEO, codec=codec, b_frames=b_frames)
    async with Rig(tmp_path, [spec("one", video=video)]) as rig:
        await rig.watch()
        await rig.recorded("one", 3)
        stream = rig.state("one")["format"]
        assert stream is not None
        assert (stream["video"], stream["width"], stream["height"]) == (codec, 320, 180)
        await rig.stop()
        assert_sound(await rig.judge("one"), video.frames, b_frames=b_frames)


async def test_aac(tmp_path: Path) -> None:
    async with Rig(tmp_path, [spec("one", audio=True), spec("mute", audio=True)]) as rig:
        await rig.watch("one", audio=True)
        await rig.watch("mute")
        await rig.recorded("one", 3)
        await rig.recorded("mute", 1)
        assert rig.sound("one") == "aac"
        assert rig.sound("mute") is None
        await rig.stop()
        judged = await rig.judge("one")
        assert_sound(judged, VIDEO.frames)
        assert judged.audio_frames > 20
        assert (await rig.judge("mute")).audio_frames == 0


async def test_nasty_passwords(tmp_path: Path) -> None:
    specs = [
        spec(f"{scheme}-{number}", schemes=(scheme,), password=password, username="Lê @:/ admin" if number % 2 else "u")
        for number, password in enumerate(NASTY)
        for scheme in ("basic", "md5")
        # A colon cannot be in a user's name with Basic (RFC 7617).
    ]
    specs = [
        replace(each, username=each.username.replace(":", "")) if each.schemes == ("basic",) else each for each in specs
    ]
    async with Rig(tmp_path, specs) as rig:
        await rig.watch()
        for each in specs:
            await rig.status(each.name, "online", 20)
            assert rig.site.camera(each.name).guard.failures == 0
