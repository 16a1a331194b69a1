"""Which profile is preselected, and what scenes are told apart."""

import pytest

from custom_components.facility_cameras.onvif_camera import Device, Identity, Profile
from custom_components.facility_cameras.onvif_camera.media import preselect


def profile(token: str, codec: str, width: int, height: int, fps: float = 25, source: str = "one") -> Profile:
    return Profile(
        token=token,
        name=token,
        codec=codec,
        width=width,
        height=height,
        fps=fps,
        bitrate_kbps=0,
        audio=False,
        source=source,
        stream_url=f"rtsp://10.0.0.5/{token}",
    )


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([profile("sub", "h264", 640, 360), profile("main", "h265", 2560, 1440)], "main"),
        ([profile("pictures", "jpeg", 3840, 2160), profile("main", "h264", 1920, 1080)], "main"),
        ([profile("slow", "h264", 1920, 1080, 15), profile("fast", "h264", 1920, 1080, 25)], "fast"),
        ([profile("first", "h264", 1920, 1080), profile("second", "h265", 1920, 1080)], "first"),
        ([profile("unknown", "", 0, 0), profile("pictures", "jpeg", 1920, 1080)], "unknown"),
        ([profile("pictures", "jpeg", 1920, 1080)], "pictures"),
    ],
)
def test_preselected(offered: list[Profile], chosen: str) -> None:
    assert preselect(offered).token == chosen


def test_o17_a_recorder_has_one_id_for_each_channel() -> None:
    offered = (
        profile("a", "h264", 1920, 1080, source="channel1"),
        profile("b", "h264", 640, 360, source="channel1"),
        profile("c", "h264", 1920, 1080, source="channel2"),
    )
    device = Device(
        host="10.0.0.5",
        port=80,
        name="recorder",
        maker="",
        model="",
        firmware="",
        serial="A1B2",
        macs=(),
        identity=Identity("A1B2", ()),
        clock_offset_s=None,
        profiles=offered,
        best=offered[0],
        snapshot_url="",
    )
    assert device.sources == ("channel1", "channel2")
    assert [device.unique_id(each) for each in offered] == ["A1B2-channel1", "A1B2-channel1", "A1B2-channel2"]
