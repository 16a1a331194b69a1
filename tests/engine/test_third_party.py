"""A server that is not ours: gst-rtsp-server, H.264 and H.265, with digest."""

import asyncio
from collections.abc import AsyncIterator
import contextlib
from pathlib import Path
import subprocess
from typing import Any

import av
import numpy as np
import pytest

from simulator import barcode
from tests.engine.receiving import FPS, Rig, assert_sound, judge

SYSTEM_PYTHON = Path("/usr/bin/python3")
#: Pictures in the clip: longer than a test takes.
PICTURES = 40 * FPS
USER, PASSWORD = "viewer", "p@ss:/w%rd#?"
_TRY = 'import gi; gi.require_version("GstRtspServer", "1.0"); from gi.repository import GstRtspServer'


def _missing() -> bool:
    if not SYSTEM_PYTHON.exists():
        return True
    return subprocess.run([SYSTEM_PYTHON, "-c", _TRY], capture_output=True, timeout=60, check=False).returncode != 0


pytestmark = pytest.mark.skipif(_missing(), reason="gst-rtsp-server is not installed (gir1.2-gst-rtsp-server-1.0)")


def encode(path: Path, codec: str, b_frames: int) -> None:
    """A clip whose pictures bear their numbers."""
    quiet = {"x265-params": f"log-level=none:open-gop=0:bframes={b_frames}", "preset": "ultrafast"}
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx265" if codec == "h265" else "libx264", rate=FPS, options=quiet)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.codec_context.gop_size = FPS
        stream.codec_context.max_b_frames = b_frames
        for number in range(PICTURES):
            planes = np.full((270, 320), 128, np.uint8)
            planes[:180] = 40 + number % 150
            barcode.draw(planes[:180], number)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode(None))


@contextlib.asynccontextmanager
async def serve(path: Path, codec: str) -> AsyncIterator[int]:
    """The server's port."""
    process = await asyncio.create_subprocess_exec(
        SYSTEM_PYTHON, Path(__file__).with_name("gst_rtsp_server.py"), path, codec, USER, PASSWORD,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            yield int(await process.stdout.readline())
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


@pytest.mark.parametrize(("codec", "b_frames"), [("h264", 0), ("h264", 2), ("h265", 0)])
async def test_recorded_completely(tmp_path: Path, codec: str, b_frames: int) -> None:
    clip = tmp_path / "clip.mp4"
    await asyncio.to_thread(encode, clip, codec, b_frames)
    async with serve(clip, codec) as port, Rig(tmp_path, []) as rig:
        await rig.watch_address("gst", f"rtsp://127.0.0.1:{port}/clip", USER, PASSWORD)
        await rig.recorded("gst", 4)
        stream = rig.state("gst")["format"]
        assert stream is not None
        assert (stream["video"], stream["width"], stream["height"]) == (codec, 320, 180)
        assert rig.state("gst")["reconnects"] == 0
        await rig.stop()
        judged = await asyncio.to_thread(judge, rig.archive, "gst")
        assert_sound(judged, PICTURES, b_frames=b_frames)


async def test_a_wrong_password(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    await asyncio.to_thread(encode, clip, "h264", 0)
    async with serve(clip, "h264") as port, Rig(tmp_path, []) as rig:
        await rig.watch_address("gst", f"rtsp://127.0.0.1:{port}/clip", USER, "wrong")
        await rig.status("gst", "unauthorised", 8)
        assert rig.state("gst")["problem"]["cause"] == "password_wrong"
