"""What a camera tells is read, whatever its makers thought ONVIF is. Test names hold the ids of CAMERAS.md."""

from dataclasses import replace

import pytest

from custom_components.facility_cameras.onvif_camera import Identity, OnvifCause, OnvifError, read_device
from simulator.spec import CameraSpec, StreamSpec, Video
from tests.onvif_cameras import RTSP_PORT, StartCamera

H265 = CameraSpec(
    name="Sảnh tầng 2",
    streams=(
        StreamSpec(name="sub", path="sub", video=Video(width=640, height=360, fps=15)),
        StreamSpec(name="main", path="main", video=Video(codec="h265", width=2560, height=1440, fps=20), audio="aac"),
    ),
)


async def test_everything_a_decent_camera_tells(start_camera: StartCamera) -> None:
    started = await start_camera(spec=H265)
    device = await started.read()
    spec = started.camera.spec
    assert (device.host, device.port) == ("127.0.0.1", started.service.port)
    assert (device.name, device.maker, device.model) == ("Sảnh tầng 2", spec.maker, spec.model)
    assert (device.firmware, device.serial, device.macs) == (spec.firmware, spec.serial, (spec.mac.lower(),))
    assert device.identity == Identity(spec.serial, (spec.mac.lower(),))
    assert device.clock_offset_s == pytest.approx(0, abs=1.5)
    sub, main = device.profiles
    assert (main.codec, main.width, main.height, main.fps, main.bitrate_kbps) == ("h265", 2560, 1440, 20, 4000)
    assert (main.name, main.audio, sub.audio) == ("main", True, False)
    assert main.stream_url == f"rtsp://127.0.0.1:{RTSP_PORT}/main"
    assert device.best is main
    assert device.snapshot_url.startswith(f"http://127.0.0.1:{started.service.port}/")
    assert device.unique_id(main) == device.unique_id(sub) == f"{spec.serial}-{spec.mac.lower()}"


async def test_nothing_is_asked_twice_and_nothing_is_set(start_camera: StartCamera) -> None:
    started = await start_camera()
    await started.read()
    assert started.asked == [
        "GetSystemDateAndTime",
        "GetDeviceInformation",
        "GetServices",
        "GetProfiles",
        "GetStreamUri",
        "GetStreamUri",
        "GetNetworkInterfaces",
        "GetScopes",
        "GetSnapshotUri",
    ]


async def test_a_camera_without_logins(start_camera: StartCamera) -> None:
    started = await start_camera(spec=replace(H265, schemes=()))
    assert (await started.read("", "")).serial


async def test_o1_a_password_goes_out_once_each_way(start_camera: StartCamera) -> None:
    started = await start_camera()
    with pytest.raises(OnvifError) as caught:
        await started.read("not the one")
    assert caught.value.cause is OnvifCause.PASSWORD_WRONG
    assert started.service.lock.failures == 2
    logins = [login for _, login in started.service.asked if login]
    assert logins == ["wsse", "digest"]


async def test_o1_the_last_try_is_left_to_the_user(start_camera: StartCamera) -> None:
    started = await start_camera("O1", spec=CameraSpec(name="Gate", lock_after=2))
    with pytest.raises(OnvifError) as caught:
        await started.read("not the one")
    assert (caught.value.cause, caught.value.placeholders["attempts"]) == (OnvifCause.PASSWORD_WRONG, "1")
    assert (await started.read()).serial


async def test_o1_a_locked_account_is_said_to_be_locked(start_camera: StartCamera) -> None:
    started = await start_camera("O1")
    for _ in range(5):
        started.service.lock.tried(good=False)
    with pytest.raises(OnvifError) as caught:
        await started.read()
    assert caught.value.cause is OnvifCause.ACCOUNT_LOCKED
    assert [login for _, login in started.service.asked if login] == ["wsse"]


async def test_o1_a_missing_password_is_no_wrong_one(start_camera: StartCamera) -> None:
    started = await start_camera()
    with pytest.raises(OnvifError) as caught:
        await started.read("", "")
    assert caught.value.cause is OnvifCause.PASSWORD_MISSING
    assert started.service.lock.failures == 0


@pytest.mark.parametrize("hours", [-30 * 365 * 24, -7, 1, 26])
@pytest.mark.parametrize("quirk", ["O9", "O2"])
async def test_o2_o3_clock_off_by_hours(start_camera: StartCamera, hours: int, quirk: str) -> None:
    started = await start_camera(quirk, spec=CameraSpec(name="Gate", clock_offset=hours * 3600))
    device = await started.read()
    assert device.clock_offset_s == pytest.approx(hours * 3600, abs=1.5)
    assert started.service.lock.failures == 0


@pytest.mark.parametrize("quirk", ["O2-none", "O2-local", "O2-invalid"])
async def test_o2_no_usable_time(start_camera: StartCamera, quirk: str) -> None:
    started = await start_camera(quirk, "O9", spec=CameraSpec(name="Gate", clock_offset=5 * 3600))
    device = await started.read()
    assert device.clock_offset_s is None
    assert device.profiles


@pytest.mark.parametrize("quirk", ["O4", "O4-loopback", "O4-path", "no-get-services"])
async def test_o4_where_the_services_are(start_camera: StartCamera, quirk: str) -> None:
    started = await start_camera(quirk)
    device = await started.read()
    assert [profile.name for profile in device.profiles] == ["main", "sub"]
    assert device.snapshot_url.startswith(f"http://127.0.0.1:{started.service.port}/")


async def test_o4_inner_addresses_when_services_come_from_capabilities(start_camera: StartCamera) -> None:
    started = await start_camera("no-get-services", "O4")
    assert len((await started.read()).profiles) == 2


async def test_o6_media1_hides_h265(start_camera: StartCamera) -> None:
    started = await start_camera("O6-hidden", spec=H265)
    device = await started.read()
    hidden = next(profile for profile in device.profiles if profile.name == "main")
    assert (hidden.codec, hidden.width, hidden.recordable) == ("", 0, True)
    assert hidden.stream_url == f"rtsp://127.0.0.1:{RTSP_PORT}/main"
    assert device.best.name == "sub"


async def test_o6_media1_calls_h265_h264(start_camera: StartCamera) -> None:
    device = await (await start_camera("O6", spec=H265)).read()
    assert device.best.name == "main"


async def test_o6_media2_only(start_camera: StartCamera) -> None:
    device = await (await start_camera("O6-media2", spec=H265)).read()
    assert device.best.codec == "h265"


@pytest.mark.parametrize("quirk", ["O7", "O7-loopback", "O7-no-port", "O7-http-port", "O7-doubled"])
@pytest.mark.parametrize("media", ["O6-hidden", "O6-media2"])
async def test_o7_unusable_stream_addresses(start_camera: StartCamera, quirk: str, media: str) -> None:
    device = await (await start_camera(quirk, media)).read()
    assert [profile.stream_url for profile in device.profiles] == [
        f"rtsp://127.0.0.1:{RTSP_PORT}/main",
        f"rtsp://127.0.0.1:{RTSP_PORT}/sub",
    ]


@pytest.mark.parametrize("password", ["Sim-cam3ra", "p@ss:w/o rd#?", "a]b[c@d", "1/2", "@", "/:@"])
async def test_o8_a_login_inside_the_address_is_left_out(start_camera: StartCamera, password: str) -> None:
    started = await start_camera("O8", spec=CameraSpec(name="Gate", password=password))
    device = await started.read()
    assert [profile.stream_url for profile in device.profiles] == [
        f"rtsp://127.0.0.1:{RTSP_PORT}/main",
        f"rtsp://127.0.0.1:{RTSP_PORT}/sub",
    ]


@pytest.mark.parametrize("quirk", ["O9", "O9-digest", "O9-nonces", "O9-400", "O9-html", "O9-words"])
async def test_o9_one_way_to_log_in(start_camera: StartCamera, quirk: str) -> None:
    started = await start_camera(quirk)
    assert (await started.read()).serial
    assert started.service.lock.failures == 0


@pytest.mark.parametrize("quirk", ["O9", "O9-digest", "O9-nonces", "O9-400", "O9-html", "O9-words"])
async def test_o9_a_wrong_password_however_it_is_told(start_camera: StartCamera, quirk: str) -> None:
    started = await start_camera(quirk)
    with pytest.raises(OnvifError) as caught:
        await started.read("not the one")
    assert caught.value.cause is OnvifCause.PASSWORD_WRONG
    assert caught.value.placeholders["user"] == "admin"
    assert started.service.lock.failures <= 2


@pytest.mark.parametrize("quirk", ["O11", "O11-bad-utf8", "O11-ampersand"])
async def test_o11_xml_that_is_none(start_camera: StartCamera, quirk: str) -> None:
    device = await (await start_camera(quirk)).read()
    assert device.best.width == 1920
    assert device.maker
    if quirk == "O11-ampersand":
        assert device.best.stream_url.endswith("/main?unicast=true&proto=Onvif")


async def test_o11_a_web_page_is_no_camera(start_camera: StartCamera) -> None:
    started = await start_camera("O11-html")
    with pytest.raises(OnvifError) as caught:
        await started.read()
    assert caught.value.cause is OnvifCause.NOT_ONVIF
    assert caught.value.placeholders["port"] == str(started.service.port)
    assert started.service.lock.failures == 0


@pytest.mark.parametrize("quirk", ["O14", "O14-word"])
async def test_o14_a_useless_serial_leaves_the_mac(start_camera: StartCamera, quirk: str) -> None:
    started = await start_camera(quirk)
    device = await started.read()
    assert device.serial
    assert device.identity == Identity("", (started.camera.spec.mac.lower(),))
    assert device.unique_id(device.best) == started.camera.spec.mac.lower()


async def test_o14_nothing_to_know_it_by(start_camera: StartCamera) -> None:
    device = await (await start_camera("O14-mac")).read()
    assert not device.identity.known
    assert device.unique_id(device.best) is None


async def test_o17_absurd_numbers_are_unknown(start_camera: StartCamera) -> None:
    device = await (await start_camera("O17")).read()
    assert [(each.width, each.fps, each.bitrate_kbps) for each in device.profiles] == [(0, 0, 0)] * 2
    assert device.best.name == "main"


@pytest.mark.parametrize("quirk", ["no-network-interfaces", "no-snapshot"])
async def test_what_is_nice_to_know_may_be_missing(start_camera: StartCamera, quirk: str) -> None:
    device = await (await start_camera(quirk)).read()
    assert (device.macs == ()) == (quirk == "no-network-interfaces")
    assert (device.snapshot_url == "") == (quirk == "no-snapshot")


async def test_quirks_come_and_go_while_it_runs(start_camera: StartCamera) -> None:
    started = await start_camera()
    assert (await started.read()).identity.serial
    started.service.behave("O14")
    assert not (await started.read()).identity.serial
    started.camera.password = "another one"
    with pytest.raises(OnvifError):
        await started.read("Sim-cam3ra")
    assert (await started.read()).macs


@pytest.mark.parametrize("username", ["adm\x00in", "adm\nin", "\ud800"])
async def test_a_user_name_that_cannot_be_one_is_not_sent(start_camera: StartCamera, username: str) -> None:
    started = await start_camera()
    with pytest.raises(OnvifError) as caught:
        await started.read(username=username)
    assert caught.value.cause is OnvifCause.PASSWORD_WRONG
    assert started.asked == []


async def test_one_port_given_is_the_only_one_tried(start_camera: StartCamera) -> None:
    started, other = await start_camera(), await start_camera("O11-html")
    with pytest.raises(OnvifError) as caught:
        await read_device("127.0.0.1", "admin", "x", port=other.service.port, usual_ports=(started.service.port,))
    assert caught.value.cause is OnvifCause.NOT_ONVIF
    assert started.asked == []
