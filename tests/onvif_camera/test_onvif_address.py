"""What people type, and what cameras claim."""

from hypothesis import given, strategies as st
import pytest

from custom_components.facility_cameras.onvif_camera import OnvifCause, OnvifError
from custom_components.facility_cameras.onvif_camera.address import (
    Address,
    parse_address,
    path_of,
    snapshot_url,
    stream_url,
)

HERE = Address("10.0.0.5", 8000)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("192.168.1.9", Address("192.168.1.9")),
        (" 192.168.1.9:8000 ", Address("192.168.1.9", 8000)),
        ("Camera-1.local", Address("camera-1.local")),
        ("camera:2020", Address("camera", 2020)),
        ("10.0.0.2/onvif/device_service", Address("10.0.0.2")),
        ("fe80::1", Address("fe80::1")),
        ("[FD00::1]:8080", Address("fd00::1", 8080)),
        ("http://10.0.0.2/onvif/device_service", Address("10.0.0.2", 80)),
        ("http://10.0.0.2:5000/onvif/x", Address("10.0.0.2", 5000, path="/onvif/x")),
        ("https://10.0.0.2", Address("10.0.0.2", 443, secure=True)),
    ],
)
def test_typed(typed: str, expected: Address) -> None:
    assert parse_address(typed) == expected


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "rtsp://10.0.0.2/main",
        "ftp://10.0.0.2",
        "admin:secret@10.0.0.2",
        "http://admin:secret@10.0.0.2/",
        "10.0.0.2:0",
        "10.0.0.2:70000",
        "10.0.0.2:abc",
        "two words",
        "127.1",
        "192.168.1.256",
        "0x7f.0x1",
        "8",
        "a..b",
        "x" * 64 + ".local",
        "máy ảnh",
        "fe80::1%eth0",
        "[fe80::1%lo]:80",
        "-",
        "[",
        "http://[::1",
    ],
)
def test_typed_wrongly(typed: str) -> None:
    with pytest.raises(OnvifError) as caught:
        parse_address(typed)
    assert caught.value.cause is OnvifCause.ADDRESS_INVALID
    assert "secret" not in repr(caught.value)


def test_a_port_of_its_own_field() -> None:
    assert parse_address("10.0.0.2", 2020).port == 2020
    assert parse_address("10.0.0.2:80", 2020).port == 80
    with pytest.raises(OnvifError):
        parse_address("10.0.0.2", 0)


@given(st.text())
def test_anything_typed_is_an_address_or_an_error(typed: str) -> None:
    try:
        address = parse_address(typed)
    except OnvifError:
        return
    assert address.url("/").startswith(("http://", "https://"))


@given(st.text(), st.sampled_from(["rtsp://", "http://", ""]))
def test_whatever_is_claimed_leads_to_the_host_in_use(claimed: str, scheme: str) -> None:
    path_of(scheme + claimed)
    stream = stream_url(scheme + claimed, HERE, 554)
    assert stream is None or stream.startswith(("rtsp://10.0.0.5", "rtsps://10.0.0.5"))
    snapshot = snapshot_url(scheme + claimed, HERE, "")
    assert snapshot is None or snapshot.startswith(("http://10.0.0.5", "https://10.0.0.5"))


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [
        ("rtsp://192.168.1.64:554/Streaming/Channels/101", "rtsp://10.0.0.5/Streaming/Channels/101"),
        ("rtsp://10.0.0.5/a?b=c&d=e", "rtsp://10.0.0.5:1554/a?b=c&d=e"),
        ("rtsp://10.0.0.5:80:554/a", "rtsp://10.0.0.5/a"),
        ("rtsp://10.0.0.5:8106:8106/a", "rtsp://10.0.0.5:8106/a"),
        ("rtsp://[fe80::2]:8554/a", "rtsp://10.0.0.5:8554/a"),
        ("rtsp://u:p@10.0.0.5:8554/a", "rtsp://10.0.0.5:8554/a"),
        ("RTSPS://10.0.0.5:322/a", "rtsps://10.0.0.5:322/a"),
        ("rtsp://:8554/a", "rtsp://10.0.0.5:8554/a"),
        ("rtsp:///a", "rtsp://10.0.0.5:1554/a"),
        ("rtsp://192.168.1.256:8554/a", "rtsp://10.0.0.5:8554/a"),
        ("http://10.0.0.5/a", None),
        ("", None),
    ],
)
def test_o7_streams(claimed: str, expected: str | None) -> None:
    assert stream_url(claimed, HERE, 1554) == expected


@pytest.mark.parametrize(
    ("claimed", "services", "expected"),
    [
        ("http://10.0.0.5:80/snap.jpg?a=1", "10.0.0.5:8000", "http://10.0.0.5:80/snap.jpg?a=1"),
        ("http://10.0.0.5/snap.jpg", "10.0.0.5:8000", "http://10.0.0.5/snap.jpg"),
        ("http://192.168.1.64/snap.jpg", "192.168.1.64", "http://10.0.0.5:8000/snap.jpg"),
        ("http://10.0.0.5:81/snap.jpg", "10.0.0.5:81", "http://10.0.0.5:8000/snap.jpg"),
        ("ftp://10.0.0.5/snap.jpg", "", None),
    ],
)
def test_o4_snapshots(claimed: str, services: str, expected: str | None) -> None:
    assert snapshot_url(claimed, HERE, services) == expected
