"""What the kernel tells of our own network, and what a file that is odd does not do."""

from ipaddress import ip_address
from pathlib import Path

from hypothesis import given, strategies as st
import pytest

from custom_components.facility_cameras.engine import own_network
from custom_components.facility_cameras.engine.own_network import Neighbour, OwnNetwork, Route

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
ROUTES = (
    "eth0\t00000000\tFE01A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    "wlan0\t00000000\tFE02A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
    "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
    "wg0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0\n"
    "eth0\t0002000A\t0A01A8C0\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    "*\t007100CB\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
)
SIX = (
    "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n"
    "20010db8000100000000000000000000 30 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000001 00000000 00000201       lo\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"
)
ARP = (
    "IP address       HW type     Flags       HW address            Mask     Device\n"
    "192.168.1.10     0x1         0x2         02:00:00:00:be:ef     *        eth0\n"
    "192.168.1.11     0x1         0x0         00:00:00:00:00:00     *        eth0\n"
    "192.168.1.12     0x1         0x6         02:00:00:00:be:ef     *        eth0\n"
    "192.168.1.13     0x1         0x2         02:00:00:00:be:ef     *        wlan0\n"
)


def network(folder: Path, *, route: str = HEAD + ROUTES, six: str = SIX, arp: str = ARP) -> OwnNetwork:
    for name, text in (("route", route), ("ipv6_route", six), ("arp", arp)):
        (folder / name).write_bytes(text.encode())
    return OwnNetwork(folder, folder / "class")


@pytest.mark.parametrize(
    ("address", "link", "gateway"),
    [
        ("192.168.1.9", "eth0", None),
        ("192.0.2.17", "eth0", "192.168.1.254"),  # the cheaper of two ways
        ("10.9.9.9", "wg0", None),
        ("10.0.2.9", "eth0", "192.168.1.10"),  # the more precise of two
        ("203.0.113.9", "eth0", "192.168.1.254"),  # a way that is refused is none
        ("fd00::17", "eth0", None),
        ("2001:db8::1", "eth0", "fe80::1"),
        ("2001:db8:1::1", "eth0", "fe80::1"),  # as above
    ],
)
def test_way(tmp_path: Path, address: str, link: str, gateway: str | None) -> None:
    route = network(tmp_path).route(ip_address(address))
    assert route == Route(link, ip_address(gateway) if gateway else None)


def test_no_way(tmp_path: Path) -> None:
    bare = network(tmp_path, route=HEAD, six=SIX.splitlines(keepends=True)[-1])
    assert bare.route(ip_address("192.0.2.17")) is None
    assert bare.route(ip_address("2001:db8::1")) is None
    assert OwnNetwork(tmp_path / "nowhere").route(ip_address("192.0.2.17")) is None


def test_neighbours(tmp_path: Path) -> None:
    own = network(tmp_path)
    told = {last: own.neighbour(ip_address(f"192.168.1.{last}"), "eth0") for last in range(10, 15)}
    assert told == {
        10: Neighbour.KNOWN,
        11: Neighbour.SILENT,
        12: Neighbour.NOT_ASKED,  # set by hand
        13: Neighbour.NOT_ASKED,  # on another wire
        14: Neighbour.NOT_ASKED,
    }


def link(folder: Path, name: str, carrier: str | None, kind: str = "1") -> None:
    place = folder / "class" / name
    place.mkdir(parents=True)
    (place / "type").write_text(kind + "\n")
    if carrier is not None:
        (place / "carrier").write_text(carrier + "\n")


def test_links(tmp_path: Path) -> None:
    own = OwnNetwork(tmp_path, tmp_path / "class")
    assert own.any_link_up() is None
    link(tmp_path, "lo", "1", "772")
    assert own.any_link_up() is None
    link(tmp_path, "odd", None)
    assert (own.any_link_up(), own.link_up("odd")) == (None, None)
    link(tmp_path, "eth0", "0")
    assert (own.any_link_up(), own.link_up("eth0")) == (False, False)
    link(tmp_path, "wlan0", "1")
    assert (own.any_link_up(), own.link_up("wlan0")) == (True, True)


def test_links_within_this_machine_lead_nowhere(tmp_path: Path) -> None:
    own = OwnNetwork(tmp_path, tmp_path / "class")
    link(tmp_path, "docker0", "1")
    assert own.any_link_up() is True
    link(tmp_path, "eth0", "0")
    (tmp_path / "class" / "eth0" / "device").mkdir()
    assert own.any_link_up() is False


def test_name_of_a_link_leads_nowhere(tmp_path: Path) -> None:
    link(tmp_path, "eth0", "1")
    (tmp_path / "carrier").write_text("1")
    own = OwnNetwork(tmp_path, tmp_path / "class")
    for name in ("..", ".", "", "../class/eth0", "eth0/", "a\0b", str(tmp_path / "class" / "eth0")):
        assert own.link_up(name) is None


LINE = st.lists(
    st.one_of(
        st.sampled_from(["eth0", "00000000", "-0000001", "0003", "FFFFFFFF", "0x2", "é", "9" * 5000, "-1", "_1", "81"]),
        st.text(max_size=12),
    ),
    max_size=14,
).map(" ".join)


@given(st.lists(LINE, max_size=6).map("\n".join), st.sampled_from(["192.0.2.17", "fd00::17"]))
def test_odd_lines_are_left_out(tmp_path_factory: pytest.TempPathFactory, text: str, address: str) -> None:
    folder = tmp_path_factory.mktemp("odd")
    own = network(folder, route=f"{text}\n{ROUTES}", six=f"{text}\n{SIX}", arp=f"{text}\n{ARP}")
    assert own.route(ip_address(address)) is not None
    assert own.neighbour(ip_address("192.168.1.11"), "eth0") is Neighbour.SILENT


def test_a_long_file_is_read_to_its_bound(tmp_path: Path) -> None:
    """As on a router with all ways of the Internet: what lies before the bound counts, and no half line does."""
    line = ROUTES.splitlines(keepends=True)[3]
    before = own_network.MOST_BYTES // len(line)
    own = network(tmp_path, route=ROUTES + line * before * 2)
    assert own.route(ip_address("192.0.2.17")) == Route("eth0", ip_address("192.168.1.254"))
    own = network(tmp_path, route=line * (before + 1) + ROUTES)
    assert own.route(ip_address("192.0.2.17")) is None
    # A line that is cut is no line: on eth0.5 somebody has this address, not on eth0.
    line = "192.168.1.10 0x1 0x2 02:00:00:00:be:ef * eth0"
    for more in (0, 1):
        padding = "x" * (own_network.MOST_BYTES - len(line) - more) + "\n"
        own = network(tmp_path, arp=padding + line + ".5\n")
        assert own.neighbour(ip_address("192.168.1.10"), "eth0") is Neighbour.NOT_ASKED
