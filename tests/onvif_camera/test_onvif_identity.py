"""Which camera is this (CAMERAS.md O14)."""

import pytest

from custom_components.facility_cameras.onvif_camera.identity import Identity, identify, normal_mac

ONE, TWO, THREE = "00:11:22:33:44:55", "00:11:22:33:44:66", "00:11:22:33:44:77"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Identity("A1B2", (ONE,)), Identity("A1B2", (ONE,)), True),
        (Identity("A1B2", (ONE,)), Identity("A1B2", (ONE, TWO)), True),
        (Identity("A1B2", (ONE,)), Identity("A1B2", ()), True),
        (Identity("A1B2", (ONE,)), Identity("A1B2", (TWO, THREE)), False),
        (Identity("A1B2", (ONE,)), Identity("C3D4", (ONE,)), False),
        (Identity("", (ONE,)), Identity("", (TWO, ONE)), True),
        (Identity("A1B2", (ONE,)), Identity("", (ONE,)), True),
        (Identity("", ()), Identity("", ()), False),
    ],
)
def test_o14_same(one: Identity, other: Identity, *, same: bool) -> None:
    assert one.same_as(other) is same
    assert other.same_as(one) is same


@pytest.mark.parametrize(
    "serial",
    [
        "",
        " ",
        "0000000",
        "000-000-000",
        "SerialNumber",
        "Serial No.",
        "N/A",
        "IPC-B140",
        "MAKER",
        "V5.7.1",
        "123",
        "FFFF",
    ],
)
def test_o14_useless_serials(serial: str) -> None:
    assert identify(serial, (), maker="Maker", model="IPC B140", firmware="v5.7.1").serial == ""


def test_o14_what_can_be_trusted() -> None:
    found = identify(" DS-2CD2043G2-I20210517 ", ("00-11-22-33-44-55", ONE), maker="m", model="DS-2CD", firmware="")
    assert found == Identity("DS-2CD2043G2-I20210517", (ONE,))


@pytest.mark.parametrize(
    "text", ["", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "0011223344", "gg:11:22:33:44:55"]
)
def test_o14_macs_of_nobody(text: str) -> None:
    assert normal_mac(text) == ""


@pytest.mark.parametrize("text", ["00:11:22:AA:BB:CC", "0011.22aa.bbcc", "00-11-22-AA-BB-CC", "001122aabbcc"])
def test_macs_in_one_form(text: str) -> None:
    assert normal_mac(text) == "00:11:22:aa:bb:cc"
